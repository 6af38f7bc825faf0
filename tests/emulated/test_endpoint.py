"""The container credentials endpoint over real HTTP: answers, and requests that it denies."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import logging
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError, MetadataRetrievalError
from fakes import Journey, eventually

from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.server import protocols
from gcp_aws_bridge.server.asgi import application
from gcp_aws_bridge.server.authorization import Authorization
from gcp_aws_bridge.server.endpoint import PATH, endpoint
from gcp_aws_bridge.server.running import Address, running
from gcp_aws_bridge.server.status import Metrics, status

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::123456789012:role/team/other"
ANY = Address("127.0.0.1", 0)


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """An HTTP client; it sends the authorization token by default."""

    def __init__(self, url: str, authorization: Authorization) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.authorization = authorization

    def get(self, path: str = PATH, *, method: str = "GET", **headers: str | None) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": self.authorization.token, **named}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        skip_host = "Host" in named
        try:
            connection.putrequest(method, path, skip_host=skip_host, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = answer.getheader("Content-Type") == "application/json"
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, json.loads(text) if is_json and text else text, found)


@pytest.fixture
def roles(pod: Emulator) -> dict[str, Any]:
    pod.add_role(OTHER)
    made = {}
    for name, arn in (("etl", ROLE), ("second", OTHER)):
        wanted = Request.of(arn)
        made[name] = wanted.cache()
    return made


@pytest.fixture
def client(roles: dict[str, Any]) -> Iterator[Client]:
    authorization = Authorization()
    app = application(endpoint(roles, authorization), hosts=frozenset({"bridge.internal"}))
    with running((ANY, app), grace_s=0) as [url]:
        yield Client(url, authorization)


# -- credentials -------------------------------------------------------------------------------


def test_answer_has_the_specified_format(pod: Emulator, client: Client) -> None:
    answer = client.get()
    expected = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId", "RoleArn"}
    assert (200, expected) == (answer.status, answer.body.keys())
    assert answer.body["AccessKeyId"].startswith("ASIA")
    assert (ROLE, "123456789012") == (answer.body["RoleArn"], answer.body["AccountId"])
    assert "no-store" == answer.headers["cache-control"]
    assert "access-control-allow-origin" not in answer.headers
    assert "server" not in answer.headers


def test_each_role_has_its_path_and_the_first_the_short_one(client: Client) -> None:
    arns = [client.get(path).body["RoleArn"] for path in (PATH, f"{PATH}/etl", f"{PATH}/second")]
    assert [ROLE, ROLE, OTHER] == arns


def test_boto3_uses_the_endpoint(
    pod: Emulator, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(client.authorization.token, encoding="utf-8")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{client.url}{PATH}/second")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    sts = boto3.Session().client("sts", region_name="us-east-1")
    assert "assumed-role/other" in sts.get_caller_identity()["Arn"]


def test_waiting_clients_share_one_exchange(pod: Emulator, client: Client) -> None:
    pod.sts.latency_s = 0.2
    keys: list[str] = []
    asking = [
        threading.Thread(target=lambda: keys.append(client.get().body["AccessKeyId"]))
        for _ in range(100)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)
    assert (100, 1, 1) == (len(keys), len(set(keys)), len(pod.sts.requests))


def test_refresh_runs_in_the_background(pod: Emulator, journey: Journey, client: Client) -> None:
    first = client.get().body["AccessKeyId"]
    journey.travel(minutes=40)
    pod.sts.latency_s = 0.2
    assert first == client.get().body["AccessKeyId"]
    eventually(lambda: client.get().body["AccessKeyId"] != first)
    assert 2 == len(pod.sts.requests)


def test_role_that_waits_does_not_block_another(pod: Emulator, client: Client) -> None:
    client.get(f"{PATH}/second")
    pod.sts.inject(Fault.hang(20))
    waiting = threading.Thread(target=client.get, daemon=True)
    waiting.start()
    eventually(lambda: len(pod.sts.requests) == 2)
    assert 200 == client.get(f"{PATH}/second").status
    assert waiting.is_alive()


@pytest.mark.parametrize(
    ("fault", "expected", "code"),
    [
        (Fault.aws_error("AccessDenied", "no", 403), 400, "AccessDenied"),
        (Fault.aws_error("Throttling", "slower", 400), 503, "Throttling"),
        (Fault.status(503), 503, "UnreadableAnswer"),
    ],
    ids=["refused", "throttled", "away"],
)
def test_error_tells_whether_to_retry(
    pod: Emulator, journey: Journey, client: Client, fault: Fault, expected: int, code: str
) -> None:
    pod.sts.inject(fault, times=None)
    answer = client.get()
    assert (expected, code) == (answer.status, answer.body["code"])
    assert answer.body["message"].startswith(f"Assuming {ROLE}")
    assert "Fix: " in answer.body["message"]


@pytest.mark.sampled(3)
def test_boto3_shows_the_failure(
    pod: Emulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.remove_role(ROLE)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", client.url + PATH)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", client.authorization.token)
    with pytest.raises((CredentialRetrievalError, MetadataRetrievalError), match="exchange/denied"):
        boto3.Session().client("sts", region_name="us-east-1").get_caller_identity()


# -- requests without access --------------------------------------------------------------------


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    "token", [None, "", "wrong", "\xff\xfe", "Bearer x", "x" * 10_000], ids=str
)
def test_request_without_the_token_is_denied(client: Client, token: str | None) -> None:
    for path in (PATH, f"{PATH}/etl", f"{PATH}/unknown", "/"):
        answer = client.get(path, Authorization=token)
        assert (401, "Unauthorized") == (answer.status, answer.body["code"])
    assert 401 == client.get(Authorization=f"Bearer {client.authorization.token}").status
    assert 401 == client.get(Authorization=client.authorization.token[:-1]).status


def test_previous_token_is_accepted_until_the_next_rotation(client: Client) -> None:
    first = client.authorization.token
    client.authorization.rotate()
    assert [200, 200] == [client.get(Authorization=first).status, client.get().status]
    client.authorization.rotate()
    assert [401, 200] == [client.get(Authorization=first).status, client.get().status]


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/credentials/", "//credentials", "/credentials/unknown", "/credentials/etl/x"),
        *("/credentials/../credentials", "/credentials/%2e%2e/etl", "/Credentials", "/healthz"),
        *("/credentials%00", "/credentials/etl%0d%0aX:y", "/%63redentials/et%", "*"),
    ],
)
def test_unknown_path_is_not_found(client: Client, path: str) -> None:
    assert client.get(path).status in (400, 404)


def test_query_is_ignored(client: Client) -> None:
    assert ROLE == client.get(f"{PATH}?role=other").body["RoleArn"]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.7", "bridge.internal"])
def test_local_host_name_is_answered(client: Client, host: str) -> None:
    for spelled in (host, f"{host}:{client.port}", host.upper()):
        assert 200 == client.get(Host=spelled).status


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.io", "", ":"],
)
def test_host_name_of_a_rebinding_attack_is_refused(client: Client, host: str) -> None:
    answer = client.get(Host=host)
    assert (403, "Forbidden") == (answer.status, answer.body["code"])
    assert (
        "this host name is not allowed: use an IP address, or serve --allow-host"
        == (answer.body["message"])
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "no-cors"},
    ],
    ids=str,
)
def test_request_of_a_browser_is_refused(client: Client, headers: dict[str, str]) -> None:
    for method in ("GET", "OPTIONS"):
        answer = client.get(method=method, **headers)
        assert 403 == answer.status
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_forwarded_request_is_refused(client: Client) -> None:
    assert 401 == client.get(X_Forwarded_For="10.0.0.1").status


@pytest.mark.sampled(7)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PATCH"])
def test_only_get_is_answered(client: Client, method: str) -> None:
    assert 405 == client.get(method=method).status


# -- attacks -----------------------------------------------------------------------------------


def connected(client: Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.port), timeout=30)


def until_closed(connection: socket.socket) -> bytes:
    """Return everything that the connection receives until it is closed."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01\x02\x00" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /credentials HTTP/9.9\r\n\r\n",
        b"GET /credentials HTTP/1.1\r\n\r\n",
        b"GET /credentials HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_malformed_request_is_refused_and_affects_no_other(client: Client, sent: bytes) -> None:
    with connected(client) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        line = connection.makefile("rb").readline()
    assert b" 4" == line[8:10]
    assert 200 == client.get().status


