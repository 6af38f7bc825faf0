"""`python -m tests.differential`: `policy/` beside the emulator, on pairs made by chance."""

from __future__ import annotations

import argparse
import sys
import time

from .compare import compared, compared_requests


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    disagreements = 0
    for name, compare in (("tokens", compared), ("requests", compared_requests)):
        started = time.perf_counter()
        found = compare(options.pairs, options.seed)
        taken_s = time.perf_counter() - started
        for disagreement in found.disagreements[:20]:
            print(disagreement)
        outcomes = ", ".join(f"{count:,} {each}" for each, count in found.outcomes.most_common())
        print(
            f"{name}, seed {options.seed}: {options.pairs:,} pairs in {taken_s:.0f} s: {outcomes}; "
            f"{len(found.disagreements)} disagreements"
        )
        disagreements += len(found.disagreements)
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
