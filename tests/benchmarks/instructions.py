"""Row: instructions of whole processes, which do not depend on the load of the machine.

Valgrind's cachegrind counts them. Compile the library before (`pip install` does it): otherwise
each start compiles it. Hashes of strings are fixed, so that two runs differ by thousandths.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from .processes import PEERS, Bench, ProgramFailed
from .report import Line, Verdict, spread

_ROUNDS = 5
_STATIC, _EMPTY = "static keys", "python -c pass"
_LIST = [sys.executable, str(PEERS / "static_keys.py")]
_PASS = [sys.executable, "-c", "pass"]
_EXCHANGES = {"bridge.session": "bridge_session.py", "bridge.install": "bridge_install.py"}
_GOAL = 1.02


def measure(bench: Bench) -> list[Line]:
    """Measure the first call of boto3 programs."""
    what = "instructions, start to first signed call"
    if not bench.command("valgrind"):
        return [Line(what, "", "not run: valgrind missing")]
    bench.clouds("reset")
    programs = {_STATIC: _LIST}
    programs |= {name: [sys.executable, str(PEERS / file)] for name, file in _EXCHANGES.items()}
    return _lines(bench, what, programs, _GOAL)


def measure_run(bench: Bench) -> list[Line]:
    """Measure unchanged programs under `gcp-aws-bridge run`, without its own process.

    That process replaces itself by the program, and takes as long as a small command.
    """
    what = "instructions under gcp-aws-bridge run"
    if not bench.command("valgrind"):
        return [Line(what, "", "not run: valgrind missing")]
    bench.clouds("reset")
    hooked = _variables_of_run(bench)
    listing = [sys.executable, str(PEERS / "app.py")]
    return [
        *_lines(bench, f"{what}, S3 call", {_STATIC: _LIST, "app.py": listing}, 1.05, hooked),
        *_lines(bench, f"{what}, no botocore", {_EMPTY: _PASS, "the same": _PASS}, 1.03, hooked),
    ]


def _variables_of_run(bench: Bench) -> dict[str, str]:
    """Return the variables with which `gcp-aws-bridge run` starts a program."""
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    command = ["gcp-aws-bridge", "run", "--", sys.executable, "-c", show]
    done = subprocess.run(
        [bench.command(command[0]) or command[0], *command[1:]],
        env=dict(bench.environment),
        cwd=bench.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return {name: text for name, text in found.items() if bench.environment.get(name) != text}


def _lines(
    bench: Bench,
    what: str,
    programs: Mapping[str, Sequence[str]],
    goal: float,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> list[Line]:
    """Return a line for each program, with its ratio to the first one.

    Args:
        environ: Additional variables of all programs but the first one.
    """
    base = next(iter(programs))
    rounds = [
        {
            name: _millions(bench, command, **({} if name == base else environ))
            for name, command in programs.items()
        }
        for _ in range(max(3, bench.rounds(_ROUNDS)))
    ]
    lines = []
    for name in programs:
        counts = [each[name] for each in rounds]
        ratios = [each[name] / each[base] for each in rounds]
        interval = min(ratios), max(ratios)
        is_ours = name != base
        lines.append(
            Line(
                what,
                name,
                f"{spread(counts, 'M', 1)}, {len(counts)} runs",
                ratio=statistics.median(ratios),
                interval=interval if is_ours else None,
                goal=f"<= {goal}" if is_ours else "",
                verdict=Verdict.at_most(goal, interval) if is_ours else None,
                raw={"millions": counts},
            )
        )
    return lines


def _millions(bench: Bench, command: Sequence[str], **more: str) -> float:
    """Return the instructions of a process, in millions."""
    counted = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    environment = {**bench.environment, "PYTHONHASHSEED": "0", **more}
    done = subprocess.run(
        ["valgrind", *counted, *command],
        env=environment,
        cwd=bench.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"I +refs: +([\d,]+)", done.stderr)
    if done.returncode or found is None:
        raise ProgramFailed(f"valgrind {' '.join(command)}: {done.stderr[-2000:]}")
    return int(found[1].replace(",", "")) / 1e6
