"""`google-token` and `google-config`: what they print, and who reads it."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth import aws, external_account, identity_pool, pluggable
from google.auth.transport.requests import Request

from gcp_aws_bridge import google as bridge_google
from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge.cli import main
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._configuration import of_command
from gcp_aws_bridge.google._outbound import OutboundToken

from .conftest import ACCOUNT, ROLE, Workload, needs_outbound

JWT = "urn:ietf:params:oauth:token-type:jwt"
BRIDGE = str(Path(sys.executable).parent / "gcp-aws-bridge")


@pytest.fixture
def run(workload: Workload, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run the command line; what it printed, and its exit status."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def provider(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", workload.provider.audience)
    return workload.provider.audience


class Providers:
    """Providers of OIDC for the same workload, and the environment that has their tokens."""

    def __init__(self, workload: Workload, patch: pytest.MonkeyPatch) -> None:
        cloud = workload.cloud
        issuer = cloud.enable_outbound_federation()
        cloud.allow(ROLE, "sts:GetWebIdentityToken")
        self.outbound = cloud.add_google_provider_for_oidc(
            issuer, pool="outbound", attribute_mapping={"google.subject": "assertion.sub"}
        )
        self.cluster = cloud.add_google_provider_for_oidc(cloud.eks_issuer_url, pool="cluster")
        pods = "system:serviceaccount:default:etl"
        members = [self.outbound.principal(ROLE), self.cluster.principal(pods)]
        cloud.add_google_service_account(ACCOUNT, members)
        self.file = workload.folder / "projected"
        self.file.write_text(cloud.eks_token(f"https:{self.cluster.audience}"))
        self.file.chmod(0o600)
        # gcloud does not request the name of this project.
        manager = f"{cloud.iam_credentials.url}/v1/projects/"
        patch.setattr(external_account, "_CLOUD_RESOURCE_MANAGER", manager)


@pytest.fixture
def providers(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> Providers:
    return Providers(workload, monkeypatch)


def whose(workload: Workload, token: str) -> str:
    identity = workload.cloud.google_identity(token.strip())
    assert identity is not None
    return identity.email or identity.principal


# -- google-token -------------------------------------------------------------------------------


def test_an_access_token_alone_is_printed(
    run: Callable[..., Any], workload: Workload, provider: str
) -> None:
    workload.pod()
    status, out, err = run("google-token", "--service-account", ACCOUNT)
    assert (0, "", 1) == (status, err, out.count("\n"))
    assert ACCOUNT == whose(workload, out)


def test_options_say_what_the_environment_does_not(
    run: Callable[..., Any], workload: Workload
) -> None:
    scope = "https://www.googleapis.com/auth/pubsub"
    asked = ["--audience", workload.provider.audience, "--scope", scope]
    asked += ["--source", "signed-request", "--service-account", ACCOUNT]
    status, out, _ = run("google-token", *asked, "--lifetime-seconds", "900")
    identity = workload.cloud.google_identity(out.strip())
    assert identity is not None
    left_s = (identity.expiration - workload.cloud.clock()).total_seconds()
    assert (0, [scope], True) == (status, [*identity.scopes], 800 < left_s <= 900)


def test_a_token_file_that_is_named_is_what_google_is_shown(
    run: Callable[..., Any], workload: Workload, providers: Providers
) -> None:
    workload.becomes({})
    audience = providers.cluster.audience
    status, out, _ = run(
        "google-token", "--audience", audience, "--token-file", f"{providers.file}"
    )
    subject = providers.cluster.principal("system:serviceaccount:default:etl")
    assert (0, subject) == (status, whose(workload, out))


def test_the_aws_identity_may_be_a_profiles(
    run: Callable[..., Any], workload: Workload, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}
    file = workload.folder / "credentials"
    lines = [
        f"{name.lower()} = {keys[name]}"
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    ]
    file.write_text("\n".join(["[etl]", *lines]))
    file.chmod(0o600)
    workload.becomes({"AWS_SHARED_CREDENTIALS_FILE": str(file)})
    status, out, _ = run("google-token", "--service-account", ACCOUNT, "--profile", "etl")
    assert (0, ACCOUNT) == (status, whose(workload, out))
    status, out, err = run("google-token", "--service-account", ACCOUNT, "--profile", "another")
    assert (1, "", True) == (status, out, "[config/profile]" in err)


def test_an_id_token_is_printed_in_its_place(run: Callable[..., Any], provider: str) -> None:
    asked = ["--id-token", "https://orders.example", "--service-account", ACCOUNT]
    status, out, _ = run("google-token", *asked)
    token = _id_token.parse(out.strip(), origin="The command")
    assert (0, ("https://orders.example",)) == (status, token.audience)


def test_an_id_token_is_of_a_service_account(run: Callable[..., Any], provider: str) -> None:
    status, out, err = run("google-token", "--id-token", "https://orders.example")
    assert (2, "", True) == (status, out, "--service-account" in err)


def test_error_is_printed_with_its_fix(run: Callable[..., Any], provider: str) -> None:
    other = ACCOUNT.replace("publisher", "another")
    status, out, err = run("google-token", "--service-account", other)
    assert (1, "") == (status, out)
    assert "[exchange/google-account]" in err


# -- google-token --executable ------------------------------------------------------------------


def executable(run: Callable[..., Any], *arguments: str) -> dict[str, Any]:
    status, out, err = run("google-token", "--executable", *arguments)
    assert (0, "") == (status, err)
    found: dict[str, Any] = json.loads(out)
    assert 1 == found["version"]
    return found


def test_the_subject_token_is_printed_as_the_protocol_has_it(
    run: Callable[..., Any],
    workload: Workload,
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_outbound()
    audience = providers.outbound.audience
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", audience)
    found = executable(run, "--source", "outbound")
    token = _id_token.parse(found["id_token"], origin="The command")
    assert (True, JWT) == (found["success"], found["token_type"])
    assert (f"https:{audience}",) == token.audience
    assert found["expiration_time"] == int(token.expiration.timestamp())


def test_the_audience_of_another_universe_stays_its_own(
    run: Callable[..., Any],
    workload: Workload,
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_outbound()
    audience = providers.outbound.audience.replace("googleapis.com", "example-cloud.de")
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", audience)
    for name in ("GCP_AWS_BRIDGE_GOOGLE_STS_URL", "GCP_AWS_BRIDGE_GOOGLE_IAM_URL"):
        monkeypatch.delenv(name)
    found = executable(run, "--source", "outbound")
    token = _id_token.parse(found["id_token"], origin="The command")
    assert (f"https:{audience}",) == token.audience


@pytest.mark.parametrize("arguments", [(), ("--source", "signed-request")], ids=str)
def test_a_signed_request_is_nothing_that_the_protocol_carries(
    run: Callable[..., Any], provider: str, arguments: tuple[str, ...]
) -> None:
    found = executable(run, *arguments)
    assert (False, "config/google-executable") == (found["success"], found["code"])
    assert "--source outbound" in found["message"]


def test_a_failure_is_an_answer_too(
    run: Callable[..., Any], workload: Workload, provider: str
) -> None:
    needs_outbound()
    found = executable(run, "--source", "outbound")  # which the account has not enabled
    assert {"version", "success", "code", "message"} == found.keys()
    assert (False, "token/outbound-disabled") == (found["success"], found["code"])
    found = executable(run, "--token-file", "/nowhere")
    assert (False, "token/file-missing") == (found["success"], found["code"])


def test_only_the_token_is_printed(
    run: Callable[..., Any], provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients read standard error together with the answer, and then cannot read the answer."""

    def noisy(*_: object) -> Any:
        logging.getLogger("another").warning("this logger has no handler")
        print("and this", file=sys.stderr)
        raise ConfigError("It failed.", error_id="config/google-source")

    monkeypatch.setattr("gcp_aws_bridge.cli._google_options.source_of", noisy)
    assert "It failed. [config/google-source]" == executable(run)["message"]


