"""What `./lab test --vm` runs, where, and what it says of it. Nothing here starts a machine."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("chosen", "guest", "image", "kernels", "machines", "plan", "qemu", "report", "sources", "tree")


@pytest.fixture
def vm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Gives the modules of tests/vm by name; they are forgotten afterwards, as their names are everybody's."""
    for place in ("setup/vm", "tests/vm"):
        monkeypatch.syspath_prepend(str(ROOT / place))

    def module(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield module
    for name in OURS:
        sys.modules.pop(name, None)


def planned(vm: Any, **options: Any) -> list[Any]:
    kernels = vm("kernels").KERNELS
    return list(vm("plan").jobs(options.pop("kernels", kernels), options.pop("way", None), whole=False, **options))


def test_each_kernel_takes_all_notebooks_and_what_is_chosen_of_the_ring(vm: Any) -> None:
    for kernel in vm("kernels").KERNELS:
        rings = [part.ring for job in planned(vm) if job.kernel == kernel for part in job.parts]
        assert "notebooks" in rings and "files" in rings


def test_each_way_in_takes_all_notebooks_on_a_kernel(vm: Any) -> None:
    parts = [part for job in planned(vm) for part in job.parts if part.ring == "notebooks"]
    assert {part.way for part in parts} == {"root", "sudo", "rootless"}


def test_the_whole_ring_takes_the_place_of_the_choice(vm: Any) -> None:
    kernel = vm("kernels").KERNELS[0]
    parts = [part for job in vm("plan").jobs((kernel,), "root", whole=True) for part in job.parts]
    assert [(part.ring, part.way) for part in parts] == [("notebooks", "root"), ("kernel", "root")]


def test_machines_have_names_of_their_own(vm: Any) -> None:
    names = [job.name for job in planned(vm)]
    assert len(names) == len({*names})


def test_what_is_chosen_is_there_and_has_a_reason(vm: Any) -> None:
    for chosen, reason in vm("chosen").CHOSEN.items():
        file, _, test = chosen.partition("::")
        defined = [
            node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
        ]
        assert test in defined if test else any(name.startswith("test_") for name in defined), chosen
        assert reason


def test_what_was_chosen_and_did_not_pass_even_once_is_told(vm: Any) -> None:
    chosen = vm("chosen")
    names = []
    for each in chosen.CHOSEN:
        file, _, test = each.partition("::")
        names.append(f"{file.removesuffix('.py').replace('/', '.')}::{test or 'test_x'}[a.b::c]")
    assert chosen.missing("6.1", names) == []
    for each, left in zip(chosen.CHOSEN, range(len(names)), strict=True):
        assert chosen.missing("6.1", names[:left] + names[left + 1 :]) == [f"6.1: not one test of {each} passed"]


JUNIT = """<testsuites><testsuite time="3.5">
<testcase classname="tests.kernel.test_x" name="test_a"/>
<testcase classname="tests.kernel.test_x" name="test_b"><skipped message="no v1"/></testcase>
<testcase classname="tests.kernel.test_x" name="test_c"><failure message="short">def test_c():
&gt;       assert one == two
E       assert 1 == 2
E         left behind: a mount

tests/kernel/test_x.py:5: AssertionError</failure></testcase>
<testcase classname="notebooks.01.ipynb" name="Cell 15"><failure message="failed">#x1B[91mNotebook cell failed#x1B[0m
#x1B[94mCell 15: Cell outputs differ

Input:
#x1B[0mlab.reset()

#x1B[94mTraceback:#x1B[0m
#x1B[94m mismatch 'stdout'#x1B[91m
  - the radio gets 4 times as much
  + the radio gets 3 times as much
#x1B[0m</failure></testcase></testsuite></testsuites>"""


def test_a_failure_says_what_differed(vm: Any) -> None:
    report = vm("report")
    told = report.reasons(report.read("6.1 kernel-root", JUNIT)).splitlines()
    assert told[:3] == [
        "6.1 kernel-root: tests.kernel.test_x::test_c", "  | assert 1 == 2", "  | left behind: a mount"
    ]  # fmt: skip
    assert told[3:5] == ["6.1 kernel-root: notebooks.01.ipynb::Cell 15", "  | Cell 15: Cell outputs differ"]
    assert told[-2:] == ["  |   - the radio gets 4 times as much", "  |   + the radio gets 3 times as much"]


def test_a_kernel_is_summed_up_in_a_line(vm: Any) -> None:
    report = vm("report")
    columns = [report.read("6.1 kernel-root", JUNIT), report.read("6.12 kernel-root", "")]
    told = " ".join(report.sums("6.1", columns).split())
    assert told == "6.1 1 passed, 2 FAILED, 1 skipped (kernel-root 4 in 4 s)"
    assert "0 passed" in report.sums("6.12", columns)


def test_machines_wait_for_a_free_processor_and_all_come_back(vm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = vm("machines")
    working: set[str] = set()
    most = 0

    class Machine:
        began, console = 0.0, Path("console")

        def __init__(self, job: Any, share: float) -> None:
            nonlocal most
            self.job = job
            working.add(job.name)
            most = max(most, len(working))

        def poll(self) -> bool:
            working.discard(self.job.name)
            if self.job.kernel.name == "6.12":
                raise machines.Hanging("6.12 has said nothing for 9 s")
            return True

        def results(self) -> dict[str, str]:
            return {"release": self.job.kernel.name}

        def end(self) -> None: ...

    monkeypatch.setattr(machines, "_start", Machine)
    jobs = planned(vm)
    ended = list(machines.run(jobs, 60, at_once=2))
    assert most == 2 and sorted(one.job.name for one in ended) == sorted(job.name for job in jobs)
    assert {one.trouble for one in ended} == {"", "6.12 has said nothing for 9 s"}
