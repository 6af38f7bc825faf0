"""Forms are encoded as `urllib.parse` encodes them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcp_aws_bridge._tokens.form import encoded, urlencoded

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=3), TEXTS)
def test_encoding_is_that_of_the_standard_library(fields: list[tuple[str, str]], text: str) -> None:
    assert urlencode(fields) == urlencoded(fields)
    assert quote(text, safe="") == encoded(text)
    assert quote(text, safe="@") == encoded(text, safe="@")


def test_all_ascii_characters() -> None:
    text = "".join(map(chr, range(128)))
    assert urlencode([(text, text)]) == urlencoded([(text, text)])


def test_half_of_a_surrogate_pair_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        encoded("\ud800")
