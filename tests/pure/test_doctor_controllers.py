"""What the doctor says of controllers: which a lab has, of which version, and who wants one that is not there."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

from labkit.doctor import features
from labkit.doctor.finding import Finding
from labkit.doctor.patient import Patient
from labkit.learn.needs import COUNTING, Need


def told(way: str = "root", **info: Any) -> list[Finding]:
    lab = SimpleNamespace(info={"cgroup": "/sys/fs/cgroup/labkit", **info})
    patient = cast(Patient, SimpleNamespace(lab=lab, way=way))
    return list(features.controllers(patient, [need for need in COUNTING if need.word.startswith("controller:")]))


def test_each_is_told_with_its_version_and_by_its_name_in_version_2() -> None:
    [finding] = told(controllers={"cpu": 1, "blkio": 1, "memory": 2, "pids": 2})
    assert finding.says == "cpu (v1), memory (v2), io (v1), pids (v2)" and not finding.remedy


def test_one_that_was_not_delegated_is_named_with_the_lesson_that_wants_it() -> None:
    there, lacking = told("rootless", controllers={"cpu": 2, "memory": 2, "pids": 2})
    assert there.says == "cpu (v2), memory (v2), pids (v2)"
    assert lacking.says == "nobody counts or limits here: io" and lacking.needs == (Need.IO,)
    assert "Delegate=" in lacking.likely and "systemctl edit" in lacking.remedy
    assert "nb06" in lacking.lessons


def test_a_users_cgroup_has_what_systemd_gives_to_users_also_with_the_sudo_rule() -> None:
    place = f"/sys/fs/cgroup/user.slice/user@{os.getuid()}.service/run-1.scope/labkit-lab-1-2"
    there, lacking = told("sudo", controllers={"cpu": 2, "memory": 2, "pids": 2}, cgroup=place)
    assert there.says == "cpu (v2), memory (v2), pids (v2)"
    assert "Delegate=" in lacking.likely and "systemctl edit" in lacking.remedy


def test_why_the_agent_got_none_is_passed_on() -> None:
    [lacking] = told(controllers={}, no_controllers="the cgroup above hands nothing down")
    assert lacking.likely == "the cgroup above hands nothing down" and len(lacking.needs) == 4


def test_without_a_cgroup_there_is_nothing_to_say_here() -> None:
    assert told(cgroup="") == []
