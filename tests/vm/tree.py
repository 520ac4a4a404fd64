"""The disk that the tests boot from: one for a release, with its kernels, and without the project itself.

The project comes with each job, so that a change of it builds no image. Python's packages come as wheels, chosen
here for the release's Python: the machine in the VM never sees a network.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import image
from kernels import KERNELS, Kernel

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".lab" / "vm"

#: what makes a machine of a tree; the lists in setup/apt have the rest
SYSTEM = ("systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", "zstd", "xz-utils")
NOT_HERE = {"chromium", "shellcheck"}  # for rings that do not run in the VM
NO_WHEELS = ("mypy", "ruff", "playwright", "hatchling")


def recipe(release: str) -> image.Recipe:
    """What the image of `release` is made of."""
    mine = [kernel for kernel in KERNELS if kernel.release == release]
    packages = sorted({*SYSTEM, *_listed("need", "want", "test")} - NOT_HERE)
    return image.Recipe(
        release=release,
        packages=tuple(packages),
        backports=any("backports" in kernel.suite for kernel in mine),
        python=tuple(requirements()),
        script=Path(__file__).with_name("tree.sh"),
        beside=(ROOT / "setup/vm/kernel.sh",),
        arguments=(str(_wheels(mine[0]).parent), *(f"{kernel.name}={kernel.suite}" for kernel in mine)),
    )


def requirements() -> list[str]:
    """What pyproject.toml asks of a machine that runs the kernel and notebook rings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    every = project["dependencies"] + project["optional-dependencies"]["test"]
    return [each for each in every if not each.startswith(NO_WHEELS)]


def fetch_wheels(kernel: Kernel, log: Path) -> None:
    """Download what is missing of the wheels for `kernel`'s Python."""
    where = _wheels(kernel)
    asked = "\n".join(requirements())
    if where.exists() and where.read_text().rstrip() == asked:
        return
    command = [
        sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--progress-bar=off",
        "--only-binary=:all:", f"--python-version={kernel.python}", f"--dest={where.parent}", *requirements(),
    ]  # fmt: skip
    where.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as said:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True)
    where.write_text(asked + "\n")


def _wheels(kernel: Kernel) -> Path:
    return STATE / f"wheels-{kernel.python}" / "requirements"


def _listed(*lists: str) -> list[str]:
    lines = [line for name in lists for line in (ROOT / f"setup/apt/{name}.txt").read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
