"""Row: the whole process, from its start to the answer of its first signed call."""

from __future__ import annotations

import importlib.util
import random
import statistics
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from .processes import PEERS, Bench, Cost
from .report import Line, Verdict, median_interval, spread

_ROUNDS = 60
_STATIC, _AGAIN, _SHELL = "static keys", "static keys, again", "credential_process (curl, aws, jq)"


def _of_bench(bench: Bench) -> Mapping[str, str]:
    return {}


def _on_aws(bench: Bench) -> Mapping[str, str]:
    found: Mapping[str, str] = bench.clouds("on_aws", folder=str(bench.folder))
    return found


def _slow(bench: Bench) -> Mapping[str, str]:
    found: Mapping[str, str] = bench.clouds("slow", folder=str(bench.folder))
    return found


def _shell_profile(bench: Bench) -> Mapping[str, str]:
    file = bench.folder / "shell-recipe.ini"
    script = PEERS / "credential_process.sh"
    file.write_text(f'[profile etl]\ncredential_process = bash "{script}"\n', encoding="utf-8")
    return {"AWS_CONFIG_FILE": str(file)}


class _Program(NamedTuple):
    """A program in `peers/`.

    Attributes:
        asks: The requests that the clouds must have counted after one run, by service.
        environ: Additional environment variables.
    """

    file: str
    asks: Mapping[str, Any]
    environ: Callable[[Bench], Mapping[str, str]] = _of_bench


class _Race(NamedTuple):
    """The contenders of one row.

    Attributes:
        programs: By name. One program occurs twice: the difference between the two is the noise of
            this run, and ratios are given to both.
        close: Programs that differ by hundredths, and need more runs than others.
    """

    what: str
    goal: float
    programs: Mapping[str, _Program]
    close: Collection[str]


_KEYS = {"s3": {"AKIA": 1}, "sts": 0}
_EXCHANGE = {"s3": {"ASIA": 1}, "sts": 1}
_TOKEN = {"google": 1, "iam": 1}

_BOTO3 = _Race(
    "start to first signed call",
    1.03,
    {
        _STATIC: _Program("static_keys.py", _KEYS),
        _AGAIN: _Program("static_keys.py", _KEYS),
        "bridge.session": _Program("bridge_session.py", _EXCHANGE),
        "bridge.install": _Program("bridge_install.py", _EXCHANGE),
        "recipe (google-auth, boto3)": _Program("recipe.py", _EXCHANGE),
        _SHELL: _Program("shell_recipe.py", _EXCHANGE, _shell_profile),
    },
    (_STATIC, _AGAIN, "bridge.session", "bridge.install"),
)
_SLOW = _Race(
    "start to first signed call; metadata server 15 ms, STS 80 ms over TLS",
    1.15,
    {
        _STATIC: _Program("static_keys.py", _KEYS, _slow),
        _AGAIN: _Program("static_keys.py", _KEYS, _slow),
        "bridge.session": _Program("bridge_session.py", _EXCHANGE, _slow),
        "bridge.install": _Program("bridge_install.py", _EXCHANGE, _slow),
        "recipe (google-auth, boto3)": _Program("recipe.py", _EXCHANGE, _slow),
    },
    (_STATIC, _AGAIN, "bridge.session", "bridge.install"),
)
_AIO = _Race(
    "start to first signed call, aiobotocore",
    1.08,
    {
        _STATIC: _Program("aio_static.py", _KEYS),
        _AGAIN: _Program("aio_static.py", _KEYS),
        "bridge: aio.session": _Program("aio_session.py", _EXCHANGE),
    },
    (_STATIC, _AGAIN, "bridge: aio.session"),
)
_GOOGLE = _Race(
    "AWS to Google: start to first token",
    1.08,
    {
        _STATIC: _Program("google_auth_keys.py", _TOKEN, _on_aws),
        _AGAIN: _Program("google_auth_keys.py", _TOKEN, _on_aws),
        "bridge: google.credentials": _Program("google_bridge.py", _TOKEN, _on_aws),
    },
    (_STATIC, _AGAIN, "bridge: google.credentials"),
)


def measure(bench: Bench) -> list[Line]:
    """Measure boto3."""
    return _measure(bench, _BOTO3)


def measure_slow(bench: Bench) -> list[Line]:
    """Measure boto3 with the latencies of a pod, which the creation of the S3 client hides."""
    try:
        return _measure(bench, _SLOW)
    finally:
        bench.clouds("reset")


def measure_aio(bench: Bench) -> list[Line]:
    """Measure aiobotocore."""
    if importlib.util.find_spec("aiobotocore") is None:
        return [Line(_AIO.what, "", "not run: aiobotocore missing")]
    return _measure(bench, _AIO)


def measure_google(bench: Bench) -> list[Line]:
    """Measure the other direction, beside google-auth's own support for AWS, with AWS keys."""
    if importlib.util.find_spec("requests") is None:
        return [Line(_GOOGLE.what, "", "not run: requests missing")]
    return _measure(bench, _GOOGLE)


def _measure(bench: Bench, race: _Race) -> list[Line]:
    """Interleave all contenders in random order, each in a new process, round by round."""
    missing = [tool for tool in ("curl", "aws", "jq") if not bench.command(tool)]
    names = [name for name in race.programs if not (missing and name == _SHELL)]
    requests = {name: _warmed_up(bench, race.programs[name]) for name in names}
    environs = {name: race.programs[name].environ(bench) for name in names}
    rounds: list[dict[str, Cost]] = []
    for number in range(bench.rounds(_ROUNDS)):
        # Contenders that differ by half need fewer runs than contenders that differ by hundredths.
        due = [name for name in names if number % 3 == 0 or name in race.close]
        # In a fixed order each would always follow the same one, and profit from its caches.
        rounds.append(
            {
                name: _run(bench, race.programs[name], environs[name])
                for name in random.sample(due, len(due))
            }
        )
    lines = [_line(race, name, rounds, requests[name]) for name in names]
    if missing and _SHELL in race.programs:
        lines.append(Line(race.what, _SHELL, f"not run: {', '.join(missing)} missing"))
    return lines


def _line(race: _Race, name: str, rounds: list[dict[str, Cost]], requests: str) -> Line:
    costs = [each[name] for each in rounds if name in each]
    wall_ms = [cost.wall_ms for cost in costs]
    cpu_ms = [cost.cpu_ms for cost in costs]
    # Within each round, since a machine's speed drifts by more than the differences.
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


def _warmed_up(bench: Bench, program: _Program) -> str:
    """Run the program once without counting: this fills caches and checks that it does its work."""
    bench.clouds("reset")
    _run(bench, program, program.environ(bench))
    counts = bench.clouds("counts")
    if any(counts[service] != count for service, count in program.asks.items()):
        raise AssertionError(f"{program.file} did not do its work: {counts}")
    return ", ".join(f"{count} {service}" for service, count in counts.items() if service != "s3")


def _run(bench: Bench, program: _Program, environ: Mapping[str, str]) -> Cost:
    return bench.cost([sys.executable, str(PEERS / program.file)], **environ)