@pytest.mark.parametrize(
    "sent", [b"", b"GET /cred", b"GET / HTTP/1.1\r\nHost: localhost\r\n"], ids=repr
)
def test_incomplete_request_times_out(
    client: Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocols, "_WHOLE_REQUEST_S", 0.1)
    with connected(client) as connection:
        connection.sendall(sent)
        assert b"" == until_closed(connection)


def test_request_sent_byte_by_byte_times_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "_WHOLE_REQUEST_S", 0.2)
    with connected(client) as connection:
        connection.settimeout(0.02)
        for _ in range(500):
            with contextlib.suppress(TimeoutError):
                assert b"" == connection.recv(1)
                break
            connection.sendall(b"G")
        else:
            pytest.fail("the server still waits for it")


def test_incomplete_second_request_of_a_connection_times_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "_WHOLE_REQUEST_S", 0.3)
    whole = (
        b"GET /credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
        + client.authorization.token.encode()
        + b"\r\n\r\n"
    )
    with connected(client) as connection:
        connection.sendall(whole)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (200, True) == (answer.status, bool(answer.read()))
        connection.sendall(b"GET /credentials HTTP/1.1\r\n")
        assert b"" == until_closed(connection)


def test_thousand_simultaneous_requests_are_answered(pod: Emulator, client: Client) -> None:
    pod.sts.latency_s = 0.3
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: {client.authorization.token}\r\n\r\n"
    ).encode()
    connections = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(1000)]
    answers = set()
    for connection in connections:
        connection.sendall(request)
    for connection in connections:
        with connection:
            connection.settimeout(30)
            answers.add(connection.makefile("rb").read().partition(b"\r\n\r\n")[2])
    assert 1 == len(answers)
    assert ROLE == json.loads(answers.pop())["RoleArn"]
    assert 1 == len(pod.sts.requests)


