"""Tokens and keys stay in the values that hold them."""

from __future__ import annotations

import contextlib
import logging
import pickle

import pytest
from fakes import eventually

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
TARGET = "arn:aws:iam::210987654321:role/target"


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "urllib3", "gcp_aws_bridge"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def secrets_of(pod: Emulator, *frozen: tuple[str | None, ...]) -> set[str]:
    """Return all ID tokens, signatures, secret keys and session tokens of the test."""
    tokens = {r.params["WebIdentityToken"] for r in pod.sts.requests if r.action != "AssumeRole"}
    sent = {
        value for r in pod.sts.requests if (value := r.headers["X-Amz-Security-Token"]) is not None
    }
    held = {text for keys in frozen for text in keys[1:3] if text}
    return tokens | {token.split(".")[2] for token in tokens} | sent | held


def logged(caplog: pytest.LogCaptureFixture) -> str:
    formatter = logging.Formatter("%(name)s %(message)s")
    return "\n".join(formatter.format(record) for record in caplog.records)


def test_log_of_any_level_has_no_secret(
    pod: Emulator, everything_logged: pytest.LogCaptureFixture
) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.add_role(TARGET, {"Version": "2012-10-17", "Statement": [statement]})
    pod.allow(ROLE, "sts:AssumeRole", on=TARGET)
    frozen = bridge.credentials(ROLE, chain=[TARGET]).get_frozen_credentials()
    eventually(lambda: f"gcp_aws_bridge {ROLE}: fresh until" in logged(everything_logged))
    text = logged(everything_logged)
    secrets = secrets_of(pod, frozen)
    assert len(secrets) == 5
    assert [] == [secret[:12] for secret in secrets if secret in text]


def test_botocore_still_logs_the_calls_of_the_user(
    pod: Emulator, everything_logged: pytest.LogCaptureFixture
) -> None:
    session = bridge.session(ROLE, region_name="us-east-1")
    session.client("sts").get_caller_identity()
    assert "Making request for OperationModel(name=GetCallerIdentity)" in logged(everything_logged)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.aws_error("AccessDenied", "no", 403),
        Fault.aws_error("ValidationError", "Value 'eyJhbGciOiJSUzI1NiJ9.eyJh.c' at 'webIdentity'"),
        Fault.html(),
        Fault.truncated(),
    ],
    ids=str,
)
def test_error_neither_logs_nor_shows_a_secret(
    pod: Emulator, fault: Fault, everything_logged: pytest.LogCaptureFixture
) -> None:
    pod.sts.inject(fault, times=None)
    registry.world = registry.world.__class__(sleep=lambda seconds: None)
    with pytest.raises(Exception, match="Fix:") as caught:
        bridge.credentials(ROLE).get_frozen_credentials()
    text = logged(everything_logged) + str(caught.value) + repr(caught.value)
    text += repr(caught.value.__cause__) + str(pickle.dumps(caught.value.__cause__))
    assert [] == [secret[:12] for secret in secrets_of(pod) if secret in text]
    assert "eyJ" not in text


def test_repr_has_no_secret(pod: Emulator) -> None:
    session = bridge.session(ROLE, token_source=bridge.MetadataServer())
    credentials = session.get_credentials()
    assert credentials is not None
    frozen = credentials.get_frozen_credentials()
    cache = credentials._cache  # type: ignore[attr-defined]
    held = [session, credentials, frozen, cache, cache.snapshot.kept, cache.get(), cache._fetch]
    text = " ".join(map(repr, held)) + f"{frozen}" + str(cache.get())
    assert [] == [secret[:12] for secret in secrets_of(pod, frozen) if secret in text]


def test_settings_pickle_and_hold_no_secret(pod: Emulator) -> None:
    role = bridge.Role(ROLE, chain=(TARGET,), policy={"Statement": []})  # type: ignore[arg-type]
    for value in (role, bridge.MetadataServer(), bridge.TokenFile("t"), bridge.DefaultSource()):
        assert value == pickle.loads(pickle.dumps(value))
    with contextlib.suppress(Exception):
        bridge.credentials(role).get_frozen_credentials()
    assert b"ASIA" not in pickle.dumps(role)
