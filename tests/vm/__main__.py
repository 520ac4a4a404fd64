"""`./lab test --vm`: every notebook and the kernel ring, or what is chosen of it, on Debian's kernels with v2 alone.

What comes back: test-results/vm/, a JUnit file for each part, the whole table, each console.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import chosen
import documented
import image
import machines
import plan
import report
import tree
from kernels import KERNELS, Kernel, releases

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results" / "vm"
_MINUTES = {False: 30, True: 300}  # for all; the kernel ring is twelve hundred tests, each some seconds if emulated


def main() -> int:
    """Build what is missing, boot, report; the exit status says whether all was well."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no machine outlives us
    tree.STATE.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kernels = tuple(kernel for kernel in KERNELS if asked.kernel in (None, kernel.name))
    if not _built(kernels):
        return 1
    began = time.monotonic()
    columns: list[report.Column] = []
    wrong: list[str] = []
    jobs = plan.jobs(kernels, asked.way, whole=asked.whole)
    for ended in machines.run(jobs, 60 * (asked.minutes or _MINUTES[asked.whole])):
        columns += _columns(ended, wrong)
        wrong += _told(ended, write=asked.write)
    columns.sort(key=lambda column: column.title)
    (RESULTS / "table.txt").write_text(report.table(columns, whole=True) + "\n")
    print(f"\n{report.table(columns)}\n")
    print("\n".join(report.sums(kernel.name, columns) for kernel in kernels))
    print(f"{time.monotonic() - began:.0f} s; the machines used {_processor_time():.0f} s of processors' time")
    wrong += [report.reasons(column) for column in columns if report.FAILED in column.outcomes.values()]
    print("".join(f"\n{each}" for each in dict.fromkeys(wrong)))
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./lab test --vm", description="Every notebook and a choice of the kernel ring on other kernels."
    )
    parser.add_argument("--kernel", choices=[kernel.name for kernel in KERNELS], help="this one only")
    parser.add_argument("--way", choices=plan.WAYS, help="this way into the lab only, on each kernel")
    parser.add_argument("--whole", action="store_true", help="the whole kernel ring, not the choice")
    parser.add_argument("--minutes", type=float, help="how long all machines together may take (30; --whole: 300)")
    parser.add_argument("--write", action="store_true", help="write what was measured into docs/kernels.md")
    return parser.parse_args()


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


def _columns(ended: machines.Ended, wrong: list[str]) -> list[report.Column]:
    """A column for each part; what is to be said about its end goes to `wrong`."""
    kernel = ended.job.kernel.name
    columns = []
    for part in ended.job.parts:
        junit = ended.found.get(f"{part.name}.xml", "")
        (RESULTS / f"{kernel}-{part.name}.xml").write_text(junit)
        column = report.read(f"{kernel} {part.name}", junit)
        columns.append(column)
        wrong += _end(column, ended.found.get(f"{part.name}.status", "").strip())
        if part.ring == "files":
            wrong += chosen.missing(column.title, column.passed())
    return columns


def _told(ended: machines.Ended, *, write: bool) -> list[str]:
    """Print what the machine said of itself; what is wrong with it, and where the page differs from it."""
    (RESULTS / f"{ended.job.name}-console.log").write_bytes(ended.console.read_bytes())
    if "features.json" not in ended.found:
        print(f"{ended.job.name}: FAILED after {ended.seconds:.0f} s", flush=True)
        return [ended.trouble or f"{ended.job.name} did not come as far as its tests; see its console"]
    kernel, measured = ended.job.kernel.name, json.loads(ended.found["features.json"])
    print(f"Linux {ended.found['release'].strip()}: {ended.job.name} took {ended.seconds:.0f} s", flush=True)
    if write:
        documented.write(kernel, measured)
    return [*([ended.trouble] if ended.trouble else []), *documented.differences(kernel, measured)]


def _end(column: report.Column, status: str) -> list[str]:
    """What the end of a part says beside what its tests did. 124 is timeout(1)'s word."""
    if status in ("", "124"):
        return [f"{column.title}: its time was up after {len(column.outcomes)} tests (--minutes gives more)"]
    if not column.outcomes:
        return [f"{column.title}: no test ran; see the console"]
    if status != "0" and report.FAILED not in column.outcomes.values():
        return [f"{column.title}: all tests passed, and yet pytest ended with {status}; see the console"]
    return []


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
