"""google-auth's contract: what its credentials promise, ours do, and wait less."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from fakes import Journey, eventually
from google.auth import credentials as contract
from google.auth import exceptions, impersonated_credentials
from google.auth.transport import urllib3
from google.auth.transport.requests import Request
from urllib3 import PoolManager

from gcp_aws_bridge import google
from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import ConfigError

from .conftest import ACCOUNT, Workload

URL = "https://orders.example"
READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"


def bearer(credentials: Any) -> str:
    headers: dict[str, str] = {}
    credentials.before_request(None, "GET", URL, headers)
    return headers["authorization"].removeprefix("Bearer ")


def test_before_the_first_request_there_is_no_token_and_nothing_is_asked(
    workload: Workload,
) -> None:
    credentials = workload.credentials()
    assert (None, None, False) == (credentials.token, credentials.expiry, credentials.valid)
    assert contract.TokenState.INVALID == credentials.token_state
    assert (0, 0) == workload.asked


def test_refresh_gives_a_token_and_its_end(workload: Workload) -> None:
    credentials = workload.credentials()
    credentials.refresh(Request())
    identity = workload.cloud.google_identity(credentials.token)
    assert identity is not None
    assert credentials.valid
    assert not credentials.expired
    assert contract.TokenState.FRESH == credentials.token_state
    assert identity.expiration.replace(tzinfo=None) - credentials.expiry < timedelta(seconds=2)
    assert credentials.expiry <= identity.expiration.replace(tzinfo=None)


def test_before_request_says_who_asks_and_who_pays(workload: Workload) -> None:
    credentials = workload.credentials(quota_project_id="billed")
    headers: dict[str, str] = {}
    credentials.before_request(Request(), "GET", URL, headers)
    assert f"Bearer {credentials.token}" == headers["authorization"]
    assert "billed" == headers["x-goog-user-project"]
    other = credentials.with_quota_project("another")
    assert ("another", "billed") == (other.quota_project_id, credentials.quota_project_id)
    assert other.token == credentials.token


def test_apply_alone_has_a_token_too(workload: Workload) -> None:
    headers: dict[str, str] = {}
    workload.credentials().apply(headers)
    assert headers["authorization"].startswith("Bearer ya29.")


def test_scopes_of_ones_own_are_another_token(workload: Workload) -> None:
    credentials = workload.credentials()
    assert not credentials.requires_scopes
    assert credentials is contract.with_scopes_if_required(credentials, [READ_ONLY])
    narrow = credentials.with_scopes([READ_ONLY])
    assert [READ_ONLY] == narrow.scopes
    assert bearer(credentials) != bearer(narrow)
    identity = workload.cloud.google_identity(narrow.token)
    assert identity is not None
    assert {READ_ONLY} == identity.scopes


def test_the_same_scopes_in_any_spelling_are_one_token(workload: Workload) -> None:
    pubsub = "https://www.googleapis.com/auth/pubsub"
    spellings = [[READ_ONLY, pubsub], (pubsub, READ_ONLY, pubsub), f"{pubsub} {READ_ONLY}"]
    tokens = {bearer(workload.credentials().with_scopes(scopes)) for scopes in spellings}
    assert 1 == len(tokens)
    identity = workload.cloud.google_identity(tokens.pop())
    assert identity is not None
    assert {READ_ONLY, pubsub} == {*identity.scopes}


def test_without_scopes_each_client_says_its_own(workload: Workload) -> None:
    credentials = workload.credentials(scopes=())
    assert credentials.requires_scopes
    scoped = contract.with_scopes_if_required(credentials, None, [READ_ONLY])
    assert [READ_ONLY] == scoped.scopes
    assert not scoped.requires_scopes


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_a_copy_is_of_the_same_token(workload: Workload, copied: Any) -> None:
    credentials = workload.credentials(quota_project_id="billed")
    first = bearer(credentials)
    other = copied(credentials)
    assert type(credentials) is type(other)
    assert (first, "billed", credentials.scopes) == (
        bearer(other),
        other.quota_project_id,
        other.scopes,
    )
    assert (1, 1) == workload.asked


@pytest.mark.parametrize("setting", ["session", "request"])
def test_what_is_of_this_process_alone_does_not_pickle(workload: Workload, setting: str) -> None:
    own: Any = boto3.Session(region_name="eu-west-1") if setting == "session" else Request()
    with pytest.raises(ConfigError) as caught:
        pickle.dumps(workload.credentials(**{setting: own}))
    assert "config/pickle" == caught.value.error_id


def test_a_transport_of_ones_own_reaches_google(workload: Workload) -> None:
    asked: list[str] = []
    real = Request()

    def mine(url: str, method: str = "GET", **more: Any) -> Any:
        asked.append(url)
        return real(url=url, method=method, **more)

    assert ACCOUNT == workload.whose(workload.credentials(request=mine))
    assert 2 == len(asked)


def test_fifty_threads_at_a_cold_start_make_one_exchange(workload: Workload) -> None:
    workload.cloud.google_sts.latency_s = 0.2
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(bearer(workload.credentials())))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (50, 1) == (len(tokens), len(set(tokens)))
    assert (1, 1) == workload.asked


def test_other_credentials_of_googles_can_be_made_of_them(workload: Workload) -> None:
    cloud = workload.cloud
    other = "other@my-project.iam.gserviceaccount.com"
    cloud.add_google_service_account(other, token_creators=[f"serviceAccount:{ACCOUNT}"])
    url = f"{cloud.iam_credentials.url}/v1/projects/-/serviceAccounts/{other}:generateAccessToken"
    made = impersonated_credentials.Credentials(
        workload.credentials(), other, [READ_ONLY], iam_endpoint_override=url
    )
    made.refresh(Request())
    identity = cloud.google_identity(made.token)
    assert identity is not None
    assert other == identity.email


def test_errors_show_who_it_is_and_no_secret(workload: Workload) -> None:
    credentials = workload.credentials()
    token = bearer(credentials)
    assert ACCOUNT == credentials.get_cred_info()["principal"]
    assert ACCOUNT == credentials.service_account_email
    shown = f"{credentials!r} {vars(credentials)} {credentials._identity!r}"
    assert ACCOUNT in shown
    assert token not in shown


@pytest.mark.parametrize("name", ["token", "expiry"])
def test_token_and_expiry_cannot_be_set(workload: Workload, name: str) -> None:
    with pytest.raises(AttributeError, match="kept fresh"):
        setattr(workload.credentials(), name, "x")


# -- freshness ----------------------------------------------------------------------------------


def test_a_refresh_comes_behind_the_caller(workload: Workload, journey: Journey) -> None:
    credentials = workload.credentials()
    first = bearer(credentials)
    journey.travel(minutes=40)
    workload.cloud.google_sts.inject(Fault.slow(0.5))
    workload.keys()
    assert first == bearer(credentials)  # while the other is on its way
    eventually(lambda: bearer(credentials) != first)
    assert workload.cloud.google_identity(credentials.token) is not None


def test_an_outage_is_served_to_the_last_minute(workload: Workload, journey: Journey) -> None:
    credentials = workload.credentials()
    first = bearer(credentials)
    with workload.cloud.google_sts.down(), workload.cloud.iam_credentials.down():
        for minutes in (40, 10, 8, 1):
            journey.travel(minutes=minutes)
            assert first == bearer(credentials)
            credentials.refresh(None)  # what other libraries do if `valid` is false
            assert first == bearer(credentials)
        journey.travel(seconds=55)
        with pytest.raises(exceptions.TransportError) as caught:
            bearer(credentials)
        assert caught.value.retryable
        assert "[exchange/google-unreachable]" in str(caught.value)
    journey.travel(seconds=60)
    workload.keys()
    assert first != bearer(credentials)


def test_denial_is_not_a_network_error(workload: Workload) -> None:
    workload.cloud.add_google_service_account(ACCOUNT, [])
    with pytest.raises(exceptions.RefreshError) as caught:
        bearer(workload.credentials())
    assert not caught.value.retryable
    assert "[exchange/google-impersonation]" in str(caught.value)


def test_rejected_token_is_replaced(workload: Workload) -> None:
    """As google-auth's transports do at a 401."""
    credentials = workload.credentials()
    first = bearer(credentials)
    credentials.refresh(Request())
    second = bearer(credentials)
    assert first != second
    assert second == credentials.token
    for _ in range(5):
        credentials.refresh(Request())
        bearer(credentials)
    assert 2 == workload.asked[1]


