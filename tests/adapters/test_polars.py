"""polars: Rust's object_store with two caches in front of it."""

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

with contextlib.suppress(ImportError):  # sets _RJEM_MALLOC_CONF on import
    import polars as pl


@pytest.fixture
def provider(pod: Pod):
    from gcp_aws_bridge.adapters import polars

    return polars.CredentialProvider(ROLE)


@pytest.fixture
def requests_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set polars' pause between two requests for credentials, ten seconds of real time, to zero."""
    from gcp_aws_bridge.adapters import polars

    monkeypatch.setattr(polars, "_ASK_AGAIN", timedelta(0))


def options_of(pod: Pod) -> dict[str, str]:
    return {"aws_endpoint_url": pod.s3.url, "aws_allow_http": "true", "aws_region": "us-east-1"}


def scan(pod: Pod, provider):
    """Return a lazy frame of data written with the same provider."""
    where = {"storage_options": options_of(pod), "credential_provider": provider}
    pl.LazyFrame({"word": ["hello"]}).sink_parquet("s3://bucket/table/0.parquet", **where)
    return pl.scan_parquet("s3://bucket/table/*.parquet", **where)


@pytest.mark.usefixtures("requests_immediately")
def test_lazy_frame_works_through_a_refresh_and_an_expiration(pod: Pod, provider) -> None:
    frame = scan(pod, provider)
    pod.uses(lambda: frame.collect()["word"][0])


def test_polars_requests_credentials_once_in_ten_seconds(pod: Pod, provider) -> None:
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
    # Later than 7 s, within which polars sleeps, and earlier than the shortest lifetime that
    # the cache returns.
    assert all(before + 8 < named <= utc_now().timestamp() + 10 for named in times)
    assert len(pod.s3.keys) > len(times)


def test_serialised_frame_contains_settings(pod: Pod, provider) -> None:
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


def access_denied():
    """Expect the library's own error, or with polars 1 an error of polars with its message."""
    error = ExchangeError if pl.__version__ >= "2" else Exception
    return pytest.raises(error, match=r"\[exchange/denied\]")


def test_access_denied_has_our_message(pod: Pod, provider) -> None:
    pod.cloud.remove_role(ROLE)
    with access_denied():
        scan(pod, provider)


@pytest.mark.usefixtures("requests_immediately")
def test_last_credentials_are_used_until_they_expire_in_an_outage(pod: Pod, provider) -> None:
    frame = scan(pod, provider)
    first = pod.signers(lambda: frame.collect()["word"][0])
    pod.cloud.remove_role(ROLE)
    pod.travel(minutes=59)
    assert first == pod.signers(lambda: frame.collect()["word"][0])
    pod.travel(minutes=1)
    with access_denied():
        frame.collect()


@needs("deltalake")
def test_reads_and_writes_delta(pod: Pod, provider) -> None:
    where = {"storage_options": options_of(pod), "credential_provider": provider}
    pl.DataFrame({"word": ["hello"]}).write_delta("s3://tables/delta", **where)
    read = pl.scan_delta("s3://tables/delta", **where)
    assert 1 == len(pod.signers(lambda: read.collect()["word"][0]))
