"""The cases of both directions, and their tables in the documentation."""

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
    ("injected", "What the webhook gives to a container"),
    ("settings", "The settings"),
    ("place", "The platform"),
    ("metadata", "The metadata server"),
    ("sts", "The connection to STS"),
    ("clock", "The clocks"),
    ("account", "The service account"),
    ("token", "The ID token"),
    ("exchange", "The exchange"),
    ("chain", "Chained roles"),
    ("identity", "The identity that AWS reports"),
)
_TO_GOOGLE = (
    ("injected", "What the webhook gives to a container"),
    ("settings", "The settings"),
    ("sts", "The connection to AWS's STS"),
    ("google", "The connection to Google"),
    ("iam", "The connection to the IAM Credentials API"),
    ("clock", "The clocks"),
    ("aws", "The AWS identity"),
    ("token", "The subject token"),
    ("exchange", "The exchange"),
    ("account", "The service account"),
)


class Direction(NamedTuple):
    """One of the two directions.

    Attributes:
        cases: The folder with its cases.
        checks: The first words of their names, and the headings of the table.
        options: Options of the command line.
        machine: The type of a working set-up, made of emulator, patch, folder and stack.
    """

    cases: Path
    checks: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    machine: type[Machine]

    @property
    def begin(self) -> str:
        """The line before its table."""
        return f"<!-- table of {self.cases.name}: python -m tests.doctor -->"

    @property
    def end(self) -> str:
        """The line after its table."""
        return f"<!-- end of the table of {self.cases.name} -->"


COUNTED = "<!-- count of set-ups: python -m tests.doctor -->"
COUNTED_END = "<!-- end of the count of set-ups -->"
_HERE = Path(__file__).parent
DIRECTIONS = (
    Direction(_HERE / "cases", _TO_AWS, (), Pod),
    Direction(_HERE / "cases-google", _TO_GOOGLE, ("--google",), Workload),
)


class Case(NamedTuple):
    """A faulty set-up, from one directory.

    Attributes:
        direction: Its direction.
        name: Name of a check, and of the fault.
        title: The fault, in one line.
        words: The fault, in one or two sentences.
        set_up: Puts the fault into a working set-up.
        cause: Id of the finding that must be the cause.
        seen: Text that the cause must contain.
        times_out: Whether a check runs into its time-out.
    """

    direction: Direction
    name: str
    title: str
    words: str
    set_up: Callable[[Any], None]
    cause: str
    seen: str
    times_out: bool

    @property
    def check(self) -> str:
        return self.name.partition("-")[0]


def read(direction: Direction, folder: Path) -> Case:
    heading, _, words = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    spec = importlib.util.spec_from_file_location(f"case_{folder.name}", folder / "case.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    title = heading.removeprefix("# ")
    times_out = getattr(module, "TIMES_OUT", False)
    texts = (folder.name, title, words.strip())
    return Case(direction, *texts, module.set_up, module.CAUSE, module.SEEN, times_out)


def cases() -> list[Case]:
    """Return all cases, in the order of their names."""
    return [
        read(direction, folder)
        for direction in DIRECTIONS
        for folder in sorted(direction.cases.iterdir())
        if (folder / "case.py").exists()
    ]


def _lines(direction: Direction) -> Iterator[str]:
    from . import fixing

    all_of_them = [case for case in cases() if case.direction is direction]
    for check, heading in direction.checks:
        found = [case for case in all_of_them if case.check == check]
        if found:
            yield from ("", f"### {heading}", "")
            yield from ("| fault | cause in the report | fix |", "|---|---|---|")
        for case in found:
            words, fix = " ".join(case.words.split()), fixing.reason(case) and "not applied"
            yield f"| **{case.title}.** {words} | `{case.cause}` | {fix or 'applied'} |"


def _counted() -> Iterator[str]:
    """Yield how many causes are right, and how many fixes are applied in a test."""
    from . import fixing

    yield "| direction | faulty set-ups | right cause | fix applied, no fault afterwards |"
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
    yield "test makes the change that the fix describes, and the next attempt succeeds. The others:"
    yield ""
    for why in dict.fromkeys(fixing.NOT_APPLIED.values()):
        same = sorted(one for one, reason in fixing.NOT_APPLIED.items() if reason == why)
        yield f"- {', '.join(f'`{one}`' for one in same)}: {why}."


def ids_of(page: str) -> set[str]:
    """Return the ids with a section on a page of the reference."""
    text = (PAGE.parent / page).read_text(encoding="utf-8")
    return set(re.findall(r"^### ([a-z]+/[a-z0-9-]+)$", text, re.MULTILINE))


def page_with_tables(page: str) -> str:
    """Return *page* with current tables between their marks."""
    for direction in DIRECTIONS:
        before, begin, rest = page.partition(direction.begin)
        _, end, after = rest.partition(direction.end)
        table = "\n".join(_lines(direction))
        page = f"{before}{begin}\n{table}\n\n{end}{after}"
    before, begin, rest = page.partition(COUNTED)
    _, end, after = rest.partition(COUNTED_END)
    return f"{before}{begin}\n" + "\n".join(_counted()) + f"\n\n{end}{after}"
