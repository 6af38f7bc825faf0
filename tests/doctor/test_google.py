"""The checks from AWS to Google: working set-ups of each kind, and fixes that work."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge.cli import main
from gcp_aws_bridge.doctor.google import CHECKS, commands, diagnose, reach
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.network import Endpoint
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
def workload(
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
    """Return the values of one option in the commands of a fix."""
    words = [word for line in fix.splitlines() for word in shlex.split(line, comments=False)]
    return [word.partition("=")[2] for word in words if word.startswith(f"--{name}=")]


def test_all_servers_are_asked_at_the_same_time(workload: Workload) -> None:
    workload.set(GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=workload.provider.audience)
    with sockets.waiting_for_each_other(3) as ([sts, google, iam], barrier):
        workload.set(AWS_ENDPOINT_URL_STS=sts.url)
        workload.google_at(google.url, iam.url)
        report = diagnose({}, botocore.session.Session(), timeout_s=30)
    assert report.cause is not None
    assert ("google", False) == (report.cause.link, barrier.broken)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_file_for_the_same_provider_in_any_encoding_is_no_other_identity(
    workload: Workload, encoding: str
) -> None:
    document = {"type": "external_account", "audience": workload.provider.audience}
    path = workload.folder / "google.json"
    path.write_text(json.dumps(document), encoding=encoding)
    workload.set(GOOGLE_APPLICATION_CREDENTIALS=str(path))
    report = diagnose({"audience": workload.provider.audience}, botocore.session.Session())
    assert None is report.cause


def test_missing_default_file_of_certificates_is_named() -> None:
    error = OSError("Could not find a suitable TLS CA certificate bundle, invalid path: x")
    finding = reach._failure(Endpoint("google", "https://sts.googleapis.com", ""), error)
    assert "doctor/google-tls" == finding.id
    assert "certifi" in finding.fix


@pytest.mark.parametrize("scheme", ["", "http://", "https://"])
def test_password_of_a_proxy_is_not_shown(scheme: str) -> None:
    proxy = f"{scheme}user:secretpw@proxy.example.invalid:3128"
    endpoint = Endpoint("google", "https://sts.googleapis.com", proxy)
    shown = f"{endpoint.works()}{endpoint.bad_proxy('doctor/google-proxy', 'x')}"
    assert f'"{scheme}proxy.example.invalid:3128"' in shown
    assert "secretpw" not in shown


def test_every_check_needs_only_earlier_ones() -> None:
    names = [check.name for check in CHECKS]
    for index, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:index])


# -- success ------------------------------------------------------------------------------------


def _file(workload: Workload) -> None:
    workload.oidc_provider()
    workload.token_file()


def _sso(workload: Workload) -> None:
    workload.runs_on("sso")
    workload.signs_in()


WORKING = {
    "eks": lambda workload: workload.runs_on("eks"),
    "irsa": lambda workload: workload.runs_on("irsa"),
    "ec2": lambda workload: workload.runs_on("ec2"),
    "ecs": lambda workload: workload.runs_on("ecs"),
    "lambda": lambda workload: workload.runs_on("lambda"),
    "sso": _sso,
    "token file": _file,
    "outbound": lambda workload: workload.outbound(),
}


COMMAND = ["doctor", "--google", "--timeout", "30"]


def set_up(workload: Workload, kind: str) -> None:
    WORKING[kind](workload)
    workload.google_file()
    if kind == "token file":
        workload.set(GCP_AWS_BRIDGE_GOOGLE_SOURCE="token-file")


@pytest.mark.sampled(7)
@pytest.mark.parametrize("kind", WORKING)
def test_every_step_works(
    kind: str, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(workload, kind)
    assert 0 == main(COMMAND)
    output = capsys.readouterr()
    assert ("", True) == (output.err, output.out.startswith("All well: every step works.\n"))


def test_every_step_works_in_a_process_of_its_own(workload: Workload) -> None:
    set_up(workload, "sso")  # botocore reads HOME for it when it is imported
    command = [sys.executable, "-m", "gcp_aws_bridge", *COMMAND]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (0, "") == (run.returncode, run.stderr), run.stdout
    assert run.stdout.startswith("All well: every step works.\n")


def test_diagnosis_takes_few_requests(workload: Workload) -> None:
    assert 0 == main(["doctor", "--google"])
    cloud = workload.cloud
    assert 1 == len(cloud.pod_identity.requests)
    assert ["GetCallerIdentity"] * 2 == [one.action for one in cloud.sts.requests]
    assert (2, 2) == (len(cloud.google_sts.requests), len(cloud.iam_credentials.requests))


def test_identity_itself_is_named_without_a_service_account(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.unset("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT")
    assert 0 == main(["doctor", "--google"])
    out = capsys.readouterr().out
    assert (
        f"policies name it {workload.provider.principal_set('attribute.aws_role', SESSION)};" in out
    )
    assert not workload.cloud.iam_credentials.requests


def test_command_line_comes_before_the_environment(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    audience = workload.provider.audience
    workload.set(
        GCP_AWS_BRIDGE_GOOGLE_AUDIENCE=f"{audience}-old",
        GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT="someone@else.iam.gserviceaccount.com",
    )
    given = ["--audience", audience, "--service-account", EMAIL, "--source", "signed-request"]
    assert 0 == main(["doctor", "--google", *given])
    settings = capsys.readouterr().out.splitlines()[2]
    assert f'audience "{audience}" from the command line; service account "{EMAIL}"' in settings
    assert "signed GetCallerIdentity request, since it was requested." in settings


def test_named_profile_signs(workload: Workload, capsys: pytest.CaptureFixture[str]) -> None:
    workload.has_no_role()
    key = workload.cloud.add_user()
    workload.aws_config(
        f"[profile admin]\naws_access_key_id = {key.access_key_id}\n"
        f"aws_secret_access_key = {key.secret_access_key}\n"
    )
    found = cause(capsys, "--profile", "admin")
    assert "doctor/aws-long-lived-keys" == found["id"]
    assert "user/dev" in found["seen"]


def test_unreachable_sts_is_a_note_if_only_google_calls_it(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.set(AWS_ENDPOINT_URL_STS=f"http://{workload.closed()}")
    assert 0 == main(["doctor", "--google"])
    out = capsys.readouterr().out
    assert "note     sts       Not reached from here, which is not needed (Google calls it)" in out
    assert "Their principal is not known" in out
    workload.account()
    assert "attribute.aws_role/arn:aws:sts::ACCOUNT:assumed-role/ROLE" in cause(capsys)["fix"]


def test_text_and_json_have_the_same_findings(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    report = diagnose({}, botocore.session.Session())
    assert report.as_json()["ok"]
    first, *others = [check.name for check in CHECKS]
    assert "injected" == first  # this pod has no annotations
    assert others == [one.link for one in report.findings]
    assert 0 == main(["doctor", "--google"])
    assert [one.link for one in report.findings] == [
        line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]
    ]


# -- the fixes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_pod", [False, True])
def test_printed_binding_admits_the_identity(
    is_pod: bool, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_pod:
        _file(workload)
    workload.account()
    found = cause(capsys)
    members = option(found["fix"], "member")
    assert (["demo-project"] * len(members), ["roles/iam.workloadIdentityUser"] * len(members)) == (
        option(found["fix"], "project"),
        option(found["fix"], "role"),
    )
    workload.account(members[0])
    assert 0 == main(["doctor", "--google"])


def test_binding_for_the_mapping_of_setup_is_printed_too(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.oidc_provider(attribute_mapping={"google.subject": "'oidc:' + assertion.sub"})
    workload.token_file()
    workload.account()
    _, of_setup = option(cause(capsys)["fix"], "member")
    workload.account(of_setup)
    assert 0 == main(["doctor", "--google"])


def test_printed_condition_admits_the_role_and_no_other(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.aws_provider(attribute_condition="false")
    (condition,) = option(cause(capsys)["fix"], "attribute-condition")
    workload.aws_provider(attribute_condition=condition)
    assert 0 == main(["doctor", "--google"])
    other = f"{ROLE}-staging"
    workload.cloud.add_role(
        other, workload.cloud.trust_policy_for_service("pods.eks.amazonaws.com")
    )
    workload.cloud.pod_identity.associate("default", "etl", other)
    assert "exchange/google-condition" == cause(capsys)["id"]


def test_printed_condition_admits_a_pod_by_its_token(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.oidc_provider(attribute_condition="false")
    workload.token_file()
    (condition,) = option(cause(capsys)["fix"], "attribute-condition")
    workload.oidc_provider(attribute_condition=condition)
    assert 0 == main(["doctor", "--google"])


def test_subject_of_the_printed_mapping_is_short_enough(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "publisher-of-orders-in-production-eu-west-1"
    role = f"arn:aws:iam::123456789012:role/{name}"
    workload.cloud.add_role(role, workload.cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
    workload.cloud.pod_identity.associate("default", "etl", role)
    workload.aws_provider(attribute_mapping=None, attribute_condition=None)
    found = cause(capsys)
    arn = found["seen"].rpartition(" bytes: ")[2].strip('".')
    assert f"has {len(arn)} bytes" in found["seen"]
    assert len(arn) > 127
    (mapping,) = option(found["fix"], "attribute-mapping")
    pairs = dict(pair.split("=", 1) for pair in mapping.split(","))
    workload.aws_provider(attribute_mapping=pairs, attribute_condition=None)
    workload.account(
        workload.provider.principal_set("attribute.aws_role", SESSION.replace("etl", name))
    )
    assert 0 == main(["doctor", "--google"])


def test_printed_account_is_accepted_by_the_provider(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.aws_provider(account="210987654321")
    fix = cause(capsys)["fix"]
    assert "if no other workload uses the provider: gcloud" in fix
    (account,) = option(fix, "account-id")
    workload.aws_provider(account=account)
    assert 0 == main(["doctor", "--google"])


def test_printed_region_is_accepted(workload: Workload, capsys: pytest.CaptureFixture[str]) -> None:
    message = (
        "Received invalid AWS response of type RegionDisabledException with error message: no."
    )
    words = json.dumps({"error": "invalid_grant", "error_description": message})
    workload.cloud.google_sts.inject(Fault.status(400, words, "application/json"), times=None)
    workload.set(AWS_REGION="me-central-1", AWS_DEFAULT_REGION="me-central-1")
    found = cause(capsys)
    assert "exchange/google-aws-region" == found["id"]
    assert "me-central-1" in found["fix"]
    exported = dict(re.findall(r"(AWS_\w*REGION)=(\S+)", found["fix"].splitlines()[-1]))
    assert {"AWS_REGION", "AWS_DEFAULT_REGION"} == exported.keys()
    workload.cloud.google_sts.clear_faults()
    workload.set(**exported)
    assert 0 == main(["doctor", "--google"])


@pytest.mark.parametrize("source", ["signed request", "token file"])
def test_unknown_message_is_not_explained(
    source: str, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    if source == "token file":
        _file(workload)
    words = json.dumps({"error": "invalid_grant", "error_description": "Something new."})
    workload.cloud.google_sts.inject(Fault.status(400, words, "application/json"), times=None)
    found = cause(capsys)
    assert "exchange/google-unknown" == found["id"]
    assert '"Something new."' in found["seen"]
    assert "not known to gcp-aws-bridge" in found["seen"]


def test_printed_audience_is_accepted(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.oidc_provider(allowed_audiences=["google"])
    workload.token_file(workload.cloud.eks_token(f"https:{workload.provider.audience}"))
    (allowed,) = option(cause(capsys)["fix"], "allowed-audiences")
    workload.oidc_provider(allowed_audiences=[allowed])
    assert 0 == main(["doctor", "--google"])


def test_printed_trust_policy_admits_a_pod_with_irsa(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.runs_on("irsa")
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_irsa(namespace="staging"))
    policy = json.loads(cause(capsys)["wanted"])
    workload.cloud.add_role(ROLE, policy)
    assert 0 == main(["doctor", "--google"])


def test_no_policy_is_printed_for_a_token_with_several_audiences(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.runs_on("irsa")
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_irsa(namespace="staging"))
    path = Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
    path.write_text(workload.cloud.eks_token(aud=["sts.amazonaws.com", "vault"]))
    found = cause(capsys)
    assert ("doctor/irsa-trust", True) == (found["id"], "several audiences" in found["wanted"])
    assert "update-assume-role-policy" not in found["fix"]


def test_printed_statement_admits_pod_identity(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.cloud.add_role(ROLE, workload.cloud.trust_policy_for_service("ec2.amazonaws.com"))
    statement = json.loads(cause(capsys)["wanted"])
    workload.cloud.add_role(ROLE, {"Version": "2012-10-17", "Statement": [statement]})
    assert 0 == main(["doctor", "--google"])


# -- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--google", "--role-arn", ROLE], "--role-arn is not for --google"),
        (["--google", "--impersonate", EMAIL], "--impersonate is not for --google"),
        (["--service-account", EMAIL], "--service-account is for --google"),
        (["--source", "outbound"], "--source is for --google"),
    ],
)
def test_options_of_the_other_direction_are_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *arguments])
    assert 2 == caught.value.code
    assert message in capsys.readouterr().err


def test_missing_google_auth_is_reported_with_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    assert 1 == main(["doctor", "--google"])
    assert "pip install 'gcp-aws-bridge[google]'" in capsys.readouterr().err


# -- names from other machines ------------------------------------------------------------------


UNUSED = botocore.session.Session()


def context_of(caller: str = "", subject: str | None = None) -> GoogleContext:
    context = GoogleContext(arguments={}, session=UNUSED, timeout_s=1, world=REAL, caller=caller)
    context.federation = Federation(AUDIENCE, EMAIL)
    if subject is not None:
        far = datetime.max.replace(tzinfo=timezone.utc) - timedelta(days=1)
        context.token = IdToken("x", "https://i", ("a",), subject, None, None, far)
    return context


@settings(deadline=None)
@given(name=st.text(min_size=1, max_size=90))
def test_names_from_other_machines_are_one_word_in_commands(name: str) -> None:
    for context in (
        context_of(subject=name),
        context_of(caller=f"arn:aws:sts::1:assumed-role/{name}/s"),
    ):
        update = commands.update(context, "attribute-condition", commands.condition(context))
        bind = commands.bind(context, commands.member(context))
        for command, count in ((update, 7), (bind, 9)):
            assert command.isprintable()
            words = shlex.split(command)
            assert ("gcloud", count) == (words[0], len(words)), words


@pytest.mark.parametrize("origin", ["token", "agent", "instance", "google"])
def test_escape_sequence_of_a_server_does_not_reach_the_terminal(
    origin: str, workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    escape = "\033[31m\x07"
    if origin == "token":
        workload.oidc_provider(attribute_condition="false")
        workload.token_file(workload.provider.mint(f"system:serviceaccount:default:{escape}"))
    elif origin == "agent":
        workload.cloud.pod_identity.inject(Fault.status(400, f"AccessDenied {escape}"), times=None)
    elif origin == "instance":
        workload.runs_on("ec2")
        workload.cloud.imds.inject(Fault.body(escape), times=None, path="security-credentials/")
    else:
        words = json.dumps({"error": escape, "error_description": escape})
        fault = Fault.status(400, words, "application/json")
        workload.cloud.google_sts.inject(fault, times=None)
    assert 1 == main(["doctor", "--google"])
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_password_in_an_address_is_not_shown(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.google_at(
        f"http://user:hunter2@{workload.closed()}", workload.cloud.iam_credentials.url
    )
    assert 1 == main(["doctor", "--google"])
    assert "hunter2" not in capsys.readouterr().out
