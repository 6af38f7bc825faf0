"""Row: `get_frozen_credentials()` with nothing to refresh, as each signature does."""

from __future__ import annotations

import statistics

from .processes import Bench
from .report import Line, Verdict, spread

_CONTENDERS = {
    "recipe": "botocore RefreshableCredentials",
    "bridge": "bridge.credentials",
    "static": "botocore Credentials (static)",
}
_ROUNDS = 75


def measure(bench: Bench) -> list[Line]:
    """Run all contenders in one process, in random order, 20,000 calls at a time."""
    bench.clouds("reset")
    rounds = bench.rounds(_ROUNDS)
    samples = bench.ask("frozen_credentials.py", str(rounds))
    base = statistics.median(samples["recipe"])
    lines = []
    for contender, label in _CONTENDERS.items():
        ratio = statistics.median(samples[contender]) / base
        ours = contender == "bridge"
        lines.append(
            Line(
                f"get_frozen_credentials(), {rounds} runs each",
                label,
                spread(samples[contender], "ns"),
                ratio=ratio,
                goal="<= 1" if ours else "",
                verdict=Verdict.of(ratio <= 1) if ours else None,
                raw={"ns": samples[contender]},
            )
        )
    return lines
