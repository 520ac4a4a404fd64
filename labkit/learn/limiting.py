"""The scenes of lesson 07: plans in which tenants meet their limits, and what goes wrong with limits.

On a machine of version 1 the steps are others than on one of version 2, and what happens is the same.

See: `labkit.learn.tenants` for what they are made of, `labkit.learn.lessons.nb07` for what is asked about them.
"""

from __future__ import annotations

from labkit.cgroups import Limits
from labkit.cgroups.change import EnterCgroup, Freeze, MakeThreaded
from labkit.cgroups.make import MakeCgroup
from labkit.cgroups.places import ROOT
from labkit.learn.measuring import BUSY
from labkit.learn.tenants import Holding, enter, limit, place, tenant
from labkit.linux.constants import SIGTERM
from labkit.namespaces.processes import Exec, Kill, Reap
from labkit.namespaces.reading import ReadFile
from labkit.namespaces.signals import SignalPid
from labkit.namespaces.spawn import Spawn
from labkit.steps.plan import Plan
from labkit.steps.step import Step

ON_AIR = "/tmp/on-air"  #: what the radio writes when it can be told to end
#: lets time pass until the bakery has got 0.3 s of CPU and half a second has changed the proportion by less than 0.2
#: (30 s at most), and writes down the microseconds of both; of the radio those in the middle between before and after,
#: as the judge itself may have to wait while it reads
_JUDGE = """cd /sys/fs/cgroup
look() { read k R <radio/cpu.stat; read k B <bakery/cpu.stat; read k S <radio/cpu.stat; R=$(((R+S)/2)); }
look; b=$B; r=$R; n=0; p=0; q=99
while [ $n -lt 60 ] && [ $((B-b)) -lt 300000 -o $((p-q)) -gt 20 -o $((q-p)) -gt 20 ]; do
sleep 0.5; n=$((n+1)); look; p=$q; q=$((100*(R-r)/(B-b+1))); done
echo $((B-b)) $((R-r)) >/tmp/shares"""
#: waits until one of two processes has gone
_WITNESS = """cd /sys/fs/cgroup/bakery; n=0
while [ $(wc -l <cgroup.procs) = 2 -a $n -lt 99 ]; do sleep 0.1; n=$((n+1)); done"""
#: both on one CPU, where the ads give way. The OOM killer leaves a dying process out of account a moment before its
#: memory comes back (exit_mmap() in the kernel's mm/mmap.c): who asks on in that moment is killed as well
_ON_ONE_CPU = "import os, time; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
_KEEPS = f"""{_ON_ONE_CPU}; kept = b'x' * (24 << 20)
open('/tmp/open', 'w').close(); time.sleep(1000)"""
_GROWS = f"""{_ON_ONE_CPU}; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); kept = []
while not os.path.exists('/tmp/open'): time.sleep(0.02)
for _ in range(24): kept.append(b'x' * (1 << 20)); time.sleep(0.02)
time.sleep(1000)"""
#: computes, and ends by itself when it is told to. One that has no such handler would be killed, frozen or not.
_TIDY = f"trap exit TERM; : >{ON_AIR}; while :; do :; done"
_TUNER = f"until [ -e {ON_AIR} ]; do sleep 0.05; done"
_ROOM = Limits(memory="48M", swap=0)


def contest(lab: Holding, bakery: Limits, radio: Limits) -> Plan:
    """Bakery and radio compute side by side; a judge writes down what each gets in a second."""
    born = [*tenant(lab, "bakery", bakery), *tenant(lab, "radio", radio)]
    work = [Exec(who=who, argv=BUSY) for who in ("bakery", "radio")]
    later: list[Step] = [*_await("judge", _JUDGE), ReadFile(path="/tmp/shares")]
    return Plan.of("a contest", ("two tenants", born), ("at work", work), ("a second later", later))


def _await(who: str, script: str) -> list[Step]:
    """Have the landlord start a program and wait for its end."""
    started = [Spawn(child="landlord"), Spawn(who="landlord", child=who), Exec(who=who, argv=("sh", "-c", script))]
    return [*started, Reap(who="landlord", target=who)]


def crowded(lab: Holding) -> Plan:
    """Two programs of the bakery in 48 MiB: the till keeps 24 all day, the ads want more and more."""
    work = [Exec(who="till", argv=("python3", "-c", _KEEPS)), Exec(who="ads", argv=("python3", "-c", _GROWS))]
    later = _await("witness", _WITNESS)
    return Plan.of("too small a room", ("the room", _shared(lab)), ("at work", work), ("and then", later))


def _shared(lab: Holding) -> list[Step]:
    """One cgroup, its memory limited, and two processes in it."""
    both = (step for who in ("till", "ads") for step in (Spawn(child=who), *enter(lab, who, "bakery", _ROOM)))
    return [*place(lab, "bakery", _ROOM), *both]


def cold(*, killed: bool = True) -> Plan:
    """The radio, number 3 of a fresh lab host, computes in its cgroup, is frozen, told to end, and `killed`."""
    path = f"{ROOT}/radio"
    born = [MakeCgroup(path=path), Spawn(child="radio", cgroup=path), Exec(who="radio", argv=("sh", "-c", _TIDY))]
    on_air = _await("listener", _TUNER)
    told: list[Step] = [SignalPid(pid=3, signal=SIGTERM), *([Kill(target="radio")] if killed else [])]
    return Plan.of(
        "a cold radio", ("a radio", born), ("on air", on_air), ("frozen", [Freeze(path=path)]), ("told to end", told)
    )


def rooms() -> Plan:
    """The school has two rooms, opens one of them to threads, and sends a pupil into the other."""
    school, attic, cellar = (f"{ROOT}/school{below}" for below in ("", "/attic", "/cellar"))
    move = [Spawn(child="pupil"), EnterCgroup(who="pupil", path=cellar)]
    return Plan.of(
        "two rooms", ("rooms", [MakeCgroup(path=path) for path in (school, attic, cellar)]),
        ("threads", [MakeThreaded(path=attic)]), ("a process", move),
    )  # fmt: skip


# faults: planted, and mended


def one_too_high(lab: Holding) -> None:
    """A limit that was meant for the bakery is set on the house in which the radio lives, too."""
    lab.take_all(place(lab, "house", Limits(memory="64M")))
    for who in ("bakery", "radio"):
        own = tenant(lab, who, Limits(memory="64M"), below="house")
        lab.take_all([*own, *limit(lab, f"house/{who}", memory=None)])


def not_handed_down(lab: Holding) -> None:
    """The bakery's cgroup in the house is one of version 2, and no controller reaches it."""
    inner, room = f"{ROOT}/house/bakery", Limits(memory="64M")
    born = [Spawn(child="bakery"), *enter(lab, "bakery", "house", room), EnterCgroup(who="bakery", path=inner)]
    lab.take_all([*place(lab, "house", room), MakeCgroup(path=inner), *born])


def in_one_room(lab: Holding) -> None:
    """The till and the ads share a limit."""
    lab.take_all(_shared(lab))
