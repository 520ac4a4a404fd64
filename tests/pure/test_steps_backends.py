"""The seam between plans and kernels, without a kernel: Recording over a made-up backend, Replay, traces, names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import ActorDied, ImageError, PlanError, ReplayError, StepError
from labkit.namespaces.files import MakeDirectory
from labkit.namespaces.names import SetHostname
from labkit.namespaces.processes import Exec
from labkit.namespaces.spawn import Spawn
from labkit.steps import explain
from labkit.steps.backends import choose
from labkit.steps.backends.base import CallFailed, Ended, Facts, Part, Row, Start
from labkit.steps.backends.dry import Dry
from labkit.steps.backends.recording import Recording
from labkit.steps.backends.replay import Replay
from labkit.steps.backends.tape import Tape
from labkit.steps.call import Call
from labkit.steps.fact import Process, Uts
from labkit.steps.naming import Naming
from labkit.steps.plan import parts
from labkit.steps.snapshot import Snapshot
from labkit.steps.trace import Taken, Trace

PID = 777_000  # big numbers that no recording may hold
MKDIR = parts([MakeDirectory(path="/tmp/a")])[0]
RENAME = parts([SetHostname(name="b")])[0]
START = Start("c1", parts([Spawn(child="c1"), Exec(who="c1", argv=("true",))]))


class Made(Dry):
    """A made-up machine: it counts what it is asked, dies and fails on demand, and names itself everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.fails: Exception | None = None
        self.ended: dict[str, Ended] = {}

    def ends(self) -> Mapping[str, Ended]:
        return self.ended

    def hello(self) -> Facts:
        return {**super().hello(), "run": "/run/secret", "lab": "lab-9", "supervisor": PID}

    def accounts(self, image: str) -> tuple[bytes, bytes, str]:
        return b"tenant:x:1000:1000::/home/tenant:\n", b"caf\xe9:x:1:\n", "a reason"

    def take(self, part: Part) -> list[Row]:
        if self.fails:
            raise self.fails
        return [[0, 0, 1234567, None] for _ in part.intents]

    def look(self, probes: Sequence[str]) -> Facts:
        self.looks += 1
        process = {
            "pid": PID + self.looks,
            "nspid": [PID + self.looks, 1],
            "parent": PID,
            "ns": {"uts": PID},
            "comm": "x",
        }
        return {
            "processes": [process],
            "scratch": "/run/secret",
            "uts": [{"ns": PID, "hostname": f"look {self.looks}"}],
        }

    def start(self, start: Start) -> int:
        if self.fails:
            raise self.fails
        return 5

    def started(self, name: str) -> Ended | None:
        return None

    def wait(self, name: str, timeout: float | None = None) -> Ended | None:
        return None if timeout else Ended(3, b"out", b"\xff\xfe")


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[Callable[[Any], None]], Replay]:
    """Record what `act` does, store it, and give the replay of it."""

    def record(act: Callable[[Any], None]) -> Replay:
        recording = Recording(Made(), str(tmp_path / "a.jsonl"))
        act(recording)
        recording.close()
        text = (tmp_path / "a.jsonl").read_text()
        assert not [word for word in ("777", "secret", "lab-9") if word in text]
        return Replay(Tape.from_jsonl(text))

    return record


Record = Callable[[Callable[[Any], None]], Replay]


def test_the_same_way_has_the_same_answers(recorded: Record) -> None:
    def way(lab: Any) -> list[Any]:
        told = [lab.hello()["kernel"], lab.find("busybox"), lab.top("busybox"), lab.accounts("busybox")]
        told += [lab.take(MKDIR), lab.look(["uts"])["uts"][0]["hostname"], lab.start(START), lab.started("c1")]
        return [*told, lab.wait("c1", 1), lab.wait("c1"), lab.logs("c1")]

    kept: list[Any] = []
    replay = recorded(lambda lab: kept.extend(way(lab)))
    kept[4] = [[0, 0, 1234000, None]]  # times are kept in microseconds
    assert way(replay) == kept


def test_a_question_asked_again_has_its_answers_in_their_order(recorded: Record) -> None:
    replay = recorded(lambda lab: [lab.look(["uts"]) for _ in range(3)])
    hosts = [replay.look(["uts"])["uts"][0]["hostname"] for _ in range(5)]
    assert hosts == ["look 1", "look 2", "look 3", "look 3", "look 3"]


def test_each_fresh_host_has_answers_of_its_own(recorded: Record) -> None:
    def act(lab: Any) -> None:
        lab.look(["uts"])
        lab.renew()
        lab.look(["uts"])

    replay = recorded(act)
    first = replay.look(["uts"])["uts"][0]["hostname"]
    replay.renew()
    assert (first, replay.look(["uts"])["uts"][0]["hostname"]) == ("look 1", "look 2")
    replay.renew()  # one more than was recorded: it borrows
    assert replay.look(["uts"])["uts"][0]["hostname"] == "look 2"


