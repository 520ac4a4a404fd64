"""What a user would start a container with instead: two C programs, unshare(1), bwrap, crun, runc.

All run the same `true` in the same root file system, as a program of their own, started by posix_spawn(3) (which is
vfork(2): the size of this process does not count) with /dev/null for all three descriptors.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shlex import quote

import labkit
from benchmarks.hidden import Elsewhere
from benchmarks.machine import cgroup_mode, own_cgroup2
from benchmarks.measure import Work
from benchmarks.same_calls import program as same_calls_program
from labkit.container.spec import CGROUPS, LAB, Spec, plan

PROGRAM = "/bin/true"
DEVNULL = tuple((os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2))


class Absent(Exception):
    """This peer cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Peers:
    """Those that work here, ready to be timed, and why the others do not."""

    works: dict[str, Work]
    absent: dict[str, str]

    def remarks(self) -> list[str]:
        """A line for each that is not measured."""
        return [f"not measured: {name}: {why}" for name, why in self.absent.items()]


def spawn(argv: list[str]) -> float:
    """Start a program, wait for it, return the seconds. A status other than 0 is an error."""
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=DEVNULL)
    status = os.waitpid(pid, 0)[1]
    took = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(f"{argv[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return took


@contextmanager
def peers(rootfs: Path, scratch: Path) -> Iterator[Peers]:
    """Prepare all peers on this root file system; `scratch` is a directory for what they need."""
    works: dict[str, Work] = {}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        for name, prepare in PREPARE.items():
            try:
                work = prepare(rootfs, scratch, stack)
                work()
            except (Absent, OSError, RuntimeError) as why:
                absent[name] = str(why)
            else:
                works[name] = work
        yield Peers(works, absent)


def floor(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """floor.c: the least that may be called a container."""
    program, cgroup = compiled(Path(__file__).with_name("floor.c"), scratch), cgroup_of_ours()
    return lambda: spawn([program, cgroup, str(rootfs), PROGRAM])


def same_calls(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """The calls of labkit's own plan as a C program (benchmarks/same_calls.py), where the plan's paths are to be found.

    As in a lab host, /run is a tmpfs with the image below it, and our own cgroup is all of /sys/fs/cgroup.
    """
    described = Spec(name="same", image="busybox", argv=("true",))
    source = scratch / "same.c"
    source.write_text(
        same_calls_program(plan(described).parts(), cgroup=described.cgroup_path, directory=described.directory)
    )
    program = compiled(source, scratch)
    script = f"""
        mount --bind {quote(cgroup_of_ours())} {CGROUPS}
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p {LAB}/images/busybox
        mount --bind {quote(str(rootfs))} {LAB}/images/busybox
    """
    elsewhere = stack.enter_context(Elsewhere(script))
    return lambda: elsewhere.spawn([program])


def unshare(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """util-linux: six namespaces, /proc and chroot(2); no overlay, no cgroup of its own."""
    argv = [program_path("unshare"), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork"]
    return checked([*argv, f"--root={rootfs}", "--mount-proc", PROGRAM])


def bwrap(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """bubblewrap: seven namespaces, /proc, a small /dev; read-only root, no cgroup of its own."""
    argv = [program_path("bwrap"), "--unshare-all", "--ro-bind", str(rootfs), "/", "--proc", "/proc", "--dev", "/dev"]
    return checked([*argv, PROGRAM])


def tiny(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """labkit/tiny.py by a lean interpreter: what Python costs when it has to be started first."""
    return checked([sys.executable, "-I", "-S", str(Path(labkit.__file__).with_name("tiny.py")), str(rootfs), PROGRAM])


def runc(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """runc run: what Docker and containerd call at the end of their own work."""
    return oci(program_path("runc"), rootfs, scratch)


def crun(rootfs: Path, scratch: Path, stack: ExitStack) -> Work:
    """crun run. It refuses a hybrid cgroup tree, so there it runs where the v2 part of the tree is hidden."""
    program = program_path("crun")
    if cgroup_mode() != "v1 hybrid":
        return oci(program, rootfs, scratch)
    elsewhere = stack.enter_context(Elsewhere("mount -t tmpfs tmpfs /sys/fs/cgroup/unified"))
    return oci(program, rootfs, scratch, elsewhere)


PREPARE = {
    "floor": floor, "same calls in C": same_calls, "unshare": unshare, "bwrap": bwrap, "tiny.py": tiny,
    "crun": crun, "runc": runc,
}  # fmt: skip


def oci(program: str, rootfs: Path, scratch: Path, elsewhere: Elsewhere | None = None) -> Work:
    """Make a bundle from the runtime's own `spec` and run it, under a new id each time."""
    name = os.path.basename(program)
    bundle = scratch / f"bundle-{name}"
    bundle.mkdir(exist_ok=True)
    subprocess.run([program, "spec"], cwd=bundle, check=True, capture_output=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {"args": [PROGRAM], "terminal": False}
    config["root"]["path"] = str(rootfs)
    (bundle / "config.json").write_text(json.dumps(config))
    command = [program, "--root", str(scratch / f"state-{name}"), "run", "--bundle", str(bundle)]
    ids = count()

    def argv() -> list[str]:
        return [*command, f"{scratch.name}-{next(ids)}"]

    if elsewhere is None:
        checked(argv())
        return lambda: spawn(argv())
    return lambda: elsewhere.spawn(argv())


def compiled(source: Path, scratch: Path) -> str:
    """Compile a C program now. Static if there is a static libc: half of a small program's start is ld.so(8)."""
    compiler, program = program_path("gcc"), str(scratch / source.stem)
    for options in (["-static"], []):
        command = [compiler, "-O2", *options, "-o", program, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return program
    raise Absent(f"gcc: {last_line(done.stderr)}")


def cgroup_of_ours() -> str:
    """The directory below which this process may make cgroups."""
    cgroup = own_cgroup2()
    if cgroup is None:
        raise Absent("no cgroup v2 hierarchy is mounted")
    return cgroup


def program_path(name: str) -> str:
    """Where the program is; Absent with the word that one expects."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Absent("not installed")
    return path


def checked(argv: list[str]) -> Work:
    """A Work from a command line that has been tried once, so that a refusal keeps its words."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Absent(last_line(done.stderr) or f"exit status {done.returncode}")
    return lambda: spawn(argv)


def last_line(text: str) -> str:
    """The last line that is not empty: where programs put what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
