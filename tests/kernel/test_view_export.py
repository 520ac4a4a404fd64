"""A notebook exported to a page: no kernel, no widgets; the text and the pictures remain."""

from __future__ import annotations

import re
import subprocess
import sys

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


def test_a_notebook_that_nbconvert_executes_shows_players_and_panels_without_a_network(tmp_path, nothing_is_left):
    cells = (
        "from labkit import Lab, learn\nfrom labkit.view.panel import Panel\nlab = Lab()",
        "lab.walk(lab.plans.container('busybox', hostname='c1')).goto(2)",
        "learn.lesson('nb03').check('studio').pose(lab)",
        "Panel(lab.run('busybox', 'sleep 1000', name='box', detach=True))",
        "lab.close()",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbformat.write(notebook, tmp_path / "one.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "one.ipynb"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    page = (tmp_path / "one.html").read_text()
    page = page[page.index("<body") :]
    assert "widget-view" not in page
    for part in ("container c1: 2 of ", "✓ 2  ", "The radio wants two processes", "live panel of box: cpu"):
        assert part in page, part
