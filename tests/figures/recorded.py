"""Output of `demo` and `doctor` on a terminal: recorded, and drawn.

A recording has the times of its run; `steadied` replaces them, and all else that differs between
runs, so that a later recording can be compared.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby

from terminals import Character, on_terminal, screen

from gcp_aws_bridge.emulator import Emulator

from . import data
from .look import MONO, TEXT, Theme, framed

COLUMNS = 68  # 80 columns are not legible on a phone
ROLE = "arn:aws:iam::123456789012:role/etl"
_PACKAGES = {"demo": ("boto3", "moto"), "doctor": ("botocore",)}
_LINE, _CHARACTER, _BAR = 16.5, 7.53, 30.0
# Made up, of an emulated AWS, but in the format that scanners for leaked keys look for.
_KEY = re.compile(r"\b(ASIA[A-Z0-9]{4})[A-Z0-9]{12}")

Runs = list[tuple[str, str]]  # a text and the codes of its style


def record(name: str) -> list[Runs]:
    """Run the command on the emulated clouds, on a terminal, and return the final screen."""
    with Emulator() as cloud:
        cloud.add_role(ROLE)
        cloud.unlink()  # the most common mistake in a set-up, for the doctor
        pod = {"PATH": os.defpath, "LANG": "C.UTF-8", "GCP_AWS_BRIDGE_ROLE_ARN": ROLE}
        command = ["-m", "gcp_aws_bridge", name]
        with on_terminal(command, columns=COLUMNS, beside={**pod, **cloud.environ}) as run:
            status = run.end()
    assert status == (1 if name == "doctor" else 0), run.output
    lines = [_runs(line) for line in screen(run.output, COLUMNS)]
    while not lines[-1]:
        lines.pop()
    return lines


def keep(name: str) -> None:
    """Record the command again and write the recording."""
    data.write(
        name, f"gcp-aws-bridge {name}", data.versions_here(_PACKAGES[name]), lines=record(name)
    )


def steadied(lines: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    """Return the lines without colours, times, ports and keys."""
    told = ["".join(run[0] for run in line) for line in lines]
    masks = (
        (r" +[\d,.]+ ms$", " # ms"),
        (r"^Total: [\d.]+ s\b", "Total: # s"),
        (r"(127\.0\.0\.1):\d+", r"\1:#"),
        (r"\bASIA[A-Z0-9…]+", "ASIA#"),
        (r"\d+ minutes left", "# minutes left"),
    )
    for pattern, mark in masks:
        told = [re.sub(pattern, mark, line) for line in told]
    return told


def drawn(name: str, theme: Theme) -> str:
    """Return the picture of a recording: a window with its lines."""
    document = data.read(name)
    lines: list[Sequence[Sequence[str]]] = document["lines"]
    prompt: str = document["command"]
    shown: list[Sequence[Sequence[str]]] = [[("$ ", "2"), (prompt, "1")], *lines]
    width = COLUMNS * _CHARACTER + 24
    height = _BAR + _LINE * (len(shown) + 0.6)
    body = [
        f'<path d="M0 {_BAR - 8:g}H{width:g}" stroke="{theme.line}"/>',
        *(f'<circle cx="{16 + 16 * at}" cy="11" r="4.5" fill="{theme.line}"/>' for at in range(3)),
    ]
    for number, line in enumerate(shown):
        body += _drawn_line(line, _BAR + _LINE * (number + 0.7), theme)
    made_by = data.made_by(name, document)
    return framed(body, (width, height), theme, f"{prompt}, on a terminal", made_by)


def _drawn_line(line: Sequence[Sequence[str]], y: float, theme: Theme) -> Iterator[str]:
    """Return a text for each run, as long as its characters are in any font."""
    column = 0
    for said, codes in line:
        if said.strip():
            lead = len(said) - len(said.lstrip())
            x = 12 + (column + lead) * _CHARACTER
            length = len(said.strip()) * _CHARACTER
            yield (
                f'<text x="{x:.2f}" y="{y:.2f}" textLength="{length:.2f}" '
                f'lengthAdjust="spacingAndGlyphs" font-family="{escape(MONO)}" '
                f'font-size="{TEXT}" xml:space="preserve"{_look(codes, theme)}>'
                f"{escape(said.strip())}</text>"
            )
        column += len(said)


def _look(codes: str, theme: Theme) -> str:
    """Return the attributes of a style. See: ECMA-48, "Select graphic rendition"."""
    colours: Mapping[str, str] = {
        "2": theme.faint,
        "31": theme.red,
        "32": theme.green,
        "33": theme.orange,
        "36": theme.cyan,
    }
    told = ""
    for code in filter(None, codes.split(";")):
        told += ' font-weight="bold"' if code == "1" else f' fill="{colours[code]}"'
    return told


def _runs(line: Sequence[Character]) -> Runs:
    """Return the characters of one style as one text, without names of this machine."""
    runs: Runs = []
    for codes, caches in groupby(line, key=lambda cache: cache[1]):
        said = "".join(character for character, _ in caches)
        said = said.replace(f"assumed-role/etl/{socket.gethostname()}", "assumed-role/etl/etl-pod")
        runs.append((_KEY.sub(r"\1…", said), codes))
    return runs
