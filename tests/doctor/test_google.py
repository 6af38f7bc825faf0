"""The chain from AWS to Google: sound set-ups of each kind, and fixes that mend what they say."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge.cli import main
from gcp_aws_bridge.doctor.google import LINKS, commands, diagnose
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.google import Federation
from gcp_aws_bridge.testing import GkePod

from . import sockets
from .workload import EMAIL, ROLE, SESSION, Workload

AUDIENCE = (
    "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/aws"
    "/providers/eks"
)


@pytest.fixture
def at(
    gke_pod: GkePod, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workload]:
    with contextlib.ExitStack() as stack:
        yield Workload(gke_pod.cloud, monkeypatch, tmp_path, stack)


def cause(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    main(["doctor", "--google", "--json", *arguments])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["cause"]
    return found


def option(fix: str, name: str) -> list[str]:
    """The values of one option in the commands of a fix."""
    words = [word for line in fix.splitlines() for word in shlex.split(line, comments=False)]
    return [word.partition("=")[2] for word in words if word.startswith(f"--{name}=")]


def test_all_are_asked_at_the_same_time(at: Workload) -> None:
    at.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=at.provider.audience)
    with sockets.waiting_for_each_other(3) as ([sts, google, iam], barrier):
        at.set(AWS_ENDPOINT_URL_STS=sts.url)
        at.google_at(google.url, iam.url)
        report = diagnose({}, botocore.session.Session(), timeout_s=30)
    assert report.cause is not None
    assert ("google", False) == (report.cause.link, barrier.broken)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_for_the_same_provider_is_no_other_identity_in_any_encoding(
    at: Workload, encoding: str
) -> None:
    document = {"type": "external_account", "audience": at.provider.audience}
    path = at.folder / "google.json"
    path.write_text(json.dumps(document), encoding=encoding)
    at.set(GOOGLE_APPLICATION_CREDENTIALS=str(path))
    report = diagnose({"audience": at.provider.audience}, botocore.session.Session())
    assert None is report.cause


def test_every_link_needs_only_earlier_ones() -> None:
    names = [link.name for link in LINKS]
    for place, link in enumerate(LINKS):
        assert set(link.needs) <= set(names[:place])


# -- all well ----------------------------------------------------------------------------------


def _file(at: Workload) -> None:
    at.oidc_provider()
    at.token_file()


SOUND = {
    "eks": lambda at: at.runs_on("eks"),
    "irsa": lambda at: at.runs_on("irsa"),
    "ec2": lambda at: at.runs_on("ec2"),
    "ecs": lambda at: at.runs_on("ecs"),
    "lambda": lambda at: at.runs_on("lambda"),
    "sso": lambda at: at.runs_on("sso"),
    "token file": _file,
    "outbound": lambda at: at.outbound(),
}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("kind", SOUND)
def test_all_is_well_in_a_process_of_its_own(kind: str, at: Workload) -> None:
    SOUND[kind](at)
    at.google_file()
    if kind == "token file":
        at.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="token-file")
    command = [sys.executable, "-m", "gcp_aws_bridge", "doctor", "--google", "--timeout", "30"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (0, "") == (run.returncode, run.stderr), run.stdout
    assert run.stdout.startswith("Every step works.\n")


def test_it_costs_few_requests(at: Workload) -> None:
    assert 0 == main(["doctor", "--google"])
    cloud = at.cloud
    assert 1 == len(cloud.pod_identity.requests)
    assert ["GetCallerIdentity"] * 2 == [one.action for one in cloud.sts.requests]
    assert (2, 2) == (len(cloud.google_sts.requests), len(cloud.iam_credentials.requests))


def test_without_a_service_account_the_identity_itself_is_named(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.unset("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT")
    assert 0 == main(["doctor", "--google"])
    out = capsys.readouterr().out
    assert f"policies name it {at.provider.principal_set('attribute.aws_role', SESSION)};" in out
    assert not at.cloud.iam_credentials.requests


def test_the_command_line_comes_before_the_environment(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    audience = at.provider.audience
    at.set(
        GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=f"{audience}-old",
        GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT="someone@else.iam.gserviceaccount.com",
    )
    given = ["--audience", audience, "--service-account", EMAIL, "--source", "signed-request"]
    assert 0 == main(["doctor", "--google", *given])
    settings = capsys.readouterr().out.splitlines()[2]
    assert f'audience "{audience}" from the command line; service account "{EMAIL}"' in settings
    assert "signed GetCallerIdentity request, since it was asked for." in settings


def test_a_profile_that_is_named_is_the_one_that_signs(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.has_no_role()
    key = at.cloud.add_user()
    at.aws_config(
        f"[profile admin]\naws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key}\n"
    )
    found = cause(capsys, "--profile", "admin")
    assert "doctor/aws-long-lived-keys" == found["id"]
    assert "user/dev" in found["seen"]


def test_that_aws_is_not_reached_from_here_is_no_fault_where_google_asks_it(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.set(AWS_ENDPOINT_URL_STS=f"http://{at.closed()}")
    assert 0 == main(["doctor", "--google"])
    out = capsys.readouterr().out
    assert "note     sts       Not reached from here, and need not be (Google asks it)" in out
    assert "Whose they are could not be asked" in out
    at.account()
    assert "attribute.aws_role/arn:aws:sts::ACCOUNT:assumed-role/ROLE" in cause(capsys)["fix"]


def test_the_text_and_the_json_say_the_same(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    report = diagnose({}, botocore.session.Session())
    assert report.as_json()["ok"]
    assert [link.name for link in LINKS] == [one.link for one in report.findings]
    assert 0 == main(["doctor", "--google"])
    assert [one.link for one in report.findings] == [
        line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]
    ]


# -- what mends it, mends it -------------------------------------------------------------------


@pytest.mark.parametrize("is_pod", [False, True])
def test_the_binding_that_is_said_admits_it(
    is_pod: bool, at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_pod:
        _file(at)
    at.account()
    found = cause(capsys)
    members = option(found["fix"], "member")
    assert (["demo-project"] * len(members), ["roles/iam.workloadIdentityUser"] * len(members)) == (
        option(found["fix"], "project"),
        option(found["fix"], "role"),
    )
    at.account(members[0])
    assert 0 == main(["doctor", "--google"])


def test_the_binding_for_the_mapping_of_setup_is_said_too(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.oidc_provider(attribute_mapping={"google.subject": "'oidc:' + assertion.sub"})
    at.token_file()
    at.account()
    _, of_setup = option(cause(capsys)["fix"], "member")
    at.account(of_setup)
    assert 0 == main(["doctor", "--google"])


def test_the_condition_that_is_said_admits_the_role_and_no_other(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.aws_provider(attribute_condition="false")
    (condition,) = option(cause(capsys)["fix"], "attribute-condition")
    at.aws_provider(attribute_condition=condition)
    assert 0 == main(["doctor", "--google"])
    other = f"{ROLE}-staging"
    at.cloud.add_role(other, at.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
    at.cloud.pod_identity.associate("default", "etl", other)
    assert "exchange/google-condition" == cause(capsys)["id"]


def test_the_condition_that_is_said_admits_a_pod_by_its_token(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.oidc_provider(attribute_condition="false")
    at.token_file()
    (condition,) = option(cause(capsys)["fix"], "attribute-condition")
    at.oidc_provider(attribute_condition=condition)
    assert 0 == main(["doctor", "--google"])


def test_the_mapping_that_is_said_is_short_enough(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "publisher-of-orders-in-production-eu-west-1"
    role = f"arn:aws:iam::123456789012:role/{name}"
    at.cloud.add_role(role, at.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
    at.cloud.pod_identity.associate("default", "etl", role)
    at.aws_provider(attribute_mapping=None, attribute_condition=None)
    found = cause(capsys)
    arn = found["seen"].rpartition(" bytes: ")[2].strip('".')
    assert f"has {len(arn)} bytes" in found["seen"]
    assert len(arn) > 127
    (mapping,) = option(found["fix"], "attribute-mapping")
    pairs = dict(pair.split("=", 1) for pair in mapping.split(","))
    at.aws_provider(attribute_mapping=pairs, attribute_condition=None)
    at.account(at.provider.principal_set("attribute.aws_role", SESSION.replace("etl", name)))
    assert 0 == main(["doctor", "--google"])


def test_the_account_that_is_said_is_the_providers(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.aws_provider(account="210987654321")
    (account,) = option(cause(capsys)["fix"], "account-id")
    at.aws_provider(account=account)
    assert 0 == main(["doctor", "--google"])


def test_the_region_that_is_said_is_taken(at: Workload, capsys: pytest.CaptureFixture[str]) -> None:
    said = "Received invalid AWS response of type RegionDisabledException with error message: no."
    words = json.dumps({"error": "invalid_grant", "error_description": said})
    at.cloud.google_sts.inject(Fault.status(400, words, "application/json"), times=None)
    at.set(AWS_REGION="me-central-1", AWS_DEFAULT_REGION="me-central-1")
    found = cause(capsys)
    assert "exchange/google-aws-region" == found["id"]
    assert "me-central-1" in found["fix"]
    exported = dict(re.findall(r"(AWS_\w*REGION)=(\S+)", found["fix"].splitlines()[-1]))
    assert {"AWS_REGION", "AWS_DEFAULT_REGION"} == exported.keys()
    at.cloud.google_sts.clear_faults()
    at.set(**exported)
    assert 0 == main(["doctor", "--google"])


@pytest.mark.parametrize("source", ["signed request", "token file"])
def test_words_that_are_not_known_are_not_explained(
    source: str, at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    if source == "token file":
        _file(at)
    words = json.dumps({"error": "invalid_grant", "error_description": "Something new."})
    at.cloud.google_sts.inject(Fault.status(400, words, "application/json"), times=None)
    found = cause(capsys)
    assert "exchange/google-unknown" == found["id"]
    assert '"Something new."' in found["seen"]
    assert "not known to gcp-aws-bridge" in found["seen"]


def test_the_audience_that_is_said_is_taken(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.oidc_provider(allowed_audiences=["google"])
    at.token_file(at.cloud.eks_token(f"https:{at.provider.audience}"))
    (allowed,) = option(cause(capsys)["fix"], "allowed-audiences")
    at.oidc_provider(allowed_audiences=[allowed])
    assert 0 == main(["doctor", "--google"])


def test_the_trust_policy_that_is_said_admits_irsas_pod(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.runs_on("irsa")
    at.cloud.add_role(ROLE, at.cloud.trust_policy_for_irsa(namespace="staging"))
    policy = json.loads(cause(capsys)["wanted"])
    at.cloud.add_role(ROLE, policy)
    assert 0 == main(["doctor", "--google"])


def test_the_statement_that_is_said_admits_pod_identity(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.cloud.add_role(ROLE, at.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    statement = json.loads(cause(capsys)["wanted"])
    at.cloud.add_role(ROLE, {"Version": "2012-10-17", "Statement": [statement]})
    assert 0 == main(["doctor", "--google"])


# -- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--google", "--role-arn", ROLE], "--role-arn is not for --google"),
        (["--google", "--impersonate", EMAIL], "--impersonate is not for --google"),
        (["--service-account", EMAIL], "--service-account is for --google"),
        (["--source", "outbound"], "--source is for --google"),
    ],
)
def test_settings_of_the_other_direction_are_wrong_usage(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *arguments])
    assert 2 == caught.value.code
    assert says in capsys.readouterr().err


def test_without_google_auth_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    assert 1 == main(["doctor", "--google"])
    assert "pip install 'gcp-aws-bridge[google]'" in capsys.readouterr().err


# -- names from elsewhere ----------------------------------------------------------------------


UNUSED = botocore.session.Session()


def walk_of(caller: str = "", subject: str | None = None, issuer: str = "https://i") -> Walk:
    walk = Walk(arguments={}, session=UNUSED, timeout_s=1, world=REAL, caller=caller)
    walk.federation = Federation(AUDIENCE, EMAIL)
    if subject is not None:
        ends = datetime.max.replace(tzinfo=timezone.utc) - timedelta(days=1)
        walk.token = IdToken("x", issuer, ("a",), subject, None, None, ends)
    return walk


@given(name=st.text(min_size=1, max_size=90))
def test_commands_hold_names_from_elsewhere_as_one_word(name: str) -> None:
    for walk in (walk_of(subject=name), walk_of(caller=f"arn:aws:sts::1:assumed-role/{name}/s")):
        update = commands.update(walk, "attribute-condition", commands.condition(walk))
        for command, count in ((update, 7), (commands.bind(walk, commands.member(walk)), 9)):
            assert command.isprintable()
            words = shlex.split(command)
            assert ("gcloud", count) == (words[0], len(words)), words


@pytest.mark.parametrize("place", ["token", "agent", "instance", "google"])
def test_no_escape_sequence_from_elsewhere_reaches_the_terminal(
    place: str, at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\033[31m\x07"
    if place == "token":
        at.oidc_provider(attribute_condition="false")
        at.token_file(at.provider.mint(f"system:serviceaccount:default:{evil}"))
    elif place == "agent":
        at.cloud.pod_identity.inject(Fault.status(400, f"AccessDenied {evil}"), times=None)
    elif place == "instance":
        at.runs_on("ec2")
        at.cloud.imds.inject(Fault.body(evil), times=None, path="security-credentials/")
    else:
        words = json.dumps({"error": evil, "error_description": evil})
        fault = Fault.status(400, words, "application/json")
        at.cloud.google_sts.inject(fault, times=None)
    assert 1 == main(["doctor", "--google"])
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()


@pytest.mark.skipif(os.name != "posix", reason="a shell")
def test_a_token_in_an_address_is_not_shown(
    at: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    at.google_at(f"http://user:hunter2@{at.closed()}", at.cloud.iam_credentials.url)
    assert 1 == main(["doctor", "--google"])
    assert "hunter2" not in capsys.readouterr().out
