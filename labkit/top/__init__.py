"""`labkit top`: what the containers of all running labs use, in a terminal.

It reads the counters of their cgroups where the kernel keeps them, and asks no lab anything: a notebook that is busy
is watched as well as one that waits, and none is held up.

See: top(1), cgroups(7).
"""

from __future__ import annotations

from labkit.top.command import main

__all__ = ["main"]
