"""A process that renames itself, seen from outside by /proc and by ps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.linux import proc

PLACE = Path(proc.__file__).parents[2]
RENAME = """
import os, sys
sys.path.insert(0, sys.argv[1])
from labkit.linux import titles
if sys.argv[2] == "fork":
    titles.room()
    child = os.fork()
    if child:
        sys.stdin.read()
        os._exit(os.waitpid(child, 0)[1])
print(os.getpid(), ascii(titles.set_title(sys.argv[3])), flush=True)
sys.stdin.read()
print(os.environ["LABKIT_WITNESS"], len(sys.argv), flush=True)
"""


@pytest.mark.parametrize("how", ["plain", "fork"])
@pytest.mark.parametrize(
    ("title", "comm", "argv"),
    [
        ("labkit:[c1]", "labkit:[c1]", ["labkit:[c1]"]),
        ("labkit:[a-long-name]", "labkit:[a-long-", ["labkit:[a-long-name]"]),
        ("ä b\nc", "ä b\nc", ["ä b\nc"]),
    ],
)
def test_ps_shows_the_title(how: str, title: str, comm: str, argv: list[str]) -> None:
    with _renamed(how, title) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pid = int(process.stdout.readline().split()[0])
        assert proc.stat(pid).comm == comm
        assert proc.cmdline(pid) == argv
        assert proc.title(pid) == title
        if shutil.which("ps") and title.isascii():
            shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True)
            assert shown.stdout.strip() == title
        process.stdin.close()
        assert process.stdout.read() == "unharmed 4\n", "the environment lies behind the arguments and must stay whole"
    assert process.returncode == 0


def test_a_title_too_long_is_cut_and_leaves_the_environment_alone() -> None:
    program = RENAME.replace("sys.argv[3]", '"y" * 100_000')
    with _renamed("plain", "short", program=program) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pid = int(process.stdout.readline().split()[0])
        shown = proc.title(pid)
        assert set(shown) == {"y"}
        assert len(shown) < 2000
        process.stdin.close()
        assert process.stdout.read() == "unharmed 4\n"


def _renamed(how: str, title: str, *, program: str = RENAME) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", program, PLACE, how, title],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"LABKIT_WITNESS": "unharmed"},
    )
