"""Diagram of the packages, with arrows for the imports that the source has.

Boxes are the parts in the table of docs/architecture.md. Modules and arrows are read from the
source; if they no longer fit into the picture, drawing fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from unit.test_architecture import BASE, NAME, PIPELINE, SOURCES, imports_of

from .drawing import LINE, Box, arrow, box, flowed, text
from .look import Theme, framed

_HEADINGS = {
    "base": "errors, the request, settings",
    "_cache": "_cache/: keeps a value fresh",
    "_tokens": "_tokens/: where ID tokens come from",
    "_sts": "_sts/: an ID token in, credentials out",
    "_botocore": "_botocore/",
}
_COLUMNS = {  # the left and the right edge of each part
    "testing": (88, 557),
    "adapters": (6, 90),
    "cli": (110, 520),
    "_botocore": (6, 168),
    "webhook": (174, 260),
    "server": (174, 242),
    "doctor": (264, 358),
    "provision": (364, 450),
    "emulator": (470, 557),
    "inject": (246, 450),
    "google": (256, 324),
    "_sts": (6, 356),
    "_tokens": (6, 356),
    "policy": (330, 450),
    "_cache": (6, 324),
    "base": (6, 450),
}
_ROWS = (
    ("testing",),
    ("adapters", "cli"),
    ("webhook",),
    ("_botocore", "server", "doctor", "provision", "emulator"),
    ("inject",),
    ("google",),
    ("_sts",),
    ("_tokens",),
    ("_cache", "policy"),
    ("base",),
)
_Point = tuple[float, float]
_GAP, _WIDTH, _CHARACTER = 22.0, 563.0, 7.5


def part_of(module: str) -> str:
    """Return the part of a module; public modules belong to the package whose names they export."""
    first, _, _ = module.removeprefix(NAME).lstrip(".").partition(".")
    if first in BASE:
        return "base"
    return {"tokens": "_tokens", "aio": "_botocore", "": "_botocore"}.get(first, first)


def modules_of(part: str) -> list[str]:
    """Return the names of a part's modules, if the picture shows them."""
    if part == "base":
        return list(BASE)
    prefix = f"{NAME}.{part}."
    inner = [name.removeprefix(prefix) for name in SOURCES if name.startswith(prefix)]
    return inner if part in PIPELINE else []


def imports() -> dict[str, set[str]]:
    """Return the parts that each part imports."""
    found: dict[str, set[str]] = {}
    for module in SOURCES:
        if module in (NAME, f"{NAME}.__main__"):
            continue  # they import names on first access
        for other in imports_of(module):
            found.setdefault(part_of(module), set()).add(part_of(other))
    return {part: others - {part} for part, others in found.items()}


def arrows(graph: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Return the arrows of the transitive reduction of *graph*."""

    def reached(part: str) -> set[str]:
        further = graph.get(part, set())
        return further.union(*(reached(each) for each in further))

    return [
        (part, other)
        for part, others in graph.items()
        for other in sorted(others)
        if not any(other in reached(each) for each in others - {other})
    ]


def drawn(theme: Theme) -> str:
    """Return the picture."""
    places = _places()
    colours = dict.fromkeys(PIPELINE, theme.blue)
    colours |= {"emulator": theme.green, "cli": theme.green}
    body: list[str] = []
    for part, other in arrows(imports()):
        body += arrow(*_arrow_between(places, part, other), theme.faint)
    for part, place in places.items():
        heading = _HEADINGS.get(part, f"{part}/")
        colour = colours.get(part, theme.ink)
        body += box(place, theme, heading, _lines(part), colour=colour)
    beside = places["emulator"]
    for number, line in enumerate(("imports none", "of these, nor", "they it")):
        body.append(text(beside.x, beside.bottom + LINE * (number + 1.2), line, fill=theme.faint))
    title = "The parts of gcp-aws-bridge; an arrow means: imports"
    made_by = "Drawn by `nox -s figures` from the import statements of gcp_aws_bridge."
    height = max(place.bottom for place in places.values()) + 8
    return framed(body, (_WIDTH, height), theme, title, made_by)


def _lines(part: str) -> list[str]:
    """Return the lines of a part's modules, as many to a line as fit."""
    begin, end = _COLUMNS[part]
    return [line for line in flowed(modules_of(part), int((end - begin - 16) / _CHARACTER)) if line]


def _places() -> dict[str, Box]:
    places, top = {}, 8.0
    for row in _ROWS:
        heights = {part: LINE * (1.5 + len(_lines(part))) for part in row}
        for part in row:
            begin, end = _COLUMNS[part]
            places[part] = Box(begin, top, end - begin, heights[part])
        top += max(heights.values()) + _GAP
    return places


def _arrow_between(places: Mapping[str, Box], part: str, other: str) -> tuple[_Point, _Point]:
    """Return the ends of a vertical arrow that crosses no box."""
    upper, lower = places[part], places[other]
    between = [
        place
        for name, place in places.items()
        if name not in (part, other) and upper.bottom < place.bottom and place.y < lower.y
    ]
    for x in _columns_between(max(upper.x, lower.x), min(upper.right, lower.right)):
        if upper.bottom < lower.y and not any(one.x - 4 < x < one.right + 4 for one in between):
            return (x, upper.bottom), (x, lower.y)
    raise ValueError(f"{part} imports {other}, and there is no room for that arrow in the picture")


def _columns_between(left: float, right: float) -> Iterator[float]:
    """Yield the middle, then places further to either side."""
    middle = (left + right) / 2
    for step in range(int(max(0.0, right - left - 12) / 2)):
        yield middle + step
        yield middle - step
