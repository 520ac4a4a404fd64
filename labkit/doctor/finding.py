"""What the doctor found: lines in groups, each with cause, remedy and the lessons that it touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.learn.needs import Need
from labkit.steps.display import Shown

Cure = Callable[[], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the page. With a `remedy` (a command) it is a problem; `minor` ones do not stop a lesson.

    `needs` is what lessons cannot have because of it, and by that says which. `cure` does what the remedy says,
    where that is safe without being asked twice; it returns what it has done, a sentence each.
    """

    about: str
    says: str
    likely: str = ""
    remedy: str = ""
    minor: bool = False
    needs: tuple[Need, ...] = ()
    cure: Cure | None = field(default=None, compare=False, repr=False)

    @property
    def mark(self) -> str:
        """``ok``, ``note`` or ``WRONG``: green, yellow or red, in a word."""
        return ("note" if self.minor else "WRONG") if self.remedy else "ok"

    @property
    def lessons(self) -> tuple[str, ...]:
        """The lessons that it touches, by what they declare; none of what is fine."""
        from labkit.doctor.lessons import that_need

        return that_need(*self.needs) if self.remedy else ()

    @property
    def details(self) -> list[tuple[str, str]]:
        """The lines below the first one, each with its name."""
        if not self.remedy:
            return []
        touched = ", ".join(name.removeprefix("nb") for name in self.lessons) or "none"
        return [("likely", self.likely), ("do", self.remedy), ("lessons", touched)]

    def __str__(self) -> str:
        first = f"  {self.mark:<6} {self.about:<11} {self.says}"
        return "\n".join([first, *(f"{'':20} {name + ':':<8} {text}" for name, text in self.details)])

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON can carry it."""
        told = {"about": self.about, "mark": self.mark, "says": self.says, "likely": self.likely}
        return {**told, "remedy": self.remedy, "lessons": self.lessons, "cured by --fix": self.cure is not None}


@dataclass(frozen=True)
class Report(Shown):
    """All findings in their groups. Its text says what stops the lessons; the page and the picture have the rest.

    So the text is one line, the same on every machine on which nothing does, and a lesson can be held to it.
    """

    groups: tuple[tuple[str, tuple[Finding, ...]], ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, in order."""
        return tuple(finding for _, findings in self.groups for finding in findings)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Those that stop a lesson, or would."""
        return tuple(finding for finding in self.findings if finding.mark == "WRONG")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Those that a student can do without."""
        return tuple(finding for finding in self.findings if finding.mark == "note")

    @property
    def verdict(self) -> str:
        """The whole of it in one line."""
        if not self.wrong:
            return "This machine is ready: nothing here stops the lessons."
        touched = sorted({name.removeprefix("nb") for finding in self.wrong for name in finding.lessons})
        count = f"{len(self.wrong)} things are" if len(self.wrong) > 1 else "1 thing is"
        return f"{count} WRONG. Lessons touched: {', '.join(touched) or 'none'}."

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        lines = []
        for title, findings in self.groups if self.wrong else ():
            wrong = [finding for finding in findings if finding.mark == "WRONG"]
            lines.append(f"{'WRONG' if wrong else 'ok':<6} {title}")
            lines += [str(finding) for finding in wrong]
        return "\n".join([*lines, self.verdict])
