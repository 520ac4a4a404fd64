"""Users as useradd, LDAP and directory services name them: each gets the sudo rule, and only that user."""

from __future__ import annotations

import os
import shlex
import shutil

import pytest
from stage import ROOT, SUDO_RULE, UID, play

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="setting the stage needs root"),
    pytest.mark.skipif(
        not all(place.stat().st_mode & 0o005 == 0o005 for place in (ROOT, *ROOT.parents)),
        reason="other users cannot read this checkout",
    ),
]
needs_sudo = pytest.mark.skipif(not shutil.which("sudo"), reason="sudo is not installed here")

NAMES = [
    "student", "jane.doe", "Jane", "jane@example.org", "EXAMPLE\\jane", "EXAMPLE\\new user", "jané", "j" * 40, "0jane",
    "1000", "jane$", "%staff", "ALL", "Defaults", "jane,joe", "!jane", "jane=x", '"jane"', "jane&co|x",
]  # fmt: skip


def account(name: str) -> str:
    """Set-up: the student is called like this; beside them is another user, `other`."""
    lines = f"{name}:*:{UID}:{UID}::/usr/local/stage/home:/bin/sh\nother:*:{UID + 1}:{UID + 1}::/:/bin/sh\n"
    return f"""
grep -v '^student:' /usr/local/stage/passwd >/usr/local/stage/others || true
(cat /usr/local/stage/others; printf %s {shlex.quote(lines)}) >/usr/local/stage/passwd
"""


def rule(name: str) -> str:
    return SUDO_RULE.replace("RULE_FOR=student", f"RULE_FOR={shlex.quote(name)} RULE_UID={UID}")


ASK = f"""
import subprocess
from labkit.agent import sudo_rule
def may(uid):
    as_user = ["setpriv", f"--reuid={{uid}}", f"--regid={{uid}}", "--clear-groups"]
    asked = subprocess.run([*as_user, "sudo", "-n", "-l", "/usr/local/libexec/labkit/agent"], capture_output=True)
    more = subprocess.run([*as_user, "sudo", "-n", "/usr/local/libexec/labkit/agent", "x"], capture_output=True)
    return [asked.returncode, more.returncode]
valid = subprocess.run(["visudo", "-cqf", "/etc/sudoers.d/labkit"]).returncode
print(json.dumps([valid, may({UID}), may({UID + 1}), open("/etc/sudoers.d/labkit").read()]))
"""


@needs_sudo
@pytest.mark.parametrize("name", NAMES)
def test_the_rule_is_for_this_user_and_no_other(name: str) -> None:
    valid, own, other, text = play(ASK, account(name), rule(name), user=False)
    assert (valid, own, other) == (0, [0, 1], [1, 1]), text
    assert text.count("NOPASSWD") == 1


@needs_sudo
@pytest.mark.parametrize("name", ["jane.doe", "EXAMPLE\\new user"])
def test_a_lab_opens_through_it(name: str) -> None:
    program = "from labkit import Lab\nwith Lab() as lab: print(json.dumps(lab.info['way']))"
    assert play(program, account(name), rule(name)) == "sudo"


@needs_sudo
def test_the_rules_of_others_stay_and_ones_own_is_there_once() -> None:
    first, second = rule("jane.doe"), rule("student").replace(f"RULE_UID={UID}", f"RULE_UID={UID + 1}")
    second = "\n".join(line for line in second.splitlines() if "mount -t" not in line)
    third = "\n".join(line for line in first.splitlines() if "mount -t" not in line)
    show = "print(json.dumps(open('/etc/sudoers.d/labkit').read().splitlines()))"
    lines = play(show, account("jane.doe"), first, second, third, user=False)
    assert sorted(line.split()[0] for line in lines if "NOPASSWD" in line) == [f"#{UID}", "student"]


# vm/user.sh


def chosen(name: str, *more: str, asked: str = "") -> list[str]:
    """What vm/provision.sh makes of ``--user NAME`` (or `asked`): uid, home, place, what its files say, its errors."""
    script = f"""
cd {shlex.quote(str(ROOT))}; ROOT=$PWD STATE=/usr/local/stage SOURCE=/ PLACE='' OWNER={shlex.quote(asked or name)}
source setup/lib.sh; source setup/privilege.sh; source vm/user.sh; source vm/machine.sh
the_user ''
printf '%s\\0' "$OWNER_UID" "$HOUSE" "$PLACE" "$(owner id -u)" "$(fill_in vm/labkit.service.in "${{PLACE//%/%%}}" 1 2)"
UNIT=/usr/local/stage/u GREETING=/usr/local/stage/greeting; greeting 8888; sh "$GREETING"
"""
    program = f"""
import subprocess
done = subprocess.run(["bash", "-euc", {script!r}], capture_output=True, text=True)
print(json.dumps([*done.stdout.split("\\0"), done.stderr]))
"""
    return list(play(program, account(name), *more, user=False))


@pytest.mark.parametrize("name", NAMES)
def test_provision_takes_every_user_there_is(name: str) -> None:
    uid, home, place, ran_as, unit, greeting, said = chosen(name)
    assert (uid, ran_as) == (str(UID), str(UID)), said
    assert (home, place) == ("/usr/local/stage/home", "/usr/local/stage/home/labkit")
    assert f"User={UID}\n" in unit and f"WorkingDirectory={place}\n" in unit
    assert f'cd "{place}" && ' in greeting and "notebooks are in ~/labkit-work," in greeting


def test_a_home_with_any_letters_reaches_the_files_as_it_is() -> None:
    odd = "/home/EXAMPLE\\u&a|b 50% $HOME `id`"
    line = f"jane:*:{UID}:{UID}::{odd}:/bin/sh"
    more = f"grep -v ':{UID}:' /usr/local/stage/passwd >/usr/local/stage/o; (cat /usr/local/stage/o; echo {shlex.quote(line)}) >/usr/local/stage/passwd"  # noqa: E501
    _, home, _, _, unit, greeting, said = chosen("jane", more)
    assert home == odd, said
    assert f"WorkingDirectory={odd.replace('%', '%%')}/labkit\n" in unit
    assert f'cd "{odd}/labkit" && ' in greeting


@pytest.mark.parametrize(("asked", "why"), [("not-here", "there is no user not-here"), ("root", "not run as root")])
def test_a_user_who_cannot_be_it_is_named_with_a_remedy(asked: str, why: str) -> None:
    *_, said = chosen("student", asked=asked)
    assert why in said and "remedy:" in said
