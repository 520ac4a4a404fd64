"""Labs for the tests beside other tools: the same as those of the kernel ring, held to leave as little."""

from __future__ import annotations

from kernel.conftest import *  # noqa: F403  # its fixtures, by whatever name
