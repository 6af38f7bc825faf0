"""`python -m tests.fleet`: simulate the fleets, write docs/explanation/fleet.md and its pictures.

Some minutes; `--pods 2000` for a look. Needs matplotlib (`nox -s fleet` has it).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from .page import page, picture
from .simulation import HOUR_S, Day, Outage, simulate

DOCS = Path(__file__).parents[2] / "docs" / "explanation"


class Story(NamedTuple):
    """One kind of role, and the hour in which STS answers nothing."""

    name: str
    life_s: float
    hours: int
    outage: Outage


STORIES = [
    Story("one hour", HOUR_S, 24, Outage(12 * HOUR_S, 13 * HOUR_S)),
    # Its waves take days to even out: the outage comes on the fourth.
    Story("twelve hours", 12 * HOUR_S, 96, Outage(72 * HOUR_S, 73 * HOUR_S)),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--pods", type=int, nargs="+", default=[10_000, 100_000])
    sizes: list[int] = parser.parse_args().pods
    days: list[tuple[Story, Day]] = []
    for story in STORIES:
        for pods in sizes:

            def progress(done: float, said: str = f"{pods:,} pods, {story.name}") -> None:
                if sys.stderr.isatty():
                    print(f"\r{said}: {done:4.0%}", end="", file=sys.stderr, flush=True)

            day = simulate(
                pods,
                hours=story.hours,
                life_s=story.life_s,
                outage=story.outage,
                progress=progress,
            )
            progress(1.0)
            days.append((story, day))
        (DOCS / f"fleet-{story.life_s / HOUR_S:.0f}h.svg").write_text(
            picture(days[-1][1], story.life_s, story.outage), encoding="utf-8", newline="\n"
        )
    text = page(days, " ".join(f"{pods}" for pods in sizes))
    (DOCS / "fleet.md").write_text(text, encoding="utf-8", newline="\n")
    print(text)


if __name__ == "__main__":
    main()
