"""A notebook's cell that is run again has one lab, and a lab that was forgotten takes no time from a measurement."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from labkit import Lab
from labkit.container.container import Container
from labkit.errors import ClosedError
from labkit.view.turns import Cell

FIRST = """
from labkit import Lab
lab = Lab()
box = lab.run("busybox", ["sh", "-c", "echo busy; while :; do sleep 1; done"], name="radio", detach=True)
while not box.stdout: pass
box"""
OTHER = "other = Lab(); other"
TELL = """
import labkit.lab
with open({!r}, "w") as file:
    file.write(" ".join(str(each) for each in labkit.lab._open if not each._closed))"""


@pytest.fixture
def notebook() -> Iterator[Callable[[str, str], None]]:
    """Runs a cell (its id, its source) as JupyterLab has a kernel run it."""
    manager, client = start_new_kernel(startup_timeout=50)
    assert isinstance(client, BlockingKernelClient)

    def run(cell: str, source: str) -> None:
        request = client.session.msg("execute_request", {"code": source, "silent": False, "store_history": True,
                                     "user_expressions": {}, "allow_stdin": False, "stop_on_error": True},
                                     metadata={"cellId": cell})  # fmt: skip
        client.shell_channel.send(request)
        while (reply := client.get_shell_msg(timeout=50))["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            pass
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", ()))

    try:
        yield run
    finally:
        run("the end", "import labkit.lab; labkit.lab._close_all()")
        client.stop_channels()
        manager.shutdown_kernel()


def test_the_first_cell_run_again_leaves_one_lab(notebook: Callable[[str, str], None], tmp_path: Path) -> None:
    """What a cell has shown is kept by IPython, and with it the container, and with that its lab."""
    for _ in range(3):
        notebook("first", FIRST)
        notebook("second", OTHER)
        notebook("third", "box, _, __")
    told = tmp_path / "told"
    notebook("fourth", TELL.format(str(told)))
    lines = told.read_text()
    assert (lines.count("lab:"), lines.count("radio")) == (2, 1), lines


@pytest.fixture
def in_cell(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Which cell runs now, and which run of it that is."""
    return lambda cell, run: monkeypatch.setattr("labkit.lab._this_cell", lambda: Cell(cell, run))


def test_a_cell_keeps_the_labs_of_one_run_and_other_cells_theirs(
    new_lab: Callable[[], Lab], in_cell: Callable[[str, str], None]
) -> None:
    in_cell("a", "1")
    first, beside = new_lab(), new_lab()
    in_cell("b", "2")
    other = new_lab()
    box = first.run("busybox", ["sh", "-c", "echo on; exec sleep 1000"], detach=True)
    while not box.stdout:
        time.sleep(0.005)
    walk = first.walk(first.plans.container("busybox"))
    in_cell("a", "3")
    again = new_lab()
    assert [str(lab).startswith("lab (closed)") for lab in (first, beside, other, again)] == [True, True, False, False]
    assert (box.returncode, box.stdout) == (137, "on\n")
    assert str(walk) and walk._repr_mimebundle_()
    with pytest.raises(ClosedError):
        walk.next()
    in_cell("a", "4")
    other.close()
    assert not str(again).startswith("lab (closed)"), "nothing was made in this run yet"


def busy(lab: Lab) -> Container:
    return lab.run("busybox", ["sh", "-c", "while :; do :; done"], detach=True)


def test_beside_a_measurement_all_other_labs_stand_still(new_lab: Callable[[], Lab]) -> None:
    one, other, third = new_lab(), new_lab(), new_lab()
    if not one.lacking.cgroups:
        pytest.skip("a lab without cgroups cannot be stopped")
    boxes = {lab: busy(lab) for lab in (one, other)}
    third.close()
    gc.collect()
    with one.alone():
        assert (boxes[other].usage().frozen, boxes[one].usage().frozen) == (True, False)
        before = boxes[other].usage().cpu
        time.sleep(0.2)
        assert boxes[other].usage().cpu == before
    assert boxes[other].usage().frozen is False
    assert boxes[other].exec(["true"]).returncode == 0


def test_a_lab_that_has_died_is_no_hindrance_to_it(new_lab: Callable[[], Lab]) -> None:
    one, dead = new_lab(), new_lab()
    dead.backend.close()
    with one.alone():
        assert one.run("busybox", ["true"]).returncode == 0
