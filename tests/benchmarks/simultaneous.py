"""Row: requests to STS of many processes that start simultaneously."""

from __future__ import annotations

from typing import Any

from .processes import Bench
from .report import Line, Verdict

_PROCESSES = 50
_ROUNDS = 3


def measure(bench: Bench) -> list[Line]:
    """Count the requests to the clouds, run by run; the worst run counts."""
    runs: list[dict[str, Any]] = []
    for _ in range(1 if bench.quick else _ROUNDS):
        bench.clouds("reset")
        runs.append(bench.ask("simultaneous_commands.py", str(_PROCESSES)))
    exchanges, metadata = (max(run[service] for run in runs) for service in ("sts", "metadata"))
    alike = min(run["alike"] for run in runs)
    took_s = max(run["took_s"] for run in runs)
    return [
        Line(
            f"{_PROCESSES} credential_process at once, nothing in the file, worst of {len(runs)}",
            "gcp-aws-bridge",
            f"{exchanges} STS and {metadata} metadata requests, {took_s:.1f} s; "
            f"{alike} printed the same valid credentials",
            goal=f"1 and 1, {_PROCESSES} the same",
            verdict=Verdict.of((exchanges, metadata, alike) == (1, 1, _PROCESSES)),
            raw={"runs": runs},
        )
    ]
