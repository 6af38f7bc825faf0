"""Row: memory of `gcp-aws-bridge serve`, beside that of any process with an STS client."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from .processes import PEERS, Bench
from .report import Line, Verdict, median_interval, spread

_BARE, _OURS = "botocore with one STS client", "gcp-aws-bridge serve"
_ROUNDS = 10
_PER_SECOND, _SECONDS = 500, 2
_GOAL = 0.9


def measure(bench: Bench) -> list[Line]:
    """Measure new processes of both while both run."""
    what = f"memory after {_PER_SECOND * _SECONDS:,} requests"
    if sys.platform != "linux":
        return [Line(what, _OURS, "not run: /proc is Linux's")]
    bench.clouds("reset")
    rounds = [_both(bench) for _ in range(bench.rounds(_ROUNDS))]
    return [_line(what, name, rounds) for name in (_BARE, _OURS)]


def _both(bench: Bench) -> dict[str, dict[str, float]]:
    bare = [sys.executable, str(PEERS / "sts_client.py")]
    serve = ["gcp-aws-bridge", "serve", "--port", "0", "--shell", "dotenv"]
    with (
        bench.beside(bare, variables=1) as (bare_pid, _),
        bench.beside(serve, variables=2) as (pid, variables),
    ):
        bench.ask("steady_load.py", str(_PER_SECOND), str(_SECONDS), **variables)
        return {_BARE: _memory_mb(bare_pid), _OURS: _memory_mb(pid)}


def _memory_mb(pid: int) -> dict[str, float]:
    """Return resident memory, private memory, and private with a share of the common (proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    fields = (line.split() for line in lines)
    kib = {name: int(amount) for name, amount, _ in fields}
    counted = {
        "resident": kib["Rss:"],
        "own": kib["Private_Clean:"] + kib["Private_Dirty:"],
        "proportional": kib["Pss:"],
    }
    return {name: amount * 1024 / 1e6 for name, amount in counted.items()}


def _line(what: str, name: str, rounds: list[dict[str, dict[str, float]]]) -> Line:
    ratios = [each[name]["resident"] / each[_BARE]["resident"] for each in rounds]
    interval = median_interval(ratios)
    own_mb = statistics.median(each[name]["own"] for each in rounds)
    ours = name == _OURS
    return Line(
        what,
        name,
        f"{spread([each[name]['resident'] for each in rounds], 'MB', 1)} resident, "
        f"{own_mb:.1f} MB of it not shared, {len(rounds)} runs",
        ratio=statistics.median(ratios),
        interval=interval if ours else None,
        goal=f"<= {_GOAL}" if ours else "",
        verdict=Verdict.at_most(_GOAL, interval) if ours else None,
        raw={"memory_mb": [each[name] for each in rounds]},
    )
