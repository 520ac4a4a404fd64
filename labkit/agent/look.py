"""Looking into a lab from outside: rows of facts, read by the supervisor.

Everything is read through ``/proc/<pid>`` of the lab's processes. Three kinds of facts belong to a
namespace and can be read only from within (the host name, System V objects, network links): for
those the supervisor, which has a single thread and may do so, enters the namespace for one read and
comes back. Rows carry raw numbers (pids, inodes); giving them stable names is the notebook's business.

A process may vanish between two reads: it is then left out whole, never shown in part.

See: proc(5), setns(2), ioctl_ns(2).
"""

from __future__ import annotations

import errno
import os
import socket

from labkit.agent import look_files
from labkit.agent.scene import Scene
from labkit.linux import bpf, cgroup_files, nsfs, ports, proc, syscalls
from labkit.linux.constants import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Row = dict[str, Any]

_TRIES = 50
KINDS = ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup", "time")


def _namespaces(scene: Scene) -> tuple[list[Row], list[int]]:
    rows: dict[int, Row] = {}
    for kind in KINDS:
        for inode, pid in scene.first_of(kind).items():
            _describe(rows, kind, inode, f"/proc/{pid}/ns/{kind}")
    for pid in scene.pids:  # namespaces that no process is in, but that a descriptor or a mount holds open
        for fd, link in _links(pid):
            kind, _, number = link.partition(":[")
            if kind in KINDS and number.rstrip("]").isdigit():
                row = _describe(rows, kind, int(number[:-1]), f"/proc/{pid}/fd/{fd}")
                if row:
                    row["held_by"].append(["fd", pid])
    for pid in scene.first_of("mnt").values():
        for mount in scene.mounts(pid):
            kind, _, number = mount.root.partition(":[")
            if mount.type == "nsfs" and kind in KINDS:
                row = _describe(rows, kind, int(number[:-1]), f"/proc/{pid}/root{mount.target}")
                if row:
                    row["held_by"].append(["mount", mount.target])
    return list(rows.values()), []


def _describe(rows: dict[int, Row], kind: str, inode: int, path: str) -> Row | None:
    """The row of one namespace: made on first sight, from an open descriptor of it."""
    if inode in rows:
        return rows[inode]
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        owner = _inode(nsfs.userns, fd)
        parent = _inode(nsfs.parent, fd) if kind in ("pid", "user") else 0
        rows[inode] = {"kind": kind, "inode": inode, "owner": owner, "parent": parent, "held_by": []}
    finally:
        os.close(fd)
    return rows[inode]


def _inode(relation: Callable[[int], int], fd: int) -> int:
    """The inode of the namespace that stands in `relation` to the open one; -1 where it is out of our sight."""
    try:
        other = relation(fd)
    except PermissionError:
        return -1
    try:
        return nsfs.identity(other)
    finally:
        os.close(other)


