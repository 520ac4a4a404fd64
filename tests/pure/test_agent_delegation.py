"""How controllers get to labs, with directories in place of cgroups and a script in place of systemd-run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from labkit.agent import delegation
from labkit.linux import cgroup2


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cgroup that we are in, as a login gives one: processes live in it."""
    for name, text in {
        "type": "domain\n",
        "controllers": "memory pids\n",
        "subtree_control": "",
        "procs": "7\n",
    }.items():
        tmp_path.joinpath(f"cgroup.{name}").write_text(text)
    monkeypatch.setattr(cgroup2, "own", lambda: str(tmp_path))
    monkeypatch.setattr(cgroup2, "mode", lambda: "v2")
    return tmp_path


def test_a_cgroup_in_which_processes_live_hands_nothing_down(own: Path) -> None:
    """Threaded controllers (pids) could be handed down, and the cgroups below would take no process then."""
    assert delegation.hand_down(str(own)) == f"{own} hands nothing down, as processes live in it"
    assert own.joinpath("cgroup.subtree_control").read_text() == ""
    own.joinpath("cgroup.procs").write_text("")
    assert delegation.hand_down(str(own)) == ""
    assert own.joinpath("cgroup.subtree_control").read_text() == "+pids", "a plain file keeps what is written last"


@pytest.mark.parametrize(("uid", "whose"), [(0, []), (1000, ["--user"])])
@pytest.mark.parametrize("answer", ["exit 0", "exit 1", "exec sleep 60"])
def test_systemd_is_asked_for_a_cgroup_to_divide(
    own: Path, monkeypatch: pytest.MonkeyPatch, uid: int, whose: list[str], answer: str
) -> None:
    own.joinpath("systemd-run").write_text(f"#!/bin/sh\n{answer}\n")
    own.joinpath("systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", str(own), prepend=os.pathsep)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(delegation, "_PATIENCE", 0.5)
    wanted = ["systemd-run", *whose, "--scope", "--quiet", "--collect", "--property=Delegate=yes"]
    assert delegation.scope() == ([*wanted, "--setenv=LABKIT_SCOPE=yes", "--"] if answer == "exit 0" else [])


def test_a_command_goes_on_once_more_in_there_and_only_once(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execvp", lambda *given: became.append(given))
    monkeypatch.setattr(delegation, "scope", lambda: ["systemd-run", "--"])
    delegation.enter()
    assert became == [("systemd-run", ["systemd-run", "--", sys.executable, *sys.orig_argv[1:]])]
    monkeypatch.setenv("LABKIT_SCOPE", "yes")
    own.joinpath("cgroup.procs").write_text("")
    delegation.enter()
    assert len(became) == 1
    assert os.getxattr(own, "user.delegate") == b"1" and own.joinpath("jupyter").is_dir()


@pytest.mark.parametrize("why", ["hybrid", "no cgroup2", "no systemd"])
def test_systemd_is_not_asked_where_that_is_no_gain(own: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    def nowhere() -> str:
        raise LookupError

    if why == "hybrid":
        monkeypatch.setattr(cgroup2, "mode", lambda: why)
    elif why == "no cgroup2":
        monkeypatch.setattr(cgroup2, "own", nowhere)
    monkeypatch.setenv("PATH", str(own))
    if why != "no systemd":
        own.joinpath("systemd-run").write_text("#!/bin/sh\n")
        own.joinpath("systemd-run").chmod(0o755)
    assert delegation.scope() == []
