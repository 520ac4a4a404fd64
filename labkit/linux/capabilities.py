"""Capabilities: what root may do, in 41 pieces that can be given and taken one by one.

A process has five sets of them, each a word of 64 bits. *Effective* is what the kernel looks at,
*permitted* what may be made effective, *inheritable* and *ambient* take part at execve, and *bounding*
is the ceiling: what is not in it cannot come back by running any program, set-user-ID root or not.

    >>> from labkit.linux import capabilities
    >>> capabilities.decode_set(1 << 21 | 1 << 5)
    ('CAP_KILL', 'CAP_SYS_ADMIN')
    >>> hex(capabilities.mask(capabilities.DOCKER_DEFAULT))
    '0xa80425fb'

See: capabilities(7), capget(2), proc(5) "CapInh, CapPrm, CapEff", user_namespaces(7).
"""

from __future__ import annotations

from labkit.linux.constants import caps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: name: number, in the order of the numbers.
NUMBERS: dict[str, int] = {name: value for name, value in vars(caps).items() if name.startswith("CAP_")}
#: number: name.
NAMES: dict[int, str] = {number: name for name, number in NUMBERS.items()}

#: What Docker leaves to a container, and podman nearly: enough for packages and daemons, not for the machine.
DOCKER_DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
)

#: The five sets, in the order of /proc/PID/status: our name, its name there.
SETS = (
    ("inheritable", "CapInh"),
    ("permitted", "CapPrm"),
    ("effective", "CapEff"),
    ("bounding", "CapBnd"),
    ("ambient", "CapAmb"),
)


#: Every capability of the table as one word.
ALL = (1 << max(NAMES) + 1) - 1


def decode_set(value: int) -> tuple[str, ...]:
    """The names in a set, lowest number first; a capability newer than this table is ``CAP_41``."""
    return tuple(NAMES.get(n, f"CAP_{n}") for n in range(value.bit_length()) if value >> n & 1)


def mask(names: Iterable[str]) -> int:
    """The set of these names as a word. ``kill``, ``CAP_KILL`` and ``CAP_41`` are understood; else ValueError."""
    value = 0
    for name in names:
        value |= 1 << number(name)
    return value


def number(name: str) -> int:
    """The number of one capability, with or without ``CAP_``, in any case. Raises ValueError if there is none."""
    full = name.upper() if name.upper().startswith("CAP_") else f"CAP_{name.upper()}"
    if full in NUMBERS:
        return NUMBERS[full]
    digits = full.removeprefix("CAP_")
    if digits.isascii() and digits.isdecimal() and int(digits) < 64:
        return int(digits)
    raise ValueError(f"no capability {name!r}; see capabilities(7)")


def name(value: int) -> str:
    """The name of one capability; ``CAP_41`` for one newer than this table."""
    return decode_set(1 << value)[0]


def summary(value: int) -> str:
    """A set in a few words: ``none``, ``all``, up to three by name, else how many: ``13 of 41``."""
    names = decode_set(value)
    if not names:
        return "none"
    if len(names) >= len(NUMBERS):
        return "all"
    return (
        ", ".join(name.removeprefix("CAP_").lower() for name in names)
        if len(names) < 4
        else f"{len(names)} of {len(NUMBERS)}"
    )


def last_cap() -> int:
    """The highest number that the running kernel knows: 40 since Linux 5.9."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        return int(file.read())


def full_set() -> int:
    """Every capability that the running kernel knows: the sets of root in a fresh user namespace."""
    return (1 << last_cap() + 1) - 1


def of_status(status: Mapping[str, str]) -> dict[str, int]:
    """The five sets of a process from `labkit.linux.proc.status`, as words by their names in `SETS`."""
    return {name: int(status[key], 16) for name, key in SETS}