def test_a_federated_token_that_was_taken_back_is_replaced(
    workload: Workload, journey: Journey
) -> None:
    first = workload.credentials()
    bearer(first)
    federated = workload.credentials(service_account=None)
    workload.cloud.revoke_google_token(bearer(federated))
    assert ACCOUNT == workload.whose(workload.credentials(scopes=[READ_ONLY]))
    assert 2 == workload.asked[0]


def test_accounts_and_id_tokens_share_the_federated_token(workload: Workload) -> None:
    other = "other@my-project.iam.gserviceaccount.com"
    members = [workload.provider.principal("etl")]
    workload.cloud.add_google_service_account(other, members)
    for account in (ACCOUNT, other):
        bearer(workload.credentials(service_account=account))
    bearer(google.id_token_credentials(URL, workload.provider.audience, service_account=ACCOUNT))
    assert (1, 3) == workload.asked


@pytest.mark.parametrize(
    ("fault", "error_id"),
    [
        (Fault.html(), "exchange/google-answer"),
        (Fault.empty(), "exchange/google-answer"),
        (Fault.body("[]"), "exchange/google-answer"),
        (Fault.body('{"access_token": "", "expires_in": 3600}'), "exchange/google-answer"),
        (Fault.body('{"access_token": "x", "expires_in": "soon"}'), "exchange/google-answer"),
        (Fault.body('{"access_token": "x", "expires_in": 1e99}'), "exchange/google-answer"),
        (Fault.body('{"access_token": "x", "expires_in": 5}'), "exchange/clock"),
        (Fault.redirect("https://evil.example/"), "exchange/google-answer"),
        (Fault.status(503, "later"), "exchange/google-answer"),
        (Fault.status(403, '{"error": 5}'), "exchange/google-answer"),
        (Fault.truncated(), "exchange/google-unreachable"),
        (Fault.reset(), "exchange/google-unreachable"),
    ],
)
@pytest.mark.parametrize("service", ["google_sts", "iam_credentials"])
def test_whatever_answers_ends_in_an_error_of_ours(
    workload: Workload, journey: Journey, service: str, fault: Fault, error_id: str
) -> None:
    getattr(workload.cloud, service).inject(fault, times=None)
    if service == "iam_credentials" and error_id == "exchange/clock":
        error_id = "exchange/google-answer"
    with pytest.raises(exceptions.GoogleAuthError) as caught:
        bearer(workload.credentials())
    error: Any = caught.value.__cause__
    assert error_id == error.error_id


