"""What the student wishes, and the command line of qemu that it makes: data in, data out.

See: qemu(1) "-netdev user", "-chardev", "-rtc".
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import qemu
from talk import AGENT, QMP
from trouble import Trouble

INSIDE = {"jupyter": 8888, "ssh": 22}
_LEAST = 384  # MB; below that Linux runs out before JupyterLab answers


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the environment says; the names are those of the Vagrantfile."""

    cpus: int = 2
    memory: int = 2048  # MB
    port: int = 8888  # the first to try
    offline: bool = False
    options: tuple[str, ...] = ()  # more of qemu's own


def wishes(environment: Mapping[str, str]) -> Wishes:
    """Read them. Raises Trouble where a number is none, or too little."""
    found = {}
    for name, usual in (("cpus", 2), ("memory", 2048), ("port", 8888)):
        text = environment.get(f"LABKIT_{name.upper()}", "") or str(usual)
        if not text.isdecimal() or int(text) == 0:
            raise _wrong(name, text, "wants a number", usual)
        if name == "port" and int(text) > 65535:
            raise _wrong(name, text, "wants a number of at most 65535", usual)
        found[name] = int(text)
    if found["memory"] < _LEAST:
        raise _wrong("memory", str(found["memory"]), f"wants {_LEAST} MB or more", 2048)
    return Wishes(
        **found,
        offline=environment.get("LABKIT_OFFLINE") == "1",
        options=tuple(shlex.split(environment.get("LABKIT_QEMU", ""))),
    )


def _wrong(name: str, text: str, wants: str, usual: int) -> Trouble:
    variable = f"LABKIT_{name.upper()}"
    return Trouble("read the environment", f"{variable} {wants}, not {text}", f"unset it, or {variable}={usual}")


def machine(accel: str, wished: Wishes, ports: Mapping[str, int]) -> list[str]:
    """qemu's command line, in the directory of the image. `ports` of this computer lead to INSIDE, on loopback only."""
    forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{port}-:{INSIDE[name]}" for name, port in ports.items())
    words = "root=/dev/vda rw net.ifnames=0 quiet"
    return [
        *qemu.machine(accel, Path("vmlinuz"), words, cores=wished.cpus, memory=wished.memory),
        "-name", "labkit",
        "-initrd", "initrd",
        *qemu.drive(Path("disk.qcow2"), form="qcow2", forget_freed=True),
        "-netdev", f"user,id=net,restrict={'on' if wished.offline else 'off'},{forwards}",
        "-device", "virtio-net-pci,netdev=net,romfile=",
        "-device", "virtio-rng-pci",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=agent,path={AGENT},server=on,wait=off",
        "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        "-qmp", f"unix:{QMP},server=on,wait=off",
        *wished.options,
    ]  # fmt: skip
