"""Rows: an outage of STS from minute 31 of an hour, its end, and an outage of one region."""

from __future__ import annotations

from typing import Any

from .processes import Bench
from .report import Line, Verdict

_CONTENDERS = {
    "bridge": "bridge.credentials",
    "recipe": "recipe (RefreshableCredentials)",
    # botocore's default for retries is short today, was longer before, and is a setting.
    "recipe, legacy": "recipe, AWS_RETRY_MODE=legacy",
}
_TWO = {"GCP_AWS_BRIDGE_STS_REGIONS": "us-east-1,us-west-2"}
# Name of the figure, fault of the first region, variables.
_REGIONAL: list[tuple[str, str, dict[str, str]]] = [
    ("bridge.credentials, two regions", "refuses", _TWO),
    ("the same, and the first is silent", "silent", _TWO),
    ("bridge.credentials, one region", "refuses", {}),
]
# Several, since the next attempt depends on where in a pause the outage ends.
_BACK_MINUTES = (50.0, 50.2, 50.4, 50.6, 50.8)
# The longest pause between background attempts (RefreshPolicy.backoff_cap_s), and one step of the
# simulation: the thread that starts the refresh does not get its result.
_BACKOFF_STEP_S = 60 + 1


def measure(bench: Bench) -> list[Line]:
    """Run an hour of each contender in each scenario; simulated time needs no second run."""
    whole = {name: _hour(bench, name, 60) for name in _CONTENDERS}
    back = {name: [_hour(bench, name, end) for end in _BACK_MINUTES] for name in _CONTENDERS}
    return [
        *(_outage_line(name, seen) for name, seen in whole.items()),
        *(_return_line(name, seen) for name, seen in back.items()),
        *(_region_line(bench, *case) for case in _REGIONAL),
    ]


def _hour(bench: Bench, contender: str, back_minute: float) -> dict[str, Any]:
    bench.clouds("reset")
    name, _, mode = contender.partition(", ")
    retries = {"AWS_RETRY_MODE": mode} if mode else {}
    seen: dict[str, Any] = bench.ask("refusing_sts.py", name, str(back_minute), **retries)
    return seen


def _region_line(bench: Bench, name: str, fault: str, variables: dict[str, str]) -> Line:
    """Run three hours, in two of which the first region of STS is down."""
    bench.clouds("reset")
    regions = bench.clouds("two_regions", folder=str(bench.folder / "botocore"))
    seen = bench.ask("region_outage.py", fault, **regions, **variables)
    ours = variables == _TWO
    minute = seen["first_failure_minute"]
    when = "none" if minute is None else f"at minute {minute:.1f}"
    return Line(
        "One STS region down for two hours, from minute 31 on",
        name,
        f"{seen['failed']:,} of {seen['signings']:,} failed (first: {when}); "
        f"{seen['over_50_ms']:,} waited over 50 ms, longest {_duration(seen['longest_wait_s'])}",
        goal="0 fail, 0 wait" if ours else "",
        verdict=Verdict.of(seen["failed"] == seen["over_50_ms"] == 0) if ours else None,
        raw=seen,
    )


def _outage_line(contender: str, seen: dict[str, Any]) -> Line:
    ours = contender == "bridge"
    minute = seen["first_failure_minute"]
    when = "none" if minute is None else f"at minute {minute:.1f}"
    return Line(
        "STS refuses from minute 31 on (last 10 s not counted)",
        _CONTENDERS[contender],
        f"{seen['failed']:,} of {seen['signings']:,} failed (first ever: {when}); "
        f"{seen['over_50_ms']:,} waited over 50 ms, longest {_duration(seen['longest_wait_s'])}",
        goal="0 fail, 0 wait" if ours else "",
        verdict=Verdict.of(seen["failed"] == seen["over_50_ms"] == 0) if ours else None,
        raw=seen,
    )


def _return_line(contender: str, seen: list[dict[str, Any]]) -> Line:
    ours = contender == "bridge"
    after_s = [hour["fresh_after_s"] for hour in seen]
    worst_s = None if None in after_s else max(after_s)
    return Line(
        f"... and answers again in minute 50, worst of {len(seen)}",
        _CONTENDERS[contender],
        "no fresh credentials" if worst_s is None else f"fresh after {_duration(worst_s)}",
        goal=f"<= {_BACKOFF_STEP_S} s" if ours else "",
        verdict=Verdict.of(worst_s is not None and worst_s <= _BACKOFF_STEP_S) if ours else None,
        raw={"hours": seen},
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
