"""The course's machine, as ./lab vm has it: `python setup/vm build | start | stop | reset | shell`."""

from __future__ import annotations

import shutil
import subprocess
import sys

import image
import lifecycle
import recipe
from places import HOUSE, ROOT, UNFINISHED, Place, superfluous
from trouble import Trouble


def main() -> int:
    """Do what the command line says; the exit status."""
    deeds = {
        "build": build,
        "start": lifecycle.start,
        "stop": lifecycle.stop,
        "reset": lifecycle.reset,
        "shell": lifecycle.shell,
    }
    if len(sys.argv) != 2 or sys.argv[1] not in deeds:
        sys.exit(__doc__)
    try:
        deeds[sys.argv[1]]()
    except Trouble as trouble:
        print(f"\nlab: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # ./lab tells; a machine that is starting goes on, and the next ./lab vm waits for it
        return 130
    return 0


def build() -> None:
    """Make the image of this checkout's course, unless it is there."""
    HOUSE.mkdir(exist_ok=True)
    HOUSE.chmod(0o700)  # the sockets in it lead into the machine
    tar, log = HOUSE / "project.tar", HOUSE / "build.log"
    subprocess.run(["tar", "-C", ROOT, "--exclude-from", ROOT / "vm/not-placed.txt", "-cf", tar, "."], check=True)
    try:
        wanted = recipe.course(tar)
        place = Place(HOUSE / wanted.fingerprint()[:12])
        if not image.is_current(wanted, place.path):
            image.build(wanted, HOUSE / UNFINISHED, log)
            (HOUSE / UNFINISHED).rename(place.path)
    except subprocess.CalledProcessError:
        print(*log.read_text(errors="replace").splitlines()[-15:], sep="\n", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        tar.unlink()
    for old in superfluous(place):
        shutil.rmtree(old)


sys.exit(main())