def _links(pid: int) -> list[tuple[str, str]]:
    """The open descriptors of a process and what each points to."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []
    found = []
    for name in names:
        try:
            found.append((name, os.readlink(f"/proc/{pid}/fd/{name}")))
        except OSError:
            continue
    return found


def _mounts(scene: Scene) -> tuple[list[Row], list[int]]:
    rows = []
    for inode, pid in scene.first_of("mnt").items():
        for m in scene.mounts(pid):
            rows.append({
                "ns": inode, "id": m.id, "parent": m.parent, "root": m.root, "mountpoint": m.target,
                "options": ",".join(m.options), "shared": m.shared, "master": m.master, "unbindable": m.unbindable,
                "fstype": m.type, "source": m.source, "super_options": ",".join(m.super_options),
            })  # fmt: skip
    _hide_the_machine(rows)
    return rows, []


def _hide_the_machine(mounts: list[Row]) -> None:
    """Images come from the real disk; which device and directory that is says nothing about the lab.

    Nor does it say anything where in the trees of version 1 its places lie.
    """
    images = {(row["source"], row["root"]) for row in mounts if row["mountpoint"].startswith("/run/lab/images/")}
    for row in mounts:
        if (row["source"], row["root"]) in images:
            row |= {"source": "image", "root": "/", "fstype": "image", "options": "ro", "super_options": ""}
        if row["mountpoint"].startswith("/run/cgroup1/"):
            row |= {"source": "cgroup", "root": "/"}


def _within(pid: int, kind: str, flag: int, read: Callable[[], Any]) -> Any:
    """Enter one namespace of `pid`, read, and come back; None where the process has gone."""
    home = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.call("setns", there, flag)
        finally:
            os.close(there)
        try:
            return read()
        finally:
            syscalls.call("setns", home, flag)
    except (ProcessLookupError, FileNotFoundError):
        return None
    finally:
        os.close(home)


def _uts(scene: Scene) -> tuple[list[Row], list[int]]:
    rows = []
    for inode, pid in scene.first_of("uts").items():
        fields = _within(pid, "uts", CLONE_NEWUTS, lambda: syscalls.invoke("uname", (0,))[3])
        if fields:
            names = [fields[i * 65 : (i + 1) * 65].split(b"\0")[0].decode("ascii", "replace") for i in range(6)]
            rows.append({"ns": inode, "hostname": names[1], "domainname": names[5]})
    return rows, []


def _ipc(scene: Scene) -> tuple[list[Row], list[int]]:
    rows = []
    for inode, pid in scene.first_of("ipc").items():
        for kind, key, number, mode in _within(pid, "ipc", CLONE_NEWIPC, _system_v) or ():
            rows.append({"ns": inode, "kind": kind, "key": int(key), "id": int(number), "mode": int(mode, 8)})
    return rows, []


def _system_v() -> list[list[str]]:
    """Kind, key, id and mode of each System V object of the ipc namespace one is in."""
    found = []
    for kind in ("msg", "sem", "shm"):
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as table:
            found += [[kind, *line.split()[:3]] for line in table][1:]
    return found


def _net(scene: Scene) -> tuple[list[Row], list[int]]:
    """One route-netlink socket for each network namespace: born inside it, used by the notebook. See: netlink(7)."""
    rows: list[Row] = []
    fds: list[int] = []
    for inode, pid in scene.first_of("net").items():

        def born_there() -> tuple[int, list[Any]]:
            route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            return route.detach(), list(ports.listening())

        found = _within(pid, "net", CLONE_NEWNET, born_there)
        if found is not None:
            rows.append({"ns": inode, "fd": len(fds), "ports": _ports(scene, found[1])})
            fds.append(found[0])
    return rows, fds


def _ports(scene: Scene, taken: list[Any]) -> list[list[Any]]:
    """Address, port and listener (0: nobody of the lab) of each port that is taken."""
    holders = {link: pid for pid in reversed(scene.pids) for _, link in _links(pid)} if taken else {}
    return [[address, port, holders.get(f"socket:[{inode}]", 0)] for address, port, inode in taken]


def _users(scene: Scene) -> tuple[list[Row], list[int]]:
    rows = []
    for inode, pid in scene.first_of("user").items():
        maps = {f"{kind}_map": proc.id_map(pid, kind) for kind in ("uid", "gid")}
        rows.append({"ns": inode, "setgroups": proc.setgroups(pid), **maps})
    return rows, []


def _root(scene: Scene) -> tuple[list[Row], list[int]]:
    rows = []
    for pid in scene.pids:
        try:
            rows.append({"pid": pid, "root": os.readlink(f"/proc/{pid}/root"), "cwd": os.readlink(f"/proc/{pid}/cwd")})
        except OSError:  # a zombie has neither
            continue
    return rows, []


def _time(scene: Scene) -> tuple[list[Row], list[int]]:
    return [
        {"ns": inode, "offsets": {k: s for k, (s, _) in proc.timens_offsets(pid).items()}}
        for inode, pid in scene.first_of("time").items()
    ], []


def _cgroup(scene: Scene) -> tuple[list[Row], list[int]]:
    rows: list[Row] = []
    for pid in scene.pids:
        lines = proc.cgroup_lines(pid)
        rows.append({"pid": pid, "path": next((p for h, _, p in lines if h == 0), "")})
        for _, words, path in lines:
            top = scene.trees.get(words, "")
            _, ours, inside = path.partition("/".join(("", *top.split("/")[-2:]))) if top else ("", "", "")
            if ours:
                rows.append({"pid": pid, "path": f"{words}:{inside or '/'}"})
    for words, top in {"": scene.cgroup, **scene.trees}.items():
        for directory, _, _ in os.walk(top) if top else ():
            path = f"{words}:{directory[len(top) :] or '/'}".removeprefix(":")  # as lscgroup(1) writes it
            rows.append({"path": path})
            limits = cgroup_files.limits_v1(directory, top) if words else cgroup_files.limits(directory)
            if not words and (programs := bpf.device_programs(directory)):  # these stand in no file
                limits["devices"] = " ".join(programs)
            rows += [{"path": path, "file": name, "value": value} for name, value in limits.items()]
    return rows, []


def _files(scene: Scene) -> tuple[list[Row], list[int]]:
    return look_files.walk({pid: scene.mounts(pid) for pid in scene.first_of("mnt").values()}), []


PROBES: dict[str, Callable[[Scene], tuple[list[Row], list[int]]]] = {
    "namespaces": _namespaces,
    "mounts": _mounts,
    "uts": _uts,
    "ipc": _ipc,
    "net": _net,
    "users": _users,
    "root": _root,
    "time": _time,
    "cgroup": _cgroup,
    "files": _files,
}


def look(host: int, cgroup: str, probes: list[str], trees: Mapping[str, str]) -> tuple[Row, list[int]]:
    """The rows of the named probes, and always those of the processes. Unknown names are an error in the reply.

    `cgroup` and `trees` are the lab host's directories of version 2 and, by tree, of version 1.
    """
    unknown = [name for name in probes if name not in PROBES and name not in ("processes", "caps")]
    if unknown:
        return {"error": [22, f"no probe called {', '.join(unknown)}", ""]}, []
    for _ in range(_TRIES):
        try:
            return _picture(Scene.settled(host, cgroup, trees), probes)
        except ProcessLookupError:  # somebody left in the middle: the picture would be of two moments
            continue
    return {"error": [errno.EAGAIN, "processes come and go here faster than they can be looked at", ""]}, []


def _picture(scene: Scene, probes: list[str]) -> tuple[Row, list[int]]:
    """The rows of one moment. Raises ProcessLookupError if it passes too soon."""
    reply: Row = {"processes": scene.rows}
    fds: list[int] = []
    try:
        for name in probes:
            if name in PROBES:
                reply[name], more = PROBES[name](scene)
                fds += more
    except BaseException:
        for fd in fds:  # a socket that stays open would keep the lab's network namespace alive
            os.close(fd)
        raise
    return reply, fds
