"""Row: requests of many sessions for one role to the metadata server and STS."""

from __future__ import annotations

import statistics

from .processes import Bench
from .report import Line, Verdict

_Run = tuple[int, int, float]  # requests to STS, to the metadata server; seconds

_CONTENDERS = {"bridge": "bridge.session", "recipe": "recipe (google-auth, boto3)"}
_ROUNDS = 3
_SESSIONS = 50
_FEWER = (1, 10, 20, 30, 40)  # for the growth of the costs, once each, for `--json`


def measure(bench: Bench) -> list[Line]:
    """Count the requests to the clouds, run by run; all runs must be equal."""
    runs: dict[str, list[_Run]] = {name: [] for name in _CONTENDERS}
    for _ in range(_ROUNDS):
        for contender, seen in runs.items():
            seen.append(_run(bench, contender, _SESSIONS))
    fewer = {name: [_run(bench, name, sessions) for sessions in _FEWER] for name in _CONTENDERS}
    what = f"{_SESSIONS} sessions from 16 threads, {_ROUNDS} runs each"
    return [_line(what, contender, seen, fewer[contender]) for contender, seen in runs.items()]


def _run(bench: Bench, contender: str, sessions: int) -> _Run:
    bench.clouds("reset")
    shape = bench.ask("many_sessions.py", contender, str(sessions))
    counts = bench.clouds("counts")
    return counts["sts"], counts["metadata"], shape["took_s"]


def _line(what: str, contender: str, seen: list[_Run], fewer: list[_Run]) -> Line:
    exchanges, metadata = max(run[0] for run in seen), max(run[1] for run in seen)
    took_s = statistics.median(run[2] for run in seen)
    ours = contender == "bridge"
    return Line(
        what,
        _CONTENDERS[contender],
        f"{exchanges} STS and {metadata} metadata requests, {took_s:.2f} s",
        goal="1 and 1" if ours else "",
        verdict=Verdict.of((exchanges, metadata) == (1, 1)) if ours else None,
        raw={
            "sts_metadata_seconds": seen,
            "sessions_sts_metadata": [
                (sessions, *run[:2])
                for sessions, run in zip((*_FEWER, _SESSIONS), (*fewer, seen[-1]), strict=True)
            ],
        },
    )
