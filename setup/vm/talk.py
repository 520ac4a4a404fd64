"""Talking to a machine: to qemu, which it is made of, and to the agent in it, which does things there as root.

Both speak JSON over a unix socket that only this user can reach. No password, no key, no port.

See: qemu-qmp-ref(7), qemu-ga-ref(7) "guest-sync-delimited", "guest-exec", "guest-file-read".
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import socket
import time
from pathlib import Path
from typing import Any, Self

QMP, AGENT = "qmp.sock", "agent.sock"
STUDENT = "vagrant"
_CHUNK = 1 << 20


class Silent(Exception):
    """Nobody answers (in time)."""


class Refused(Exception):
    """An answer, and it is no."""


class _Line:
    """Requests and answers, one at a time."""

    def __init__(self, place: Path, name: str, patience: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._got = b""
        self._ends = time.monotonic() + patience
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(place)  # the path of a unix socket has room for a hundred letters only
            self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise Silent(f"nobody listens on {place / name}") from error
        finally:
            os.fchdir(here)
            os.close(here)

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _begin(self) -> None:
        """Wait until the other side is ready to be asked."""
        raise NotImplementedError

    def ask(self, what: str, **arguments: Any) -> Any:
        """What the answer returns."""
        self._send({"execute": what, "arguments": arguments} if arguments else {"execute": what})
        while True:
            answer = self._read_line()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Refused(f"{what}: {answer['error'].get('desc', answer['error'])}")

    def patient(self, seconds: float) -> None:
        """How long from now on."""
        self._ends = time.monotonic() + seconds

    def _send(self, request: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise Silent("it hung up") from error

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._got:
            self._socket.settimeout(max(0.01, self._ends - time.monotonic()))
            try:
                more = self._socket.recv(1 << 16)
            except OSError as error:
                raise Silent("no answer in time") from error
            if not more:
                raise Silent("it hung up")
            self._got += more
        found, _, self._got = self._got.partition(end)
        return found

    def _read_line(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._read_until(b"\n"))
        return answer


class Qemu(_Line):
    """The program that is the machine. To be connected is to know that it runs."""

    def __init__(self, place: Path, *, patience: float = 10) -> None:
        super().__init__(place, QMP, patience)

    def _begin(self) -> None:
        self._read_line()  # its greeting
        self.ask("qmp_capabilities")

    def wait_for_its_end(self, patience: float) -> bool:
        """Whether it ended in time."""
        self.patient(patience)
        try:
            while True:
                self._read_line()  # what it tells about its end
        except Silent as silent:
            return str(silent) == "it hung up"


class Agent(_Line):
    """The agent in the machine, from the moment on when it answers."""

    def __init__(self, place: Path, *, patience: float = 10) -> None:
        super().__init__(place, AGENT, patience)

    def _begin(self) -> None:
        token = time.monotonic_ns() & 0x7FFFFFFF
        self._socket.sendall(b"\xff")  # what somebody left half said
        self._send({"execute": "guest-sync-delimited", "arguments": {"id": token}})
        while True:
            self._read_until(b"\xff")
            if self._read_line().get("return") == token:
                return

    def run(self, script: str, *, student: bool = False, patience: float = 60) -> str:
        """Standard output of a bash script, as root or as the student. Raises Refused with its last words."""
        self.patient(patience)
        words = ["/usr/sbin/runuser", "-l", STUDENT, "-c", script] if student else ["/bin/bash", "-c", script]
        started = self.ask("guest-exec", path=words[0], arg=words[1:], **{"capture-output": True})
        while not (told := self.ask("guest-exec-status", pid=started["pid"]))["exited"]:
            time.sleep(0.5)
        out, err = (base64.b64decode(told.get(name, "")).decode(errors="replace") for name in ("out-data", "err-data"))
        if told.get("exitcode") != 0:
            raise Refused((err.strip() or out.strip() or f"exit status {told.get('exitcode')}").splitlines()[-1])
        return out

    def take(self, there: str, here: Path, *, patience: float = 120) -> None:
        """Copy a file out of the machine."""
        self.patient(patience)
        handle = self.ask("guest-file-open", path=there, mode="r")
        with here.open("wb") as file:
            while not (part := self.ask("guest-file-read", handle=handle, count=_CHUNK))["eof"] or part["count"]:
                file.write(base64.b64decode(part["buf-b64"]))
        self.ask("guest-file-close", handle=handle)

    def give(self, here: Path, there: str, *, patience: float = 120) -> None:
        """Copy a file into the machine, for root's eyes and the student's."""
        self.patient(patience)
        self.run(f"install -m 0600 -o {STUDENT} /dev/null {shlex.quote(there)}")
        handle = self.ask("guest-file-open", path=there, mode="w")
        with here.open("rb") as file:
            while part := file.read(_CHUNK):
                self.ask("guest-file-write", handle=handle, **{"buf-b64": base64.b64encode(part).decode()})
        self.ask("guest-file-close", handle=handle)
