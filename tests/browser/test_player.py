"""The step player in a real browser, on a real lab."""

from __future__ import annotations

WALK = """from labkit import Lab
lab = Lab()
walk = lab.walk(lab.plans.container("busybox", hostname="c1"))
walk"""


def test_shot(open_notebook):
    notebook = open_notebook(WALK, "print(walk.position)")
    notebook.run(0)
    player = notebook.player()
    player.is_at(0)
    notebook.page.screenshot(path="/tmp/shots/0.png")
    times = []
    for n in range(1, 17):
        player.press("Next")
        player.is_at(n)
        notebook.page.wait_for_timeout(150)
        times.append(player.milliseconds())
        notebook.page.screenshot(path=f"/tmp/shots/{n}.png")
    print(times)
    print(notebook.run(1))