def answering(workload: Workload, expire_time: object) -> None:
    answer = {"accessToken": "ya29.x", "expireTime": expire_time}
    workload.cloud.iam_credentials.inject(Fault.body(json.dumps(answer)), times=None)


@pytest.mark.parametrize("fraction", ["", ".5", ".045", ".045123", ".045123456"])
def test_the_end_is_a_timestamp_as_google_writes_them(workload: Workload, fraction: str) -> None:
    """Protocol Buffers, google.protobuf.Timestamp: in JSON. Down to the second is early enough."""
    end = utc_now().replace(microsecond=0, tzinfo=None) + timedelta(minutes=45)
    answering(workload, f"{end.isoformat()}{fraction}Z")
    credentials = workload.credentials()
    bearer(credentials)
    assert timedelta() <= end - credentials.expiry < timedelta(minutes=1)


@pytest.mark.parametrize(
    "expire_time",
    [
        *(f"2999-10-02T15:45:23{zone}" for zone in ("+02:00", "", ".5", "Zulu", "Z.5")),
        *("", "2999-10-02Z", "soonZ", None, 5, {}),
    ],
)
def test_what_is_no_timestamp_is_no_answer(
    workload: Workload, journey: Journey, expire_time: object
) -> None:
    answering(workload, expire_time)
    with pytest.raises(exceptions.GoogleAuthError, match=r"\[exchange/google-answer\]"):
        bearer(workload.credentials())


