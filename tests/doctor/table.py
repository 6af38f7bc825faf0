"""The directories of both chains, and the tables that they make in the documentation."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .pod import Machine, Pod
from .workload import Workload

PAGE = Path(__file__).parents[2] / "docs/reference/doctor.md"
_TO_AWS = (
    ("settings", "The settings"),
    ("place", "Where this runs"),
    ("metadata", "The metadata server"),
    ("sts", "The way to STS"),
    ("clock", "The clocks"),
    ("account", "The service account"),
    ("token", "The ID token"),
    ("exchange", "The exchange"),
    ("hops", "Further roles"),
    ("identity", "Who AWS says we are"),
)
_TO_GOOGLE = (
    ("settings", "The settings"),
    ("sts", "The way to AWS's STS"),
    ("google", "The way to Google"),
    ("iam", "The way to the IAM Credentials API"),
    ("clock", "The clocks"),
    ("aws", "The AWS identity"),
    ("token", "The subject token"),
    ("exchange", "The exchange"),
    ("account", "The service account"),
)


class Direction(NamedTuple):
    """One of the two chains.

    Attributes:
        cases: The folder of its directories.
        links: Their names' first words, and the headings of the table.
        options: What the command line must have.
        place: Where they go wrong: made of emulator, patch, folder and stack.
    """

    cases: Path
    links: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    place: type[Machine]

    @property
    def begin(self) -> str:
        """What stands before its table."""
        return f"<!-- table of {self.cases.name}: python -m tests.doctor -->"

    @property
    def end(self) -> str:
        """What stands behind it."""
        return f"<!-- end of the table of {self.cases.name} -->"


COUNTED = "<!-- count of set-ups: python -m tests.doctor -->"
COUNTED_END = "<!-- end of the count of set-ups -->"
_HERE = Path(__file__).parent
DIRECTIONS = (
    Direction(_HERE / "cases", _TO_AWS, (), Pod),
    Direction(_HERE / "cases-google", _TO_GOOGLE, ("--google",), Workload),
)


class Case(NamedTuple):
    """One directory.

    Attributes:
        direction: The chain that it is of.
        name: LINK-what.
        title: What is wrong, in a line.
        words: And in some more.
        told: Breaks a place so.
        named: The id of the cause that must be named first.
        says: What its line must hold as well.
        waits: Something here is waited for in vain, for as long as the command waits by itself.
    """

    direction: Direction
    name: str
    title: str
    words: str
    told: Callable[[Any], None]
    named: str
    says: str
    waits: bool

    @property
    def link(self) -> str:
        return self.name.partition("-")[0]


def read(direction: Direction, folder: Path) -> Case:
    heading, _, words = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    spec = importlib.util.spec_from_file_location(f"case_{folder.name}", folder / "case.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    title = heading.removeprefix("# ")
    waits = getattr(module, "WAITS", False)
    said = (folder.name, title, words.strip())
    return Case(direction, *said, module.told, module.NAMED, module.SAYS, waits)


def cases() -> list[Case]:
    """All of them, in the order of their names."""
    return [
        read(direction, folder)
        for direction in DIRECTIONS
        for folder in sorted(direction.cases.iterdir())
        if (folder / "case.py").exists()
    ]


def _lines(direction: Direction) -> Iterator[str]:
    from . import fixing

    all_of_them = [case for case in cases() if case.direction is direction]
    for link, heading in direction.links:
        found = [case for case in all_of_them if case.link == link]
        if found:
            yield from ("", f"### {heading}", "")
            yield from ("| what is wrong | named first | fix |", "|---|---|---|")
        for case in found:
            words, fix = " ".join(case.words.split()), fixing.reason(case) and "not applied"
            yield f"| **{case.title}.** {words} | `{case.named}` | {fix or 'applied'} |"


def _counted() -> Iterator[str]:
    """How many causes are named first, and how many fixes were applied in a test."""
    from . import fixing

    yield "| direction | set-ups | right cause first | fix applied, next diagnosis well |"
    yield "|---|---|---|---|"
    for direction in DIRECTIONS:
        found = [case for case in cases() if case.direction is direction]
        applied = [case for case in found if not fixing.reason(case)]
        name = "from AWS to Google" if direction.options else "from Google to AWS"
        yield f"| {name} | {len(found)} | {len(found)} | {len(applied)} |"
    ids = ids_of("doctor.md") | ids_of("errors.md")
    yield ""
    made = len(ids - {*fixing.NOT_APPLIED})
    yield f"There are {len(ids)} ids of findings and [errors](errors.md). For {made} of them, a"
    yield "test makes the change that the fix names, and the next attempt succeeds. The others:"
    yield ""
    for why in dict.fromkeys(fixing.NOT_APPLIED.values()):
        same = sorted(one for one, reason in fixing.NOT_APPLIED.items() if reason == why)
        yield f"- {', '.join(f'`{one}`' for one in same)}: {why}."


def ids_of(page: str) -> set[str]:
    """Return the ids that a page of the reference has a section for."""
    text = (PAGE.parent / page).read_text(encoding="utf-8")
    return set(re.findall(r"^### ([a-z]+/[a-z0-9-]+)$", text, re.MULTILINE))


def page_with_tables(page: str) -> str:
    """*page* with the tables of today between their marks."""
    for direction in DIRECTIONS:
        before, begin, rest = page.partition(direction.begin)
        _, end, after = rest.partition(direction.end)
        table = "\n".join(_lines(direction))
        page = f"{before}{begin}\n{table}\n\n{end}{after}"
    before, begin, rest = page.partition(COUNTED)
    _, end, after = rest.partition(COUNTED_END)
    return f"{before}{begin}\n" + "\n".join(_counted()) + f"\n\n{end}{after}"
