"""fsspec's S3: s3fs over aiobotocore."""

from __future__ import annotations

import pickle

import pytest
from fakes import eventually

from .conftest import ROLE, Pod, needs

pytestmark = needs("s3fs")


@pytest.fixture
def fs(pod: Pod):
    import s3fs as sdk

    from gcp_aws_bridge.adapters import s3fs

    return sdk.S3FileSystem(**s3fs.options(ROLE))


def test_file_system_works_through_a_refresh_and_an_expiration(pod: Pod, fs) -> None:
    def read() -> bytes:
        fs.invalidate_cache()
        assert ["bucket/word"] == fs.ls("bucket")
        return fs.cat("bucket/word")

    pod.uses(read)


def test_file_system_pickles_as_settings(pod: Pod, fs) -> None:
    from gcp_aws_bridge.adapters import s3fs

    first = pod.signers(lambda: fs.cat("bucket/word"))
    pickled = pickle.dumps(fs)
    for key in pod.cloud.sts.requests[0].params["WebIdentityToken"], *first:
        assert key.encode() not in pickled
    assert first == pod.signers(lambda: pickle.loads(pickled).cat("bucket/word"))
    assert pickle.loads(pickled) == fs == type(fs)(**s3fs.options(ROLE))


def test_log_has_no_line_for_each_object(pod: Pod, fs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "gcp_aws_bridge")
    fs.cat("bucket/word")
    eventually(lambda: any("fresh until" in line for line in caplog.messages))
    caplog.clear()
    for _ in range(5):
        fs.invalidate_cache()
        fs.cat("bucket/word")
    assert [] == [record for record in caplog.records if record.name == "gcp_aws_bridge"]
