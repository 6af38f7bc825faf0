"""Trust policies: what each form of a condition means, what is found wrong, what is written."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from unit.servers import failure

from gcp_aws_bridge import policy
from gcp_aws_bridge.cli import trust_policy
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.policy.authorized_party import aws_audience, kind_of
from gcp_aws_bridge.policy.conditions import matches
from gcp_aws_bridge.policy.formats import FORMS

GOOGLE = "accounts.google.com"
NUMBER, OTHER = "104203741234567890123", "104203741234567890124"
AUDIENCE = "aws:123456789012:etl"
CLAIMS = {"iss": f"https://{GOOGLE}", "aud": AUDIENCE, "azp": NUMBER, "sub": NUMBER}
PATH = "container.googleapis.com/v1/projects/p/locations/l/clusters/c"
ISSUER, ARN = f"https://{PATH}", f"arn:aws:iam::123456789012:oidc-provider/{PATH}"
EKS_ARN = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/5B9C0E3F4A"
SUBJECT = "system:serviceaccount:default:etl"
OF_CLUSTER = {"iss": ISSUER, "aud": [AUDIENCE], "sub": SUBJECT}
PINS = {"aud": NUMBER, "oaud": AUDIENCE, "sub": NUMBER}


def statement(condition: Any = None, **members: Any) -> dict[str, Any]:
    found = {
        "Effect": "Allow",
        "Principal": {"Federated": GOOGLE},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
        **members,
    }
    return {name: value for name, value in found.items() if value is not None}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [*statements]}


def equals(provider: str = GOOGLE, **keys: Any) -> dict[str, Any]:
    return {"StringEquals": {f"{provider}:{name}": value for name, value in keys.items()}}


def verdict(condition: Any, claims: Any = CLAIMS, **members: Any) -> bool | None:
    """Whether a single Allow statement applies; None: not determined."""
    decision = policy.evaluate(document(statement(condition, **members)), claims)
    [one] = decision.statements
    assert decision.allowed is (one.matched is True)
    assert decision.undetermined is (one.matched is None)
    return one.matched


# -- operators ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "wanted", "holds"),
    [
        ("StringEquals", NUMBER, True),
        ("StringEquals", OTHER, False),
        ("StringEquals", [OTHER, NUMBER], True),
        ("StringEquals", int(NUMBER), True),
        ("StringEquals", [], False),
        ("StringEquals", "1042*", False),
        ("StringNotEquals", NUMBER, False),
        ("StringNotEquals", [OTHER, NUMBER], False),
        ("StringNotEquals", [OTHER, "x"], True),
        ("StringNotEquals", [], True),
        ("StringLike", "1042*", True),
        ("StringLike", "*0123", True),
        ("StringLike", "?" * 21, True),
        ("StringLike", "?" * 20, False),
        ("StringNotLike", "1042*", False),
        ("StringNotLike", "2*", True),
        ("StringEqualsIfExists", OTHER, False),
        ("ForAnyValue:StringEquals", [OTHER, NUMBER], True),
        ("ForAnyValue:StringNotEquals", [OTHER, NUMBER], False),
        ("ForAllValues:StringLike", "1*", True),
        ("ForAllValues:StringNotLike", "1*", False),
        ("NumericEquals", NUMBER, True),
        ("NumericEquals", OTHER, False),
        ("NumericNotEquals", OTHER, True),
        ("NumericLessThan", OTHER, True),
        ("NumericLessThan", NUMBER, False),
        ("NumericGreaterThan", NUMBER, False),
        ("NumericLessThanEquals", NUMBER, True),
        ("NumericGreaterThan", "1.5", True),
        ("NumericGreaterThanEquals", OTHER, False),
        ("Null", "false", True),
        ("Null", True, False),
        ("Null", ["true", "false"], None),
        ("Null", "no", None),
        # Named as not evaluated, never skipped.
        ("NumericEquals", "1_0", None),
        ("NumericEquals", [NUMBER, "x"], None),
        ("ArnLike", "arn:*", None),
        ("Bool", "true", None),
        ("BinaryEquals", "QQ==", None),
        ("DateGreaterThan", "2020-01-01T00:00:00Z", None),
        ("DateNotEquals", "2020-01-01T00:00:00Z", None),
        ("NotIpAddress", "10.0.0.0/8", None),
        ("ForAnyValue:IpAddressIfExists", "10.0.0.0/8", None),
        ("StringEquals", "${aws:username}", None),
        ("StringNotEquals", [OTHER, "${*}"], None),
        # No operators of IAM's: it refuses the policy.
        ("StringContains", NUMBER, False),
        ("stringequals", NUMBER, False),
        ("String", NUMBER, False),
        ("NullIfExists", "true", False),
        ("ForAnyValue:Null", "true", False),
        ("ForSomeValues:StringEquals", NUMBER, False),
        (":StringEquals", NUMBER, False),
        ("NumericLike", NUMBER, False),
        ("NumericNotLessThan", "1", False),
        ("StringNot", NUMBER, False),
        ("", NUMBER, False),
    ],
)
def test_operators_on_a_present_key(operator: str, wanted: Any, holds: bool | None) -> None:
    assert holds is verdict({operator: {f"{GOOGLE}:sub": wanted}})


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", None),  # IAM's pages do not say
        ("NumericEquals", False),
        ("NumericNotEquals", True),
        # Whatever the type of the operator: there is nothing to compare.
        ("Bool", False),
        ("BoolIfExists", True),
        ("ArnLike", False),
        ("NotIpAddress", True),
        ("DateLessThan", False),
    ],
)
def test_operators_on_an_absent_key(operator: str, holds: bool | None) -> None:
    assert holds is verdict({operator: {"graph.facebook.com:id": "1"}})


def test_policy_variable_does_not_matter_if_the_condition_fails_without_the_key() -> None:
    absent = {"graph.facebook.com:id": "${aws:username}"}
    assert verdict({"StringEquals": absent}) is False
    assert verdict({"StringNotEquals": absent}) is None
    assert verdict({"StringEqualsIfExists": absent}) is None


@pytest.mark.parametrize("key", ["sts:ExternalId", "aws:MultiFactorAuthPresent", "AWS:UserName"])
def test_request_with_an_id_token_never_has_some_keys(key: str) -> None:
    assert verdict({"StringEquals": {key: "true"}}) is False
    assert verdict({"BoolIfExists": {key: "false"}}) is True


@pytest.mark.parametrize(("flag", "holds"), [("true", True), ("False", False), (False, False)])
def test_null_operator_on_an_absent_key(flag: object, holds: bool) -> None:
    assert holds is verdict({"Null": {"graph.facebook.com:id": flag}})


def test_names_of_keys_are_not_case_sensitive_but_values_are() -> None:
    assert verdict({"StringEquals": {"Accounts.Google.com:OAUD": AUDIENCE}})
    assert not verdict({"StringEquals": {f"{GOOGLE}:oaud": AUDIENCE.upper()}})
    assert verdict({"StringEqualsIgnoreCase": {f"{GOOGLE}:oaud": AUDIENCE.upper()}})
    assert not verdict({"StringNotEqualsIgnoreCase": {f"{GOOGLE}:oaud": AUDIENCE.upper()}})
    assert not verdict({"StringLike": {f"{GOOGLE}:oaud": "AWS:*"}})


@pytest.mark.parametrize("key", ["aws:SourceIp", "sts:RoleSessionName", "aws:FederatedProvider"])
@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals", "Null"])
def test_keys_of_the_request_are_not_in_the_token(operator: str, key: str) -> None:
    assert verdict({operator: {key: "true"}}) is None


def test_every_condition_must_hold() -> None:
    assert verdict({**equals(**PINS), "StringLike": {f"{GOOGLE}:sub": "1*"}})
    assert not verdict({**equals(**PINS), "StringLike": {f"{GOOGLE}:sub": "2*"}})
    # What fails decides, whatever is not evaluated beside it.
    assert verdict({**equals(sub=OTHER), "Bool": {"aws:SecureTransport": "true"}}) is False


@pytest.mark.parametrize(
    ("text", "pattern", "matched"),
    [
        ("", "", True),
        ("", "*", True),
        ("", "?", False),
        ("a", "", False),
        ("abc", "a*c", True),
        ("abcbc", "a*bc", True),
        ("abcbd", "a*bc", False),
        ("a*c", "a*c", True),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("a\nc", "a?c", True),
        ("aXbXc", "*?X?", True),
        ("a" * 255, "*a" * 1000, False),
        ("a" * 100_000, "*a" * 20 + "b", False),  # a regular expression would never end
    ],
)
def test_wildcards(text: str, pattern: str, matched: bool) -> None:
    assert matched is matches(text, pattern)


# -- what the keys are -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "pins"),
    [
        (CLAIMS, PINS),
        ({**CLAIMS, "iss": GOOGLE}, PINS),
        ({**CLAIMS, "azp": "a"}, {"aud": "a", "oaud": AUDIENCE}),
        ({**CLAIMS, "azp": []}, {"aud": AUDIENCE, "oaud": AUDIENCE}),
        ({"iss": GOOGLE, "aud": "x", "sub": "y"}, {"aud": "x", "oaud": "x", "sub": "y"}),
        (
            {**CLAIMS, "google": {"organization_number": 123}},
            {"google/organization_number": "123"},
        ),
    ],
)
def test_googles_keys(claims: Any, pins: dict[str, str]) -> None:
    assert verdict(equals(**pins), claims)
    for name in pins:
        assert not verdict(equals(**{**pins, name: "another"}), claims)


def test_a_clusters_keys() -> None:
    pins = equals(PATH, aud=AUDIENCE, sub=SUBJECT)
    assert verdict(pins, OF_CLUSTER, Principal={"Federated": ARN})
    assert not verdict(equals(PATH, oaud=AUDIENCE), OF_CLUSTER, Principal={"Federated": ARN})
    assert not verdict(pins, OF_CLUSTER)
    assert not verdict(pins, CLAIMS, Principal={"Federated": ARN})


def test_several_values_need_a_set_operator() -> None:
    several = {**CLAIMS, "aud": [AUDIENCE, "x"]}
    assert verdict(equals(oaud=AUDIENCE), several) is None
    assert verdict({"ForAnyValue:StringEquals": {f"{GOOGLE}:oaud": AUDIENCE}}, several)
    assert not verdict({"ForAllValues:StringEquals": {f"{GOOGLE}:oaud": AUDIENCE}}, several)
    of_cluster = {**OF_CLUSTER, "aud": [AUDIENCE, "x"]}
    members = {"Principal": {"Federated": ARN}}
    assert verdict(equals(PATH, aud=AUDIENCE), of_cluster, **members) is None
    amr = {"ForAnyValue:StringEquals": {f"{PATH}:amr": "x"}}
    assert verdict(amr, {**OF_CLUSTER, "amr": ["x", "y"]}, **members)


@pytest.mark.parametrize("claim", ["tags", "source_identity"])
def test_token_that_needs_further_actions_is_not_determined(claim: str) -> None:
    asked = {**CLAIMS, f"https://aws.amazon.com/{claim}": {"x": "y"}}
    assert verdict(equals(**PINS), asked) is None
    assert verdict(equals(sub=OTHER), asked) is False


@pytest.mark.parametrize(
    ("claims", "seen"),
    [
        ([], "a list, not an object"),
        ({}, "no iss"),
        ({**CLAIMS, "iss": "http://x"}, "not an https:// URL"),
        ({**CLAIMS, "iss": "https://"}, "not an https:// URL"),
        ({**CLAIMS, "iss": 7}, "a iss that is not a string"),
        ({**CLAIMS, "sub": ""}, "a sub that is not a string"),
        ({**CLAIMS, "sub": None}, "a sub that is not a string"),
        ({"iss": GOOGLE, "sub": "x"}, "no aud"),
        ({**CLAIMS, "aud": []}, "no aud"),
        ({**CLAIMS, "aud": [1]}, "a aud that is neither"),
        ({**CLAIMS, "aud": [""]}, "a aud that is neither"),
        ({**CLAIMS, "azp": {"a": 1}}, "a azp that is neither"),
    ],
)
def test_invalid_claims_are_rejected(claims: Any, seen: str) -> None:
    call = lambda: policy.evaluate(document(statement()), claims)  # noqa: E731
    failure(ConfigError, "config/claims", call, seen=[seen])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (NUMBER, "number"),
        ("etl@demo.iam.gserviceaccount.com", "e-mail"),
        ("etl@web.example.com.iam.gserviceaccount.com", "e-mail"),
        ("demo@appspot.gserviceaccount.com", "e-mail"),
        ("123456789012-compute@developer.gserviceaccount.com", "e-mail"),
        ("32555940559.apps.googleusercontent.com", "OAuth client id"),
        ("123456789012", ""),
        ("jane@gmail.com", ""),
        ("etl@gserviceaccount.com", ""),
        ("etl@demo.iam.gserviceaccount.com.example", ""),
        ("etl@demo.iam.gserviceaccount.com\n", ""),
        (AUDIENCE, ""),
        ("", ""),
    ],
)
def test_kinds_of_azp(text: str, kind: str) -> None:
    assert kind == kind_of(text)


@pytest.mark.parametrize(
    ("audiences", "party", "found"),
    [
        (["a"], [], (("a",), "aud")),
        (["a"], ["p"], (("p",), "azp")),
        (["a", "b"], ["p"], (("p",), "azp")),
        (["a", "b"], [], (("a", "b"), "aud")),
    ],
)
def test_azp_is_the_audience_if_present(audiences: Any, party: Any, found: Any) -> None:
    assert found == aws_audience(audiences, party)


def test_a_clusters_azp_is_its_audience() -> None:
    with_azp = {**OF_CLUSTER, "azp": "client"}
    members = {"Principal": {"Federated": ARN}}
    assert verdict(equals(PATH, aud="client"), with_azp, **members)
    assert verdict(equals(PATH, aud=AUDIENCE), with_azp, **members) is False


def test_explanation_names_the_source_of_the_other_azp() -> None:
    of_key_file = {**CLAIMS, "azp": "etl@demo.iam.gserviceaccount.com"}
    told = str(policy.evaluate(document(statement(equals(**PINS))), of_key_file))
    assert "azp is the e-mail in a token of a key file, the number in one of the metadata" in told


# -- principals, actions, effects --------------------------------------------------------------


@pytest.mark.parametrize(
    ("principal", "claims", "matched"),
    [
        ("*", CLAIMS, True),
        ({"Federated": "*"}, CLAIMS, None),
        ({"AWS": "*"}, CLAIMS, None),
        ({"AWS": "123456789012"}, CLAIMS, False),
        ({"Service": "ec2.amazonaws.com"}, CLAIMS, False),
        ({"Federated": GOOGLE.upper()}, CLAIMS, False),
        ({"Federated": "www.amazon.com"}, CLAIMS, False),
        ({"Federated": ["www.amazon.com", GOOGLE]}, CLAIMS, True),
        ({"AWS": "123456789012", "Federated": GOOGLE}, CLAIMS, True),
        ({"Federated": f"arn:aws:iam::123456789012:oidc-provider/{GOOGLE}"}, CLAIMS, None),
        ({"Federated": "arn:aws:iam::123456789012:saml-provider/x"}, CLAIMS, False),
        ({"Federated": ARN}, CLAIMS, False),
        ({"Federated": ARN}, OF_CLUSTER, True),
        ({"Federated": ARN.replace("aws", "aws-cn", 1)}, OF_CLUSTER, True),
        ({"Federated": f"{ARN}2"}, OF_CLUSTER, False),
        ({"Federated": ARN[:-1] + "*"}, OF_CLUSTER, False),
        ({"Federated": ARN.replace("123456789012", "")}, OF_CLUSTER, False),
        ({"Federated": PATH}, OF_CLUSTER, False),
    ],
)
def test_principals(principal: Any, claims: Any, matched: bool | None) -> None:
    assert matched is verdict(None, claims, Principal=principal)


@pytest.mark.parametrize(
    ("account_id", "allowed"), [(None, True), ("123456789012", True), ("210987654321", False)]
)
def test_provider_must_belong_to_the_account_of_the_role(
    account_id: str | None, allowed: bool
) -> None:
    trust = document(statement(Principal={"Federated": ARN}))
    decision = policy.evaluate(trust, OF_CLUSTER, account_id=account_id)
    assert allowed is decision.allowed
    assert not decision.undetermined


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(
    "members",
    [
        {"Principal": None, "NotPrincipal": {"Federated": GOOGLE}},
        {"Condition": {"StringMatches": {"k": "v"}, **equals(sub=OTHER)}},
    ],
    ids=["NotPrincipal", "unknown operator"],
)
def test_policy_that_iam_rejects_admits_no_token(members: Any, effect: str) -> None:
    prohibited = statement(**{**members, "Effect": effect})
    decision = policy.evaluate(document(prohibited, statement()), CLAIMS)
    assert (False, False) == (decision.allowed, decision.undetermined)
    assert str(decision).startswith("Denied: IAM rejects a role with this policy: Statement[0].")


@pytest.mark.parametrize(
    ("action", "matched"),
    [
        ("sts:AssumeRoleWithWebIdentity", True),
        ("STS:assumerolewithwebidentity", True),
        ("sts:AssumeRole", False),
        ("sts:AssumeRole*", True),
        ("sts:AssumeRoleWith???Identity", True),
        ("sts:*", True),
        ("*", True),
        (["sts:TagSession", "sts:AssumeRoleWithWebIdentity"], True),
        (["sts:TagSession", "sts:AssumeRole"], False),
    ],
)
def test_actions(action: Any, matched: bool) -> None:
    assert matched is verdict(None, Action=action)
    assert matched is not verdict(None, Action=None, NotAction=action)


ALLOW, DENY = statement(), statement(Effect="Deny")
NOT_MINE = statement(equals(sub=OTHER))
UNSURE = statement({"Bool": {"aws:SecureTransport": "true"}})
UNSURE_DENY = {**UNSURE, "Effect": "Deny"}


@pytest.mark.parametrize(
    ("statements", "allowed", "undetermined", "summary"),
    [
        ([ALLOW], True, False, "Admitted."),
        ([NOT_MINE], False, False, "Denied: no statement allows it."),
        ([DENY], False, False, "Denied: a statement denies it."),
        ([ALLOW, DENY], False, False, "Denied: a statement denies it."),
        ([DENY, ALLOW], False, False, "Denied: a statement denies it."),
        ([ALLOW, {**NOT_MINE, "Effect": "Deny"}], True, False, "Admitted."),
        ([NOT_MINE, ALLOW], True, False, "Admitted."),
        ([UNSURE], False, True, "Not determined: "),
        ([UNSURE, ALLOW], True, False, "Admitted."),
        ([UNSURE_DENY, ALLOW], False, True, "Not determined: "),
        ([UNSURE_DENY, NOT_MINE], False, False, "Denied: no statement allows it."),
        ([UNSURE_DENY, DENY, ALLOW], False, False, "Denied: a statement denies it."),
    ],
)
def test_deny_takes_precedence_and_unknown_is_not_allowed(
    statements: list[Any], allowed: bool, undetermined: bool, summary: str
) -> None:
    decision = policy.evaluate(document(*statements), CLAIMS)
    assert (allowed, undetermined) == (decision.allowed, decision.undetermined)
    assert str(decision).startswith(summary)


def test_the_explanation_names_each_condition_seen_and_wanted() -> None:
    trust = document(statement(equals(aud=AUDIENCE, oaud="x", sub="a@b.c"), Sid="etl"))
    fails = "  fails: StringEquals accounts.google.com"
    swapped = "which is its aud: AWS compares that as accounts.google.com:oaud"
    email = "sub is the account's number, never its e-mail"
    assert [
        "Denied: no statement allows it.",
        'Statement[0] "etl" (Allow) does not apply:',
        '  holds: Principal names "accounts.google.com"',
        "  holds: Action covers sts:AssumeRoleWithWebIdentity",
        f'{fails}:aud: the token\'s azp is "{NUMBER}"; the policy requires "{AUDIENCE}", {swapped}',
        f'{fails}:oaud: the token\'s aud is "{AUDIENCE}"; the policy requires "x"',
        f'{fails}:sub: the token\'s sub is "{NUMBER}"; the policy requires "a@b.c": {email}',
    ] == str(policy.evaluate(trust, CLAIMS)).split("\n")


def test_the_explanation_is_printable_whatever_is_in_the_policy() -> None:
    trust = document(statement({"\x1b[31m": {"\nforged": "\x07"}}, Sid="\x1b\n"))
    lines = str(policy.evaluate(trust, CLAIMS)).split("\n")
    assert 5 == len(lines)
    assert all(line.isprintable() for line in lines)
    assert all(str(finding).isprintable() for finding in policy.lint(trust))


# -- what is no policy -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '"text"',
        "null",
        "[" * 100_000,
        '{"Statement": NaN}',
        "1" * 5000,
        "{}",
        '{"Statement": []}',
        '{"Statement": 7}',
        '{"Statement": [[]]}',
        '{"Statement": {}, "Resource": 1}',
        '{"Version": "2020-01-01", "Statement": {}}',
        '{"Version": {}, "Statement": {}}',
        '{"Id": 1, "Statement": {}}',
    ],
)
def test_other_documents_are_rejected(text: str) -> None:
    for ask in (policy.lint, lambda text: policy.evaluate(text, CLAIMS)):
        failure(ConfigError, "config/trust-policy", lambda ask=ask: ask(text))


@pytest.mark.parametrize(
    ("members", "seen"),
    [
        ({"Effect": "allow"}, 'Effect of Statement[0] is "allow"'),
        ({"Effect": None}, "Effect of Statement[0]"),
        ({"Resource": "*"}, '"Resource", which IAM prohibits'),
        ({"Principal": None}, "no Principal"),
        ({"NotPrincipal": "*"}, "Principal and NotPrincipal"),
        ({"Principal": GOOGLE}, "Principal of Statement[0] is neither"),
        ({"Principal": {}}, "Principal of Statement[0] is neither"),
        ({"Principal": {"federated": GOOGLE}}, "Principal of Statement[0] is neither"),
        ({"Principal": {"Federated": []}}, "Federated in Principal"),
        ({"Principal": {"Federated": [7]}}, "Federated in Principal"),
        ({"Action": None}, "no Action"),
        ({"Action": []}, "Action of Statement[0]"),
        ({"Action": "x", "NotAction": "y"}, "Action and NotAction"),
        ({"Sid": 7}, "Sid of Statement[0]"),
        ({"Condition": []}, "Condition of Statement[0] is not an object"),
        ({"Condition": {"StringEquals": []}}, '"StringEquals" in Condition'),
        ({"Condition": {"StringEquals": {}}}, '"StringEquals" in Condition'),
        ({"Condition": {"StringEquals": {"k": None}}}, '"k" in Condition'),
        ({"Condition": {"StringEquals": {"k": [{}]}}}, '"k" in Condition'),
        ({"Condition": {"StringEquals": {"k": "\ud800"}}}, "not JSON"),
        ({"Condition": {"NumericEquals": {"k": float("inf")}}}, "not JSON"),
        ({"Condition": {"NumericEquals": {"k": 10**5000}}}, "not JSON"),
        ({"Condition": {"StringEquals": {"k": b"x"}}}, "not JSON"),
    ],
)
def test_policies_that_iam_rejects(members: dict[str, Any], seen: str) -> None:
    trust = document(statement(**members))
    for ask in (policy.lint, lambda trust: policy.evaluate(trust, CLAIMS)):
        failure(ConfigError, "config/trust-policy", lambda ask=ask: ask(trust), seen=[seen])


def test_duplicate_member_is_rejected() -> None:
    # Python's reader keeps the last: the condition would be gone.
    whole = json.dumps(document(statement(equals(sub=OTHER))))
    hidden = whole.replace('"Condition":', '"Condition": {}, "Condition":')
    failure(ConfigError, "config/trust-policy", lambda: policy.evaluate(hidden, CLAIMS))


def test_statements_with_the_same_sid_are_refused() -> None:
    one = statement(equals(**PINS), Sid="a")
    assert ["duplicate-sid"] == [found.rule for found in policy.lint(document(one, one))]
    assert policy.evaluate(document(one, one), CLAIMS).malformed
    for other in ("b", ""):
        listed = document(one, {**one, "Sid": other}, {**one, "Sid": ""})
        assert "duplicate-sid" not in {found.rule for found in policy.lint(listed)}


def test_a_policy_may_be_text_or_mapping_with_one_statement_or_many() -> None:
    one = {"Statement": statement(equals(**PINS))}
    for trust in (one, json.dumps(one), MappingProxyType(one), {"Statement": [one["Statement"]]}):
        assert policy.evaluate(trust, CLAIMS).allowed
        assert [] == policy.lint(trust)


# -- lint: what is widely copied ---------------------------------------------------------------

EMAIL = "etl@demo.iam.gserviceaccount.com"
GOOGLE_ARN = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{GOOGLE}"}
CLUSTER = {"Federated": ARN}


def like(provider: str = GOOGLE, **keys: Any) -> dict[str, Any]:
    return {"StringLike": equals(provider, **keys)["StringEquals"]}


@pytest.mark.parametrize(
    ("members", "rules"),
    [
        # Widely copied, each of them.
        ({"Condition": equals(aud=NUMBER)}, ["missing-oaud", "missing-sub"]),
        ({"Condition": equals(sub=NUMBER)}, ["missing-aud", "missing-oaud"]),
        ({"Condition": equals(oaud=AUDIENCE)}, ["missing-aud", "missing-sub"]),
        (
            {"Condition": equals(aud="sts.amazonaws.com")},
            ["audience-in-aud", "missing-oaud", "missing-sub"],
        ),
        ({"Condition": equals(**{**PINS, "aud": AUDIENCE})}, ["audience-in-aud"]),
        ({"Condition": equals(**{**PINS, "aud": "jane@example.com"})}, ["email"]),
        ({"Condition": equals(**{**PINS, "sub": EMAIL})}, ["email"]),
        ({"Condition": equals(**PINS), "Principal": GOOGLE_ARN}, ["google-provider-arn"]),
        ({"Condition": like(**{**PINS, "sub": "*"})}, ["wildcard"]),
        ({"Condition": like(sub="1042*")}, ["missing-aud", "missing-oaud", "wildcard"]),
        ({}, ["no-condition"]),
        # And more of the kind.
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, ["no-condition"]),
        ({"Condition": equals(**{**PINS, "sub": "1042*"})}, ["literal-wildcard"]),
        ({"Condition": equals(**{**PINS, "sub": "123456789012"})}, ["not-a-number"]),
        ({"Condition": equals(**{**PINS, "sub": f"serviceAccount:{NUMBER}"})}, ["not-a-number"]),
        ({"Condition": equals(**PINS, email=EMAIL)}, ["absent-key"]),
        ({"Condition": equals("www.amazon.com", user_id="x")}, ["absent-key", "no-condition"]),
        # Keys that a request with an ID token never has.
        (
            {"Condition": {**equals(**PINS), "Bool": {"aws:MultiFactorAuthPresent": "true"}}},
            "absent",
        ),
        ({"Condition": {**equals(**PINS), "Null": {"aws:TokenIssueTime": "false"}}}, "absent"),
        ({"Condition": {**equals(**PINS), "StringLike": {"STS:ExternalId": "*"}}}, "absent"),
        ({"Condition": {**equals(**PINS), "StringLike": {"aws:username": "*"}}}, "absent"),
        ({"Condition": {**equals(**PINS), "StringNotLike": {"aws:username": "x"}}}, []),
        ({"Condition": {**equals(**PINS), "BoolIfExists": {"aws:MultiFactorAuthAge": "x"}}}, []),
        # Values that are not of the operator's type.
        ({"Condition": {**equals(**PINS), "Null": {f"{GOOGLE}:sub": "no"}}}, "type"),
        ({"Condition": {**equals(**PINS), "Null": {f"{GOOGLE}:sub": ["true", "false"]}}}, "type"),
        (
            {"Condition": {**equals(**PINS), "NumericNotEquals": {f"{GOOGLE}:sub": ["1", "x"]}}},
            "type",
        ),
        ({"Condition": {"StringEqualsIfExists": equals(**PINS)["StringEquals"]}}, "missing"),
        ({"Condition": {"ForAllValues:StringEquals": equals(**PINS)["StringEquals"]}}, "missing"),
        *(
            (
                {
                    "Condition": {
                        operator: equals(**PINS)["StringEquals"],
                        "Null": dict.fromkeys(equals(**PINS)["StringEquals"], "false"),
                    }
                },
                [],
            )
            for operator in ("StringEqualsIfExists", "ForAllValues:StringEquals")
        ),
        ({"Condition": {"StringNotEquals": equals(**PINS)["StringEquals"]}}, "missing"),
        ({"Condition": {"Null": {f"{GOOGLE}:sub": "false"}}}, "missing"),
        ({"Condition": {"StringMatches": {"aws:x": "y"}, **equals(**PINS)}}, ["unknown-operator"]),
        ({"Condition": equals(**{**PINS, "sub": int(NUMBER)})}, ["unquoted-number"]),
        ({"Principal": "*", "Condition": equals(**PINS)}, ["principal-anyone"]),
        ({"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}, ["principal-anyone"]),
        ({"Principal": {"Federated": "*"}}, ["principal-anyone"]),
        ({"Principal": None, "NotPrincipal": {"AWS": "1"}}, ["not-principal"]),
        ({"Action": "sts:AssumeRole", "Condition": equals(**PINS)}, ["action"]),
        ({"Action": "sts:*", "Condition": equals(**PINS)}, ["action-wildcard"]),
        ({"Action": None, "NotAction": "x", "Condition": equals(**PINS)}, ["action-wildcard"]),
        (
            {
                "Action": None,
                "NotAction": "sts:AssumeRoleWithWebIdentity",
                "Condition": equals(**PINS),
            },
            ["action"],
        ),
        *(
            ({"Action": action, "Condition": equals(**PINS)}, ["action"])
            for action in (
                "s3:GetObject",
                "sts:GetCallerIdentity",
                "sts:AssumeRoleWithWebIdenity",
                ["sts:AssumeRoleWithWebIdentity", "sts:Get*"],
                "assumerole",
            )
        ),
        # What is pinned by a value that the request chooses, or by none.
        (
            {"Condition": equals(**{**PINS, "sub": f"${{{GOOGLE}:sub}}"})},
            ["missing-sub", "policy-variable"],
        ),
        ({"Condition": equals(**{**PINS, "sub": []})}, ["empty-list"]),
        ({"Condition": {**equals(**PINS), "StringNotEquals": {f"{GOOGLE}:oaud": []}}}, "empty"),
        ({"Condition": equals(**{**PINS, "sub": SUBJECT})}, ["not-a-number"]),
        # Conditions that each can hold, and not together.
        ({"Condition": {**equals(**PINS), "StringNotLike": {f"{GOOGLE}:sub": "1*"}}}, "never"),
        ({"Condition": {**equals(**PINS), "Null": {f"{GOOGLE}:sub": "true"}}}, "never"),
        ({"Condition": {**equals(**PINS), "Null": {f"{GOOGLE}:email": "false"}}}, ["absent-key"]),
        (
            {"Condition": {**equals(**PINS), "StringEqualsIgnoreCase": {f"{GOOGLE}:oaud": "x"}}},
            "never",
        ),
        (
            {"Condition": {**equals(**PINS), "NumericLessThan": {f"{GOOGLE}:sub": NUMBER}}},
            "never",
        ),
        (
            {
                "Condition": {
                    **equals(**PINS),
                    "NumericGreaterThan": {f"{GOOGLE}:sub": NUMBER},
                    "StringNotEquals": {f"{GOOGLE}:sub": "x"},
                }
            },
            "never",
        ),
        ({"Condition": {**equals(**PINS), **like(sub="2*")}}, ["never-matches", "wildcard"]),
        ({"Condition": equals(**{**PINS, "sub": OTHER})}, ["two-accounts"]),
        ({"Condition": equals(**{**PINS, "aud": [OTHER, f"{OTHER[:-1]}9"]})}, ["two-accounts"]),
        # Keys that IAM does not have, or does not take.
        ({"Condition": equals(f"https://{GOOGLE}", **PINS)}, ["absent-key"] * 3 + ["no-condition"]),
        ({"Condition": equals(f"{GOOGLE}/", **PINS)}, ["absent-key"] * 3 + ["no-condition"]),
        ({"Condition": {"StringEquals": {"sub": NUMBER}}}, ["key-format", "no-condition"]),
        (
            {"Condition": {"StringEquals": {f"{GOOGLE}:sub": NUMBER, f"{GOOGLE}:SUB": NUMBER}}},
            ["duplicate-key", "missing-aud", "missing-oaud"],
        ),
        # Principals that match no identity.
        *(
            ({"Principal": {"Federated": name}, "Condition": equals(**PINS)}, ["principal"])
            for name in (
                f"https://{GOOGLE}",
                f"{GOOGLE}/",
                "Accounts.Google.com",
                f"https://{GOOGLE}/",
                f"arn:aws:iam::123456789012:oidc-provider/https://{GOOGLE}",
                f"arn:aws:iam::123456789012:oidc-provider/{GOOGLE}/",
            )
        ),
        *(
            (
                {"Principal": {"Federated": name}, "Condition": equals(PATH, aud="x", sub=SUBJECT)},
                ["principal"],
            )
            for name in (
                PATH,
                ISSUER,
                f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}",
                f"{ARN}/",
                ARN.upper(),
                ARN.replace("container", "Container"),
                f"{ARN[:-1]}*",
                f"{ARN[:-1]}?",
                "arn:aws:iam::123456789012:oidc-provider/*",
                "arn:aws:iam::123456789012:oidc-provider/123456789012",
                "arn:aws:iam::123456789012:oidc-provider/demo.svc.id.goog",
                "arn:aws:iam::123456789012:oidc-provider/container.googleapis.com",
                "arn:aws:iam::ACCOUNT:oidc-provider/x.example.com",
                "accounts.google.co",
                "demo.svc.id.goog",
            )
        ),
        ({"Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/x"}}, ["principal"]),
        ({"Principal": {"AWS": "123456789012"}}, ["principal"]),
        *(
            (
                {"Principal": {"Federated": GOOGLE, **more}, "Condition": equals(**PINS)},
                ["principal"],
            )
            for more in (
                {"AWS": "12345"},
                {"AWS": ["123456789012", "arn:aws:iam::123456789012:role/*"]},
                {"AWS": "arn:aws:iam::123456789012:group/admins"},
                {"AWS": "arn:aws:sts::123456789012:assumed-role/etl/*"},
                {"AWS": "etl"},
                {"Service": "*.amazonaws.com"},
            )
        ),
        # The other built-in providers.
        ({"Principal": {"Federated": "cognito-identity.amazonaws.com"}}, ["no-condition"]),
        ({"Principal": {"Federated": "graph.facebook.com"}}, ["no-condition"]),
        ({"Principal": {"Federated": "www.amazon.com"}}, ["no-condition"]),
        (
            {
                "Principal": {"Federated": "cognito-identity.amazonaws.com"},
                "Condition": {
                    "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "x"}
                },
            },
            ["missing-aud"],
        ),
        (
            {
                "Principal": {"Federated": "www.amazon.com"},
                "Condition": equals("www.amazon.com", user_id="x"),
            },
            ["missing-app-id"],
        ),
        (
            {
                "Principal": {"Federated": "graph.facebook.com"},
                "Condition": equals("graph.facebook.com", app_id="${aws:userid}"),
            },
            ["missing-app-id", "policy-variable"],
        ),
        # A cluster's own issuer.
        (
            {"Principal": CLUSTER, "Condition": equals(PATH, aud="x", sub=NUMBER)},
            ["not-a-subject"],
        ),
        (
            {"Principal": CLUSTER, "Condition": equals(PATH, aud="x", sub=EMAIL)},
            ["not-a-subject"],
        ),
        (
            {"Principal": CLUSTER, "Condition": like(PATH, aud="x", sub="1042*")},
            ["never-matches"],
        ),
        (
            {"Principal": CLUSTER, "Condition": equals(ISSUER, aud="x", sub=SUBJECT)},
            ["absent-key"] * 2 + ["no-condition"],
        ),
        (
            {
                "Principal": {
                    "Federated": "arn:aws:iam::123456789012:oidc-provider/iam.googleapis.com/"
                    "projects/123456789012/locations/global/workloadIdentityPools/p/providers/x"
                },
                "Condition": equals(PATH, aud="x", sub=SUBJECT),
            },
            ["principal"],
        ),
        ({"Principal": CLUSTER}, ["no-condition"]),
        ({"Principal": CLUSTER, "Condition": equals(PATH, sub=SUBJECT)}, ["missing-aud"]),
        ({"Principal": CLUSTER, "Condition": equals(PATH, aud=AUDIENCE)}, ["missing-sub"]),
        (
            {"Principal": CLUSTER, "Condition": like(PATH, aud="x", sub="system:*:etl")},
            ["wildcard"],
        ),
        (
            {"Principal": CLUSTER, "Condition": equals(PATH, aud="x", sub="system:*")},
            ["literal-wildcard"],
        ),
        (
            {"Principal": CLUSTER, "Condition": equals(**PINS)},
            ["absent-key"] * 3 + ["no-condition"],
        ),
    ],
)
def test_mistakes_are_found(members: dict[str, Any], rules: list[str] | str) -> None:
    if isinstance(rules, str):
        missing = ["missing-aud", "missing-oaud", "missing-sub"]
        rules = {
            "absent": ["absent-key"],
            "empty": ["empty-list"],
            "missing": missing,
            "never": ["never-matches"],
            "type": ["value-type"],
        }[rules]
    found = policy.lint(document(statement(**members)))
    assert rules == sorted(finding.rule for finding in found)
    for finding in found:
        assert finding.severity in ("error", "warning")
        assert finding.where.startswith("Statement[0]")
        assert finding.message
        assert finding.fix
        assert str(finding).startswith(f"{finding.severity}[{finding.rule}] {finding.where}: ")


@pytest.mark.parametrize(
    ("principal", "keys"),
    [
        ({"Federated": "graph.facebook.com"}, "graph.facebook.com:app_id"),
        ({"Federated": "cognito-identity.amazonaws.com"}, "cognito-identity.amazonaws.com:aud"),
        (
            {"Federated": "arn:aws:iam::123456789012:oidc-provider/git.example.com"},
            "git.example.com:aud and git.example.com:sub",
        ),
    ],
)
def test_fix_for_an_issuer_that_build_does_not_write_names_the_keys(
    principal: dict[str, str], keys: str
) -> None:
    trust = document(statement(None, Principal=principal))
    [found] = policy.lint(trust)
    assert found.fix == f"StringEquals on {keys}"
    pins = dict.fromkeys(keys.split(" and "), "x")
    assert [] == policy.lint(document(statement({"StringEquals": pins}, Principal=principal)))


@pytest.mark.parametrize(
    ("principal", "command"),
    [({"Federated": GOOGLE}, "--service-account NUMBER"), (CLUSTER, "--subject SUBJECT")],
)
def test_fix_for_an_issuer_that_build_writes_is_the_command(
    principal: dict[str, str], command: str
) -> None:
    [found] = policy.lint(document(statement(None, Principal=principal)))
    assert command in found.fix


def test_policy_that_only_denies_admits_no_caller() -> None:
    denying = statement(None, Effect="Deny")
    assert ["no-allow"] == [found.rule for found in policy.lint(document(denying))]
    allowing = statement(equals(**PINS))
    assert "no-allow" not in [found.rule for found in policy.lint(document(denying, allowing))]


def test_conditions_that_never_hold_are_not_said_to_admit_anybody() -> None:
    [*_, found] = policy.lint(document(statement(equals(f"https://{GOOGLE}", **PINS))))
    assert (found.rule, found.severity) == ("no-condition", "error")
    assert "would admit every Google account" in found.message


@pytest.mark.parametrize(
    "members",
    [
        {"Condition": equals(**PINS)},
        {"Condition": like(**PINS)},
        {"Condition": equals(**{**PINS, "aud": "1-x.apps.googleusercontent.com"})},
        # A key file, alone and beside other sources; of a project of a domain, too.
        {"Condition": equals(**{**PINS, "aud": EMAIL})},
        {"Condition": equals(**{**PINS, "aud": [NUMBER, EMAIL]})},
        {"Condition": equals(**{**PINS, "aud": "etl@web.example.com.iam.gserviceaccount.com"})},
        {"Condition": equals(**{**PINS, "aud": "123-compute@developer.gserviceaccount.com"})},
        {"Condition": {**equals(**PINS), "Null": {f"{GOOGLE}:sub": "false"}}},
        {
            "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/x"},
            "Action": "sts:AssumeRoleWithSAML",
        },
        {
            "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Condition": equals("cognito-identity.amazonaws.com", aud="eu-west-1:x"),
        },
        {
            "Principal": {"Federated": "graph.facebook.com"},
            "Condition": equals("graph.facebook.com", app_id="1"),
        },
        # An issuer with a final slash, and keys that it alone has.
        {
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/x.auth0.com/"},
            "Condition": equals("x.auth0.com/", aud="x", sub="auth0|1"),
        },
        {
            "Principal": {
                "Federated": "arn:aws:iam::123456789012:oidc-provider/"
                "token.actions.githubusercontent.com"
            },
            "Condition": equals(
                "token.actions.githubusercontent.com",
                aud="sts.amazonaws.com",
                sub="repo:acme/etl:ref:refs/heads/main",
                repository="acme/etl",
            ),
        },
        {"Condition": {"ForAnyValue:StringEquals": equals(**PINS)["StringEquals"]}},
        {
            "Condition": {
                "StringEqualsIgnoreCase": {
                    **equals(**PINS)["StringEquals"],
                    f"{GOOGLE}:aud": EMAIL.upper(),
                }
            }
        },
        {
            "Principal": CLUSTER,
            "Condition": {
                "StringEqualsIgnoreCase": equals(PATH, aud="x", sub=SUBJECT.upper())["StringEquals"]
            },
        },
        {"Condition": {**equals(**PINS), "Bool": {"aws:SecureTransport": "true"}}},
        {
            "Condition": equals(**PINS),
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        },
        {"Principal": CLUSTER, "Condition": equals(PATH, aud="x", sub=[SUBJECT, f"{SUBJECT}-2"])},
        {
            "Principal": {"AWS": "arn:aws:iam::123456789012:role/etl"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "tenant-7"}},
        },
        {"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
)
def test_correct_policies_have_no_findings(members: dict[str, Any]) -> None:
    assert [] == policy.lint(document(statement(**members)))


@pytest.mark.parametrize(
    ("deny", "rules"),
    [
        ({"Principal": "*"}, ["denied"]),
        ({"Condition": {"StringNotEquals": {f"{GOOGLE}:oaud": "another"}}}, ["denied"]),
        ({"Condition": {"StringNotEquals": {f"{GOOGLE}:oaud": AUDIENCE}}}, []),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, []),
        ({"Action": "sts:AssumeRole"}, []),
        ({"Principal": CLUSTER}, []),
    ],
)
def test_allow_that_a_deny_cancels_is_found(deny: dict[str, Any], rules: list[str]) -> None:
    trust = document(statement(equals(**PINS)), statement(**{"Effect": "Deny", **deny}))
    assert rules == [finding.rule for finding in policy.lint(trust)]
    assert policy.evaluate(trust, CLAIMS).allowed is (
        not rules and not policy.evaluate(trust, CLAIMS).undetermined
    )


def test_variable_in_an_old_policy_version_is_literal() -> None:
    trust = {"Statement": statement(equals(**{**PINS, "sub": "${aws:username}"}))}
    assert ["not-a-number"] == [finding.rule for finding in policy.lint(trust)]
    decision = policy.evaluate(trust, CLAIMS)
    assert (False, False) == (decision.allowed, decision.undetermined)


def test_conflicting_conditions_are_named() -> None:
    clash = {**equals(**PINS), "StringNotEquals": {f"{GOOGLE}:sub": NUMBER}}
    [finding] = policy.lint(document(statement(clash)))
    named = f"StringEquals.{GOOGLE}:sub, StringNotEquals.{GOOGLE}:sub"
    assert f"no token of {GOOGLE} meets all of {named}" == finding.message


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        (f"https://{GOOGLE}", GOOGLE),
        (f"{GOOGLE}/", GOOGLE),
        ("Accounts.Google.com", GOOGLE),
        (f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}/", ARN),
        (ARN.upper(), ARN),
        (EKS_ARN.lower(), EKS_ARN),
    ],
)
def test_the_principal_that_was_meant_is_named(name: str, instead: str) -> None:
    finding = policy.lint(document(statement(Principal={"Federated": name})))[0]
    assert ("principal", f'"Federated": "{instead}"') == (finding.rule, finding.fix)


def test_search_stops_for_expensive_patterns() -> None:
    key = "x.example.com:sub"
    patterns = {"StringLike": {key: "*a" * 300}, "StringNotLike": {key: "*b" * 300}}
    patterns["ForAnyValue:StringLike"] = {key: "*ab" * 200}
    principal = {"Federated": "arn:aws:iam::123456789012:oidc-provider/x.example.com"}
    found = policy.lint(document(statement(patterns, Principal=principal)))
    assert "wildcard" in [finding.rule for finding in found]


@pytest.mark.parametrize(("count", "severity"), [(6, []), (7, ["warning"]), (40, ["error"])])
def test_the_size_is_counted_without_spaces(count: int, severity: list[str]) -> None:
    trust = document(*[statement(equals(**PINS))] * count)
    found = policy.lint(json.dumps(trust, indent=8))
    assert severity == [finding.severity for finding in found]
    assert all(finding.rule == "size" for finding in found)


# -- build -------------------------------------------------------------------------------------


def test_each_service_account_has_a_statement_with_all_three_keys() -> None:
    assert document(
        statement(equals(**PINS)), statement(equals(aud=OTHER, oaud=AUDIENCE, sub=OTHER))
    ) == policy.build(audience=AUDIENCE, service_accounts=(NUMBER, OTHER, NUMBER))


def test_an_account_with_a_key_file_is_admitted_by_its_email_and_pinned_by_its_number() -> None:
    key_file = policy.build(audience=AUDIENCE, key_file_emails={NUMBER: EMAIL})
    assert document(statement(equals(**{**PINS, "aud": EMAIL}))) == key_file
    both = policy.build(
        audience=AUDIENCE, service_accounts=[NUMBER], key_file_emails={NUMBER: EMAIL}
    )
    assert document(statement(equals(**{**PINS, "aud": [NUMBER, EMAIL]}))) == both
    for trust in (key_file, both):
        assert [] == policy.lint(trust)
        assert policy.evaluate(trust, {**CLAIMS, "azp": EMAIL}).allowed
        assert not policy.evaluate(trust, {**CLAIMS, "azp": EMAIL, "sub": OTHER}).allowed
        assert not policy.evaluate(trust, {**CLAIMS, "azp": EMAIL, "aud": "x"}).allowed
        assert policy.evaluate(trust, CLAIMS).allowed is (trust is both)


def test_a_cluster_has_one_statement_with_its_subjects() -> None:
    def built(*subjects: str) -> dict[str, Any]:
        return policy.build(
            audience=AUDIENCE, issuer=ISSUER, subjects=subjects, account_id="123456789012"
        )

    one = statement(equals(PATH, aud=AUDIENCE, sub=SUBJECT), Principal=CLUSTER)
    assert document(one) == built(SUBJECT)
    both = [SUBJECT, f"{SUBJECT}-2.x"]
    assert both == built(*both)["Statement"][0]["Condition"]["StringEquals"][f"{PATH}:sub"]


def test_the_partition_is_the_accounts() -> None:
    made = policy.build(
        audience="x",
        issuer=ISSUER,
        subjects=[SUBJECT],
        account_id="123456789012",
        partition="aws-cn",
    )
    assert made["Statement"][0]["Principal"]["Federated"].startswith("arn:aws-cn:iam::1")


OIDC = {"issuer": ISSUER, "subjects": [SUBJECT], "account_id": "123456789012"}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"service_accounts": [NUMBER], **OIDC},
        {"issuer": ISSUER},
        {"subjects": [SUBJECT]},
        {"service_accounts": NUMBER},
        {"service_accounts": [int(NUMBER)]},
        {"service_accounts": [EMAIL]},
        {"service_accounts": ["123456789012"]},
        {"key_file_emails": {EMAIL: NUMBER}},
        {"key_file_emails": {NUMBER: "jane@example.com"}},
        {"key_file_emails": {NUMBER: None}},
        {"key_file_emails": {"123456789012": EMAIL}},
        {"key_file_emails": [NUMBER]},
        {"key_file_emails": {NUMBER: EMAIL}, **OIDC},
        {"service_accounts": [f"{NUMBER}\n"]},
        {"service_accounts": [NUMBER[:-1] + "\u0663"]},
        {"service_accounts": [str(10**20 + number) for number in range(9)]},
        {"service_accounts": [NUMBER], "audience": ""},
        {"service_accounts": [NUMBER], "audience": " "},
        {"service_accounts": [NUMBER], "audience": None},
        {"service_accounts": [NUMBER], "audience": "a\nb"},
        {"service_accounts": [NUMBER], "audience": "${aws:username}"},
        {"service_accounts": [NUMBER], "audience": "\u65e5\u672c"},
        {"service_accounts": [NUMBER], "audience": "x" * 256},
        {**OIDC, "issuer": "http://x.example"},
        {**OIDC, "issuer": ISSUER + "/"},
        {**OIDC, "issuer": ISSUER + "?x"},
        {**OIDC, "issuer": "https://x.example:8443"},
        {**OIDC, "issuer": "https://user@x.example"},
        {**OIDC, "issuer": f"https://{GOOGLE}"},
        {**OIDC, "issuer": f"https://{GOOGLE.upper()}"},
        {**OIDC, "subjects": ["system:serviceaccount:default:*"]},
        {**OIDC, "subjects": ["system:serviceaccount:default"]},
        {**OIDC, "subjects": ["system:serviceaccount:Default:etl"]},
        {**OIDC, "subjects": ["system:serviceaccount:default:etl\n"]},
        {**OIDC, "subjects": [f"system:serviceaccount:{'n' * 64}:etl"]},
        {**OIDC, "subjects": [SUBJECT + ".x" * 130]},
        {**OIDC, "account_id": None},
        {**OIDC, "account_id": "12345678901"},
        {**OIDC, "account_id": "123456789012\n"},
        {**OIDC, "partition": "aws:x"},
        {**OIDC, "partition": None},
    ],
)
def test_invalid_values_are_rejected(asked: Any) -> None:
    failure(
        ConfigError,
        "config/trust-policy-value",
        lambda: policy.build(**{"audience": AUDIENCE, **asked}),
    )


@pytest.mark.parametrize(
    ("claims", "pins"),
    [
        # IAM user guide: ":aud" is azp where there is one; ":oaud" is aud, with azp or without.
        ({"azp": "1", "sub": "2", "aud": "x"}, {"aud": "1", "oaud": "x", "sub": "2"}),
        ({"azp": None, "sub": "2", "aud": "x"}, {"aud": "x", "oaud": "x", "sub": "2"}),
        ({"azp": "1", "sub": 'q"t', "aud": ["x", "y"]}, {"aud": "1", "oaud": "x", "sub": 'q"t'}),
    ],
    ids=["with azp", "without", "odd"],
)
def test_statement_for_a_token_pins_every_key(claims: dict[str, Any], pins: dict[str, str]) -> None:
    given = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    assert statement(equals(**pins)) == policy.statement_for(given)


def test_the_statement_for_a_clusters_token() -> None:
    made = policy.statement_for(OF_CLUSTER, account_id="123456789012")
    assert statement(equals(PATH, aud=AUDIENCE, sub=SUBJECT), Principal=CLUSTER) == made
    for claims in (OF_CLUSTER, {**OF_CLUSTER, "aud": ["x", "y"]}):
        failure(ConfigError, "config/trust-policy-value", lambda c=claims: policy.statement_for(c))


# -- render ------------------------------------------------------------------------------------

TRUST = policy.build(audience=AUDIENCE, service_accounts=[NUMBER])


def test_cloudformation_is_a_template() -> None:
    made = yaml.safe_load(policy.render(TRUST, "cloudformation", name="my-etl.role"))
    properties = {"RoleName": "my-etl.role", "AssumeRolePolicyDocument": TRUST}
    assert {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"MyEtlRoleRole": {"Type": "AWS::IAM::Role", "Properties": properties}},
    } == made


@pytest.mark.parametrize(
    ("name", "label"), [("etl", "etl"), ("2nd", "_2nd"), ("a.b=c", "a_b_c"), ("-x", "_-x")]
)
def test_terraform_labels_are_identifiers(name: str, label: str) -> None:
    text = policy.render(TRUST, "terraform", name=name)
    assert text.startswith(f'resource "aws_iam_role" "{label}" {{\n  name = "{name}"\n')


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "${x}", "x" * 65, "\u00e9", None, "a\n"])
@pytest.mark.parametrize("form", ["json", "terraform", "cloudformation"])
def test_invalid_role_names_are_rejected(form: str, name: Any) -> None:
    failure(ConfigError, "config/trust-policy-value", lambda: policy.render(TRUST, form, name=name))


@pytest.mark.parametrize(
    "trust",
    [
        document(statement(equals(aud="{{resolve:secretsmanager:x}}"))),
        document(statement({"StringEquals": {"Ref": "x"}})),
        document(statement({"StringEquals": {"Fn::Sub": "x"}})),
        document(statement({"Fn::If": {"k": "x"}})),
        document(statement(Sid="{{resolve:ssm:x}}")),
    ],
)
def test_values_that_cloudformation_interprets_are_rejected(trust: dict[str, Any]) -> None:
    refused = lambda: policy.render(trust, "cloudformation")  # noqa: E731
    failure(ConfigError, "config/trust-policy-value", refused)
    assert trust == json.loads(policy.render(trust, "json"))


@pytest.mark.parametrize("text", ["\u65e5", "\x00", "\x1b", "\U0001f600"])
def test_characters_that_iam_rejects_are_rejected(text: str) -> None:
    for trust in (document(statement(equals(aud=text))), document(statement({text: {"k": "v"}}))):
        failure(ConfigError, "config/trust-policy-value", lambda t=trust: policy.render(t, "json"))


def test_command_offers_every_format() -> None:
    assert trust_policy._FORMS == FORMS


def test_unknown_format_is_rejected() -> None:
    failure(ConfigError, "config/trust-policy-value", lambda: policy.render(TRUST, "toml"))
