"""A step: one act that the kernel can see, intended and not yet done.

A step is data. It says which calls it makes, which shell line does the same, which facts it may
change, how it is undone, and why it is taken: the first line of a Step class's docstring is what
changes in the kernel, the second paragraph why and what breaks without it, the last line where to
read on. The step player shows these three, so they are written for the student. Where arguments make
it another act (a fork, a thaw), `explanation` says so instead of the docstring.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self

from labkit.linux.calls import Intent
from labkit.steps import parameters
from labkit.steps.display import Shown
from labkit.steps.snapshot import Snapshot

_PAGE = re.compile(r"\b([a-zA-Z_][\w.-]*\(\d\))")


@dataclass(frozen=True, kw_only=True)
class Step(Shown):
    """The base of all steps; `who` names the process that takes it ("host": the lab host's zygote).

    Whatever a step is given is checked when it is made (`labkit.steps.parameters`). Raises SpecError.
    """

    who: str = "host"

    #: names of the facts that the step may change; a test holds it to that
    probes: ClassVar[tuple[str, ...]] = ()
    #: why there is no inverse step, where there is none
    no_way_back: ClassVar[str] = "no system call takes this back"
    #: the shell line starts a new shell instead of running in the old one (setpriv, nsenter, chroot …)
    replaces_shell: ClassVar[bool] = False
    #: the shell line turns the shell into the program (exec)
    ends_shell: ClassVar[bool] = False
    #: the name of the child for which the process serves as init from then on
    init: ClassVar[str] = ""
    #: spawned processes, namespaces and such that a rebuild has to give the same names again
    names_new_things: ClassVar[bool] = False

    __signature__: ClassVar[Any] = parameters.Signature()
    _checked: ClassVar[bool] = False
    _known: ClassVar[dict[str, type[Step]]] = {}

    def __init_subclass__(cls) -> None:
        Step._known[cls.__name__] = cls

    def __new__(cls, *_: object, **__: object) -> Self:
        """An empty step. Before the first one of its class the constructor, which a dataclass gets late, is wrapped."""
        if "_checked" not in cls.__dict__ and "__init__" in cls.__dict__:
            cls.__init__ = parameters.checked(cls, cls.__init__)  # type: ignore[method-assign]  # once a class
            cls._checked = True
        return object.__new__(cls)

    def calls(self) -> Iterator[Intent]:
        """The system calls, in order."""
        raise NotImplementedError

    def shell(self) -> str:
        """The line that does the same in a shell of process `who`."""
        raise NotImplementedError

    def undo(self, before: Snapshot) -> Step | None:
        """The step that leads back to `before` (the facts of `probes` as they were), or None."""
        return None

    def needs(self) -> tuple[str, ...]:
        """What must be there: ``image:busybox``, ``namespace:time``, ``tool:setpriv``."""
        return ()

    @property
    def title(self) -> str:
        """The act in a few words, with its object."""
        return self.summary()

    @property
    def children(self) -> tuple[str, ...]:
        """Names of the processes it spawns."""
        return ()

    def explanation(self) -> tuple[str, str]:
        """What this step changes in the kernel, in a sentence, and why it is taken: of its class, or of its arguments.

        A subclass overrides it for the arguments of which the docstring would not be true.
        """
        what, *why, _ = _paragraphs(type(self).__doc__ or type(self).__name__)
        return what, " ".join(why) or what

    def summary(self) -> str:
        """What changes in the kernel, without a full stop."""
        return self.explanation()[0].rstrip(".")

    def why(self) -> str:
        """Why it is taken, and what breaks without it."""
        return self.explanation()[1]

    @classmethod
    def man(cls) -> tuple[str, ...]:
        """The manual pages to read: ``("mount(2)", "mount_namespaces(7)")``."""
        last = _paragraphs(cls.__doc__ or cls.__name__)[-1]
        return tuple(dict.fromkeys(_PAGE.findall(last))) if last.startswith("See:") else ()

    def __str__(self) -> str:
        lines = [f"{self.title}   ({self.who})", *(f"  $ {line}" for line in self.shell().split("\n"))]
        return "\n".join([*lines, f"  {self.summary()}.", f"  See: {', '.join(self.man())}"])

    def to_json(self) -> dict[str, Any]:
        """The step as JSON can carry it."""
        return {"step": type(self).__name__, **{f.name: getattr(self, f.name) for f in fields(self)}}

    @staticmethod
    def from_json(row: dict[str, Any]) -> Step:
        """The step that `to_json` wrote."""
        kind = Step._known[row["step"]]
        return kind(**{key: _frozen(value) for key, value in row.items() if key != "step"})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


@cache
def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()).replace("`", "") for part in text.strip().split("\n\n")]
