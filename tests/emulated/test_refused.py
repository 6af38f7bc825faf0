"""Errors between the two clouds, and their messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import CredentialRetrievalError
from unit.servers import hook

import gcp_aws_bridge as bridge
from gcp_aws_bridge import policy
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, ExchangeError, TokenError

ROLE = "arn:aws:iam::123456789012:role/etl"
AUDIENCE = "sts.amazonaws.com"


@pytest.fixture(autouse=True)
def no_real_sleep(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    sleeps: list[float] = []
    if "pod" in request.fixturenames:
        request.getfixturevalue("pod")  # which replaces the clock and restores it
        registry.world = World(sleep=sleeps.append)
    else:
        monkeypatch.setattr(registry, "world", World(sleep=sleeps.append))
    return sleeps


def failure(role: str | bridge.Role = ROLE, **settings: object) -> BridgeError:
    """Return the error of a first request, as botocore wraps it; it must pickle."""
    with pytest.raises(CredentialRetrievalError) as caught:
        bridge.credentials(role, **settings).get_frozen_credentials()  # type: ignore[arg-type]
    error = caught.value.__cause__
    assert isinstance(error, BridgeError)
    assert error.message in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert 1 == shown.count(str(error.args[0]))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(error), str(error), vars(error)) == (type(copy), str(copy), vars(copy))
    assert not re.search(r"eyJ\w+\.eyJ", str(caught.value))
    return error


# -- denied by the trust policy ----------------------------------------------------------------


def test_access_denied_shows_the_claims_and_a_statement_that_admits_them(pod: Emulator) -> None:
    pod.add_role(ROLE, audience="another-audience")
    error = failure()
    number, email = pod.service_account.unique_id, pod.service_account.email
    assert isinstance(error, ExchangeError)
    assert ("AccessDenied", False) == (error.code, error.retryable)
    assert error.request_id
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in error.message
    assert f'azp="{number}", aud="sts.amazonaws.com", sub="{number}" ("{email}")' in error.message
    statement = json.loads(error.details[error.details.index("{") :])
    pod.add_role(ROLE, {"Version": "2012-10-17", "Statement": [statement]})
    registry.clear()
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")


def call_of_a_client() -> object:
    return bridge.session(ROLE).client("sts").get_caller_identity()


def call_after_install() -> object:
    bridge.install(ROLE)
    try:
        return boto3.Session().client("sts").get_caller_identity()
    finally:
        bridge.uninstall()


def call_of_an_async_client() -> object:
    from gcp_aws_bridge import aio  # aiobotocore is an optional dependency

    async def call() -> object:
        async with aio.session(ROLE).create_client("sts") as client:
            return await client.get_caller_identity()

    return asyncio.run(call())


@pytest.mark.parametrize("call", [call_of_a_client, call_after_install, call_of_an_async_client])
@pytest.mark.parametrize("fault", ["denied", "outage", "no token"])
def test_message_is_once_in_the_traceback_of_a_client(
    pod: Emulator, call: Callable[[], Any], fault: str
) -> None:
    if call is call_of_an_async_client:
        pytest.importorskip("aiobotocore")
    with contextlib.ExitStack() as stack:
        if fault == "denied":
            pod.remove_role(ROLE)
        else:
            stack.enter_context(pod.sts.down() if fault == "outage" else no_token(pod))
        with pytest.raises(CredentialRetrievalError) as caught:
            call()
    cause = caught.value.__cause__
    assert isinstance(cause, BridgeError)
    shown = "".join(traceback.format_exception(caught.value))
    for part in filter(None, (cause.args[0], cause.fix, cause.details)):
        assert 1 == shown.count(part)
    assert f"gcp-aws-bridge explain {cause.error_id}" in shown


@contextlib.contextmanager
def no_token(pod: Emulator) -> Iterator[None]:
    pod.metadata.inject(Fault.status(403, "denied"), times=None)
    yield


def test_access_denied_is_not_retried(pod: Emulator, no_real_sleep: list[float]) -> None:
    pod.remove_role(ROLE)
    assert "exchange/denied" == failure().error_id
    assert (1, []) == (len(pod.sts.requests), no_real_sleep)


def test_oidc_provider_for_google_in_the_account_is_recognised(pod: Emulator) -> None:
    pod.add_oidc_provider("https://accounts.google.com", client_ids=("another",))
    error = failure()
    assert ("exchange/invalid-token", "InvalidIdentityToken") == (
        error.error_id,
        getattr(error, "code", ""),
    )
    assert "delete the IAM OIDC provider for accounts.google.com" in error.fix
    # The other fix in the message, word for word.
    [client_id] = re.findall(r'or add "(.+?)" to its client ids', error.fix)
    pod.add_oidc_provider("https://accounts.google.com", client_ids=("another", client_id))
    registry.clear()
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")


def test_statement_for_a_key_file_admits_its_token(pod: Emulator, tmp_path: Path) -> None:
    account = pod.service_account
    pod.add_role(ROLE, policy.build(audience=AUDIENCE, service_accounts=[account.unique_id]))
    key_file = pod.key_file(tmp_path)["GOOGLE_APPLICATION_CREDENTIALS"]
    source = bridge.GoogleCredentials(key_file=key_file)
    error = failure(token_source=source)
    assert ("exchange/denied", True) == (error.error_id, f'azp="{account.email}"' in error.message)
    statement = json.loads(error.details[error.details.index("{") :])
    built = policy.build(audience=AUDIENCE, key_file_emails={account.unique_id: account.email})
    assert built == {"Version": "2012-10-17", "Statement": [statement]}
    assert [] == policy.lint(built)
    pod.add_role(ROLE, built)
    registry.clear()
    assert bridge.credentials(ROLE, token_source=source).access_key.startswith("ASIA")


def test_duration_over_the_maximum_of_the_role_is_an_error(pod: Emulator) -> None:
    error = failure(duration_seconds=7200)
    assert "exchange/duration" == error.error_id
    assert "MaxSessionDuration" in error.message
    assert "duration_seconds is 7200" in error.message


def test_policy_that_iam_rejects_is_an_error(pod: Emulator) -> None:
    pod.sts.inject(Fault.aws_error("MalformedPolicyDocument", "Syntax errors in policy."))
    assert "exchange/policy" == failure(policy={"not": "a policy"}).error_id


def test_cluster_with_its_own_issuer_gets_credentials(pod: Emulator, tmp_path) -> None:  # type: ignore[no-untyped-def]
    url = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"
    provider = pod.add_oidc_provider(url)
    host = url.removeprefix("https://")
    subject = "system:serviceaccount:default:etl"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider.arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{host}:sub": subject, f"{host}:aud": "sts.amazonaws.com"}},
    }
    file = tmp_path / "token"
    source = bridge.TokenFile(file)

    file.write_text(provider.mint("system:serviceaccount:default:other"))
    pod.add_role(ROLE, {"Version": "2012-10-17", "Statement": [statement]})
    error = failure(token_source=source)
    assert "exchange/denied" == error.error_id
    assert f'an ID token of "{url}"' in error.message
    assert subject.replace(":etl", ":other") in error.details

    registry.clear()
    file.write_text(provider.mint(subject))  # as the kubelet does
    assert bridge.credentials(ROLE, token_source=source).access_key.startswith("ASIA")


# -- tokens ------------------------------------------------------------------------------------


def test_a_forged_token_is_refused_by_aws(pod: Emulator) -> None:
    error = failure(token_source=lambda: pod.mint(forged=True))
    assert ("InvalidIdentityToken", False) == (
        getattr(error, "code", ""),
        getattr(error, "retryable", None),
    )


def test_a_token_for_another_audience_is_not_sent(pod: Emulator) -> None:
    error = failure(token_source=lambda: pod.mint("https://another.example"))
    assert "token/audience" == error.error_id
    assert "https://another.example" in error.message
    assert 0 == len(pod.sts.requests)


def test_a_truncated_token_is_not_sent(pod: Emulator) -> None:
    assert "token/malformed" == failure(token_source=lambda: pod.mint()[:200]).error_id
    assert 0 == len(pod.sts.requests)


@pytest.mark.parametrize(
    ("fault", "error_id"),
    [
        (Fault.body("<html>Sign in</html>"), "token/malformed"),
        (Fault.html(), "token/none"),
        (Fault.flavor(None), "token/none"),
        (Fault.flavor("Amazon"), "token/none"),
        (Fault.empty(), "token/malformed"),
        (Fault.body("a.b.c"), "token/malformed"),
        (Fault.status(403, body="Forbidden"), "token/metadata-refused"),
        (Fault.redirect("http://169.254.169.254/elsewhere"), "token/none"),
        (Fault.date(-900), "token/clock"),
        (Fault.date(900), "token/clock"),
    ],
    ids=str,
)
def test_malformed_answer_of_the_metadata_server_is_an_error(
    pod: Emulator, fault: Fault, error_id: str
) -> None:
    pod.metadata.inject(fault, times=None)
    error = failure()
    assert isinstance(error, TokenError)
    assert (error_id == "token/none") == ("is not Google's metadata server" in error.message)
    assert (error_id, 1, 0) == (error.error_id, len(pod.metadata.requests), len(pod.sts.requests))


def test_pod_without_a_google_service_account_is_an_error(pod: Emulator) -> None:
    pod.unlink()
    error = failure()
    assert "token/no-service-account" == error.error_id
    assert "iam.gke.io/gcp-service-account" in error.fix


# -- errors of STS -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault.aws_error("IDPCommunicationError", "try again", 400),
        Fault.aws_error("Throttling", "Rate exceeded", 400),
        Fault.aws_error("ExpiredTokenException", "Token expired", 400),
        Fault.status(503),
        Fault.status(500, body="<html>oops</html>"),
        Fault.reset(),
        Fault.empty(),
        Fault.html(),
        Fault.body('{"json": true}'),
        Fault.truncated(),
    ],
    ids=str,
)
def test_transient_error_of_sts_is_retried(
    pod: Emulator, fault: Fault, no_real_sleep: list[float]
) -> None:
    pod.sts.inject(fault, times=2)
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")
    assert (3, 2) == (len(pod.sts.requests), len(no_real_sleep))


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied",
        "IDPRejectedClaim",
        "InvalidIdentityToken",
        "PackedPolicyTooLarge",
        "RegionDisabledException",
        "ValidationError",
    ],
)
def test_permanent_error_of_sts_is_not_retried(pod: Emulator, code: str) -> None:
    pod.sts.inject(Fault.aws_error(code, "no", 403), times=None)
    error = failure()
    assert (code, False, 1) == (
        getattr(error, "code", ""),
        getattr(error, "retryable", None),
        len(pod.sts.requests),
    )


@pytest.mark.parametrize("fault", [Fault.html(), Fault.body("<xml/>"), Fault.empty()], ids=str)
def test_sts_that_answers_only_garbage_is_an_error(pod: Emulator, fault: Fault) -> None:
    pod.sts.inject(fault, times=None)
    error = failure()
    assert isinstance(error, ExchangeError)
    assert ("exchange/garbage", True, 4) == (error.error_id, error.retryable, len(pod.sts.requests))


def test_unreachable_sts_is_an_error(pod: Emulator) -> None:
    with pod.sts.down():
        error = failure()
    assert "exchange/unreachable" == error.error_id
    assert "STS in us-east-1 was not reached" in error.message
    registry.clear()
    assert bridge.credentials(ROLE).access_key.startswith("ASIA")


def test_redirect_of_sts_is_not_followed_with_the_token(pod: Emulator) -> None:
    pod.sts.inject(Fault.redirect(pod.metadata.url), times=None)
    failure()
    requested = {request.path.rsplit("/", 1)[-1] for request in pod.metadata.requests}
    assert {"identity"} == requested  # from the token source; the redirected POST never arrived


# -- before the first request -----------------------------------------------------------------


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"])
def test_plain_http_to_another_host_is_refused(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.setenv(variable, "http://sts.example:8080")
    with pytest.raises(ConfigError, match=r"http://sts\.example:8080.*HTTPS only"):
        bridge.session(ROLE)
    assert 0 == len(pod.metadata.requests)


def test_plain_http_is_refused_for_each_client(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of clients for chained roles, for which botocore reads the environment again."""
    own = hook(botocore.session.get_session())
    credentials = bridge.credentials(ROLE, chain=[ROLE], botocore_session=own)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example:8080")
    with pytest.raises(CredentialRetrievalError, match=r"config/sts-plain-http"):
        credentials.get_frozen_credentials()
    assert 1 == len(pod.sts.requests)


@pytest.mark.parametrize(
    ("arn", "region", "host"),
    [
        ("arn:aws:iam::123456789012:role/etl", None, "sts.us-east-1.amazonaws.com"),
        ("arn:aws:iam::123456789012:role/etl", "eu-west-1", "sts.eu-west-1.amazonaws.com"),
        ("arn:aws:iam::123456789012:role/etl", "cn-north-1", "sts.us-east-1.amazonaws.com"),
        ("arn:aws-cn:iam::123456789012:role/etl", "eu-west-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:iam::123456789012:role/x", None, "sts.us-gov-west-1.amazonaws.com"),
    ],
)
def test_sts_is_regional_and_in_the_roles_partition(
    arn: str, region: str | None, host: str
) -> None:
    from gcp_aws_bridge._sts.shared import sts_for

    session = botocore.session.get_session()
    if region:
        session.set_config_variable("region", region)
    sts = sts_for(session, bridge.Role(arn))
    assert f"https://{host}" == sts.transport.url
