"""What the README and the page about Python show works as they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = (ROOT / "docs/python.md").read_text()
HELP = subprocess.run(["./lab", "--help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_the_ten_lines_run_and_show_the_triple_view() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PYTHON, re.MULTILINE | re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 10
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("c1\n")
    for part in ("step 1: ", "\n  calls\n", "\n  shell\n    $ ", "\n  changes\n    + "):
        assert part in done.stdout


def test_the_readme_comes_to_the_point() -> None:
    """What it is, a picture, the two commands, the address and how to stop: before anything else."""
    order = ("A container lab", "docs/images/player.png", "./lab up ", "./lab test ", "Open the printed address",
             "ssh -L 8888:127.0.0.1:8888", "`./lab down` stops", "docs/start.md")  # fmt: skip
    places = [README.index(words) for words in order]
    assert places == sorted(places)
    assert README.count("\n## ") == 1, "all else is in docs/"
    assert len(README[: README.index("\n## ")].splitlines()) <= 30, "the first screen of it"


def test_the_commands_that_the_pages_name_exist() -> None:
    known = {line.split()[0] for line in HELP.splitlines() if re.match(r"  [a-z]+ {2,}", line)}
    for page in (README, (ROOT / "docs/start.md").read_text()):
        named = set(re.findall(r"\./lab ([a-z]+)", page))
        assert named and named <= known
