"""Errors of STS: cause, fix, and whether to retry."""

from __future__ import annotations

import json
from typing import Any

import botocore.exceptions
import pytest
from fakes import START
from unit.servers import AUDIENCE, NUMBER, ROLE_ARN, failure, id_token

from gcp_aws_bridge import policy
from gcp_aws_bridge._sts.errors import (
    RETRYABLE_CODES,
    is_retryable,
    not_reached,
    refused_chained_role,
    refused_token,
)
from gcp_aws_bridge._tokens.id_token import IdToken, claims_of, parse
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.exceptions import ExchangeError

CHAIN = ("arn:aws:iam::210987654321:role/a", "arn:aws:iam::333333333333:role/b")
ROLE = Role(ROLE_ARN, chain=CHAIN, duration_seconds=1800)
CLUSTER = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"
RAW = id_token()
TOKEN = parse(RAW, origin="test")


def foreign(**claims: Any) -> IdToken:
    return parse(id_token(**{"iss": CLUSTER, "azp": ..., "email": ..., **claims}), origin="test")


def error_of(
    error_id: str,
    code: str,
    message: str = "No.",
    *,
    token: IdToken = TOKEN,
    position: int | None = None,
    status: int = 403,
    role: Role = ROLE,
    seen: tuple[str, ...] = (),
) -> ExchangeError:
    """Return the error of the first role, or of the chained role at *position*."""

    def call() -> None:
        answer = {"code": code, "message": message, "status": status, "request_id": "request-1"}
        if position is None:
            raise refused_token(token, role, **answer)  # type: ignore[arg-type]
        raise refused_chained_role(role, position, **answer)  # type: ignore[arg-type]

    error = failure(ExchangeError, error_id, call, seen=[code, *seen], secrets=token.raw.split("."))
    assert isinstance(error, ExchangeError)
    assert (code, "request-1") == (error.code, error.request_id)
    return error


# -- the first role ----------------------------------------------------------------------------


OWN = Role(ROLE_ARN, audience="aws:123456789012:etl")
OWN_TOKEN = parse(id_token(aud=OWN.audience), origin="test")


def test_denied_token_has_its_checks_in_order_then_its_claims_and_the_statement_last() -> None:
    error = error_of(
        "exchange/denied",
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        role=OWN,
        token=OWN_TOKEN,
        seen=(
            f'Assuming {ROLE_ARN} with an ID token of "https://accounts.google.com" was denied.',
            'AccessDenied "Not authorized to perform sts:AssumeRoleWithWebIdentity".',
            'iss="https://accounts.google.com"',
            f'azp="{NUMBER}"',
            f'aud="{OWN.audience}"',
            f'sub="{NUMBER}" ("etl@project.iam.gserviceaccount.com")',
        ),
    )
    assert not error.retryable
    in_order = ("the role exists", "the audience", "the account", "the trust policy")
    places = [error.fix.index(step) for step in in_order]
    assert sorted(places) == places
    assert f'the audience: "{OWN.audience}"; 3.' in error.fix
    assert policy.statement_for(claims_of(OWN_TOKEN)) == statement_in(error)


def statement_in(error: ExchangeError) -> Any:
    """Return the statement at the end of the details."""
    text, _, statement = error.details.partition("the trust policy needs this statement: ")
    assert text.endswith(("right, ", "of its own, "))
    return json.loads(statement)


def test_default_audience_is_the_second_check_and_no_command_adds_it_to_a_policy() -> None:
    error = error_of("exchange/denied", "AccessDenied")
    assert f'2. the audience: "{AUDIENCE}" is the default, set the role' in error.fix
    assert "GCP_AWS_BRIDGE_AUDIENCE" in error.fix
    assert "and the role has no audience of its own, the trust policy needs" in error.details
    assert not [word for word in ("aws iam", "setup", "update-", "build") if word in str(error)]
    assert policy.statement_for(claims_of(TOKEN)) == statement_in(error)


