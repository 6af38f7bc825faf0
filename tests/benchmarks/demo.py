"""Row: the duration of the demonstration, once installed."""

from __future__ import annotations

import statistics
import sys

from .processes import Bench
from .report import Line, Verdict, spread

_GOAL_S = 10
_ROUNDS = 3


def measure(bench: Bench) -> list[Line]:
    """Run the command as a newcomer does, from start to exit."""
    command = [sys.executable, "-m", "gcp_aws_bridge", "demo"]
    samples = [bench.cost(command).wall_ms / 1000 for _ in range(_ROUNDS)]
    return [
        Line(
            f"gcp-aws-bridge demo, {_ROUNDS} runs",
            "gcp-aws-bridge demo",
            spread(samples, "s", 1),
            goal=f"< {_GOAL_S} s",
            verdict=Verdict.of(statistics.median(samples) < _GOAL_S),
            raw={"seconds": samples},
        )
    ]
