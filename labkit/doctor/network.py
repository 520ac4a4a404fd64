"""The machine's own network: who forwards, which addresses and ports are left.

A lab is a machine with a network of its own, which none of this reaches. It counts where labkit works on the
real machine, and where JupyterLab is to be reached.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit import jupyter
from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient, installed

PORT = 8888
"""Where ./lab up begins to look for a free port."""
#: what RFC 1918 leaves to everybody
_PRIVATE = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
_WANTED = 24  # prefix of the subnets that a lesson would take


def forwarding(patient: Patient) -> Iterator[Finding]:
    """Whether packets are let through from one network of the machine to another. Docker says no for all but its own.

    Only root may ask for the rules.
    """
    if os.geteuid() != 0:
        yield Finding(about="forwarding", says="only root may look at the machine's packet filter")
        return
    try:
        asked = subprocess.run(["nft", "-j", "list", "chains"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        yield Finding(about="forwarding", says="nft is not installed, so the packet filter cannot be asked", minor=True,
                      likely="a small system", remedy=installed("nftables"))  # fmt: skip
        return
    chains = _chains(asked.stdout)
    dropping = [f"{c['family']} {c['table']} {c['name']}" for c in chains if c.get("policy") == "drop"]
    if dropping:
        docker = any("DOCKER" in chain["name"] for chain in chains)
        yield Finding(
            about="forwarding", says=f"the policy is drop in {', '.join(dropping)}", minor=True,
            likely="Docker sets it when it starts, to keep its containers' ports closed" if docker
            else "a firewall (ufw, firewalld, a hand-written one) forwards only what it knows",
            remedy="sudo iptables -I DOCKER-USER -j ACCEPT" if docker
            else "sudo nft list ruleset shows it; sudo ufw default allow routed",
        )  # fmt: skip
    else:
        yield Finding(about="forwarding", says="no packet filter drops what is forwarded")


def _chains(text: str) -> list[dict[str, Any]]:
    """The chains that forwarded packets meet, and Docker's own, which tell whose the policy is."""
    try:
        rows = [row["chain"] for row in json.loads(text)["nftables"] if "chain" in row]
    except ValueError:  # no answer, no chain
        return []
    return [chain for chain in rows if chain.get("hook") == "forward" or chain["name"].startswith("DOCKER")]


def subnets(patient: Patient) -> Iterator[Finding]:
    """Private addresses that no route of this machine claims."""
    taken = list(_routes())
    free = [network for private in _PRIVATE for network in _left(private, taken)]
    room = sum(1 << _WANTED - network.prefixlen for network in free if network.prefixlen <= _WANTED)
    if room:
        widest = min(free, key=lambda network: network.prefixlen)
        yield Finding(about="subnets", says=f"{widest} and others are free for networks of /{_WANTED}")
    else:
        yield Finding(
            about="subnets", says="routes of this machine claim all private addresses", minor=True,
            likely="a VPN takes them all: " + ", ".join(map(str, taken[:4])),
            remedy="ip route; then disconnect the VPN for the lesson",
        )  # fmt: skip


def _routes() -> Iterator[ipaddress.IPv4Network]:
    """The destinations of the main routing table, the default route excepted (proc(5) /proc/net/route)."""
    for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        address, mask = (struct.pack("=I", int(word, 16)) for word in (words[1], words[7]))
        network = ipaddress.IPv4Network((address, str(ipaddress.IPv4Address(mask))))
        if network.prefixlen:
            yield network


def _left(private: ipaddress.IPv4Network, taken: list[ipaddress.IPv4Network]) -> list[ipaddress.IPv4Network]:
    """What of `private` no network of `taken` covers."""
    left = [private]
    for network in taken:
        if any(network.supernet_of(part) for part in left):
            left = [part for part in left if not network.supernet_of(part)]
        for part in [part for part in left if part.supernet_of(network)]:
            left.remove(part)
            left += part.address_exclude(network)
    return left


def port(patient: Patient) -> Iterator[Finding]:
    """Whether JupyterLab gets the port at which everybody expects it; the lab's own may have it already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as JupyterLab binds: who has just ended is gone
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            pass
        else:
            yield Finding(about="port", says=f"{PORT} is free for JupyterLab")
            return
    pid, name = _holder(PORT)
    if pid and pid == own_server():
        yield Finding(about="port", says=f"{PORT} is this lab's own JupyterLab")
    else:
        yield Finding(
            about="port", says=f"{PORT} is taken by {f'{name} (pid {pid})' if pid else 'a process of another user'}",
            likely="another JupyterLab, or another lab, of this machine", minor=True,
            remedy=f"./lab up takes the next one; sudo ss -ltnp 'sport = :{PORT}' says who has it",
        )  # fmt: skip


def _holder(number: int) -> tuple[int, str]:
    """The process that listens there, by pid and name; 0 where we may not see it."""
    from labkit.linux import ports, proc

    wanted = {f"socket:[{inode}]" for _, at, inode in ports.listening() if at == number}
    for pid in proc.pids():
        try:
            if any(_link(f"/proc/{pid}/fd/{fd}") in wanted for fd in os.listdir(f"/proc/{pid}/fd")):
                return pid, proc.text(pid, "comm")
        except OSError:  # not ours to look into, or gone meanwhile
            continue
    return 0, ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:  # closed meanwhile
        return ""


def own_server() -> int:
    """The pid that ./lab up has written down; 0 if there is none."""
    try:
        return int(json.loads((jupyter.STATE / "server.json").read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError):
        return 0