def test_denied_token_of_a_cluster_is_not_called_googles() -> None:
    token = foreign(sub="system:serviceaccount:default:etl", aud=OWN.audience)
    error = error_of(
        "exchange/denied",
        "AccessDenied",
        token=token,
        role=OWN,
        seen=(
            f'an ID token of "{CLUSTER}" was denied.',
            f'iss="{CLUSTER}"',
            "azp=none",
            'sub="system:serviceaccount:default:etl".',
        ),
    )
    assert "Google ID token" not in str(error)
    assert "3. the Kubernetes service account; 4." in error.fix
    provider = f"arn:aws:iam::123456789012:oidc-provider/{CLUSTER.partition('://')[2]}"
    assert {"Federated": provider} == statement_in(error)["Principal"]


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"email": "1234-compute@developer.gserviceaccount.com"}, "the default account of the nod"),
        (
            {"azp": "etl@project.iam.gserviceaccount.com"},
            "from a key file, since azp is the e-mail",
        ),
        (
            {"azp": "32555940559.apps.googleusercontent.com"},
            "a person's login, since azp is an OAu",
        ),
    ],
    ids=["node", "key file", "person"],
)
def test_account_that_is_seldom_the_expected_one_is_named(
    claims: dict[str, Any], kind: str
) -> None:
    token = parse(id_token(**claims), origin="test")
    assert kind in error_of("exchange/denied", "AccessDenied", token=token).details


@pytest.mark.parametrize(
    ("claims", "seen"),
    [
        ({"aud": "${aws:username}"}, "policy variable"),
        ({"sub": "\u65e5\u672c"}, "U+00FF"),
        ({"azp": 7}, "not the claims of an ID token"),
    ],
)
def test_token_that_no_policy_can_name_gets_no_statement(claims: dict[str, Any], seen: str) -> None:
    error = error_of("exchange/denied", "AccessDenied", token=parse(id_token(**claims), origin=""))
    assert "No trust policy can admit this token, look at its source: " in error.details
    assert (True, False) == (seen in error.details, "{" in error.details.replace("${", ""))


@pytest.mark.parametrize(
    ("token", "message", "fix"),
    [
        (TOKEN, "Incorrect token audience", "delete the IAM OIDC provider for accounts.google.com"),
        (TOKEN, "INCORRECT AUDIENCE", "delete the IAM OIDC provider for accounts.google.com"),
        (TOKEN, "Couldn't retrieve verification key", "check that AWS trusts this issuer"),
        (foreign(), "Incorrect token audience", 'add "sts.amazonaws.com" to the client ids of the'),
        (foreign(), "No OpenIDConnect provider found", "aws iam create-open-id-connect-provider"),
    ],
    ids=["audience", "capitals", "key", "cluster", "no provider"],
)
def test_invalid_token_has_a_specific_fix(token: IdToken, message: str, fix: str) -> None:
    error = error_of(
        "exchange/invalid-token",
        "InvalidIdentityToken",
        message,
        token=token,
        status=400,
        seen=(f'"{message}"', f'iss="{token.issuer}"'),
    )
    assert fix in error.fix
    assert not error.retryable


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ExpiredToken"])
def test_expired_token_shows_its_expiration(code: str) -> None:
    error = error_of("exchange/expired-token", code, seen=("13:00:00 UTC",))
    assert error.retryable is (code == "ExpiredTokenException")
    assert "clock" in error.fix
    assert START.hour + 1 == TOKEN.expiration.hour


def test_unknown_code_shows_the_claims_and_the_reference() -> None:
    error = error_of("exchange/refused", "IDPRejectedClaim", seen=(f'sub="{NUMBER}"',))
    assert "AWS STS API reference" in error.fix
    assert not error.retryable


# -- all roles of the chain --------------------------------------------------------------------

EITHER = pytest.mark.parametrize("position", [None, 0, 1], ids=["first", "second", "third"])


@EITHER
@pytest.mark.parametrize(
    ("code", "message", "error_id", "fix", "retryable"),
    [
        ("MalformedPolicyDocument", "Syntax", "exchange/policy", "session policy", False),
        ("PackedPolicyTooLarge", "120%", "exchange/policy", "policy_arns=", False),
        ("RegionDisabledException", "off", "exchange/region", "enable STS", False),
        ("IDPCommunicationError", "slow", "exchange/unavailable", "wait", True),
        ("Throttling", "Rate exceeded", "exchange/unavailable", "wait", True),
        ("InternalFailure", "oops", "exchange/unavailable", "wait", True),
        ("ValidationError", "bad RoleSessionName", "exchange/refused", "reference", False),
        ("SomethingNew", "?", "exchange/refused", "request id", False),
    ],
)
def test_each_code_has_its_error_id_and_fix(
    position: int | None, code: str, message: str, error_id: str, fix: str, retryable: bool
) -> None:
    error = error_of(
        error_id, code, message, position=position, status=400, seen=(f'{code} "{message}".',)
    )
    assert fix in error.fix
    assert retryable is error.retryable


