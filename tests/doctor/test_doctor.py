"""The report, the order of the checks, and the command: output, progress, exit status."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._tokens import metadata as metadata_source
from gcp_aws_bridge.cli import doctor, main
from gcp_aws_bridge.doctor import CHECKS, Finding, Report, diagnose, machine
from gcp_aws_bridge.doctor.context import Context
from gcp_aws_bridge.doctor.identity import link_commands
from gcp_aws_bridge.doctor.machine import KubernetesAccount
from gcp_aws_bridge.doctor.metadata import Probe, printable
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.testing import GkePod

from . import sockets
from .pod import OTHER, PROVIDER, ROLE, Pod

OK = Finding("place", "ok", "GKE.")
NODE = Finding(
    "account", "warning", "The node's.", "The pod's.", "a\nb", "doctor/node-pool", ("x",)
)
KEYS = Finding("settings", "warning", "Keys are set.", "None.", "unset KEYS", "doctor/keys-first")
DENIED = Finding("exchange", "broken", "Refused.", "{}", "aws iam …", "x")


# -- the cause ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "cause"),
    [
        ([OK], None),
        ([OK, NODE], NODE),
        ([KEYS, OK, DENIED], DENIED),
        ([KEYS, NODE, DENIED], NODE),
        (
            [NODE, Finding("sts", "broken", "Down.", id="y"), DENIED],
            Finding("sts", "broken", "Down.", id="y"),
        ),
    ],
)
def test_cause_is_the_first_failure_or_the_warning_that_explains_it(
    findings: list[Finding], cause: Finding | None
) -> None:
    assert cause == Report(findings).cause


def test_every_check_needs_only_earlier_ones() -> None:
    names = [check.name for check in CHECKS]
    for index, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:index])


# -- success ------------------------------------------------------------------------------------


def test_success_is_status_0_and_takes_few_requests(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["doctor"])
    first, *_ = capsys.readouterr().out.splitlines()
    assert "All well: every step works." == first
    assert [None, None, None] == [
        finding.id or None
        for finding in diagnose({"arn": ROLE}, botocore.session.Session()).findings[:3]
    ]
    actions = [request.action for request in pod.cloud.sts.requests]
    once = ["GetCallerIdentity", "AssumeRoleWithWebIdentity", "GetCallerIdentity"]
    assert once * 2 == actions
    assert 12 == len(pod.cloud.metadata.requests)  # six each


def test_chained_roles_are_assumed_and_named(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [statement]})
    pod.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    assert 0 == main(["doctor", "--chain", OTHER])
    out = capsys.readouterr().out
    assert f"ok       chain     {OTHER} assumed until " in out
    assert "AWS says: arn:aws:sts::210987654321:assumed-role/target/" in out


def test_client_id_in_the_fix_for_a_google_provider_is_accepted(pod: Pod) -> None:
    google = "https://accounts.google.com"
    pod.cloud.add_oidc_provider(google, client_ids=("another",))
    cause = diagnose({"arn": ROLE}, botocore.session.Session()).cause
    assert cause is not None
    assert "doctor/google-provider" == cause.id
    [*_, client_id] = shlex.split(cause.fix)
    assert pod.cloud.service_account.unique_id == client_id  # the token's azp, not its audience
    pod.cloud.add_oidc_provider(google, client_ids=("another", client_id))
    assert diagnose({"arn": ROLE}, botocore.session.Session()).cause is None


def test_no_policy_is_printed_for_a_token_that_no_policy_can_name(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER)
    pod.id_token(provider.mint(aud=["sts.amazonaws.com", "another"]))
    assert 1 == main(["doctor", *pod.arguments])
    out = capsys.readouterr().out
    assert "Cause: AWS denies the token, which no trust policy can name: " in out
    assert "update-assume-role-policy" not in out


def test_new_pod_that_answers_in_time_passes(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.cloud.metadata.inject(Fault.status(503), Fault.reset())
    assert 0 == main(["doctor"])
    assert "at attempt 3 (usual in a new pod)" in capsys.readouterr().out


def test_source_of_each_setting_is_reported(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.aws_config("[default]\ngcp_role_session_name = nightly\n")
    pod.set(GCP_OAUTH_AUD="sts.amazonaws.com")
    assert 0 == main(["doctor", "--duration-seconds", "900"])
    settings = capsys.readouterr().out.splitlines()[2]
    for text in (
        f'arn "{ROLE}" from GCP_AWS_BRIDGE_ROLE_ARN',
        'audience "sts.amazonaws.com" from GCP_OAUTH_AUD',
        'role_session_name "nightly" from profile key gcp_role_session_name',
        'duration_seconds "900" from the command line',
    ):
        assert text in settings


# -- skipped checks -----------------------------------------------------------------------------


def test_checks_that_need_a_failed_check_are_skipped_and_others_run(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.metadata_at(pod.closed())
    assert 1 == main(["doctor", "--json", "--timeout", "0.2"])
    states = {one["link"]: one["state"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert {
        "settings": "ok",
        "place": "ok",
        "metadata": "broken",
        "sts": "ok",
        "clock": "ok",
        "account": "skipped",
        "token": "skipped",
        "exchange": "skipped",
        "chain": "skipped",
        "identity": "skipped",
    } == states


def test_progress_has_each_check_that_runs(pod: Pod) -> None:
    pod.cloud.unlink()
    names: list[str] = []
    diagnose({"arn": ROLE}, botocore.session.Session(), progress=names.append)
    assert ["injected", "settings", "place", "metadata", "sts", "clock", "account"] == names


def test_machine_outside_any_cloud_is_reported(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.leaves_google_cloud()
    pod.unset("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ENDPOINT_URL_STS")
    assert 1 == main(["doctor"])
    out = capsys.readouterr().out
    assert out.startswith("Cause: No role is configured")
    assert "place     not Google Cloud, as far as" in out
    assert "BROKEN   metadata  There is no metadata server here" in out


def test_metadata_server_is_not_blamed_if_the_token_comes_from_a_file(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.metadata_at(pod.closed())
    pod.id_token(pod.cloud.mint())
    assert 0 == main(["doctor", *pod.arguments])
    assert "skipped  metadata  It is not needed" in capsys.readouterr().out


def test_type_of_the_credentials_file_is_named(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = pod.cloud.add_google_provider_for_oidc(pod.cloud.eks_issuer_url)
    token = pod.file("projected", pod.cloud.eks_token(provider.audiences[0]))
    email = pod.cloud.service_account.email
    pod.cloud.add_google_service_account(
        email, [provider.principal("system:serviceaccount:default:etl")]
    )
    document = pod.cloud.external_account(provider, email, source="file", file=token)
    pod.set(GOOGLE_APPLICATION_CREDENTIALS=pod.file("adc.json", json.dumps(document)))
    assert 0 == main(["doctor"])
    out = capsys.readouterr().out
    assert 'the file that GOOGLE_APPLICATION_CREDENTIALS names (type "external_account")' in out
    assert f'azp="{pod.cloud.service_account.unique_id}"' in out


def test_nodes_account_is_a_warning_if_the_role_trusts_it(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.nodes_account()
    number = "1" * 21
    trusted = {f"accounts.google.com:{key}": number for key in ("aud", "sub")}
    pod.cloud.add_role(
        ROLE,
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": "accounts.google.com"},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": trusted},
                }
            ],
        },
    )
    assert 0 == main(["doctor"])
    assert capsys.readouterr().out.startswith("All steps work, but: ")


# -- the command --------------------------------------------------------------------------------


def test_text_has_the_cause_and_then_every_finding() -> None:
    assert [
        "Cause: The node's. [doctor/node-pool]",
        "  Wanted: The pod's.",
        "  Fix: a",
        "       b",
        "",
        "ok       place     GKE.",
        "warning  account   as above.",
        "BROKEN   exchange  Refused.",
    ] == list(doctor.lines(Report([OK, NODE, DENIED]), colour=False))


def test_further_warning_has_its_fix_in_the_list() -> None:
    assert [
        "warning  settings  Keys are set.",
        "                   Wanted: None.",
        "                   Fix: unset KEYS",
        "BROKEN   exchange  as above.",
    ] == list(doctor.lines(Report([KEYS, DENIED]), colour=False))[-4:]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            60,
            [
                "ok       place     GKE, project demo, and a long description",
                "                   here.",
                "BROKEN   exchange  as above.",
            ],
        ),
        (
            40,
            [
                "ok       place     GKE, project demo,",
                "  and a long description here.",
                "BROKEN   exchange  as above.",
            ],
        ),
    ],
)
def test_sentences_are_wrapped_at_the_width_of_the_terminal(columns: int, lines: list[str]) -> None:
    long = Finding("place", "ok", "GKE, project demo, and a long description here.")
    assert lines == list(doctor.lines(Report([long, DENIED]), colour=False, columns=columns))[-3:]


def test_trust_policy_is_not_wrapped_and_a_sentence_is() -> None:
    sentence = Finding(
        "token", "broken", "None.", "A linked account, or the cluster's issuer.", id="x"
    )
    policy = Finding("exchange", "broken", "Refused.", '{"Version": "2012-10-17", "Statement": []}')
    lines = list(doctor.lines(Report([sentence, policy]), colour=False, columns=40))
    assert ["  Wanted: A linked account, or the", "          cluster's issuer."] == lines[1:3]
    [wanted] = list(doctor.lines(Report([policy]), colour=False, columns=40))[1:-2]
    assert f"  Wanted: {policy.wanted}" == wanted


def test_colour_is_optional() -> None:
    coloured = "\n".join(doctor.lines(Report([OK, DENIED]), colour=True))
    assert "\033[1;31mCause: Refused. [x]\033[0m" in coloured
    assert "\033[32mok      \033[0m place" in coloured


@pytest.mark.parametrize("seconds", ["0", "61", "nan", "soon", "-1"])
def test_invalid_timeout_is_wrong_usage(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", f"--timeout={seconds}"])
    assert 2 == caught.value.code
    assert f"--timeout: invalid seconds value: '{seconds}'" in capsys.readouterr().err


def process(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gcp_aws_bridge", "doctor", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_terminal_gets_colour_unless_no_color_is_set(
    gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    import pty

    gke_pod.add_role(ROLE)
    monkeypatch.setenv("NO_COLOR", no_color)
    reader, terminal = pty.openpty()
    with process("--role-arn", ROLE, stdout=terminal) as run:
        os.close(terminal)
        output = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while more := os.read(reader, 65536):
                output += more
        os.close(reader)
        assert (0, b"") == (run.wait(20), run.stderr.read() if run.stderr else b"")
    assert coloured == (b"\033[" in output)
    assert b"All well" in output


@pytest.mark.skipif(os.name != "posix", reason="no POSIX signals")
def test_interrupt_ends_the_command(gke_pod: GkePod) -> None:
    gke_pod.cloud.metadata.inject(Fault.hang(30), times=None)
    with process("--role-arn", ROLE, "--timeout", "30", stdout=subprocess.PIPE) as run:
        while not gke_pod.cloud.metadata.requests:
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert (130, b"") == (run.wait(20), run.stdout.read() if run.stdout else b"")


# -- names from other machines ------------------------------------------------------------------


@settings(deadline=None)
@given(project=st.text(max_size=60), name=st.text(min_size=1, max_size=60))
def test_names_from_other_machines_are_one_word_in_commands(project: str, name: str) -> None:
    found = Probe("host", project=printable(project))
    for command in link_commands(found, KubernetesAccount("default", printable(name))):
        assert command.isprintable()
        words = shlex.split(command)
        assert words[0] in ("kubectl", "gcloud")
        assert len(words) == {"kubectl": 7, "gcloud": 8}[words[0]]


@pytest.mark.parametrize(
    "answer", ["[]", "null", '{"default": 7}', '{"default": {"email": 7}}', "{" * 50_000, "\xff"]
)
def test_malformed_list_of_accounts_is_handled(
    pod: Pod, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.cloud.metadata.inject(Fault.body(answer), times=None, path="service-accounts/")
    assert main(["doctor"]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


def test_escape_sequence_of_a_server_does_not_reach_the_terminal(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.cloud.metadata.inject(Fault.body("p\033[31m\x07"), times=None, path="project-id")
    pod.cloud.metadata.inject(Fault.body("c\033]0;x\x07"), times=None, path="cluster-name")
    assert 0 == main(["doctor"])
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()


# -- the machine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    ["", "a.b.c", "a", "a.e30.c", "a.bnVsbA.c", "a.eyJzdWIiOiAieCJ9.c", "a.eyJzdWIiOiA3fQ.c"],
)
def test_malformed_mounted_token_names_no_account(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_MOUNTED", str(tmp_path))
    (tmp_path / "token").write_text(token)
    assert machine.kubernetes_account() is None


@pytest.mark.parametrize("stat", ["", "1 (x", "1 (x) S 1 2", "1 (x) S " + "y " * 30])
def test_malformed_proc_gives_no_age(
    stat: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_PROC", str(tmp_path))
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stat").write_text(stat)
    (tmp_path / "uptime").write_text("100.0 1.0\n")
    assert machine.container_age_s() is None


def test_cloud_run_and_compute_engine_are_distinguished(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.unset("KUBERNETES_SERVICE_HOST")
    pod.cloud.metadata.inject(Fault.body(""), times=None, path="attributes/")
    assert 0 == main(["doctor"])
    assert 'place     Compute Engine, project "demo-project"' in capsys.readouterr().out
    pod.set(K_SERVICE="etl")
    assert 0 == main(["doctor"])
    assert 'place     Cloud Run, project "demo-project"' in capsys.readouterr().out


# -- time-outs ----------------------------------------------------------------------------------


def test_both_clouds_are_asked_at_the_same_time(pod: Pod) -> None:
    with sockets.waiting_for_each_other(2) as ([metadata, sts], barrier):
        pod.metadata_at(metadata.host)
        pod.set(AWS_ENDPOINT_URL_STS=sts.url)
        report = diagnose({"arn": ROLE}, botocore.session.Session(), timeout_s=30)
    assert report.cause is not None
    assert ("metadata", False) == (report.cause.link, barrier.broken)


def context(timeout_s: float) -> Context:
    session = botocore.session.Session()
    return Context(arguments={}, session=session, timeout_s=timeout_s, world=REAL)


def test_call_that_does_not_return_is_abandoned() -> None:
    stop = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            context(0.01).within(lambda: stop.wait(30))
    finally:
        stop.set()


def test_exception_of_a_call_is_raised() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        context(5).within(fail)
    assert 7 == context(5).within(lambda: 7)


def test_machine_outside_google_cloud_gets_one_short_attempt(pod: Pod) -> None:
    pod.leaves_google_cloud()
    report = diagnose({"arn": ROLE}, botocore.session.Session())
    assert "asked once" in next(one.seen for one in report.findings if one.link == "metadata")
    assert not metadata_source.looks_like_google()
