"""podman, as far as it takes to ask for its ``stats``: in a directory of its own, without an image or a network."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from benchmarks.peers import Absent, last_line, program_path
from labkit.linux import mountinfo

_ULIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")  # podman's own are more than some may have


class Podman:
    """A podman of this benchmark's. Use it in a ``with``; raises Absent where it does not work."""

    def __init__(self, scratch: Path, tree: Path) -> None:
        self.parent = f"labkit-bench-{os.getpid()}"
        self.tree = shutil.copytree(tree, scratch / "podman-tree", symlinks=True)  # it writes into its root file system
        places = {"--root": "root", "--runroot": "run", "--tmpdir": "tmp", "--network-config-dir": "net"}
        self.command = [program_path("podman"), "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs"]
        self.command += ["--events-backend", "file"]
        for option, name in places.items():
            self.command += [option, str(scratch / f"podman-{name}")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self.command, "rm", "--all", "--force", "--time", "0"], capture_output=True, check=False)
        for mount in mountinfo.read():
            made = Path(mount.target, self.parent)
            if mount.type in ("cgroup", "cgroup2") and made.is_dir():
                for each in [*(below for below in made.iterdir() if below.is_dir()), made]:
                    _remove(each)

    def stats(self, argv: list[str], containers: int, seconds: float) -> tuple[float, float]:
        """The share of a core that ``podman stats`` takes for so many containers, and its samples a second of each."""
        for _ in range(containers):
            self._run(argv)
        watch = [*self.command, "stats", "--interval", "1", "--no-reset", "--format", "{{.ID}}"]
        before, started = _children(), time.monotonic()
        with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as process:
            time.sleep(seconds)
            process.terminate()
            lines = process.stdout.read().split() if process.stdout else []
        took = time.monotonic() - started
        if not lines:
            raise Absent("its stats say nothing")
        return (_children() - before) / took, len(lines) / containers / took

    def _run(self, argv: list[str]) -> None:
        options = ["--detach", "--network", "none", "--security-opt", "seccomp=unconfined", *_ULIMITS, "--read-only"]
        options += ["--cgroup-parent", f"/{self.parent}", "--cpus", "0.02", "--memory", "64m", "--pids-limit", "50"]
        done = subprocess.run(
            [*self.command, "run", *options, "--rootfs", str(self.tree), *argv],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Absent(last_line(done.stderr))


def _remove(cgroup: Path) -> None:
    """Remove it as soon as nobody is in it: podman leaves, and its monitors end a moment later."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return cgroup.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _children() -> float:
    """Seconds of CPU of the programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
