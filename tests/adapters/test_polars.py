"""polars: Rust's object_store behind two caches of its own."""

from __future__ import annotations

import contextlib
import io
import pickle
from datetime import timedelta

import pytest

from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge.exceptions import ExchangeError

from .conftest import ROLE, Pod, needs

pytestmark = needs("polars")

with contextlib.suppress(ImportError):  # here, since it adds to the environment: _RJEM_MALLOC_CONF
    import polars as pl


@pytest.fixture
def provider(pod: Pod):
    from gcp_aws_bridge.adapters import polars

    return polars.CredentialProvider(ROLE)


@pytest.fixture
def asks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """polars goes by a clock of its own: the ten seconds are over as they begin."""
    from gcp_aws_bridge.adapters import polars

    monkeypatch.setattr(polars, "_ASK_AGAIN", timedelta(0))


def options_of(pod: Pod) -> dict[str, str]:
    return {"aws_endpoint_url": pod.s3.url, "aws_allow_http": "true", "aws_region": "us-east-1"}


def scan(pod: Pod, provider):
    """A lazy frame of what is written with the same provider."""
    where = {"storage_options": options_of(pod), "credential_provider": provider}
    pl.LazyFrame({"word": ["hello"]}).sink_parquet("s3://bucket/table/0.parquet", **where)
    return pl.scan_parquet("s3://bucket/table/*.parquet", **where)


@pytest.mark.usefixtures("asks_at_once")
def test_a_lazy_frame_is_collected_across_a_refresh_and_an_end(pod: Pod, provider) -> None:
    frame = scan(pod, provider)
    pod.uses(lambda: frame.collect()["word"][0])


def test_it_asks_once_in_ten_seconds_and_not_for_each_request(pod: Pod, provider) -> None:
    from gcp_aws_bridge.adapters import polars

    times = []

    class Counted(polars.CredentialProvider):
        def __call__(self) -> tuple[dict[str, str], int]:
            answer = super().__call__()
            times.append(answer[1])
            return answer

    before = utc_now().timestamp()
    frame = scan(pod, Counted(ROLE))
    assert "hello" == frame.collect()["word"][0] == frame.collect()["word"][0]
    # Not within 7 s (where it would sleep), nor later than what the cache gives lives at least.
    assert all(before + 8 < named <= utc_now().timestamp() + 10 for named in times)
    assert len(pod.s3.keys) > len(times)


def test_what_is_serialised_carries_settings(pod: Pod, provider) -> None:
    frame = scan(pod, provider)
    first = pod.signers(lambda: frame.collect()["word"][0])
    secrets = pod.cloud.sts.requests[0].params["WebIdentityToken"], *first, *provider()[0].values()
    for packed, unpacked in (
        (pickle.dumps(frame), pickle.loads),
        (frame.serialize(), lambda it: pl.LazyFrame.deserialize(io.BytesIO(it))),
    ):
        assert not any(secret.encode() in packed for secret in secrets)
        again = unpacked(packed)
        assert first == pod.signers(lambda: again.collect()["word"][0])  # noqa: B023
    assert 1 == pod.exchanges
    assert not any(secret in repr(provider) for secret in secrets)


def refused():
    """The library's own error, or, by polars 1, one of polars' with its words."""
    error = ExchangeError if pl.__version__ >= "2" else Exception
    return pytest.raises(error, match=r"\[exchange/denied\]")


def test_a_refusal_arrives_in_its_own_words(pod: Pod, provider) -> None:
    pod.cloud.remove_role(ROLE)
    with refused():
        scan(pod, provider)


@pytest.mark.usefixtures("asks_at_once")
def test_where_no_others_are_to_be_had_the_last_serve_to_their_end(pod: Pod, provider) -> None:
    frame = scan(pod, provider)
    first = pod.signers(lambda: frame.collect()["word"][0])
    pod.cloud.remove_role(ROLE)
    pod.travel(minutes=59)
    assert first == pod.signers(lambda: frame.collect()["word"][0])
    pod.travel(minutes=1)
    with refused():
        frame.collect()


@needs("deltalake")
def test_reads_and_writes_delta(pod: Pod, provider) -> None:
    where = {"storage_options": options_of(pod), "credential_provider": provider}
    pl.DataFrame({"word": ["hello"]}).write_delta("s3://tables/delta", **where)
    read = pl.scan_delta("s3://tables/delta", **where)
    assert 1 == len(pod.signers(lambda: read.collect()["word"][0]))
