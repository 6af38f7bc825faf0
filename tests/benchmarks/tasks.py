"""Row: requests to the clouds of many tasks of one event loop at a cold start."""

from __future__ import annotations

import importlib.util

from .processes import Bench
from .report import Line, Verdict

_ROUNDS = 3


def measure(bench: Bench) -> list[Line]:
    """Count the requests to the clouds; the run with most requests counts."""
    if importlib.util.find_spec("aiobotocore") is None:
        return [Line("tasks at a cold start", "", "not run: aiobotocore missing")]
    seen = []
    for _ in range(_ROUNDS):
        bench.clouds("reset")
        bench.clouds("sts_latency", seconds=0.4)
        shape = bench.ask("many_tasks.py")
        counts = bench.clouds("counts")
        seen.append((counts["sts"], counts["metadata"], shape["took_s"]))
    exchanges, metadata, took_s = (max(run[part] for run in seen) for part in range(3))
    return [
        Line(
            f"{shape['tasks']} tasks at a cold start, STS takes 400 ms, {_ROUNDS} runs",
            "gcp_aws_bridge.aio",
            f"{exchanges} STS and {metadata} metadata requests, {took_s:.2f} s",
            goal="1 and 1",
            verdict=Verdict.of((exchanges, metadata) == (1, 1)),
            raw={"sts_metadata_seconds": seen},
        )
    ]
