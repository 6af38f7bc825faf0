"""docs/tutorial.md as a reader runs it: every block, in order, in one shell."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pages import DOCS, is_shown, programs, run_page

# Set where the page's first block must install the version that is tested (`nox -s newcomer`).
INSTALLS = "TUTORIAL_INSTALLS" in os.environ

pytestmark = [
    pytest.mark.skipif(not DOCS.exists(), reason="not in a source checkout"),
    pytest.mark.skipif(not shutil.which("bash"), reason="the page is for a POSIX shell"),
    pytest.mark.timeout(600 if INSTALLS else 240),
]


def test_tutorial_has_the_printed_results(home: Path, tmp_path: Path) -> None:
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
def test_output_on_a_page_is_compared_with_the_printed_output(
    expected: str, actual: str, same: bool
) -> None:
    assert same is is_shown(expected, actual)
