"""The fuzzer's targets with damaged real answers from hypothesis: a few hundred in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.answers import HTTP_SEEDS, METADATA_SEEDS, PARSER_SEEDS, STS_SEEDS, targets

Target = Callable[[bytes], None]
_SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Target]]:
    for name in ("GCE_METADATA_HOST", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.setenv(name, "")  # restored after the test
    with targets() as by_name:
        yield by_name


def damaged(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Draw a real answer in which other bytes replace some, or any bytes."""

    def damage(seed: bytes, at: float, length: int, others: bytes) -> bytes:
        start = int(at * len(seed))
        return seed[:start] + others + seed[start + length :]

    parts = (st.floats(0, 1), st.integers(0, 40), st.binary(max_size=20))
    return st.builds(damage, st.sampled_from(seeds), *parts) | st.binary(max_size=200)


@_SETTINGS
@given(answer=damaged(METADATA_SEEDS))
def test_any_answer_of_the_metadata_server_gives_a_token_or_an_error(
    fuzz: dict[str, Target], answer: bytes
) -> None:
    fuzz["metadata"](answer)


@_SETTINGS
@given(answer=damaged(STS_SEEDS))
def test_any_answer_of_sts_gives_credentials_or_an_error(
    fuzz: dict[str, Target], answer: bytes
) -> None:
    fuzz["sts"](answer)


@_SETTINGS
@given(body=damaged(PARSER_SEEDS))
def test_any_body_has_the_credentials_that_botocore_reads_or_an_error(
    fuzz: dict[str, Target], body: bytes
) -> None:
    fuzz["parser"](body)


@pytest.mark.parametrize("body", PARSER_SEEDS, ids=range(len(PARSER_SEEDS)))
def test_each_seed_of_the_parser_is_read_as_botocore_reads_it_or_is_an_error(
    fuzz: dict[str, Target], body: bytes
) -> None:
    fuzz["parser"](body)


@pytest.mark.parametrize("answer", [*METADATA_SEEDS, *STS_SEEDS], ids=range(9))
def test_each_seed_gives_a_result_or_an_error(fuzz: dict[str, Target], answer: bytes) -> None:
    fuzz["metadata"](answer)
    fuzz["sts"](answer)


@_SETTINGS
@given(answer=damaged(HTTP_SEEDS))
def test_any_answer_has_the_body_that_http_client_reads_or_is_invalid(
    fuzz: dict[str, Target], answer: bytes
) -> None:
    fuzz["http"](answer)


def test_a_tab_after_a_field_is_no_part_of_it(fuzz: dict[str, Target]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n"
    fuzz["http"](head + b"1\r\na\r\n0\r\n\r\n")
