"""What a missing name means in a kernel that has just started: run the first cell again.

IPython runs this file when a kernel of the course starts (labkit/jupyter.py puts it into the profile that only
./lab up uses). A restarted kernel has forgotten all that ran before, and labkit with it: nothing but Python itself is
there to answer, with a traceback and the words "name 'lab' is not defined".

See: IPython's `set_custom_exc`, and `_render_traceback_`, which it shows instead of a traceback.
"""


def _first_cell():  # type: ignore[no-untyped-def]  # runs without labkit, in the student's namespace
    import sys

    from IPython import get_ipython

    made_by_it = ("Lab", "lab", "lesson")

    def show(shell, kind, error, trace, tb_offset=None):  # type: ignore[no-untyped-def]
        if "labkit" not in sys.modules:
            likely = "this kernel has just started: nothing of the lesson has run in it"
        elif error.name in made_by_it:
            likely = "the first cell of the lesson has not run to its end"
        else:
            likely = ""
        if likely:
            lines = [
                f"NameError: {error}",
                f"  likely: {likely}",
                "  look:   run the first cell again, then this one (menu Run: Run All Above Selected Cell)",
            ]
            error._render_traceback_ = lambda: ["\n".join(lines)]
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    get_ipython().set_custom_exc((NameError,), show)


_first_cell()
del _first_cell