def test_how_programs_ended_with_their_lab_host_is_recorded_with_it(recorded: Record) -> None:
    counted = Ended(-9, b"going\n", b"\xff", None, {"memory.events": "oom_kill 2"}, {"memory.events": "oom_kill 1"})
    first, last = {"c1": Ended(3, b"r\n"), "c2": counted}, {"c1": Ended(-9)}

    def act(lab: Any) -> None:
        lab.below.ended = first
        lab.take(MKDIR)
        lab.renew()
        assert lab.ends() == first
        lab.below.ended = last

    replay = recorded(act)
    replay.take(MKDIR)
    replay.renew()
    assert replay.ends() == first
    replay.close()
    assert replay.ends() == last


def test_where_a_lab_host_ended_elsewhere_in_the_recording_nothing_is_known_of_its_programs(recorded: Record) -> None:
    replay = recorded(lambda lab: lab.take(MKDIR))
    replay.renew()
    assert replay.ends() == {}


def test_a_narrower_look_is_answered_from_a_wider_one(recorded: Record) -> None:
    replay = recorded(lambda lab: lab.look(["uts", "processes"]))
    assert replay.look(["uts"])["uts"]


def test_another_way_is_refused_instead_of_invented(recorded: Record) -> None:
    replay = recorded(lambda lab: lab.take(MKDIR))
    with pytest.raises(ReplayError, match='not in the recording: sethostname\\("b", 1\\)'):
        replay.take(RENAME)
    replay.renew()
    assert replay.take(MKDIR)
    with pytest.raises(ReplayError, match="not in the recording: a look at uts here"):
        replay.look(["uts"])
    with pytest.raises(ImageError, match="no image 'other'"):
        replay.find("other")
    with pytest.raises(ReplayError, match="needs a live lab"):
        replay.terminal("c1")


def test_errors_are_recorded_too(recorded: Record) -> None:
    def act(lab: Any) -> None:
        lab.below.fails = ActorDied("process c1 died", likely="killed", look="walk.back()")
        with pytest.raises(ActorDied):
            lab.take(MKDIR)
        lab.renew()
        lab.below.fails = CallFailed(START.parts[0], [[-1, 1, 5, None]])
        with pytest.raises(CallFailed):
            lab.start(START)

    replay = recorded(act)
    with pytest.raises(ActorDied, match="process c1 died") as died:
        replay.take(MKDIR)
    assert (died.value.likely, died.value.look) == ("killed", "walk.back()")
    replay.renew()
    with pytest.raises(CallFailed) as failed:
        replay.start(START)
    assert (failed.value.part, failed.value.rows) == (START.parts[0], [[-1, 1, 5, None]])


def test_all_labs_of_one_python_share_a_recording(tmp_path: Path) -> None:
    path = str(tmp_path / "b.jsonl")
    labs = [Recording(Made(), path) for _ in range(2)]
    labs[0].take(MKDIR)
    labs[1].take(RENAME)
    for lab in labs:
        lab.close()
    tape = Tape.from_jsonl(Path(path).read_text())
    assert Replay(tape).take(MKDIR) and Replay(tape).take(RENAME)


def test_a_recorded_lab_shows_no_window_to_judge_through(tmp_path: Path) -> None:
    assert "run" not in Recording(Made(), str(tmp_path / "c.jsonl")).hello()


# damaged files

GOOD = Tape()
GOOD.answers = {(0, "", "hello"): [{}], (1, "fresh", "look uts"): [{"uts": [{"a": 1}]}]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a recording"),
        ("[]", "not a recording"),
        ("null\n", "not a recording"),
        ('{"labkit-recording": 99}\n', "recording format 99 is not 3"),
        ('{"labkit-trace": 1}\n', "not a recording"),
        (GOOD.to_jsonl()[:-20], "not a recording"),
        (GOOD.to_jsonl().replace("[0]", "[7]"), "not a recording"),
        (GOOD.to_jsonl().replace('[{"uts":[0]}]', "[]"), "not a recording"),
        (GOOD.to_jsonl() + "\x00\x01", "not a recording"),
        ("[" * 100_000, "not a recording"),
    ],
)
def test_a_damaged_recording_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ReplayError, match=words) as error:
        Tape.from_jsonl(text)
    assert "record it anew" in str(error.value)
    assert Tape.from_jsonl(GOOD.to_jsonl()).answers == GOOD.answers


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), (b"\xff\xfe", "it is no text")])
def test_a_recording_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    path = tmp_path / "none.jsonl"
    if content:
        path.write_bytes(content)
    monkeypatch.setenv("LABKIT_BACKEND", "replay")
    monkeypatch.setenv("LABKIT_TRACE", str(path))
    with pytest.raises(ReplayError, match=words) as error:
        choose(Made())
    assert str(path) in str(error.value)


# dry


def test_dry_notes_what_it_is_asked_and_starts_nothing() -> None:
    dry = Dry()
    assert dry.take(MKDIR) == [[0, 0, 0, None]] and dry.asked == [MKDIR]
    assert dry.start(START) == 2 and dry.asked[1:] == [*START.parts]
    with pytest.raises(PlanError, match="not really started"):
        dry.started("c1")


