"""From lessons to needs and back: what they want between them, and which of them something touches."""

from __future__ import annotations

from functools import lru_cache

from labkit.learn import course
from labkit.learn.needs import Need


@lru_cache(maxsize=1)
def needs() -> dict[Need, tuple[str, ...]]:
    """Each thing that a lesson declares, in the order of `Need`, with the lessons that do."""
    lessons = [course.load(name) for name in course.written()]
    wanted = {need: tuple(lesson.id for lesson in lessons if need in lesson.needs) for need in Need}
    return {need: names for need, names in wanted.items() if names}


def that_need(*things: Need) -> tuple[str, ...]:
    """The lessons that need one of these things."""
    return tuple(sorted({name for thing in things for name in needs().get(thing, ())}))
