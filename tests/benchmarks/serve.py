"""Row: the latency of `gcp-aws-bridge serve` under a steady load, during a refresh."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from .processes import PEERS, Bench
from .report import Line, Verdict

_PER_SECOND, _SECONDS = 500, 60
_FLOOR_SECONDS = 10
# Refreshed after 28 to 52 seconds (RefreshPolicy.earliest, latest): once or twice a minute.
_LIFE_S = 80
_STS_LATENCY_S = 0.4
_GOAL_MS = 10


def measure(bench: Bench) -> list[Line]:
    """Load a server that answers immediately, which shows the cost of the load, and ours."""
    seconds = _FLOOR_SECONDS if bench.quick else _SECONDS
    canned = [sys.executable, str(PEERS / "canned_answers.py")]
    floor = _loaded(bench, canned, _FLOOR_SECONDS)
    bench.clouds("reset")
    bench.clouds("shortest_life", seconds=_LIFE_S)
    bench.clouds("sts_latency", seconds=_STS_LATENCY_S)
    # As users start it: with a line in the log for each request.
    serve = ["gcp-aws-bridge", "serve", "--port=0", "--shell=dotenv", "--duration-seconds=900"]
    ours = _loaded(bench, serve, seconds)
    refreshes = ours["keys"] - 1
    if not refreshes and not bench.quick:
        raise AssertionError("serve: no refresh during the load")
    reached = _percentile_ms(ours, 99) < _GOAL_MS and not ours["errors"]
    return [
        _line("a ready answer: the cost of the load", floor),
        _line(
            "gcp-aws-bridge serve",
            ours,
            f"; refreshes: {refreshes}, STS takes {_STS_LATENCY_S * 1000:.0f} ms",
            goal=f"p99 < {_GOAL_MS} ms, 0 errors",
            verdict=Verdict.of(reached),
        ),
    ]


def _loaded(bench: Bench, server: list[str], seconds: int) -> dict[str, Any]:
    with bench.beside(server, variables=2) as (_, variables):
        seen: dict[str, Any] = bench.ask(
            "steady_load.py", str(_PER_SECOND), str(seconds), **variables
        )
    return seen


def _line(contender: str, seen: dict[str, Any], more: str = "", **judged: Any) -> Line:
    p50_ms, p99_ms = (_percentile_ms(seen, percent) for percent in (50, 99))
    longest_ms = max(seen["latency_us"]) / 1000
    errors, requests = sum(seen["errors"].values()), len(seen["latency_us"])
    return Line(
        f"{_PER_SECOND} requests a second on {seen['connections']} connections",
        contender,
        f"p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms, longest {longest_ms:.0f} ms, "
        f"{errors} errors in {requests:,} requests{more}",
        **judged,
        raw=seen,
    )


def _percentile_ms(seen: dict[str, Any], percent: int) -> float:
    cuts_us = statistics.quantiles(seen["latency_us"], n=100)
    return cuts_us[percent - 1] / 1000