# traces


def _trace() -> Trace:
    step = SetHostname(name="b")
    (intent,) = step.calls()
    sides = [Snapshot.of(("uts",), [Uts("uts#1", name)]) for name in ("a", "b")]
    call = Call.from_row("host", intent, [0, 0, 5, {"b": "\xff"}])
    bad = StepError("no: EPERM", likely="rights", look="id")
    taken = [Taken(1, step, (call,), sides[0], sides[1]), Taken(2, step, (call,), sides[1], sides[1], bad)]
    return Trace("p", taken, {"kernel": "6.1"})


def test_a_trace_survives_its_file() -> None:
    trace = _trace()
    again = Trace.from_jsonl(trace.to_jsonl())
    assert again.to_jsonl() == trace.to_jsonl()
    assert [str(taken) for taken in again] == [str(taken) for taken in trace]
    assert str(again) == str(trace) and "no: EPERM" in str(trace)
    assert again.taken[0].calls == trace.taken[0].calls and len([*again.calls()]) == 2
    assert json.loads(trace.to_jsonl().splitlines()[0]) == {
        "labkit-trace": 1,
        "plan": "p",
        "machine": {"kernel": "6.1"},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a trace"),
        ("{}", "not a trace"),
        ('{"labkit-trace": 2}', "trace format 2 is not 1"),
        (_trace().to_jsonl()[:-9], "not a trace"),
        (_trace().to_jsonl().replace("SetHostname", "NoSuchStep"), "not a trace"),
        (_trace().to_jsonl().replace('"Uts"', '"Nix"'), "not a trace"),
        ("[" * 100_000, "not a trace"),
    ],
)
def test_a_damaged_trace_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ReplayError, match=words):
        Trace.from_jsonl(text)


# names


def _row(pid: int, parent: int, comm: str = "sh", **ns: int) -> dict[str, Any]:
    return {"pid": pid, "nspid": [pid, pid % 100], "parent": parent, "comm": comm, "ns": ns}


def test_names_are_given_in_order_of_first_appearance_and_kept() -> None:
    naming = Naming()
    first = [_row(901, 1, uts=7), _row(902, 901, "labkit:[zygote]", uts=7), _row(903, 902, uts=8)]
    naming.see(first)
    naming.see([*first, _row(904, 902, uts=9), _row(905, 902, "vi", uts=9)])
    assert [naming.process(pid) for pid in (901, 902, 903, 904, 905, 999)] == [
        "init",
        "host",
        "sh#1",
        "sh#2",
        "vi#1",
        "",
    ]
    assert [naming.namespace(inode, "uts") for inode in (7, 8, 9)] == ["uts#1", "uts#2", "uts#3"]


def test_a_spawned_process_is_called_by_its_name_whatever_it_runs() -> None:
    naming = Naming()
    rows = [_row(901, 1), _row(902, 901, "labkit:[zygote]")]
    naming.see(rows)
    naming.spawned("host", 3, "c1")
    naming.see([*rows, _row(903, 902, "sleep")])
    assert naming.process(903) == "c1"


def test_what_is_gone_is_forgotten_because_the_kernel_reuses_its_number() -> None:
    naming = Naming()
    naming.see([_row(901, 1, uts=7), _row(903, 901, uts=8)])
    naming.see([_row(901, 1, uts=7)])
    naming.see([_row(901, 1, uts=7), _row(903, 901, uts=8)])
    assert (naming.namespace(8, "uts"), naming.process(903)) == ("uts#3", "sh#2")


def test_a_copy_of_the_names_goes_its_own_way() -> None:
    naming = Naming()
    naming.see([_row(901, 1, uts=7)])
    copy = naming.copy()
    naming.see([_row(901, 1, uts=7), _row(902, 901, uts=8)])
    copy.see([_row(901, 1, uts=7), _row(903, 901, uts=9)])
    assert (naming.namespace(8, "uts"), copy.namespace(9, "uts")) == ("uts#2", "uts#2")


# explanations


def test_an_error_says_where_it_stood_why_and_where_to_look() -> None:
    fault = StepError("sethostname(…): EPERM", call='sethostname("x", 1)', errno=1)
    explain.explain(fault, SetHostname(name="x"), 3, 9)
    assert str(fault).splitlines() == [
        'sethostname(…): EPERM in step 3 of 9, "set the hostname to x"',
        "  likely: CAP_SYS_ADMIN is missing in the owner of this uts namespace",
        "  look:   readlink /proc/self/ns/uts",
    ]
    unknown = StepError("x: EIO", call="sethostname()", errno=5, likely="known better")
    explain.explain(unknown, SetHostname(name="x"), 1, 1)
    assert unknown.likely == "known better" and str(unknown.look).startswith("man sethostname(2)")


def test_facts_of_dead_names_are_still_facts() -> None:
    assert (
        str(Process("a", (3, 1), "", "sh", "zombie")) == "process a: pid 3 > 1, child of nobody here, runs sh, zombie"
    )
