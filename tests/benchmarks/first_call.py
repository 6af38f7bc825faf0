"""Row: the whole process, from its start to the answer of its first signed call."""

from __future__ import annotations

import random
import statistics
import sys
from pathlib import Path

from .processes import PEERS, Bench, Cost
from .report import Line, Verdict, median_interval, spread

_WHAT = "start to first signed call"
_GOAL = 1.06
_ROUNDS = 60
_STATIC, _AGAIN, _SHELL = "static keys", "static keys, again", "credential_process (curl, aws, jq)"
# What each program must be seen to do: key prefix at S3, metadata and STS requests.
_PROGRAMS = {
    _STATIC: ("static_keys.py", "AKIA"),
    # The same program twice: what the two differ by is the noise of this run. Ratios are to both.
    _AGAIN: ("static_keys.py", "AKIA"),
    "bridge.session": ("bridge_session.py", "ASIA"),
    "bridge.install": ("bridge_install.py", "ASIA"),
    "recipe (google-auth, boto3)": ("recipe.py", "ASIA"),
    _SHELL: ("shell_recipe.py", "ASIA"),
}
_CLOSE = (_STATIC, _AGAIN, "bridge.session", "bridge.install")


def measure(bench: Bench) -> list[Line]:
    """Interleave all contenders in random order, one fresh process each, round by round."""
    missing = [tool for tool in ("curl", "aws", "jq") if not bench.command(tool)]
    names = [name for name in _PROGRAMS if not (missing and name == _SHELL)]
    requests = {name: _warmed_up(bench, name) for name in names}
    rounds: list[dict[str, Cost]] = []
    for number in range(bench.rounds(_ROUNDS)):
        # Peers that differ by half need fewer runs than what differs by hundredths.
        due = [name for name in names if number % 3 == 0 or name in _CLOSE]
        # In a fixed order each would always follow the same one, and inherit its caches.
        rounds.append({name: _run(bench, name) for name in random.sample(due, len(due))})
    lines = [_line(name, rounds, requests[name]) for name in names]
    if missing:
        lines.append(Line(_WHAT, _SHELL, f"not run: {', '.join(missing)} missing"))
    return lines


def _line(name: str, rounds: list[dict[str, Cost]], requests: str) -> Line:
    costs = [each[name] for each in rounds if name in each]
    wall_ms = [cost.wall_ms for cost in costs]
    cpu_ms = [cost.cpu_ms for cost in costs]
    # Within each round, since a machine's pace drifts by more than what is to be told apart.
    ratios = [
        2 * each[name].wall_ms / (each[_STATIC].wall_ms + each[_AGAIN].wall_ms)
        for each in rounds
        if name in each
    ]
    ours = name.startswith("bridge")
    interval = median_interval(ratios)
    return Line(
        _WHAT,
        name,
        f"{spread(wall_ms, 'ms')}, {statistics.median(cpu_ms):,.0f} ms CPU, {len(costs)} runs",
        ratio=statistics.median(ratios),
        interval=interval,
        goal=f"<= {_GOAL}" if ours else "",
        verdict=Verdict.at_most(_GOAL, interval) if ours else None,
        raw={"wall_ms": wall_ms, "cpu_ms": cpu_ms, "requests": requests},
    )


def _warmed_up(bench: Bench, name: str) -> str:
    """One run that is not counted: it fills caches, and shows that the program does its work."""
    bench.clouds("reset")
    _run(bench, name)
    counts = bench.clouds("counts")
    _, prefix = _PROGRAMS[name]
    exchanges = 0 if prefix == "AKIA" else 1
    if counts["s3"] != {prefix: 1} or counts["sts"] != exchanges:
        raise AssertionError(f"{name} did not do what it is measured for: {counts}")
    return f"{counts['metadata']} metadata, {counts['sts']} STS"


def _run(bench: Bench, name: str) -> Cost:
    program, _ = _PROGRAMS[name]
    more = {"AWS_CONFIG_FILE": str(_profile(bench.folder))} if name == _SHELL else {}
    return bench.cost([sys.executable, str(PEERS / program)], **more)


def _profile(folder: Path) -> Path:
    file = folder / "shell-recipe.ini"
    script = PEERS / "credential_process.sh"
    file.write_text(f'[profile etl]\ncredential_process = bash "{script}"\n', encoding="utf-8")
    return file
