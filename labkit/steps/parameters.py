"""What a step may be given: each parameter checked by its declared type before the step exists, in one line.

A step is a dataclass, and Python's own words for a wrong argument ("missing 1 required keyword-only argument") come
after a traceback, do not name a value that would do, and say nothing at all of a value of the wrong type: that fails
later, somewhere else. `checked` wraps the constructor of a class of steps. It accepts a list for a tuple and both forms
of a cgroup's path (`labkit.steps.cgroup_paths`), and refuses everything else with an example that works:

    >>> from labkit.namespaces.processes import Kill
    >>> Kill(who="oven")
    Traceback (most recent call last):
    labkit.errors.SpecError: Kill(...) needs target=
      likely: who= is the process that takes the step
      look:   Kill(who="oven", target="c1")

See: `dataclasses`, execve(2) "Limits on size of arguments and environment".
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from functools import wraps
from typing import Any

from labkit.errors import SpecError
from labkit.linux import nsfs
from labkit.steps.cgroup_paths import directory

Kind = str  # of a namespace, as in `labkit.linux.nsfs.KINDS`
Kinds = tuple[str, ...]
CgroupPath = str
Argv = tuple[str, ...]  # a program and its arguments

_STRING_MAX = 131072  # MAX_ARG_STRLEN of execve(2)
_SHOWN = 60  # characters of a value in an example; a longer one is replaced by a sample
_WORDS = {str: "a string", int: "a whole number", bool: "True or False"}
#: other words for a kind of namespace; CLONE_NEW... without its beginning is among them
_OTHER_WORDS = {
    "mount": "mnt", "mounts": "mnt", "ns": "mnt", "network": "net", "networks": "net", "hostname": "uts", "host": "uts",
    "pids": "pid", "process": "pid", "processes": "pid", "users": "user", "userns": "user", "uid": "user",
    "cgroups": "cgroup", "clock": "time", "clocks": "time", "sysv": "ipc", "queues": "ipc",
}  # fmt: skip
#: a value for each parameter that has no default, by its name, and by its declared type where all have the same
_SAMPLES: dict[str, Any] = {
    "address": "10.9.0.2/24", "argv": ("sleep", "60"), "burst": 16384, "ceil": 16_000_000, "child": "c1",
    "controllers": ("memory",), "directory": "/run/lab/c1", "file": "memory.max", "gid": 1000, "handle": "1:10",
    "key": 42, "limit": 65536, "link": "eth0", "lower": ("/run/lab/images/busybox",), "mac": "02:00:0a:09:00:01",
    "name": "c1", "names": ("CAP_CHOWN",), "namespace": "uts", "namespaces": ("uts",), "new_root": "/tmp/root",
    "path": "/tmp/c1", "peer_mac": "02:00:0a:09:00:02", "pid": 1, "port": 8080, "program": "c1.main",
    "rate": 8_000_000, "rules": ("c 1:3 rwm",), "source": "/tmp", "target": "c1", "text": "hello", "type": "tmpfs",
    "uid": 1000, "value": "48M", "CgroupPath": "/c1",
}  # fmt: skip


def text(what: str, value: object) -> str:
    """`value` itself, if the kernel can take it as one string of argv or the environment. Raises SpecError."""
    if not isinstance(value, str):
        raise SpecError(f"{what} is {type(value).__name__}, not a string", look="str(...) makes one")
    if "\0" in value:
        raise SpecError(
            f"{what} contains NUL: the kernel would stop reading there",
            likely="bytes of a binary file were used as text",
            look="pass such data by stdin=",
        )  # fmt: skip
    try:
        size = len(os.fsencode(value))
    except UnicodeEncodeError as error:
        raise SpecError(
            f"{what} contains {value[error.start]!r}, which is no character", look="text.encode()"
        ) from error
    if size >= _STRING_MAX:
        raise SpecError(
            f"{what} has {size} bytes; the kernel takes at most {_STRING_MAX - 1} in one string (E2BIG)",
            look="pass large data by stdin=, or in a file",
        )
    return value


def environment(given: object, what: str = "env") -> tuple[tuple[str, str], ...]:
    """Pairs of names and values, from a dictionary or from pairs. Raises SpecError for what execve(2) cannot carry."""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
        raise SpecError(f"{what} is {type(given).__name__}, not a dictionary", look=f'{what}={{"LANG": "C"}}')
    for key, value in pairs:
        if not isinstance(key, str) or not key or "=" in key:
            raise SpecError(f"{key!r} cannot be the name of an environment variable", look="man 7 environ")
        text("the name of an environment variable", key)
        text(f"{what}[{key!r}]", value)
    return tuple((key, value) for key, value in pairs)


def kind(name: object) -> str:
    """A kind of namespace by its name in /proc/PID/ns. Raises SpecError, which names the one that was meant."""
    if isinstance(name, str) and name in nsfs.KINDS:
        return name
    there = ", ".join(nsfs.KINDS)
    word = str(name).lower().removeprefix("clone_").removeprefix("new")
    meant = word if word in nsfs.KINDS else _OTHER_WORDS.get(word) or _nearest(word, nsfs.KINDS)
    raise SpecError(
        f"no namespace kind {name!r}; there are {there}",
        likely=f"the kernel calls it {meant!r}" if meant else None,
        look=f'"{meant}": man 7 {nsfs.KINDS[meant].man.partition("(")[0]}' if meant else "man 7 namespaces",
    )


def kinds(names: object, what: str = "namespaces") -> Kinds:
    """Several kinds, from a list or a tuple. Raises SpecError."""
    if isinstance(names, str):
        raise SpecError(f"{what} is one string, {names!r}, not a list", look=f'{what}=["pid", "uts"]')
    if not isinstance(names, (list, tuple)):
        raise SpecError(f"{what} is {type(names).__name__}, not a list", look=f'{what}=["pid", "uts"]')
    return tuple(map(kind, names))


class Signature:
    """What help() and an editor's tooltip show of a class: the parameters of its constructor.

    Without it they would show those of its ``__new__``, which takes anything.
    """

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        of_init = inspect.signature(owner.__init__)  # type: ignore[misc]  # that of this very class
        return of_init.replace(parameters=list(of_init.parameters.values())[1:])


def checked(step: type, init: Callable[..., None]) -> Callable[..., None]:
    """`init`, the constructor of this class of steps, behind a check of all that it is given. Raises SpecError."""
    declared = _declared(step)
    forms = {name: _FORMS.get(str(field.type), _anything) for name, field in declared.items()}
    needed = {name for name, field in declared.items() if not _has_default(field)}

    @wraps(init)
    def construct(self: object, *unnamed: object, **given: Any) -> None:
        if unnamed or not needed <= given.keys() <= forms.keys():
            raise misnamed(step, unnamed, given, needed)
        for name, value in given.items():
            given[name] = forms[name](step, name, value)
        init(self, **given)

    return construct


def misnamed(step: type, unnamed: tuple[object, ...], given: dict[str, Any], needed: set[str]) -> SpecError:
    """The error for parameters that are missing, unknown, or given without their names."""
    names = list(_declared(step))
    unknown = [name for name in given if name not in names]
    lacking = [name for name in names if name in needed - given.keys()]
    look = _example(step, {name: value for name, value in given.items() if name in names})
    listed = ", ".join(names)
    if unknown:
        word = unknown[0]
        meant = _nearest(word, [name for name in names if name not in given])
        likely = f"{meant}= is meant" if meant else f"its parameters are {listed}"
        return SpecError(f"{step.__name__}(...) has no parameter {word}=", likely=likely, look=look)
    if unnamed:
        likely = f"its parameters are {listed}"
        return SpecError(f"{step.__name__}(...) takes its values by name", likely=likely, look=look)
    wanted = ", ".join(f"{name}=" for name in lacking)
    taker = "who= is the process that takes the step" if "who" in given else None
    return SpecError(f"{step.__name__}(...) needs {wanted}", likely=taker, look=look)


def _nearest(word: str, known: Any) -> str | None:
    from difflib import get_close_matches  # only for a mistake

    return next(iter(get_close_matches(word, known, 1)), None)


def _example(step: type, given: Mapping[str, Any]) -> str:
    """A call that works: with the values that are given, as far as they do, and samples for those that lack."""
    declared = _declared(step)
    needed = {name: sample(name, str(field.type)) for name, field in declared.items() if not _has_default(field)}
    kept = {name: value for name, value in given.items() if len(_spelt(value)) <= _SHOWN}
    for chosen in (needed | kept, needed):
        chosen = {name: chosen[name] for name in declared if name in chosen}  # in the order of their declaration
        try:
            step(**chosen)
        except Exception:  # a value that is given is wrong as well: the samples alone are right
            continue
        return f"{step.__name__}({', '.join(f'{name}={_spelt(value)}' for name, value in chosen.items())})"
    return f"help({step.__name__})"


def _declared(step: type) -> dict[str, Field[Any]]:
    return {field.name: field for field in fields(step)}


def sample(name: str, declared: str) -> Any:
    """A value that a parameter of this name and declared type can have. Raises KeyError."""
    return _SAMPLES[declared] if declared in _SAMPLES else _SAMPLES[name]


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _spelt(value: object) -> str:
    """A value as one writes it in Python, with the quotes that labkit uses."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_spelt, value))}{',' * (len(value) == 1)})"
    quoted = repr(value)
    return f'"{value}"' if isinstance(value, str) and quoted == f"'{value}'" and '"' not in value else quoted


