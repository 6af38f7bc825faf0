"""`python -m tests.benchmarks`: measure, and print one table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import (
    credential_process,
    demo,
    event_loop,
    first_call,
    frozen,
    imports,
    instructions,
    memory,
    outage,
    serve,
    serve_memory,
    sessions,
    signing,
    simultaneous,
    tasks,
    tenants,
    webhook,
)
from .processes import Bench, ProgramFailed, bench
from .report import Line, Verdict, table

_ROWS: dict[str, Callable[[Bench], list[Line]]] = {
    "first-call": first_call.measure,
    "first-call-slow": first_call.measure_slow,
    "first-call-aio": first_call.measure_aio,
    "first-token-google": first_call.measure_google,
    "sessions": sessions.measure,
    "tasks": tasks.measure,
    "frozen": frozen.measure,
    "slow-sts": signing.measure,
    "event-loop": event_loop.measure,
    "outage": outage.measure,
    "imports": imports.measure,
    "instructions": instructions.measure,
    "instructions-run": instructions.measure_run,
    "memory": memory.measure,
    "tenants": tenants.measure,
    "credential-process": credential_process.measure,
    "simultaneous": simultaneous.measure,
    "serve": serve.measure,
    "serve-memory": serve_memory.measure,
    "webhook": webhook.measure,
    "demo": demo.measure,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks.

    Returns:
        The exit status: 0 measured, whatever the figures are; 1 a program failed, so that there
        is no figure; 130 interrupted.
    """
    options = _parser().parse_args(argv)
    try:
        with bench(quick=options.quick) as running:
            return _measured(running, options)
    except ProgramFailed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _measured(running: Bench, options: argparse.Namespace) -> int:
    started = time.perf_counter()
    versions = {**running.ask("versions.py"), "load before": f"{os.getloadavg()[0]:.2f}"}
    versions["processors"] = os.cpu_count()
    lines: list[Line] = []
    for name in options.only or _ROWS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines += _ROWS[name](running)
    took_s = time.perf_counter() - started
    print(table(lines))
    print(f"\n{', '.join(f'{name} {value}' for name, value in versions.items())}")
    quick = " QUICK: too few runs for figures to be quoted." if running.quick else ""
    print(f"{_summary(lines)} in {took_s:.0f} s.{quick}")
    if options.json:
        _write_json(options.json, versions, lines)
    return 0


def _summary(lines: Sequence[Line]) -> str:
    """Return how many goals were met, missed or left open."""
    verdicts = [line.verdict for line in lines if line.verdict]
    counts = (f"{verdicts.count(one)} {one.value}" for one in Verdict if one in verdicts)
    return f"Goals: {', '.join(counts) or 'none'};"


def _write_json(path: Path, versions: dict[str, Any], lines: Sequence[Line]) -> None:
    report = {"versions": versions, "lines": [line.as_json() for line in lines]}
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=sorted(_ROWS), help="one row; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="few runs, to try the benchmarks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
