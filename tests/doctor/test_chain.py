"""Denied chained roles: which side is named, and where a setting comes from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from gcp_aws_bridge import ChainedRole, policy
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import Finding, diagnose
from gcp_aws_bridge.emulator import Fault

from . import fixing
from .pod import NEAR, OTHER, ROLE, Pod

LAST = "arn:aws:iam::123456789012:role/last"


def found(*chain: Any, **arguments: Any) -> Finding | None:
    """Return the cause, with this chain as an argument or with that of the settings."""
    given = {"chain": [*chain]} if chain else {}
    session = botocore.session.Session()
    return diagnose({**given, **arguments}, session, timeout_s=30).cause


def trust(pod: Pod, role: str, *statements: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    pod.cloud.add_role(role, document)
    pod.iam().create_role(
        RoleName=role.rpartition("/")[2], AssumeRolePolicyDocument=json.dumps(document)
    )


def statement(*actions: str, principal: str = ROLE, **members: Any) -> dict[str, Any]:
    admitted = {"Effect": "Allow", "Principal": {"AWS": principal}}
    return {**admitted, "Action": ["sts:AssumeRole", *actions], **members}


def requires(**equals: Any) -> dict[str, Any]:
    keys = {name.replace("_", ":", 1).replace("__", "/"): one for name, one in equals.items()}
    return {"StringEquals": keys}


def test_request_has_what_the_session_inherits() -> None:
    first = ChainedRole(
        OTHER, tags={"team": "lake", "job": "1"}, transitive_tag_keys=["team"], source_identity="me"
    )
    role = Role(ROLE, role_session_name="pod-1", chain=[first, NEAR, ChainedRole(LAST, "tenant-7")])
    own, near, last = policy.requests_of(role)
    assert ({"job": "1", "team": "lake"}, {}) == (dict(own.tags), own.inherited_tags)
    assert (OTHER, {"team": "lake"}, "me") == (
        near.caller,
        near.inherited_tags,
        near.source_identity,
    )
    assert (NEAR, {"team": "lake"}, "me", "tenant-7") == (
        last.caller,
        last.inherited_tags,
        last.source_identity,
        last.external_id,
    )
    assert {"pod-1"} == {one.role_session_name for one in (own, near, last)}


def test_external_id_is_set_in_the_profile_that_names_the_chain(pod: Pod) -> None:
    trust(pod, NEAR, statement(Condition=requires(sts_ExternalId="tenant-7")))
    keys = Path(pod.folder / "config").read_text()
    pod.aws_config(f"{keys}gcp_chain = {NEAR}\n")
    cause = found()
    assert cause is not None
    assert "doctor/external-id" == cause.id
    comment, setting = cause.fix.splitlines()
    assert "# in the AWS profile:" == comment
    pod.aws_config(f"{keys}{setting}\n")
    assert found() is None


def test_external_id_in_the_environment_keeps_the_other_settings(pod: Pod) -> None:
    trust(pod, NEAR, statement("sts:TagSession", Condition=requires(sts_ExternalId="tenant-7")))
    role = {"arn": NEAR, "external_id": "tenant-8", "tags": {"tenant": "seven of 9"}}
    pod.set(GCP_AWS_BRIDGE_CHAIN=json.dumps([role]))
    cause = found()
    assert cause is not None
    name, _, value = cause.fix.removeprefix("export ").partition("=")
    [text] = shlex.split(value)
    assert [{**role, "external_id": "tenant-7"}] == json.loads(text)
    pod.set(**{name: text})
    assert found() is None


def test_session_name_that_the_policy_requires_is_named(pod: Pod) -> None:
    trust(pod, NEAR, statement(Condition=requires(sts_RoleSessionName="nightly")))
    cause = found(NEAR)
    assert cause is not None
    assert "doctor/chain-trust-policy" == cause.id
    assert "sts:RoleSessionName: the request's RoleSessionName is \"" in cause.seen
    assert found(NEAR, role_session_name="nightly") is None


def test_external_id_is_corrected_before_the_tags(pod: Pod) -> None:
    condition = requires(**{"sts_ExternalId": "tenant-7", "aws_RequestTag__tenant": "seven"})
    trust(pod, NEAR, statement("sts:TagSession", Condition=condition))
    first = found(NEAR)
    assert first is not None
    assert "doctor/external-id" == first.id
    second = found(ChainedRole(NEAR, external_id="tenant-7"))
    assert second is not None
    assert "doctor/chain-trust-policy" == second.id
    assert "aws:RequestTag/tenant: the request has no such key" in second.seen
    assert found(ChainedRole(NEAR, "tenant-7", tags={"tenant": "seven"})) is None


def test_pattern_of_external_ids_is_not_suggested_as_one(pod: Pod) -> None:
    condition = {"StringLike": {"sts:ExternalId": "tenant-*"}}
    trust(pod, NEAR, statement(Condition=condition))
    cause = found(NEAR)
    assert cause is not None
    assert "doctor/external-id" == cause.id
    assert f"--chain {NEAR} --external-id ID" == cause.fix


def test_external_id_of_another_principal_is_not_suggested(pod: Pod) -> None:
    own = requires(sts_ExternalId="tenant-7")
    pod.cloud.add_role(OTHER)
    trust(pod, NEAR, statement(principal=OTHER, Condition=own))
    cause = found(NEAR)
    assert cause is not None
    assert "doctor/chain-trust-policy" == cause.id
    [added] = json.loads(cause.wanted)["Statement"][1:]
    assert {"AWS": ROLE} == added["Principal"]


def test_inherited_tags_need_the_action_at_the_next_role(pod: Pod) -> None:
    admitted = statement("sts:TagSession")
    pod.cloud.add_role(NEAR, {"Version": "2012-10-17", "Statement": [admitted]})
    trust(pod, LAST, statement(principal=NEAR))
    near = ChainedRole(NEAR, tags={"tenant": "seven"}, transitive_tag_keys=["tenant"])
    cause = found(near, LAST)
    assert cause is not None
    assert "doctor/chain-trust-policy" == cause.id
    assert f"The trust policy of {LAST} does not allow sts:TagSession to {NEAR}" in cause.seen
    assert ["sts:AssumeRole", "sts:TagSession"] == json.loads(cause.wanted)["Statement"][0][
        "Action"
    ]
    pod.cloud.add_role(LAST, cause.wanted)
    assert found(near, LAST) is None


def test_denial_is_left_to_the_reader(pod: Pod) -> None:
    trust(pod, NEAR, statement(), {**statement(), "Effect": "Deny"})
    cause = found(NEAR)
    assert cause is not None
    assert "Statement[1] (Deny) holds: Principal names" in cause.seen
    assert cause.fix.startswith("aws iam get-role --role-name near ")
    assert "update-assume-role-policy" not in cause.fix


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "its trust policy does not decide: "),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "not evaluated: StringEquals aws:Prin"),
    ],
)
def test_condition_that_is_not_evaluated_is_named(pod: Pod, condition: Any, seen: str) -> None:
    trust(pod, NEAR, statement(Condition=condition))
    cause = found(NEAR)
    assert cause is not None
    assert "exchange/chained-role" == cause.id
    assert seen in cause.seen


def test_role_of_that_name_elsewhere_is_not_compared(pod: Pod) -> None:
    pod.iam()
    pod.cloud.add_role(NEAR)
    cause = found(NEAR)
    assert cause is not None
    assert "the account of the AWS keys here has no such role" in cause.seen


@pytest.mark.parametrize(
    ("reason", "one_side"),
    [
        ("because no role trust policy allows the sts:TagSession action", True),
        ("because no resource-based policy allows the sts:TagSession action", True),
        ("with an explicit deny in a service control policy", False),
    ],
)
def test_side_that_aws_names_is_corrected(pod: Pod, reason: str, one_side: bool) -> None:
    pod.cloud.add_role(OTHER)
    words = f"User: x is not authorized to perform: sts:TagSession on resource: {OTHER} {reason}"
    fault = Fault.aws_error("AccessDenied", words, 403)
    pod.cloud.sts.inject(fault, times=None, action="AssumeRole")
    cause = found(ChainedRole(OTHER, tags={"tenant": "seven"}))
    assert cause is not None
    assert f"AWS denied sts:TagSession on {OTHER} to {ROLE}: " in cause.seen
    assert "external ID" not in cause.seen
    assert ("put-role-policy" not in cause.fix) is one_side
    assert f"add this statement to the trust policy of {OTHER}:" in cause.fix


def test_both_commands_of_a_finding_without_a_side_are_applied(pod: Pod) -> None:
    pod.cloud.add_role(OTHER)
    chained = ChainedRole(OTHER, "tenant-7", tags={"tenant": "seven"}, source_identity="nightly")
    cause = found(chained)
    assert cause is not None
    finding = {"id": cause.id, "fix": cause.fix, "seen": cause.seen, "wanted": cause.wanted}
    fixing.apply(pod, "", finding)
    assert found(chained) is None
