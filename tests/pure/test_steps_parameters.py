"""A step that is given too little, too much or the wrong thing is refused in one line, with an example that works."""

from __future__ import annotations

import copy
import doctest
import importlib
import inspect
import pickle
import pkgutil
import signal
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import labkit
from labkit.cgroups.change import EnterCgroup, SetLimit
from labkit.cgroups.limits import Limits
from labkit.cgroups.make import MakeCgroup, RemoveCgroup
from labkit.container.lacking import Lacking
from labkit.errors import SpecError
from labkit.learn import tenants
from labkit.linux import nsfs
from labkit.namespaces.processes import Exec, Kill
from labkit.namespaces.spawn import Enter, Hold, Join, Spawn, Unshare
from labkit.namespaces.users import MapIds
from labkit.steps import cgroup_paths, parameters
from labkit.steps.step import Step


def _catalogue() -> list[type[Step]]:
    """Every class of steps, those of rooms that other tests do not import among them."""
    for room in ("namespaces", "cgroups", "overlay", "network", "container"):
        package = importlib.import_module(f"labkit.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"labkit.{room}.{module.name}")
    below = [Step]
    for kind in below:
        below += kind.__subclasses__()
    mine = {kind for kind in below[1:] if kind.__module__.startswith("labkit.") and kind.__name__[0] != "_"}
    return sorted(mine, key=lambda kind: kind.__name__)


KINDS = _catalogue()
NAMES = {kind.__name__: kind for kind in KINDS}
each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
NOT_OF_THAT_TYPE: dict[str, Any] = {
    "str": (None, 5, b"x"), "CgroupPath": (None, 5), "Kind": (None, "mount"), "Kinds": ("pid", None, ("mount",), (5,)),
    "int": (None, "5", 1.5, True), "bool": (None, "no", 0), "tuple[str, ...]": (None, "sh", (5,), 5),
    "tuple[int, ...]": (None, ("1",), (True,)), "tuple[Extent, ...]": (None, ((0, 1),), (0, 1, 2)),
    "Argv": (None, "sh", (), ("",), (5,), ("a\0",)),
    "Environment": (None, 5, (("A", None),), {"A": None}, {"A": 5}, {"A": b"x"}, {"A=": "x"}, {"": "x"}, {"A": "\0"},
                    {"A\0": "x"}, {5: "x"}, ("A=B",)),
}  # fmt: skip


def needed(kind: type[Step]) -> dict[str, Any]:
    return {f.name: parameters.sample(f.name, str(f.type)) for f in fields(kind) if f.default is MISSING}


def example(error: SpecError) -> Step:
    """The step of the error's `look`, made by Python itself."""
    assert error.look
    step = eval(error.look, {"__builtins__": {}}, NAMES)
    assert isinstance(step, Step)
    return step


def refused(kind: type[Step], *unnamed: object, **given: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        kind(*unnamed, **given)
    assert "\n" not in caught.value.message
    return caught.value


def test_the_catalogue_is_whole() -> None:
    assert len(KINDS) > 60
    assert {Kill, Spawn, MakeCgroup, Exec} <= {*KINDS}
    assert labkit.__version__


@each
def test_every_parameter_has_a_known_type(kind: type[Step]) -> None:
    assert {str(f.type) for f in fields(kind)} <= {*NOT_OF_THAT_TYPE}


@each
def test_without_one_that_it_needs_the_error_names_it_and_shows_a_call_that_works(kind: type[Step]) -> None:
    whole = needed(kind)
    for name in whole:
        error = refused(kind, who="oven", **{key: value for key, value in whole.items() if key != name})
        assert error.message == f"{kind.__name__}(...) needs {name}="
        assert type(example(error)) is kind
        assert example(error).who == "oven"


@each
def test_one_that_it_does_not_have(kind: type[Step]) -> None:
    error = refused(kind, **needed(kind), nonsense=5)
    assert error.message == f"{kind.__name__}(...) has no parameter nonsense="
    assert error.likely and "who" in error.likely
    assert type(example(error)) is kind


@each
def test_values_without_their_names(kind: type[Step]) -> None:
    assert type(example(refused(kind, "oven"))) is kind


@each
def test_values_of_another_type(kind: type[Step]) -> None:
    for field in fields(kind):
        for wrong in NOT_OF_THAT_TYPE[str(field.type)]:
            error = refused(kind, **needed(kind) | {field.name: wrong})
            assert error.look, (field.name, wrong)


@given(st.data())
def test_any_keywords_at_all_make_a_step_or_an_error_with_a_hint(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    names = st.sampled_from([*(f.name for f in fields(kind)), "nonsense", "targets", "probes"])
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.binary(max_size=3))
    keywords = data.draw(st.dictionaries(names, st.one_of(scalars, st.lists(scalars, max_size=3).map(tuple))))
    try:
        step = kind(**keywords)
    except SpecError as error:
        assert error.look and "\n" not in error.message
    else:
        assert type(step) is kind and isinstance(step.title, str) and step == replace(step)


def test_the_sentence_of_the_issue() -> None:
    assert str(refused(Kill, who="oven")).split("\n") == [
        "Kill(...) needs target=",
        "  likely: who= is the process that takes the step",
        '  look:   Kill(who="oven", target="c1")',
    ]
    assert refused(Kill, pid=5).likely == "its parameters are who, target, signal"
    assert refused(Kill, tarket="oven").likely == "target= is meant"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("mount", "mnt"), ("network", "net"), ("hostname", "uts"), ("pids", "pid"), ("CLONE_NEWNS", "mnt"),
     ("CLONE_NEWPID", "pid"), ("PID", "pid"), ("cgroups", "cgroup"), ("usr", "user"), ("tyme", "time")],
)  # fmt: skip
def test_a_kind_of_namespace_by_another_name_is_told_its_own(word: str, meant: str) -> None:
    whole = {"child": "c", "target": "c", "path": "/tmp/x"}
    for kind in (Spawn, Unshare, Join, Hold, Enter):
        names = {f.name for f in fields(kind)}
        asked = {"namespace": word} if "namespace" in names else {"namespaces": (word,)}
        error = refused(kind, **asked, **{key: value for key, value in whole.items() if key in names})
        assert error.message == f"no namespace kind {word!r}; there are {', '.join(nsfs.KINDS)}"
        assert error.likely == f"the kernel calls it {meant!r}"
        assert (error.look or "").startswith(f'"{meant}": man 7 ')


