"""The fixes for a token that AWS denies: once applied, the next exchange succeeds."""

from __future__ import annotations

import json
import shlex
from typing import Any

import botocore.session
import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge import policy
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._tokens.id_token import IdToken, claims_of, parse
from gcp_aws_bridge.doctor import Finding, diagnose, iam_role
from gcp_aws_bridge.doctor.differences import compare, corrected

from .pod import PROVIDER, ROLE, Pod, statement

NUMBER = "104203741234567890123"
OWN = "aws:123456789012:etl"
DEFAULT = "sts.amazonaws.com"


def found(pod: Pod, **arguments: Any) -> Finding | None:
    """Return the cause that the doctor reports, with the settings of the environment."""
    registry.clear()
    source = bridge.TokenFile(pod.arguments[-1]) if pod.arguments else None
    report = diagnose(arguments, botocore.session.Session(), token_source=source, timeout_s=30)
    return report.cause


def document_in(fix: str) -> dict[str, Any]:
    """Return the policy in the only command of *fix*, parsed as a shell does."""
    [command] = [line for line in fix.splitlines() if line.startswith("aws iam update-")]
    words = shlex.split(command)
    assert ["--role-name", "etl", "--policy-document"] == words[3:6]
    document: dict[str, Any] = json.loads(words[6])
    return document


def with_sid(**conditions: str) -> dict[str, Any]:
    return {**statement(**conditions), "Sid": "Kept"}


def token_of(pod: Pod, **claims: Any) -> IdToken:
    return parse(pod.cloud.mint(**claims), origin="test")


def admitted_by(pod: Pod, document: dict[str, Any], token: IdToken) -> dict[str, Any]:
    """Return the corrected document, after the emulated STS has admitted the token with it."""
    compared = compare(document, token, "123456789012")
    assert not compared.allowed
    made = corrected(document, compared.differences, token, policy.statement_for(claims_of(token)))
    pod.cloud.add_role(ROLE, made)
    registry.clear()
    source = lambda: token.raw  # noqa: E731
    assert bridge.credentials(ROLE, token_source=source).access_key.startswith("ASIA")
    return made


WRONG_POLICIES = {
    "another account": [with_sid(aud="9" * 21, oaud=DEFAULT, sub="9" * 21)],
    "another subject": [with_sid(aud=NUMBER, oaud=DEFAULT, sub="9" * 21)],
    "e-mail for subject": [statement(sub="etl@demo-project.iam.gserviceaccount.com")],
    "audience as party": [statement(aud=DEFAULT)],
    "provider for Google": [
        statement(
            "arn:aws:iam::123456789012:oidc-provider/accounts.google.com", aud=NUMBER, sub=NUMBER
        )
    ],
    "another action": [{**statement(aud=NUMBER, sub=NUMBER), "Action": "sts:AssumeRole"}],
    "none for Google": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "sts:AssumeRole",
        }
    ],
    "the second of two": [
        with_sid(aud="9" * 21, oaud="aws:another", sub="9" * 21),
        statement(aud=NUMBER, oaud=DEFAULT, sub="9" * 21),
    ],
}


def test_recommended_policy_admits_the_pod_and_keeps_the_rest(pod: Pod) -> None:
    statements = WRONG_POLICIES["the second of two"]
    pod.trusts(*statements)
    cause = found(pod)
    assert cause is not None
    assert "doctor/trust-policy" == cause.id
    repaired = document_in(cause.fix)
    assert json.loads(cause.wanted) == repaired
    assert [statements[0], statement(aud=NUMBER, oaud=DEFAULT, sub=NUMBER)] == repaired["Statement"]
    pod.cloud.add_role(ROLE, repaired)
    assert found(pod) is None


@pytest.mark.parametrize("statements", WRONG_POLICIES.values(), ids=list(WRONG_POLICIES))
def test_corrected_policy_of_any_kind_is_accepted_by_sts(
    pod: Pod, statements: list[dict[str, Any]]
) -> None:
    document = {"Version": "2012-10-17", "Statement": statements}
    made = admitted_by(pod, document, token_of(pod))
    for before, after in zip(statements, made["Statement"], strict=False):
        assert before.get("Sid") == after.get("Sid")
    assert len(statements) <= len(made["Statement"])


