"""All pictures by name, and the functions that draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from . import architecture, data, exchange, recorded
from .look import THEMES, Theme

RECORDED = ("demo", "doctor")
CHARTS = ("outage", "first-call", "sessions", "fleet-1h", "fleet-12h", "fleet-regions")
DIAGRAMS: Mapping[str, Callable[[Theme], str]] = {
    "architecture": architecture.drawn,
    "exchange": exchange.drawn,
    **{name: partial(recorded.drawn, name) for name in RECORDED},
}


def files(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Return file name and content of each of these pictures, in both themes.

    Charts need matplotlib; the others need nothing.
    """
    for name in names:
        draw = DIAGRAMS.get(name) or _chart(name)
        for theme in THEMES:
            yield f"{name}-{theme.name}.svg", draw(theme)


def _chart(name: str) -> Callable[[Theme], str]:
    from . import charts

    document = data.read(name)
    draw: Callable[[Mapping[str, Any], Theme, str], str] = {
        "outage": charts.outage,
        "first-call": charts.first_call,
        "sessions": charts.sessions,
        "fleet-1h": charts.fleet,
        "fleet-12h": charts.fleet,
        "fleet-regions": charts.fleet,
    }[name]
    return lambda theme: draw(document, theme, data.made_by(name, document))
