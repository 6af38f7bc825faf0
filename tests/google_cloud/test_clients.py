"""The real clients of Google Cloud, and the page about them, against APIs that check bearers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fakes import Journey, eventually
from google.auth.transport.requests import AuthorizedSession

from gcp_aws_bridge import google
from gcp_aws_bridge.testing import EksPod

from .conftest import ACCOUNT, Workload

storage = pytest.importorskip("google.cloud.storage")
pubsub_v1 = pytest.importorskip("google.cloud.pubsub_v1")
apis = pytest.importorskip("google_cloud.apis", exc_type=ImportError)

PAGE = Path(__file__).parents[2] / "docs/how-to/google-cloud.md"
TOPIC = "projects/my-project/topics/orders"


@pytest.fixture
def buckets(workload: Workload) -> Iterator[tuple[str, Any]]:
    with apis.storage(workload.cloud) as found:
        yield found


def client(url: str, credentials: Any) -> Any:
    options = {"api_endpoint": url}
    return storage.Client(project="my-project", credentials=credentials, client_options=options)


def test_an_object_goes_to_cloud_storage_and_back(
    workload: Workload, buckets: tuple[str, Any]
) -> None:
    workload.pod()
    url, bearers = buckets
    bucket = client(url, workload.credentials()).bucket("bucket")
    bucket.blob("word").upload_from_string(b"hello from a pod with no keys")
    assert b"hello from a pod with no keys" == bucket.blob("word").download_as_bytes()
    assert {ACCOUNT} == set(bearers.seen)
    assert (1, 1) == workload.asked


def test_fifty_clients_share_one_exchange(workload: Workload, buckets: tuple[str, Any]) -> None:
    url, bearers = buckets
    clients = [client(url, workload.credentials()) for _ in range(50)]
    threads = [threading.Thread(target=lambda c=c: list(c.list_buckets())) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (50, 1) == (len(bearers.seen), len(set(bearers.tokens)))
    assert (1, 1) == workload.asked


def test_a_token_that_google_took_back_is_replaced_within_the_request(
    workload: Workload, buckets: tuple[str, Any]
) -> None:
    url, bearers = buckets
    one = client(url, workload.credentials())
    list(one.list_buckets())
    workload.cloud.revoke_google_token(bearers.tokens[0])
    list(one.list_buckets())
    assert 2 == len(set(bearers.tokens))


def test_a_client_goes_on_through_a_refresh_and_an_outage(
    workload: Workload, buckets: tuple[str, Any], journey: Journey
) -> None:
    url, bearers = buckets
    one = client(url, workload.credentials())
    list(one.list_buckets())
    with workload.cloud.google_sts.down(), workload.cloud.iam_credentials.down():
        journey.travel(minutes=59)
        list(one.list_buckets())
    assert 1 == len(set(bearers.tokens))
    workload.keys()
    journey.travel(seconds=30)
    eventually(lambda: bool(list(one.list_buckets())) and len(set(bearers.tokens)) == 2)


def test_a_signed_url_is_signed_by_google(workload: Workload, buckets: tuple[str, Any]) -> None:
    url, _ = buckets
    bucket = client(url, workload.credentials()).bucket("bucket")
    signed = bucket.blob("word").generate_signed_url(version="v4", expiration=600)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(signed).query)
    assert [256] == [len(bytes.fromhex(one)) for one in query["X-Goog-Signature"]]
    assert query["X-Goog-Credential"][0].startswith(f"{ACCOUNT}/")


def test_clients_work_in_a_pod_of_the_test_kit(eks_pod: EksPod) -> None:
    eks_pod.add_service_account(ACCOUNT, token_creator=True)
    with apis.storage(eks_pod.cloud) as (url, bearers):
        bucket = client(url, google.credentials(service_account=ACCOUNT)).bucket("bucket")
        bucket.blob("word").upload_from_string(b"hello")
        eks_pod.advance(1800)
        assert b"hello" == bucket.blob("word").download_as_bytes()
        eks_pod.settle()
        assert (2, 2) == (eks_pod.exchanges, eks_pod.impersonations)
        eks_pod.expire()
        assert b"hello" == bucket.blob("word").download_as_bytes()
        assert "X-Goog-Signature=" in bucket.blob("word").generate_signed_url(600, version="v4")
    assert ({ACCOUNT}, 2) == (set(bearers.seen), len(set(bearers.tokens)))


# -- the page -----------------------------------------------------------------------------------


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


PROVIDER = {"pool": "aws-pods", "provider": "publisher"}


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_the_pod_of_the_page_publishes_to_pubsub(workload: Workload) -> None:
    """The page's own lines, in a process of their own, in a pod with EKS Pod Identity."""
    workload.provider = workload.cloud.add_aws_provider(
        **PROVIDER, attribute_mapping={"google.subject": "assertion.account"}
    )
    member = workload.provider.principal("123456789012")
    workload.cloud.add_google_service_account(ACCOUNT, [member])
    workload.pod()
    with apis.pubsub(workload.cloud, workload.folder) as (address, bearers, certificate):
        # All that differs from Google Cloud: where it is.
        program = (
            "from google.cloud import pubsub_v1\n"
            "from google.pubsub_v1 import PublisherClient\n"
            f"PublisherClient._DEFAULT_ENDPOINT_TEMPLATE = {address!r}\n"
            "create = pubsub_v1.PublisherClient.topic_path\n"
            "pubsub_v1.PublisherClient.topic_path = lambda self, *names: "
            "self.create_topic(name=create(*names)).name\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program + blocks()[0]],
            env={**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert 0 == done.returncode, done.stderr
    assert re.fullmatch(r"\d+\n", done.stdout)
    assert {ACCOUNT} == set(bearers.seen)
    assert (1, 1) == workload.asked


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_the_page_calls_cloud_run(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"].removeprefix("Bearer "))
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", workload.provider.audience)
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", ACCOUNT)
    try:
        [block] = [each for each in blocks() if "id_token_credentials" in each]
        exec(block.replace("https://orders-abc-ew.a.run.app", url), {})
    finally:
        server.shutdown()
        server.server_close()
    [token] = seen
    claims = json.loads(_decoded(token.split(".")[1]))
    assert (url, ACCOUNT) == (claims["aud"], claims["email"])


@pytest.mark.skipif(not PAGE.exists(), reason="not in a source checkout")
def test_the_page_lists_buckets_with_a_client_without_arguments(
    workload: Workload,
    buckets: tuple[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workload.pod()
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", buckets[0])
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", workload.provider.audience)
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", ACCOUNT)
    [block] = [each for each in blocks() if "google.install()" in each]
    try:
        exec(block, {})
    finally:
        google.uninstall()
    assert "['bucket']\n" == capsys.readouterr().out
    assert {ACCOUNT} == set(buckets[1].seen)


def _decoded(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_an_id_token_is_what_a_session_of_googles_sends(workload: Workload) -> None:
    credentials = google.id_token_credentials(
        "https://orders.example", workload.provider.audience, service_account=ACCOUNT
    )
    session = AuthorizedSession(credentials)
    assert credentials is session.credentials
