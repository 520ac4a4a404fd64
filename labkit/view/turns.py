"""What the browser asks for is done where cells run, one thing after the other.

Some kernels hand a widget's messages to a thread of their own (kernel subshells), so that a click is heard
while a cell runs. Then a click could take a step in the middle of another one; so it waits for its turn.

See: Jupyter Enhancement Proposal 91, "Kernel subshells".
"""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_turn(act: Callable[[], None]) -> None:
    """Do it now on the main thread, else as soon as the cell that runs there has ended; in the order of asking."""
    if threading.current_thread() is threading.main_thread():
        act()
    else:
        from ipykernel.kernelbase import Kernel

        Kernel.instance().io_loop.add_callback(act)
