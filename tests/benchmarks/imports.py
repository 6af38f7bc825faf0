"""Row: the cost of importing the library in a program that has boto3."""

from __future__ import annotations

import statistics

from .processes import Bench
from .report import Line, Verdict, spread

_GOAL_MS = 20
_ROUNDS = 15


def measure(bench: Bench) -> list[Line]:
    """Use a new process each time; the first one, which compiles, is not counted."""
    bench.ask("import_names.py")
    runs = [bench.ask("import_names.py") for _ in range(bench.rounds(_ROUNDS))]
    unwanted = sorted({name for run in runs for name in run["unwanted"]})
    lines = []
    for label, key in (("import", "import_ms"), ("import and every public name", "names_ms")):
        samples = [run[key] for run in runs]
        dragged = f"; loads {', '.join(unwanted)}" if unwanted else "; no SDK but boto3 loaded"
        reached = statistics.median(samples) <= _GOAL_MS and not unwanted
        lines.append(
            Line(
                f"import on top of boto3, {len(runs)} runs",
                label,
                spread(samples, "ms", 1) + dragged,
                goal=f"<= {_GOAL_MS} ms",
                verdict=Verdict.of(reached),
                raw={"ms": samples, "unwanted": unwanted},
            )
        )
    return lines
