"""Row: the wait of an SDK or the AWS CLI for a profile with a `credential_process`."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile

from .processes import PEERS, Bench, Cost
from .report import Line, Verdict, median_interval, spread

_WHAT = "credential_process, start to exit"
_ROUNDS = 60
_BARE, _SHELL = "python -c pass", "shell recipe (curl, aws, jq)"
_WARM, _COLD = "gcp-aws-bridge, from its file", "gcp-aws-bridge, with an exchange"
_MODULE = "python -m gcp_aws_bridge, from its file"
_EXCHANGES = {_BARE: 0, _WARM: 0, _MODULE: 0, _COLD: 1, _SHELL: 1}
_MOST_TO_BARE = {_WARM: 4, _COLD: 6}
_LEAST_OF_SHELL = {_WARM: 15, _COLD: 6}


def measure(bench: Bench) -> list[Line]:
    """Interleave all contenders in random order, round by round, as for the first call."""
    missing = [tool for tool in ("curl", "aws", "jq") if not bench.command(tool)]
    names = [name for name in _EXCHANGES if not (missing and name == _SHELL)]
    bench.clouds("reset")
    _run(bench, _WARM)  # later runs find these credentials in the file
    for name in names:
        _check(bench, name)
    rounds: list[dict[str, Cost]] = []
    for number in range(bench.rounds(_ROUNDS)):
        # Slow contenders differ by much, and need fewer runs.
        due = [name for name in names if number % 3 == 0 or _EXCHANGES[name] == 0]
        rounds.append({name: _run(bench, name) for name in random.sample(due, len(due))})
    lines = [_line(name, rounds) for name in names]
    if missing:
        return [*lines, Line(_WHAT, _SHELL, f"not run: {', '.join(missing)} missing")]
    return lines + [_shell_line(name, goal, rounds) for name, goal in _LEAST_OF_SHELL.items()]


def _line(name: str, rounds: list[dict[str, Cost]]) -> Line:
    costs = [each[name] for each in rounds if name in each]
    wall_ms, cpu_ms = [cost.wall_ms for cost in costs], [cost.cpu_ms for cost in costs]
    ratios = _ratios(name, _BARE, rounds)
    interval = median_interval(ratios)
    goal = _MOST_TO_BARE.get(name)
    return Line(
        _WHAT,
        name,
        f"{spread(wall_ms, 'ms')}, {statistics.median(cpu_ms):,.0f} ms CPU, {len(costs)} runs",
        ratio=statistics.median(ratios),
        interval=None if name == _BARE else interval,
        goal=f"<= {goal}" if goal else "",
        verdict=Verdict.at_most(goal, interval) if goal else None,
        raw={"wall_ms": wall_ms, "cpu_ms": cpu_ms},
    )


def _shell_line(name: str, goal: float, rounds: list[dict[str, Cost]]) -> Line:
    ratios = _ratios(_SHELL, name, rounds)
    interval = median_interval(ratios)
    return Line(
        "... and how much longer the shell recipe takes",
        name,
        f"{len(ratios)} runs of both",
        ratio=statistics.median(ratios),
        interval=interval,
        goal=f">= {goal}",
        verdict=Verdict.at_least(goal, interval),
        raw={"ratios": ratios},
    )


def _ratios(name: str, base: str, rounds: list[dict[str, Cost]]) -> list[float]:
    """Return ratios within each round, since a machine's speed drifts."""
    both = [each for each in rounds if name in each and base in each]
    return [each[name].wall_ms / each[base].wall_ms for each in both]


def _check(bench: Bench, name: str) -> None:
    """Run the program once without counting, and check that it does its work."""
    bench.clouds("reset")
    _run(bench, name)
    exchanges = bench.clouds("counts")["sts"]
    if exchanges != _EXCHANGES[name]:
        raise AssertionError(f"{name}: {exchanges} STS requests, not {_EXCHANGES[name]}")


def _run(bench: Bench, name: str) -> Cost:
    if name == _BARE:
        return bench.cost([sys.executable, "-c", "pass"])
    if name == _SHELL:
        return bench.cost(["bash", str(PEERS / "credential_process.sh")])
    if name == _MODULE:
        return bench.cost([sys.executable, "-m", "gcp_aws_bridge", "credential-process"])
    if name == _WARM:
        return bench.cost(["gcp-aws-bridge", "credential-process"])
    with tempfile.TemporaryDirectory(dir=bench.folder) as empty:
        return bench.cost(["gcp-aws-bridge", "credential-process", "--cache-dir", empty])
