"""What describes the course's machine: Vagrantfile, cloud-init, Lima. Nothing here starts one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
NO_VAGRANT = "vagrant is not installed: Debian 13 has no package of it; on Debian 12 ./lab test installs it"


def vagrant(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Vagrant, as somebody who has never used it."""
    surroundings = os.environ | {"VAGRANT_HOME": str(home), "VAGRANT_CHECKPOINT_DISABLE": "1"} | settings
    return subprocess.run(
        ["vagrant", "--no-tty", *words], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(not shutil.which("vagrant"), reason=NO_VAGRANT)
def test_the_vagrantfile_is_valid(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "validate", "--ignore-provider")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("vagrant"), reason=NO_VAGRANT)
def test_a_wrong_size_is_told_with_its_remedy(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "validate", "--ignore-provider", LABKIT_PORT="many")
    assert done.returncode != 0
    assert "LABKIT_PORT wants a number, not many" in done.stderr
    assert "LABKIT_PORT=8888" in done.stderr


@pytest.mark.parametrize("name", ["cloud-init.yaml", "lima.yaml"])
def test_both_yaml_files_hand_over_to_the_one_script(name: str) -> None:
    text = (ROOT / "vm" / name).read_text()
    told = yaml.safe_load(text)
    scripts = [each.get("content") or each.get("script") for each in told.get("write_files") or told["provision"]]
    assert ["vm/provision.sh" in script for script in scripts] == [True]
    for script in scripts:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
        assert "apt-get" not in script or "git" in script  # packages are the one script's affair


def test_cloud_init_knows_its_file_by_the_first_line() -> None:
    assert (ROOT / "vm/cloud-init.yaml").read_text().startswith("#cloud-config\n")


@pytest.mark.parametrize("name", ["labkit.service.in", "greeting.in"])
def test_a_template_has_no_blank_that_nobody_fills(name: str) -> None:
    filled = set(re.findall(r"@[A-Z]+@", (ROOT / "vm/machine.sh").read_text()))
    assert set(re.findall(r"@[A-Z]+@", (ROOT / "vm" / name).read_text())) <= filled
