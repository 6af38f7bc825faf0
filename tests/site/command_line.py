"""docs/reference/cli.md, generated from the parsers.

The text of `--help` differs between versions of Python, and has no link targets.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gcp_aws_bridge.cli import _COMMANDS, _parser

PAGE = Path(__file__).parents[2] / "docs/reference/cli.md"
HEAD = """\
# The command line

`gcp-aws-bridge` and `python -m gcp_aws_bridge` are the same. `python -m tests.site` writes this
page from the parsers; a test compares them. Options that are missing on the command line are read
from the [environment or the profile](settings.md).

Exit status, unless a command has its own: 0 success, 1 an [error](errors.md) with its fix, 2 wrong
usage, 74 standard output cannot be written, 130 interrupted, 141 the reader of standard output has
closed it (`| head`), which is no error and has no message.
"""
USUAL = {"positional arguments": "argument", "options": "option"}
GUIDES = {
    "credential-process": "aws-cli",
    "doctor": "doctor",
    "env": "exec",
    "run": "run",
    "exec": "exec",
    "google-config": "google-cloud-sdks",
    "google-exec": "google-cloud-sdks",
    "google-serve": "google-cloud-sdks",
    "google-token": "google-cloud-sdks",
    "serve": "sidecar",
    "setup": "set-up",
    "token": "token-file",
    "trust-policy": "trust-policy",
}


ROLE_OPTIONS = "credential-process", "env", "run", "exec", "doctor"


def text() -> str:
    """Return the page."""
    of_roles = shared_rows()
    parts = [HEAD, "## Options of the role\n", *table("option", of_roles)]
    for name, _ in _COMMANDS:
        parts += section(f"gcp-aws-bridge {name}", parser_of(name), of_roles)
    return "\n".join(parts)


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of one command, as it is when that command runs."""
    [choices] = commands_of(_parser([name]))
    found: argparse.ArgumentParser = choices[name]
    return found


def commands_of(parser: argparse.ArgumentParser) -> list[dict[str, Any]]:
    """Return the commands below a parser: none, or one table of them."""
    return [dict(action.choices or {}) for action in parser._actions if is_choice(action)]


def is_choice(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def shared_rows() -> list[str]:
    """Return the rows of options that all commands with a role share."""
    first, *others = (
        [row(action) for action in shown(parser_of(n)._actions)] for n in ROLE_OPTIONS
    )
    return [each for each in first if all(each in other for other in others)]


def section(title: str, parser: argparse.ArgumentParser, known: list[str]) -> Iterator[str]:
    """Yield the section of one command, and those of its subcommands."""
    name = title.removeprefix("gcp-aws-bridge ")
    yield f"{'###' if ' ' in name else '##'} {name}\n"
    yield f"{sentence(parser.description or '')}\n"
    if parser.usage:
        yield f"    {parser.usage % {'prog': title}}\n"
    if guide := GUIDES.get(name):
        yield f"How to use it: [{guide}](../how-to/{guide}.md).\n"
    for group in parser._action_groups:
        rows = [each for each in map(row, shown(group._group_actions)) if each not in known]
        yield from table(USUAL.get(str(group.title), str(group.title)), rows)
    if alike := [each for each in map(row, shown(parser._actions)) if each in known]:
        names = "all" if alike == known else ", ".join(each.split("|")[1].strip() for each in alike)
        yield f"Of the [options of the role](#options-of-the-role): {names}.\n"
    if parser.epilog:
        yield f"{sentence(parser.epilog)}\n"
    for choices in commands_of(parser):
        for below, its_parser in choices.items():
            yield from section(f"{title} {below}", its_parser, known)


def shown(actions: list[argparse.Action]) -> list[argparse.Action]:
    hidden = [argparse.SUPPRESS, None]
    return [a for a in actions if a.help not in hidden and a.dest != "help" and not is_choice(a)]


def table(heading: str, rows: list[str]) -> list[str]:
    return [f"| {heading} | |", "|---|---|", *rows, ""] if rows else []


def row(action: argparse.Action) -> str:
    """Return an option with its value and its help."""
    value = action.metavar
    if value is None and action.choices:
        value = f"{{{','.join(map(str, action.choices))}}}"
    if value is None and action.nargs != 0:
        value = action.dest.upper()
    names = [f"`{name} {value or ''}".strip() + "`" for name in action.option_strings]
    help_text = (action.help or "") % {**vars(action), "prog": "gcp-aws-bridge"}
    return f"| {', '.join(names) or f'`{value}`'} | {as_markdown(help_text)} |"


def as_markdown(text: str) -> str:
    """Return a parser's text on one line for Markdown: names with an underscore are code."""
    line = " ".join(text.split()).replace("<", "\\<").replace("|", "\\|")
    return re.sub(r"(?<![`\w-])(\w+_\w+)(?![`\w])", r"`\1`", line)


def sentence(text: str) -> str:
    text = as_markdown(text)
    return text[:1].upper() + text[1:]
