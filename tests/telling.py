"""What every error owes its reader."""

from __future__ import annotations

from labkit.errors import LabError


def well_told(error: LabError) -> None:
    """One line that says what, and at least one that says why or what next; fit to be read on a screen."""
    assert "\n" not in error.message
    assert len(error.message) < 400, error.message
    assert error.likely or error.look
    assert str(error).splitlines()[0] == error.message
    assert error._render_traceback_() == [f"{type(error).__name__}: {error}"]
