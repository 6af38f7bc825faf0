"""Row: the longest pause of an event loop while its credentials are refreshed."""

from __future__ import annotations

import importlib.util
import statistics

from .processes import Bench
from .report import Line, Verdict

_QUIET = "quiet"
_CONTENDERS = {
    _QUIET: "no refresh at all",
    "bridge": "gcp_aws_bridge.aio",
    "aiobotocore": "recipe (AioRefreshableCredentials)",
    "recipe": "recipe (RefreshableCredentials in a coroutine)",
}
_GOAL_MS = 5.0
_ROUNDS = 12


def measure(bench: Bench) -> list[Line]:
    """Run each contender in its own process, through several refreshes."""
    rounds = bench.rounds(_ROUNDS)
    what = f"STS takes 400 ms: longest pause of an event loop, {rounds} refreshes"
    if importlib.util.find_spec("aiobotocore") is None:
        return [Line(what, "", "not run: aiobotocore missing")]
    seen: dict[str, list[float]] = {}
    for contender in _CONTENDERS:
        bench.clouds("reset")
        seen[contender] = bench.ask("event_loop.py", contender, str(rounds))["longest_ms"]
    return [_line(what, contender, longest_ms) for contender, longest_ms in seen.items()]


def _line(what: str, contender: str, longest_ms: list[float]) -> Line:
    ours = contender == "bridge"
    return Line(
        what,
        _CONTENDERS[contender],
        f"{max(longest_ms):,.1f} ms; of a refresh, in the middle, "
        f"{statistics.median(longest_ms):,.1f} ms",
        goal=f"< {_GOAL_MS:.0f} ms" if ours else "",
        verdict=Verdict.of(max(longest_ms) < _GOAL_MS) if ours else None,
        raw={"longest_ms": longest_ms},
    )
