"""`./lab bench [--rounds N] [PART ...]`: measure, then print the table of goals, the missed ones included."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

if not __package__:  # run as `python benchmarks`: the directory above is what holds benchmarks and labkit
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.machine import describe
from benchmarks.report import Goal, Part, table
from labkit.agent import delegation

PARTS = {
    "starts": "benchmarks.starts:starts",
    "limits": "benchmarks.limits:limits",
    "watching": "benchmarks.watching:watching",
    "many": "benchmarks.many:many",
    "ready": "benchmarks.ready:ready",
    "walks": "benchmarks.walks:walks",
    "player": "benchmarks.player:player",
    "livepanel": "benchmarks.livepanel:livepanel",
    "peers": "benchmarks.alone:alone",
}
BY_DEFAULT = ("starts", "limits", "watching", "many", "ready", "walks", "player", "livepanel")


def main() -> int:
    """Run the parts one after the other. Nothing here fails because a figure is bad, only if it cannot be had."""
    parser = argparse.ArgumentParser(prog="./lab bench", description=__doc__)
    which = f"of {', '.join(PARTS)}; by default {', '.join(BY_DEFAULT)}"
    parser.add_argument("parts", nargs="*", metavar="PART", help=which)
    parser.add_argument("--rounds", type=int, default=40, help="how often each thing is measured (default 40)")
    options = parser.parse_args()
    for name in options.parts:
        if name not in PARTS:
            parser.error(f"there is no part {name!r}; there are {', '.join(PARTS)}")
    if os.geteuid() != 0:
        parser.error("the peers need root to be compared: run it as root")

    delegation.enter()
    print(*describe(), "", sep="\n", flush=True)
    goals: list[Goal] = []
    failed = 0
    for name in options.parts or BY_DEFAULT:
        module, _, function = PARTS[name].partition(":")
        with tempfile.TemporaryDirectory(prefix="labkit-bench-") as scratch:
            try:
                part: Part = getattr(import_module(module), function)(Path(scratch), options.rounds)
            except Exception as why:  # an hour's figures of the other parts are not to be lost for it
                failed += 1
                part = Part(name, [f"could not be measured: {type(why).__name__}: {why}"])
        print(f"## {part.title}", "", *part.lines, "", sep="\n", flush=True)
        goals += part.goals
    if goals:
        rows = [goal.row() for goal in goals]
        print("## what is to be reached", "", *table(("work", "reach", "measured", "reached"), rows), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
