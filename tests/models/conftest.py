"""Bedrock and Vertex AI on loopback, which accept valid signatures and tokens of the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from fakes import eventually
from verifier import Verifier, verifying

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge.testing import EksPod, GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"
ACCOUNT = "models@my-project.iam.gserviceaccount.com"
# Answers of Anthropic's models and of Converse, and of Gemini: each client reads one of them.
_MESSAGE = {"role": "assistant", "content": [{"type": "text", "text": "hello"}]}
SAID = {
    **_MESSAGE,
    **{"id": "msg_1", "type": "message", "model": "m", "stop_reason": "end_turn"},
    "usage": {"input_tokens": 1, "output_tokens": 1}
    | dict.fromkeys(("inputTokens", "outputTokens", "totalTokens"), 1),
    **{"output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}}},
    **{"stopReason": "end_turn", "metrics": {"latencyMs": 1}},
}
_GEMINI = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}


@pytest.fixture
def bedrock(gke_pod: GkePod, monkeypatch: pytest.MonkeyPatch) -> Iterator[Verifier]:
    """Serve Bedrock to a pod in GKE, whose sessions have the role."""
    gke_pod.add_role(ROLE)
    bridge.install(ROLE)
    with verifying(gke_pod.cloud, "bedrock", SAID) as server:
        for name in ("ANTHROPIC_BEDROCK_BASE_URL", "AWS_BEDROCK_RUNTIME_ENDPOINT"):
            monkeypatch.setenv(name, server.url)
        yield server


class Vertex(ThreadingHTTPServer):
    """Answers requests with a valid token of the service account, and 401 to others.

    Attributes:
        keys: The tokens of the requests that were answered, in order.
    """

    daemon_threads = True

    def __init__(self, pod: EksPod) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._cloud = pod.cloud

    def admits(self, authorization: str) -> bool:
        token = authorization.removeprefix("Bearer ")
        identity = self._cloud.google_identity(token)
        if identity is None or identity.expiration <= self._cloud.clock():
            return False
        self.keys.append(token)
        return bool(identity.email == ACCOUNT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Vertex

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_admitted = self.server.admits(self.headers.get("Authorization", ""))
        body = json.dumps(_GEMINI if "generateContent" in self.path else SAID).encode()
        self.send_response(200 if is_admitted else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def vertex(eks_pod: EksPod, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vertex]:
    """Serve Vertex AI to a pod in EKS, where `google.auth.default()` finds the service account."""
    eks_pod.add_service_account(ACCOUNT)
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", ACCOUNT)
    google.install()
    with Vertex(eks_pod) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_VERTEX_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("VERTEXAI_API_BASE", f"{server.url}/v1/models/gemini")
        yield server
        server.shutdown()
        thread.join(10)
    google.uninstall()


def uses(pod: GkePod | EksPod, keys: list[str], ask: Callable[[], str]) -> None:
    """Assert that *ask* succeeds during a refresh and after expiration, with one exchange each."""

    def asked() -> set[str]:
        keys.clear()
        assert "hello" == ask()
        return {*keys}

    first = asked()
    assert (1, 1) == (len(first), pod.exchanges)
    assert first == asked()
    pod.advance(40 * 60)  # due: still the first credentials, refreshed in the background
    eventually(lambda: first.isdisjoint(asked()))
    second = asked()
    assert (1, 2) == (len(second), pod.exchanges)
    pod.advance(61 * 60)
    third = asked()
    assert (1, 3) == (len(third), pod.exchanges)
    assert first | second != third | second
