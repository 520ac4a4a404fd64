"""The package as pip installs it: all that it needs is in the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the unpacked wheel, as it would lie in site-packages."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", place, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = place.glob("labkit-*.whl")
    zipfile.ZipFile(wheel).extractall(place / "site")
    return place / "site"


def test_the_wheel_has_every_file_of_the_package_and_of_its_images(installed: Path) -> None:
    there = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    package = [path for path in (ROOT / "labkit").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {str(path.relative_to(ROOT)) for path in package}
    wanted |= {f"labkit/{path.relative_to(ROOT)}" for path in ROOT.glob("images/*/*")}
    wanted |= {f"labkit/traces/{path.name}" for path in ROOT.glob("notebooks/traces/*")}
    assert wanted <= there
    assert {name for name in there if name.startswith("labkit/")} == wanted, "and nothing else"


def test_the_wheel_runs_without_the_checkout(installed: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import labkit; from labkit import Lab, learn;"
        "from labkit.image import rootfs; from labkit.view import player;"
        "assert labkit.__file__.startswith(sys.argv[1]);"
        "print(*rootfs.names(), learn.lesson('nb03').id, Lab().run('busybox', 'true').returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, installed], env={"LABKIT_BACKEND": "dry"}, cwd="/",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("busybox nb03 0\n", "")


def test_the_wheel_replays_a_lesson_without_the_checkout(installed: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from labkit import Lab, learn;"
        "print(Lab(learn.lesson('nb03')).recorded.partition(' on ')[0])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, installed], env={"LABKIT_BACKEND": "replay"}, cwd="/",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("recorded\n", "")


def test_the_command_tells_the_same_version_as_the_package(installed: Path) -> None:
    (metadata,) = installed.glob("labkit-*.dist-info/METADATA")
    version = next(line.split()[1] for line in metadata.read_text().splitlines() if line.startswith("Version:"))
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from labkit.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, installed, "--version"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout == f"labkit {version}\n"
