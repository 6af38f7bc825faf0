"""The webhook over TLS: reviews as kube-apiserver sends them, and accounts of an API server."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import http.client
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
from asyncio import constants
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
import trustme
from fakes import ManualWorld
from kubernetes_api import TOKEN, KubernetesApi
from kubernetes_objects import VERSIONS, check, patched
from lightkube import KubeConfig
from prometheus_client.parser import text_string_to_metric_families
from unit.servers import failure
from webhooks import POD, SECRET, ApiServer, TlsFiles, der, review

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject import Settings
from gcp_aws_bridge.server import protocols, running
from gcp_aws_bridge.server.running import Address
from gcp_aws_bridge.webhook import application, cluster, serving
from gcp_aws_bridge.webhook.accounts import Accounts
from gcp_aws_bridge.webhook.application import Webhook
from gcp_aws_bridge.webhook.certificate import Certificate

ROLE = {"gcp-aws-bridge/role-arn": "arn:aws:iam::123456789012:role/etl"}
LINKED = {"iam.gke.io/gcp-service-account": "etl@my-project.iam.gserviceaccount.com"}
ETL = ("data", "etl")
ANY = Address("127.0.0.1", 0)
SETTINGS = Settings(image="registry.example.com/gcp-aws-bridge:1")


class Served:
    """A webhook that listens.

    Attributes:
        certificate: Its certificate.
        server: A connection as the API server's.
        status_url: URL of its health and metrics.
    """

    def __init__(self, certificate: Certificate, urls: list[str], files: TlsFiles) -> None:
        self.certificate = certificate
        self.url, self.status_url = urls
        self._files = files
        self.server = self.connect()

    def connect(self) -> ApiServer:
        return ApiServer(self.url, self._files.client())

    def status(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.status_url.removeprefix("http://"), timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def metric(self, name: str, **labels: str) -> float | None:
        families = text_string_to_metric_families(self.status("/metrics")[1])
        samples = [sample for family in families for sample in family.samples]
        found = [one.value for one in samples if (one.name, one.labels) == (name, labels)]
        return found[0] if found else None


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> TlsFiles:
    made = TlsFiles(tmp_path, authority)
    made.write(made.issue())
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    return made


@pytest.fixture
def api(
    files: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesApi]:
    """An API server over TLS, to which KUBECONFIG leads."""
    with KubernetesApi(files.server()) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path, tmp_path / "ca.crt")))
        api.accounts[ETL] = dict(ROLE)
        yield api


@pytest.fixture
def serve(files: TlsFiles, api: KubernetesApi) -> Iterator[Callable[..., Served]]:
    """Start a webhook; it is ready when this returns."""
    with contextlib.ExitStack() as stack:

        def start(
            settings: Settings = SETTINGS, native: bool | None = None, *, ready: bool = True
        ) -> Served:
            certificate = Certificate(str(files.certificate), str(files.key))
            urls = stack.enter_context(serving.serving(certificate, settings, native, ANY, ANY))
            served = Served(certificate, urls, files)
            stack.callback(served.server.close)
            if ready:
                eventually(lambda: served.status("/readyz")[0] == 200)
            return served

        yield start


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    return serve()


def eventually(true: Callable[[], bool]) -> None:
    """Wait until *true* returns true, for at most 20 s."""
    pause = threading.Event()
    for _ in range(1000):
        if true():
            return
        pause.wait(0.02)
    raise AssertionError("it did not become true")


# -- pods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "version", "sidecars"),
    [
        (ROLE, "v1.33.1-gke.1386000", {}),
        (ROLE | LINKED, "v1.29.0", {"initContainers": ["gcp-aws-bridge-serve"]}),
        (ROLE | LINKED, "v1.28.15-eks-7f9249a", {"containers": ["app", "gcp-aws-bridge-serve"]}),
    ],
)
def test_pod_gets_a_patch_that_the_api_server_can_apply(
    serve: Callable[..., Served],
    api: KubernetesApi,
    annotations: dict[str, str],
    version: str,
    sidecars: dict[str, list[str]],
) -> None:
    api.accounts[ETL] = annotations
    api.version = version
    answer = serve().server.ask()
    assert (True, "JSONPatch") == (answer.body["allowed"], answer.body["patchType"])
    pod = patched(POD, answer.patch)
    check(pod, *(("1.25",) if "containers" in sidecars else VERSIONS[1:]))
    names = {member: [one["name"] for one in pod["spec"][member]] for member in sidecars}
    assert sidecars == names
    assert pod["spec"]["volumes"]


@pytest.mark.parametrize(("native", "member"), [(True, "initContainers"), (False, "containers")])
def test_option_for_native_sidecars_overrides_the_version(
    serve: Callable[..., Served], api: KubernetesApi, native: bool, member: str
) -> None:
    api.accounts[ETL] = ROLE | LINKED
    api.version = "v1.28.0" if native else "v1.33.0"
    pod = patched(POD, serve(native=native).server.ask().patch)
    assert "gcp-aws-bridge-serve" in [one["name"] for one in pod["spec"][member]]


def test_account_of_the_pod_is_read_in_the_namespace_of_the_request(
    served: Served, api: KubernetesApi
) -> None:
    api.accounts = {("data", "default"): ROLE, ("web", "etl"): ROLE}
    pod = {**POD, "spec": {"containers": POD["spec"]["containers"]}}
    assert served.server.ask(object=pod).patch
    elsewhere = {**POD, "metadata": {"name": "etl", "namespace": "other"}}
    assert served.server.ask(namespace="web", object=elsewhere).patch
    assert [("data", "default"), ("web", "etl")] == api.reads


def test_dry_run_gets_the_same_answer(served: Served) -> None:
    assert served.server.ask().body == served.server.ask(dryRun=True).body


def test_account_without_annotations_leaves_the_pod_unchanged(
    served: Served, api: KubernetesApi
) -> None:
    api.accounts[ETL] = {}
    assert {"uid", "allowed"} == served.server.ask().body.keys()
    assert 1.0 == served.metric("gcp_aws_bridge_admissions_total", outcome="unchanged")


def test_first_annotation_applies_to_the_next_pod(served: Served, api: KubernetesApi) -> None:
    api.accounts[ETL] = {}
    served.server.ask()
    api.accounts[ETL] = ROLE
    assert served.server.ask().patch


def test_credentials_that_a_pod_does_not_get_cause_a_warning(
    served: Served, api: KubernetesApi
) -> None:
    api.accounts[ETL] = ROLE | LINKED
    pod = {**POD, "spec": {**POD["spec"], "hostNetwork": True}}
    body = served.server.ask(object=pod).body
    assert (True, False) == (body["allowed"], "patch" in body)
    [warning] = body["warnings"]
    assert warning.startswith("gcp-aws-bridge: no credentials: the pod uses hostNetwork")


def test_annotations_of_other_webhooks_are_read_if_asked(
    serve: Callable[..., Served], api: KubernetesApi
) -> None:
    api.accounts[ETL] = {"eks.amazonaws.com/role-arn": ROLE["gcp-aws-bridge/role-arn"]}
    eks = Settings(prefixes=("eks.amazonaws.com",))
    assert "patch" in serve(eks).server.ask().body
    assert "patch" not in serve().server.ask().body


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE", "object": None},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"subResource": "ephemeralcontainers"},
    ],
    ids=str,
)
def test_other_requests_are_admitted_unchanged(
    served: Served, api: KubernetesApi, changes: dict[str, Any]
) -> None:
    assert {"uid", "allowed"} == served.server.ask(**changes).body.keys()
    assert [] == api.reads


def test_burst_reads_the_account_once_a_second(served: Served, api: KubernetesApi) -> None:
    connections = [served.connect() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: [one.ask() for _ in range(25)], connections))
    for one in connections:
        one.close()
    assert 200 == sum(bool(answer.patch) for each in answers for answer in each)
    assert len(api.reads) < 20
    assert 200.0 == served.metric("gcp_aws_bridge_admissions_total", outcome="patched")
    assert 200.0 == served.metric("gcp_aws_bridge_admission_seconds_count")
    reads = served.metric("gcp_aws_bridge_service_account_reads_total", outcome="read")
    assert len(api.reads) == reads


# -- denied ------------------------------------------------------------------------------------


def denied(served: Served, code: int, error_id: str, **changes: Any) -> str:
    """Return the message with which a pod is denied."""
    body = served.server.ask(**changes).body
    assert {"uid", "allowed", "status"} == body.keys()
    assert (False, code) == (body["allowed"], body["status"]["code"])
    message: str = body["status"]["message"]
    assert message.endswith(f"[{error_id}]")
    assert "Fix: " in message
    return message


def test_malformed_annotation_denies_the_pod_until_it_is_corrected(
    served: Served, api: KubernetesApi
) -> None:
    api.accounts[ETL] = {"gcp-aws-bridge/role-arn": "arn:aws:iam::1:role/etl"}
    assert '"arn:aws:iam::1:role/etl"' in denied(served, 403, "config/annotation")
    api.accounts[ETL] = ROLE
    assert served.server.ask().patch


def test_sidecar_without_an_image_denies_the_pod(
    serve: Callable[..., Served], api: KubernetesApi
) -> None:
    api.accounts[ETL] = ROLE | LINKED
    assert "--image" in denied(serve(Settings()), 403, "config/inject-image")


def test_missing_account_denies_the_pod_until_it_is_created(
    served: Served, api: KubernetesApi
) -> None:
    del api.accounts[ETL]
    assert '"data/etl" does not exist' in denied(served, 403, "config/service-account")
    api.accounts[ETL] = ROLE
    assert served.server.ask().patch


@pytest.mark.parametrize(
    "name", ["../../secrets/x", "a/b", "a?b", "a%2Fb", "A", "a" * 254, "a\nb", "-a", "é"]
)
def test_name_that_no_account_can_have_is_not_sent(
    served: Served, api: KubernetesApi, name: str
) -> None:
    pod = {**POD, "spec": {**POD["spec"], "serviceAccountName": name}}
    denied(served, 403, "config/service-account", object=pod)
    denied(served, 403, "config/service-account", namespace=name)
    assert [] == api.reads


def test_account_that_may_not_be_read_denies_the_pod(served: Served, api: KubernetesApi) -> None:
    api.forbidden = True
    message = denied(served, 503, "config/cluster-unread")
    assert "the service account data/etl: 403" in message
    assert "let the webhook's service account get serviceaccounts" in message
    api.forbidden = False
    assert served.server.ask().patch
    assert 1.0 == served.metric("gcp_aws_bridge_service_account_reads_total", outcome="read")


def test_token_that_the_api_server_rejects_denies_the_pod(
    served: Served, api: KubernetesApi
) -> None:
    api.token = "another"
    assert "401" in denied(served, 503, "config/cluster-unread")


def test_api_server_that_does_not_answer_denies_the_pod_in_time(
    served: Served, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_TIMEOUT_S", 0.2)
    hangs = threading.Event()
    api.hook = lambda: hangs.wait(20)
    message = denied(served, 503, "config/cluster-unread")
    hangs.set()
    assert "no answer within" in message


def test_closed_connection_to_the_api_server_is_opened_again(
    served: Served, api: KubernetesApi
) -> None:
    assert served.server.ask().patch
    api.close_connections()
    api.accounts["data", "web"] = ROLE
    pod = {**POD, "spec": {**POD["spec"], "serviceAccountName": "web"}}
    assert served.server.ask(object=pod).patch


# -- requests that are not reviews -------------------------------------------------------------

BODY = json.dumps(review()).encode()


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        ({"path": "/"}, 404, "the webhook is at /mutate"),
        ({"path": "/mutate/"}, 404, "the webhook is at /mutate"),
        ({"path": "/healthz", "method": "GET"}, 404, "the webhook is at /mutate"),
        ({"method": "GET"}, 405, "POST is the only method"),
        ({"method": "PUT"}, 405, "POST is the only method"),
        ({"content_type": None}, 415, "not application/json"),
        ({"content_type": "application/yaml"}, 415, "not application/json"),
        ({"body": b""}, 400, "not JSON"),
        ({"body": b"{" + SECRET.encode()}, 400, "not JSON"),
        ({"body": b'{"apiVersion": "admission.k8s.io/v1beta1"}'}, 400, "admissionReviewVersions"),
    ],
    ids=str,
)
def test_request_that_is_not_a_review_is_an_http_error(
    served: Served,
    caplog: pytest.LogCaptureFixture,
    request_: dict[str, Any],
    status: int,
    text: str,
) -> None:
    answer = served.server.post(**{"body": BODY, **request_})
    assert (status, "close") == (answer.status, answer.headers["connection"])
    assert text in answer.body
    assert SECRET not in answer.body + caplog.text
    assert served.server.ask().patch  # on another connection
    assert 1.0 == served.metric("gcp_aws_bridge_admissions_total", outcome="error")


def test_content_type_may_have_parameters(served: Served) -> None:
    kind = "Application/JSON; charset=utf-8"
    assert 200 == served.server.post(BODY, content_type=kind).status


def test_review_of_the_largest_pod_is_answered(served: Served) -> None:
    annotations = {"x": "y" * 3 * 1024 * 1024}
    pod = {**POD, "metadata": {"name": "etl", "annotations": annotations}}
    assert served.server.ask(object=pod).patch


def called(webhook: Webhook, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Call the application with a request of these parts, and return what it sends."""
    parts, sent = iter(messages), []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mutate",
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive() -> dict[str, Any]:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(webhook(scope, receive, send))
    return sent


