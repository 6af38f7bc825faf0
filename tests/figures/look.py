"""Appearance of all pictures: two themes, the fonts, and the frame of an SVG."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

# Available everywhere, without a font to download.
SANS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

# Widths are in units of the picture. On a phone, a page has some 340 pixels: text of TEXT units in
# a picture of WIDTH is 9 pixels high there.
WIDTH = 480
TEXT = 12.5
_SHOWN = 1.4  # pixels per unit, on wide pages


class Theme(NamedTuple):
    """Colours of one page.

    Colours that distinguish data are from Okabe and Ito's set ("Color Universal Design", 2008),
    which suits all kinds of colour vision; they are darker on white, for enough contrast.
    """

    name: str
    ground: str
    ink: str
    faint: str
    line: str
    panel: str
    blue: str
    orange: str
    red: str
    green: str
    cyan: str


# Background, text and lines: colours of GitHub's pages (Primer's functional colours).
LIGHT = Theme(
    "light",
    ground="#ffffff",
    ink="#1f2328",
    faint="#59636e",
    line="#d1d9e0",
    panel="#f6f8fa",
    blue="#0072b2",
    orange="#b37400",
    red="#c04a00",
    green="#007a5a",
    cyan="#00708a",
)
DARK = Theme(
    "dark",
    ground="#0d1117",
    ink="#f0f6fc",
    faint="#9198a1",
    line="#3d444d",
    panel="#161b22",
    blue="#56b4e9",
    orange="#e69f00",
    red="#ff7b3d",
    green="#2fc79a",
    cyan="#6fd3e8",
)
THEMES = (LIGHT, DARK)


def contrast(one: str, other: str) -> float:
    """Return the contrast from 1 to 21. See: WCAG 2.2, "contrast ratio", "relative luminance"."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return sum(
        weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def framed(
    body: Iterable[str], size: tuple[float, float], theme: Theme, title: str, made_by: str
) -> str:
    """Return a whole SVG: *body* on the theme's background, with a description for screen readers.

    Args:
        size: Width and height, in units.
        made_by: The command and the versions that measured the data.
    """
    width, height = (f"{side:g}" for side in size)
    attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "xmlns:xlink": "http://www.w3.org/1999/xlink",
        "viewBox": f"0 0 {width} {height}",
        "width": f"{_SHOWN * size[0]:g}",
        "role": "img",
        "font-family": SANS,
        "font-size": f"{TEXT}",
        "fill": theme.ink,
    }
    told = [f'{name}="{value}"' for name, value in attributes.items()]
    return "\n".join(
        [
            f"<svg {' '.join(told)}>",
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(made_by)}</desc>",
            f'<rect width="{width}" height="{height}" rx="6" fill="{theme.ground}"/>',
            *body,
            "</svg>\n",
        ]
    )
