"""Numbers as people write them, and what the kernel would say to them, said before it is asked."""

from __future__ import annotations

import re

from labkit.errors import SpecError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_FACTORS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LIST = re.compile(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*")
LARGEST = 2**63 - 1  #: a byte count is a signed number of 64 bits in the kernel


def number(what: str, value: object, least: float, most: float) -> float:
    """A number between the two. Raises SpecError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"{what} is {type(value).__name__}, not a number", look=f"{what}={least:g}")
    if not least <= value <= most:  # nan is neither
        raise SpecError(f"{what}={value} is not between {least:g} and {most:g}", look=f"{what}={least:g}")
    return value


def whole(what: str, value: object, least: int, most: int) -> int:
    """A whole number between the two. Raises SpecError."""
    if isinstance(value, float):
        raise SpecError(f"{what}={value} is not a whole number", look=f"{what}={round(value) if value == value else 1}")
    return int(number(what, value, least, most))


def size(what: str, value: object) -> str:
    """Bytes, as the kernel reads them: a number, ``"64M"`` (of 1024 each), or ``"max"``. Raises SpecError."""
    if value == "max":
        return "max"
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if not found:
            raise SpecError(
                f"{what}={value!r} is not a size", likely="a size is a number with K, M, G or T", look=f'{what}="64M"'
            )
        value = round(float(found.group(1)) * _FACTORS[found.group(2).upper()])
    return str(whole(what, value, 0, LARGEST))


def shown(value: int | str) -> str:
    """Bytes as people read them; what is no whole number of KiB as it is.

    >>> shown("16M"), shown(3 << 29), shown(1000), shown("max")
    ('16 MiB', '1536 MiB', '1000 bytes', 'max')
    """
    text = size("a size", value)
    if text == "max":
        return text
    for exponent, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if int(text) and int(text) % 2**exponent == 0:
            return f"{int(text) >> exponent} {unit}"
    return f"{text} bytes"


def numbers(what: str, value: object) -> str:
    """A list of numbers and ranges, ``"0-2,5"``. Raises SpecError."""
    if not isinstance(value, str) or not _LIST.fullmatch(value):
        raise SpecError(f"{what}={value!r} is not a list of numbers and ranges", look=f'{what}="0" or "0-2,5"')
    for part in value.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            raise SpecError(f"{what}={value!r}: the range {part} runs backwards", look=f'{what}="{last}-{first}"')
    return value
