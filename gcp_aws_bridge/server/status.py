"""Health, readiness and metrics: for the kubelet and Prometheus. Holds no credentials."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.events import Event
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.server.asgi import Answer, Request, refusal

# Prometheus, "Exposition formats": the text format that every scraper reads.
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What Prometheus is told; an `on_event` listener, and a count of answers.

    Args:
        caches: What is served, by name. Their labels are the `role` of the metrics.
    """

    def __init__(self, caches: Mapping[str, CredentialCache[Any]]) -> None:
        self._registry = registry = CollectorRegistry()
        self._answers = Counter(
            "gcp_aws_bridge_answers", "Requests answered.", ["path", "status"], registry=registry
        )
        self._exchanges = Counter(
            "gcp_aws_bridge_exchanges",
            "Exchanges of an ID token for credentials, by how they ended.",
            ["role", "outcome", "error"],
            registry=registry,
        )
        self._seconds = Histogram(
            "gcp_aws_bridge_exchange_seconds", "How long they took.", ["role"], registry=registry
        )
        remaining = Gauge(
            "gcp_aws_bridge_credentials_remaining_seconds",
            "For how long what is served stays good.",
            ["role"],
            registry=registry,
        )
        for cache in caches.values():
            remaining.labels(cache.label).set_function(cache.remaining_s)
        build = Gauge("gcp_aws_bridge_build_info", "Always 1.", ["version"], registry=registry)
        build.labels(__version__).set(1)

    def __call__(self, event: Event) -> None:
        self._exchanges.labels(
            event.label, event.kind, event.error.error_id if event.error else ""
        ).inc()
        if event.seconds:
            self._seconds.labels(event.label).observe(event.seconds)

    def counting(
        self, handle: Callable[[Request], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Answer]]:
        """*handle*, and each of its answers counted."""

        async def counted(request: Request) -> Answer:
            answer = await handle(request)
            # Paths that nobody serves are anybody's words, and would grow without bound.
            path = request.path if answer.status not in (401, 403, 404) else ""
            self._answers.labels(path, answer.status).inc()
            return answer

        return counted

    def text(self) -> bytes:
        """What there is to scrape."""
        return generate_latest(self._registry)


def status(
    caches: Mapping[str, CredentialCache[Any]], metrics: Metrics
) -> Callable[[Request], Awaitable[Answer]]:
    """`/healthz`: the server runs. `/readyz`: each cache has valid credentials. `/metrics`."""

    async def handle(request: Request) -> Answer:
        if request.path == "/healthz":
            return Answer(200, b'{"status": "ok"}')
        if request.path == "/metrics":
            return Answer(200, metrics.text(), _TEXT)
        if request.path == "/readyz":
            # To ask is to start what is due: a probe keeps idle roles fresh, too.
            ready = {name: cache.warm_up() for name, cache in caches.items()}
            missing = [name for name, is_valid in ready.items() if not is_valid]
            body = {"status": "waiting" if missing else "ok", "without credentials": missing}
            return Answer(503 if missing else 200, json.dumps(body).encode())
        return refusal(404, "NotFound", "there are /healthz, /readyz and /metrics")

    return handle
