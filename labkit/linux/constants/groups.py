"""A group: the constants that may stand together in one argument, and how such a word reads.

An argument of the kernel is one of three things, or a mixture: a set of bits (MS_*), one number out
of a list (SIG*), a list in some bits and a set in the others (O_*: the access mode, then the flags).
All three are told here by one `Group`: a field, which holds one number of a list, and flags. What
neither explains is kept as a number, so that nothing is ever lost between `decode` and `encode`.

    >>> MS = Group("MS", flags={"MS_REC": 0x4000, "MS_PRIVATE": 0x40000})
    >>> MS.decode(0x44000), MS.decode(0x44001), MS.decode(0)
    ('MS_REC|MS_PRIVATE', 'MS_REC|MS_PRIVATE|0x1', '0')
"""

from __future__ import annotations

_WORD = (1 << 64) - 1

_FORMATS = {"hex": "{:#x}", "octal": "0{:o}", "decimal": "{}"}


class Group:
    """Names for the bits of one argument.

    `flags` in the order in which they are to be shown; where two share a value, the first is shown.
    `field` holds the numbers that the bits of `mask` may have; a mask of -1 is the whole, signed, word.
    `rest` is the notation of what has no name: ``hex``, ``octal`` or ``decimal``.
    """

    __slots__ = ("_field_names", "_order", "field", "flags", "mask", "name", "rest")

    def __init__(
        self,
        name: str,
        *,
        flags: dict[str, int] | None = None,
        field: dict[str, int] | None = None,
        mask: int = 0,
        rest: str = "hex",
    ) -> None:
        self.name = name
        self.flags = flags or {}
        self.field = field or {}
        self.mask = mask
        self.rest = rest
        # Names of several bits are tried first: O_SYNC contains O_DSYNC, O_TMPFILE contains O_DIRECTORY.
        self._order = sorted(self.flags, key=lambda each: -self.flags[each].bit_count())
        self._field_names = {value: each for each, value in reversed(list(self.field.items()))}

    def decode(self, value: int) -> str:
        """The word as the header would spell it, ``0`` if nothing is in it."""
        if self.mask == -1:
            return self._field_names.get(value) or self._number(value)
        parts = []
        left = value & _WORD
        name = self._field_names.get(left & self.mask)
        if name is not None:
            parts.append(name)
            left &= ~self.mask
        found = set()
        for flag in self._order:
            bits = self.flags[flag]
            if bits and left & bits == bits:
                found.add(flag)
                left &= ~bits
        parts += [flag for flag in self.flags if flag in found]
        if left:
            parts.append(self._number(left))
        return "|".join(parts) or "0"

    def encode(self, text: str) -> int:
        """The word that `text` spells: names of this group and numbers, joined by ``|``.

        Raises ValueError for a name of another group.
        """
        value = 0
        for part in text.split("|"):
            word = part.strip()
            if word in self.flags:
                value |= self.flags[word]
            elif word in self.field:
                value |= self.field[word]
            else:
                value |= self._parse(word)
        return value

    def _number(self, value: int) -> str:
        if value == 0:
            return "0"
        sign = "-" if value < 0 else ""
        return sign + _FORMATS["decimal" if value < 0 else self.rest].format(abs(value))

    def _parse(self, word: str) -> int:
        digits = word.removeprefix("-")
        octal = digits.isdigit() and digits.startswith("0")
        try:
            return int(word, 8 if octal else 0)
        except ValueError:
            known = ", ".join(list(self.field)[:2] + list(self.flags)[:2])
            raise ValueError(f"{word!r} is neither a number nor a constant of group {self.name} ({known}, …)") from None


def select(names: dict[str, int], words: str) -> dict[str, int]:
    """The constants in `names` whose names begin with one of `words`; a word after ``-`` excludes.

    In the order of the words, then of `names`.

    >>> select({"O_RDONLY": 0, "O_ACCMODE": 3, "S_IFMT": 0o170000}, "O_ -O_ACCMODE")
    {'O_RDONLY': 0}
    """
    unwanted = tuple(word[1:] for word in words.split() if word.startswith("-")) or ("\0",)
    return {
        name: value
        for word in words.split()
        for name, value in names.items()
        if name.startswith(word) and not name.startswith(unwanted)
    }
