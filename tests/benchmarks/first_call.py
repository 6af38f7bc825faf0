"""Row: the whole process, from its start to the answer of its first signed call."""

from __future__ import annotations

import importlib.util
import random
import statistics
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from .processes import PEERS, Bench, Cost
from .report import Line, Verdict, median_interval, spread

_ROUNDS = 60
_STATIC, _AGAIN, _SHELL = "static keys", "static keys, again", "credential_process (curl, aws, jq)"


class _Race(NamedTuple):
    """What is compared.

    Attributes:
        programs: By name: one of `peers/`, and the prefix of the key that it must be seen to sign
            with. The same static one twice: what the two differ by is the noise of this run, and
            ratios are to both.
        close: Those that differ by hundredths, and need more runs than others.
    """

    what: str
    goal: float
    programs: Mapping[str, tuple[str, str]]
    close: Collection[str]


_BOTO3 = _Race(
    "start to first signed call",
    1.06,
    {
        _STATIC: ("static_keys.py", "AKIA"),
        _AGAIN: ("static_keys.py", "AKIA"),
        "bridge.session": ("bridge_session.py", "ASIA"),
        "bridge.install": ("bridge_install.py", "ASIA"),
        "recipe (google-auth, boto3)": ("recipe.py", "ASIA"),
        _SHELL: ("shell_recipe.py", "ASIA"),
    },
    (_STATIC, _AGAIN, "bridge.session", "bridge.install"),
)
_AIO = _Race(
    "start to first signed call, aiobotocore",
    1.08,
    {
        _STATIC: ("aio_static.py", "AKIA"),
        _AGAIN: ("aio_static.py", "AKIA"),
        "bridge: aio.session": ("aio_session.py", "ASIA"),
    },
    (_STATIC, _AGAIN, "bridge: aio.session"),
)


def measure(bench: Bench) -> list[Line]:
    """boto3's."""
    return _measure(bench, _BOTO3)


def measure_aio(bench: Bench) -> list[Line]:
    """aiobotocore's."""
    if importlib.util.find_spec("aiobotocore") is None:
        return [Line(_AIO.what, "", "not run: aiobotocore missing")]
    return _measure(bench, _AIO)


def _measure(bench: Bench, race: _Race) -> list[Line]:
    """Interleave all contenders in random order, one fresh process each, round by round."""
    missing = [tool for tool in ("curl", "aws", "jq") if not bench.command(tool)]
    names = [name for name in race.programs if not (missing and name == _SHELL)]
    requests = {name: _warmed_up(bench, race.programs[name]) for name in names}
    rounds: list[dict[str, Cost]] = []
    for number in range(bench.rounds(_ROUNDS)):
        # Peers that differ by half need fewer runs than what differs by hundredths.
        due = [name for name in names if number % 3 == 0 or name in race.close]
        # In a fixed order each would always follow the same one, and inherit its caches.
        rounds.append(
            {name: _run(bench, race.programs[name][0]) for name in random.sample(due, len(due))}
        )
    lines = [_line(race, name, rounds, requests[name]) for name in names]
    if missing and _SHELL in race.programs:
        lines.append(Line(race.what, _SHELL, f"not run: {', '.join(missing)} missing"))
    return lines


def _line(race: _Race, name: str, rounds: list[dict[str, Cost]], requests: str) -> Line:
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
        race.what,
        name,
        f"{spread(wall_ms, 'ms')}, {statistics.median(cpu_ms):,.0f} ms CPU, {len(costs)} runs",
        ratio=statistics.median(ratios),
        interval=interval,
        goal=f"<= {race.goal}" if ours else "",
        verdict=Verdict.at_most(race.goal, interval) if ours else None,
        raw={"wall_ms": wall_ms, "cpu_ms": cpu_ms, "requests": requests},
    )


def _warmed_up(bench: Bench, contender: tuple[str, str]) -> str:
    """One run that is not counted: it fills caches, and shows that the program does its work."""
    bench.clouds("reset")
    program, prefix = contender
    _run(bench, program)
    counts = bench.clouds("counts")
    exchanges = 0 if prefix == "AKIA" else 1
    if counts["s3"] != {prefix: 1} or counts["sts"] != exchanges:
        raise AssertionError(f"{program} did not do what it is measured for: {counts}")
    return f"{counts['metadata']} metadata, {counts['sts']} STS"


def _run(bench: Bench, program: str) -> Cost:
    shell = program == "shell_recipe.py"
    more = {"AWS_CONFIG_FILE": str(_profile(bench.folder))} if shell else {}
    return bench.cost([sys.executable, str(PEERS / program)], **more)


def _profile(folder: Path) -> Path:
    file = folder / "shell-recipe.ini"
    script = PEERS / "credential_process.sh"
    file.write_text(f'[profile etl]\ncredential_process = bash "{script}"\n', encoding="utf-8")
    return file
