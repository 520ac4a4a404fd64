"""Which devices a container may use, in the words of cgroup version 1, which OCI runtimes speak as well.

A rule is a type (``c`` for characters, ``b`` for blocks), the device's two numbers, either of which may be ``*``, and
what is allowed: to read it, to write to it, to make it with mknod(2). What no rule allows is refused.

    >>> parse(["c 1:3 r", "c 1:3 mw", "c 136:* rw"])
    (Rule('c 1:3 rwm'), Rule('c 136:* rw'))

See: cgroups(7) "devices", the kernel's admin-guide/cgroup-v1/devices.rst, the OCI runtime specification,
config-linux.md "Allowed Device List".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.errors import SpecError

_RULE = re.compile(r"([abc]) +(\d{1,9}|\*):(\d{1,9}|\*) +([a-z]+)")
_MAJORS, _MINORS = 2**12, 2**20  # <linux/kdev_t.h>: 32 bits for both
_EXAMPLE = 'devices=("c 1:3 rwm", "c 136:* rw")'


@dataclass(frozen=True)
class Rule:
    """Who asks for a device of this type and these numbers (None: any) gets what is in `access`, and no more."""

    type: str
    major: int | None
    minor: int | None
    access: str

    def __str__(self) -> str:
        major, minor = ("*" if number is None else number for number in (self.major, self.minor))
        return f"{self.type} {major}:{minor} {self.access}"

    def __repr__(self) -> str:
        return f"Rule('{self}')"


def parse(rules: Sequence[str]) -> tuple[Rule, ...]:
    """The rules in their order; what is said twice of the same devices is one rule. Raises SpecError."""
    if isinstance(rules, str) or not isinstance(rules, Sequence):
        raise SpecError(f"devices is {type(rules).__name__}, not a list of rules", look=_EXAMPLE)
    access: dict[tuple[str, int | None, int | None], str] = {}
    for rule in map(_parsed, rules):
        key = rule.type, rule.major, rule.minor
        given = access.get(key, "") + rule.access
        access[key] = "".join(letter for letter in "rwm" if letter in given)
    return tuple(Rule(*key, letters) for key, letters in access.items())


def _parsed(text: object) -> Rule:
    found = _RULE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise SpecError(f"{text!r} is no rule about devices", likely=_why(text), look=_EXAMPLE)
    kind, major, minor, access = found.groups()
    if kind == "a" and (major, minor, access) != ("*", "*", "rwm"):
        raise SpecError(
            f"{text!r}: a stands for all devices, whatever follows",
            likely="version 1 does not read on after it, so that this would allow everything",
            look=f'"c {major}:{minor} {access}", "b {major}:{minor} {access}"',
        )
    if strange := [letter for letter in access if letter not in "rwm"] or (len({*access}) < len(access)):
        what = f"{strange[0]} is none of them" if isinstance(strange, list) else "one of them stands there twice"
        raise SpecError(f"{text!r}: what is allowed is r, w, m, or several; {what}", look=_EXAMPLE)
    return Rule(kind, _number(text, "major", major, _MAJORS), _number(text, "minor", minor, _MINORS), access)


def _number(text: object, which: str, digits: str, end: int) -> int | None:
    if digits == "*":
        return None
    if int(digits) >= end:
        raise SpecError(
            f"{text!r}: no device has the {which} number {digits}",
            likely=f"it is less than {end}",
            look="ls -l /dev, cat /proc/devices",
        )
    return int(digits)


def _why(text: object) -> str:
    if not isinstance(text, str):
        return f"a rule is a text, and this is {type(text).__name__}"
    if text.startswith("/"):
        return f"the kernel knows a device by its numbers, not by its name: ls -l {text} shows them before the date"
    if re.match(r"[abc]\b", text):
        return "after the type come two numbers (or *) with a colon between them, and then what is allowed: r, w, m"
    return "a rule begins with its type: c or b, or a for all"
