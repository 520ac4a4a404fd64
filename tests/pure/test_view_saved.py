"""What is left of a widget: which file is read, when it stands beside the widget, and when in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.view import saved

OLD = {"text/plain": "0 of 3", "text/html": saved.frame("0 of 3")}
NEW = {"text/plain": "2 of 3", "text/html": saved.frame("2 of 3")}
KERNEL = 4711


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The files of one widget, ``abc``, and something beside the directory that is nobody's business."""
    (tmp_path / "secret.json").write_text(json.dumps({"processes": [], "data": {"text/html": "secret"}}))
    (tmp_path / "widgets").mkdir()
    (tmp_path / "widgets/abc.json").write_text(json.dumps({"processes": [KERNEL, 1], "data": NEW}))
    return tmp_path / "widgets"


def notebook(model_id: str, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A notebook that shows this widget, and the data of its output."""
    shown = {saved.VIEW: {"model_id": model_id}, **data}
    cells = [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": [{"name": "stdout"}, {"data": shown}]}]
    return {"cells": cells}, shown


def test_a_saved_notebook_has_the_newest_html_beside_the_widget(directory: Path) -> None:
    whole, shown = notebook("abc", OLD)
    saved.refresh(whole, directory)
    assert shown == {saved.VIEW: {"model_id": "abc"}, **NEW}


def test_a_widget_whose_kernel_runs_stays(directory: Path) -> None:
    whole, shown = notebook("abc", OLD)
    saved.replace_dead(whole, directory, [KERNEL])
    assert saved.VIEW in shown


def test_in_the_place_of_a_widget_whose_kernel_has_gone_stands_the_newest_html(directory: Path) -> None:
    whole, shown = notebook("abc", OLD)
    saved.replace_dead(whole, directory, [KERNEL + 1])
    assert shown == NEW


def test_without_its_file_what_the_notebook_has_is_shown(directory: Path) -> None:
    whole, shown = notebook("gone", OLD)
    saved.replace_dead(whole, directory, [])
    assert shown == OLD


@pytest.mark.parametrize("model_id", ["../secret", "", "other"])
def test_the_widgets_of_others_stay_and_no_other_file_is_read(directory: Path, model_id: str) -> None:
    whole, shown = notebook(model_id, {"text/html": "<b>a slider</b>"})
    saved.refresh(whole, directory)
    saved.replace_dead(whole, directory, [])
    assert shown == {saved.VIEW: {"model_id": model_id}, "text/html": "<b>a slider</b>"}
