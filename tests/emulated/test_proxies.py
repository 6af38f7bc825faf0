"""Proxies of the network see nothing of an exchange with STS, or only a tunnel."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError
from recording_proxy import (
    PROXY_VARIABLES,
    RecordingProxy,
    context_for,
    https_in_front_of,
    recording_proxy,
)
from unit.servers import failure

import gcp_aws_bridge as bridge
from gcp_aws_bridge import doctor
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ConfigError

ROLE = "arn:aws:iam::123456789012:role/etl"
SECOND = "arn:aws:iam::123456789012:role/second"

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def proxy(pod: Emulator) -> Iterator[RecordingProxy]:
    pod.add_role(
        SECOND,
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
            ],
        },
    )
    with recording_proxy() as proxy:
        yield proxy


def by_environment(*names: str) -> Callable[[Any, str], None]:
    def configure(patch: Any, url: str) -> None:
        for name in names:
            patch.setenv(name, url)

    configure.__name__ = "+".join(names)
    return configure


def without_scheme(patch: Any, url: str) -> None:
    patch.setenv("http_proxy", url.partition("//")[2])


def with_other_exceptions(patch: Any, url: str) -> None:
    patch.setenv("HTTP_PROXY", url)
    patch.setenv("NO_PROXY", "corp.example,169.254.169.254")


def by_config(patch: Any, url: str) -> None:
    """Name a proxy in the default client config of every new session."""
    real = botocore.session.Session.get_default_client_config
    config = Config(proxies={"http": url, "https": url})
    patch.setattr(
        botocore.session.Session,
        "get_default_client_config",
        lambda self: (real(self) or Config()).merge(config),
    )


WAYS = [
    by_environment("HTTP_PROXY"),
    by_environment("http_proxy"),
    by_environment("ALL_PROXY", "HTTP_PROXY"),
    by_environment(*PROXY_VARIABLES),
    without_scheme,
    with_other_exceptions,
    by_config,
]


def of_credentials() -> Any:
    return bridge.credentials(ROLE)


def of_chain() -> Any:
    return bridge.credentials(ROLE, chain=[SECOND])


def of_session() -> Any:
    return bridge.session(ROLE).get_credentials()


def of_registered() -> Any:
    session = botocore.session.get_session()
    bridge.register(session, ROLE)
    return session.get_credentials()


PLACES = [of_credentials, of_chain, of_session, of_registered]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("configure", WAYS, ids=lambda way: way.__name__)
def test_proxy_sees_nothing_of_plain_http_to_loopback(
    proxy: RecordingProxy,
    monkeypatch: pytest.MonkeyPatch,
    configure: Callable[[Any, str], None],
    place: Callable[[], Any],
) -> None:
    configure(monkeypatch, proxy.url)
    assert place().get_frozen_credentials().access_key.startswith("ASIA")
    assert proxy.saw_nothing


@pytest.mark.parametrize(
    "url", ["http://localhost:{}", "HTTP://127.0.0.1:{}", "http://LOCALHOST:{}/"]
)
def test_proxy_sees_nothing_however_loopback_is_spelled(
    pod: Emulator, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url.format(pod.sts.port))
    assert of_chain().get_frozen_credentials().access_key.startswith("ASIA")
    assert proxy.saw_nothing


def test_proxy_sees_nothing_of_asynchronous_credentials(
    proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiobotocore")
    from gcp_aws_bridge import aio

    monkeypatch.setenv("HTTP_PROXY", proxy.url)

    async def frozen() -> Any:
        credentials = await aio.session(ROLE).get_credentials()
        return await credentials.get_frozen_credentials()

    assert asyncio.run(frozen()).access_key.startswith("ASIA")
    assert proxy.saw_nothing


def test_proxy_set_after_the_client_was_made_sees_nothing(
    proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = of_chain()  # the second client is made at the exchange
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert credentials.get_frozen_credentials().access_key.startswith("ASIA")
    assert proxy.saw_nothing


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "arguments",
    [
        ("credential-process", "--role-arn", ROLE),
        ("env", "--role-arn", ROLE),
        ("doctor", "--role-arn", ROLE, "--timeout", "60"),
        ("exec", "--role-arn", ROLE, "--", sys.executable, "-c", "{fetch}"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_proxy_sees_nothing_of_the_command_line(
    proxy: RecordingProxy, arguments: tuple[str, ...]
) -> None:
    fetch = "import boto3; print(boto3.Session().get_credentials().get_frozen_credentials()[0])"
    environ = {**os.environ, **dict.fromkeys(("HTTP_PROXY", "http_proxy"), proxy.url)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gcp_aws_bridge"),
            *(argument.replace("{fetch}", fetch) for argument in arguments),
        ],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ("ASIA" in done.stdout) == (arguments[0] != "doctor"), done.stderr
    assert proxy.saw_nothing


def test_doctor_names_only_proxies_that_are_used(
    proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    report = doctor.diagnose({"arn": ROLE}, botocore.session.Session(), timeout_s=60)
    [sts] = [finding for finding in report.findings if finding.link == "sts"]
    assert ("ok", False) == (sts.state, "proxy" in sts.seen)
    assert proxy.saw_nothing


# -- HTTPS -------------------------------------------------------------------------------------


@pytest.fixture
def https(pod: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put STS behind TLS, with one certificate for it, for AWS's STS and for the proxy."""
    context = context_for(tmp_path, "127.0.0.1", "127.0.0.2", "sts.us-east-1.amazonaws.com")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    with https_in_front_of(pod.sts.url, context) as url:
        monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
        yield url


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_https_goes_through_a_tunnel_of_the_proxy(
    proxy: RecordingProxy,
    https: str,
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[[], Any],
) -> None:
    proxy.upstream = https
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert place().get_frozen_credentials().access_key.startswith("ASIA")
    assert proxy.connections
    tunnel = "CONNECT sts.us-east-1.amazonaws.com:443 HTTP/1."
    assert {tunnel} == {line[:-1] for line in proxy.request_lines}