@pytest.mark.parametrize("extra", [{}, {"sub": "9" * 21}], ids=["audience alone", "and account"])
def test_audience_of_the_role_is_set_in_the_workload_and_never_replaced(
    pod: Pod, extra: dict[str, str]
) -> None:
    pod.trusts(statement(**{"aud": NUMBER, "oaud": OWN, "sub": NUMBER, **extra}))
    cause = found(pod)
    assert cause is not None
    assert "doctor/audience" == cause.id
    assert "comes from the default" in cause.seen
    assert f"export GCP_AWS_BRIDGE_AUDIENCE={OWN}" == cause.fix
    pod.set(GCP_AWS_BRIDGE_AUDIENCE=OWN)
    after = found(pod)
    if not extra:
        assert after is None
        return
    assert after is not None
    pod.cloud.add_role(ROLE, document_in(after.fix))
    assert found(pod) is None


def test_source_of_a_wrong_audience_is_named_and_corrected(pod: Pod) -> None:
    pod.trusts(statement(aud=NUMBER, oaud=OWN, sub=NUMBER))
    pod.set(GCP_OAUTH_AUD="https://old")
    cause = found(pod)
    assert cause is not None
    assert "comes from GCP_OAUTH_AUD" in cause.seen
    assert f"export GCP_AWS_BRIDGE_AUDIENCE={OWN}" == cause.fix
    cause = found(pod, audience="typed")
    assert cause is not None
    assert ("comes from the command line" in cause.seen, f"--audience {OWN}") == (True, cause.fix)
    assert found(pod, audience=OWN) is None


def test_profiles_audience_is_corrected_in_the_profile(pod: Pod) -> None:
    pod.trusts(statement(aud=NUMBER, oaud=OWN, sub=NUMBER))
    config = pod.folder / "config"
    config.write_text(f"{config.read_text()}gcp_audience = old\n")
    cause = found(pod)
    assert cause is not None
    assert f"# in the AWS profile:\ngcp_audience = {OWN}" == cause.fix
    config.write_text(config.read_text().replace("gcp_audience = old", cause.fix))
    assert found(pod) is None