@EITHER
def test_duration_above_the_maximum_names_the_requested_duration(position: int | None) -> None:
    error = error_of(
        "exchange/duration",
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        position=position,
        status=400,
        seen=("MaxSessionDuration", "duration_seconds is 1800"),
    )
    assert "maximum session duration" in error.fix


@pytest.mark.parametrize(("position", "previous"), [(0, ROLE_ARN), (1, CHAIN[0])])
def test_denied_chained_role_names_both_roles_and_their_permissions(
    position: int, previous: str
) -> None:
    error = error_of(
        "exchange/chained-role",
        "AccessDenied",
        "User is not authorized",
        position=position,
        seen=(f"Assuming {CHAIN[position]} from {previous} failed: AccessDenied",),
    )
    assert (
        f"allow sts:AssumeRole on {CHAIN[position]} in the permissions of {previous}" in error.fix
    )
    assert f"the trust policy of {CHAIN[position]}" in error.fix
    assert not error.retryable


NO_EXTERNAL_ID = "no external ID is sent; if the trust policy has a condition on sts:ExternalId"
TENANT: dict[str, Any] = {
    "external_id": "acme",
    "tags": {"tenant": "acme"},
    "transitive_tag_keys": ["tenant"],
    "source_identity": "etl",
}


def denied_chained_role(
    *chain: str | ChainedRole, action: str = "", position: int | None = None
) -> tuple[str, str]:
    """Return fix and further checks for the denied *action* on the last role."""
    message = f"User: u is not authorized to perform: {action} on resource: r" if action else "No."
    error = error_of(
        "exchange/chained-role",
        "AccessDenied",
        message,
        position=len(chain) - 1 if position is None else position,
        role=Role(ROLE_ARN, chain=chain),
    )
    return error.fix, error.details.partition("If that is so, check: ")[2]


@pytest.mark.parametrize("action", ["", "sts:AssumeRole"])
def test_denied_chained_role_names_what_to_check_next(action: str) -> None:
    fix, further = denied_chained_role(CHAIN[0], action=action)
    assert fix.startswith(f"allow sts:AssumeRole on {CHAIN[0]} in the permissions of {ROLE_ARN}")
    assert further.startswith(f"1. {NO_EXTERNAL_ID}")
    assert "2." not in further


def test_denied_chained_role_with_settings_names_every_permission_in_order() -> None:
    narrowed = ChainedRole(CHAIN[0], policy={"Version": "2012-10-17"})
    _, further = denied_chained_role(narrowed, ChainedRole(CHAIN[1], **TENANT))
    assert (
        f"1. the session policy of {CHAIN[0]} must allow it; "
        '2. the trust policy may require another sts:ExternalId than "acme"; '
        "3. tags are sent, so both must allow sts:TagSession; "
        "4. a source identity is sent, so both must allow sts:SetSourceIdentity."
    ) == further


def test_inherited_tags_and_source_identity_need_their_permissions_too() -> None:
    first = ChainedRole(CHAIN[0], **TENANT)
    _, further = denied_chained_role(first, CHAIN[1])
    assert "2. tags are inherited, so both must allow sts:TagSession" in further
    assert "3. a source identity is inherited, so both must allow sts:SetSourceId" in further
    plain = ChainedRole(CHAIN[0], tags={"tenant": "acme"})
    assert "TagSession" not in denied_chained_role(plain, CHAIN[1])[1]


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("sts:TagSession", "tags are sent"),
        ("sts:SetSourceIdentity", "a source identity is sent"),
    ],
)
def test_denied_action_that_aws_names_is_the_only_cause(action: str, why: str) -> None:
    fix, further = denied_chained_role(ChainedRole(CHAIN[0], **TENANT), action=action)
    assert (
        f"allow {action} on {CHAIN[0]} in the permissions of {ROLE_ARN}, and in the trust policy "
        f"of {CHAIN[0]}: {why}."
    ) == fix
    assert "" == further
    fix, _ = denied_chained_role(CHAIN[0], action=action)  # tags of the token, by its issuer
    assert fix.endswith(f"in the trust policy of {CHAIN[0]}.")


