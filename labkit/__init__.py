"""labkit: a container lab whose every step can be watched, predicted and undone.

The agent imports this package too, in a bare `python3 -I -S`, thousands of times a lesson.
So nothing is imported here; `labkit.Lab` is looked up when it is first asked for (PEP 562).
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING without the 10 ms that importing typing costs
if TYPE_CHECKING:
    from labkit.lab import Lab as Lab

__version__ = "0.1.0"
__all__ = ["Lab", "__version__"]


def __getattr__(name: str) -> object:
    """Import `Lab` on first use."""
    if name == "Lab":
        from labkit.lab import Lab

        globals()["Lab"] = Lab
        return Lab
    raise AttributeError(f"module 'labkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Let tab completion see the lazy name too."""
    return sorted({*globals(), *__all__})