# -- files and logs ----------------------------------------------------------------------------


def test_token_file_is_readable_by_this_user_only(tmp_path: Path) -> None:
    file = tmp_path / "token"
    authorization = Authorization(str(file))
    assert (authorization.token, 0o600) == (file.read_text(), stat.S_IMODE(file.stat().st_mode))
    authorization.rotate()
    assert authorization.token == file.read_text()
    assert [file] == list(tmp_path.iterdir())


def test_a_token_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config/token-file"):
        Authorization(str(tmp_path / "missing" / "token"))


def test_failed_rotation_keeps_the_token(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    authorization = Authorization(str(tmp_path / "folder" / "token"))
    before = authorization.token
    (tmp_path / "folder" / "token").unlink()
    (tmp_path / "folder").rmdir()
    with pytest.raises(ConfigError):
        authorization.rotate()
    assert authorization.admits(before.encode())
    assert before == authorization.token


def test_each_answer_is_logged_as_one_line_of_json(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gcp_aws_bridge.access")
    client.get()
    client.get("/a%22%0ab", Authorization="wrong")

    def lines() -> list[dict[str, Any]]:
        records = [r for r in caplog.records if r.name == "gcp_aws_bridge.access"]
        return [json.loads(record.getMessage()) for record in records]

    eventually(lambda: len(lines()) >= 1)
    assert ("GET", PATH, 200, "127.0.0.1") == tuple(
        lines()[0][name] for name in ("method", "path", "status", "client")
    )


# -- status ------------------------------------------------------------------------------------


@pytest.fixture
def kubelet(roles: dict[str, Any]) -> Iterator[tuple[Client, Metrics]]:
    caches = dict(roles)
    metrics = Metrics(caches)
    with running((ANY, application(status(caches, metrics)))) as [url]:
        yield Client(url, Authorization()), metrics


def test_server_is_ready_once_it_has_credentials(
    pod: Emulator, kubelet: tuple[Client, Metrics]
) -> None:
    client, _ = kubelet
    pod.sts.latency_s = 0.2
    assert 200 == client.get("/healthz").status
    answer = client.get("/readyz")
    assert (503, ["etl", "second"]) == (answer.status, answer.body["without credentials"])
    eventually(lambda: client.get("/readyz").status == 200)
    assert 2 == len(pod.sts.requests)


def test_denied_role_is_not_ready_and_the_server_is_healthy(
    pod: Emulator, kubelet: tuple[Client, Metrics]
) -> None:
    client, _ = kubelet
    pod.remove_role(OTHER)
    client.get("/readyz")
    eventually(lambda: client.get("/readyz").body["without credentials"] == ["second"])
    assert 200 == client.get("/healthz").status


def test_successful_probe_is_not_logged(
    roles: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gcp_aws_bridge.access")
    caches = dict(roles)
    app = application(status(caches, Metrics(caches)), log_all=False)
    with running((ANY, app)) as [url]:
        client = Client(url, Authorization())
        assert [200, 404] == [client.get(path).status for path in ("/healthz", "/nothing")]
    logged = [json.loads(r.getMessage()) for r in caplog.records if r.name.endswith(".access")]
    assert [("/nothing", 404)] == [(line["path"], line["status"]) for line in logged]


def test_the_status_listener_has_no_credentials(kubelet: tuple[Client, Metrics]) -> None:
    client, _ = kubelet
    assert [404, 404] == [client.get(path).status for path in (PATH, f"{PATH}/etl")]


def test_metrics_have_the_prometheus_format(
    pod: Emulator, roles: dict[str, Any], kubelet: tuple[Client, Metrics]
) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    import gcp_aws_bridge as bridge

    client, metrics = kubelet
    stop = bridge.on_event(metrics)
    roles["etl"].get()
    pod.remove_role(OTHER)
    roles["second"].warm_up()

    def found(name: str) -> dict[tuple[str, ...], float]:
        """Return values by role, outcome and error."""
        return {
            tuple(
                s.labels[label] for label in ("role", "outcome", "error") if label in s.labels
            ): s.value
            for family in text_string_to_metric_families(client.get("/metrics").body)
            for s in family.samples
            if s.name == f"gcp_aws_bridge_{name}"
        }

    refused = (OTHER, "failed", "exchange/denied")
    eventually(lambda: refused in found("exchanges_total"))
    stop()
    assert {(ROLE, "exchanged", ""): 1.0, refused: 1.0} == found("exchanges_total")
    remaining = found("credentials_remaining_seconds")
    assert 3500 < remaining[ROLE,] <= 3590
    assert 0 == remaining[OTHER,]


# -- listening ---------------------------------------------------------------------------------


def test_port_in_use_is_a_clear_error(client: Client) -> None:
    with pytest.raises(ConfigError, match="config/listen"):
        Address("127.0.0.1", client.port).bound()


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "a" * 70])
def test_address_of_another_machine_is_a_clear_error(host: str) -> None:
    with pytest.raises(ConfigError, match="config/listen"):
        Address(host, 0).bound()


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EADDRINUSE])
@pytest.mark.parametrize("host", [None, "127.0.0.1"])
def test_default_address_is_ipv6_loopback_on_a_machine_without_ipv4(
    monkeypatch: pytest.MonkeyPatch, host: str | None, number: int
) -> None:
    real = socket.create_server

    def create_server(address: tuple[str, int], **options: Any) -> socket.socket:
        if address[0] == "127.0.0.1":
            raise OSError(number, os.strerror(number))
        try:
            return real(address, **options)
        except OSError:
            pytest.skip("no IPv6 here")

    monkeypatch.setattr(socket, "create_server", create_server)
    if host or number == errno.EADDRINUSE:
        with pytest.raises(ConfigError, match=r'Cannot listen on "127\.0\.0\.1:0"'):
            Address(host, 0).bound()
    else:
        with Address(host, 0).bound() as bound:
            assert "::1" == bound.getsockname()[0]


