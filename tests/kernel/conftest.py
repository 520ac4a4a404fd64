"""Every kernel test gets a lab of its own, and is held to leave nothing on the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from leaks import Machine, settle
from own_cgroups import lived_in

from labkit import Lab


@pytest.fixture(scope="session", autouse=True)
def own_progress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests answer questions; the student's own progress is not theirs to write in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_PROGRESS", str(tmp_path_factory.mktemp("progress") / "progress.jsonl"))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Labs of this test process have run directories of their own, so that two workers do not see each other's."""
    place = Path(f"/run/labkit-test-{os.getpid()}") if os.geteuid() == 0 else tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_RUN", str(place))
        yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def own_cgroup() -> Iterator[str]:
    """This test process has cgroups of its own, in which its labs make theirs: what is left there is theirs.

    The path of that of version 2, or "" where there is none: then the labs have none either.
    """
    with lived_in() as mine:
        yield mine


@pytest.fixture(autouse=True)
def nothing_is_left(own_place: Path, own_cgroup: str) -> Iterator[None]:
    """The leak check: processes, namespaces, mounts, links, rules, cgroups and run directories as before."""
    before = Machine.now(own_place)
    yield
    assert not (left := settle(before, own_place)), "left behind:\n" + "\n".join(left)


@pytest.fixture(scope="session")
def way(own_place: Path, own_cgroup: str) -> str:
    """How labs come about for who runs these tests: root, sudo or rootless."""
    with Lab() as one:
        return str(one.info["way"])


@pytest.fixture
def own_processes(way: str) -> None:
    """For tests that look at a lab's processes past labkit, in /proc, or send them signals: they must be ours."""
    if way == "sudo":
        pytest.skip("through the sudo rule a lab's processes are root's: /proc shows them to root only")


@pytest.fixture
def own_cgroups(own_cgroup: str) -> None:
    """For tests that make cgroups themselves."""
    if not own_cgroup:
        pytest.skip("who runs the tests may make no cgroup here: it is not theirs to divide")


@pytest.fixture
def cgroups(lab: Lab) -> None:
    """For tests of what only a container's cgroup can do."""
    if not lab.lacking.cgroups:
        pytest.skip("this lab has no cgroups: none was delegated to who runs the tests")


@pytest.fixture
def own_run_directory(way: str) -> None:
    """For tests that look into a lab's run directory, or write there what a crash may leave."""
    if way == "sudo":
        pytest.skip("through the sudo rule labs live in a directory of root's, wherever LABKIT_RUN points")


@pytest.fixture
def lab(nothing_is_left: None) -> Iterator[Lab]:
    """A lab, closed afterwards (`nothing_is_left` comes first, so that it looks when the lab is gone)."""
    with Lab() as one:
        yield one


@pytest.fixture
def new_lab(nothing_is_left: None) -> Iterator[Callable[[], Lab]]:
    """As many labs as a test wants, all closed afterwards."""
    made: list[Lab] = []

    def make() -> Lab:
        made.append(Lab())
        return made[-1]

    yield make
    for each in made:
        each.close()
