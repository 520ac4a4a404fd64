"""``python3 -I -S labkit/agent/__main__.py``: run the agent, with the control socket as standard input."""

import os
import sys

if __name__ == "__main__":
    # -I leaves sys.path without this package, on purpose: nothing of the caller's is imported. Add the
    # directory that holds *this* file's package, which for the sudo rule is root's own copy.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from labkit.agent.supervisor import main

    main()
