"""The table of docs/kernels.md is found among others, compared, and written, and nothing else of the page is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = """# Kernels

| kernel | passed |
| --- | --- |
| 6.1 | 627 |

Between two tables.

| feature | 6.1 | 6.12 |
| --- | --- | --- |
| cgroup version | v2 | v2 |
| `listns` | no | no |

| after | it |
| --- | --- |
"""


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of tests/vm."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "vm"))
    yield importlib.import_module("documented")
    sys.modules.pop("documented", None)


@pytest.fixture
def page(documented: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "kernels.md"
    place.write_text(PAGE)
    monkeypatch.setattr(documented, "PAGE", place)
    return place


@pytest.mark.usefixtures("page")
def test_what_the_page_says_is_compared_column_by_column(documented: Any) -> None:
    assert documented.differences("6.12", {"cgroup version": "v2", "`listns`": "no"}) == []
    [told] = documented.differences("6.12", {"cgroup version": "v2", "`listns`": "yes"})
    assert told.startswith("docs/kernels.md says of 6.12: `listns`: 'no'; measured: 'yes'")
    assert len(documented.differences("7.3", {"cgroup version": "v2"})) == 1


def test_what_is_written_is_that_table_alone(documented: Any, page: Path) -> None:
    documented.write("6.12", {"cgroup version": "v2", "`listns`": "no"})
    assert page.read_text() == PAGE
    documented.write("6.12", {"cgroup version": "v2", "`listns`": "yes"})
    assert page.read_text() == PAGE.replace("| `listns` | no | no |", "| `listns` | no | yes |")
    documented.write("7.3", {"cgroup version": "v2"})
    assert "| feature | 6.1 | 6.12 | 7.3 |" in page.read_text() and "| after | it |" in page.read_text()


def test_the_page_of_this_course_has_the_table(documented: Any) -> None:
    assert documented.differences("6.12", {"cgroup version": "v2"}) == []
