"""What a test can do with a pod in EKS, and what it can read off it. Time itself: `test_pod`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import boto3
import google.auth as google_auth
import pytest
from botocore.utils import ContainerMetadataFetcher
from google.auth.exceptions import GoogleAuthError

from gcp_aws_bridge import google
from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._tokens.google_auth_internals import first_step
from gcp_aws_bridge.emulator import Fault, GoogleIdentity
from gcp_aws_bridge.exceptions import BridgeError
from gcp_aws_bridge.testing import EksPod
from gcp_aws_bridge.testing import eks_pod as entered
from gcp_aws_bridge.testing import gke_pod as entered_in_gke

ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"
OTHER = "other@my-project.iam.gserviceaccount.com"
ROLE = (
    "arn:aws:iam::210987654321:role/teams/a-role-whose-name-is-too-long-for-googles-default-mapping"
)
OF_ROLE = (
    "arn:aws:sts::210987654321:assumed-role/a-role-whose-name-is-too-long-for-googles-"
    "default-mapping"
)
AUDIENCE = (
    "//iam.googleapis.com/projects/987654321098/locations/global/workloadIdentityPools/orders"
    "/providers/publisher"
)


@pytest.fixture
def pod(eks_pod: EksPod) -> EksPod:
    eks_pod.add_service_account(ACCOUNT)
    return eks_pod


def bearer(credentials: Any = None, **settings: Any) -> str:
    if credentials is None:
        credentials = google.credentials(**{"service_account": ACCOUNT, **settings})
    headers: dict[str, str] = {}
    credentials.before_request(None, "GET", "https://storage.googleapis.com/", headers)
    return headers["authorization"].removeprefix("Bearer ")


def identity(pod: EksPod, *given: Any, **settings: Any) -> GoogleIdentity:
    found = pod.cloud.google_identity(bearer(*given, **settings))
    assert found is not None
    return found


def error_id(**settings: Any) -> str:
    with pytest.raises(GoogleAuthError) as raised:
        bearer(**settings)
    cause = raised.value.__cause__
    assert isinstance(cause, BridgeError)
    return cause.error_id


# -- counters and time -------------------------------------------------------------------------


def test_counters_count_what_was_answered(pod: EksPod) -> None:
    assert (0, 0, 0) == (pod.exchanges, pod.impersonations, pod.agent_requests)
    pod.cloud.google_sts.inject(Fault.status(503))
    assert bearer() == bearer()
    pod.add_service_account(OTHER, token_creator=True)
    other: Any = google.credentials(service_account=OTHER)
    assert bearer(other) != bearer()
    assert other.sign_bytes(b"a URL")
    assert (1, 2, 1) == (pod.exchanges, pod.impersonations, pod.agent_requests)
    pod.deny()
    pod.expire()
    assert "exchange/google-condition" == error_id()
    assert (1, 2, 2) == (pod.exchanges, pod.impersonations, pod.agent_requests)


def test_a_refresh_is_due_at_half_of_the_life_to_the_second(pod: EksPod) -> None:
    pod.freeze()
    first = bearer()
    pod.advance(1799)
    assert first == bearer()
    pod.settle()
    assert (1, 1) == (pod.exchanges, pod.impersonations)
    pod.advance(1)
    assert first == bearer()
    pod.settle()
    assert (2, 2) == (pod.exchanges, pod.impersonations)
    assert first != bearer()


@pytest.mark.parametrize("how", ["pod-identity", "irsa"])
def test_a_pod_goes_on_for_days(pod: EksPod, how: Any) -> None:
    pod.becomes(ROLE, how=how)
    own = boto3.Session(region_name="eu-west-1")
    for _ in range(5):
        assert ACCOUNT == identity(pod).email
        assert ACCOUNT == identity(pod, session=own).email
        pod.expire()
    assert 10 == pod.exchanges


def test_aws_keys_are_refreshed_at_a_known_second(pod: EksPod) -> None:
    pod.freeze()
    bearer()
    pod.advance(6 * 3600 - 900)  # botocore asks again in the last fifteen minutes
    bearer()
    assert 1 == pod.agent_requests
    pod.advance(3600)
    bearer()
    assert (3, 2) == (pod.exchanges, pod.agent_requests)


def test_an_outage_of_the_agent_goes_by_unnoticed_while_keys_live(pod: EksPod) -> None:
    bearer()
    with pod.agent_outage():
        pod.advance(5 * 3600)
        assert ACCOUNT == identity(pod).email
        pod.advance(3600)
        assert "token/aws-refused" == error_id()
    pod.advance(60)
    assert bearer()


def test_an_outage_of_the_agent_costs_no_time(pod: EksPod, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    made = ContainerMetadataFetcher.__init__

    def noted(self: Any, session: Any = None, sleep: Any = None) -> None:
        made(self, session, pauses.append)

    monkeypatch.setattr(ContainerMetadataFetcher, "__init__", noted)
    with pod.agent_outage():
        assert "token/aws-refused" == error_id()
    assert {0} == {*pauses}


def test_an_outage_of_google_goes_by_unnoticed(pod: EksPod) -> None:
    first = bearer()
    with pod.google_sts_outage(), pod.iam_outage():
        pod.advance(3500)
        assert first == bearer()
        pod.settle()
    assert (1, 1) == (pod.exchanges, pod.impersonations)


# -- troubles ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (EksPod.google_sts_outage, "exchange/google-unreachable"),
        (EksPod.iam_outage, "exchange/google-unreachable"),
        (EksPod.agent_outage, "token/aws-refused"),
        (EksPod.deny, "exchange/google-condition"),
        (lambda pod: pod.deny(ACCOUNT), "exchange/google-impersonation"),
    ],
)
def test_a_trouble_begins_at_once_and_ends_with_its_block(
    pod: EksPod, trouble: Callable[[EksPod], Any], expected: str
) -> None:
    begun = trouble(pod)
    assert expected == error_id()
    with begun:
        pod.advance(60)
        assert expected == error_id()
    pod.advance(60)
    assert bearer()


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_two_denials_end_with_the_second(pod: EksPod, account: str | None) -> None:
    with pod.deny(account):
        with pod.deny(account):
            error_id()
        pod.add_provider(AUDIENCE)  # changes nothing of that
        pod.becomes(ROLE)
        error_id()
    pod.advance(60)
    assert bearer()


def test_a_service_account_is_given_back_as_it_was(pod: EksPod) -> None:
    pod.add_service_account(OTHER, token_creator=True, extended_lifetime=True)
    with pod.deny(OTHER):
        assert "exchange/google-impersonation" == error_id(service_account=OTHER)
        assert bearer()  # this account is not denied
    pod.advance(60)
    credentials: Any = google.credentials(service_account=OTHER, lifetime_s=43200)
    assert bearer(credentials)
    assert credentials.sign_bytes(b"a URL")


def test_a_service_account_that_there_is_not_cannot_be_denied(pod: EksPod) -> None:
    with pytest.raises(KeyError, match="other"):
        pod.deny(OTHER)


# -- identity ----------------------------------------------------------------------------------


def test_the_pod_is_its_role_for_google(pod: EksPod) -> None:
    assert "arn:aws:iam::123456789012:role/app" == pod.role_arn
    assert os.environ["GCP_AWS_BRIDGE_GOOGLE_AUDIENCE"] == pod.provider.audience
    role = "arn:aws:sts::123456789012:assumed-role/app"
    found = identity(pod, google.credentials())
    assert pod.provider.principal_set("attribute.aws_role", role) in found.principal_sets


@pytest.mark.parametrize("how", ["pod-identity", "irsa"])
def test_a_pod_of_another_role_and_account(pod: EksPod, how: Any) -> None:
    former = google.credentials(service_account=ACCOUNT)
    first = bearer(former)
    pod.becomes(ROLE, how=how)
    assert (ROLE, first) == (pod.role_arn, bearer(former))
    assert bearer() != first
    assert (2, how == "irsa") == (pod.exchanges, "AWS_ROLE_ARN" in os.environ)
    found = identity(pod, google.credentials())
    assert pod.provider.principal_set("attribute.aws_role", OF_ROLE) in found.principal_sets
    pod.becomes("arn:aws:iam::123456789012:role/app")
    assert "AWS_ROLE_ARN" not in os.environ
    assert bearer()


def test_what_is_no_role_is_refused_and_changes_nothing(pod: EksPod) -> None:
    given: list[tuple[str, Any]] = [("arn:aws:iam::123456789012:user/app", "irsa"), (ROLE, "ec2")]
    for role, how in given:
        with pytest.raises(ValueError, match="the ARN of a"):
            pod.becomes(role, how=how)
    assert "arn:aws:iam::123456789012:role/app" == pod.role_arn
    assert bearer()


def test_an_app_that_says_which_provider_is_admitted(pod: EksPod) -> None:
    pod.add_provider(AUDIENCE.partition(".com/")[2])
    credentials = google.credentials(AUDIENCE, service_account=ACCOUNT)
    assert ACCOUNT == identity(pod, credentials).email
    with pytest.raises(ValueError, match="not the name of a provider"):
        pod.add_provider("projects/my-project")


def test_members_of_ones_own_are_the_only_ones(pod: EksPod) -> None:
    pod.add_service_account(OTHER, [pod.provider.principal_set("attribute.aws_role", OF_ROLE)])
    assert "exchange/google-impersonation" == error_id(service_account=OTHER)
    pod.becomes(ROLE)
    assert OTHER == identity(pod, service_account=OTHER).email


def test_a_process_that_the_test_starts_is_in_the_pod(pod: EksPod) -> None:
    program = "from gcp_aws_bridge import google; print(google.credentials().refresh() or 'well')"
    environ = {**os.environ, "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": ACCOUNT}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert "well" == said.stdout.strip()
    assert (1, 1, 1) == (pod.exchanges, pod.impersonations, pod.agent_requests)


# -- without pytest ----------------------------------------------------------------------------


def test_a_process_is_in_one_pod_of_either_kind_at_a_time(pod: EksPod) -> None:
    for other in (entered, entered_in_gke):
        with pytest.raises(RuntimeError, match="in a pod already"), other():
            pass
    assert bearer()  # and that one goes on


def test_a_pod_without_the_fixture_is_gone_after_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    before = dict(os.environ)
    folders = []
    for _ in range(2):
        with pytest.raises(OSError, match="of the test"), entered() as pod:  # noqa: PT012
            pod.add_service_account(ACCOUNT)
            assert ACCOUNT == identity(pod).email
            assert (1, 1) == (pod.exchanges, pod.impersonations)
            assert "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ
            folders.append(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
            os.environ["AWS_REGION"] = "of the test"
            pod.advance(60)
            pod.agent_outage()
            raise OSError("of the test")
        assert before == dict(os.environ)
        assert REAL is registry.world
    assert [False, False] == [os.path.exists(each) for each in folders]


def test_google_auth_finds_what_it_found_before_after_the_block() -> None:
    step = first_step()
    with entered() as pod:
        google.install()
        credentials, _ = google_auth.default()
        credentials.refresh()
        assert 1 == pod.exchanges
    assert step is first_step()
