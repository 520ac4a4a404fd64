"""What the browser ring leaves in the directory of ``./lab test --report DIR`` when a test fails."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from browser import conftest


def told(context, directory, *, failed):
    """Let the hook see the end of a test, as pytest does."""
    config = SimpleNamespace(getoption=lambda name: str(directory), stash=pytest.Stash())
    config.stash[conftest.OPEN] = context
    item = SimpleNamespace(config=config, nodeid="tests/browser/test_x.py::test_y[a/b]")
    hook = conftest.pytest_runtest_makereport(item)
    next(hook)
    report = SimpleNamespace(failed=failed, when="call")
    with pytest.raises(StopIteration) as end:
        hook.send(report)
    assert end.value.value is report


def test_a_failure_leaves_a_picture_of_each_page_that_is_open(browser, tmp_path):
    context = browser.new_context()
    for words in ("first", "second"):
        context.new_page().set_content(f"<h1>{words}</h1>")
    told(context, tmp_path, failed=False)
    assert not list(tmp_path.iterdir())
    told(context, tmp_path, failed=True)
    context.close()
    pictures = sorted((tmp_path / "screenshots").iterdir())
    assert [path.name for path in pictures] == ["test_x-py-test_y-a-b--call-0.png", "test_x-py-test_y-a-b--call-1.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
