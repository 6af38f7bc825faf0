"""What a proxy on the network is shown of an exchange with Google: nothing, or a tunnel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import requests
import urllib3
from botocore.config import Config
from google.auth.transport.requests import Request
from recording_proxy import (
    PROXY_VARIABLES,
    RecordingProxy,
    context_for,
    https_in_front_of,
    recording_proxy,
)
from requests.adapters import HTTPAdapter
from unit.servers import failure

from gcp_aws_bridge import google
from gcp_aws_bridge._tokens import google_connection
from gcp_aws_bridge.doctor.google import diagnose
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._settings import identity_of

from .conftest import ACCOUNT, ROLE, Workload, needs_outbound
from .test_sources import (
    ecs_with_a_token,
    irsa,
    keys_of_environment,
    pod_identity,
    role_of_a_profile,
)

BUCKET = "https://storage.googleapis.com/"


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    with recording_proxy() as proxy:
        yield proxy


def by_environment(monkeypatch: pytest.MonkeyPatch, proxy: RecordingProxy) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.setenv(name, proxy.url)


# -- plain HTTP to loopback --------------------------------------------------------------------


@pytest.mark.parametrize(
    "become", [keys_of_environment, pod_identity, irsa, ecs_with_a_token, role_of_a_profile]
)
def test_proxy_sees_nothing_of_any_identity(
    workload: Workload,
    proxy: RecordingProxy,
    monkeypatch: pytest.MonkeyPatch,
    become: Callable[[Workload], None],
) -> None:
    """botocore's providers ask STS for IRSA and for the role of a profile."""
    become(workload)
    by_environment(monkeypatch, proxy)
    assert ACCOUNT == workload.whose(workload.credentials())
    assert proxy.saw_nothing


