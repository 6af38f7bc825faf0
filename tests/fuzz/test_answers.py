"""The fuzzer's targets on what hypothesis makes of real answers: a few hundred in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.answers import METADATA_SEEDS, STS_SEEDS, targets

Target = Callable[[bytes], None]
_SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Target]]:
    for name in ("GCE_METADATA_HOST", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.setenv(name, "")  # and back to what it was
    with targets() as by_name:
        yield by_name


def spoilt(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """A real answer with some of its bytes replaced by others; or any bytes."""

    def spoil(seed: bytes, at: float, length: int, others: bytes) -> bytes:
        start = int(at * len(seed))
        return seed[:start] + others + seed[start + length :]

    parts = (st.floats(0, 1), st.integers(0, 40), st.binary(max_size=20))
    return st.builds(spoil, st.sampled_from(seeds), *parts) | st.binary(max_size=200)


@_SETTINGS
@given(said=spoilt(METADATA_SEEDS))
def test_metadata_server(asked: dict[str, Target], said: bytes) -> None:
    asked["metadata"](said)


@_SETTINGS
@given(said=spoilt(STS_SEEDS))
def test_sts(asked: dict[str, Target], said: bytes) -> None:
    asked["sts"](said)


@pytest.mark.parametrize("said", [*METADATA_SEEDS, *STS_SEEDS], ids=range(9))
def test_seeds(asked: dict[str, Target], said: bytes) -> None:
    asked["metadata"](said)
    asked["sts"](said)
