"""How a test that takes too long is ended: by an exception in it, so that its fixtures clean up and the others go on.

On a machine that is slow as such, an emulated one, ``LABKIT_TEST_PATIENCE`` says how many times as long each may take.

pytest-timeout raises ``pytest.fail`` for that. Hypothesis takes that one for a failure of the example and repeats it,
now without a limit: a test that hangs would hang again. So what is raised here is no failure that anybody catches.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

import pytest

PATIENCE = float(os.environ.get("LABKIT_TEST_PATIENCE", "1"))


class TookTooLong(BaseException):
    """The test's time is up; see the line of the test at which that happened."""


@pytest.hookimpl
def pytest_timeout_set_timer(item: Any, settings: Any) -> bool | None:
    """Instead of pytest-timeout's own; where there is no such signal (Windows) its thread does it."""
    if not hasattr(signal, "setitimer") or settings.method != "signal":
        return None

    seconds = PATIENCE * settings.timeout

    def raise_in_test(number: int, frame: FrameType | None) -> None:
        raise TookTooLong(f"{item.nodeid} took more than {seconds:g} s")

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel
    signal.signal(signal.SIGALRM, raise_in_test)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    return True