def forwarding(proxies: dict[str, str] | None, authority: str, flag: object = True) -> Any:
    session = botocore.session.Session()
    config = {"proxy_ca_bundle": authority, "proxy_use_forwarding_for_https": flag}
    settings = {} if proxies is None else {"proxies": proxies}
    session.set_default_client_config(Config(proxies_config=config, **settings))
    return session


@pytest.mark.sampled(5)
@pytest.mark.parametrize("chain", [(), (SECOND,)], ids=["role", "chain"])
@pytest.mark.parametrize("by", ["config", "environment"])
def test_proxy_that_would_decrypt_https_gets_nothing(
    pod: Emulator,
    proxy: RecordingProxy,
    https: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
    chain: tuple[str, ...],
) -> None:
    authority = str(tmp_path / "authority.pem")
    with recording_proxy(_context(tmp_path)) as secured:
        secured.upstream = https
        proxies = {"https": secured.url} if by == "config" else None
        if by == "environment":
            monkeypatch.setenv("HTTPS_PROXY", secured.url)

        def exchange(flag: object) -> Any:
            session = forwarding(proxies, authority, flag)
            made = bridge.session(ROLE, botocore_session=session, chain=chain)
            return made.get_credentials().get_frozen_credentials()

        error = failure(
            ConfigError,
            "config/sts-proxy-forwarding",
            lambda: exchange(True),
            seen=["sts.us-east-1.amazonaws.com", secured.url],
        )
        assert 0 == secured.connections
        # The fix in the message: without that option, the proxy is asked for a tunnel.
        assert "proxy_use_forwarding_for_https" in error.fix
        assert exchange(None).access_key.startswith("ASIA")
        assert {"CONNECT"} == {line.split()[0] for line in secured.request_lines}


def test_excluded_host_is_reached_without_the_decrypting_proxy(
    https: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other fix in the message: NO_PROXY."""
    with recording_proxy(_context(tmp_path)) as secured:
        monkeypatch.setenv("HTTPS_PROXY", secured.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", https)
        session = forwarding(None, str(tmp_path / "authority.pem"))
        with pytest.raises(ConfigError, match="config/sts-proxy-forwarding"):
            bridge.session(ROLE, botocore_session=session)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        registry.clear()
        made = bridge.session(ROLE, botocore_session=session)
        assert made.get_credentials().get_frozen_credentials().access_key.startswith("ASIA")
        assert 0 == secured.connections


def test_plain_http_proxy_gets_a_tunnel_although_forwarding_is_set(
    proxy: RecordingProxy, https: str, tmp_path: Path
) -> None:
    """urllib3 forwards only through HTTPS proxies: this proxy receives CONNECT."""
    proxy.upstream = https
    session = forwarding({"https": proxy.url}, str(tmp_path / "authority.pem"))
    made = bridge.session(ROLE, botocore_session=session)
    assert made.get_credentials().get_frozen_credentials().access_key.startswith("ASIA")
    assert {"CONNECT"} == {line.split()[0] for line in proxy.request_lines}


def test_asynchronous_session_that_forwards_is_refused(https: str, tmp_path: Path) -> None:
    pytest.importorskip("aiobotocore")
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    from gcp_aws_bridge import aio

    with recording_proxy(_context(tmp_path)) as secured:
        session = get_session()
        session.set_default_client_config(
            AioConfig(
                proxies={"https": secured.url},
                proxies_config={"proxy_use_forwarding_for_https": True},
            )
        )
        aio.register(session, ROLE)
        with pytest.raises(CredentialRetrievalError, match="config/sts-proxy-forwarding"):
            asyncio.run(session.get_credentials())
        assert 0 == secured.connections


def test_doctor_names_the_proxy_that_would_decrypt(https: str, tmp_path: Path) -> None:
    with recording_proxy(_context(tmp_path)) as secured:
        session = forwarding({"https": secured.url}, str(tmp_path / "authority.pem"))
        report = doctor.diagnose({"arn": ROLE}, session, timeout_s=60)
        assert report.cause is not None
        assert ("sts", "config/sts-proxy-forwarding") == (report.cause.link, report.cause.id)
        assert 0 == secured.connections


def _context(folder: Path) -> ssl.SSLContext:
    """Return TLS settings of a proxy, with the certificate of the fixture `https`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context
