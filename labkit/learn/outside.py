"""Looking at somebody's lab without their Python: through the socket on which its supervisor answers looks.

The supervisor listens in the lab's run directory (`labkit.agent.window`). Before believing what is said there, we
compare who is at the other end (SO_PEERCRED: the kernel's word) with the journal beside the socket.

See: unix(7) "SO_PEERCRED", SOCK_SEQPACKET.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.agent import window, wire
from labkit.linux import proc
from labkit.steps import reading
from labkit.steps.naming import HOST, INIT, Naming
from labkit.steps.snapshot import Snapshot

Row = dict[str, Any]
_PATIENCE = 20.0
_ZYGOTE = "labkit:[zygote]"


class NotSeen(Exception):
    """The lab cannot be looked at from outside, and why."""


def snapshot(run: str, probes: Sequence[str], labels: Mapping[str, str]) -> Snapshot:
    """The facts of `probes` in the lab with run directory `run`, processes called as in `labels` (pid: name)."""
    raw = look(run, probes)
    naming = Naming()
    _call(naming, raw["processes"], labels)
    return reading.snapshot(raw, probes, naming)


def look(run: str, probes: Sequence[str]) -> Row:
    """The raw rows. Raises NotSeen."""
    try:
        directory = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotSeen(f"no run directory {run}: {error.strerror}") from error
    fds = wire.Owned()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(_PATIENCE)
            here = f"/proc/self/fd/{directory}"  # short, whatever the path; and journal and socket are from one place
            sock.connect(f"{here}/{window.NAME}")
            _believe(sock, here)
            wire.send(sock, {"op": "look", "probes": [p for p in probes if p != "processes"]})
            reply, _ = wire.receive(sock, fds=fds)
    except (OSError, wire.Closed) as error:
        raise NotSeen(f"the supervisor does not answer ({getattr(error, 'strerror', None) or 'it hung up'})") from error
    finally:
        os.close(directory)
    if "error" in reply:
        raise NotSeen(str(reply["error"][1]))
    if fds:
        from labkit.linux import rtnl

        rtnl.fill(reply["net"], fds)
    return reply


def _believe(sock: socket.socket, directory: str) -> None:
    """Raise NotSeen unless the process at the other end is the supervisor that wrote the journal."""
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    try:
        with open(f"{directory}/journal", encoding="utf-8") as journal:
            first = json.loads(journal.readline())
        true = first["supervisor"] == pid and first["start"] == proc.start_time(pid) and uid in (0, os.geteuid())
    except (OSError, ValueError, KeyError, TypeError):
        true = False
    if not true:
        raise NotSeen("what answers there is not the lab's supervisor")


def _call(naming: Naming, rows: list[Row], labels: Mapping[str, str]) -> None:
    """Let `naming` know the labels. Names are the student's, but for those of the lab host's own two processes."""
    known: dict[int, str] = {}
    for index, row in enumerate(rows):
        if index == 0:
            known[row["pid"]] = INIT
        elif row["comm"] == _ZYGOTE and HOST not in known.values():
            known[row["pid"]] = HOST
        else:
            row["comm"] = row["comm"].replace(_ZYGOTE, "a program that calls itself zygote")
            label = labels.get(str(row["pid"]), "")
            if label and label not in (INIT, HOST, *known.values()):
                known[row["pid"]] = label
                _tell(naming, row, rows, known)


def _tell(naming: Naming, row: Row, rows: list[Row], known: Mapping[int, str]) -> None:
    parent = next((r for r in rows if r["pid"] == row["parent"]), None)
    if parent is not None and len(parent["nspid"]) <= len(row["nspid"]):
        naming.spawned(known.get(row["parent"], ""), row["nspid"][len(parent["nspid"]) - 1], known[row["pid"]])
