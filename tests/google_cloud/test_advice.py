"""Errors of the direction to Google: the cause that each names, and its fix, which is applied."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from fakes import Journey

from gcp_aws_bridge import TokenFile, google
from gcp_aws_bridge.emulator import Fault, subjects
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google import Federation, OutboundToken, SignedRequest

from .conftest import ACCOUNT, ASSUMED, ROLE, Workload, needs_outbound

URL = "https://orders-abc-ew.a.run.app"
STORAGE = "https://www.googleapis.com/auth/devstorage.read_only"
USER, CREATOR = "roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator"
Case = Callable[[Workload, pytest.MonkeyPatch], tuple[Any, Callable[[Any], Any]]]


def refused(credentials: Any) -> Any:
    """Return this library's error behind google-auth's."""
    with pytest.raises(Exception, match=r"\[[a-z]+/[a-z-]+\]$") as caught:
        credentials.refresh(None)
    return caught.value.__cause__


def grant(workload: Workload, fix: str) -> None:
    """Grant the role that a fix says to grant, and no other one."""
    [role] = re.findall(r"^grant (roles/\S+) on ", fix)
    member = [workload.provider.principal_set("attribute.aws_role", ASSUMED)]
    users, creators = (member, []) if role == USER else ([], member)
    workload.cloud.add_google_service_account(ACCOUNT, users, token_creators=creators)


# -- each fix is applied, and the next attempt succeeds ------------------------------------------


def scope(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    broken = workload.credentials(service_account=None, scopes=["storage"])
    return broken, lambda _: workload.credentials(service_account=None)


def scope_of_an_account(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    return workload.credentials(scopes=["storage"]), lambda _: workload.credentials()


def no_scope(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    broken = workload.credentials(scopes=[])
    return broken, lambda _: broken.with_scopes([STORAGE])


def misspelt_account(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    broken = workload.credentials(service_account=ACCOUNT.replace("publisher", "publisher2"))
    return broken, lambda _: workload.credentials()


def another_aws_account(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    other = workload.cloud.add_aws_provider("210987654321", provider="other")
    broken = google.credentials(other.audience, service_account=ACCOUNT)
    return broken, lambda _: workload.credentials()


def region_that_does_not_exist(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    def set_region(name: str) -> Any:
        patch.setenv("AWS_REGION", name)
        patch.setenv("AWS_DEFAULT_REGION", name)
        return workload.credentials()

    return set_region("eu-nowhere-9"), lambda error: set_region("us-east-1")


def no_role(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    workload.cloud.add_google_service_account(ACCOUNT)

    def fix(error: Any) -> Any:
        grant(workload, error.fix)
        return workload.credentials()

    return workload.credentials(), fix


def no_role_for_id_tokens(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    _, fix = no_role(workload, patch)
    given = {"audience": workload.provider.audience, "service_account": ACCOUNT}

    def fixed(error: Any) -> Any:
        fix(error)
        return google.id_token_credentials(URL, **given)

    return google.id_token_credentials(URL, **given), fixed


def lifetime(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    broken = workload.credentials(lifetime_s=43_200)
    return broken, lambda _: workload.credentials(lifetime_s=3600)


def claim_that_is_not_there(workload: Workload, patch: pytest.MonkeyPatch) -> Any:
    cloud, path = workload.cloud, workload.folder / "token"

    def mapped(claim: str) -> Any:
        mapping = {"google.subject": f"assertion.{claim}"}
        provider = cloud.add_google_provider_for_oidc(
            cloud.eks_issuer_url, attribute_mapping=mapping
        )
        path.write_text(cloud.eks_token(provider.audiences[0]))
        return google.credentials(provider.audience, source=TokenFile(str(path)))

    return mapped("jti"), lambda _: mapped("sub")


APPLIED: dict[Case, tuple[str, str]] = {
    scope: ("exchange/google-scope", '"storage"'),
    scope_of_an_account: ("exchange/google-scope", '"storage"'),
    no_scope: ("config/google-scopes", "no scopes"),
    misspelt_account: ("exchange/google-account", "no such service account"),
    another_aws_account: ("exchange/google-aws-account", "123456789012 and 210987654321"),
    region_that_does_not_exist: ("exchange/google-aws", "eu-nowhere-9"),
    no_role: ("exchange/google-impersonation", USER),
    no_role_for_id_tokens: ("exchange/google-impersonation", USER),
    lifetime: ("exchange/google-lifetime", "43200 s"),
    claim_that_is_not_there: ("exchange/google-subject", "assertion.sub"),
}


@pytest.mark.parametrize("case", APPLIED, ids=lambda case: case.__name__)
def test_the_recommended_fix_is_applied_and_the_next_attempt_succeeds(
    case: Case, workload: Workload, journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fix = case(workload, monkeypatch)
    error = refused(broken)
    assert (APPLIED[case][0], False) == (error.error_id, error.retryable)
    assert APPLIED[case][1] in str(error)
    assert "proxies" not in str(error)
    journey.travel(minutes=10)
    fixed = fix(error)
    fixed.refresh(None)
    assert fixed.valid


def test_the_role_that_is_recommended_for_signatures_allows_them(
    workload: Workload, journey: Journey
) -> None:
    member = workload.provider.principal_set("attribute.aws_role", ASSUMED)
    workload.cloud.add_google_service_account(ACCOUNT, [member])
    credentials = workload.credentials()
    credentials.refresh(None)  # roles/iam.workloadIdentityUser is there
    with pytest.raises(Exception, match="signBlob") as caught:
        credentials.sign_bytes(b"a URL")
    error: Any = caught.value.__cause__
    assert "exchange/google-impersonation" == error.error_id
    assert error.fix.startswith(f"grant {CREATOR} on {ACCOUNT} ")
    grant(workload, error.fix)
    assert 256 == len(credentials.sign_bytes(b"a URL"))


# Fixes that no test can apply here, and where the others are applied.
NOT_APPLIED = {
    "exchange/google-api": "enabling an API: Google's console or gcloud",
    "exchange/google-aws-region": "enabling an AWS region, of which the emulator has no switch",
    "exchange/google-perimeter": "a perimeter of VPC Service Controls: Google's console or gcloud",
    "exchange/google-unavailable": "waiting: test_refresh.py has outages that end",
    "exchange/google-unknown": "nothing is known of it",
    "exchange/google-request": "the caller's own transport",
    "exchange/google-answer": "a proxy's page: tests/google_cloud/test_proxies.py has proxies",
    "exchange/clock": "the machine's clock: tests/google_cloud/test_sources.py moves it",
    "token/aws-none": "an AWS identity: tests/doctor/test_google.py has each kind",
    "token/aws-refused": "an AWS identity: tests/doctor/test_google.py has each kind",
    "token/outbound-refused": "nothing is known of it",
    "token/source-raised": "the caller's own source",
    "config/outbound": "an upgrade of botocore",
}
ELSEWHERE = {
    "config/google-audience": "tests/unit/google/test_federation.py",
    "config/google-aws-region": "tests/google_cloud/test_sources.py",
    "config/google-file": "tests/unit/google/test_federation.py",
    "config/google-none": "tests/unit/google/test_federation.py",
    "config/google-plain-http": "tests/unit/google/test_federation.py",
    "config/google-service-account": "tests/unit/google/test_federation.py",
    "config/google-setting": "tests/google_cloud/test_advice.py",
    "config/google-source": "tests/google_cloud/test_sources.py",
    "exchange/google-condition": "tests/doctor/test_google.py",
    "exchange/google-provider": "tests/google_cloud/test_sources.py",
    "exchange/google-token": "tests/doctor/test_google.py",
    "exchange/google-unreachable": "tests/unit/google/test_words.py",
    "token/aws-changed": "tests/google_cloud/test_identity.py",
    "token/outbound-denied": "tests/google_cloud/test_sources.py",
    "token/outbound-disabled": "tests/google_cloud/test_advice.py",
    "token/outbound-session": "tests/google_cloud/test_advice.py",
}


def test_each_error_of_this_direction_is_in_one_of_the_lists() -> None:
    found = set()
    for path in Path(google.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {*re.findall(r"^(?:config|token|exchange)/[a-z-]+$", node.value)}
    applied = {error_id for error_id, _ in APPLIED.values()}
    assert sorted(found) == sorted(applied | NOT_APPLIED.keys() | ELSEWHERE.keys())


# -- the permission in Google's message decides the role -----------------------------------------


def answers(workload: Workload, status: int, code: str, message: str, **more: Any) -> None:
    error = {"code": status, "message": message, "status": code, **more}
    fault = Fault.status(status, json.dumps({"error": error}), "application/json")
    workload.cloud.iam_credentials.inject(fault, times=None)


@pytest.mark.parametrize(
    ("permission", "role"),
    [
        ("signBlob", CREATOR),
        ("signJwt", CREATOR),
        ("implicitDelegation", CREATOR),
        ("getAccessToken", USER),
        ("getOpenIdToken", USER),
        ("actAs", "a role with iam.serviceAccounts.actAs"),
    ],
)
@pytest.mark.parametrize("is_detail", [False, True])
def test_the_permission_in_googles_answer_decides_the_role(
    workload: Workload, journey: Journey, permission: str, role: str, is_detail: bool
) -> None:
    full = f"iam.serviceAccounts.{permission}"
    named = "" if is_detail else f" '{full}'"
    details = [{"reason": "IAM_PERMISSION_DENIED", "metadata": {"permission": full}}]
    more = {"details": details} if is_detail else {}
    answers(workload, 403, "PERMISSION_DENIED", f"Permission{named} denied on resource.", **more)
    error = refused(workload.credentials())
    assert error.fix.startswith(f"grant {role} on {ACCOUNT} ")


@pytest.mark.parametrize(
    ("status", "code", "message", "error_id", "says"),
    [
        (403, "PERMISSION_DENIED", "Something new.", "impersonation", USER),
        (403, "SOMETHING_NEW", "Something new.", "unknown", "SOMETHING_NEW is not known"),
        (400, "FAILED_PRECONDITION", "Something new.", "unknown", "not known"),
        (
            *(403, "PERMISSION_DENIED"),
            "IAM Service Account Credentials API has not been used in project 987654321 before.",
            *("api", "enable iamcredentials.googleapis.com --project=987654321"),
        ),
        (403, "PERMISSION_DENIED", "vpcServiceControlsUniqueIdentifier: 1", "perimeter", "ingress"),
        (404, "NOT_FOUND", "Unknown service account", "account", "--project=my-project"),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded.", "unavailable", "quotas"),
        (503, "UNAVAILABLE", "The service is unavailable.", "unavailable", "tries again"),
        (400, "INVALID_ARGUMENT", "Request contains an invalid argument.", "scope", "scopes="),
        (
            *(403, "PERMISSION_DENIED"),
            *("Request had insufficient authentication scopes.", "unknown", "not known"),
        ),
    ],
)
def test_each_error_of_impersonation_has_its_cause(
    workload: Workload,
    journey: Journey,
    status: int,
    code: str,
    message: str,
    error_id: str,
    says: str,
) -> None:
    answers(workload, status, code, message)
    error = refused(workload.credentials())
    assert f"exchange/google-{error_id}" == error.error_id
    assert (code in error.args[0], f'"{message}"' in str(error)) == (True, True)
    assert says in str(error)
    assert len(f"{error.args[0]}{error.fix}") <= 330
    assert (status in (429, 503)) is error.retryable


@pytest.mark.parametrize(
    "reason",
    ["USER_PROJECT_DENIED", "BILLING_DISABLED", "CONSUMER_SUSPENDED", "API_KEY_SERVICE_BLOCKED"],
)
def test_a_denial_for_another_reason_than_a_permission_names_no_role(
    workload: Workload, journey: Journey, reason: str
) -> None:
    details = [{"reason": reason, "metadata": {"service": "iamcredentials.googleapis.com"}}]
    answers(workload, 403, "PERMISSION_DENIED", "It is disabled for the project.", details=details)
    error = refused(workload.credentials())
    assert "exchange/google-unknown" == error.error_id
    assert ("roles/" in str(error), "services enable" in str(error)) == (False, False)


def token_endpoint_says(workload: Workload, code: str, description: str, status: int = 400) -> Any:
    words = json.dumps({"error": code, "error_description": description})
    fault = Fault.status(status, words, "application/json")
    workload.cloud.google_sts.inject(fault, times=None)
    return refused(workload.credentials())


@pytest.mark.parametrize(
    ("code", "description", "error_id"),
    [
        ("invalid_grant", "Something new about AWS.", "unknown"),
        ("access_denied", "Something new.", "unknown"),
        ("unauthorized_client", "", "unknown"),
        ("invalid_grant", "The AWS account is not the provider's.", "aws-account"),
        ("invalid_request", "google.subject exceeds the 127 bytes limit.", "subject"),
        ("invalid_request", "The mapped attributes exceed the 8 KB limit.", "subject"),
        ("invalid_grant", "AWS request has invalid format.", "aws"),
        ("invalid_grant", "Received invalid AWS response of type ExpiredToken", "aws"),
        ("invalid_grant", "AWS response: RegionDisabledException", "aws-region"),
        ("invalid_request", 'Invalid value for "audience". See https://x', "provider"),
        ("invalid_grant", "Unable to verify the ID Token signature.", "token"),
        ("temporarily_unavailable", "Later.", "unavailable"),
    ],
)
def test_each_error_of_the_token_endpoint_has_its_cause(
    workload: Workload, journey: Journey, code: str, description: str, error_id: str
) -> None:
    status = 503 if error_id == "unavailable" else 400
    error = token_endpoint_says(workload, code, description, status)
    assert f"exchange/google-{error_id}" == error.error_id
    assert (code in error.args[0], description in str(error)) == (True, True)
    assert ("not known to gcp-aws-bridge" in str(error)) is (error_id == "unknown")
    assert "{" not in error.fix.replace("{role}", "")


def test_an_unknown_answer_is_quoted_without_secrets_and_within_bounds(
    workload: Workload, journey: Journey
) -> None:
    token = workload.cloud.eks_token("https://example.com")
    error = token_endpoint_says(workload, "invalid_grant", f"{token} \x1b[31m" + "x" * 5000)
    assert token[:40] not in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 900


# -- arguments of a wrong type -------------------------------------------------------------------

WRONG: dict[str, list[Any]] = {
    "scopes": [None, 5, True, b"x", {STORAGE: 1}, object(), [None], [""], [5], ["a b"], ["a\n"]],
    "target_audience": [None, 5, True, b"x", "", " ", "a\n", [], [URL], {}, object(), "x" * 5000],
    "source": [5, 0, False, True, [], {}, b"x", "wrong", object(), SignedRequest],
    "session": [5, "", "default", object(), [], boto3, True],
    "request": [5, "", [], object(), dict],
    "quota_project_id": [5, True, b"x", " ", "a\n", [], object()],
    "lifetime_s": [5, "", "3600", 3600.0, True, [], object()],
    "service_account": [5, "", " ", b"x", True, [], object(), "publisher"],
    "audience": [5, "", " ", b"x", True, [], object(), {}],
    "message": [None, 5, True, [], {}, object()],
}


def made(audience: str, name: str, value: Any) -> Any:
    """Pass one argument to what takes it."""
    settings = {"audience": audience, "service_account": ACCOUNT}
    if name == "target_audience":
        return google.id_token_credentials(value, **settings)  # type: ignore[arg-type]
    if name == "message":
        return google.credentials(**settings).sign_bytes(value)  # type: ignore[arg-type,attr-defined]
    return google.credentials(**{**settings, name: value})


@pytest.mark.parametrize("name", WRONG)
def test_an_argument_of_a_wrong_type_is_an_error_at_once(workload: Workload, name: str) -> None:
    said = {"lifetime_s": "lifetime", "service_account": "service account"}.get(name, name)
    for value in WRONG[name]:
        with pytest.raises(ConfigError) as caught:
            made(workload.provider.audience, name, value)
        assert said in str(caught.value), value
    assert (0, 0) == workload.asked


@pytest.mark.parametrize(
    "value", [5, True, [None], [""], {"a": 1}, object()], ids=lambda it: type(it).__name__
)
def test_changed_credentials_check_the_same(workload: Workload, value: Any) -> None:
    access = workload.credentials()
    tokens = google.id_token_credentials(URL, workload.provider.audience, service_account=ACCOUNT)
    for change in (
        lambda: access.with_scopes(value),
        lambda: access.with_quota_project(value),
        lambda: tokens.with_target_audience(value),
        lambda: OutboundToken(audience=value),
        lambda: OutboundToken(session=value),
        lambda: SignedRequest(value),
        *(
            lambda field=field: Federation(**{"audience": workload.provider.audience, field: value})
            for field in ("service_account", "lifetime_s", "universe_domain", "sts_url", "iam_url")
        ),
    ):
        with pytest.raises(ConfigError):
            change()


def test_what_google_auth_takes_is_taken(workload: Workload) -> None:
    for scopes in (STORAGE, [STORAGE], (STORAGE,), {STORAGE}, f"{STORAGE} openid", iter([STORAGE])):
        assert STORAGE in workload.credentials(scopes=scopes).scopes
    signed = workload.credentials()
    assert signed.sign_bytes("a URL") == signed.signer.sign(bytearray(b"a URL"))
    assert workload.credentials(quota_project_id="").quota_project_id is None


# -- AWS's outbound tokens -----------------------------------------------------------------------


def outbound(workload: Workload, **settings: Any) -> Any:
    cloud = workload.cloud
    cloud.allow(ROLE, "sts:GetWebIdentityToken")
    issuer = cloud.enable_outbound_federation()
    cloud.allow(ROLE, "sts:GetWebIdentityToken")
    mapping = {"google.subject": "assertion.sub"}
    provider = cloud.add_google_provider_for_oidc(issuer, attribute_mapping=mapping)
    return google.credentials(provider.audience, source="outbound", **settings)


KEYS_LIVE_S = 12 * 3600  # in the environment, as Lambda's


def exchanges(workload: Workload) -> int:
    return sum(one.action == "GetWebIdentityToken" for one in workload.cloud.sts.requests)


def test_an_outbound_token_and_googles_live_an_hour(workload: Workload, journey: Journey) -> None:
    needs_outbound()
    workload.pod()  # whose keys live six hours
    credentials = outbound(workload)
    credentials.refresh(None)
    left_s = (credentials.expiry - journey().replace(tzinfo=None)).total_seconds()
    assert 3590 <= left_s <= 3600
    assert 1 == exchanges(workload)


def test_an_outage_of_both_clouds_is_outlived_for_most_of_an_hour(
    workload: Workload, journey: Journey
) -> None:
    needs_outbound()
    workload.pod()
    credentials = outbound(workload)
    credentials.refresh(None)
    with workload.cloud.google_sts.down(), workload.cloud.sts.down():
        journey.travel(minutes=50)
        headers: dict[str, str] = {}
        credentials.before_request(None, "GET", URL, headers)
    assert headers


@pytest.mark.parametrize(("left_s", "lives_s"), [(3599, 1800), (1000, 900), (200, 120)])
def test_a_token_ends_before_the_session_of_the_keys(
    workload: Workload, journey: Journey, left_s: int, lives_s: int
) -> None:
    needs_outbound()
    journey.travel(seconds=KEYS_LIVE_S - left_s)
    credentials = outbound(workload)
    credentials.refresh(None)
    found_s = (credentials.expiry - journey().replace(tzinfo=None)).total_seconds()
    assert lives_s - 5 <= found_s <= lives_s


def test_keys_that_end_within_two_minutes_are_replaced_by_fresh_ones(
    workload: Workload, journey: Journey
) -> None:
    needs_outbound()
    journey.travel(seconds=KEYS_LIVE_S - 100)
    error = refused(outbound(workload))
    assert "token/outbound-session" == error.error_id
    workload.keys()  # the fix
    fixed = outbound(workload)
    fixed.refresh(None)
    assert fixed.valid


@pytest.mark.parametrize(
    ("code", "status", "retryable"),
    [("SomethingNew", 400, False), ("ExpiredToken", 403, False), ("Throttling", 400, True)],
)
def test_other_error_of_an_outbound_token_quotes_aws(
    workload: Workload, journey: Journey, code: str, status: int, retryable: bool
) -> None:
    needs_outbound()
    credentials = outbound(workload)
    words = (
        f"<ErrorResponse><Error><Code>{code}</Code><Message>Why.</Message></Error></ErrorResponse>"
    )
    fault = Fault.status(status, words, "text/xml")
    workload.cloud.sts.inject(fault, times=None, action="GetWebIdentityToken")
    error = refused(credentials)
    assert ("token/outbound-refused", retryable) == (error.error_id, error.retryable)
    assert f"AWS gave no token for Google: {code} " in str(error)
    assert "keys to sign" not in str(error)


def test_an_account_without_outbound_federation_is_told_to_enable_it(
    workload: Workload, journey: Journey
) -> None:
    needs_outbound()
    workload.cloud.allow(ROLE, "sts:GetWebIdentityToken")
    provider = workload.cloud.add_google_provider_for_oidc(workload.cloud.eks_issuer_url)
    error = refused(google.credentials(provider.audience, source="outbound"))
    assert "token/outbound-disabled" == error.error_id
    assert "enable-outbound-web-identity-federation" in error.fix
    journey.travel(minutes=10)
    fixed = outbound(workload)
    fixed.refresh(None)
    assert fixed.valid


# -- the emulator --------------------------------------------------------------------------------


def test_the_emulated_google_knows_every_region_that_botocore_knows() -> None:
    session = botocore.session.Session()
    known = {
        *session.get_available_regions("sts", "aws"),
        *session.get_available_regions("sts", "aws-us-gov"),
    }
    assert set() == known - subjects._REGIONS
