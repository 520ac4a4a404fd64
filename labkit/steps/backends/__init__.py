"""The seam between plans and kernels: `Live` (an agent), `Recording`, `Replay`, `Dry`.

``LABKIT_BACKEND`` says which: ``live``, ``replay`` (answers from the lesson's recording, or from the file
``LABKIT_TRACE``), ``record`` (writes one while it works), ``dry`` (asks no kernel). Where it is not set a lab
is live, and a lesson that cannot be live on this machine goes on in replay.
"""

from __future__ import annotations

import os
import sys

from labkit.errors import AgentError
from labkit.steps.backends import recordings
from labkit.steps.backends.base import Backend, Images


def choose(images: Images, *, lesson: str = "", lacks: str = "") -> Backend:
    """The backend for a lab of `lesson` (its id; empty: of none).

    `lacks` is a sentence on what the lesson needs and this machine has not: then it is replayed, if it was
    recorded and nothing else is asked for. So it is where no lab opens. Raises AgentError, ReplayError.
    """
    wanted = os.environ.get("LABKIT_BACKEND", "")
    if wanted == "replay":
        return _replay(lesson, "LABKIT_BACKEND=replay asks for it")
    if wanted == "dry":
        from labkit.steps.backends.dry import Dry

        return Dry()
    may_replay = not wanted and recordings.of(lesson) is not None
    if lacks and may_replay:
        return _replay(lesson, lacks)
    try:
        below = _live(images)
    except AgentError as error:
        if may_replay:
            return _replay(lesson, error.message)
        raise
    if wanted == "record":
        from labkit.steps.backends.recording import Recording

        return Recording(below)
    return below


def _live(images: Images) -> Backend:
    """An agent on this machine. Raises AgentError, too, where there is no Linux to have one on."""
    if sys.platform != "linux":
        from labkit.agent import start

        start.choose()  # says so
    from labkit.steps.backends.live import Live

    return Live(images)


def _replay(lesson: str, because: str) -> Backend:
    from labkit.steps.backends.replay import Replay

    return Replay.of(lesson, because)
