"""Parameters of AssumeRoleWithWebIdentity and AssumeRole, in the form of botocore's client."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from unit.servers import ROLE_ARN, id_token

from gcp_aws_bridge._sts.parameters import (
    chained_parameters,
    duration_seconds,
    web_identity_parameters,
)
from gcp_aws_bridge._tokens.id_token import parse
from gcp_aws_bridge.config import ChainedRole, Role

A, B = "arn:aws:iam::210987654321:role/a", "arn:aws:iam::333333333333:role/b"
POLICY, POLICY_ARN = '{"Version":"2012-10-17"}', "arn:aws:iam::aws:policy/ReadOnlyAccess"
NARROWED: dict[str, Any] = {"policy": POLICY, "policy_arns": [POLICY_ARN]}
SENT_POLICIES = {"Policy": POLICY, "PolicyArns": [{"arn": POLICY_ARN}]}
TOKEN = parse(id_token(), origin="test")
ME: dict[str, Any] = {"role_session_name": "me", "duration_seconds": 900}


def sent(arn: str, **more: Any) -> dict[str, Any]:
    return {"RoleArn": arn, "RoleSessionName": "me", "DurationSeconds": 900, **more}


@pytest.mark.parametrize("chain", [[], [A]], ids=["alone", "chained"])
def test_first_role_has_the_session_policies_only_without_a_chain(chain: list[str]) -> None:
    role = Role(ROLE_ARN, chain=chain, **NARROWED, **ME)
    wanted = sent(ROLE_ARN, WebIdentityToken=TOKEN.raw, **({} if chain else SENT_POLICIES))
    assert wanted == web_identity_parameters(TOKEN, role)


def test_plain_arns_have_the_settings_of_the_role_and_its_policies_are_for_the_last() -> None:
    role = Role(ROLE_ARN, chain=[A, B], **NARROWED, **ME)
    assert [sent(A), sent(B, **SENT_POLICIES)] == [chained_parameters(role, at) for at in (0, 1)]


def test_every_setting_of_a_chained_role_is_sent() -> None:
    own = ChainedRole(
        A,
        external_id="acme",
        tags={"tenant": "acme", "Stage": ""},
        transitive_tag_keys=["TENANT"],
        source_identity="etl",
        role_session_name="reader",
        duration_seconds=1800,
        **NARROWED,
    )
    assert {
        "RoleArn": A,
        "RoleSessionName": "reader",
        "DurationSeconds": 1800,
        "ExternalId": "acme",
        "Tags": [{"Key": "Stage", "Value": ""}, {"Key": "tenant", "Value": "acme"}],
        "TransitiveTagKeys": ["tenant"],
        "SourceIdentity": "etl",
        **SENT_POLICIES,
    } == chained_parameters(Role(ROLE_ARN, chain=[own], **ME), 0)


@pytest.mark.parametrize("own", [{"external_id": "acme"}, {"duration_seconds": 3600}], ids=str)
def test_what_a_chained_role_does_not_set_is_that_of_the_role(own: dict[str, Any]) -> None:
    parameters = chained_parameters(
        Role(ROLE_ARN, chain=[ChainedRole(A, **own)], **NARROWED, **ME), 0
    )
    assert SENT_POLICIES.items() <= parameters.items()
    assert ("me", own.get("duration_seconds", 900)) == (
        parameters["RoleSessionName"],
        parameters["DurationSeconds"],
    )


def test_policies_of_a_role_that_is_not_the_last_are_sent_for_it_only() -> None:
    role = Role(ROLE_ARN, chain=[ChainedRole(A, **NARROWED), B], **ME)
    assert [sent(A, **SENT_POLICIES), sent(B)] == [chained_parameters(role, at) for at in (0, 1)]
    both = Role(ROLE_ARN, chain=[ChainedRole(A, **NARROWED), B], policy='{"a":1}', **ME)
    assert [sent(A, **SENT_POLICIES), sent(B, Policy='{"a":1}')] == [
        chained_parameters(both, at) for at in (0, 1)
    ]


def test_default_session_name_is_the_same_for_all_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "pod-1")
    role = Role(ROLE_ARN, chain=[A, ChainedRole(B, external_id="acme")])
    requests = [
        web_identity_parameters(TOKEN, role),
        *(chained_parameters(role, i) for i in (0, 1)),
    ]
    assert ["pod-1"] * 3 == [request["RoleSessionName"] for request in requests]


def test_duration_of_each_role() -> None:
    role = Role(ROLE_ARN, chain=[ChainedRole(A, duration_seconds=900), B], duration_seconds=1800)
    assert [1800, 900, 1800] == [duration_seconds(role, at) for at in (None, 0, 1)]


def test_parameters_do_not_import_botocore() -> None:
    code = (
        "import sys, gcp_aws_bridge._sts.parameters as p, gcp_aws_bridge as bridge;"
        f"p.chained_parameters(bridge.Role({ROLE_ARN!r}, chain=[{A!r}]), 0);"
        "print([m for m in sys.modules if m.startswith('botocore') or m.endswith('chained_role')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
