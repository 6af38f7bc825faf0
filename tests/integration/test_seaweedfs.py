"""The library with SeaweedFS, an independent implementation of S3 and STS."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError
from fakes import Journey
from integration.seaweed import AUDIENCE, CHAINED_ROLE, OTHERS_ROLE, ROLE

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.clock import REAL, World, utc_now
from gcp_aws_bridge._cache.policy import Instant, Kept, Memory
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ExchangeError


@pytest.fixture
def bucket() -> str:
    return f"bridge-{uuid.uuid4().hex[:12]}"


def tokens_returned(pod: Emulator) -> int:
    return sum("/identity" in request.path for request in pod.metadata.requests)


def refused(
    role: str | bridge.Role = ROLE, token: Callable[[], str] | None = None
) -> ExchangeError:
    client = bridge.session(role, token_source=token).client("s3")
    with pytest.raises(CredentialRetrievalError) as caught:
        client.list_buckets()
    error = caught.value.__cause__
    assert isinstance(error, ExchangeError)
    return error


def test_objects_are_put_listed_read_and_deleted(bucket: str) -> None:
    client = bridge.session(ROLE).client("s3")
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="a/b", Body=b"hello")
    assert ["a/b"] == [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert b"hello" == client.get_object(Bucket=bucket, Key="a/b")["Body"].read()
    client.delete_object(Bucket=bucket, Key="a/b")
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_large_object_is_uploaded_in_parts_by_several_threads(bucket: str) -> None:
    client = bridge.session(ROLE).client("s3")
    client.create_bucket(Bucket=bucket)
    content = bytes(range(256)) * 65_536  # 16 MiB: two parts of 8 MiB, as s3transfer splits
    client.upload_fileobj(io.BytesIO(content), bucket, "large")
    down = io.BytesIO()
    client.download_fileobj(bucket, "large", down)
    assert content == down.getvalue()


def test_many_sessions_and_threads_make_one_exchange(pod: Emulator) -> None:
    before = tokens_returned(pod)
    keys = set()

    def work() -> None:
        session = bridge.session(ROLE)
        session.client("s3").list_buckets()
        keys.add(session.get_credentials().get_frozen_credentials().access_key)  # type: ignore[union-attr]

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (1, 1) == (len(keys), tokens_returned(pod) - before)


def test_install_gives_other_sessions_the_role() -> None:
    bridge.install(ROLE)
    assert "Buckets" in boto3.Session().client("s3").list_buckets()


def test_credentials_have_the_requested_duration() -> None:
    credentials = bridge.credentials(ROLE, duration_seconds=900)
    credentials.get_frozen_credentials()
    left = credentials._expiry_time - registry.world.clock()
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_refresh_succeeds_after_a_rotation_of_signing_keys(pod: Emulator) -> None:
    journey = Journey()
    registry.world = World(clock=journey, monotonic=journey.monotonic, spawn=lambda work: work())
    credentials = bridge.credentials(ROLE)
    first = credentials.get_frozen_credentials().access_key
    pod.rotate_signing_key()
    pod.clock = journey  # the metadata server's cached token expires, and a new one is signed
    journey.travel(minutes=40)
    # By SeaweedFS's clock, which stays, the new token is issued in the future; it is still valid.
    credentials.get_frozen_credentials()
    assert first != credentials.get_frozen_credentials().access_key


def test_chained_role_has_its_own_session_name_duration_and_policy(bucket: str) -> None:
    bridge.session(ROLE).client("s3").create_bucket(Bucket=bucket)
    statement = {"Effect": "Allow", "Action": ["s3:List*", "sts:*"], "Resource": ["*"]}
    chained = bridge.ChainedRole(
        CHAINED_ROLE,
        external_id="acme-42",  # which it ignores, like the tags and the source identity
        tags={"tenant": "acme"},
        transitive_tag_keys=["tenant"],
        source_identity="etl",
        role_session_name="chained-session",
        duration_seconds=900,
        policy={"Version": "2012-10-17", "Statement": [statement]},
    )
    session = bridge.session(ROLE, chain=[chained])
    arn = session.client("sts").get_caller_identity()["Arn"]
    assert arn.endswith(":assumed-role/chained/chained-session")
    client = session.client("s3")
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key="a", Body=b"")
    expiration = session._request.cache().get().expiration  # type: ignore[attr-defined]
    assert timedelta(minutes=14) < expiration - utc_now() <= timedelta(minutes=15)


def test_role_for_another_subject_is_denied(pod: Emulator) -> None:
    error = refused(OTHERS_ROLE)
    assert ("exchange/denied", "AccessDenied", False) == (
        error.error_id,
        error.code,
        error.retryable,
    )
    assert f'sub="{pod.service_account.unique_id}"' in error.message


def test_another_audience_is_denied(pod: Emulator) -> None:
    error = refused(bridge.Role(ROLE, audience="elsewhere"))
    assert ("exchange/denied", False) == (error.error_id, error.retryable)
    assert 'aud="elsewhere"' in error.message


def test_damaged_signature_is_rejected(pod: Emulator) -> None:
    error = refused(token=lambda: pod.mint(AUDIENCE, forged=True))
    # AWS returns InvalidIdentityToken.
    assert ("exchange/refused", "InvalidParameterValue") == (error.error_id, error.code)
    assert "token signature is invalid" in error.message


def test_token_that_expired_by_the_server_clock_only_is_rejected(pod: Emulator) -> None:
    now = utc_now()
    yesterday = now - timedelta(days=1)
    registry.world = REAL._replace(clock=lambda: yesterday)
    issued = int(yesterday.timestamp()) - 60
    error = refused(token=lambda: pod.mint(AUDIENCE, iat=issued, exp=issued + 3600))
    assert ("ExpiredTokenException", "exchange/clock") == (error.code, error.error_id)
    assert "1440 minutes behind that of STS" in error.args[0]  # by its Date header


@pytest.mark.parametrize("damage", ["session_token", "access_key_id"])
def test_rejected_credentials_are_replaced(pod: Emulator, bucket: str, damage: str) -> None:
    session = bridge.session(ROLE)
    client = session.client("s3")
    client.create_bucket(Bucket=bucket)
    held: Any = session.get_credentials()
    kept = held._cache.memory.kept
    wrong = kept.credentials.__replace__(**{damage: "ASIAIOSFODNN7EXAMPLE"})
    spoilt_kept = Kept(
        wrong,
        advisory=Instant(kept.advisory_at, kept.advisory_s),
        mandatory=Instant(kept.mandatory_at, kept.mandatory_s),
        life_s=kept.life_s,
    )
    held._cache.recall(Memory(spoilt_kept))
    assert bucket == client.list_objects_v2(Bucket=bucket)["Name"]
    assert wrong is not held._cache.memory.kept.credentials
