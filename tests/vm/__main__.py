"""`./lab test --vm`: the kernel ring and every notebook on Debian's kernels, on pure cgroup v2.

One machine after the other, each with both cores: emulated processors that share a core only slow each other down.
What comes back: test-results/vm/, a JUnit file for each part, the whole table, each console.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import documented
import image
import qemu
import report
import tree
from guest import Guest, Hanging, Part, Patience
from kernels import KERNELS, Kernel, releases

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results" / "vm"
#: the other ways in, and the kernel on which each takes all notebooks
WAYS = {"sudo": "6.12", "rootless": "6.1"}
#: without what the ring has beside the notebooks: their form, and replay, which ask nothing of a kernel
NOTEBOOKS = ("--deselect=tests/notebooks/",)
#: A rootless lab has each device of /dev bound in from the machine, so its tables of mounts are others than those
#: that are stored: there all cells must run, and what they show is not compared.
OPTIONS = {"root": NOTEBOOKS, "sudo": NOTEBOOKS, "rootless": (*NOTEBOOKS, "--nbval-lax")}


def main() -> int:
    """Build what is missing, boot, report; the exit status says whether all was well."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a machine does not outlive us
    tree.STATE.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kernels = tuple(kernel for kernel in KERNELS if asked.kernel in (None, kernel.name))
    if not _built(kernels):
        return 1
    ends = time.monotonic() + asked.minutes * 60
    columns: list[report.Column] = []
    wrong: list[str] = []
    jobs = [(kernel, parts) for kernel in kernels if (parts := _parts(kernel, asked.way))]
    for number, (kernel, parts) in enumerate(jobs):
        share = (ends - time.monotonic()) / (len(jobs) - number)  # none shall use up the time of the next
        try:
            columns += _run(kernel, parts, share, wrong, write=asked.write)
        except Hanging as hanging:
            wrong.append(str(hanging))
    (RESULTS / "table.txt").write_text(report.table(columns, whole=True) + "\n")
    print(f"\n{report.table(columns)}")
    wrong += [report.reasons([column]) or column.line() for column in columns if column.failed()]
    print("".join(f"\n{each}" for each in wrong))
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./lab test --vm", description="The kernel ring and every notebook on other kernels."
    )
    parser.add_argument("--kernel", choices=[kernel.name for kernel in KERNELS], help="this one only")
    parser.add_argument("--way", choices=["root", *WAYS], help="this way into the lab only, on each kernel")
    parser.add_argument("--minutes", type=float, default=30, help="how long all machines together may take (30)")
    parser.add_argument("--write", action="store_true", help="write what was measured into docs/kernels.md")
    return parser.parse_args()


def _parts(kernel: Kernel, way: str | None) -> tuple[Part, ...]:
    """What runs on this kernel: as root everything; the other ways all notebooks, on one kernel unless asked for."""
    ways = ["root"] if way in (None, "root") else []
    ways += [other for other, where in WAYS.items() if way == other or (way is None and where == kernel.name)]
    parts = [Part(name=f"notebooks-{each}", way=each, ring="notebooks", options=OPTIONS[each]) for each in ways]
    if "root" in ways:  # it takes longest, so it comes last
        parts.append(Part(name="kernel-root", way="root", ring="kernel"))
    return tuple(parts)


def _built(kernels: tuple[Kernel, ...]) -> bool:
    for release in releases(kernels):
        recipe, place, log = tree.recipe(release), tree.STATE / release, tree.STATE / f"{release}.log"
        first = next(kernel for kernel in kernels if kernel.release == release)
        try:
            tree.fetch_wheels(first, tree.STATE / f"wheels-{release}.log")
            if not image.is_current(recipe, place):
                print(f"building the image of {release}: {log.relative_to(ROOT)} tells how", flush=True)
                image.build(recipe, place, log)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"the image of {release} could not be built: {str(error)[:300]}\n  look: {log.parent}/*.log")
            return False
    return True


def _run(
    kernel: Kernel, parts: tuple[Part, ...], share: float, wrong: list[str], *, write: bool
) -> list[report.Column]:
    place = tree.STATE / kernel.release
    boot = place / kernel.name
    accel = qemu.accelerator(boot / "vmlinuz")
    patience = Patience(work=max(60, int(share) - Patience.parting))
    guest = Guest(kernel.name, place / "disk.img", boot, accel, parts, patience)
    try:
        while not guest.poll():
            time.sleep(0.5)
        found = guest.results()
    finally:
        guest.end()
        (RESULTS / f"{kernel.name}-console.log").write_bytes(guest.console.read_bytes())
    columns = []
    for part in parts:
        junit = found.get(f"{part.name}.xml", "")
        (RESULTS / f"{kernel.name}-{part.name}.xml").write_text(junit)
        columns.append(report.read(f"{kernel.name} {part.name}", junit))
        wrong += _ended(columns[-1], found.get(f"{part.name}.status", "").strip())
    release, took = found["release"].strip(), time.monotonic() - guest.began
    print(f"Linux {release} ({accel.partition(',')[0]}, {took:.0f} s)", flush=True)
    print("".join(f"  {column.line()}\n" for column in columns), end="", flush=True)
    measured = json.loads(found["features.json"])
    if write:
        documented.write(kernel.name, measured)
    wrong += documented.differences(kernel.name, measured)
    return columns


def _ended(column: report.Column, status: str) -> list[str]:
    """What the end of a part says beside what its tests did. 124 is timeout(1)'s word."""
    if status in ("", "124"):
        return [f"{column.title}: its time was up after {len(column.outcomes)} tests (--minutes gives more)"]
    if status != "0" and not column.failed():
        return [f"{column.title}: all tests passed, and yet pytest ended with {status}; see the console"]
    return []


sys.exit(main())
