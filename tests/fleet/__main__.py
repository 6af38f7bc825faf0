"""`python -m tests.fleet`: simulate the fleets, write docs/explanation/fleet.md and its curves.

Takes minutes; `--pods 2000` for a quick look. `nox -s figures` draws the curves.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from tests.figures import data

from .page import curve, page
from .simulation import HOUR_S, Day, Outage, simulate

DOCS = Path(__file__).parents[2] / "docs" / "explanation"


class Story(NamedTuple):
    """One kind of role, and an outage of STS."""

    name: str
    life_s: float
    hours: int
    outage: Outage
    curve: str = ""


NOON_S = 12 * HOUR_S
STORIES = [
    Story("one hour", HOUR_S, 24, Outage(NOON_S, NOON_S + HOUR_S), "fleet-1h"),
    Story("one hour", HOUR_S, 15, Outage(NOON_S, NOON_S + 1200)),
    Story("one hour", HOUR_S, 15, Outage(NOON_S, NOON_S + 600)),
    # Its waves take days to even out: the outage is on the fourth day.
    Story("twelve hours", 12 * HOUR_S, 96, Outage(72 * HOUR_S, 73 * HOUR_S), "fleet-12h"),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--pods", type=int, nargs="+", default=[10_000, 100_000])
    sizes: list[int] = parser.parse_args().pods
    counts = " ".join(f"{pods}" for pods in sizes)
    days: list[tuple[Story, Day]] = []
    for story in STORIES:
        for pods in sizes:

            def progress(done: float, label: str = f"{pods:,} pods, {story.name}") -> None:
                if sys.stderr.isatty():
                    print(f"\r{label}: {done:4.0%}", end="", file=sys.stderr, flush=True)

            day = simulate(
                pods,
                hours=story.hours,
                life_s=story.life_s,
                outage=story.outage,
                progress=progress,
            )
            progress(1.0)
            days.append((story, day))
        if story.curve:
            command = f"python -m tests.fleet --pods {counts}"
            drawn = curve(days[-1][1], story.life_s, story.outage)
            data.write(story.curve, command, data.versions_here(), **drawn)
    text = page(days, counts)
    (DOCS / "fleet.md").write_text(text, encoding="utf-8", newline="\n")
    print(text)


if __name__ == "__main__":
    main()
