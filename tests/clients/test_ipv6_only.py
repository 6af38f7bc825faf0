"""Third-party clients with `exec` and `serve` on ::1, in a network that has no IPv4."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ipv6_only import prefix, run

from .conftest import PROGRAMS
from .test_clients import needs_aws, needs_node

AWS = str(Path(sys.executable).parent / "aws")


@pytest.fixture(scope="module")
def without_ipv4() -> list[str]:
    return prefix()


@pytest.mark.parametrize("scenario", ["executed", "served"])
@pytest.mark.parametrize(
    "program",
    [
        pytest.param([AWS, "sts", "get-caller-identity"], id="awscli", marks=needs_aws),
        pytest.param(["node", str(PROGRAMS / "credentials.cjs")], id="node", marks=needs_node),
    ],
)
def test_client_gets_credentials_from_ipv6_loopback(
    without_ipv4: list[str], tmp_path: Path, scenario: str, program: list[str]
) -> None:
    found = run(without_ipv4, tmp_path, scenario, *program)
    found = found.get("program", found)
    is_role = found.get("Arn", "").startswith("arn:aws:sts::123456789012:assumed-role/etl/")
    assert is_role or found["key"].startswith("ASIA")
