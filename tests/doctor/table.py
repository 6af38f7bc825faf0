"""The directories of `cases`, and the table that they make in the documentation."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .pod import Pod

CASES = Path(__file__).parent / "cases"
PAGE = Path(__file__).parents[2] / "docs/reference/doctor.md"
BEGIN, END = "<!-- table: python -m tests.doctor -->", "<!-- end of the table -->"
_LINKS = (
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


class Case(NamedTuple):
    """One directory.

    Attributes:
        name: LINK-what.
        title: What is wrong, in a line.
        words: And in some more.
        told: Breaks a pod so.
        named: The id of the cause that must be named first.
        says: What its line must hold as well.
        waits: Something here is waited for in vain, for as long as the command waits by itself.
    """

    name: str
    title: str
    words: str
    told: Callable[[Pod], None]
    named: str
    says: str
    waits: bool

    @property
    def link(self) -> str:
        return self.name.partition("-")[0]


def read(folder: Path) -> Case:
    heading, _, words = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    spec = importlib.util.spec_from_file_location(f"case_{folder.name}", folder / "case.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    title = heading.removeprefix("# ")
    waits = getattr(module, "WAITS", False)
    return Case(folder.name, title, words.strip(), module.told, module.NAMED, module.SAYS, waits)


def cases() -> list[Case]:
    return [read(folder) for folder in sorted(CASES.iterdir()) if (folder / "case.py").exists()]


def rendered() -> str:
    """The table as the page has it."""
    return "\n".join(_lines(cases()))


def _lines(all_of_them: list[Case]) -> Iterator[str]:
    for link, heading in _LINKS:
        found = [case for case in all_of_them if case.link == link]
        if found:
            yield from ("", f"### {heading}", "", "| what is wrong | named first |", "|---|---|")
        for case in found:
            words = " ".join(case.words.split())
            yield f"| **{case.title}.** {words} | `{case.named}` |"


def page_with_table(page: str) -> str:
    """*page* with the table of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rendered()}\n\n{END}{after}"
