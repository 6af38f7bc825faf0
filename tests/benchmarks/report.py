"""Rows of results, and the table that shows them."""

from __future__ import annotations

import enum
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


class Verdict(enum.Enum):
    """Whether a figure of ours reached its goal."""

    MET = "met"
    MISSED = "MISSED"
    UNSURE = "too noisy to say"

    @classmethod
    def of(cls, reached: bool) -> Verdict:
        return cls.MET if reached else cls.MISSED

    @classmethod
    def at_most(cls, goal: float, interval: tuple[float, float]) -> Verdict:
        """Return neither if the goal lies within the precision of this run."""
        low, high = interval
        return cls.UNSURE if low <= goal < high else cls.of(high <= goal)

    @classmethod
    def at_least(cls, goal: float, interval: tuple[float, float]) -> Verdict:
        """Return the verdict for the opposite direction, as `at_most`."""
        low, high = interval
        return cls.UNSURE if low < goal <= high else cls.of(goal <= low)


@dataclass(frozen=True)
class Line:
    """One contender in one row.

    Attributes:
        ratio: The ratio to the contender that the row compares with.
        interval: The interval of that ratio, by the precision of this run.
        raw: The measurements behind the figure, for `--json`.
    """

    what: str
    contender: str
    figure: str
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    goal: str = ""
    verdict: Verdict | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict and self.verdict.value}

    def columns(self) -> tuple[str, ...]:
        return (
            self.what,
            self.contender,
            self.figure,
            self._ratio(),
            self.goal,
            self.verdict.value if self.verdict else "",
        )

    def _ratio(self) -> str:
        if self.ratio is None:
            return ""
        if self.interval is None:
            return f"{self.ratio:.2f}"
        low, high = self.interval
        return f"{self.ratio:.2f} ({low:.2f}-{high:.2f})"


def table(lines: Sequence[Line]) -> str:
    """Return an aligned Markdown table, which is legible on a terminal too."""
    head = ("what", "contender", "figure", "ratio", "goal", "met?")
    rows = [head, *(line.columns() for line in _without_repeats(lines))]
    widths = [max(len(row[index]) for row in rows) for index in range(len(head))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| "
        + " | ".join(column.ljust(width) for column, width in zip(row, widths, strict=True))
        + " |"
        for row in rows
    )


def _without_repeats(lines: Sequence[Line]) -> list[Line]:
    """Return *lines* with the subject of a measurement only at its first contender."""
    shown = []
    before = ""
    for line in lines:
        fields = {**vars(line), "what": "" if line.what == before else line.what}
        shown.append(Line(**fields))
        before = line.what
    return shown


def spread(samples: Sequence[float], unit: str, digits: int = 0) -> str:
    """Return median and middle half: `423 ms (401-450)`."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return f"{middle:,.{digits}f} {unit} ({low:,.{digits}f}-{high:,.{digits}f})"


def median_interval(samples: Sequence[float]) -> tuple[float, float]:
    """Return where the median lies with 90 % confidence: the percentile bootstrap.

    See: Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 13. Seeded, so that equal
    measurements get equal intervals.
    """
    chance = random.Random(0)
    medians = [statistics.median(chance.choices(samples, k=len(samples))) for _ in range(2000)]
    cuts = statistics.quantiles(medians, n=20)
    return cuts[0], cuts[-1]
