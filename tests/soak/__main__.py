"""`python -m tests.soak`: 24 hours of one process in a minute or two, with random faults."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from gcp_aws_bridge.emulator import Emulator

from .day import THREADS, live


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def progress(done: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:4.0%}", end="", file=sys.stderr, flush=True)

    logging.getLogger("gcp_aws_bridge").setLevel(logging.ERROR)
    with Emulator() as cloud:
        os.environ.update(cloud.environ)
        report = live(cloud, hours=options.hours, seed=options.seed, progress=progress)
    first, last = report.first, report.last
    rows = [
        ("simulated hours", f"{report.hours:g}"),
        ("calls", f"{report.calls:,} from {THREADS} threads, 4 roles"),
        ("faults", f"{report.faults}, up to 18 minutes each"),
        ("requests to STS", f"{report.requests}, for {report.refreshes} sets of credentials"),
        ("failed calls", f"{len(report.errors)}"),
        ("expired credentials returned", f"{report.expired}"),
        (
            "memory, at noon and at the end",
            f"{first.memory_kib / 1024:.1f} to {last.memory_kib / 1024:.1f} MiB",
        ),
        ("threads, at noon and at the end", f"{first.threads} to {last.threads}"),
        ("file descriptors, at noon and at the end", f"{first.descriptors} to {last.descriptors}"),
    ]
    print("\n".join(f"| {name} | {value} |" for name, value in rows))
    for error in sorted(set(report.errors))[:5]:
        print(error, file=sys.stderr)
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
