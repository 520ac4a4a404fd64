"""For setup/rings.sh: ``python tests/ringreport style [DIR] | machine DIR | summary DIR RING=RESULT=SECONDS...``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from ringreport import files, machine, style  # noqa: E402  # this directory is found from here on


def main(what: str, directory: str = "", *rings: str) -> int:
    """The exit status."""
    report = Path(directory) if directory else None
    if what == "style":
        return style.run(style.checks(), report)
    if what == "machine" and report:
        files.write(report, "machine.json", machine.describe())
        return 0
    if what == "summary" and report:
        told = [ring.split("=") for ring in rings]
        listed = [{"ring": name, "result": result, "seconds": int(seconds)} for name, result, seconds in told]
        failed = any(ring["result"] == "FAILED" for ring in listed)
        files.write(report, "summary.json", {"result": "FAILED" if failed else "passed", "rings": listed})
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
