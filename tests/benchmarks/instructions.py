"""Row: instructions of whole processes, which do not depend on the load of the machine.

Valgrind's cachegrind counts them. Compile the library before (`pip install` does it): otherwise
each start compiles it. Hashes of strings are fixed, so that two runs differ by thousandths.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence

from .processes import PEERS, Bench, ProgramFailed
from .report import Line, Verdict, spread

_ROUNDS = 5
_STATIC, _EMPTY = "static keys", "python -c pass"
_LIST = [sys.executable, str(PEERS / "static_keys.py")]
_PASS = [sys.executable, "-c", "pass"]
_HOOK = {"GCP_AWS_BRIDGE_INSTALL": "aws"}
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


def _lines(
    bench: Bench, what: str, programs: Mapping[str, Sequence[str]], goal: float
) -> list[Line]:
    """Return a line for each program, with its ratio to the first one."""
    rounds = [
        {name: _millions(bench, command) for name, command in programs.items()}
        for _ in range(max(3, bench.rounds(_ROUNDS)))
    ]
    base = next(iter(programs))
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
