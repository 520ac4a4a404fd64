"""Honesty: the Calls of a recorded run equal what strace saw, call for call.

strace is attached to the lab host's zygote and follows every process that it bears; one file a process.
What a process did is cut at the messages on its wire: between receiving an order and sending the report
there may be the calls of the step, in order, and nothing else but what `MEMORY` excuses. Names, arguments,
results and errno are compared; strace prints numbers (-X raw) and whole strings in hexadecimal (-xx), so
nothing is lost in decoding.
"""

from __future__ import annotations

import contextlib
import errno as errno_names
import re
import shutil
import signal
import struct
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fitting import fitting
from hypothesis import HealthCheck, given, settings
from step_examples import EXAMPLES
from strategies import plans

from labkit import Lab
from labkit.linux import structs
from labkit.linux.calls import Fd, Intent, Joined, Packed, Pid, Ret
from labkit.linux.constants import O_CREAT
from labkit.linux.signatures import signature
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.processes import Exec, ServeAsInit
from labkit.namespaces.spawn import Spawn
from labkit.steps.call import Call
from labkit.steps.plan import Plan
from labkit.steps.step import Step

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
stracing = pytest.mark.one_must_run("honesty: the calls that are shown are what strace saw")

#: What may stand between the calls of a step: the interpreter asking for memory, whenever it needs some.
MEMORY = {"brk", "mmap", "munmap", "mremap", "mprotect", "madvise"}
#: Reading /proc/self/task/*/children.
FINDING = ("openat", "newfstatat", "fstat", "fcntl", "ioctl", "lseek", "getdents64", "read")
#: From there on it goes by relative paths, which strace is asked to show in numbers.
OWN = '"' + "".join(f"\\x{byte:02x}" for byte in b"/proc/self")
#: What a process does between two orders, and why. "*" is every process.
BETWEEN = {
    "*": {
        "recvmsg": "the next order, on the wire",
        "sendmsg": "the report, on the wire",
        "close": "descriptors that came with an order for a child that has its own copy by now",
        **dict.fromkeys(MEMORY, "the order as Python objects"),
    },
    "host": {
        "poll": "waiting for an order or for the end of a child",
        "set_robust_list": "the C library in the child of a fork: strace came right after the host's own birth",
        "restart_syscall": "the same, interrupted by strace's attaching",
        "gettid": "Python in the child of a fork: the same",
        "pidfd_open": "so that the end of the child just born is noticed",
        "wait4": "taking the exit status of a child that has ended",
        **dict.fromkeys(FINDING, "a child was killed: are there any that it bore, of which nobody told?"),
    },
    "init": {
        "rt_sigtimedwait": "waiting for one of them",
        "wait4": "reaping",
        "kill": "passing a signal on",
    },
}
#: What a newborn does before it says that it is there.
BIRTH = {
    "fcntl": "moving its wire out of the way",
    "dup3": "its wire becomes descriptor 3",
    "close_range": "nothing else that its parent had open stays open",
    "getsockname": "Python asks a socket what it is",
    "getsockopt": "Python asks a socket what it is",
    "prctl": "PR_SET_NAME: its title",
    "rt_sigaction": "signals that Python ignores, an exec would hand on ignored",
    **dict.fromkeys(MEMORY, "Python objects"),
}
#: In a report: it goes on after this one, with a call after which there may be nobody left to report.
ABOUT_TO_EXEC = b'"exec": true'
#: Buffers that strace shows as the structure in them, even if asked not to; only their length is compared.
STRUCTURED = {("bind", "addr"), ("sendto", "buf")}


class Seen(NamedTuple):
    """A call as strace saw it."""

    name: str
    args: list[Any]
    value: int
    errno: int


# reading strace


def value_of(text: str) -> Any:
    """One argument as a number, bytes, list, dict (of a structure) or None (NULL)."""
    text = text.strip()
    if text.startswith('"'):
        return bytes(int(pair, 16) for pair in re.findall(r"\\x(..)", text))
    if text == "NULL":
        return None
    if text.startswith("~"):  # a set of signals, told by those that are not in it
        return sorted({*range(1, 65)} - {*value_of(text[1:])})
    if re.fullmatch(r"\[\d+( \d+)+\]", text):
        return [int(word) for word in text[1:-1].split()]
    if text.startswith("["):
        return [value_of(part) for part in split(text[1:-1])]
    if text.startswith("{"):
        parts = (part.partition("=") for part in split(text[1:-1]))
        return {name.strip(): value_of(value) for name, _, value in parts}
    try:
        return sum(
            int(word, 0 if word in "0" or not word.startswith("0") or word[1:2] == "x" else 8)
            for word in text.split("|")
        )
    except ValueError:
        return text


