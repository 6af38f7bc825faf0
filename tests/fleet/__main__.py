"""`python -m tests.fleet`: simulate the fleets, write docs/explanation/fleet.md and its curves.

Takes minutes; `--pods 2000` for a quick look. `nox -s figures` draws the curves.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.figures import data

from .page import curve, page, region_curve
from .simulation import HOUR_S, NO_OUTAGE, Day, Outage, simulate, simulate_regions

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
# One region of two is down.
REGIONS = Story("one hour", HOUR_S, 18, Outage(NOON_S, NOON_S + 2 * HOUR_S), "fleet-regions")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--pods", type=int, nargs="+", default=[10_000, 100_000])
    sizes: list[int] = parser.parse_args().pods
    counts = " ".join(f"{pods}" for pods in sizes)
    command = f"python -m tests.fleet --pods {counts}"
    days: list[tuple[Story, Day]] = []
    for story in STORIES:
        for pods in sizes:
            day = simulate(
                pods,
                hours=story.hours,
                life_s=story.life_s,
                outage=story.outage,
                progress=_progress(f"{pods:,} pods, {story.name}"),
            )
            days.append((story, day))
        if story.curve:
            drawn = curve(days[-1][1], story.life_s, story.outage)
            data.write(story.curve, command, data.versions_here(), **drawn)
    regions = [_regions(pods) for pods in sizes]
    drawn = region_curve(regions[-1], REGIONS.outage)
    data.write(REGIONS.curve, command, data.versions_here(), **drawn)
    text = page(days, regions, REGIONS.outage, counts)
    (DOCS / "fleet.md").write_text(text, encoding="utf-8", newline="\n")
    print(text)


def _regions(pods: int) -> list[Day]:
    logging.getLogger("gcp_aws_bridge").setLevel(logging.ERROR)  # a warning for each pod
    return simulate_regions(
        pods,
        outages=[REGIONS.outage, NO_OUTAGE],
        hours=REGIONS.hours,
        progress=_progress(f"{pods:,} pods, two regions"),
    )


def _progress(label: str) -> Callable[[float], None]:
    def progress(done: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{label}: {done:4.0%}", end="", file=sys.stderr, flush=True)

    return progress


if __name__ == "__main__":
    main()
