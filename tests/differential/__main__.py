"""`python -m tests.differential`: `policy/` beside the emulator, on pairs made by chance."""

from __future__ import annotations

import argparse
import sys
import time

from .compare import compared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    started = time.perf_counter()
    found = compared(options.pairs, options.seed)
    taken_s = time.perf_counter() - started
    for disagreement in found.disagreements[:20]:
        print(disagreement)
    outcomes = ", ".join(f"{count:,} {name}" for name, count in found.outcomes.most_common())
    print(
        f"seed {options.seed}: {options.pairs:,} pairs in {taken_s:.0f} s: {outcomes}; "
        f"{len(found.disagreements)} disagreements"
    )
    return 1 if found.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
