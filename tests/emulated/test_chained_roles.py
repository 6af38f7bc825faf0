"""Chained roles with settings of their own: every entry point, and what AWS denies."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import commands
import pytest
from botocore.exceptions import CredentialRetrievalError
from fakes import POLICY

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._sts.persistence import aws_json
from gcp_aws_bridge.cli import _cached, _role_options, _serving, serve
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ExchangeError

ROLE = "arn:aws:iam::123456789012:role/etl"
TARGET = "arn:aws:iam::210987654321:role/reader"
LAST = "arn:aws:iam::333333333333:role/last"
OWN = bridge.ChainedRole(
    TARGET,
    external_id="acme:42",
    tags={"tenant": "acme", "Stage": "prod"},
    transitive_tag_keys=["tenant"],
    source_identity="etl",
    role_session_name="reader-of-acme",
)
FIELDS = {
    "arn": TARGET,
    "external_id": "acme:42",
    "tags": {"tenant": "acme", "Stage": "prod"},
    "transitive_tag_keys": ["tenant"],
    "source_identity": "etl",
    "role_session_name": "reader-of-acme",
}
ASSUMED = "arn:aws:sts::210987654321:assumed-role/reader/reader-of-acme"
ACTIONS = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
CONDITIONS = {
    "sts:ExternalId": "acme:42",
    "aws:RequestTag/tenant": "acme",
    "sts:SourceIdentity": "etl",
}


def trusting(arn: str, *actions: str, **conditions: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": [*actions] or [*ACTIONS],
    }
    if conditions:
        statement["Condition"] = {"StringEquals": conditions}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture(autouse=True)
def tenant(pod: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Add the role of a tenant, whose trust policy requires every setting of `OWN`."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    pod.add_role(TARGET, trusting(ROLE, **CONDITIONS))
    for action in ACTIONS:
        pod.allow(ROLE, action, on=TARGET)
    return pod


def identity(session: Any) -> str:
    client = getattr(session, "client", None) or session.create_client
    return str(client("sts", region_name="us-east-1").get_caller_identity()["Arn"])


def of_keys(keys: dict[str, str]) -> str:
    return identity(
        boto3.Session(
            keys.get("AccessKeyId") or keys["AWS_ACCESS_KEY_ID"],
            keys.get("SecretAccessKey") or keys["AWS_SECRET_ACCESS_KEY"],
            keys.get("SessionToken") or keys["AWS_SESSION_TOKEN"],
        )
    )


def of_frozen(frozen: Any) -> str:
    return identity(boto3.Session(frozen.access_key, frozen.secret_key, frozen.token))


def chained_requests(pod: Emulator) -> list[dict[str, str]]:
    return [dict(request.params) for request in pod.sts.requests if request.action == "AssumeRole"]


# -- entry points --------------------------------------------------------------------------------


def registered(**environ: str) -> str:
    session = botocore.session.Session()
    bridge.register(session)
    return identity(session)


def with_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    text = json.dumps([FIELDS], indent=2).replace("\n", "\n ")
    (folder / "config").write_text(f"[profile acme]\ngcp_role_arn = {ROLE}\ngcp_chain = {text}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    bridge.install()
    return identity(boto3.Session(profile_name="acme"))


def with_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.setenv("GCP_AWS_BRIDGE_CHAIN", json.dumps(FIELDS))
    return registered()


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    bridge.install(bridge.Role(ROLE, chain=[OWN]))
    return identity(boto3.Session())


OPTIONS = ("--role-arn", ROLE, "--chain", TARGET, "--external-id", "acme:42", "--tag", "Stage=prod")
OPTIONS += ("--tag", "tenant=acme", "--transitive-tag-key", "tenant", "--source-identity", "etl")
OPTIONS += ("--role-session-name", "reader-of-acme")


def by_env(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    done = commands.run("env", "--shell", "json", "--cache-dir", str(folder), *OPTIONS)
    assert 0 == done.returncode, done.stderr
    return of_keys(json.loads(done.stdout))


def by_credential_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    arguments = ("--role-arn", ROLE, "--chain", json.dumps(FIELDS), "--cache-dir", str(folder))
    first, second = (commands.run("credential-process", *arguments) for _ in range(2))
    assert (0, first.stdout) == (first.returncode, second.stdout), first.stderr
    return of_keys(json.loads(first.stdout))


def by_exec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    command = [sys.executable, "-m", "gcp_aws_bridge", "exec", *OPTIONS, "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


def by_serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    parser = argparse.ArgumentParser()
    serve.configure(parser)
    served = _serving.caches_of(parser.parse_args(OPTIONS), [f"acme={ROLE}"])
    return of_keys(aws_json(served["acme"].get()))


ENTRY_POINTS: dict[str, Callable[[Path, pytest.MonkeyPatch], str]] = {
    "session": lambda *_: identity(bridge.session(ROLE, chain=[OWN])),
    "Role": lambda *_: identity(bridge.session(bridge.Role(ROLE, chain=[OWN]))),
    "unpickled": lambda *_: identity(
        pickle.loads(pickle.dumps(bridge.session(ROLE, chain=[OWN], region_name="us-east-1")))
    ),
    "credentials": lambda *_: of_frozen(
        bridge.credentials(ROLE, chain=[OWN]).get_frozen_credentials()
    ),
    "adapter": lambda *_: of_keys(aws_json(Adapter(ROLE, chain=[OWN])._cache.get())),
    "profile": with_profile,
    "environment": with_environment,
    "install": installed,
    "env": by_env,
    "credential-process": by_credential_process,
    "exec": by_exec,
    "serve": by_serve,
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_entry_point_sends_the_settings_of_the_chained_role(
    name: str, tenant: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ASSUMED == ENTRY_POINTS[name](tmp_path, monkeypatch)
    [sent] = chained_requests(tenant)
    expected = {
        "ExternalId": "acme:42",
        "Tags.member.1.Key": "Stage",
        "Tags.member.1.Value": "prod",
        "Tags.member.2.Key": "tenant",
        "Tags.member.2.Value": "acme",
        "TransitiveTagKeys.member.1": "tenant",
        "SourceIdentity": "etl",
    }
    assert expected.items() <= sent.items()


def test_doctor_assumes_a_chained_role_with_its_settings(tenant: Emulator) -> None:
    done = commands.run("doctor", "--json", *OPTIONS)
    report = json.loads(done.stdout)
    assert 0 == done.returncode, done.stdout
    settings, *_ = report["findings"]
    for shown in (f"chain \"{TARGET} (external_id acme:42, tags {{'Stage'", "source_identity etl"):
        assert shown in settings["seen"]
    assert ASSUMED in done.stdout


# -- what is shared ------------------------------------------------------------------------------


def test_requests_share_credentials_only_if_the_chained_roles_are_equal(tenant: Emulator) -> None:
    tenant.add_role(TARGET, trusting(ROLE))
    variants = [
        OWN,
        dataclasses.replace(OWN, external_id="acme:43"),
        dataclasses.replace(OWN, tags={"tenant": "other"}),
        dataclasses.replace(OWN, transitive_tag_keys=[]),
        dataclasses.replace(OWN, source_identity="me"),
        dataclasses.replace(OWN, role_session_name="other"),
        dataclasses.replace(OWN, duration_seconds=900),
        dataclasses.replace(OWN, policy=POLICY),
        TARGET,
    ]
    for one in variants:
        identity(bridge.session(ROLE, chain=[one]))
    assert len(variants) == len(chained_requests(tenant))
    same = dataclasses.replace(OWN, tags=dict(reversed(FIELDS["tags"].items())))  # type: ignore[attr-defined]
    for again in (same, FIELDS, bridge.ChainedRole(TARGET), {"arn": TARGET}):
        identity(bridge.session(ROLE, chain=[again]))  # type: ignore[list-item]
    assert len(variants) == len(chained_requests(tenant))


@pytest.mark.parametrize(
    "more",
    [
        ("--external-id", "acme"),
        ("--tag", "tenant=acme"),
        ("--source-identity", "etl"),
        ("--sts-region", "eu-west-1"),
    ],
    ids=str,
)
def test_option_of_a_chained_role_changes_the_cache_key(more: tuple[str, ...]) -> None:
    assert key("--chain", TARGET) != key("--chain", TARGET, *more)


def key(*arguments: str) -> str:
    parser = argparse.ArgumentParser()
    _cached.add_options(parser)
    return _cached.request_key(_role_options.given(parser.parse_args(arguments)), {"HOME": "/h"})


# -- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "seen"),
    [
        (("--external-id", "acme"), 2, "--external-id: must follow the --chain ARN"),
        (("--tag", "a=b", "--chain", TARGET), 2, "--tag: must follow the --chain ARN"),
        (("--chain", TARGET, "--tag", "tenant"), 2, "'tenant' is not KEY=VALUE"),
        (("--chain", TARGET, "--tag", "a=1", "--tag", "a=2"), 2, "--tag: is given twice"),
        (
            ("--chain", TARGET, "--external-id", "ab", "--external-id", "cd"),
            2,
            "--external-id: is given twice",
        ),
        (("--chain", json.dumps(FIELDS), "--external-id", "ab"), 2, "is given twice"),
        (("--chain", '{"arn": "a", "tags": [1]}', "--tag", "a=1"), 2, "is given twice"),
        (
            ("--chain", '{"arn": "a", "transitive_tag_keys": 5}', "--transitive-tag-key", "k"),
            2,
            "is given twice",
        ),
        (("--chain", "{"), 2, "--chain: The chain in --chain is not JSON"),
        (("--chain", json.dumps({"arn": TARGET, "name": "x"})), 1, "[config/chain]"),
        (("--chain", TARGET, "--external-id", "x"), 1, "[config/external-id]"),
        (("--chain", TARGET, "--transitive-tag-key", "x"), 1, "[config/transitive-tags]"),
        (("--chain", TARGET, "--tag", "a=1", "--tag", "A=2"), 1, "[config/tags]"),
        (("--sts-region", "cn-north-1"), 1, "[config/sts-regions]"),
    ],
    ids=str,
)
def test_wrong_options_of_a_chained_role_are_an_error(
    arguments: tuple[str, ...], status: int, seen: str, tenant: Emulator
) -> None:
    done = commands.run("env", "--no-cache", "--role-arn", ROLE, *arguments)
    assert (status, "") == (done.returncode, done.stdout)
    assert seen in done.stderr
    assert [] == tenant.sts.requests


def test_options_belong_to_the_chained_role_before_them(tenant: Emulator) -> None:
    tenant.add_role(LAST, trusting(TARGET, **{"sts:ExternalId": "last"}))
    for action in ACTIONS:
        tenant.allow(TARGET, action, on=LAST)
    done = commands.run(
        "env", "--shell", "json", "--no-cache", *OPTIONS, "--chain", LAST, "--external-id", "last"
    )
    assert 0 == done.returncode, done.stderr
    assert "333333333333:assumed-role/last/" in of_keys(json.loads(done.stdout))
    assert ["acme:42", "last"] == [sent["ExternalId"] for sent in chained_requests(tenant)]


def test_options_without_google_are_an_error_with_it() -> None:
    done = commands.run("doctor", "--google", "--sts-region", "eu-west-1")
    assert 2 == done.returncode
    assert "--sts-region is not for --google" in done.stderr


# -- denied --------------------------------------------------------------------------------------


def denied(chain: list[Any]) -> ExchangeError:
    with pytest.raises(CredentialRetrievalError) as caught:
        identity(bridge.session(ROLE, chain=chain))
    error = caught.value.__cause__
    assert isinstance(error, ExchangeError)
    assert "exchange/chained-role" == error.error_id
    return error


@pytest.mark.parametrize("external_id", [None, "acme:43", "ACME:42"])
def test_wrong_external_id_is_named_and_the_right_one_is_accepted(external_id: str | None) -> None:
    error = denied([dataclasses.replace(OWN, external_id=external_id)])
    seen = "no external ID is sent" if external_id is None else f'than "{external_id}"'
    assert seen in error.details
    assert "sts:ExternalId" in error.details
    assert ASSUMED == identity(bridge.session(ROLE, chain=[OWN]))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("side", ["trust policy", "permissions"])
def test_fix_for_a_missing_action_lets_the_next_attempt_succeed(
    action: str, side: str, tenant: Emulator
) -> None:
    others = [one for one in ACTIONS if one != action]
    if side == "trust policy":
        tenant.add_role(TARGET, trusting(ROLE, *others, **CONDITIONS))
    else:
        tenant.remove_role(ROLE)
        tenant.add_role(ROLE)
        tenant.add_role(TARGET, trusting(ROLE, **CONDITIONS))  # the new role, by its unique id
        for one in others:
            tenant.allow(ROLE, one, on=TARGET)
    error = denied([OWN])
    found = re.match(r"allow (\S+) on (\S+) in the permissions of (\S+), and ", error.fix)
    assert found is not None
    assert (action, TARGET, ROLE) == found.groups()
    assert f"in the trust policy of {TARGET}" in error.fix
    tenant.add_role(TARGET, trusting(found[3], *others, found[1], **CONDITIONS))
    tenant.allow(found[3], found[1], on=found[2])
    fresh = bridge.session(ROLE, chain=[OWN], role_session_name="after-the-fix")
    assert ASSUMED == identity(fresh)


def test_session_policy_of_a_previous_role_that_denies_the_next_is_named(tenant: Emulator) -> None:
    tenant.add_role(LAST, trusting(TARGET))
    for action in ACTIONS:
        tenant.allow(TARGET, action, on=LAST)
    error = denied([dataclasses.replace(OWN, policy=POLICY), LAST])
    assert f"the session policy of {TARGET} must allow it" in error.details
    chaining = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*"}]}
    chaining["Statement"][0]["Resource"] = "*"  # type: ignore[index]
    narrowed = dataclasses.replace(OWN, policy=chaining)
    assert "role/last/" in identity(bridge.session(ROLE, chain=[narrowed, LAST]))