def test_ipv6_address_in_an_error_has_brackets() -> None:
    with pytest.raises(ConfigError, match=r'Cannot listen on "\[2001:db8::1\]:9911"'):
        Address("2001:db8::1", 9911).bound()


def test_two_listeners_need_two_ports(client: Client) -> None:
    app = application(endpoint({"etl": None}, client.authorization))
    free = Address("127.0.0.1", 0).bound()
    port = free.getsockname()[1]
    free.close()
    twice = [(Address(host, port), app) for host in ("127.0.0.1", "127.0.0.2")]
    with pytest.raises(ConfigError, match="config/listen"), running(*twice):
        pass


def test_shutdown_answers_waiting_clients_and_logs_nothing(
    pod: Emulator, roles: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    pod.sts.inject(Fault.hang(20), times=None)
    authorization, answers = Authorization(), []
    app = application(endpoint(roles, authorization))
    with running((ANY, app), grace_s=0) as [url]:
        client = Client(url, authorization)
        asking = threading.Thread(target=lambda: answers.append(client.get()))
        asking.start()
        eventually(lambda: len(pod.sts.requests) == 1)
    asking.join(20)
    assert [(503, "Stopping")] == [(answer.status, answer.body["code"]) for answer in answers]
    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_port_is_free_after_shutdown(roles: dict[str, Any]) -> None:
    app = application(endpoint(roles, Authorization()))
    with running((ANY, app)) as [url]:
        port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
