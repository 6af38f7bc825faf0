"""`bridge.session` over real HTTP."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError
from fakes import POLICY

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenUnavailable

ROLE = "arn:aws:iam::123456789012:role/etl"
TARGET = "arn:aws:iam::210987654321:role/target"
LAST = "arn:aws:iam::333333333333:role/last"


def identity(session: boto3.Session) -> str:
    return str(session.client("sts", region_name="us-east-1").get_caller_identity()["Arn"])


def costs(pod: Emulator) -> tuple[int, int]:
    exchanges = [r for r in pod.sts.requests if r.action != "GetCallerIdentity"]
    return len(pod.metadata.requests), len(exchanges)


def test_session_has_the_role(pod: Emulator) -> None:
    session = bridge.session(ROLE, role_session_name="pod-1")
    assert "arn:aws:sts::123456789012:assumed-role/etl/pod-1" == identity(session)


def test_first_credentials_cost_two_round_trips(pod: Emulator) -> None:
    session = bridge.session(ROLE)
    assert (0, 0) == costs(pod)
    identity(session)
    assert (1, 1) == costs(pod)


def test_fifty_sessions_from_sixteen_threads_make_one_exchange(pod: Emulator) -> None:
    pod.sts.latency_s = 0.02
    start = threading.Barrier(16)

    def work(number: int) -> str:
        if number < 16:
            start.wait(10)
        credentials = bridge.session(ROLE).get_credentials()
        assert credentials is not None
        return str(credentials.get_frozen_credentials().access_key)

    with ThreadPoolExecutor(16) as threads:
        keys = set(threads.map(work, range(50)))
    assert (1, (1, 1)) == (len(keys), costs(pod))


def test_different_requests_do_not_share_credentials(pod: Emulator) -> None:
    for session in (
        bridge.session(ROLE),
        bridge.session(ROLE, role_session_name="other"),
        bridge.session(ROLE, policy=POLICY),
        bridge.session(ROLE, duration_seconds=900),
    ):
        identity(session)
    assert (4, 4) == costs(pod)


def test_sessions_that_reach_sts_in_different_ways_do_not_share_its_client() -> None:
    from gcp_aws_bridge._sts.shared import sts_for

    role = bridge.Role(ROLE)
    one, same, other, proxied, alike = (botocore.session.get_session() for _ in range(5))
    same.set_config_variable("region", "us-east-1")
    other.set_config_variable("ca_bundle", "/corporate.pem")
    for session in (proxied, alike):
        session.set_default_client_config(Config(proxies={"https": "http://127.0.0.1:1"}))
    assert sts_for(one, role) is sts_for(same, role)
    assert sts_for(proxied, role) is sts_for(alike, role)
    assert 3 == len({sts_for(session, role) for session in (one, other, proxied)})


def test_request_to_sts_has_the_settings(pod: Emulator) -> None:
    identity(
        bridge.session(
            ROLE,
            role_session_name="pod-1",
            duration_seconds=1800,
            policy=POLICY,
            policy_arns=["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
        )
    )
    sent = pod.sts.requests[0]
    params = {name: value for name, value in sent.params.items() if name != "WebIdentityToken"}
    assert {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "pod-1",
        "DurationSeconds": "1800",
        "Policy": json.dumps(POLICY, separators=(",", ":")),
        "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    } == params
    assert sent.headers["Authorization"] is None
    assert f"gcp-aws-bridge/{bridge.__version__}" in sent.headers["User-Agent"]


@pytest.mark.parametrize("audience", ["aws:123456789012:etl", "https://a.example/?x=1&y=ü"])
def test_token_has_the_audience_of_the_user(pod: Emulator, audience: str) -> None:
    pod.add_role(ROLE, audience=audience)
    assert "assumed-role/etl" in identity(bridge.session(ROLE, audience=audience))


def test_session_has_region_account_and_method(pod: Emulator) -> None:
    session = bridge.session(ROLE, region_name="eu-west-1")
    assert (0, 0) == costs(pod)
    credentials = session.get_credentials()
    assert credentials is not None
    assert ("eu-west-1", "123456789012") == (session.region_name, credentials.account_id)
    assert "google-web-identity" == credentials.method


def test_frozen_credentials_are_one_set_with_the_account(pod: Emulator) -> None:
    credentials = bridge.credentials(ROLE)
    frozen = credentials.get_frozen_credentials()
    assert frozen is credentials.get_frozen_credentials()
    assert (frozen.access_key, frozen.secret_key, frozen.token, "123456789012") == (
        credentials.access_key,
        credentials.secret_key,
        credentials.token,
        frozen.account_id,
    )
    assert frozen.secret_key not in repr(frozen) + repr(credentials)


def test_resources_and_clients_of_one_session_have_the_same_identity(pod: Emulator) -> None:
    session = bridge.session(ROLE, region_name="us-east-1")
    url = session.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": "b", "Key": "k"}
    )
    credentials = session.get_credentials()
    assert credentials is not None
    assert str(credentials.access_key) in url


def test_keys_of_a_given_botocore_session_are_replaced(pod: Emulator) -> None:
    inner = botocore.session.get_session()
    inner.set_credentials("AKIASTATIC", "secret")
    session = bridge.session(ROLE, botocore_session=inner)
    assert "assumed-role/etl" in identity(session)


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["argument", "role", "environment", "shell recipe", "profile"])
def test_role_from_any_place_gives_the_same_request(
    pod: Emulator, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod.add_role(ROLE, audience="mine")
    if how == "argument":
        session = bridge.session(ROLE, audience="mine", role_session_name="me")
    elif how == "role":
        session = bridge.session(bridge.Role(ROLE, audience="mine", role_session_name="me"))
    elif how == "environment":
        monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
        monkeypatch.setenv("GCP_AWS_BRIDGE_AUDIENCE", "mine")
        monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_SESSION_NAME", "me")
        session = bridge.session()
    elif how == "shell recipe":
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("GCP_OAUTH_AUD", "mine")
        monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "me")
        session = bridge.session()
    else:
        config = tmp_path / "config"
        config.write_text(
            f"[default]\ngcp_role_arn={ROLE}\ngcp_audience=mine\ngcp_role_session_name=me\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        session = bridge.session()
    assert "arn:aws:sts::123456789012:assumed-role/etl/me" == identity(session)


def test_error_without_a_role_names_every_place(pod: Emulator) -> None:
    with pytest.raises(ConfigError, match=r"role_arn.*GCP_AWS_BRIDGE_ROLE_ARN.*gcp_role_arn"):
        bridge.session()


def test_role_and_settings_together_are_an_error() -> None:
    with pytest.raises(ConfigError, match="together with audience, duration_seconds"):
        bridge.session(bridge.Role(ROLE), audience="x", duration_seconds=900)


# -- role chaining ------------------------------------------------------------------------------


def trusting(arn: str) -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_role_chaining_ends_in_the_last_role(pod: Emulator) -> None:
    pod.add_role(TARGET, trusting(ROLE))
    pod.add_role(LAST, trusting(TARGET))
    pod.allow(ROLE, "sts:AssumeRole", on=TARGET)
    pod.allow(TARGET, "sts:AssumeRole", on=LAST)
    session = bridge.session(ROLE, chain=[TARGET, LAST], role_session_name="me")
    credentials = session.get_credentials()
    assert credentials is not None
    assert "333333333333" == credentials.account_id
    assert "arn:aws:sts::333333333333:assumed-role/last/me" == identity(session)
    assert (1, 3) == costs(pod)


def test_session_policy_narrows_only_the_last_role(pod: Emulator) -> None:
    pod.add_role(TARGET, trusting(ROLE))
    pod.allow(ROLE, "sts:AssumeRole", on=TARGET)
    identity(bridge.session(ROLE, chain=[TARGET], policy=POLICY))
    first, second = pod.sts.requests[:2]
    assert "Policy" not in first.params
    assert json.loads(second.params["Policy"]) == POLICY


def test_a_refused_chained_role_names_both_roles(pod: Emulator) -> None:
    other = "arn:aws:iam::123456789012:role/another"
    pod.add_role(other)
    pod.add_role(TARGET, trusting(other))
    with pytest.raises(CredentialRetrievalError) as caught:
        identity(bridge.session(ROLE, chain=[TARGET]))
    error = caught.value.__cause__
    assert isinstance(error, ExchangeError)
    assert ("AccessDenied", "exchange/chained-role", False) == (
        error.code,
        error.error_id,
        error.retryable,
    )
    assert f"Assuming {TARGET} from {ROLE} failed" in error.message
    assert error.request_id


# -- no other provider ------------------------------------------------------------------------


def test_session_without_a_google_identity_uses_no_other_provider(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """Keys in the environment must not replace the role of `session(role)`."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", emulator.sts.url)
    with pytest.raises(CredentialRetrievalError, match="No Google identity on this machine") as e:
        identity(bridge.session(ROLE))
    assert isinstance(e.value.__cause__, TokenUnavailable)