def test_audience_of_a_projected_token_is_named_for_the_volume_too(pod: Pod) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER, client_ids=(OWN, DEFAULT))
    issuer = PROVIDER.removeprefix("https://")
    wanted = statement(provider.arn)
    subject = "system:serviceaccount:default:etl"
    wanted["Condition"] = {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": OWN}}
    pod.trusts(wanted)
    pod.id_token(provider.mint(subject))
    cause = found(pod)
    assert cause is not None
    assert "doctor/audience" == cause.id
    assert f"serviceAccountToken.audience: {OWN}" in cause.fix
    pod.set(GCP_AWS_BRIDGE_AUDIENCE=OWN)
    pod.id_token(provider.mint(subject, aud=OWN))
    assert found(pod) is None


def test_unreadable_role_has_its_checks_in_order_and_no_command_that_changes_it(pod: Pod) -> None:
    pod.cloud.add_role(ROLE, audience=OWN)
    cause = found(pod)
    assert cause is not None
    assert "exchange/denied" == cause.id
    assert 'The audience, "sts.amazonaws.com", is the default: ' in cause.seen
    assert "this setting is wrong, not the policy" in cause.seen
    order = ["aws iam get-role", "export GCP_AWS_BRIDGE_AUDIENCE=", "who should have the", "if so"]
    positions = [cause.fix.index(step) for step in order]
    assert sorted(positions) == positions
    assert "update-assume-role-policy" not in cause.fix
    pod.set(GCP_AWS_BRIDGE_AUDIENCE=OWN)  # as the third step says
    assert found(pod) is None


def test_statement_for_an_unreadable_role_admits_the_pod_when_it_is_added(pod: Pod) -> None:
    others = statement(aud="9" * 21, oaud="aws:another", sub="9" * 21)
    pod.cloud.add_role(ROLE, {"Version": "2012-10-17", "Statement": [others]})
    cause = found(pod)
    assert cause is not None
    added = json.loads(cause.fix.rpartition("\n")[2])
    pod.cloud.add_role(ROLE, {"Version": "2012-10-17", "Statement": [others, added]})
    assert found(pod) is None


def test_denying_statement_is_named_and_left_to_the_reader(pod: Pod) -> None:
    allow = statement(aud=NUMBER, sub=NUMBER)
    pod.trusts(allow, {**allow, "Effect": "Deny"})
    cause = found(pod)
    assert cause is not None
    assert ("Statement[1] (Deny)" in cause.seen, True) == (True, "update-" not in cause.fix)
    pod.cloud.add_role(ROLE, {"Version": "2012-10-17", "Statement": [allow]})  # as the fix says
    assert found(pod) is None


def test_role_that_does_not_exist_is_found_before_the_policy_is_blamed(pod: Pod) -> None:
    pod.iam()
    pod.cloud.remove_role(ROLE)
    cause = found(pod)
    assert cause is not None
    assert "doctor/no-such-role" == cause.id
    assert "update-" not in cause.fix
    pod.cloud.add_role(ROLE)
    assert found(pod) is None


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("AWS_ACCESS_KEY_ID", "the AWS keys here are incomplete"),
        ("AWS_SECRET_ACCESS_KEY", "there are no AWS keys here"),
    ],
)
def test_half_of_a_key_pair_is_a_finding_and_no_crash(pod: Pod, variable: str, reason: str) -> None:
    pod.cloud.remove_role(ROLE)
    pod.set(**{variable: "AKIAIOSFODNN7EXAMPLE"})
    cause = found(pod)
    assert cause is not None
    assert "exchange/denied" == cause.id
    assert reason in cause.seen


