"""From the supervisor's rows (raw numbers) to facts (stable names)."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from labkit.linux import capabilities
from labkit.steps import fact
from labkit.steps.fact import Fact
from labkit.steps.naming import Naming
from labkit.steps.snapshot import Snapshot

Row = dict[str, Any]
_LIFE = {"Z": "zombie", "X": "dead", "T": "stopped", "t": "traced"}
_IMAGES = "/run/lab/images/"
#: what overlayfs keeps in the work directory of a layer of the lab's own; what is in an upper layer, or in a
#: student's /tmp/work, is there to be seen
_WORK = re.compile(r"/run/lab/(root/work$|(?!.*upper/).*/work/)")
#: options of a file system that say something about the lab; the others differ from machine to machine
_TELLING = {"overlay": ("lowerdir", "upperdir"), "tmpfs": ("mode", "size"), "proc": ("hidepid",)}


def snapshot(raw: Row, probes: Iterable[str], naming: Naming) -> Snapshot:
    """The facts of `probes` in the raw reply of a look. `raw` holds ``processes`` and one list for each probe."""
    wanted = tuple(probes)
    naming.see(raw["processes"], raw.get("namespaces"))
    facts: list[Fact] = []
    for probe in wanted:
        facts += READERS[probe](raw, naming)
    return Snapshot.of(wanted, facts)


def _processes(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["processes"]:
        comm = row["comm"]
        yield fact.Process(
            naming.process(row["pid"]), tuple(row["nspid"][raw.get("depth", 1) :]), naming.process(row["parent"]),
            comm, _LIFE.get(row["state"], ""),
        )  # fmt: skip


def _namespaces(raw: Row, naming: Naming) -> Iterator[Fact]:
    members: dict[int, list[str]] = {}
    for row in raw["processes"]:
        for kind in {"mnt", "pid", "user", "uts", "ipc", "net", "cgroup", "time"} & set(row["ns"]):
            members.setdefault(row["ns"][kind], []).append(naming.process(row["pid"]))
    kinds = {row["inode"]: row["kind"] for row in raw["namespaces"]}
    for row in raw["namespaces"]:
        kind, inode = row["kind"], row["inode"]
        held = {
            f"{'descriptor of ' + naming.process(by) if how == 'fd' else 'mount ' + by}" for how, by in row["held_by"]
        }
        yield fact.Namespace(
            kind, naming.namespace(inode, kind), _other(naming, kinds, row["owner"], "user"),
            _other(naming, kinds, row["parent"], kind), tuple(sorted(members.get(inode, ()))), tuple(sorted(held)),
        )  # fmt: skip


def _other(naming: Naming, kinds: dict[int, str], inode: int | None, kind: str) -> str:
    """The name of a related namespace: one of the lab's, or the world outside; empty where there is none."""
    return naming.namespace(inode, kind) if inode in kinds else "outside" if inode else ""


def _mounts(raw: Row, naming: Naming) -> Iterator[Fact]:
    by_id = {row["id"]: row for row in raw["mounts"]}
    rows = sorted(
        raw["mounts"], key=lambda r: (_number(naming.namespace(r["ns"], "mnt")), r["mountpoint"], _height(r, by_id))
    )
    groups: dict[int, str] = {}
    for row in rows:
        if row["shared"]:
            groups.setdefault(row["shared"], f"{naming.namespace(row['ns'], 'mnt')}:{row['mountpoint']}")
    layers: dict[tuple[str, str], int] = {}
    for row in rows:
        ns, where = naming.namespace(row["ns"], "mnt"), row["mountpoint"]
        layer = layers.get((ns, where), -1) + 1
        layers[ns, where] = layer
        yield _mount(row, ns, layer, groups, raw)


def _height(row: Row, by_id: dict[int, Row]) -> int:
    """How many mounts lie below this one at the same place. (Ids say nothing: the kernel gives them out again.)"""
    below = by_id.get(row["parent"])
    if below is None or below is row or below["mountpoint"] != row["mountpoint"]:
        return 0
    return 1 + _height(below, by_id)


def _number(name: str) -> int:
    return int(name.rpartition("#")[2])


