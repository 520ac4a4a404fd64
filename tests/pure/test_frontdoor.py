"""The front door: ./lab and what it relies on. Nothing here installs, starts or stops anything."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit import cli
from labkit.errors import ImageError
from labkit.image import rootfs

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [ROOT / "lab", ROOT / ".ci/run", ROOT / "setup/agent/agent", *ROOT.glob("images/*/build.sh")]
SOURCED = sorted(ROOT.glob("setup/*.sh"))


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ./lab as somebody who stands elsewhere."""
    return subprocess.run([ROOT / "lab", *arguments], capture_output=True, text=True, check=False, cwd="/", timeout=20)


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


# The script


def test_help_names_every_command() -> None:
    done = lab("--help")
    offered = set(re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE))
    assert (done.returncode, done.stderr) == (0, "")
    assert offered == {"up", "down", "doctor", "top", "vm", "test", "record", "bench", "remove"}
    assert lab().stdout == lab("up", "--help").stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upp"], "there is no command upp"),
        (["up", "--fast"], "up does not know --fast"),
        (["up", "--port", "http"], "--port wants a number, not http"),
        (["up", "--port", "65536"], "--port wants a number, not 65536"),
        (["up", "--class", "--gate", "ajar"], "--gate wants on or off, not ajar"),
        (["up", "--gate", "off"], "--gate belongs to --class"),
        (["test", "kernels"], "there is no ring kernels"),
        (["test", "pure", "kernels", "-x"], "there is no ring kernels"),
        (["test", "kernel", "--report"], "--report wants a directory"),
        (["vm", "--fast"], "vm does not know --fast"),
        (["vm", "--stop", "--reset"], "vm takes one option at a time"),
    ],
)
def test_a_wrong_word_is_named_and_nothing_happens(arguments: list[str], message: str) -> None:
    done = lab(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lab: {message}\nTry ./lab --help\n"


def test_standard_input_may_be_closed() -> None:
    done = subprocess.run(["bash", "-c", 'exec "$0" --help <&-', ROOT / "lab"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_program_has_its_run_bits(program: Path) -> None:
    assert program.stat().st_mode & 0o111 == 0o111


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed here; ./lab test installs it")
def test_shell_scripts_are_clean() -> None:
    subprocess.run(["shellcheck", "-x", *PROGRAMS, *SOURCED], check=True, cwd=ROOT)


@pytest.mark.skipif(not shutil.which("visudo"), reason="sudo is not installed here")
def test_the_sudo_rule_is_valid_and_permits_no_argument() -> None:
    rule = subprocess.run(
        ["bash", "-c", "STATE=.; source setup/privilege.sh; rule"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert rule.endswith(' NOPASSWD: /usr/local/libexec/labkit/agent ""')
    subprocess.run(["visudo", "-cf", "-"], input=rule + "\n", text=True, check=True, capture_output=True)


# How it talks


def script(code: str, place: Path, **surroundings: str) -> subprocess.CompletedProcess[str]:
    """Run lines of bash as ./lab would, with `place` as the checkout."""
    begin = f"set -euo pipefail; ROOT={place}; source {ROOT}/setup/lib.sh; open_state\n"
    return subprocess.run(
        ["bash", "-c", begin + code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=30,
        env=os.environ | surroundings,
    )  # fmt: skip


def test_a_task_that_fails_names_itself_its_words_and_the_remedy(tmp_path: Path) -> None:
    done = script('task "boil water" "light the stove" bash -c "echo no gas; exit 7"; echo not reached', tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        '  | no gas\n\nlab: the step "boil water" failed\n'
        "  because: exit status 7; the last lines are above, all of them in .lab/log/boil-water.log\n"
        "  remedy:  light the stove\n"
    )


def test_what_takes_over_two_seconds_shows_that_it_goes_on_and_what_does_not_is_silent(tmp_path: Path) -> None:
    done = script('task "blink" "" /bin/true; task "sleep" "" sleep 2.5', tmp_path)
    assert done.stdout.startswith(".....  sleep\ndone: sleep (") and "blink" not in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_is_told_as_what_it_is(tmp_path: Path) -> None:
    done = script('task "wait" "" bash -c "kill -INT $$"; sleep 5; echo not reached', tmp_path)
    assert (done.returncode, done.stdout.strip()) == (130, "")
    assert "interrupted; the same command again goes on" in done.stderr


def test_two_at_once_take_turns_in_one_checkout(tmp_path: Path) -> None:
    code = 'echo "$1 in" >>"$ROOT/order"; sleep 0.3; echo "$1 out" >>"$ROOT/order"'
    begin = f"ROOT={tmp_path}; source {ROOT}/setup/lib.sh; open_state\n"
    both = [subprocess.Popen(["bash", "-c", begin + code, "-", who], stdout=subprocess.DEVNULL) for who in "ab"]
    assert [one.wait(20) for one in both] == [0, 0]
    order = (tmp_path / "order").read_text().split()
    assert order in (["a", "in", "a", "out", "b", "in", "b", "out"], ["b", "in", "b", "out", "a", "in", "a", "out"])


NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a clone that another user may not write")
@pytest.mark.parametrize("own", [True, False])
def test_both_know_where_the_state_of_a_clone_is_that_may_not_be_written(own: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="labkit-a clone é(1)-") as made:
        clone, home = Path(made), Path(made, "home")
        home.mkdir()
        os.chown(clone if own else home, 65534, 65534)
        os.chmod(clone, 0o755)
        begin = f"set -euo pipefail; ROOT=$1; source {ROOT}/setup/lib.sh; open_state; echo $STATE"
        code = "import sys, pathlib; from labkit import jupyter; print(jupyter.state(pathlib.Path(sys.argv[1])))"
        told = [
            subprocess.run(
                command, cwd=ROOT, env=os.environ | {"HOME": str(home)}, capture_output=True, text=True, check=True,
                **NOBODY,
            ).stdout
            for command in (["bash", "-c", begin, "-", made], [sys.executable, "-c", code, made])
        ]  # fmt: skip
        assert told[0] == told[1]
        place = Path(told[0].strip())
        assert place.parent == (clone if own else home / ".local/state/labkit")
        assert place.stat().st_uid == 65534 and (place / "lock").exists()


def test_where_nothing_may_be_written_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / ".lab").write_text("in the way")
    done = script("echo not reached", tmp_path, HOME="/proc")
    assert (done.returncode, done.stdout) == (1, "")
    assert "set XDG_STATE_HOME to a directory of your own, or clone into one" in done.stderr


# The server


def test_a_server_is_known_by_more_than_its_pid() -> None:
    sys.path.insert(0, str(ROOT / "setup"))
    try:
        import server
    finally:
        sys.path.pop(0)
    with subprocess.Popen(["sleep", "60"]) as child:
        ours = {"pid": child.pid, "born": server.born(child.pid), "boot": server.boot()}
        assert server.alive(ours)
        assert not server.alive(ours | {"born": ours["born"] - 1})
        assert not server.alive(ours | {"boot": "another boot"})
        server.end_process(ours | {"born": ours["born"] - 1})
        assert child.poll() is None, "a process that only has the same pid is left alone"
        server.end_process(ours)
        assert child.wait(5) == -15
    assert not server.alive(ours)


def test_a_port_that_is_taken_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = f"import server; print(server.free_port({port}))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT / "setup", capture_output=True, text=True, check=True
        )
    assert int(done.stdout) > port


# What is downloaded

#: installs a package, where root's programs are only written down
INSTALL = """
ROOT=$1; cd "$2"; cd /
source "$ROOT/setup/lib.sh"; source "$ROOT/setup/packages.sh"
STATE=$2
as_root() { (IFS='|'; echo "$*") >>"$STATE/called"; }
install_packages labkit-example
echo "${PIP_CACHE_DIR:-} ${PLAYWRIGHT_BROWSERS_PATH:-}"
"""


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="this system has no apt")
@pytest.mark.parametrize("given", ["", "kept", "/kept"])
def test_downloads_lie_where_a_ci_can_keep_them(tmp_path: Path, given: str) -> None:
    kept = f"{tmp_path}/kept"  # one that is not absolute is meant from where the caller stands
    variables = {"PATH": os.environ["PATH"]} | ({"LABKIT_CACHE": kept if given == "/kept" else given} if given else {})
    done = subprocess.run(
        ["bash", "-euc", INSTALL, "lab", ROOT, tmp_path], env=variables, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [call] = [line for line in (tmp_path / "called").read_text().splitlines() if "|install|" in line]
    assert done.stdout.strip() == (f"{kept}/pip {kept}/playwright" if given else "")
    options = f"|-o|Dir::Cache::Archives={kept}/apt|-o|APT::Keep-Downloaded-Packages=true|install|labkit-example"
    assert call.endswith(options if given else "]/*|install|labkit-example")


# The course and the packages


def test_the_table_of_contents_lists_every_notebook_and_no_other() -> None:
    listed = re.findall(r"\]\(([^)]+\.ipynb)\)", (ROOT / "notebooks/index.md").read_text())
    assert sorted(listed) == sorted(path.name for path in ROOT.glob("notebooks/*.ipynb"))


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))], ids=lambda path: path.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link
    for name in re.findall(r"`((?:labkit|tests|docs|setup|images|notebooks)/[\w/.-]*)`", text):
        assert (ROOT / name.replace("NN", "03")).exists(), name
    offered = re.findall(r"^  (\w+) ", lab("--help").stdout, re.MULTILINE)
    assert {*re.findall(r"\./lab (\w+)", text)} <= {*offered}


def test_conda_gets_what_pip_gets() -> None:
    lines = re.findall(r"^  - (\S+[^:\s])$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    of_conda = [line for line in lines if line not in {"conda-forge", "pip"}]
    of_pip = [line.partition(";")[0] for line in project()["dependencies"]]  # conda does not know "on Linux only"
    assert of_conda == ["python" + project()["requires-python"], *of_pip]


def test_settings_are_valid_and_the_kernel_is_the_labs() -> None:
    for file in ROOT.glob("setup/jupyter/*.json"):
        json.loads(file.read_text())
    assert json.loads((ROOT / "setup/jupyter/kernel.json").read_text())["display_name"] == "labkit"


def test_importing_labkit_imports_nothing_else() -> None:
    """The agent does it in a bare interpreter."""
    code = "import sys, __future__; sys.path[:0] = sys.argv[1:]; old = {*sys.modules}; import labkit;"
    code += "print(*{*sys.modules} - old)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, ROOT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["labkit"]


# The command


def test_a_lab_loads_what_few_need_only_when_it_is_needed() -> None:
    """`from labkit import Lab` is what every lesson waits for first: its modules are counted, and these are not in."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; from labkit import Lab; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "labkit.lab" in loaded
    later = {"labkit.cgroups.devices", "labkit.cgroups.rosetta", "labkit.container.machine", "labkit.container.wiring",
             "labkit.image.rootfs", "labkit.network", "labkit.steps.walk", "labkit.view", "labkit.learn",
             "hashlib", "html", "json", "psutil", "pyroute2", "subprocess"}  # fmt: skip
    assert loaded & later == set()


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"labkit {labkit.__version__}\n")
    assert cli.main([]) == 0
    assert "doctor" in capsys.readouterr().out


def test_an_error_is_a_message_not_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["image", "path", "../../etc"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("labkit: there is no image '../../etc'\n")
    assert "likely:" in said and "look:" in said


# The image


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABKIT_IMAGES", str(tmp_path / "images"))
    return tmp_path / "images"


def test_an_image_is_built_once_and_found_by_name(store: Path) -> None:
    with pytest.raises(ImageError, match="not built yet"):
        rootfs.image_path("busybox")
    tree = rootfs.build("busybox")
    assert rootfs.image_path("busybox") == tree and tree.parent == store / "busybox"
    assert rootfs.is_current("busybox")
    assert (tree / "bin/sh").resolve() == tree / "bin/busybox"
    assert (tree / "tmp").stat().st_mode & 0o7777 == 0o1777
    before = tree.stat().st_ctime_ns
    assert rootfs.build("busybox") == tree and tree.stat().st_ctime_ns == before
    assert sorted(path.name for path in (store / "busybox").iterdir()) == sorted(["rootfs", tree.name])


def test_a_build_that_fails_leaves_the_old_tree_and_nothing_else(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = tmp_path / "contexts/toy"
    context.mkdir(parents=True)
    monkeypatch.setattr(rootfs, "CONTEXTS", context.parent)
    (context / "build.sh").write_text('echo one >"$1/file"')
    old = rootfs.build("toy")
    (context / "build.sh").write_text('echo two >"$1/file"; echo "no such tool" >&2; exit 1')
    with pytest.raises(ImageError, match="no such tool"):
        rootfs.build("toy")
    assert rootfs.image_path("toy") == old and not rootfs.is_current("toy")
    assert len(list((store / "toy").iterdir())) == 2


def test_two_builds_give_the_same_tree(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        subprocess.run([ROOT / "images/busybox/build.sh", tmp_path / name], check=True, capture_output=True)
    subprocess.run(["diff", "-r", "--no-dereference", tmp_path / "one", tmp_path / "two"], check=True)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "x\n", "x" * 300, "\0"])
def test_names_that_are_no_names(name: str, store: Path) -> None:
    with pytest.raises(ImageError, match="there is no image"):
        rootfs.image_path(name)
