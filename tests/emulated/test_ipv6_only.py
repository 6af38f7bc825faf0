"""A pod without IPv4, in a network namespace that has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ipv6_only import prefix, run

IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"
ACCOUNT = "etl@demo-project.iam.gserviceaccount.com"
Found = dict[str, Any]


@pytest.fixture(scope="module")
def without_ipv4() -> list[str]:
    return prefix()


@pytest.fixture
def found(request: pytest.FixtureRequest, without_ipv4: list[str], home: Path) -> Found:
    """Return what the scenario of this test prints."""
    return run(without_ipv4, home, request.param)


def scenario(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("found", names, indirect=True)


@scenario("session")
def test_session_asks_the_metadata_server_at_its_ipv6_address_once(found: Found) -> None:
    assert [["[fd20:ce::254]", IDENTITY]] == found["asked"]
    assert found["arn"].startswith("arn:aws:sts::123456789012:assumed-role/etl/")


@scenario("executed")
def test_program_under_exec_gets_credentials_from_ipv6_loopback(found: Found) -> None:
    assert found["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://[::1]:")
    assert ("container-role", "::1,[::1]") == (found["method"], found["NO_PROXY"])
    assert found["arn"].startswith("arn:aws:sts::123456789012:assumed-role/etl/")


@scenario("served")
def test_serve_listens_on_ipv6_loopback_and_prints_brackets(found: Found) -> None:
    uri = found["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    assert uri.startswith("http://[::1]:")
    assert uri.endswith("/credentials")
    assert (200, "container-role") == (found["status"], found["program"]["method"])
    assert found["program"]["arn"].startswith("arn:aws:sts::123456789012:assumed-role/etl/")


@pytest.mark.exhaustive
@scenario("doctor")
def test_doctor_finds_nothing_wrong_without_ipv4(found: Found) -> None:
    assert found["ok"]
    seen = {each["link"]: each["seen"] for each in found["findings"]}
    assert "Google's, at [fd20:ce::254]." == seen["metadata"]


@pytest.mark.exhaustive
@scenario("emulated")
def test_emulated_clouds_listen_on_ipv6_loopback(found: Found) -> None:
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
        assert found[name].startswith("[::1]:")
    assert found["AWS_ENDPOINT_URL_STS"].startswith("http://[::1]:")


@pytest.mark.exhaustive
@scenario("google_executed", "google_served")
def test_google_auth_gets_tokens_from_ipv6_loopback(found: Found) -> None:
    assert found.pop("host").startswith("[::1]:")
    assert {"project": "demo-project", "email": ACCOUNT, "has_token": True} == found
