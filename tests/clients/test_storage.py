"""The S3 of these tests would notice: it takes whole credentials of STS, and nothing else."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from .conftest import ROLE, Pod


@pytest.fixture
def issued(pod: Pod) -> dict[str, str]:
    # STS uses the pod's clock, and does not check signatures here.
    sts = boto3.client(
        "sts",
        endpoint_url=pod.cloud.sts.url,
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key="anybody",
    )
    answer = sts.assume_role_with_web_identity(
        RoleArn=ROLE, RoleSessionName="test", WebIdentityToken=pod.cloud.mint()
    )
    found = answer["Credentials"]
    return {name: found[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


def test_storage_accepts_credentials_of_sts(pod: Pod, issued: dict[str, str]) -> None:
    body = pod.s3.client(*issued.values()).get_object(Bucket="bucket", Key="word")["Body"]
    assert b"hello" == body.read()
    assert [issued["AccessKeyId"]] == pod.s3.keys


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("AccessKeyId", "InvalidAccessKeyId"),
        ("SecretAccessKey", "SignatureDoesNotMatch"),
        ("SessionToken", "InvalidToken"),
    ],
)
def test_storage_rejects_credentials_with_one_wrong_part(
    pod: Pod, issued: dict[str, str], part: str, code: str
) -> None:
    client = pod.s3.client(*{**issued, part: "ASIAIOSFODNN7EXAMPLE"}.values())
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="bucket", Key="word")
    assert (code, []) == (caught.value.response["Error"]["Code"], pod.s3.keys)


def test_storage_rejects_expired_credentials(pod: Pod, issued: dict[str, str]) -> None:
    pod.travel_to(4000)
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        pod.s3.client(*issued.values()).get_object(Bucket="bucket", Key="word")
