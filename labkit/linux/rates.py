"""Rates of a network link: bits a second, as tc(8) writes them, and the clock in which the kernel counts them.

Networks count in bits and in thousands (8 Mbit/s are 8 000 000 bits, one million bytes, a second), memory in bytes and
in powers of two. Whoever mixes the two is wrong by a factor of 8.4.

See: tc(8) "RATES", <net/pkt_sched.h> "PSCHED_SHIFT".
"""

from __future__ import annotations

import re

from labkit.errors import SpecError

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:bit(?:/s)?)?", re.IGNORECASE)
_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
LEAST, MOST = 8_000, 32 * 10**9  #: below, one packet takes over a second; the kernel counts bytes a second in 32 bits
LATENCY = 200  #: milliseconds in a queue: TCP hands over up to 64 KiB at once, which at 8 Mbit/s take 65 of them
_TICK = 64  # nanoseconds


def bits(what: str, value: object) -> int:
    """Bits a second: a number, or ``"8M"`` or ``"8Mbit"`` (of 1000 each). Raises SpecError."""
    rate: object = value
    if isinstance(value, str):
        found = _RATE.fullmatch(value.strip())
        if not found:
            raise SpecError(
                f"{what}={value!r} is not a rate", look=f'{what}="8M"',
                likely="a rate is a number with K, M or G, and counts bits: eight for each byte",
            )  # fmt: skip
        rate = float(found.group(1)) * _FACTORS[found.group(2).upper()]
    if isinstance(rate, bool) or not isinstance(rate, (int, float)):
        raise SpecError(f"{what} is {type(value).__name__}, not a rate", look=f'{what}="8M"')
    if not LEAST <= rate <= MOST:  # nan is neither
        raise SpecError(f"{what}={value!r} is not between {shown(LEAST)} and {shown(MOST)}", look=f'{what}="8M"')
    return round(rate)


def shown(rate: int) -> str:
    """``8 Mbit/s``."""
    factor = next((f for f in (10**9, 10**6, 10**3) if rate >= f), 1)
    unit = next(name for name, value in _FACTORS.items() if value == factor)
    return f"{rate / factor:.6g} {unit.replace('K', 'k')}bit/s"


def ticks(rate: int, size: int) -> int:
    """How long `size` bytes take at `rate`, as the kernel is told it."""
    return size * 8 * 10**9 // rate // _TICK


def size(rate: int, count: int) -> int:
    """The bytes that go out in so many ticks."""
    return -(-rate * count * _TICK // (8 * 10**9))
