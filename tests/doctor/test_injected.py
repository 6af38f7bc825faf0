"""Pods that annotations changed, in which every step works, and what the doctor says about them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from gcp_aws_bridge.cli import main
from gcp_aws_bridge.doctor import diagnose, injected
from gcp_aws_bridge.inject.variables import GOOGLE_SERVE, SERVE
from gcp_aws_bridge.server.asgi import Answer, application
from gcp_aws_bridge.server.running import Address, running
from gcp_aws_bridge.testing import GkePod

from .pod import AUDIENCE, PROVIDER, ROLE, Pod
from .workload import EMAIL, Workload


@pytest.fixture
def workload(
    gke_pod: GkePod, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workload]:
    monkeypatch.delenv("GCE_METADATA_HOST")
    with contextlib.ExitStack() as stack:
        yield Workload(gke_pod.cloud, monkeypatch, tmp_path, stack)


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert 0 == main(["doctor", "--timeout=30", *arguments]), capsys.readouterr().out
    out = capsys.readouterr().out
    assert "eyJ" not in out
    assert out.startswith("All well: every step works.\n")
    return out


def test_token_of_the_cluster_is_exchanged_as_sdks_do(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.annotated(linked=False)
    out = report(capsys)
    assert f'cluster-token: AWS SDKs exchange the token of the cluster in "{pod.folder}' in out
    assert f'arn "{ROLE}" from AWS_ROLE_ARN; audience "{AUDIENCE}" from the token' in out
    assert "AWS says: arn:aws:sts::123456789012:assumed-role/etl/" in out


def test_session_name_is_the_one_that_sdks_use(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.annotated(linked=False)
    pod.set(AWS_ROLE_SESSION_NAME="nightly")
    assert "assumed-role/etl/nightly" in report(capsys)


def test_sidecar_serves_credentials_of_the_role(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.annotated(linked=True)
    out = report(capsys)
    assert f"google: AWS SDKs get credentials from the sidecar {SERVE}" in out
    assert f"The sidecar serves {ROLE}, until " in out
    assert "AWS says: arn:aws:sts::123456789012:assumed-role/etl/" in out
    assert "metadata " not in out  # the sidecar's part


def test_doctor_in_the_sidecar_has_its_settings(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.annotated(linked=True).enter_sidecar(SERVE)
    out = report(capsys)
    assert f'arn "{ROLE}" from GCP_AWS_BRIDGE_ROLE_ARN; audience "{AUDIENCE}"' in out
    assert "injected" not in out


def test_settings_of_the_command_line_come_before_the_sidecar(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.annotated(linked=True)
    out = report(capsys, f"--role-arn={ROLE}", f"--audience={AUDIENCE}")
    assert "google: AWS SDKs get credentials from the sidecar" in out
    assert f'arn "{ROLE}" from the command line' in out


def test_denied_token_of_the_cluster_is_explained_with_the_policy(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    pod.annotated(linked=False)
    pod.cloud.add_role(ROLE)
    assert 1 == main(["doctor", "--timeout=30"])
    out = capsys.readouterr().out
    assert "system:serviceaccount:default:etl" in out
    assert PROVIDER.removeprefix("https://") in out


def test_container_without_annotations_has_no_finding_about_injection(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "injected" not in report(capsys)


def test_file_and_token_for_google_work(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.annotated()
    out = report(capsys, "--google")
    assert "google-cloud: Google's SDKs exchange the token of the cluster" in out
    assert f"serviceAccount:{EMAIL}" in out


def test_google_serve_serves_a_token_of_the_account(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.annotated(method="google-serve")
    out = report(capsys, "--google")
    assert f'A token of "{EMAIL}"; ' in out
    workload.webhook.enter_sidecar(GOOGLE_SERVE)  # type: ignore[union-attr]
    assert "by EKS Pod Identity" in report(capsys, "--google")


def test_doctor_for_aws_names_the_command_that_checks_google(
    workload: Workload, capsys: pytest.CaptureFixture[str]
) -> None:
    workload.annotated()
    main(["doctor", "--timeout=30"])
    out = capsys.readouterr().out
    assert "google-cloud, for Google Cloud: gcp-aws-bridge doctor --google checks it." in out


def test_unreadable_token_is_reported_with_its_owner(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pod.annotated(linked=True)

    def denied(path: str) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(injected, "first_byte", denied)
    cause = diagnose({}, botocore.session.Session(), timeout_s=30).cause
    assert cause is not None
    assert "doctor/injected-unreadable" == cause.id
    file = found.folder / "endpoint/token"
    assert f"runAsUser of the container to {file.stat().st_uid}," in cause.fix
    if os.name == "posix":
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize(
    ("variables", "warned"),
    [
        ({"HTTP_PROXY": "http://p:1"}, True),
        ({"http_proxy": "http://p:1", "NO_PROXY": "example.com"}, True),
        ({"ALL_PROXY": "http://p:1"}, True),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "127.0.0.1"}, False),
        ({"HTTP_PROXY": "http://p:1", "no_proxy": "*"}, False),
        ({"HTTPS_PROXY": "http://p:1"}, False),
        ({}, False),
    ],
)
def test_only_a_proxy_for_loopback_is_reported(
    variables: dict[str, str], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = [*injected.proxied("google")]
    assert warned is bool(found)


ANSWERS = [b"", b"{}", b"[]", b"<html>", b'{"Expiration": 5}', b'{"Expiration": "soon"}']


@pytest.mark.parametrize("body", ANSWERS)
@pytest.mark.parametrize("method", ["google", "google-serve"])
def test_another_program_on_the_port_is_reported(
    method: str, body: bytes, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    async def handle(_: Any) -> Answer:
        return Answer(200, body)

    if method == "google":
        machine: Any = request.getfixturevalue("pod")
        machine.annotated(linked=True).stop_sidecar()
    else:
        machine = request.getfixturevalue("workload")
        machine.annotated(method=method).stop_sidecar()
    at = Address("127.0.0.1", injected.SIDECARS[method][1])
    with running((at, application(handle))):
        options = ["--google"] if method == "google-serve" else []
        assert 1 == main(["doctor", "--timeout=30", *options])
    assert "another program uses its port" in capsys.readouterr().out