def test_assume_role_that_aws_names_leaves_only_the_conditions_of_the_trust_policy() -> None:
    chained = ChainedRole(CHAIN[0], **TENANT)
    _, further = denied_chained_role(chained, action="sts:AssumeRole")
    assert "2. tags are sent, which a condition (aws:RequestTag) must admit." in further
    assert "sts:TagSession" not in further
    assert "SetSourceIdentity" not in further


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        (
            "InvalidParameterValue",
            (
                "One of the specified transitive tag keys can't be set because it conflicts with a "
                "transitive tag key from the calling session."
            ),
            f"omit the tag for {CHAIN[1]}: the session of {CHAIN[0]} has it already",
        ),
        (
            "ValidationError",
            "The source identity is already set for this assume role session",
            f"omit source_identity for {CHAIN[1]}: the session of {CHAIN[0]} has one already",
        ),
    ],
)
def test_value_that_the_previous_session_has_already_is_named(
    code: str, message: str, fix: str
) -> None:
    error = error_of("exchange/inherited", code, message, position=1, status=400)
    assert fix in error.fix
    assert not error.retryable


def test_tags_that_are_too_large_with_the_policy_are_named() -> None:
    role = Role(ROLE_ARN, chain=[ChainedRole(CHAIN[0], **TENANT), CHAIN[1]])
    sizes = [
        error_of("exchange/policy", "PackedPolicyTooLarge", "120%", position=at, role=role).fix
        for at in (None, 0, 1)
    ]
    assert ["tags" in fix for fix in sizes] == [False, True, False]


def test_duration_above_the_maximum_is_that_of_the_role_that_failed() -> None:
    role = Role(ROLE_ARN, chain=[ChainedRole(CHAIN[0], duration_seconds=901), CHAIN[1]])
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    for at, seconds in ((None, 3600), (0, 901), (1, 3600)):
        error_of(
            "exchange/duration",
            "ValidationError",
            message,
            position=at,
            status=400,
            role=role,
            seen=(f"duration_seconds is {seconds}",),
        )


def test_denied_chained_role_shows_no_claims() -> None:
    assert NUMBER not in str(error_of("exchange/chained-role", "AccessDenied", position=0))


@EITHER
@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_error_with_an_unknown_code_is_unavailability(
    position: int | None, status: int
) -> None:
    # botocore uses the status as the code if the body has none.
    error = error_of(
        "exchange/unavailable", str(status), "Service Unavailable", position=position, status=status
    )
    assert error.retryable


@EITHER
def test_an_echoed_token_is_not_repeated(position: int | None) -> None:
    message = f"1 validation error detected: Value '{RAW}' at 'webIdentityToken' failed"
    error_of(
        "exchange/refused",
        "ValidationError",
        message,
        position=position,
        seen=("Value '[redacted]' at",),
    )


@EITHER
def test_a_message_of_any_length_is_one_line_of_bounded_length(position: int | None) -> None:
    error = error_of(
        "exchange/refused", "Odd", "one\ntwo\x07 " * 5000, position=position, seen=("one two? one",)
    )
    assert str(error).isprintable()
    assert len(str(error)) < 1000


@pytest.mark.parametrize("issuer", ["https://a.example\n[exchange/forged]", id_token(), "x" * 5000])
def test_a_foreign_issuer_is_quoted_in_the_fix_too(issuer: str) -> None:
    error = error_of("exchange/denied", "AccessDenied", token=foreign(iss=issuer))
    assert issuer not in error.fix + error.details
    assert str(error).isprintable()


# -- retries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(RETRYABLE_CODES))
def test_retryable_codes(code: str) -> None:
    assert is_retryable(code, 400)


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied",
        "IDPRejectedClaim",
        "InvalidIdentityToken",
        "MalformedPolicyDocument",
        "PackedPolicyTooLarge",
        "RegionDisabledException",
        "ValidationError",
        "throttling",
        "",
    ],
)
@pytest.mark.parametrize(
    ("status", "retryable"),
    [(0, False), (400, False), (403, False), (428, False), (429, True), (499, False), (500, True)],
)
def test_other_codes_are_retryable_only_by_status(code: str, status: int, retryable: bool) -> None:
    assert retryable is is_retryable(code, status)


@pytest.mark.parametrize(
    ("message", "retryable"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed", False),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol", True),
        ("[SSL] record layer failure", True),
    ],
)
def test_only_interrupted_handshakes_are_retryable(message: str, retryable: bool) -> None:
    error = botocore.exceptions.SSLError(endpoint_url="https://sts.example", error=message)
    assert retryable == not_reached("us-east-1", "arn", error).retryable
