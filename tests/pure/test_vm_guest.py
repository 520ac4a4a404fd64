"""The machines of `./lab test --vm`: one that hangs, dies or ends without a word is noticed and shown."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module, with a place of its own for what machines leave."""
    for place in ("setup/vm", "tests/vm"):
        monkeypatch.syspath_prepend(str(ROOT / place))
    module = importlib.import_module("guest")
    monkeypatch.setattr(module, "STATE", tmp_path)
    return module


@pytest.fixture
def start(guest: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Start a machine whose emulator is this shell script: there, what a boot does is up to the test."""

    def started(script: str, **patience: int) -> Any:
        program = tmp_path / guest.qemu.PROGRAM
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(guest, "_write_job", lambda path, *_: path.touch())  # nobody reads it
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        part = guest.Part(name="none", way="root", ring="kernel")
        return guest.Guest("x", tmp_path / "disk", tmp_path, "tcg", (part,), guest.Patience(**patience))

    return started


def outcome(guest: Any, machine: Any) -> str:
    """What is said of a machine that comes to no good end; it is gone then."""
    with pytest.raises(guest.Hanging) as told:
        while not machine.poll():
            time.sleep(0.1)
        machine.results()
    assert machine._process.poll() is not None
    return str(told.value)


def test_a_silent_machine_is_ended_and_its_last_lines_are_shown(guest: Any, start: Callable[..., Any]) -> None:
    told = outcome(guest, start("seq 60; exec sleep 1000", silence=1)).splitlines()
    assert told[0].startswith("x has said nothing for ")
    assert told[1:] == [f"  | {number}" for number in range(11, 61)]


def test_a_machine_that_goes_on_talking_is_ended_when_its_time_is_up(guest: Any, start: Callable[..., Any]) -> None:
    told = outcome(guest, start("while sleep 0.1; do echo still here; done", work=1, parting=0))
    assert told.startswith("x is not done after ") and "| still here" in told


def test_a_machine_that_dies_is_told_by_how_it_ended(guest: Any, start: Callable[..., Any]) -> None:
    told = outcome(guest, start("echo Kernel panic; exit 3"))
    assert told.splitlines() == [
        "x ended without results (qemu: 3); the last lines of its console:",
        "  | Kernel panic",
    ]


@pytest.mark.long
def test_a_boot_that_really_hangs_is_noticed(guest: Any) -> None:
    """Its first process is a shell that waits on the console for a word from somebody."""
    boot = ROOT / ".lab" / "vm" / "bookworm" / "6.1"
    if not boot.exists() or shutil.which(guest.qemu.PROGRAM) is None:
        pytest.skip("there is no kernel to boot: ./lab test --vm builds the image")
    machine = guest.Guest(
        "hanging", boot.parent / "disk.img", boot, guest.qemu.accelerator(boot / "vmlinuz"),
        (), guest.Patience(silence=40), words="rdinit=/bin/sh",
    )  # fmt: skip
    told = outcome(guest, machine)
    assert told.startswith("hanging has said nothing for 4") and "| BusyBox" in told