@pytest.fixture
def idle() -> Webhook:
    """The application alone."""

    async def read(namespace: str, name: str) -> dict[str, str]:
        return ROLE

    ticks = iter(range(1000))
    accounts = Accounts(read, SETTINGS.prefixes, lambda: next(ticks))
    webhook = Webhook(accounts, lambda outcome, seconds: None, lambda: next(ticks))
    webhook.settings = SETTINGS
    return webhook


def part(size: int) -> dict[str, Any]:
    return {"type": "http.request", "body": b" " * size, "more_body": True}


def test_body_that_is_too_large_is_not_read_to_its_end(idle: Webhook) -> None:
    start, _ = called(idle, *(part(1024 * 1024) for _ in range(8)))
    assert (413, (b"connection", b"close")) == (start["status"], start["headers"][-1])


def test_client_that_closes_the_connection_gets_no_answer(idle: Webhook) -> None:
    assert [] == called(idle, part(10), {"type": "http.disconnect"})


@pytest.mark.parametrize(
    "data",
    [
        b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"POST /mutate HTTP/1.1\r\nContent-",
        b"POST /mutate HTTP/1.1\r\n" + b"A: b\r\n" * 20_000,
    ],
    ids=["body", "head", "large head"],
)
def test_incomplete_request_is_closed(
    served: Served, files: TlsFiles, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    if len(data) < 1000:
        monkeypatch.setattr(protocols, "_WHOLE_REQUEST_S", 0.1)
    host, _, port = served.url.removeprefix("https://").partition(":")
    plain = socket.create_connection((host, int(port)), timeout=5)
    with files.client().wrap_socket(plain, server_hostname=host) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert b"" == connection.recv(1)
    assert served.server.ask().patch


def test_client_that_does_not_end_tls_is_closed(
    served: Served, files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "_WHOLE_REQUEST_S", 0.1)
    host, _, port = served.url.removeprefix("https://").partition(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    descriptor = files.client().wrap_socket(plain, server_hostname=host).detach()
    with socket.socket(fileno=descriptor) as connection, contextlib.suppress(ConnectionError):
        connection.settimeout(20)
        while connection.recv(4096):  # does not answer the alert close_notify
            pass


def test_client_without_a_handshake_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 10 == constants.SSL_HANDSHAKE_TIMEOUT
    monkeypatch.setattr(constants, "SSL_HANDSHAKE_TIMEOUT", 0.1)
    host, _, port = served.url.removeprefix("https://").partition(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    with plain, contextlib.suppress(ConnectionError):
        assert b"" == plain.recv(1)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio allocates no buffer before")
def test_connections_without_a_request_take_little_memory(served: Served) -> None:
    host, _, port = served.url.removeprefix("https://").partition(":")
    tracemalloc.start()
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                connection = socket.create_connection((host, int(port)), timeout=20)
                stack.enter_context(connection)
            assert served.server.ask().patch  # all were accepted before
            used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 100 * 100 * 1024


@pytest.mark.skipif(os.name != "posix", reason="numbers of file descriptors")
def test_number_of_connections_is_limited(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert served.server.ask().patch
    with open(os.devnull, "rb") as lowest:
        monkeypatch.setattr(running, "_CONNECTIONS", lowest.fileno() + 40)
    host, _, port = served.url.removeprefix("https://").partition(":")
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            plain = socket.create_connection((host, int(port)), timeout=20)
            stack.enter_context(plain)
        assert served.server.ask().patch  # on the connection that was open before
        assert 200 == served.status("/healthz")[0]
        plain.settimeout(5)  # shorter than a handshake may take
        with contextlib.suppress(ConnectionError):
            assert b"" == plain.recv(1)
    eventually(lambda: is_answered(served))


def is_answered(served: Served) -> bool:
    new = served.connect()
    try:
        return bool(new.ask().patch)
    except OSError:
        return False
    finally:
        new.close()


def test_large_requests_are_read_one_at_a_time(idle: Webhook) -> None:
    """Objects of JSON may take 20 times the memory of their text."""
    ends: list[str] = []

    async def all_of_them() -> None:
        first = asyncio.Event()

        async def request(name: str, headers: dict[bytes, bytes], wait: bool) -> None:
            async def receive() -> dict[str, Any]:
                if wait:
                    await first.wait()
                return {"type": "http.request", "body": b"{}"}

            async def send(message: Any) -> None:
                if message["type"] == "http.response.body":
                    ends.append(name)
                    if name == "small":
                        first.set()

            all_headers = [(b"content-type", b"application/json"), *headers.items()]
            scope = {"type": "http", "method": "POST", "path": "/mutate", "headers": all_headers}
            await idle(scope, receive, send)

        await asyncio.gather(
            request("large", {b"content-length": b"7000000"}, True),
            request("chunked", {}, False),
            request("second large", {b"content-length": b"70000"}, False),
            request("small", {b"content-length": b"2"}, False),
        )

    asyncio.run(asyncio.wait_for(all_of_them(), 20))
    assert ["small", "large", "chunked", "second large"] == ends


def test_plain_http_and_garbage_do_not_stop_the_webhook(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = served.url.removeprefix("https://").partition(":")
    for data in (b"POST /mutate HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 50, b""):
        with socket.create_connection((host, int(port)), timeout=20) as plain:
            plain.sendall(data)
            plain.shutdown(socket.SHUT_WR)
            plain.settimeout(20)
            while plain.recv(4096):
                pass
    assert served.server.ask().patch
    assert [] == [one for one in caplog.records if one.levelno >= logging.WARNING]


# -- secrecy -----------------------------------------------------------------------------------


def test_unexpected_error_shows_nothing_of_the_pod(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(pod: Any, annotations: Any, settings: Any) -> Any:
        value = pod["spec"]["containers"][0]["env"][0]["value"]
        return {}[value]

    caplog.set_level(logging.DEBUG)
    with monkeypatch.context() as patch:
        patch.setattr(application, "inject", broken)
        answer = served.server.post(BODY)
    assert (500, "KeyError; see the log of gcp-aws-bridge webhook") == (answer.status, answer.body)
    [line] = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert line.startswith("The review failed: KeyError\n")
    assert "broken" in line
    assert SECRET not in caplog.text
    assert served.server.ask().patch


@pytest.mark.parametrize(
    "pod",
    [
        {"spec": {"containers": SECRET}},
        {"spec": SECRET},
        {"metadata": SECRET, "spec": {}},
        {"metadata": {"annotations": [SECRET]}, "spec": {"containers": [{"name": "a"}]}},
        {"metadata": {}, "spec": {"containers": [SECRET]}},
        {"metadata": {}, "spec": {"containers": [{"name": {SECRET: 1}, "env": SECRET}]}},
        {"metadata": {}, "spec": {"containers": [{"env": [{"name": [SECRET]}]}]}},
    ],
    ids=str,
)
def test_object_that_is_not_a_pod_is_an_error_without_its_content(
    served: Served, api: KubernetesApi, caplog: pytest.LogCaptureFixture, pod: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    api.accounts["data", "default"] = ROLE
    answer = served.server.post(json.dumps(review(object=pod)).encode())
    assert answer.status in (200, 500)
    assert SECRET not in caplog.text
    assert answer.status == 200 or SECRET not in answer.body


def test_log_has_one_line_for_a_pod_without_its_content(
    served: Served, api: KubernetesApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gcp_aws_bridge.access")
    served.server.ask()
    served.server.ask(dryRun=True)
    api.accounts["web", "etl"] = {"gcp-aws-bridge/role-arn": "x"}
    served.server.ask(object={**POD, "metadata": {"name": 'a"\n\x1b[1mb'}}, namespace="web")
    served.server.ask(operation="UPDATE")
    eventually(lambda: len(caplog.records) == 4)  # a line is written after its answer
    assert all("\n" not in one.getMessage() for one in caplog.records)
    lines = [json.loads(one.getMessage()) for one in caplog.records]
    assert all(line.pop("ms") >= 0 for line in lines)
    pod = {"namespace": "data", "pod": "etl-", "account": "etl", "status": 200}
    assert lines == [
        {**pod, "outcome": "patched", "warnings": 0},
        {**pod, "outcome": "patched", "dry_run": True, "warnings": 0},
        {
            **pod,
            "namespace": "web",
            "pod": 'a"\n\x1b[1mb',
            "outcome": "denied",
            "error": "config/annotation",
            "warnings": 0,
        },
        {"namespace": "data", "status": 200, "outcome": "unchanged", "warnings": 0},
    ]
    assert SECRET not in caplog.text


# -- the certificate ---------------------------------------------------------------------------


def test_certificate_is_replaced_while_requests_run(served: Served, files: TlsFiles) -> None:
    stop, answers = threading.Event(), []

    def ask() -> None:
        connection = served.connect()
        while not stop.is_set():
            answers.append(connection.ask())
        connection.close()

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    leaf = files.issue()
    before = served.server.certificate
    files.write(leaf)
    served.certificate.reload_if_changed()
    replaced = served.connect()
    assert before != replaced.certificate == der(leaf)
    count = len(answers)
    eventually(lambda: len(answers) > count + 20)
    stop.set()
    for thread in asking:
        thread.join(20)
    assert all(answer.patch for answer in answers)
    assert replaced.ask().patch
    assert served.server.ask().patch
    assert before == served.server.certificate  # the connection has stayed open
    replaced.close()


def test_expiration_of_the_certificate_is_a_metric(served: Served) -> None:
    name = "gcp_aws_bridge_certificate_expiration_timestamp_seconds"
    assert served.certificate.expires.timestamp() == served.metric(name)


# -- start and end -----------------------------------------------------------------------------


def test_webhook_is_not_ready_until_the_api_server_answers(
    serve: Callable[..., Served], api: KubernetesApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.token = "another"
    served = serve(ready=False)
    eventually(lambda: "Not ready: " in caplog.text)
    assert (503, "waiting") == (served.status("/readyz")[0], waiting(served))
    assert 200 == served.status("/healthz")[0]
    answer = served.server.post(BODY)
    assert (500, "text/plain; charset=utf-8") == (answer.status, answer.headers["content-type"])
    api.token = TOKEN
    eventually(lambda: served.status("/readyz")[0] == 200)
    assert served.server.ask().patch


def waiting(served: Served) -> str:
    found: str = json.loads(served.status("/readyz")[1])["status"]
    return found


def test_api_server_that_is_not_trusted_is_named(
    serve: Callable[..., Served],
    api: KubernetesApi,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    serve(ready=False)
    eventually(lambda: "Not ready: " in caplog.text)
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_start_is_retried_with_growing_pauses_and_logged_once(
    idle: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gcp_aws_bridge")
    idle.settings = None
    answers: list[Any] = [ConfigError("It is away.")] * 9 + [ConfigError("Denied.")]
    answers += [(True, "v1.33.1")]
    pauses: list[float] = []

    async def ask() -> tuple[bool, str]:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    world = ManualWorld(jitter=0.999).world
    asyncio.run(serving.start(idle, ask, lambda native: SETTINGS, pause=pause, world=world))
    assert SETTINGS is idle.settings
    assert sorted(pauses) == pauses
    assert 10 == len(pauses)
    assert (True, True) == (pauses[0] <= 1, 9.9 < pauses[-1] <= 10)
    assert [one.getMessage() for one in caplog.records] == [
        "Not ready: It is away.",
        "Not ready: Denied.",
        "Ready: the API server is Kubernetes v1.33.1; sidecars are native sidecars",
    ]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "a: [",
        "{}",
        '{"clusters": [], "contexts": [], "current-context": "x"}',
        "token: hunter2-of-the-database: x",
    ],
)
def test_missing_or_malformed_configuration_of_the_cluster_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    failure(ConfigError, "config/cluster", cluster.configuration, secrets=[SECRET])


def test_pod_uses_its_service_account_and_a_rotated_token(
    serve: Callable[..., Served],
    api: KubernetesApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kubernetes, "Accessing the Kubernetes API from a Pod"."""
    mounted = tmp_path / "serviceaccount"
    mounted.mkdir()
    (mounted / "token").write_text(api.token)
    (mounted / "namespace").write_text("gcp-aws-bridge")
    (mounted / "ca.crt").write_bytes((tmp_path / "ca.crt").read_bytes())
    host, _, port = api.url.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.delenv("KUBECONFIG")
    of_pod = KubeConfig.from_service_account
    monkeypatch.setattr(KubeConfig, "from_env", lambda: of_pod(str(mounted)))
    served = serve()
    assert served.server.ask().patch
    api.token = "rotated"
    (mounted / "token").write_text(api.token)
    api.accounts["web", "etl"] = ROLE
    assert served.server.ask(namespace="web").patch


COMMAND = [sys.executable, "-m", "gcp_aws_bridge", "webhook"]


@pytest.fixture
def command(files: TlsFiles, api: KubernetesApi) -> Iterator[subprocess.Popen[str]]:
    """The command, as a process."""
    options = [
        *("--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key)),
        *("--host=127.0.0.1", "--port=0", "--status-host=127.0.0.1", "--status-port=0"),
    ]
    with subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, text=True) as process:
        yield process
        if process.poll() is None:
            process.kill()


def urls_of(process: subprocess.Popen[str]) -> list[str]:
    """Read what the command logs until it is ready, and return its URLs."""
    assert process.stderr is not None
    urls: list[str] = []
    ready = False
    for line in process.stderr:
        urls += [word.rstrip(".,") for word in line.split() if word.startswith("http")]
        ready |= " Ready: " in line
        if ready and len(urls) == 4:
            break
    return [urls[0].removesuffix("/mutate"), urls[1].removesuffix("/healthz")]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_answers_pending_requests_before_it_ends(
    command: subprocess.Popen[str], files: TlsFiles, api: KubernetesApi, number: signal.Signals
) -> None:
    url, _ = urls_of(command)
    host, _, port = url.removeprefix("https://").partition(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    with files.client().wrap_socket(plain, server_hostname=host) as connection:
        connection.sendall(
            b"POST /mutate HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY)
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")  # the request is being answered
        command.send_signal(number)
        eventually(lambda: refuses(url))
        connection.sendall(BODY)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert b'"patch":' in answer.read()
    _, log = command.communicate(timeout=20)
    assert command.returncode == (0 if number == signal.SIGTERM else 130)
    assert '"outcome": "patched"' in log
    assert (False, False) == (SECRET in log, "Traceback" in log)


def refuses(url: str) -> bool:
    host, _, port = url.removeprefix("https://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=20).close()
    except ConnectionRefusedError:
        return True
    return False


def test_command_names_the_unusable_certificate(tmp_path: Path) -> None:
    missing = str(tmp_path / "tls.crt")
    run = commands.run("webhook", "--tls-cert-file", missing, "--tls-key-file", missing)
    assert 1 == run.returncode
    assert f'"{missing}": No such file or directory' in run.stderr
    assert run.stderr.endswith("[config/webhook-certificate]\n")


def test_command_without_a_cluster_says_what_to_set(
    files: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    given = ("--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key))
    run = commands.run("webhook", *given)
    assert 1 == run.returncode
    assert "set KUBECONFIG to a file. [config/cluster]" in run.stderr