# -- google-config ------------------------------------------------------------------------------


def written(run: Callable[..., Any], workload: Workload, *arguments: str) -> tuple[Path, str]:
    path = workload.folder / "google.json"
    asked = ["--service-account", ACCOUNT, "--output", str(path)]
    status, out, err = run("google-config", *arguments, *asked)
    assert (0, "") == (status, out)
    return path, err


def given_by_google_auth(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials, _ = google.auth.default(scopes=scopes)
    credentials.refresh(Request())
    return credentials


def given_by_us(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    credentials = bridge_google.credentials()
    credentials.refresh()
    return credentials


def test_a_signed_request_is_read_by_google_auth_and_by_us(
    run: Callable[..., Any], workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = f"{workload.cloud.iam_credentials.url}/v1/projects/"
    monkeypatch.setattr(external_account, "_CLOUD_RESOURCE_MANAGER", manager)
    path, said = written(run, workload, "--audience", workload.provider.audience)
    assert "EKS Pod Identity" in said
    loaded = given_by_google_auth(path, monkeypatch)
    assert isinstance(loaded, aws.Credentials)
    assert ACCOUNT == whose(workload, loaded.token)
    assert ACCOUNT == whose(workload, given_by_us(path, monkeypatch).token)


def test_a_token_file_is_read_by_google_auth_and_by_us(
    run: Callable[..., Any],
    workload: Workload,
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workload.becomes({})
    asked = ["--audience", providers.cluster.audience, "--token-file", str(providers.file)]
    path, _ = written(run, workload, *asked)
    loaded = given_by_google_auth(path, monkeypatch)
    assert isinstance(loaded, identity_pool.Credentials)
    assert ACCOUNT == whose(workload, loaded.token)
    assert ACCOUNT == whose(workload, given_by_us(path, monkeypatch).token)


@pytest.fixture
def of_outbound(
    run: Callable[..., Any],
    workload: Workload,
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    needs_outbound()
    workload.pod()
    asked = ["--audience", providers.outbound.audience, "--source", "outbound"]
    path, said = written(run, workload, *asked)
    assert "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1" in said
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    return path


def test_outbound_is_run_by_google_auth_and_read_by_us(
    workload: Workload, of_outbound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = given_by_google_auth(of_outbound, monkeypatch)
    assert isinstance(loaded, pluggable.Credentials)
    assert ACCOUNT == whose(workload, loaded.token)
    ours = given_by_us(of_outbound, monkeypatch)
    assert isinstance(ours._identity.source, OutboundToken)
    assert ACCOUNT == whose(workload, ours.token)


def test_google_auth_shows_why_there_is_no_token(
    workload: Workload, of_outbound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.becomes({"AWS_EC2_METADATA_DISABLED": "true"})
    with pytest.raises(google.auth.exceptions.RefreshError, match=r"\[token/aws-none\]"):
        given_by_google_auth(of_outbound, monkeypatch)


def test_what_is_written_is_what_gcloud_writes(
    run: Callable[..., Any], workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GCP_AWS_BRIDGE_GOOGLE_STS_URL", "GCP_AWS_BRIDGE_GOOGLE_IAM_URL"):
        monkeypatch.delenv(name)
    audience = workload.provider.audience
    asked = ["--audience", audience, "--lifetime-seconds", "2800", "--quota-project", "bills"]
    path, _ = written(run, workload, *asked)
    imds = "http://169.254.169.254/latest"
    impersonation = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    assert {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {
            "environment_id": "aws1",
            "region_url": f"{imds}/meta-data/placement/availability-zone",
            "url": f"{imds}/meta-data/iam/security-credentials",
            "regional_cred_verification_url": "https://sts.{region}.amazonaws.com"
            "?Action=GetCallerIdentity&Version=2011-06-15",
            "imdsv2_session_token_url": f"{imds}/api/token",
        },
        "service_account_impersonation_url": f"{impersonation}/{ACCOUNT}:generateAccessToken",
        "service_account_impersonation": {"token_lifetime_seconds": 2800},
        "quota_project_id": "bills",
    } == json.loads(path.read_text(encoding="utf-8"))


def test_without_a_service_account_there_is_where_gcloud_asks_who_it_is(
    run: Callable[..., Any], provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GCP_AWS_BRIDGE_GOOGLE_STS_URL", "GCP_AWS_BRIDGE_GOOGLE_IAM_URL"):
        monkeypatch.delenv(name)
    status, out, _ = run("google-config", "--universe-domain", "example-cloud.de")
    found = json.loads(out)
    assert (0, "https://sts.example-cloud.de/v1/token") == (status, found["token_url"])
    assert "https://sts.example-cloud.de/v1/introspect" == found["token_info_url"]
    assert found["audience"].startswith("//iam.example-cloud.de/projects/")
    assert "service_account_impersonation_url" not in found


@pytest.mark.parametrize("account", [(), ("--service-account", ACCOUNT)])
def test_an_address_of_sts_without_its_path_is_not_written(
    run: Callable[..., Any], provider: str, monkeypatch: pytest.MonkeyPatch, account: tuple[str]
) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_STS_URL", "https://sts.europe-west1.rep.example/")
    status, out, err = run("google-config", *account)
    assert (1, "", True) == (status, out, "[config/google-setting]" in err)
    assert "https://sts.europe-west1.rep.example/v1/token." in err


@pytest.mark.parametrize("command", ["google-config", "google-token"])
def test_two_sources_or_an_unknown_one_are_refused(
    run: Callable[..., Any], provider: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for source in ("signed-request", "outbound"):
        status, out, err = run(command, "--source", source, "--token-file", "/nowhere")
        assert (1, "", True) == (status, out, "[config/google-source]" in err)
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SOURCE", "guesswork")
    status, out, err = run(command)
    assert (1, "", True) == (status, out, "[config/google-source]" in err)


def test_file_of_another_program_is_not_overwritten(
    run: Callable[..., Any], workload: Workload, provider: str
) -> None:
    path = workload.folder / "google.json"
    path.write_text("mine")
    status, _, err = run("google-config", "--output", str(path))
    assert (1, "mine") == (status, path.read_text())
    assert "[config/setup-output]" in err


def as_node_splits(command: str) -> list[str]:
    """google-auth-library for JavaScript: `PluggableAuthHandler.parseCommand`."""
    import re

    return [word.strip('"') for word in re.findall(r'(?:[^\s"]+|"[^"]*")+', command)]


@pytest.mark.parametrize(
    "program",
    ["/usr/bin/gcp-aws-bridge", "gcp-aws-bridge", "/opt/with space/bridge", r"C:\Apps\bridge.exe"],
)
def test_the_command_is_read_as_it_was_meant(program: str) -> None:
    command = of_command(program)["executable"]["command"]
    words = [program, "google-token", "--executable", "--source", "outbound"]
    assert words == shlex.split(command)
    assert words == as_node_splits(command)
    if program.startswith(("/usr", "gcp")):  # all that Go and Java can read
        assert words == command.split()


@pytest.mark.parametrize("program", ["", " ", '/opt/"quoted"/bridge'])
def test_command_that_cannot_be_quoted_is_rejected(program: str) -> None:
    with pytest.raises(ConfigError, match=r"\[config/google-setting\]"):
        of_command(program)


def test_a_path_that_go_and_java_split_is_said(run: Callable[..., Any], provider: str) -> None:
    asked = ["--source", "outbound", "--command", "/opt/with space/bridge"]
    status, _, err = run("google-config", *asked)
    assert (0, True) == (status, "the libraries for Go and Java do not support" in err)


def test_the_command_is_where_this_package_is(run: Callable[..., Any], provider: str) -> None:
    _, out, _ = run("google-config", "--source", "outbound")
    command = json.loads(out)["credential_source"]["executable"]["command"]
    program = shlex.split(command)[0]
    assert os.path.isabs(program)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("gcp-aws-bridge ")
