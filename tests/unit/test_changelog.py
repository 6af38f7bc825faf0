from __future__ import annotations

import pytest
from changelog import CHANGELOG, faults, notes

import gcp_aws_bridge

TITLE = "# Changelog\n\nAll notable changes.\n\n"
NEXT = "## [Unreleased]\n\n### Fixed\n\n- `gcp_aws_bridge.session()` waits\n  no more.\n\n"
FIRST = """## [0.1.0] - 2026-11-26

### Added

- `gcp_aws_bridge.Role`, one value; `Role.chain` is
  chained roles.

- `gcp-aws-bridge demo` shows it.

### Fixed

- Nothing yet.
"""


@pytest.mark.skipif(not CHANGELOG.exists(), reason="not in a source checkout")
def test_changelog_has_no_faults() -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    assert [] == faults(text, gcp_aws_bridge.__version__)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (TITLE + NEXT, "0.1.0"),
        (TITLE + NEXT + FIRST, "0.1.0"),
        (TITLE + NEXT + FIRST, "0.2.0"),
        (TITLE + "## [Unreleased]\n\n" + FIRST, "0.1.0"),
    ],
)
def test_valid_changelog_passes(text: str, version: str) -> None:
    assert [] == faults(text, version)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("# Changelog\n", "# Changes\n", "title"),
        ("## [Unreleased]", "## Unreleased", "first section"),
        (" - 2026-11-26", "", "not [X.Y.Z] - YYYY-MM-DD"),
        ("[0.1.0] - 2026-11-26", "[0.1] - 2026-11-26", "not [X.Y.Z]"),
        ("## [0.1.0] -", "## [0.0.9] - 2026-01-01\n\n## [0.1.0] -", "stands before"),
        ("### Added", "### New", "wanted, in this order"),
        ("### Added", "### Fixed\n\n- A.\n\n### Added", "wanted, in this order"),
        ("### Added", "Text.\n\n### Added", "text outside of a group"),
        ("chained roles.\n\n", "chained roles.\n", "not one entry"),
        ("  chained roles.", "chained roles.", "not one entry"),
        ("- Nothing yet.", "* Nothing yet.", "not one entry"),
        ("Nothing yet.", "Nothing yet", "no full sentence"),
        ("- Nothing yet.\n", "", "not one entry"),
        ("`gcp_aws_bridge.Role`", "`Role`", "Role is not written in full"),
        ("`gcp_aws_bridge.session()`", "`session()`", "session is not written in full"),
    ],
)
def test_fault_in_the_changelog_is_found(old: str, new: str, fault: str) -> None:
    text = TITLE + NEXT + FIRST
    assert old in text
    assert any(fault in found for found in faults(text.replace(old, new), "0.1.0"))


@pytest.mark.parametrize(
    ("text", "version", "fault"),
    [
        (TITLE + "## [Unreleased]\n\n", "0.1.0", "0.1.0 has no section"),
        (TITLE + "## [Unreleased]\n\n" + FIRST, "0.2.0", "0.2.0 has no section"),
        (TITLE + NEXT + FIRST, "0.0.9", "0.0.9 is not newer than [0.1.0]"),
        (TITLE + NEXT + "## [0.1.0] - 2026-11-26\n", "0.1.0", "nothing in it"),
    ],
)
def test_version_without_a_section_is_a_fault(text: str, version: str, fault: str) -> None:
    assert any(fault in found for found in faults(text, version))


def test_release_notes_have_one_line_for_each_paragraph() -> None:
    older = FIRST.replace("0.1.0", "0.0.9").replace("further", "other")
    assert notes(TITLE + NEXT + FIRST + "\n" + older, "0.1.0") == (
        "### Added\n\n- `gcp_aws_bridge.Role`, one value; `Role.chain` is chained roles.\n\n"
        "- `gcp-aws-bridge demo` shows it.\n\n### Fixed\n\n- Nothing yet.\n"
    )


def test_version_without_a_section_has_no_release_notes() -> None:
    with pytest.raises(LookupError, match=r"no section \[0\.2\.0\]"):
        notes(TITLE + NEXT + FIRST, "0.2.0")
