"""Shapes of the diagrams."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from .look import MONO, TEXT, Theme

LINE = 16.0  # from one line of text to the next
_WINGS = (3.5, -3.5)  # half of an arrow's head, to each side


class Box(NamedTuple):
    """A rectangle with text in it: a heading, and lines below."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


def box(place: Box, theme: Theme, heading: str, lines: list[str], *, colour: str) -> list[str]:
    """Return a box whose *lines* are in a monospaced font."""
    drawn = [
        rounded(place, theme.panel, colour),
        text(place.x + 8, place.y + LINE, heading, fill=colour, weight="bold"),
    ]
    top = place.y + 2 * LINE
    return drawn + [
        text(place.x + 8, top + LINE * number, line, family=MONO)
        for number, line in enumerate(lines)
    ]


def rounded(place: Box, fill: str, stroke: str) -> str:
    """Return the rectangle alone."""
    x, y, width, height = (f"{each:g}" for each in place)
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" '
        f'fill="{fill}" stroke="{stroke}"/>'
    )


def text(
    x: float,
    y: float,
    said: str,
    *,
    fill: str = "",
    weight: str = "",
    family: str = "",
    anchor: str = "",
    size: float = TEXT,
) -> str:
    """Return one line of text at the start (or *anchor*) of its base line."""
    attributes = {
        "fill": fill,
        "font-weight": weight,
        "font-family": family,
        "text-anchor": anchor,
        "font-size": f"{size:g}" if size != TEXT else "",
    }
    told = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value)
    return f'<text x="{x:g}" y="{y:g}"{told} xml:space="preserve">{escape(said)}</text>'


def arrow(start: tuple[float, float], end: tuple[float, float], colour: str) -> list[str]:
    """Return a straight arrow, horizontal or vertical, with its head at *end*."""
    (x1, y1), (x2, y2) = start, end
    along = (1 if x2 > x1 else -1, 0) if y1 == y2 else (0, 1 if y2 > y1 else -1)
    across = (along[1], along[0])
    base = (x2 - 7 * along[0], y2 - 7 * along[1])
    wings = [(base[0] + side * across[0], base[1] + side * across[1]) for side in _WINGS]
    points = "L".join(f"{x:g} {y:g}" for x, y in [(x2, y2), *wings])
    return [
        f'<path d="M{x1:g} {y1:g}L{base[0]:g} {base[1]:g}" stroke="{colour}" stroke-width="1.4"/>',
        f'<path d="M{points}Z" fill="{colour}"/>',
    ]


def flowed(words: list[str], columns: int) -> list[str]:
    """Return *words* in as few lines of at most *columns* characters as possible."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}  {word}".strip()
        if len(longer) <= columns or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