def _mount(row: Row, ns: str, layer: int, groups: dict[int, str], raw: Row) -> fact.Mount:
    kinds = []
    if row["shared"]:
        kinds.append(f"shared with {groups[row['shared']]}")
    if row["master"]:
        kinds.append(f"slave of {groups.get(row['master'], 'outside')}")
    if row["unbindable"]:
        kinds.append("unbindable")
    propagation = ", ".join(kinds) or "private"
    name = "namespace" if row["fstype"] == "nsfs" else row["root"]
    if row["fstype"] == "cgroup2":  # seen from outside the lab's cgroup namespace; the lab's own cgroup is its root
        base = raw.get("cgroup_base")
        name = (name.partition(base)[2] if base else name) or "/"
    telling = _TELLING.get(row["fstype"], ())
    super_options = [o for o in row["super_options"].split(",") if o.partition("=")[0] in telling]
    return fact.Mount(
        row["mountpoint"], row["fstype"], row["source"], name, row["options"], propagation, ns, layer,
        ",".join(super_options).replace(raw.get("scratch") or "\0", "/run"),
    )  # fmt: skip


def _uts(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["uts"]:
        yield fact.Uts(naming.namespace(row["ns"], "uts"), row["hostname"], row["domainname"])


def _ipc(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["ipc"]:
        yield fact.SysvObject(naming.namespace(row["ns"], "ipc"), row["kind"], row["key"], row["id"], row["mode"])


def _net(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["net"]:
        ns = naming.namespace(row["ns"], "net")
        for link in row["links"]:
            yield fact.Link(ns, *link)
        for link_name, address in row["addresses"]:
            yield fact.Address(ns, link_name, address)
        for destination, gateway, link_name in row["routes"]:
            yield fact.Route(ns, destination, gateway, link_name)
        for queue in row.get("qdiscs", ()):  # a recording may be older than these
            yield fact.Qdisc(ns, *queue)
        for each in row.get("classes", ()):
            yield fact.TrafficClass(ns, *each)
        for address, port, pid in row["ports"]:
            yield fact.Port(ns, address, port, naming.process(pid))


def _users(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["users"]:
        maps = [tuple(tuple(extent) for extent in row[f"{kind}_map"]) for kind in ("uid", "gid")]
        yield fact.IdMap(naming.namespace(row["ns"], "user"), maps[0], maps[1], row["setgroups"])


def _caps(raw: Row, naming: Naming) -> Iterator[Fact]:
    """Credentials. A set that holds all that the lab host's init has is written as all there are: machines differ."""
    full = raw["processes"][0]["caps"][3]
    for row in raw["processes"]:
        sets = {
            name: capabilities.ALL if mask == full else mask
            for name, mask in zip(fact.CAPABILITY_SETS, row["caps"], strict=True)
        }
        yield fact.Credentials(
            process=naming.process(row["pid"]), uids=tuple(row["uids"]), gids=tuple(row["gids"]),
            groups=tuple(row["groups"]), no_new_privs=bool(row["no_new_privs"]), **sets,
        )  # fmt: skip


def _root(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["root"]:
        yield fact.Root(naming.process(row["pid"]), row["root"], row["cwd"])


def _time(raw: Row, naming: Naming) -> Iterator[Fact]:
    for row in raw["time"]:
        offsets = row["offsets"]
        yield fact.TimeOffsets(
            naming.namespace(row["ns"], "time"), offsets.get("monotonic", 0), offsets.get("boottime", 0)
        )


def _cgroup(raw: Row, naming: Naming) -> Iterator[Fact]:
    base = raw.get("cgroup_base", "")
    for row in raw["cgroup"]:
        path = row["path"]
        inside = (path.partition(base)[2] if base and base in path else path) or "/"
        if "pid" in row:
            yield fact.CgroupMembership(naming.process(row["pid"]), inside)
        elif "file" in row:
            yield fact.Limit(inside, row["file"], row["value"])
        else:
            yield fact.Cgroup(inside)


def _files(raw: Row, naming: Naming) -> Iterator[Fact]:
    spaces = {row["pid"]: row["ns"]["mnt"] for row in raw["processes"] if "mnt" in row["ns"]}
    for row in raw["files"]:
        path = row["path"]
        if path.startswith(_IMAGES) or _WORK.match(path):
            continue
        yield fact.File(
            path, fact.FILE_TYPES[stat.S_IFMT(row["mode"])], f"{stat.S_IMODE(row['mode']):04o}", row["uid"], row["gid"],
            row.get("size"), row.get("target", ""), tuple(row["device"]) if "device" in row else None,
            naming.namespace(spaces[row["pid"]], "mnt"),
        )  # fmt: skip


READERS: dict[str, Callable[[Row, Naming], Iterator[Fact]]] = {
    "processes": _processes, "namespaces": _namespaces, "mounts": _mounts, "uts": _uts, "ipc": _ipc, "net": _net,
    "users": _users, "caps": _caps, "root": _root, "time": _time, "cgroup": _cgroup, "files": _files,
}  # fmt: skip
