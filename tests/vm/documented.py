"""The table of docs/kernels.md: a row for each feature, a column for each kernel. What it says is what was measured."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kernels.md"
FIRST = "feature"  # the head of the first column, by which the table is found


def differences(kernel: str, measured: dict[str, str]) -> list[str]:
    """Where the page says something else about `kernel` than was measured, a line each."""
    heads, rows = _table()
    told = {row[0]: dict(zip(heads, row, strict=False)).get(kernel, "") for row in rows}
    return [
        f"docs/kernels.md says of {kernel}: {name}: {told.get(name, '')!r}; measured: {value!r} (--write puts it there)"
        for name, value in measured.items()
        if told.get(name, "") != value
    ]


def write(kernel: str, measured: dict[str, str]) -> None:
    """Put what was measured into the column of `kernel`."""
    heads, rows = _table()
    if kernel not in heads:
        heads.append(kernel)
    known = {row[0]: dict(zip(heads, row, strict=False)) for row in rows}
    names = list(dict.fromkeys([*measured, *known]))
    lines = [_line(heads), _line(["---"] * len(heads))]
    for name in names:
        row = {**known.get(name, {}), FIRST: name, kernel: measured.get(name, "")}
        lines.append(_line([row.get(head, "") for head in heads]))
    text = PAGE.read_text().splitlines()
    text[_place(text)] = lines
    PAGE.write_text("\n".join(text) + "\n")


def _table() -> tuple[list[str], list[list[str]]]:
    """The heads, and the rows below them."""
    text = PAGE.read_text().splitlines()
    lines = [_cells(line) for line in text[_place(text)]]
    return lines[0], lines[2:]


def _place(text: list[str]) -> slice:
    """Where it is among the lines of the page, which has other tables as well."""
    first = next(number for number, line in enumerate(text) if _cells(line)[0] == FIRST)
    return slice(first, next((n for n in range(first, len(text)) if not text[n].startswith("|")), len(text)))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
