"""Row: memory of many session policies."""

from __future__ import annotations

import sys

from .processes import Bench
from .report import Line, Verdict

_CHECKPOINTS = (10_000, 50_000, 100_000)
# A leak of one cache per call would be hundreds of megabytes; an allocator varies by a few.
_PLATEAU_MB = 4.0


def measure(bench: Bench) -> list[Line]:
    """Measure memory over many calls of one process; it must not grow after the first 10,000."""
    what = f"{_CHECKPOINTS[-1]:,} credentials(policy=...) calls, all different"
    if sys.platform != "linux":
        return [Line(what, "bridge.credentials", "not run: /proc is Linux's")]
    bench.clouds("reset")
    seen = bench.ask("many_policies.py", *map(str, _CHECKPOINTS))
    resident = seen["resident_mb"]
    growth_mb = resident[str(_CHECKPOINTS[-1])] - resident[str(_CHECKPOINTS[0])]
    series = ", ".join(f"{megabytes:.1f}" for megabytes in resident.values())
    each_us = seen["took_s"] / _CHECKPOINTS[-1] * 1e6
    return [
        Line(
            what,
            "bridge.credentials",
            f"{series} MB resident after 0, 10k, 50k, 100k; {each_us:.0f} us a call; "
            f"bounded by {seen['max_caches']:,} caches",
            goal=f"10k to 100k: <= {_PLATEAU_MB:.0f} MB",
            verdict=Verdict.of(growth_mb <= _PLATEAU_MB),
            raw=seen,
        )
    ]
