"""What is asked of a container or a process that stands still: it works, or is refused at once, with the remedy."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from labkit import Lab
from labkit.cgroups.change import EnterCgroup, Freeze, SetLimit
from labkit.cgroups.limits import Limits
from labkit.cgroups.make import MakeCgroup
from labkit.container.container import Container
from labkit.errors import HostDied, SpecError, StepError
from labkit.namespaces.names import SetHostname
from labkit.namespaces.processes import Kill
from labkit.namespaces.spawn import Spawn
from labkit.steps.fact import Process

TOP = "/sys/fs/cgroup"
AT_ONCE, SOON = 0.3, 5.0  # seconds; the second is for what is seen only when an answer does not come


@pytest.fixture
def web(lab: Lab, cgroups: None) -> Container:
    """A container that sleeps."""
    return lab.run("busybox", ["sleep", "1000"], name="web", detach=True)


def within(seconds: float, act: Callable[[], object]) -> object:
    """What it returns, or raises."""
    began = time.monotonic()
    try:
        return act()
    finally:
        assert time.monotonic() - began < seconds


@pytest.mark.parametrize("act", [lambda _, web: web.exec(["true"]), Lab.terminal], ids=["exec", "terminal"])
def test_nothing_is_started_in_a_frozen_container_and_the_remedy_is_a_step(
    lab: Lab, web: Container, act: Callable[[Lab, Container], object]
) -> None:
    web.exec(["true"])  # whatever is to be imported has been
    lab.take(Freeze(path=f"{TOP}/web"))
    with pytest.raises(SpecError, match="container web is frozen: nothing can be started in it") as refused:
        within(AT_ONCE, lambda: act(lab, web))
    assert refused.value.likely == "cgroup.freeze is 1 in /sys/fs/cgroup/web"
    assert str(refused.value.look).startswith('lab.take(Freeze(path="/sys/fs/cgroup/web", frozen=False))')
    lab.take(Freeze(path=f"{TOP}/web", frozen=False))
    assert web.exec(["true"]).returncode == 0


@pytest.mark.parametrize("act", [lambda _, web: web.exec(["true"]), Lab.terminal], ids=["exec", "terminal"])
def test_one_that_is_frozen_on_the_way_in_is_named_too_and_does_not_stay(
    lab: Lab, web: Container, act: Callable[[Lab, Container], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, looked = lab.backend.frozen, [None]
    monkeypatch.setattr(lab.backend, "frozen", lambda name: looked.pop() if looked else asked(name))
    lab.take(Freeze(path=f"{TOP}/web"))  # after the first look, that is
    with pytest.raises(SpecError, match="container web is frozen"):
        within(SOON, lambda: act(lab, web))
    lab.take(Freeze(path=f"{TOP}/web", frozen=False))
    assert web.exec(["true"]).returncode == 0
    assert web.usage().processes in (1, None)


def test_what_a_frozen_container_can_do_it_does(lab: Lab, web: Container) -> None:
    lab.take(Freeze(path=f"{TOP}/web"))
    assert web.usage().frozen
    assert web.facts("processes", "cgroup")
    assert web.link("10.9.0.2/24").address.ip.exploded == "10.9.0.2"
    assert "running" in str(web)
    assert web.wait(0.05) is None
    web.kill(signal.SIGTERM)
    web.kill(signal.SIGUSR1)
    assert web.running
    with pytest.raises(SpecError, match="container web is frozen: it comes to no end"):
        within(SOON, web.wait)
    web.kill()
    assert within(SOON, web.wait) == 137


def test_a_container_that_was_stopped_by_a_signal_takes_others_in(web: Container) -> None:
    web.kill(signal.SIGSTOP)
    assert web.exec(["echo", "in"]).stdout == "in\n"
    web.kill(signal.SIGCONT)
    web.kill()
    assert web.wait(5) == 137


def test_one_that_has_ended_refuses_each_in_its_own_words(lab: Lab, web: Container) -> None:
    web.kill()
    for act in (lambda: web.exec(["true"]), lambda: lab.terminal(web)):
        with pytest.raises(SpecError, match="container web has ended with 137: nothing can be started in it"):
            act()
    for read in (web.facts, lambda: web.link("10.9.0.2/24"), web.watch, web.traffic):
        with pytest.raises(HostDied, match="has ended"):
            read()
    web.kill()
    assert web.wait() == 137


def test_one_that_ends_while_somebody_comes_in_is_told_as_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        web = lab.run("busybox", ["sleep", "1000"], detach=True)
        asked = lab.backend.frozen

        def end(name: str, web: Container = web, asked: Callable[[str], object] = asked) -> object:
            web._engine.kill(web, signal.SIGKILL)
            while any(each.name == web.name for each in lab.snapshot("processes").of_type(Process)):
                time.sleep(0.005)  # kill(2) returns before its victim has gone
            return asked(name)

        with monkeypatch.context() as patch, pytest.raises(SpecError, match="has ended with 137"):
            patch.setattr(lab.backend, "frozen", end)
            web.exec(["true"])


# In a walk


def test_a_frozen_process_takes_no_step_and_says_so(lab: Lab, cgroups: None) -> None:
    lab.take_all([MakeCgroup(path=f"{TOP}/cold"), Freeze(path=f"{TOP}/cold")])
    within(SOON, lambda: lab.take(Spawn(child="me", namespaces=("uts",), cgroup=f"{TOP}/cold")))
    rename = SetHostname(who="me", name="warm")
    with pytest.raises(StepError, match="process me is frozen") as refused:
        within(SOON, lambda: lab.take(rename))
    assert "/sys/fs/cgroup/cold" in str(refused.value.likely)
    lab.take(Freeze(path=f"{TOP}/cold", frozen=False))
    lab.take(rename)


def test_a_stopped_process_takes_no_step_and_says_so(lab: Lab, own_processes: None) -> None:
    lab.take_all([Spawn(child="me", namespaces=("uts",)), Kill(target="me", signal=signal.SIGSTOP)])
    with pytest.raises(StepError, match="process me is stopped") as refused:
        within(SOON, lambda: lab.take(SetHostname(who="me", name="a")))
    assert "kill -CONT" in str(refused.value.look)


def test_a_frozen_lab_host_says_so_and_can_be_reset(lab: Lab, cgroups: None) -> None:
    box = lab.run("busybox", ["sleep", "1000"], detach=True)
    with pytest.raises(StepError, match="the lab host is frozen"):
        within(SOON, lambda: lab.take(Freeze(path=TOP)))
    with pytest.raises(StepError, match="the lab host is frozen") as refused:
        within(SOON, lambda: lab.run("busybox", ["true"]))
    assert "lab.reset()" in str(refused.value.look)
    with pytest.raises(SpecError, match="is frozen"):
        within(AT_ONCE, lambda: box.exec(["true"]))
    within(SOON, lab.reset)
    assert box.returncode == 137
    assert lab.run("busybox", ["true"]).returncode == 0


def test_a_stopped_zygote_is_named(lab: Lab, own_processes: None) -> None:
    lab.run("busybox", ["true"])
    zygote = next(row["pid"] for row in lab.backend.look([])["processes"] if row["comm"] == "labkit:[zygote]")
    os.kill(zygote, signal.SIGSTOP)
    with pytest.raises(StepError, match="the lab host is stopped"):
        within(SOON, lambda: lab.run("busybox", ["true"]))
    os.kill(zygote, signal.SIGCONT)
    assert lab.run("busybox", ["true"]).returncode == 0


def test_the_freezer_of_version_1_is_named_and_does_not_keep_a_lab_from_ending(lab: Lab, cgroups: None) -> None:
    if lab.info["controllers"].get("freezer") != 1:
        pytest.skip("this machine has no freezer of version 1")
    lab.run("busybox", ["sleep", "1000"], name="web", detach=True, limits=Limits())
    cold = "/run/cgroup1/freezer/cold"
    lab.take_all([MakeCgroup(path=cold), SetLimit(path=cold, file="freezer.state", value="FROZEN")])
    lab.take_all([Spawn(child="me"), EnterCgroup(path=cold, process="me"), EnterCgroup(path=cold, process="web")])
    with pytest.raises(StepError, match="process me is frozen") as refused:
        within(SOON, lambda: lab.take(SetHostname(who="me", name="a")))
    assert "freezer.state is FROZEN in" in str(refused.value.likely)
    within(SOON, lab.reset)
