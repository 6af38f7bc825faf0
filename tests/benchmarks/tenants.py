"""Row: the credentials of many tenants of one process are due at the same time."""

from __future__ import annotations

import sys

from .processes import Bench
from .report import Line, Verdict

_TENANTS, _TENANTS_QUICK = 10_000, 1_000
_MOST_THREADS, _MOST_SOCKETS, _LONGEST_READ_MS = 16, 32, 50.0


def measure(bench: Bench) -> list[Line]:
    """Count threads and sockets while all tenants are refreshed, and time every read."""
    tenants = _TENANTS_QUICK if bench.quick else _TENANTS
    what = f"{tenants:,} tenants due at once, STS takes 400 ms"
    if sys.platform != "linux":
        return [Line(what, "bridge.credentials", "not run: /proc is Linux's")]
    bench.clouds("reset")
    seen = bench.ask("many_tenants.py", str(tenants))
    met = (
        seen["threads_more"] <= _MOST_THREADS
        and seen["sockets_more"] <= _MOST_SOCKETS
        and seen["longest_read_ms"] <= _LONGEST_READ_MS
        and seen["expired"] == 0
        and seen["exchanges"] == tenants
    )
    return [
        Line(
            what,
            "bridge.credentials",
            f"{seen['threads_more']} threads and {seen['sockets_more']} sockets more, longest read "
            f"{seen['longest_read_ms']:.0f} ms ({seen['longest_read_alone_ms']:.0f} ms without "
            f"garbage collections), {seen['expired']} expired; {seen['exchanges']:,} "
            f"exchanges in {seen['took_s']:.0f} s, {seen['busiest_second']} in the busiest second",
            goal=f"<= {_MOST_THREADS} threads, <= {_MOST_SOCKETS} sockets, "
            f"<= {_LONGEST_READ_MS:.0f} ms, 0 expired",
            verdict=Verdict.of(met),
            raw=seen,
        )
    ]
