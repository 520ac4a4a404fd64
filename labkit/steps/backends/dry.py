"""No kernel at all: every call is noted and said to have worked. For explanation, and for tests of pure logic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.errors import PlanError, ReplayError
from labkit.steps.backends.base import Accounts, Ended, Facts, Part, Row, Start

_INIT: Facts = {
    "pid": 1, "nspid": [1, 1], "parent": 0, "comm": "labkit:[host]", "state": "S", "uids": [0] * 4, "gids": [0] * 4,
    "groups": [], "caps": [0] * 5, "no_new_privs": 0, "command": [], "ns": {},
}  # fmt: skip


class Dry:
    """A backend that keeps the parts it was asked to carry out in `asked`."""

    name = "dry"

    def __init__(self) -> None:
        self.asked: list[Part] = []

    def hello(self) -> Facts:
        return {"kernel": "none", "cgroup_mode": "none", "way": "dry", "rootless": False, "cgroup": True}

    def machine(self, question: str, pids: Mapping[str, int]) -> Facts:
        return {}

    def renew(self) -> Facts:
        return {}

    def ends(self) -> Mapping[str, Ended]:
        return {}

    def find(self, image: str) -> str:
        return image

    def top(self, image: str) -> dict[str, str]:
        return dict.fromkeys(("dev", "proc", "sys"), "directory")

    def accounts(self, image: str) -> Accounts:
        return b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\n", ""

    def attach(self, name: str, path: str) -> None:
        return

    def open_trees(self) -> None:
        return

    def take(self, part: Part) -> list[Row]:
        self.asked.append(part)
        return [[0, 0, 0, None] for _ in part.intents]

    def moment(self) -> str:
        return ""

    def returned(self, moment: str) -> None:
        return

    def look(self, probes: Sequence[str]) -> Facts:
        return {"processes": [_INIT], **{probe: [] for probe in probes}}

    def start(self, start: Start) -> int:
        self.asked += start.parts
        return 2

    def started(self, name: str) -> Ended | None:
        raise PlanError(f"{name} is not really started: this lab is dry", look="Lab() on a Linux machine")

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        return Ended(0)

    def ceilings(self) -> list[tuple[str, str, str]]:
        return []

    def frozen(self, name: str) -> tuple[str, str] | None:
        return None

    def logs(self, name: str) -> tuple[bytes, bytes]:
        return b"", b""

    def forget(self, name: str) -> None:
        return

    def terminal(self, name: str) -> int:
        raise ReplayError("a terminal needs a live lab", look="the VM, or a Linux machine")

    def killed(self) -> Facts:
        raise ReplayError("watching needs a live lab", look="container.usage(); or run it live, in Linux or the VM")

    def signal(self, name: str, number: int) -> None:
        return

    def freeze(self, frozen: bool) -> None:
        return

    def close(self) -> None:
        return
