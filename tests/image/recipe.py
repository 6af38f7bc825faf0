"""The files from which the image is built."""

from __future__ import annotations

import re
from typing import NamedTuple

from pages import DOCS

FOLDER = DOCS / "kubernetes"
LOCK = FOLDER / "requirements.txt"


def containerfile() -> str:
    return (FOLDER / "Containerfile").read_text(encoding="utf-8")


class Requirement(NamedTuple):
    """A line of the lock."""

    name: str
    version: str
    hashes: list[str]


def locked(text: str) -> list[Requirement]:
    """Return the requirements of a lock; a line that is not pinned has no version."""
    joined = re.sub(r"^#.*\n|^ +#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        requirement, *hashes = line.split()
        name, _, version = requirement.partition("==")
        found.append(Requirement(name, version, [one.partition("=")[2] for one in hashes]))
    return found


def extras_of(text: str) -> set[str]:
    """Return the extras that the command in the lock's header names."""
    return set(re.findall(r"--extra ([\w-]+)", text.splitlines()[1]))