def test_proxy_sees_nothing_of_a_token_that_aws_signs(
    workload: Workload, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_outbound()
    cloud = workload.cloud
    cloud.allow(ROLE, "sts:GetWebIdentityToken")
    provider = cloud.add_google_provider_for_oidc(
        cloud.enable_outbound_federation(),
        pool="outbound",
        attribute_mapping={"google.subject": "assertion.sub"},
    )
    by_environment(monkeypatch, proxy)
    made = google.credentials(provider.audience, source="outbound")
    headers: dict[str, str] = {}
    made.before_request(None, "GET", BUCKET, headers)
    assert cloud.google_identity(headers["authorization"].removeprefix("Bearer "))
    assert proxy.saw_nothing


def test_proxy_sees_nothing_of_signatures_and_id_tokens(
    workload: Workload, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_environment(monkeypatch, proxy)
    assert workload.credentials().sign_bytes(b"a message")
    made = google.id_token_credentials(
        "https://orders.example", workload.provider.audience, service_account=ACCOUNT
    )
    made.refresh()
    assert made.token
    assert proxy.saw_nothing


def of_session(url: str, **options: Any) -> Any:
    session = requests.Session()
    for name, value in options.items():
        setattr(session, name, value)
    return Request(session)


def of_urllib3(url: str) -> Any:
    from google.auth.transport.urllib3 import Request as Urllib3Request

    return Urllib3Request(urllib3.ProxyManager(url))


TRANSPORTS: list[Callable[[str], Any]] = [
    lambda url: Request(),
    lambda url: of_session(url, proxies={"http": url}),
    lambda url: of_session(url, proxies={"http://127.0.0.1": url}),
    lambda url: of_session(url, proxies={"all": url, "all://127.0.0.1": url}),
    lambda url: of_session(url, proxies={"http": url}, trust_env=False),
    of_urllib3,
]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("environment", [False, True])
def test_proxy_sees_nothing_of_the_users_own_transport(
    workload: Workload,
    proxy: RecordingProxy,
    monkeypatch: pytest.MonkeyPatch,
    transport: Callable[[str], Any],
    environment: bool,
) -> None:
    if environment:
        by_environment(monkeypatch, proxy)
    assert ACCOUNT == workload.whose(workload.credentials(request=transport(proxy.url)))
    assert proxy.saw_nothing


def test_transport_of_the_user_keeps_its_proxies(workload: Workload, proxy: RecordingProxy) -> None:
    """They are left out for one request, and not taken away."""
    mine = of_session(proxy.url, proxies={"http": proxy.url})
    workload.whose(workload.credentials(request=mine))
    assert {"http": proxy.url} == mine.session.proxies
    mine.session.get("http://storage.example/", timeout=10)
    assert ["GET http://storage.example/ HTTP/1.1"] == proxy.request_lines


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1"])
def test_proxy_sees_nothing_however_loopback_is_spelled(
    workload: Workload, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    by_environment(monkeypatch, proxy)
    for name, port in (
        ("STS", workload.cloud.google_sts.port),
        ("IAM", workload.cloud.iam_credentials.port),
    ):
        path = "/v1/token" if name == "STS" else ""
        monkeypatch.setenv(f"GCP_AWS_BRIDGE_GOOGLE_{name}_URL", f"http://{host}:{port}{path}")
    assert ACCOUNT == workload.whose(workload.credentials())
    assert proxy.saw_nothing


@pytest.mark.parametrize(
    "arguments",
    [("google-token", "--service-account", ACCOUNT), ("doctor", "--google", "--timeout", "60")],
)
def test_proxy_sees_nothing_of_the_command_line(
    workload: Workload, proxy: RecordingProxy, arguments: tuple[str, ...]
) -> None:
    environ = {
        **os.environ,
        **dict.fromkeys(("HTTP_PROXY", "http_proxy"), proxy.url),
        "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": workload.provider.audience,
        "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": ACCOUNT,
    }
    done = subprocess.run(
        [sys.executable, "-m", "gcp_aws_bridge", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, True) == (done.returncode, bool(done.stdout)), done.stdout + done.stderr
    assert proxy.saw_nothing


def test_doctor_names_no_proxy_that_is_not_used(
    workload: Workload, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_environment(monkeypatch, proxy)
    given = {"audience": workload.provider.audience, "service_account": ACCOUNT}
    report = diagnose(given, botocore.session.Session(), timeout_s=60)
    for finding in report.findings:
        if finding.link in ("sts", "google", "iam"):
            assert ("ok", False) == (finding.state, "proxy" in finding.seen)
    assert proxy.saw_nothing


# -- HTTPS -------------------------------------------------------------------------------------


class Https:
    """Certificate for Google's endpoints under their own names, which a proxy connects to."""

    def __init__(self, workload: Workload, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.authority = str(folder / "authority.pem")
        self.context = context_for(
            folder, "127.0.0.1", "127.0.0.2", "sts.googleapis.com", "iamcredentials.googleapis.com"
        )
        patch.setenv("REQUESTS_CA_BUNDLE", self.authority)
        patch.delenv("GCP_AWS_BRIDGE_GOOGLE_STS_URL")
        patch.delenv("GCP_AWS_BRIDGE_GOOGLE_IAM_URL")


@pytest.fixture
def https(workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Https:
    return Https(workload, tmp_path, monkeypatch)


def federated(workload: Workload, **settings: Any) -> str | None:
    """Return the identity of a federated token, which needs no other endpoint than Google's STS."""
    made = google.credentials(workload.provider.audience, **settings)
    return workload.whose(made)


@pytest.mark.parametrize("own", [False, True], ids=["default", "request"])
def test_proxy_of_https_is_asked_for_tunnels_alone(
    workload: Workload,
    proxy: RecordingProxy,
    https: Https,
    monkeypatch: pytest.MonkeyPatch,
    own: bool,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with https_in_front_of(workload.cloud.google_sts.url, https.context) as proxy.upstream:
        assert federated(workload, **({"request": Request()} if own else {}))
    [tunnel] = proxy.request_lines
    assert tunnel.startswith("CONNECT sts.googleapis.com:443 ")


class Forwarding(HTTPAdapter):
    """An adapter of the user that has its proxy forward, which requests itself never does."""

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, use_forwarding_for_https=True, **options)


def forwarding_requests(url: str, https: Https, flag: bool) -> Any:
    session = requests.Session()
    session.proxies = {"https": url}
    if flag:
        session.mount("https://", Forwarding())
    return Request(session)


def forwarding_urllib3(url: str, https: Https, flag: bool) -> Any:
    from google.auth.transport.urllib3 import Request as Urllib3Request

    return Urllib3Request(
        urllib3.ProxyManager(url, use_forwarding_for_https=flag, ca_certs=https.authority)
    )


@pytest.mark.parametrize("transport", [forwarding_requests, forwarding_urllib3])
def test_proxy_that_would_decrypt_https_gets_nothing(
    workload: Workload,
    https: Https,
    transport: Callable[[str, Https, bool], Any],
) -> None:
    with (
        recording_proxy(https.context) as secured,
        https_in_front_of(workload.cloud.google_sts.url, https.context) as secured.upstream,
    ):

        def exchange(flag: bool) -> str:
            request = transport(secured.url, https, flag)
            made = identity_of(workload.provider.audience, request=request)[0]
            return str(made._federated(("https://www.googleapis.com/auth/cloud-platform",)).get())

        error = failure(
            ConfigError,
            "config/google-proxy-forwarding",
            lambda: exchange(True),
            seen=["sts.googleapis.com", secured.url],
        )
        assert 0 == secured.connections
        # The fix of the message: without that option, the proxy is asked for a tunnel.
        assert "use_forwarding_for_https" in error.fix
        assert exchange(False)
        assert {"CONNECT"} == {line.split()[0] for line in secured.request_lines}


def test_token_of_aws_is_not_asked_of_a_proxy_that_would_decrypt(
    workload: Workload, https: Https, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_outbound()
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    session = botocore.session.Session()
    with recording_proxy(https.context) as secured:
        session.set_default_client_config(
            Config(
                proxies={"https": secured.url},
                proxies_config={"proxy_use_forwarding_for_https": True},
            )
        )
        session.set_config_variable("region", "us-east-1")
        session.set_credentials("AKIAEXAMPLE", "secret")
        source = google.OutboundToken(session)
        with pytest.raises(ConfigError, match="config/sts-proxy-forwarding"):
            source("//iam.googleapis.com/projects/1")
        assert 0 == secured.connections


# -- what is sent to no address ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_token_is_not_sent_over_plain_http_elsewhere(method: str) -> None:
    error = failure(
        ConfigError,
        "config/google-plain-http",
        lambda: google_connection.send(
            Request(), "http://sts.example/v1/token", method, headers={"Authorization": "Bearer x"}
        ),
        seen=["http://sts.example/v1/token"],
    )
    assert "https://" in error.fix