@pytest.mark.parametrize("answer", [{}, {"Arn": None}, {"Arn": "role"}, None])
def test_answer_of_iam_without_a_role_is_not_taken_for_a_missing_role(
    pod: Pod, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    pod.iam()
    pod.cloud.remove_role(ROLE)
    monkeypatch.setattr(iam_role, "_get_role_with", lambda *_: answer)
    cause = found(pod)
    assert cause is not None
    assert "exchange/denied" == cause.id
    assert "returned no role with an ARN" in cause.seen


def test_time_out_of_a_token_source_is_a_finding(pod: Pod) -> None:
    def source() -> str:
        raise TimeoutError

    report = diagnose({}, botocore.session.Session(), token_source=source, timeout_s=30)
    assert report.cause is not None
    assert "doctor/token-timeout" == report.cause.id


def test_path_of_the_role_is_taken_from_iam(pod: Pod) -> None:
    arn = "arn:aws:iam::123456789012:role/team/etl"
    document = json.dumps(pod.cloud.trust_policy_for())
    iam: Any = pod.iam()
    iam.create_role(RoleName="etl", Path="/team/", AssumeRolePolicyDocument=document)
    pod.cloud.remove_role(ROLE)
    pod.cloud.add_role(arn)
    cause = found(pod)
    assert cause is not None
    assert f"export GCP_AWS_BRIDGE_ROLE_ARN={arn}" == cause.fix
    pod.set(GCP_AWS_BRIDGE_ROLE_ARN=arn)
    assert found(pod) is None


def test_account_from_a_key_file_is_described_as_one(pod: Pod) -> None:
    pod.trusts(statement(aud=NUMBER, oaud=DEFAULT, sub=NUMBER))
    email = pod.cloud.service_account.email
    pod.id_token(pod.cloud.mint(azp=email, email=email))
    cause = found(pod)
    assert cause is not None
    assert f'if "{email}", from a key file, since azp is the e-mail, should have' in cause.fix
    pod.cloud.add_role(ROLE, document_in(cause.fix))
    assert found(pod) is None
    pod.arguments.clear()
    assert found(pod) is None  # the tokens of the metadata server are still admitted


def test_client_ids_of_a_clusters_provider_get_the_tokens_audience(pod: Pod) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER, client_ids=("another",))
    wanted = statement(provider.arn)
    issuer, subject = PROVIDER.removeprefix("https://"), "system:serviceaccount:default:etl"
    wanted["Condition"] = {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": DEFAULT}}
    pod.cloud.add_role(ROLE, {"Version": "2012-10-17", "Statement": [wanted]})
    pod.id_token(provider.mint(subject))
    cause = found(pod)
    assert cause is not None
    assert "exchange/invalid-token" == cause.id
    words = shlex.split(cause.fix.splitlines()[0])
    assert "add-client-id-to-open-id-connect-provider" == words[2]
    assert ["--open-id-connect-provider-arn", provider.arn, "--client-id", DEFAULT] == words[3:]
    del pod.cloud._accounts._providers["123456789012", PROVIDER]
    provider = pod.cloud.add_oidc_provider(PROVIDER, client_ids=("another", words[-1]))
    pod.id_token(provider.mint(subject))
    assert found(pod) is None


def test_role_of_the_same_name_in_another_account_is_not_recommended(pod: Pod) -> None:
    pod.trusts(statement(aud=NUMBER, oaud=DEFAULT, sub=NUMBER))
    there = "arn:aws:iam::210987654321:role/etl"
    pod.cloud.add_role(there, audience=OWN)
    pod.set(GCP_AWS_BRIDGE_ROLE_ARN=there)
    cause = found(pod)
    assert cause is not None
    assert "exchange/denied" == cause.id
    assert 'the AWS keys here are of another account, "123456789012"' in cause.seen
    assert ROLE not in cause.fix


@pytest.mark.parametrize("audience", ["aws:123456789012:*", "aws:it's $5"])
def test_audience_of_the_role_in_any_form_is_never_replaced(pod: Pod, audience: str) -> None:
    condition = {"StringLike": {"accounts.google.com:oaud": audience}}
    pod.trusts({**statement(aud=NUMBER, sub=NUMBER), "Condition": condition})
    cause = found(pod)
    assert cause is not None
    assert ("doctor/audience", False) == (cause.id, "update-" in cause.fix)
    [setting] = shlex.split(cause.fix, comments=True)[1:]
    admitted = audience.replace("*", "etl")
    name, _, named = setting.partition("=")
    pod.set(**{name: admitted if named == "AUDIENCE" else named})
    assert found(pod) is None


def test_line_break_in_the_audience_of_the_policy_is_corrected_there(pod: Pod) -> None:
    pod.trusts(statement(aud=NUMBER, oaud=f"{DEFAULT}\n", sub=NUMBER))
    cause = found(pod)
    assert cause is not None
    assert f'requires "{DEFAULT}", with a space or a line break around it' in cause.seen
    pod.cloud.add_role(ROLE, document_in(cause.fix))
    assert found(pod) is None


# -- the comparison ----------------------------------------------------------------------------


def test_list_of_other_workloads_is_added_to(pod: Pod) -> None:
    condition = {"StringEquals": {"accounts.google.com:sub": ["1" * 21, "2" * 21]}}
    document = {"Version": "2012-10-17", "Statement": {**statement(), "Condition": condition}}
    [made] = admitted_by(pod, document, token_of(pod))["Statement"]
    subjects = ["1" * 21, "2" * 21, NUMBER]
    assert {"StringEquals": {"accounts.google.com:sub": subjects}} == made["Condition"]


@pytest.mark.parametrize(
    "condition",
    [
        {"StringLike": {"accounts.google.com:sub": "9*"}},
        {"StringEqualsIgnoreCase": {"ACCOUNTS.google.com:SUB": ["1", "2"]}},
        {"ForAnyValue:StringEquals": {"accounts.google.com:aud": ["1"]}},
        {"StringEquals": {"accounts.google.com:aud": [DEFAULT, "x"]}},
    ],
    ids=str,
)
def test_condition_of_any_form_is_corrected(pod: Pod, condition: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": {**statement(), "Condition": condition}}
    before = json.dumps(document)
    made = admitted_by(pod, document, token_of(pod))
    assert before == json.dumps(document)
    rules = {one.rule for one in policy.lint(document)}
    assert {one.rule for one in policy.lint(made)} <= rules


@pytest.mark.parametrize(
    "condition",
    [
        {"StringNotEquals": {"accounts.google.com:sub": NUMBER}},
        {"Null": {"accounts.google.com:sub": "true"}},
        {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        {"Bool": {"aws:SecureTransport": "true"}},
    ],
    ids=str,
)
def test_condition_that_no_value_of_the_token_meets_is_not_changed(
    pod: Pod, condition: dict[str, Any]
) -> None:
    document = {"Version": "2012-10-17", "Statement": [{**statement(), "Condition": condition}]}
    token = token_of(pod)
    differing = compare(document, token, "123456789012").differences
    made = corrected(document, differing, token, policy.statement_for(claims_of(token)))
    assert document == made
    assert not compare(made, token, "123456789012").allowed  # so that no command is printed


def test_policy_that_no_value_of_the_token_meets_gets_no_command(pod: Pod) -> None:
    denied = {"StringNotEquals": {"accounts.google.com:sub": NUMBER}}
    pod.trusts({**statement(), "Condition": denied})
    cause = found(pod)
    assert cause is not None
    assert ("update-" in cause.fix, "aws iam get-role" in cause.fix) == (False, True)


def test_correction_of_action_or_principal_pins_every_key(pod: Pod) -> None:
    """Without conditions, the corrected statement would admit every Google account."""
    open_to_all = {"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}}
    own = {"Federated": "arn:aws:iam::123456789012:oidc-provider/https://accounts.google.com"}
    for wrong in (
        {**open_to_all, "Action": "sts:AssumeRole"},
        {**open_to_all, "NotAction": "sts:*"},
        {**open_to_all, "Action": "sts:AssumeRoleWithWebIdentity", "Principal": own},
        {
            **open_to_all,
            "Action": "sts:AssumeRole",
            "Condition": {"StringEqualsIfExists": {"accounts.google.com:sub": NUMBER}},
        },
    ):
        document = {"Version": "2012-10-17", "Statement": [wrong]}
        made = admitted_by(pod, document, token_of(pod))
        assert {"Effect", "Principal", "Action", "Condition"} == set(made["Statement"][0])
        assert [] == [one for one in policy.lint(made) if one.severity == "error"]


def test_other_principals_of_a_statement_keep_their_access(pod: Pod) -> None:
    shared = {
        "Effect": "Allow",
        "Principal": {
            "AWS": "arn:aws:iam::123456789012:root",
            "Federated": "arn:aws:iam::123456789012:oidc-provider/https://accounts.google.com",
        },
        "Action": "sts:AssumeRole",
    }
    made = admitted_by(pod, {"Version": "2012-10-17", "Statement": shared}, token_of(pod))
    assert [shared, statement(aud=NUMBER, oaud=DEFAULT, sub=NUMBER)] == made["Statement"]


def test_empty_list_of_a_condition_gets_the_tokens_value(pod: Pod) -> None:
    wrong = statement(aud=NUMBER, oaud=DEFAULT, sub=NUMBER)
    wrong["Condition"]["StringEquals"]["accounts.google.com:aud"] = []
    made = admitted_by(pod, {"Version": "2012-10-17", "Statement": [wrong]}, token_of(pod))
    assert [statement(aud=NUMBER, oaud=DEFAULT, sub=NUMBER)] == made["Statement"]


def test_denying_statement_that_does_not_apply_is_not_blamed(pod: Pod) -> None:
    denying = {**statement(), "Effect": "Deny", "Principal": "*"}
    denying["Condition"] = {"StringNotEquals": {"accounts.google.com:sub": NUMBER}}
    pod.trusts(denying)
    cause = found(pod)
    assert cause is not None
    assert "no statement allows it" in cause.seen
    assert "(Deny)" not in cause.seen
    pod.cloud.add_role(ROLE, document_in(cause.fix))
    assert found(pod) is None
