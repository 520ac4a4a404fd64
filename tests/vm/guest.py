"""One run of one machine: its job goes in as a tar on a disk, its results come back as a tar on another.

The console is watched. A machine that says nothing for too long, or that is not done in time, is ended, and its
last lines are told.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import qemu
from tree import ROOT, STATE

RESULT_SIZE = 64 << 20  # bytes
LAST_LINES = 50
_HERE = Path(__file__).parent


class Hanging(Exception):
    """A machine that had to be ended; its message has the last lines of the console."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One ring by one way in."""

    name: str
    way: str
    ring: str
    options: tuple[str, ...] = ()

    def line(self) -> str:
        return " ".join((self.name, self.way, self.ring, *self.options))


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds: of silence on the console, and from the boot until tests are broken off, which tell what they did."""

    silence: int = 420
    work: int = 1800
    parting: int = 90  # what it takes to break off, and to bring back what was found

    @property
    def whole(self) -> int:
        """Until the machine is ended, whatever it does."""
        return self.work + self.parting


class Guest:
    """A machine at work. `poll` from time to time; `results` when it says that it has ended."""

    def __init__(
        self, name: str, image: Path, kernel: Path, accel: str, parts: tuple[Part, ...], patience: Patience,
        *, cores: int = 2, words: str = "",
    ):  # fmt: skip
        self.name = name
        self._place = STATE / "runs" / name
        self._place.mkdir(parents=True, exist_ok=True)
        self.console = self._place / "console.log"
        self._results = self._place / "results.tar"
        self._patience = patience
        job = self._place / "job.tar"
        _write_job(job, parts, patience.work)
        self._results.write_bytes(b"")
        with self._results.open("r+b") as file:
            file.truncate(RESULT_SIZE)
        words = f"root=/dev/vda rw quiet systemd.show_status=false loglevel=4 {words}"
        command = [
            *qemu.machine(accel, kernel / "vmlinuz", words, cores=cores),
            "-initrd", str(kernel / "initrd"),
            *qemu.drive(image, snapshot=True), *qemu.drive(job, shared=True), *qemu.drive(self._results),
        ]  # fmt: skip
        self.began = time.monotonic()
        with self.console.open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def poll(self) -> bool:
        """Whether it has ended. Raises Hanging, having ended it, when it is silent or late."""
        if self._process.poll() is not None:
            return True
        silent = time.time() - self.console.stat().st_mtime
        late = time.monotonic() - self.began
        if silent > self._patience.silence:
            self._give_up(f"has said nothing for {silent:.0f} s")
        if late > self._patience.whole:
            self._give_up(f"is not done after {late:.0f} s")
        return False

    def end(self) -> None:
        """Stop it, wherever it is."""
        self._process.kill()
        self._process.wait()

    def results(self) -> dict[str, str]:
        """The files that the job has left, by name. Raises Hanging when there are none."""
        found = {}
        with tarfile.open(self._results, "r:") as tar:  # said, for to guess the form takes seconds
            for member in tar.getmembers():
                file = tar.extractfile(member)
                if file is not None:
                    found[member.name.removeprefix("./")] = file.read().decode(errors="replace")
        if not found:  # a disk of zeroes is an empty archive
            raise Hanging(self._told(f"ended without results (qemu: {self._process.returncode})"))
        return found

    def _give_up(self, why: str) -> None:
        self.end()
        raise Hanging(self._told(why))

    def _told(self, why: str) -> str:
        lines = self.console.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join([f"{self.name} {why}; the last lines of its console:", *(f"  | {line}" for line in lines)])


def _write_job(path: Path, parts: tuple[Part, ...], seconds: int) -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with tarfile.open(path, "w") as tar:
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                tar.add(ROOT / name, f"labkit/{name}")
        for script in ("run.sh", "ring.sh", "features.py"):
            tar.add(_HERE / script, f"job/{script}")
        with tempfile.TemporaryDirectory() as scratch:
            tar.add(_describe(Path(scratch)), "job/labkit.dist-info")
        _add(tar, "job/parts", "".join(f"{part.line()}\n" for part in parts))
        _add(tar, "job/seconds", f"{seconds}\n")


def _describe(scratch: Path) -> Path:
    """What an installed labkit says about itself: its version, and the packages that it wants. See: PEP 660."""
    code = "import sys, hatchling.build as build; build.prepare_metadata_for_build_editable(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(scratch)], cwd=ROOT, check=True)
    (described,) = scratch.iterdir()
    return described


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    tar.addfile(entry, io.BytesIO(text.encode()))
