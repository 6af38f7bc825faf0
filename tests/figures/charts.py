"""Charts of measurements, drawn with matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from .look import SANS, TEXT, WIDTH, Theme, framed

_HEADING = 14.5


def outage(data: Mapping[str, Any], theme: Theme, made_by: str) -> str:
    """Draw an hour of each contender: when it has credentials, blocks callers, or fails."""
    title = "Signing, while STS refuses from minute 31 on"
    lanes = data["lanes"]
    with _chart(theme, 80 * len(lanes) + 132, title) as (figure, axes):
        axes.axvspan(data["refuses_from_s"] / 60, 60, color=theme.line, alpha=0.5, linewidth=0)
        axes.text(45.5, len(lanes) - 0.2, "STS refuses", ha="center", color=theme.faint)
        for number, lane in enumerate(lanes):
            _lane(axes, len(lanes) - 1 - number, lane, theme)
        axes.set_xlim(0, 60)
        axes.set_ylim(-0.14, len(lanes))
        axes.yaxis.set_major_locator(NullLocator())
        axes.set_xticks(range(0, 61, 10))
        axes.set_xlabel(
            "minutes since the first credentials; marks: requests to STS\n"
            "the last ten seconds, too short to sign with, are not counted"
        )
        axes.spines["left"].set_visible(False)
        handles = [
            Patch(facecolor=colour, hatch=hatch, edgecolor=theme.ground, label=state)
            for state, (colour, hatch) in _states(theme).items()
        ]
        axes.legend(
            handles=handles, ncols=3, frameon=False, loc="lower left", bbox_to_anchor=(-0.03, 0.98),
            handlelength=1.4, columnspacing=1.4,
        )  # fmt: skip
        return _drawn(figure, theme, title, made_by)


def _states(theme: Theme) -> dict[str, tuple[str, str]]:
    """Return colour and hatch of each state, which differ without colour vision too."""
    return {
        "served": (theme.blue, ""),
        "callers wait": (theme.orange, "//"),
        "signing fails": (theme.red, "xx"),
    }


def _lane(axes: Axes, floor: float, lane: Mapping[str, Any], theme: Theme) -> None:
    for start_s, end_s, state in lane["spans"]:
        colour, hatch = _states(theme)[state]
        axes.broken_barh(
            [(start_s / 60, (end_s - start_s) / 60)],
            (floor, 0.3),
            facecolor=colour,
            hatch=hatch,
            edgecolor=theme.ground,
            linewidth=0.6,
        )
    requests = [at_s / 60 for at_s in lane["requests_s"]]
    axes.vlines(requests, floor - 0.12, floor - 0.03, color=theme.ink, linewidth=1)
    axes.text(0, floor + 0.66, lane["name"], weight="bold", va="center")
    axes.text(0, floor + 0.45, lane["summary"], va="center", color=theme.faint)


def first_call(data: Mapping[str, Any], theme: Theme, made_by: str) -> str:
    """Draw the time from process start to the first signed call for each method, as bars."""
    title = "From process start to the first signed call"
    methods = data["methods"]
    with _chart(theme, 48 * len(methods) + 72, title) as (figure, axes):
        for number, method in enumerate(reversed(methods)):
            colour = theme.blue if method["ours"] else theme.faint
            axes.barh(number, method["median_ms"], height=0.4, color=colour)
            weight = "bold" if method["ours"] else "normal"
            axes.text(0, number + 0.4, method["name"], va="center", weight=weight)
            label = f"{method['median_ms']:,.0f} ms"
            if method["ratio"]:
                label += f" · {method['ratio']:.2f} \N{MULTIPLICATION SIGN}"
            axes.annotate(
                label, (method["median_ms"], number), xytext=(6, 0), textcoords="offset points",
                va="center", weight=weight,
            )  # fmt: skip
        axes.set_xlim(0, 1.4 * max(method["median_ms"] for method in methods))
        axes.set_ylim(-0.4, len(methods) - 0.35)
        axes.yaxis.set_major_locator(NullLocator())
        axes.set_xlabel("milliseconds, median of all runs; in multiples of static keys")
        axes.spines["left"].set_visible(False)
        return _drawn(figure, theme, title, made_by)


def sessions(data: Mapping[str, Any], theme: Theme, made_by: str) -> str:
    """Draw the number of requests by the number of sessions."""
    title = "Sessions of one role, and their requests to the clouds"
    lines = (
        ("recipe", 2, "recipe: metadata server", theme.red, "s", "-"),
        ("recipe", 1, "recipe: STS", theme.orange, "o", "--"),
        ("bridge", 1, "gcp-aws-bridge: one of each", theme.blue, "D", "-"),
    )
    with _chart(theme, 280, title) as (figure, axes):
        for contender, column, name, colour, marker, style in lines:
            seen = data[contender]
            counts = [row[column] for row in seen]
            numbers = [row[0] for row in seen]
            axes.plot(
                numbers, counts, color=colour, marker=marker, linestyle=style, linewidth=2,
                markersize=5, clip_on=False,
            )  # fmt: skip
            axes.annotate(
                f"{name} ({counts[-1]})" if contender == "recipe" else name,
                (numbers[-1], counts[-1]),
                xytext=(-10, 5 if contender == "bridge" else 2),
                textcoords="offset points",
                ha="right",
                va="bottom",
                color=colour,
                weight="bold" if contender == "bridge" else "normal",
            )
        axes.set_xlim(0, 52)
        axes.set_ylim(0, 160)
        axes.set_xlabel("sessions in one process")
        axes.set_ylabel("requests")
        axes.grid(axis="y", color=theme.line, linewidth=0.8)
        return _drawn(figure, theme, title, made_by)


def fleet(data: Mapping[str, Any], theme: Theme, made_by: str) -> str:
    """Draw requests per second to STS, in sixtieths of the credentials' lifetime."""
    hours = data["life_s"] / 3600
    title = f"{data['pods']:,} pods, credentials of {'an hour' if hours == 1 else f'{hours:g} h'}"
    second = data.get("second")  # the other region of STS
    title += ", two regions of STS" if second else ""
    rates, step_h = data["per_second"], data["life_s"] / 60 / 3600
    ends = [number * step_h for number in range(len(rates) + 1)]
    with _chart(theme, 264, title) as (figure, axes):
        axes.stairs(rates, ends, fill=True, color=theme.blue, linewidth=0)
        if second:
            axes.stairs(second, ends, color=theme.orange, linewidth=2)
            axes.text(
                ends[-1], data["steady"] * 1.7, "second region", ha="right", color=theme.orange,
                weight="bold",
            )  # fmt: skip
        start_h, end_h = (at_s / 3600 for at_s in data["outage_s"])
        axes.axvspan(start_h, end_h, color=theme.red, alpha=0.22, linewidth=0)
        axes.axhline(data["steady"], color=theme.ink, linewidth=1, linestyle="--")
        axes.set_yscale("symlog", linthresh=data["steady"] * 4)
        axes.set_xlim(0, ends[-1])
        axes.set_ylim(0, max(rates) * 2)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        away = "first region away " if second else "STS away "
        axes.text(start_h, max(rates) * 1.25, away, ha="right", va="center", color=theme.red)
        axes.set_xlabel("hours since the start  (dashed: steady mean)")
        axes.set_ylabel("requests a second")
        return _drawn(figure, theme, title, made_by)


