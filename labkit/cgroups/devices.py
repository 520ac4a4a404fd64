"""What a container may do with devices: an allow list in version 1, a program in version 2.

A device file is a door to a driver, and who may make one by mknod(2) may make any: the numbers are all that counts.
So the kernel asks the cgroup, each time a device is opened or made. What is open stays open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from labkit.cgroups.device_program import Program
from labkit.cgroups.device_rules import parse
from labkit.cgroups.places import short, told
from labkit.linux.bpf_calls import bpf_prog_attach, bpf_prog_detach, bpf_prog_load
from labkit.linux.calls import Intent, Ret, close, open_, write
from labkit.linux.constants import (
    BPF_CGROUP_DEVICE,
    BPF_PROG_ATTACH,
    BPF_PROG_DETACH,
    BPF_PROG_LOAD,
    BPF_PROG_TYPE_CGROUP_DEVICE,
    EINVAL,
    EPERM,
    O_DIRECTORY,
    O_WRONLY,
)
from labkit.linux.signatures import signature
from labkit.steps.fact import Limit
from labkit.steps.parameters import CgroupPath
from labkit.steps.snapshot import Snapshot
from labkit.steps.step import Step

#: why the kernel refuses a list, by errno: (likely, look)
WHY_NOT_ALLOWED = {
    EPERM: (
        "the cgroup above may not use such a device: nobody below gets more",
        "cat devices.list of the parent",
    ),
    EINVAL: ("a cgroup with others below it cannot deny everything: what they have would be gone", "ls -d */"),
}
#: the rule that stands in the list of a cgroup of version 1 that refuses nothing
EVERYTHING = "a *:* rwm"


@dataclass(frozen=True, kw_only=True)
class AllowDevices(Step):
    """Refuse a cgroup of version 1 all devices but those on a list.

    First everything is denied, then each rule is added: a new cgroup may do what the one above may. Nobody is in it
    yet, or for a moment they may open nothing. The container's own /dev is a convenience; this is the wall behind it.

    See: cgroups(7), mknod(2).
    """

    path: CgroupPath
    rules: tuple[str, ...]
    probes = ("cgroup",)
    no_way_back = "a cgroup of that name may not have been there"

    def calls(self) -> Iterator[Intent]:
        for made, (file, text) in enumerate(self._lines()):
            yield open_(f"{self.path}/{file}", O_WRONLY)
            yield write(Ret(3 * made), text.encode())
            yield close(Ret(3 * made))

    def shell(self) -> str:
        return "\n".join(f"echo {quote(text)} >{quote(f'{self.path}/{file}')}" for file, text in self._lines())

    def explanation(self) -> tuple[str, str]:
        return _ANYTHING if EVERYTHING in self.rules else super().explanation()

    def undo(self, before: Snapshot) -> Step | None:
        said = _limit(before, self.path, "devices.list")
        rules = (EVERYTHING,) if said is None else tuple(said.splitlines())
        return AllowDevices(who=self.who, path=self.path, rules=rules)

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2", "cgroup1:devices")

    @property
    def title(self) -> str:
        return f"allow {short(self.path)} {_in_words(self.rules)}"

    def _lines(self) -> list[tuple[str, str]]:
        return [("devices.deny", "a"), *(("devices.allow", str(rule)) for rule in parse(self.rules))]


@dataclass(frozen=True, kw_only=True)
class AttachDeviceProgram(Step):
    """Refuse a cgroup of version 2 all devices but those that a program allows.

    There is no file for it: the kernel runs a small program whenever somebody in the cgroup opens a device or makes
    one. It is checked first (its verifier proves that it ends, and reads nothing else), stays as long as it is
    attached, and goes with the cgroup. ``print(step.program)`` shows it instruction by instruction.

    See: bpf(2), cgroups(7), mknod(2).
    """

    path: CgroupPath
    rules: tuple[str, ...]
    probes = ("cgroup",)
    no_way_back = "another program may have been attached, and this one took its place"

    @property
    def program(self) -> Program:
        """What the kernel is given."""
        return Program.of(self.rules)

    def calls(self) -> Iterator[Intent]:
        program = self.program
        yield bpf_prog_load(
            BPF_PROG_TYPE_CGROUP_DEVICE, bytes(program), attach_type=BPF_CGROUP_DEVICE, name=program.name
        )
        yield open_(self.path, O_DIRECTORY)
        yield bpf_prog_attach(Ret(1), Ret(0), BPF_CGROUP_DEVICE)
        yield close(Ret(1))
        yield close(Ret(0))

    def shell(self) -> str:
        program = self.program
        lines = "\n".join(line[4:] for line in program.lines())  # what follows two spaces there is for the reader
        return (
            _PERL
            + _LOAD.format(
                call=signature("bpf").number, command=BPF_PROG_LOAD, kind=BPF_PROG_TYPE_CGROUP_DEVICE,
                name=program.name, attach_type=BPF_CGROUP_DEVICE,
            )
            + _command(BPF_PROG_ATTACH, "$program")
            + f"' {quote(self.path)} <<'END'\n{lines}\nEND"
        )  # fmt: skip

    def explanation(self) -> tuple[str, str]:
        return _ANYTHING if EVERYTHING in self.rules else super().explanation()

    def undo(self, before: Snapshot) -> Step | None:
        if _limit(before, self.path, "devices") is not None:  # by its name, but not by what it does
            return None
        return DetachDeviceProgram(who=self.who, path=self.path)

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2", "bpf")

    @property
    def title(self) -> str:
        return f"allow {short(self.path)} {_in_words(self.rules)}"


@dataclass(frozen=True, kw_only=True)
class DetachDeviceProgram(Step):
    """Take its program about devices away from a cgroup of version 2.

    From now on only the cgroups above are asked. With the last attachment the program itself is gone.

    See: bpf(2).
    """

    path: CgroupPath
    probes = ("cgroup",)
    no_way_back = "the kernel does not give the program back"

    def calls(self) -> Iterator[Intent]:
        yield open_(self.path, O_DIRECTORY)
        yield bpf_prog_detach(Ret(0), BPF_CGROUP_DEVICE)
        yield close(Ret(0))

    def shell(self) -> str:
        return _PERL + _command(BPF_PROG_DETACH, "0") + f"' {quote(self.path)}"

    def needs(self) -> tuple[str, ...]:
        return ("cgroup2", "bpf")

    @property
    def title(self) -> str:
        return f"allow {short(self.path)} all devices again"


# perl can make any call, but has no names for the numbers. An attr is packed field by field: L is an unsigned int, P
# and p point to bytes and to a string, x is a zero.
_PERL = "# by calls of bpf(2), for which there is no usual command\nperl -e '"
_LOAD = """
  $insns = pack "(H16)*", map {{ join "", (split " ")[0 .. 7] }} <STDIN>;
  $attr = pack "L L P p x24 a16 x4 L", {kind}, length($insns) / 8, $insns, "MIT", "{name}", {attach_type};
  $program = syscall {call}, {command}, $attr, length $attr;
  $program >= 0 or die "load: $!\\n";"""


def _command(command: int, program: str) -> str:
    return f"""
  sysopen(CGROUP, $ARGV[0], 0) or die "$ARGV[0]: $!\\n";
  $attr = pack "L4", fileno(CGROUP), {program}, {BPF_CGROUP_DEVICE}, 0;
  syscall({signature("bpf").number}, {command}, $attr, length $attr) == 0 or die "$!\\n";"""


_ANYTHING = (
    "Allow a cgroup all devices that the cgroup above may use.",
    "A rule for all devices refuses none. What the cgroup above is refused, no cgroup below it gets.",
)


def _in_words(rules: tuple[str, ...]) -> str:
    if EVERYTHING in rules:
        return "all devices"
    return f"these devices only: {', '.join(rules)}" if rules else "no device at all"


def _limit(shot: Snapshot, path: str, file: str) -> str | None:
    """What was told of the cgroup; None where it was as in a new one."""
    inside = told(path)
    return next((fact.value for fact in shot.of_type(Limit) if (fact.path, fact.file) == (inside, file)), None)