@pytest.mark.parametrize(
    ("given_", "path"),
    [("/bakery", "/sys/fs/cgroup/bakery"), ("bakery", "/sys/fs/cgroup/bakery"), ("/", "/sys/fs/cgroup"),
     ("/sys/fs/cgroup/bakery", "/sys/fs/cgroup/bakery"), ("/a/b/", "/sys/fs/cgroup/a/b"),
     ("cpu,cpuacct:/bakery", "/run/cgroup1/cpu,cpuacct/bakery"), ("memory:/", "/run/cgroup1/memory"),
     ("/run/cgroup1/memory/bakery", "/run/cgroup1/memory/bakery"), ("/odd:/name", "/sys/fs/cgroup/odd:/name"),
     ("/old/sys/fs/cgroup/c1", "/old/sys/fs/cgroup/c1")],
)  # fmt: skip
def test_a_cgroup_is_taken_as_its_directory_and_as_a_snapshot_names_it(given_: str, path: str) -> None:
    takers = [kind for kind in KINDS if any(f.type == "CgroupPath" for f in fields(kind))]
    assert {RemoveCgroup, EnterCgroup, SetLimit, Spawn} <= {*takers} and len(takers) == 12
    for kind in takers:
        name = next(f.name for f in fields(kind) if f.type == "CgroupPath")
        assert getattr(kind(**needed(kind) | {name: given_}), name) == path


def test_the_landlords_functions_take_both_forms_of_a_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_BACKEND", "dry")
    with labkit.Lab() as lab:
        lab.lacking = Lacking({"cgroup": True, "controllers": {"memory": 2}})
        limits = Limits(memory="64M")
        forms = ("shop/bakery", "/shop/bakery", "/sys/fs/cgroup/shop/bakery")
        made = [
            [*tenants.place(lab, form, limits), *tenants.enter(lab, "bakery", form, limits),
             *tenants.limit(lab, form, memory="32M"), *tenants.tenant(lab, "oven", limits, below=form)]
            for form in forms
        ]  # fmt: skip
        assert made[0] == made[1] == made[2]
        assert any(step == SetLimit(path="/shop/bakery", file="memory.max", value="33554432") for step in made[0])
        with pytest.raises(SpecError, match=r"Limits\(\.\.\.\) has no parameter memry="):
            tenants.limit(lab, "bakery", memry="32M")
        with pytest.raises(SpecError, match="memry= is no limit that can be taken away"):
            tenants.limit(lab, "bakery", memry=None)


def test_a_limit_that_there_is_not_is_refused_as_well() -> None:
    with pytest.raises(SpecError) as caught:
        Limits(memry="64M", cpu=0.5)  # type: ignore[call-arg]  # what is tested
    assert (caught.value.message, caught.value.likely) == ("Limits(...) has no parameter memry=", "memory= is meant")
    assert caught.value.look == "Limits(cpu=0.5)"
    with pytest.raises(SpecError, match="takes its values by name"):
        Limits(0.5)  # type: ignore[misc]  # what is tested
    assert str(inspect.signature(Limits)).startswith("(*, cpu: 'float | None' = None, ")
    assert copy.deepcopy(Limits(cpu=0.5)) == pickle.loads(pickle.dumps(Limits(cpu=0.5))) == Limits(cpu=0.5)


def test_lists_and_dictionaries_become_what_a_step_holds() -> None:
    assert Spawn(child="c", namespaces=["pid"]).namespaces == ("pid",)  # type: ignore[arg-type]  # what is tested
    assert Exec(argv=["sh"], environment={"A": "b"}).environment == (("A", "b"),)  # type: ignore[arg-type]
    assert MapIds(uids=[[0, 1, 2]]).uids == ((0, 1, 2),)  # type: ignore[arg-type]
    assert Kill(target="c", signal=signal.SIGTERM).signal == 15


def test_the_examples_of_the_modules() -> None:
    for module in (parameters, cgroup_paths):
        assert doctest.testmod(module, raise_on_error=True).attempted


def test_it_is_still_a_dataclass_with_a_signature_that_can_be_stored() -> None:
    step = Kill(target="c1", signal=15)
    assert copy.deepcopy(step) == step == pickle.loads(pickle.dumps(step)) == Step.from_json(step.to_json())
    assert str(inspect.signature(Kill)) == "(*, who: 'str' = 'host', target: 'str', signal: 'int' = 9) -> None"
    assert replace(step, signal=9).signal == 9
    with pytest.raises(SpecError):
        replace(step, signal="9")
