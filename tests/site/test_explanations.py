"""`gcp-aws-bridge explain` prints what the reference says of each error id."""

from __future__ import annotations

import re

import pytest

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.cli.explain import sections
from gcp_aws_bridge.exceptions import RENAMED_IDS

from . import explanations

SECTIONS = sections()
on_pages = pytest.mark.skipif(not explanations.PAGES[0].exists(), reason="not in a source checkout")


@on_pages
def test_file_is_what_would_be_written() -> None:
    found = explanations.FILE.read_text(encoding="utf-8")
    assert found == explanations.text(), "run python -m tests.site"


@on_pages
def test_every_section_of_the_pages_is_there() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in explanations.PAGES)
    assert sorted(re.findall(r"^### (\w+/\S+)$", pages, re.M)) == sorted(SECTIONS)


@pytest.mark.parametrize("error_id", SECTIONS)
def test_each_id_has_a_text_that_any_terminal_shows(
    error_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["explain", error_id])
    out = capsys.readouterr().out
    assert out.startswith(f"{error_id}\n\n{SECTIONS[error_id]}")
    assert len(SECTIONS[error_id]) > 20
    assert out.isascii()
    assert not re.search(r"\]\(", out)  # links of the site lead nowhere here
    assert all(len(line) <= 80 or " " not in line.strip() for line in out.splitlines())


def test_without_an_id_all_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["explain"])
    lines = capsys.readouterr().out.splitlines()
    assert sorted(SECTIONS) == [line.split()[0] for line in lines]
    assert all(len(line.split(None, 1)[1]) <= 91 for line in lines)


@pytest.mark.parametrize(
    "given", ["[exchange/denied]", "exchange/denied.", "EXCHANGE/DENIED", " exchange/denied "]
)
def test_id_is_taken_as_it_is_copied(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["explain", given])
    assert capsys.readouterr().out.startswith("exchange/denied\n")


@pytest.mark.parametrize(("former", "present"), RENAMED_IDS.items())
def test_a_former_id_shows_the_section_and_the_present_id(
    former: str, present: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert former not in SECTIONS
    assert 0 == main(["explain", f"[{former}]"])
    assert f"{present} (formerly {former})\n\n{SECTIONS[present]}" == capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("denied", "exchange/denied"),
        ("exchange/refuse", "exchange/refused"),
        ("exchange/deneid", "exchange/denied"),
        ("token/metadata-unreachble", "token/metadata-unreachable"),
        ("zzz", "`gcp-aws-bridge explain` lists all"),
        ("", "`gcp-aws-bridge explain` lists all"),
        ("\x1b[31m", "`gcp-aws-bridge explain` lists all"),
    ],
)
def test_unknown_id_suggests_those_that_are_near(
    given: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["explain", given])
    said = capsys.readouterr()
    assert ("", True) == (said.out, near in said.err)
    assert said.err.strip().isprintable()
