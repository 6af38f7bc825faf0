"""The report and the command around it: what is printed, to whom, and with which status."""

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
from hypothesis import given
from hypothesis import strategies as st

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._tokens import metadata as metadata_source
from gcp_aws_bridge.cli import doctor, main
from gcp_aws_bridge.doctor import Finding, Report, chain, diagnose, machine
from gcp_aws_bridge.doctor.context import bounded
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


@pytest.fixture
def pod(
    gke_pod: GkePod, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> contextlib.AbstractContextManager[Pod]:
    monkeypatch.delenv("GCE_METADATA_HOST")
    with contextlib.ExitStack() as stack:
        yield Pod(gke_pod.cloud, monkeypatch, tmp_path, stack)  # type: ignore[misc]


# -- which finding is the cause ----------------------------------------------------------------


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
def test_the_cause_is_the_first_broken_link_or_what_explains_it(
    findings: list[Finding], cause: Finding | None
) -> None:
    assert cause == Report(findings).cause


def test_every_link_needs_only_earlier_ones() -> None:
    names = [link.name for link in chain.LINKS]
    for place, link in enumerate(chain.LINKS):
        assert set(link.needs) <= set(names[:place])


# -- all well ----------------------------------------------------------------------------------


def test_all_well_is_status_0_and_costs_few_requests(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["doctor"])
    first, *_ = capsys.readouterr().out.splitlines()
    assert "Every step works." == first
    assert [None, None, None] == [
        finding.id or None
        for finding in diagnose({"arn": ROLE}, botocore.session.Session()).findings[:3]
    ]
    actions = [request.action for request in pod.cloud.sts.requests]
    once = ["GetCallerIdentity", "AssumeRoleWithWebIdentity", "GetCallerIdentity"]
    assert once * 2 == actions
    assert 12 == len(pod.cloud.metadata.requests)  # six each


def test_further_roles_are_walked_and_named(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    pod.cloud.add_role(OTHER, {"Version": "2012-10-17", "Statement": [statement]})
    pod.cloud.allow(ROLE, "sts:AssumeRole", on=OTHER)
    assert 0 == main(["doctor", "--chain", OTHER])
    out = capsys.readouterr().out
    assert f"ok       hops      {OTHER} assumed until " in out
    assert "AWS says: arn:aws:sts::210987654321:assumed-role/target/" in out


def test_the_client_id_that_is_named_for_googles_own_provider_is_taken(pod: Pod) -> None:
    google = "https://accounts.google.com"
    pod.cloud.add_oidc_provider(google, client_ids=("another",))
    cause = diagnose({"arn": ROLE}, botocore.session.Session()).cause
    assert cause is not None
    assert "doctor/google-provider" == cause.id
    [*_, client_id] = shlex.split(cause.fix)
    assert pod.cloud.service_account.unique_id == client_id  # the token's azp, not its audience
    pod.cloud.add_oidc_provider(google, client_ids=("another", client_id))
    assert diagnose({"arn": ROLE}, botocore.session.Session()).cause is None


def test_a_token_that_no_policy_can_name_gets_no_policy(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = pod.cloud.add_oidc_provider(PROVIDER)
    pod.id_token(provider.mint(aud=["sts.amazonaws.com", "another"]))
    assert 1 == main(["doctor", *pod.arguments])
    out = capsys.readouterr().out
    assert "Cause: AWS refuses the token, which no trust policy can name: " in out
    assert "update-assume-role-policy" not in out


def test_a_new_pod_that_answers_in_time_is_well(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.cloud.metadata.inject(Fault.status(503), Fault.reset())
    assert 0 == main(["doctor"])
    assert "at try 3 (a new pod's needs a moment)" in capsys.readouterr().out


def test_settings_say_where_each_was_found(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.aws_config("[default]\ngcp_role_session_name = nightly\n")
    pod.set(GCP_OAUTH_AUD="sts.amazonaws.com")
    assert 0 == main(["doctor", "--duration-seconds", "900"])
    settings = capsys.readouterr().out.splitlines()[2]
    for told in (
        f'arn "{ROLE}" from GCP_AWS_BRIDGE_ROLE_ARN',
        'audience "sts.amazonaws.com" from GCP_OAUTH_AUD',
        'role_session_name "nightly" from profile key gcp_role_session_name',
        'duration_seconds "900" from the command line',
    ):
        assert told in settings


# -- what is skipped ---------------------------------------------------------------------------


def test_what_needs_a_broken_link_is_skipped_and_the_rest_is_looked_at(
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
        "hops": "skipped",
        "identity": "skipped",
    } == states


def test_whoever_waits_is_told_each_link_before_it_is_looked_at(pod: Pod) -> None:
    pod.cloud.unlink()
    told: list[str] = []
    diagnose({"arn": ROLE}, botocore.session.Session(), looking_at=told.append)
    assert ["settings", "place", "metadata", "sts", "clock", "account"] == told


def test_with_no_cloud_at_all_it_says_so(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.elsewhere()
    pod.unset("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ENDPOINT_URL_STS")
    assert 1 == main(["doctor"])
    out = capsys.readouterr().out
    assert out.startswith("Cause: No role is configured")
    assert "place     no cloud of Google's" in out
    assert "BROKEN   metadata  There is no metadata server here" in out


def test_the_metadata_server_is_not_blamed_where_the_token_comes_from_a_file(
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


def test_the_nodes_account_is_a_warning_where_the_role_trusts_it(
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
    assert capsys.readouterr().out.startswith("Every step works, but: ")


# -- the command -------------------------------------------------------------------------------


def test_text_has_the_cause_first_then_every_link() -> None:
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


def test_what_is_broken_besides_has_its_fix_below() -> None:
    assert [
        "warning  settings  Keys are set.",
        "                   Wanted: None.",
        "                   Fix: unset KEYS",
        "BROKEN   exchange  as above.",
    ] == list(doctor.lines(Report([KEYS, DENIED]), colour=False))[-4:]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            60,
            [
                "ok       place     GKE, project demo, and all that can be",
                "                   said of it.",
                "BROKEN   exchange  as above.",
            ],
        ),
        (
            40,
            [
                "ok       place     GKE, project demo,",
                "  and all that can be said of it.",
                "BROKEN   exchange  as above.",
            ],
        ),
    ],
)
def test_sentences_are_broken_where_the_terminal_ends(columns: int, said: list[str]) -> None:
    long = Finding("place", "ok", "GKE, project demo, and all that can be said of it.")
    assert said == list(doctor.lines(Report([long, DENIED]), colour=False, columns=columns))[-3:]


def test_a_trust_policy_is_not_broken_and_a_wish_is() -> None:
    wish = Finding("token", "broken", "None.", "A linked account, or the cluster's issuer.", id="x")
    policy = Finding("exchange", "broken", "Refused.", '{"Version": "2012-10-17", "Statement": []}')
    said = list(doctor.lines(Report([wish, policy]), colour=False, columns=40))
    assert ["  Wanted: A linked account, or the", "          cluster's issuer."] == said[1:3]
    [wanted] = list(doctor.lines(Report([policy]), colour=False, columns=40))[1:-2]
    assert f"  Wanted: {policy.wanted}" == wanted


def test_colour_is_for_a_terminal_alone() -> None:
    coloured = "\n".join(doctor.lines(Report([OK, DENIED]), colour=True))
    assert "\033[1;31mCause: Refused. [x]\033[0m" in coloured
    assert "\033[32mok      \033[0m place" in coloured


@pytest.mark.parametrize("seconds", ["0", "61", "nan", "soon", "-1"])
def test_a_timeout_that_is_none_is_wrong_usage(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["doctor", f"--timeout={seconds}"])
    assert 2 == caught.value.code
    assert f"--timeout: invalid seconds value: '{seconds}'" in capsys.readouterr().err


def process(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gcp_aws_bridge", "doctor", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(os.name != "posix", reason="a terminal of another kind")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_it_said_no(
    gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    import pty

    gke_pod.add_role(ROLE)
    monkeypatch.setenv("NO_COLOR", no_color)
    ours, theirs = pty.openpty()
    with process("--role-arn", ROLE, stdout=theirs) as run:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # how a terminal ends
            while more := os.read(ours, 65536):
                said += more
        os.close(ours)
        assert (0, b"") == (run.wait(20), run.stderr.read() if run.stderr else b"")
    assert coloured == (b"\033[" in said)
    assert b"Every step works" in said


@pytest.mark.skipif(os.name != "posix", reason="signals are sent otherwise there")
def test_an_interrupt_ends_it(gke_pod: GkePod) -> None:
    gke_pod.cloud.metadata.inject(Fault.hang(30), times=None)
    with process("--role-arn", ROLE, "--timeout", "30", stdout=subprocess.PIPE) as run:
        while not gke_pod.cloud.metadata.requests:
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert (130, b"") == (run.wait(20), run.stdout.read() if run.stdout else b"")


# -- names from elsewhere ----------------------------------------------------------------------


@given(project=st.text(max_size=60), name=st.text(min_size=1, max_size=60))
def test_commands_hold_names_from_elsewhere_as_one_word(project: str, name: str) -> None:
    asked = Probe("host", project=printable(project))
    for command in link_commands(asked, KubernetesAccount("default", printable(name))):
        assert command.isprintable()
        words = shlex.split(command)
        assert words[0] in ("kubectl", "gcloud")
        assert len(words) == {"kubectl": 7, "gcloud": 8}[words[0]]


@pytest.mark.parametrize(
    "answer", ["[]", "null", '{"default": 7}', '{"default": {"email": 7}}', "{" * 50_000, "\xff"]
)
def test_a_list_of_accounts_that_is_none_breaks_nothing(
    pod: Pod, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.cloud.metadata.inject(Fault.body(answer), times=None, path="service-accounts/")
    assert main(["doctor"]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


def test_no_escape_sequence_of_a_server_reaches_the_terminal(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.cloud.metadata.inject(Fault.body("p\033[31m\x07"), times=None, path="project-id")
    pod.cloud.metadata.inject(Fault.body("c\033]0;x\x07"), times=None, path="cluster-name")
    assert 0 == main(["doctor"])
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()


# -- the machine -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    ["", "a.b.c", "a", "a.e30.c", "a.bnVsbA.c", "a.eyJzdWIiOiAieCJ9.c", "a.eyJzdWIiOiA3fQ.c"],
)
def test_a_mounted_token_that_is_none_names_nobody(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_MOUNTED", str(tmp_path))
    (tmp_path / "token").write_text(token)
    assert machine.kubernetes_account() is None


@pytest.mark.parametrize("stat", ["", "1 (x", "1 (x) S 1 2", "1 (x) S " + "y " * 30])
def test_a_proc_that_does_not_tell_gives_no_age(
    stat: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_PROC", str(tmp_path))
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stat").write_text(stat)
    (tmp_path / "uptime").write_text("100.0 1.0\n")
    assert machine.container_age_s() is None


def test_cloud_run_and_compute_engine_are_told_apart(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.unset("KUBERNETES_SERVICE_HOST")
    pod.cloud.metadata.inject(Fault.body(""), times=None, path="attributes/")
    assert 0 == main(["doctor"])
    assert 'place     Compute Engine, project "demo-project"' in capsys.readouterr().out
    pod.set(K_SERVICE="etl")
    assert 0 == main(["doctor"])
    assert 'place     Cloud Run, project "demo-project"' in capsys.readouterr().out


# -- waiting -----------------------------------------------------------------------------------


def test_both_clouds_are_asked_at_the_same_time(pod: Pod) -> None:
    with sockets.waiting_for_each_other(2) as ([metadata, sts], barrier):
        pod.metadata_at(metadata.host)
        pod.set(AWS_ENDPOINT_URL_STS=sts.url)
        report = diagnose({"arn": ROLE}, botocore.session.Session(), timeout_s=30)
    assert report.cause is not None
    assert ("metadata", False) == (report.cause.link, barrier.broken)


def test_what_does_not_end_is_not_waited_for() -> None:
    go_on = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            bounded(lambda: go_on.wait(30), 0.01, REAL)
    finally:
        go_on.set()


def test_what_a_call_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bounded(fail, 5, REAL)
    assert 7 == bounded(lambda: 7, 5, REAL)


def test_looking_at_a_machine_elsewhere_is_one_short_try(pod: Pod) -> None:
    pod.elsewhere()
    report = diagnose({"arn": ROLE}, botocore.session.Session())
    assert "asked once" in next(one.seen for one in report.findings if one.link == "metadata")
    assert not metadata_source.looks_like_google()
