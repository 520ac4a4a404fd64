"""What all facts have in common: a subject, a state, a title and a text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from labkit.steps.display import Shown


@dataclass(frozen=True, slots=True)
class Fact(Shown):
    """The base of all facts. `probe` is the name under which it is asked for."""

    probe: ClassVar[str] = ""
    about: ClassVar[tuple[str, ...]] = ()

    @property
    def subject(self) -> tuple[object, ...]:
        """What the fact is about."""
        return (type(self).__name__, *(getattr(self, name) for name in self.about))

    @property
    def state(self) -> dict[str, object]:
        """What may change while the subject stays the same, by field name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.about}

    def shown(self, name: str, value: object) -> str:
        """The value of one field as a reader wants it."""
        if isinstance(value, tuple):
            return ", ".join(self.shown(name, item) for item in value) or "nobody"
        return str(value) if value != "" else "nothing"

    def label(self, name: str) -> str:
        """The name of one field as a change shows it."""
        return name

    @property
    def title(self) -> str:
        """The subject in words."""
        return " ".join(str(part) for part in self.subject).lower()

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {value}" for name, value in self.state.items() if value not in ("", (), None))
        return f"{self.title}: {shown}" if shown else self.title
