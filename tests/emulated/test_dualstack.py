"""The exchange at STS's dual-stack endpoint, at an IPv6 address and over TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doctor import sockets

import gcp_aws_bridge
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
IPV4_ONLY, DUAL_STACK = "sts.eu-west-1.amazonaws.com", "sts.eu-west-1.api.aws"


@pytest.fixture
def names(pod: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names that are looked up, where AWS's regional endpoint has only an IPv4 address."""
    if not sockets.has_ipv6():
        pytest.skip("no IPv6 here")
    asked: list[str] = []
    real = socket.getaddrinfo
    relay = sockets.tls_relay(home, pod.sts.url, name=DUAL_STACK, address="::1")
    with relay as url, monkeypatch.context() as patch:
        places = {IPV4_ONLY: ("192.0.2.1", 443), DUAL_STACK: ("::1", int(url.rpartition(":")[2]))}

        def getaddrinfo(host: Any, port: Any, *others: Any, **named: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            asked.append(name)
            return real(*places.get(name, (host, port)), *others, **named)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        patch.delenv("AWS_ENDPOINT_URL_STS")
        patch.setenv("AWS_CA_BUNDLE", str(home / "authority.pem"))
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield asked


def test_dual_stack_setting_in_the_environment_reaches_sts_by_ipv6(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert gcp_aws_bridge.session(ROLE).get_credentials().access_key.startswith("ASIA")
    assert {DUAL_STACK} == {name for name in names if name.startswith("sts")}


def test_dual_stack_setting_in_the_profile_reaches_sts_by_ipv6(
    names: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "config"
    config.write_text(f"[profile v6]\nuse_dualstack_endpoint = true\ngcp_role_arn = {ROLE}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "v6")
    assert gcp_aws_bridge.session().get_credentials().access_key.startswith("ASIA")
    assert {DUAL_STACK} == {name for name in names if name.startswith("sts")}
