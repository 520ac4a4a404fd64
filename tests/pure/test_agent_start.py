"""Which way into a lab is taken, and what is said where there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from labkit.agent import start, sudo_rule
from labkit.errors import AgentError


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABKIT_WAY", raising=False)


def a_user(monkeypatch: pytest.MonkeyPatch, refusal: str | None) -> None:
    """An ordinary user, whom the sudo rule serves unless there is a `refusal`."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sudo_rule, "refusal", lambda: refusal)


def test_another_system_is_told_what_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert start.ways() == []
    with pytest.raises(AgentError, match="this is darwin") as told:
        start.choose()
    assert "LABKIT_BACKEND=replay" in str(told.value)


def test_root_starts_the_agent_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (start.ways(), start.choose()) == (["root"], "root")


@pytest.mark.parametrize(("refusal", "ways"), [(None, ["sudo", "rootless"]), ("no rule", ["rootless"])])
def test_a_user_goes_through_sudo_if_that_serves(
    monkeypatch: pytest.MonkeyPatch, refusal: str | None, ways: list[str]
) -> None:
    a_user(monkeypatch, refusal)
    assert (start.ways(), start.choose()) == (ways, ways[0])
    monkeypatch.setenv("LABKIT_WAY", "rootless")
    assert start.choose() == "rootless", "the wish of who knows better"


def test_a_wish_that_cannot_be_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    a_user(monkeypatch, "the sudo rule is not for this user")
    for wish, likely in (("sudo", "not for this user"), ("root", "does not run as root"), ("magic", "the ways in are")):
        monkeypatch.setenv("LABKIT_WAY", wish)
        with pytest.raises(AgentError, match=f"LABKIT_WAY={wish}: this way into the lab is not open here") as told:
            start.choose()
        assert likely in str(told.value)


def test_the_agent_imports_nothing_of_its_caller() -> None:
    """-I: no PYTHONPATH, no current directory; -S: no packages. Through sudo there is not even an argument."""
    for way in ("root", "rootless"):
        program, *options, entry = start.command(way)
        assert (program, options) == (sys.executable, ["-I", "-S"])
        assert Path(entry).is_file()
    assert start.command("sudo") == ("sudo", "-n", "/usr/local/libexec/labkit/agent")


def test_a_copy_of_another_version_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One byte in one file, or one file fewer, and both ends of the wire may not speak the same."""
    lib = tmp_path / "lib/labkit"
    package = Path(start.__file__).parents[1]
    for file in [package / "__init__.py", *(package / "linux").rglob("*.py"), *(package / "agent").rglob("*.py")]:
        copy = lib / file.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    (tmp_path / "agent").touch(0o755)
    monkeypatch.setattr(sudo_rule, "LIBEXEC", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert sudo_rule.refusal() == "sudo is not installed", "so much for the copy"
    with (lib / "agent/host.py").open("a") as text:
        text.write("\n")
    assert sudo_rule.refusal() == "the agent that the sudo rule starts is of another version"
    (lib / "agent/host.py").unlink()
    assert sudo_rule.refusal() == "the agent that the sudo rule starts is of another version"
    (tmp_path / "agent").unlink()
    assert sudo_rule.refusal() == "there is no sudo rule for the agent"
