"""Row: callers that wait for a refresh while STS is slow."""

from __future__ import annotations

from typing import Any

from .processes import Bench
from .report import Line, Verdict

_CONTENDERS = {"bridge": "bridge.credentials", "recipe": "recipe (RefreshableCredentials)"}
_SIGNATURES = 11_000
_ROUNDS = 3


def measure(bench: Bench) -> list[Line]:
    """Run all contenders in turn; the worst run of each counts."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in _CONTENDERS}
    rounds = 1 if bench.quick else _ROUNDS
    for _ in range(rounds):
        for contender, seen in runs.items():
            bench.clouds("reset")
            seen.append(bench.ask("slow_sts.py", contender, str(_SIGNATURES)))
    what = f"STS takes 400 ms: {_SIGNATURES:,} signatures across a refresh, worst of {rounds}"
    return [_line(what, contender, seen) for contender, seen in runs.items()]


def _line(what: str, contender: str, seen: list[dict[str, Any]]) -> Line:
    late = max(run["over_50_ms"] for run in seen)
    longest_ms = max(run["longest_ms"] for run in seen)
    ours = contender == "bridge"
    return Line(
        what,
        _CONTENDERS[contender],
        f"{late} waited over 50 ms, longest {longest_ms:,.0f} ms",
        goal="0" if ours else "",
        verdict=Verdict.of(late == 0) if ours else None,
        raw={"runs": seen},
    )