def split(text: str) -> list[str]:
    """The parts between commas that stand in no bracket and no string (those hold only \\x..)."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "[{(":
            depth += 1
        elif not quoted and letter in "]})":
            depth -= 1
        elif not quoted and not depth and letter == ",":
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]] if text.strip() else []


_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)(?: (E\w+))?")


def seen(line: str) -> Seen | None:
    """The call in a line of strace; None for a signal, an exit, a call still under way, or one begun again."""
    if line.startswith(("---", "+++")) or " = " not in line or "ERESTART" in line:  # the kernel makes it once more
        return None
    found = _LINE.match(line)
    assert found, line
    name, args, value, error = found.groups()
    number = getattr(errno_names, error) if error else 0
    return Seen(
        name, [value_of(part) for part in split(args)], -1 if error else int(value, 0) if value != "?" else 0, number
    )


def acts(file: Path, role: str) -> list[Seen]:
    """What a process did by order: everything but what the tables above excuse. `role`: host, init, or any word."""
    found: list[Seen] = []
    ordered, born = False, role == "host"
    lines = file.read_text().splitlines()
    wire = next(call.args[0] for call in filter(None, map(seen, lines)) if call.name == "recvmsg") if born else 3
    for line in lines:
        call = seen(line)
        if call is None:
            continue
        if call.name in ("recvmsg", "sendmsg") and call.args[0] == wire:
            ordered = call.name == "recvmsg" or (ordered and ABOUT_TO_EXEC in line_of(call))
            born = True
        elif not born:
            assert call.name in BIRTH, f"done before it was there: {line}"
        elif not ordered:
            assert call.name in BETWEEN["*"] | BETWEEN.get(role, {}), f"{role} did unbidden: {line}"
            assert call.name != "openat" or call.args[0] != -100 or OWN in line, f"{role} opened unbidden: {line}"
        elif call.name not in MEMORY:
            found.append(call)
            if call.name in ("execve", "execveat") and not call.errno:
                return found  # from here on it is another program
    return found


def line_of(message: Seen) -> bytes:
    """The bytes that a sendmsg carried."""
    vector = message.args[1].get("msg_iov") or [{}]
    return bytes(vector[0].get("iov_base") or b"")


@contextlib.contextmanager
def strace(pid: int, directory: Path) -> Iterator[None]:
    """Follow `pid` and its children: directory/t.PID for each."""
    command = ["strace", "-ff", "-v", "-xx", "-X", "raw", "-s", "1000000", "-o", str(directory / "t"), "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            if "attached" not in said:
                pytest.skip(f"strace may not attach here: {said.strip()}")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.stderr.read()


# what labkit says


class Teller:
    """Turns Calls into what strace must have seen: references become the numbers that they stood for."""

    def __init__(self) -> None:
        self.fds: dict[tuple[str, str], int] = {}
        self.pids: dict[str, dict[str, int]] = defaultdict(dict)

    def told(self, step: Step, calls: tuple[Call, ...]) -> list[Seen]:
        """The calls of one step."""
        returned: list[int] = []
        told = []
        for intent, call in zip(step.calls(), calls, strict=False):
            told.append(self._told(intent, call, returned))
            returned.append(call.value)
            if call.name == "clone3" and call.value > 0:
                self.pids[intent.keep] = dict(
                    self.pids[call.who]
                )  # as the actor does: the child knows what the parent knew
                self.pids[call.who][intent.keep] = call.value
            elif intent.keep and not call.errno:
                self.fds[call.who, intent.keep] = call.value
        return told

    def _told(self, intent: Intent, call: Call, returned: list[int]) -> Seen:
        assert (intent.name, intent.args) == (call.name, call.args), "a Call keeps what its Intent asked for"
        words: list[Any] = []
        for (label, kind, _), value in zip(signature(call.name).parameters, call.args, strict=True):
            words += self._words(call, label, kind, self._resolved(call.who, value, returned))
        if call.name == "openat" and not call.args[2] & O_CREAT:
            words.pop()  # there is no mode then, and strace shows none
        if call.name == "prctl":  # strace shows as many arguments as the option has
            words = words[:2] if not any(words[2:]) else words
        return Seen(call.name, words, call.value, call.errno)

    def _resolved(self, who: str, value: Any, returned: list[int]) -> Any:
        if isinstance(value, Ret):
            return returned[value.number]
        if isinstance(value, Fd):
            return self.fds[who, value.name]
        if isinstance(value, Pid):
            return self.pids[who][value.name]
        if isinstance(value, Joined):
            return "".join(str(self._resolved(who, part, returned)) for part in value.parts)
        if isinstance(value, Packed):  # of which only the length is compared: strace shows the structure in it
            return b"".join(part if isinstance(part, bytes) else bytes(4) for part in value.parts)
        if isinstance(value, dict):
            return {key: self._resolved(who, item, returned) for key, item in value.items()}
        return value

    def _words(self, call: Call, label: str, kind: str, value: Any) -> list[Any]:
        raw = value.encode() if isinstance(value, str) else value
        if kind == "buf":
            return [... if (call.name, label) in STRUCTURED else raw, len(raw)]
        if kind == "out":
            return [... if (call.name, label) == ("recvfrom", "buf") else call.out, value]
        if kind == "strs":
            return [[item.encode() for item in value]]
        if kind in ("status", "utsname"):
            return [...]
        if kind == "clone_args":
            return [{"stack": None, "stack_size": 0, **value}, 88]
        if kind == "bpf_attr":
            return [self._bpf(value), structs.size(kind, value)]
        if kind == "cap_header":
            return [{"version": 0x20080522, "pid": 0}]
        return [list(value) if isinstance(value, tuple) else raw]

    def _bpf(self, value: dict[str, Any]) -> dict[str, Any]:
        """With the fields that nobody has set, and the instructions taken apart."""
        if "insns" not in value:
            return value
        unset = dict.fromkeys(("log_level", "log_size", "kern_version", "prog_flags", "prog_ifindex"), 0)
        insns = [
            {"code": code, "dst_reg": registers & 15, "src_reg": registers >> 4, "off": off, "imm": imm}
            for code, registers, off, imm in struct.iter_unpack("<BBhi", value["insns"])
        ]
        texts = {name: value[name].encode() for name in ("license", "prog_name")}
        return {**value, **unset, **texts, "log_buf": None, "insns": insns, "insn_cnt": len(insns)}


def agree(told: Seen, saw: Seen) -> bool:
    """Whether the two are the same call; ``...`` stands for what strace shows in a form of its own."""
    if told[0] != saw[0] or told[2:] != saw[2:]:
        return False
    pairs = list(zip(told.args, saw.args, strict=False))
    shorter = told.name == "prctl"  # prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) is shown in full, PR_CAPBSET_DROP with two
    return (shorter or len(told.args) == len(saw.args)) and all(a is ... or a == b for a, b in pairs)


def compare(lab: Lab, plan: Plan, directory: Path, *, check: bool = True) -> int:
    """Walk `plan` under strace and compare; returns how many calls were compared."""
    walk = lab.walk(plan)
    real: dict[str, int] = {}
    teller, told = Teller(), defaultdict(list)

    def meet() -> None:
        lab.snapshot()
        for row in lab.backend.look([])["processes"]:
            real.setdefault(lab.naming.process(row["pid"]), row["pid"])

    meet()
    with strace(real["host"], directory):
        for step in plan:
            taken = walk.next(check=check)
            meet()
            told[step.who] += teller.told(step, taken.calls)
        files = {who: (directory / f"t.{real[who]}") for who in told}
        served = {step.who for step in plan if isinstance(step, ServeAsInit)}
        roles = {who: "init" if who in served else who for who in told}
        deadline = time.monotonic() + 2  # strace is told of an exec after the wire has closed
        while time.monotonic() < deadline and any(len(acts(files[who], roles[who])) < len(told[who]) for who in told):
            time.sleep(0.01)
    for who, expected in told.items():
        saw = acts(files[who], roles[who])
        for number, (one, other) in enumerate(zip(expected, saw, strict=False)):
            assert agree(one, other), f"call {number} of {who}: labkit says\n  {one}\nstrace saw\n  {other}"
        assert len(expected) == len(saw), f"{who}: labkit tells of {len(expected)} calls, strace saw {len(saw)}:\n{saw}"
    return sum(map(len, told.values()))


# the tests


@stracing
def test_the_calls_of_a_container_are_what_strace_saw(lab: Lab, tmp_path: Path) -> None:
    plan = lab.plans.container("busybox", ["sleep", "1000"], hostname="c1")
    assert compare(lab, plan, tmp_path) > 90


@stracing
def test_the_calls_of_a_container_with_a_user_namespace_are_what_strace_saw(lab: Lab, tmp_path: Path) -> None:
    kinds = ("mnt", "pid", "user", "uts", "ipc", "net", "cgroup")
    options = {"namespaces": kinds, "user": 1000, "workdir": "/tmp", "init": True}
    plan = lab.plans.container("busybox", ["sleep", "1000"], hostname="c1", **options)
    assert compare(lab, plan, tmp_path) > 90


CHUNKS = 5


def joined(chunk: int) -> Plan:
    """One in `CHUNKS` of the examples of all kinds of steps in one long plan, each with names of its own."""
    from dataclasses import fields, replace

    def renamed(value: Any, number: int) -> Any:
        if isinstance(value, tuple):
            return tuple(renamed(item, number) for item in value)
        if not isinstance(value, str):
            return value
        value = re.sub(r"^(me|other|child|one|two|three|main|joiner|inner)$", rf"\g<1>{number}", value)
        return re.sub(r"^(/tmp|/run/lab|/run/netns|/sys/fs/cgroup)/(?!images)", rf"\g<1>/{number}", value)

    steps: list[Step] = []
    for number, plan in enumerate(EXAMPLES[chunk::CHUNKS]):
        if plan.name.startswith(("SpawnInside", "MakePrivate", "ServeAsInit")):
            continue  # knows a pid; makes all of the lab host private; is in the second test above
        for step in plan:
            changed = {
                f.name: renamed(getattr(step, f.name), number) for f in fields(step) if f.name not in ("argv", "lower")
            }
            steps.append(replace(step, **changed))
    return Plan.of("many", ("many", steps))


@stracing
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_calls_of_every_kind_of_step_are_what_strace_saw(lab: Lab, tmp_path: Path, chunk: int) -> None:
    assert compare(lab, fitting(lab, joined(chunk)), tmp_path) > 30


@stracing
def test_calls_that_fail_are_what_strace_saw(lab: Lab, tmp_path: Path) -> None:
    bad = [
        MakeDirectory(path="/nowhere/at/all"),
        Spawn(child="c"),
        Exec(who="c", argv=("no such program",)),
        Exec(who="c", argv=("/etc/passwd",)),
    ]
    real = {row["comm"]: row["pid"] for row in lab.backend.look([])["processes"]}
    calls: dict[str, list[Call]] = defaultdict(list)
    with strace(real["labkit:[zygote]"], tmp_path):
        walk = lab.walk(Plan.of("p", ("p", bad[:1])))
        for step in bad:
            calls[step.who] += walk.take(step, check=False).calls
        real |= {row["comm"]: row["pid"] for row in lab.backend.look([])["processes"]}
    for who, comm in (("host", "labkit:[zygote]"), ("c", "labkit:[c]")):
        saw = acts(tmp_path / f"t.{real[comm]}", who)
        assert [(c.name, c.value, c.errno) for c in calls[who]] == [(s.name, s.value, s.errno) for s in saw]
    assert [c.errno for c in calls["host"] if c.errno] == [errno_names.ENOENT]
    assert calls["c"][-1].errno == errno_names.EACCES


@dataclass(frozen=True, kw_only=True)
class Liar(MakeDirectory):
    """Make a directory, and something else of which it tells nobody.

    What a test has to notice. See: mkdir(2).
    """

    asked: list[int] = field(default_factory=list, compare=False)

    def calls(self) -> Iterator[Intent]:
        yield from super().calls()
        self.asked.append(1)
        if len(self.asked) == 1:  # only when it is taken, not when it is told
            yield Intent("getpid", ())


def test_a_call_that_is_not_told_is_noticed(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="host: labkit tells of 1 calls, strace saw 2"):
        compare(lab, Plan.of("a lie", ("", [Liar(path="/tmp/d")])), tmp_path)


def test_a_call_that_is_told_otherwise_is_noticed() -> None:
    true = Seen("mount", [None, b"/", None, 5, None], 0, 0)
    lies = [
        true._replace(name="umount2"),
        true._replace(value=1),
        true._replace(errno=1),
        true._replace(args=true.args[:-1]),
    ]
    lies += [true._replace(args=[None, b"/x", None, 5, None]), true._replace(args=[None, b"/", None, 4, None])]
    assert agree(true, true) and not any(agree(lie, true) for lie in lies)


@stracing
@settings(max_examples=10, deadline=None, suppress_health_check=[*HealthCheck])
@given(plan=plans(4, 10))
def test_the_calls_of_random_plans_are_what_strace_saw(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, plan: Plan
) -> None:
    compare(lab, fitting(lab, plan), tmp_path_factory.mktemp("strace"))


@pytest.mark.long
@settings(max_examples=500, deadline=None, suppress_health_check=[*HealthCheck])
@given(plan=plans(4, 20))
def test_the_calls_of_many_random_plans_are_what_strace_saw(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, plan: Plan
) -> None:
    directory = tmp_path_factory.mktemp("strace")
    compare(lab, fitting(lab, plan), directory)
    shutil.rmtree(directory)