# the forms in which a parameter is taken, by its declared type

_Form = Callable[[type, str, Any], Any]


def _anything(step: type, name: str, value: Any) -> Any:
    return value


def _exactly(wanted: type) -> _Form:
    def form(step: type, name: str, value: Any) -> Any:
        if type(value) is wanted or (isinstance(value, wanted) and not isinstance(value, bool)):
            return value
        raise _mistyped(step, name, value, _WORDS[wanted])

    return form


def _several(one: Callable[[Any], bool], words: str, *, inner: bool = False) -> _Form:
    def form(step: type, name: str, value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            items = tuple(tuple(item) if isinstance(item, list) else item for item in value) if inner else tuple(value)
            if all(map(one, items)):
                return items
        raise _mistyped(step, name, value, words)

    return form


def _mistyped(step: type, name: str, value: object, words: str) -> SpecError:
    field = _declared(step)[name]
    shown = field.default if _has_default(field) else sample(name, str(field.type))
    text_ = repr(value)
    brief = f"={text_}" if len(text_) <= _SHOWN else ""
    return SpecError(
        f"{step.__name__}(...): {name}{brief} is {type(value).__name__}, not {words}",
        look=_example(step, {name: shown}),
    )  # fmt: skip


def _is(wanted: type) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, wanted) and not isinstance(item, bool)


def _is_extent(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 3 and all(map(_is(int), item))


def _cgroup(step: type, name: str, value: Any) -> Any:
    path = _FORMS["str"](step, name, value)
    return directory(path) if path else path


def _argv(step: type, name: str, value: Any) -> Any:
    words = _FORMS["tuple[str, ...]"](step, name, value)
    if not words or not words[0]:
        raise SpecError(f"{step.__name__}(...): {name} is empty: there is no program to run", look=_example(step, {}))
    return tuple(text(f"{name}[{number}]", word) for number, word in enumerate(words))


_FORMS: dict[str, _Form] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "bool": _exactly(bool),
    "tuple[str, ...]": _several(_is(str), "a tuple of strings"),
    "tuple[int, ...]": _several(_is(int), "a tuple of whole numbers"),
    "tuple[Extent, ...]": _several(
        _is_extent, "a tuple of extents: (first inside, first outside, how many)", inner=True
    ),
    "Argv": _argv,
    "Environment": lambda step, name, value: environment(value, name),
    "Kind": lambda step, name, value: kind(value),
    "Kinds": lambda step, name, value: kinds(value, name),
    "CgroupPath": _cgroup,
}
