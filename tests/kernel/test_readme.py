"""What the README shows works as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_run_and_show_the_triple_view() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 10
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("c1\n")
    for part in ("step 1: ", "\n  calls\n", "\n  shell\n    $ ", "\n  changes\n    + "):
        assert part in done.stdout
