"""CHANGELOG.md: its format, and the notes of one release.

`python -m tests.changelog 0.1.0` prints that version's section in the format of a GitHub release:
one line per paragraph, since GitHub keeps line breaks. It fails if the format is wrong, or if the
version is not that of the package.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import gcp_aws_bridge

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
GROUPS = ["Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"]
RELEASE = re.compile(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d")


def faults(text: str, version: str) -> list[str]:
    """Return the violations of CONTRIBUTING.md's format; *version* is the package's."""
    preamble, *releases = re.split(r"^## ", text, flags=re.M)
    heads = [release.partition("\n")[0] for release in releases]
    found = [] if preamble.startswith("# Changelog\n\n") else ["The title is not # Changelog."]
    if not heads or heads[0] != "[Unreleased]":
        found.append("The first section is not [Unreleased].")
    for head in heads[1:]:
        if not RELEASE.fullmatch(head):
            found += [f"{head}: not [X.Y.Z] - YYYY-MM-DD."]
    for newer, older in pairwise(heads[1:]):
        if _order(newer) <= _order(older):
            found += [f"{newer} stands before {older}."]
    for release in releases:
        found += _faults_of(release)
    if f"[{version}]" not in [head.partition(" ")[0] for head in heads]:
        if "\n- " not in "".join(releases[:1]):
            found += [f"{version} has no section."]
        if heads[1:] and _order(f"[{version}]")[0] <= _order(heads[1])[0]:
            found += [f"{version} is not newer than {heads[1]}, and has no section."]
    return found


def _order(head: str) -> tuple[tuple[int, ...], str]:
    return tuple(map(int, re.findall(r"\d+", head.partition(" ")[0]))), head.partition(" - ")[2]


def _faults_of(release: str) -> Iterator[str]:
    head, _, body = release.partition("\n")
    before, *groups = re.split(r"^### ", body, flags=re.M)
    if before.strip():
        yield f"{head}: text outside of a group."
    names = [group.partition("\n")[0] for group in groups]
    if names != [name for name in GROUPS if name in names]:
        yield f"{head}: groups {names}; wanted, in this order: {GROUPS}."
    if not groups and head != "[Unreleased]":
        yield f"{head}: nothing in it."
    for group in groups:
        for block in group.partition("\n")[2].strip("\n").split("\n\n"):
            yield from (f"{head}: {fault}: {block[:60]!r}" for fault in _faults_of_entry(block))


def _faults_of_entry(entry: str) -> Iterator[str]:
    first, *rest = entry.split("\n")
    if not first.startswith("- ") or not all(line.startswith("  ") for line in rest):
        yield "not one entry with a blank line on either side"
    if not entry.endswith((".", "`.")):
        yield "no full sentence"
    full = False  # the full name comes before a short one
    for name in re.findall(r"`([\w.]+)(?:\(.*?\))?`", entry):
        full = full or name.startswith("gcp_aws_bridge.")
        if not full and name.partition(".")[0] in gcp_aws_bridge.__all__:
            yield f"{name} is not written in full (gcp_aws_bridge.{name})"


def notes(text: str, version: str) -> str:
    """Return the section of *version*, with each paragraph on one line.

    Raises:
        LookupError: The section is missing.
    """
    head = rf"^## \[{re.escape(version)}\] - [^\n]*\n"
    if not (found := re.search(rf"{head}(.*?)(?=^## |\Z)", text, re.M | re.S)):
        raise LookupError(f"CHANGELOG.md has no section [{version}].")
    return re.sub(r"\n +", " ", found.group(1)).strip() + "\n"


def main(version: str) -> int:
    text = CHANGELOG.read_text(encoding="utf-8")
    wrong = faults(text, gcp_aws_bridge.__version__)
    if version != gcp_aws_bridge.__version__:
        wrong.append(f"The package says that it is {gcp_aws_bridge.__version__}, not {version}.")
    if wrong:
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    try:
        print(notes(text, version), end="")
    except LookupError as error:
        print(*error.args, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
