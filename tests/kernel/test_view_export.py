"""A notebook exported to a page: no kernel, no widgets; the text and the pictures remain."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbconvert import HTMLExporter

from labkit import learn
from labkit.view import install
from labkit.view.pictures import namespace_map


@pytest.fixture
def export():
    """Export values as the results of cells; the page's body."""
    install()

    def exported(*values):
        cells = []
        for value in values:
            bundle = value._repr_mimebundle_()
            data = bundle[0] if isinstance(bundle, tuple) else bundle
            result = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
            cells.append(nbformat.v4.new_code_cell("value", outputs=[result]))
        page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))
        return page[page.index("<body") :]

    return exported


def test_a_walk_stands_still_with_its_steps_calls_lines_and_differences(lab, export):
    walk = lab.walk(lab.plans.container("busybox", hostname="c1")).goto(2)
    page = export(walk)
    assert re.search(r"2 of \d+ steps taken", page)
    for part in ("✓ 1", "✓ 2", "· 3", "clone3(", "CLONE_NEWUTS", "unshare --mount", "+ process c1", "what changed"):
        assert part in page, part
    assert "widget-view" not in page


def test_pictures_stay_drawings_and_cards_their_text(lab, export):
    page = export(namespace_map(lab), learn.lesson("nb03").check("studio").pose(lab))
    assert "<svg" in page
    assert 'role="img"' in page
    assert "The radio wants two processes behind one wall" in page
