"""Row: what many sessions for one role cost the metadata server and STS."""

from __future__ import annotations

import statistics

from .processes import Bench
from .report import Line, Verdict

_CONTENDERS = {"bridge": "bridge.session", "recipe": "recipe (google-auth, boto3)"}
_ROUNDS = 3


def measure(bench: Bench) -> list[Line]:
    """Count what the clouds were asked for, run by run; it must be the same each time."""
    runs: dict[str, list[tuple[int, int, float]]] = {name: [] for name in _CONTENDERS}
    shape = {}
    for _ in range(_ROUNDS):
        for contender, seen in runs.items():
            bench.clouds("reset")
            shape = bench.ask("fifty_sessions.py", contender)
            counts = bench.clouds("counts")
            seen.append((counts["sts"], counts["metadata"], shape["took_s"]))
    what = f"{shape['sessions']} sessions from {shape['threads']} threads, {_ROUNDS} runs each"
    return [_line(what, contender, seen) for contender, seen in runs.items()]


def _line(what: str, contender: str, seen: list[tuple[int, int, float]]) -> Line:
    exchanges, metadata = max(run[0] for run in seen), max(run[1] for run in seen)
    took_s = statistics.median(run[2] for run in seen)
    ours = contender == "bridge"
    return Line(
        what,
        _CONTENDERS[contender],
        f"{exchanges} STS and {metadata} metadata requests, {took_s:.2f} s",
        goal="1 and 1" if ours else "",
        verdict=Verdict.of((exchanges, metadata) == (1, 1)) if ours else None,
        raw={"sts_metadata_seconds": seen},
    )
