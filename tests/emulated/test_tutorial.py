"""docs/tutorial.md as a reader goes through it: every block, in order, in one shell."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pages import DOCS, is_shown, programs, run_page

# Set where the page's own first block shall install what is under test (`nox -s newcomer`).
INSTALLS = "TUTORIAL_INSTALLS" in os.environ

pytestmark = [
    pytest.mark.skipif(not DOCS.exists(), reason="not in a source checkout"),
    pytest.mark.skipif(not shutil.which("bash"), reason="the page is for a POSIX shell"),
    pytest.mark.timeout(600 if INSTALLS else 240),
]


def test_commands_of_the_tutorial_print_what_it_shows(home: Path, tmp_path: Path) -> None:
    path = os.environ["PATH"] if INSTALLS else programs(tmp_path / "bin")
    folder = tmp_path / "reader"
    folder.mkdir()
    printed = run_page("tutorial.md", folder, path, installs=INSTALLS)
    assert any("2 passed" in each for each in printed)


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a …\n", "a b\nc", True),
        ("a …\n", "b", False),
        ("… b", "a b c", False),
        ("a.b", "axb", False),
    ],
)
def test_shown_text_is_compared_with_printed_text(expected: str, actual: str, same: bool) -> None:
    assert same is is_shown(expected, actual)
