"""Chained roles with MiniStack, which implements trust policies and session tags on its own."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import CredentialRetrievalError
from integration.ministack import is_installed, ministack, root_client

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ExchangeError

ROLE = "arn:aws:iam::123456789012:role/etl"
READER = "arn:aws:iam::210987654321:role/reader"
WRITER = "arn:aws:iam::333333333333:role/writer"
_number = itertools.count()  # each attempt has a session name of its own, and so its own request


@pytest.fixture(scope="session")
def server(cloud: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not is_installed():
        assert os.environ.get("NOX_CURRENT_SESSION") != "integration", "ministack is missing"
        pytest.skip("no MiniStack here: nox -s integration")
    with ministack(tmp_path_factory.mktemp("ministack")) as url:
        account = cloud.service_account.unique_id
        trust = {"Federated": "accounts.google.com"}
        sub = {"accounts.google.com:sub": account}  # it does not know :oaud
        create(url, ROLE, policy("sts:AssumeRoleWithWebIdentity", Principal=trust, **equals(sub)))
        for arn in (READER, WRITER):
            create(url, arn, policy("sts:AssumeRole", Principal={"AWS": ROLE}))
        yield url


def policy(*actions: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": [*actions], **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def equals(conditions: dict[str, str]) -> dict[str, Any]:
    return {"Condition": {"StringEquals": conditions}} if conditions else {}


def create(url: str, arn: str, trust: str) -> None:
    name = arn.rpartition("/")[2]
    iam = root_client("iam", url, arn.split(":")[4])
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    permissions = policy("sts:AssumeRole", "sts:TagSession", Resource="*")
    iam.put_role_policy(RoleName=name, PolicyName="chain", PolicyDocument=permissions)


def admit(url: str, arn: str, previous: str, *actions: str, **conditions: str) -> None:
    """Replace the trust policy of *arn*."""
    document = policy(*actions, Principal={"AWS": previous}, **equals(conditions))
    iam = root_client("iam", url, arn.split(":")[4])
    iam.update_assume_role_policy(RoleName=arn.rpartition("/")[2], PolicyDocument=document)


def assumed(*chain: bridge.ChainedRole | str) -> str:
    session = bridge.session(ROLE, chain=chain, role_session_name=f"attempt-{next(_number)}")
    return str(session.client("sts").get_caller_identity()["Arn"])


def denied(*chain: bridge.ChainedRole | str) -> ExchangeError:
    with pytest.raises(CredentialRetrievalError) as caught:
        assumed(*chain)
    error = caught.value.__cause__
    assert isinstance(error, ExchangeError)
    assert ("AccessDenied", "exchange/chained-role") == (error.code, error.error_id)
    return error


def test_role_is_assumed_only_with_its_external_id(server: str) -> None:
    admit(server, READER, ROLE, "sts:AssumeRole", **{"sts:ExternalId": "acme:42/+"})
    reader = bridge.ChainedRole(READER, external_id="acme:42/+", role_session_name="of-acme")
    assert "arn:aws:sts::210987654321:assumed-role/reader/of-acme" == assumed(reader)
    assert 'than "acme:43"' in denied(bridge.ChainedRole(READER, external_id="acme:43")).details
    assert "no external ID is sent" in denied(READER).details


def test_role_is_assumed_only_with_its_tags(server: str) -> None:
    tags = {"tenant": "acme", "cost center": "a/b+c=d"}
    conditions = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    actions = ("sts:AssumeRole", "sts:TagSession")
    admit(server, READER, ROLE, *actions, **conditions)
    tagged = bridge.ChainedRole(READER, tags=tags, transitive_tag_keys=["tenant"])
    assert ":210987654321:assumed-role/reader/" in assumed(tagged)
    other = bridge.ChainedRole(READER, tags={**tags, "tenant": "other"})
    assert "tags are sent" in denied(other).details
    denied(READER)


def test_denied_tag_session_is_named_and_its_fix_works(server: str) -> None:
    admit(server, READER, ROLE, "sts:AssumeRole")
    tagged = bridge.ChainedRole(READER, tags={"tenant": "acme"})
    fix = denied(tagged).fix
    assert f"allow sts:TagSession on {READER} in the permissions of {ROLE}, and in the" in fix
    admit(server, READER, ROLE, "sts:AssumeRole", fix.split()[1])
    assert ":210987654321:assumed-role/reader/" in assumed(tagged)


def test_each_role_of_a_chain_has_its_own_settings(server: str) -> None:
    admit(server, READER, ROLE, "sts:AssumeRole", **{"sts:ExternalId": "first"})
    admit(server, WRITER, READER, "sts:AssumeRole", **{"sts:ExternalId": "second"})
    first = bridge.ChainedRole(READER, external_id="first", role_session_name="one")
    second = bridge.ChainedRole(WRITER, external_id="second", role_session_name="two")
    assert "arn:aws:sts::333333333333:assumed-role/writer/two" == assumed(first, second)
    assert f"Assuming {WRITER} from {READER} failed" in denied(first, WRITER).message
    assert f"Assuming {READER} from {ROLE} failed" in denied(READER, second).message


def test_session_policy_of_a_role_that_is_not_the_last_limits_what_is_assumed_next(
    server: str,
) -> None:
    admit(server, READER, ROLE, "sts:AssumeRole")
    admit(server, WRITER, READER, "sts:AssumeRole")
    for resource, is_allowed in ((WRITER, True), (READER, False)):
        narrowed = bridge.ChainedRole(READER, policy=policy("sts:AssumeRole", Resource=resource))
        if is_allowed:
            assert ":assumed-role/writer/" in assumed(narrowed, WRITER)
        else:
            assert f"session policy of {READER} must allow it" in denied(narrowed, WRITER).details
