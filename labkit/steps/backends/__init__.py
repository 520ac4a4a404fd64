"""The seam between plans and kernels: `Live` (an agent), `Recording`, `Replay`, `Dry`.

``LABKIT_BACKEND=replay`` answers from a recording (``LABKIT_TRACE`` names its file), ``record`` writes
one while it works, ``dry`` asks no kernel; anything else is live.
"""

from __future__ import annotations

import os

from labkit.steps.backends.base import Backend, Images


def choose(images: Images) -> Backend:
    """The backend that the environment asks for."""
    wanted = os.environ.get("LABKIT_BACKEND", "live")
    if wanted == "replay":
        from labkit.steps.backends.replay import Replay

        return Replay.from_environment()
    if wanted == "dry":
        from labkit.steps.backends.dry import Dry

        return Dry()
    from labkit.steps.backends.live import Live

    if wanted == "record":
        from labkit.steps.backends.recording import Recording

        return Recording(Live(images))
    return Live(images)
