"""The page of the command line is up to date and has all options."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

import pytest

from gcp_aws_bridge.cli import _COMMANDS

from . import command_line

pytestmark = pytest.mark.skipif(not command_line.PAGE.exists(), reason="not in a source checkout")


@pytest.mark.skipif(os.name == "nt", reason="emulate has another default shell there")
def test_page_is_up_to_date() -> None:
    found = command_line.PAGE.read_text(encoding="utf-8")
    assert found == command_line.text(), "run python -m tests.site"


def parsers(name: str) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of a command and those of its subcommands."""
    top = command_line.parser_of(name)
    yield top
    for choices in command_line.commands_of(top):
        yield from choices.values()


@pytest.mark.parametrize("name", [name for name, _ in _COMMANDS])
def test_every_option_of_a_command_is_on_its_page(name: str) -> None:
    page = command_line.text()
    own = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert own
    known = page.partition("\n## Options of the role\n")[2].partition("\n## ")[0]
    for parser in parsers(name):
        for action in parser._actions:
            if action.help != argparse.SUPPRESS and action.dest != "help":
                for option in action.option_strings:
                    assert f"`{option}" in own + known


def test_every_option_has_a_help_text() -> None:
    silent = [
        f"{name} {action.option_strings}"
        for name, _ in _COMMANDS
        for parser in parsers(name)
        for action in parser._actions
        if not action.help and not command_line.is_choice(action)
    ]
    assert [] == silent
