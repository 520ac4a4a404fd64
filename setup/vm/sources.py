"""Where Debian's packages come from: what the apt of this machine uses, told for another release.

No address stands here. A machine that installs Debian's packages knows a mirror already; one that does not (Ubuntu,
say) leaves the choice to mmdebstrap, which has a default.

See: apt-get(8) "indextargets", apt.conf(5), mmdebstrap(1).
"""

from __future__ import annotations

import re
import subprocess

#: what else of apt's configuration decides whether a download works: proxies, patience, checks of dates
_SETTINGS = re.compile(r"^Acquire::(http|https|Retries|Check-)\b.*;$", re.MULTILINE)


def lines(release: str, *, backports: bool = False) -> list[str]:
    """Lines of sources.list for `release`, its updates and its security fixes; none where mmdebstrap shall choose."""
    try:
        told = _run("apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    except OSError:
        return []
    mirrors: dict[str, str] = {}
    for line in told.splitlines():
        label, _, address = line.partition("|")
        mirrors.setdefault(label, address)
    if "Debian" not in mirrors:
        return []
    suites = [release, f"{release}-updates", *([f"{release}-backports"] if backports else [])]
    found = [f"deb {mirrors['Debian']} {suite} main" for suite in suites]
    if "Debian-Security" in mirrors:
        found.append(f"deb {mirrors['Debian-Security']} {release}-security main")
    return found


def settings() -> list[str]:
    """What apt is told on this machine about downloading, line by line."""
    try:
        return [match.group() for match in _SETTINGS.finditer(_run("apt-config", "dump"))]
    except OSError:
        return []


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
