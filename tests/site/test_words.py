"""The text of the pages is spelt correctly, by a dictionary and a list of technical terms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import PAGES

spellchecker = pytest.importorskip("spellchecker", reason="nox -s site has it")

WORDS = Path(__file__).parent / "words.txt"
NO_PROSE = re.compile(
    r"^```.*?^```|^    \S.*?$|`[^`]*`|\]\([^)]*\)|<[^>]*>|https?://\S+", re.M | re.S
)


def words_in(text: str) -> set[str]:
    prose = NO_PROSE.sub(" ", text)
    return {word.strip("'").lower() for word in re.findall(r"[A-Za-z][A-Za-z']+", prose)}


@pytest.fixture(scope="module")
def unknown() -> set[str]:
    """Return the words that the dictionary lacks."""
    words = set[str]().union(*(words_in(page.read_text(encoding="utf-8")) for page in PAGES))
    found: set[str] = spellchecker.SpellChecker().unknown(words)
    return found


def test_every_word_is_in_the_dictionary_or_the_list(unknown: set[str]) -> None:
    assert [] == sorted(unknown - {*WORDS.read_text(encoding="utf-8").split()})


def test_list_of_terms_is_sorted_and_in_use(unknown: set[str]) -> None:
    listed = WORDS.read_text(encoding="utf-8").split()
    assert sorted(listed) == listed
    assert [] == [word for word in listed if word not in unknown]


def test_misspelt_word_is_found_and_code_is_ignored() -> None:
    page = "An exchxnge of `exchxnges`.\n\n```sh\nexchxnged\n```\n[a](exchxnging.md)\n"
    assert {"exchxnge"} == spellchecker.SpellChecker().unknown(words_in(page))
