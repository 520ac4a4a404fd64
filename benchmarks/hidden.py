"""A helper process in a mount namespace of its own, for peers that need the machine to look otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType

SERVER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from benchmarks.peers import spawn
for line in sys.stdin:
    try:
        answer = spawn(json.loads(line))
    except Exception as error:
        answer = str(error)
    print(json.dumps(answer), flush=True)
"""


class Elsewhere:
    """Spawns programs in there, and times them there too: an nsenter(1) each time would be part of the figure.

    `script` is what a shell does first, in the new mount namespace: mount something over what is to be hidden.
    """

    def __init__(self, script: str) -> None:
        inside = [sys.executable, "-c", SERVER, os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
        self._server = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh", *inside],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.communicate()

    def spawn(self, argv: list[str]) -> float:
        """As `peers.spawn`, but in there."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(argv) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline() or '"the helper process is gone"')
        if not isinstance(answer, float):
            raise RuntimeError(answer)
        return answer
