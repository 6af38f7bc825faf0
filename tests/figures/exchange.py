"""Sequence diagram of the exchange: an ID token becomes credentials."""

from __future__ import annotations

from typing import NamedTuple

from .drawing import LINE, Box, arrow, rounded, text
from .look import MONO, Theme, framed

_LANES = {"code": 50.0, "bridge": 172.0, "google": 346.0, "aws": 472.0}
_NAMES = {
    "code": ("your code",),
    "bridge": ("gcp-aws-bridge",),
    "google": ("metadata", "server"),
    "aws": ("AWS",),
}
_WIDTH, _TOP, _SIDE = 522.0, 52.0, 6.0


class Message(NamedTuple):
    """A message between two parties; later messages are further down."""

    source: str
    target: str
    lines: tuple[str, ...]
    code: bool = False  # in a monospaced font: sent literally


class Note(NamedTuple):
    """What one party does meanwhile."""

    lane: str
    lines: tuple[str, ...]


# The two requests as the emulator receives them; a test compares them.
TOKEN_REQUEST = "GET …/default/identity"
STS_REQUEST = "AssumeRoleWithWebIdentity"
STORY: tuple[Message | Note, ...] = (
    Message("code", "bridge", ("first client",)),
    Message("bridge", "google", (TOKEN_REQUEST, "  ?audience=…"), code=True),
    Message("google", "bridge", ("ID token, signed by", "Google, for an hour")),
    Message("bridge", "aws", (STS_REQUEST, "  RoleArn=… WebIdentityToken=…"), code=True),
    Note("aws", ("STS: signature and exp, then", "aud, oaud, sub by the role's", "trust policy")),
    Message("aws", "bridge", ("AWS credentials, for an hour",)),
    Message("bridge", "code", ("valid credentials",)),
    Message("code", "aws", ("signed requests to S3, SQS, …; no waiting",)),
    Note("bridge", ("from minute 21 to 39: the same", "two requests, in the background")),
)


def drawn(theme: Theme) -> str:
    """Return the picture."""
    body, y = [], _TOP + 4
    for step in STORY:
        if isinstance(step, Note):
            drawn_step, y = _note(step, y, theme)
        else:
            drawn_step, y = _message(step, y, theme)
        body += drawn_step
    lifelines = [
        f'<path d="M{x:g} {_TOP - 8:g}V{y + 6:g}" stroke="{theme.line}" stroke-width="1.5"/>'
        for x in _LANES.values()
    ]
    title = "How a Google ID token becomes AWS credentials: two requests"
    made_by = "Drawn by `nox -s figures` from tests/figures/exchange.py."
    return framed([*lifelines, *_heads(theme), *body], (_WIDTH, y + 14), theme, title, made_by)


def _heads(theme: Theme) -> list[str]:
    drawn_heads = []
    for lane, names in _NAMES.items():
        colour = theme.blue if lane == "bridge" else theme.ink
        width = 116.0 if lane == "bridge" else 84.0
        x = _LANES[lane]
        drawn_heads.append(rounded(Box(x - width / 2, 8, width, 36), theme.panel, colour))
        first = 30.0 if len(names) == 1 else 23.0
        drawn_heads += [
            text(x, first + 15 * number, name, fill=colour, weight="bold", anchor="middle")
            for number, name in enumerate(names)
        ]
    return drawn_heads


def _message(step: Message, y: float, theme: Theme) -> tuple[list[str], float]:
    """The text is above its arrow, on a background that hides the life lines."""
    begin, end = _LANES[step.source], _LANES[step.target]
    left = min(begin, end) + _SIDE
    colour = theme.blue if "bridge" in (step.source, step.target) else theme.ink
    y += 8
    drawn_step = []
    for line in step.lines:
        y += LINE
        drawn_step += _on_ground(left, y, line, theme, family=MONO if step.code else "")
    y += 7
    return drawn_step + arrow((begin, y), (end, y), colour), y


def _note(step: Note, y: float, theme: Theme) -> tuple[list[str], float]:
    width = 8.0 + 6.9 * max(map(len, step.lines))
    height = LINE * len(step.lines) + 8
    x = min(_LANES[step.lane] - width / 2, _WIDTH - width - 8)
    y += 12
    rect = rounded(Box(x, y, width, height), theme.panel, theme.line)
    lines = [
        text(x + width / 2, y + LINE * (number + 1), line, fill=theme.faint, anchor="middle")
        for number, line in enumerate(step.lines)
    ]
    return [rect, *lines], y + height


def _on_ground(x: float, y: float, line: str, theme: Theme, *, family: str) -> list[str]:
    width = len(line) * (7.6 if family else 6.6)
    under = (
        f'<rect x="{x - 2:g}" y="{y - 12:g}" width="{width:g}" height="{LINE:g}" '
        f'fill="{theme.ground}"/>'
    )
    return [under, text(x, y, line, family=family)]