@contextmanager
def _chart(theme: Theme, height: float, title: str) -> Iterator[tuple[Figure, Axes]]:
    looks: Any = {
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.w_pad": 9 / 72,
        "figure.constrained_layout.h_pad": 8 / 72,
        "svg.hashsalt": "gcp-aws-bridge",  # the same ids in every run
        "svg.fonttype": "none",  # text stays text, for screen readers, search and copying
        "font.size": TEXT,
        "text.color": theme.ink,
        "axes.edgecolor": theme.faint,
        "axes.facecolor": "none",
        "axes.labelcolor": theme.faint,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "hatch.linewidth": 1.2,
    }
    with mpl.rc_context(looks):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        figure.suptitle(title, x=0.02, ha="left", weight="bold", size=_HEADING)
        yield figure, figure.add_subplot()


def _drawn(figure: Figure, theme: Theme, title: str, made_by: str) -> str:
    out = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    drawn = out.getvalue()
    width, height = (72 * side for side in figure.get_size_inches())
    body = drawn[drawn.index("<defs>") : drawn.rindex("</svg>")]
    # Measured in matplotlib's font, and shown in the page's own, which is narrower.
    body = re.sub(r"'?DejaVu Sans'?(, [^;\"]*)?", SANS, body)
    lines = (line.rstrip() for line in body.splitlines())
    return framed(lines, (width, height), theme, title, made_by)