def test_a_session_token_that_google_echoes_is_not_shown(workload: Workload) -> None:
    subject = quote(base64.b64encode(bytes(range(200, 255)) * 4))
    said = {"error": "invalid_grant", "error_description": f"Malformed: {subject}"}
    workload.cloud.google_sts.inject(Fault.status(400, json.dumps(said)))
    with pytest.raises(exceptions.RefreshError, match=r'Malformed: \[redacted\]"'):
        bearer(workload.credentials())


def test_a_proxy_that_is_none_is_not_asked_again(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GCP_AWS_BRIDGE_GOOGLE_STS_URL")
    monkeypatch.setenv("https_proxy", "nothing://127.0.0.1")
    with pytest.raises(exceptions.RefreshError) as caught:
        bearer(workload.credentials())
    assert "[exchange/google-unreachable]" in str(caught.value)


@pytest.mark.parametrize(
    "transport",
    [lambda: None, Request, lambda: urllib3.Request(PoolManager())],
    ids=["ours", "requests", "urllib3"],
)
def test_no_redirect_is_followed(workload: Workload, journey: Journey, transport: Any) -> None:
    """A subject token is a bearer token."""
    elsewhere = workload.cloud.metadata
    to = f"{elsewhere.url}/elsewhere"
    workload.cloud.google_sts.inject(Fault.redirect(to, 307), times=None)
    with pytest.raises(exceptions.GoogleAuthError):
        bearer(workload.credentials(request=transport()))
    assert [] == elsewhere.requests


@pytest.mark.parametrize("transport", [lambda: None, Request], ids=["ours", "requests"])
def test_a_password_for_every_machine_is_not_sent_in_the_place_of_the_token(
    workload: Workload, home: Path, transport: Any
) -> None:
    """requests puts what ~/.netrc has over the header."""
    (home / ".netrc").touch(0o600)
    (home / ".netrc").write_text("default login etl password secret\n")
    assert ACCOUNT == workload.whose(workload.credentials(request=transport()))


def test_no_proxy_stands_between_this_machine_and_itself(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would read the tokens: plain HTTP is for loopback."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, workload.cloud.metadata.url)
    assert ACCOUNT == workload.whose(workload.credentials())
    assert [] == workload.cloud.metadata.requests


# -- ID tokens and signatures -------------------------------------------------------------------


def test_an_id_token_is_for_the_service_that_is_called(workload: Workload) -> None:
    credentials = google.id_token_credentials(
        URL, workload.provider.audience, service_account=ACCOUNT
    )
    token = id_token.parse(bearer(credentials), origin="Google")
    assert ((URL,), ACCOUNT) == (token.audience, token.email)
    other = credentials.with_target_audience("https://other.example")
    assert ("https://other.example",) == id_token.parse(bearer(other), origin="Google").audience
    assert credentials.valid
    assert type(other) is type(pickle.loads(pickle.dumps(other)))


def test_an_id_token_lives_no_longer_where_the_clock_is_behind(
    workload: Workload, journey: Journey
) -> None:
    cloud = workload.cloud
    cloud.clock = lambda: journey() + timedelta(minutes=4)  # as far as AWS lets pass
    credentials = google.id_token_credentials(
        URL, workload.provider.audience, service_account=ACCOUNT
    )
    bearer(credentials)
    journey.travel(minutes=61)
    with cloud.iam_credentials.down(), pytest.raises(exceptions.TransportError):
        bearer(credentials)


def test_google_signs_for_the_service_account(workload: Workload) -> None:
    credentials = workload.credentials()
    assert isinstance(credentials, contract.Signing)
    assert ACCOUNT == credentials.signer_email
    signature = credentials.sign_bytes(b"a URL")
    assert signature == credentials.signer.sign(b"a URL")
    assert 256 == len(signature)
    assert not isinstance(workload.credentials(service_account=None), contract.Signing)


def test_a_signature_that_is_not_allowed_says_which_role_is_missing(workload: Workload) -> None:
    members = [workload.provider.principal("etl")]
    workload.cloud.add_google_service_account(ACCOUNT, members)
    with pytest.raises(exceptions.RefreshError) as caught:
        workload.credentials().sign_bytes(b"a URL")
    assert "signBlob" in str(caught.value)
