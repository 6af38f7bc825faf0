"""gcp_aws_bridge/cli/explanations.md, from the pages that have a section for each error id."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import gcp_aws_bridge

FILE = Path(gcp_aws_bridge.__file__).parent / "cli/explanations.md"
PAGES = [Path(__file__).parents[2] / "docs/reference" / name for name in ("errors.md", "doctor.md")]
WIDTH = 80
HEAD = "<!-- Printed by `gcp-aws-bridge explain`; written by `python -m tests.site`. -->\n"
_SECTION = re.compile(r"^### ([a-z]+/[a-z0-9-]+)\n(.*?)(?=^##|\Z)", re.M | re.S)
_ITEM = re.compile(r"^(?:- |\d+\. )", re.M)


def sections() -> dict[str, str]:
    """The text of each section, for a terminal: by id, in the order of the ids."""
    found = {}
    for page in PAGES:
        for error_id, body in _SECTION.findall(page.read_text(encoding="utf-8")):
            found[error_id] = "\n\n".join(map(paragraph, body.strip().split("\n\n")))
    return dict(sorted(found.items()))


def paragraph(text: str) -> str:
    """A paragraph, a list or a block of code, without the links of the site."""
    if text.startswith("```"):
        return textwrap.indent("\n".join(text.splitlines()[1:-1]), "    ")
    text = re.sub(r"\[(.+?)\]\([^)]+\)", r"\1", text, flags=re.S)
    text = text.replace("**", "").replace("…", "...")
    return "\n".join(filled(item) for item in items(text))


def items(text: str) -> Iterator[str]:
    starts = [match.start() for match in _ITEM.finditer(text)]
    if not starts or starts[0]:
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield " ".join(text[start:end].split())


def filled(item: str) -> str:
    mark = _ITEM.match(item)
    indent = " " * (len(mark[0]) if mark else 0)
    return textwrap.fill(
        item,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def text() -> str:
    """The file."""
    return HEAD + "".join(f"\n### {error_id}\n\n{body}\n" for error_id, body in sections().items())
