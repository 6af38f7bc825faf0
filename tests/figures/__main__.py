"""`python -m tests.figures`: draw the pictures of docs/figures.

The data is beside the pictures; `--measure` measures it again first, `--check` only lists the
pictures that differ from what the code draws.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as under pytest

from . import data, measuring, recorded
from .pictures import CHARTS, DIAGRAMS, RECORDED, files


def main() -> int:
    """Return 0 if the pictures were drawn, or checked and found equal; otherwise 1."""
    names = (*CHARTS, *DIAGRAMS)
    parser = argparse.ArgumentParser(prog="python -m tests.figures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--measure", action="store_true", help="some ten minutes")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if unknown := {*options.names} - {*names}:
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    chosen = tuple(options.names) or names
    if options.measure:
        measuring.measure({*chosen} & {*CHARTS})
        for name in RECORDED:
            if name in chosen:
                recorded.keep(name)
    stale = 0
    for file, drawn in files(chosen):
        path = data.FOLDER / file
        if not options.check:
            path.write_text(drawn, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != drawn:
            print(f"differs from what the code draws: docs/figures/{file}", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
