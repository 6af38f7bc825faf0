"""Health, readiness and metrics, for the kubelet and Prometheus. Contains no credentials."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.events import Event
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.server.asgi import Answer, Request, error_answer

# Prometheus, "Exposition formats": the text format that every scraper supports.
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Metrics for Prometheus: a listener for `on_event`, and a counter of answers.

    Args:
        caches: Served caches, by name. Their labels are the label `role` of the metrics.
    """

    def __init__(self, caches: Mapping[str, CredentialCache[Any]]) -> None:
        self._registry = registry = CollectorRegistry()
        self._answers = Counter(
            "gcp_aws_bridge_answers", "Requests answered.", ["path", "status"], registry=registry
        )
        self._exchanges = Counter(
            "gcp_aws_bridge_exchanges",
            "Exchanges of an ID token for credentials, by outcome.",
            ["role", "outcome", "error"],
            registry=registry,
        )
        self._seconds = Histogram(
            "gcp_aws_bridge_exchange_seconds", "Duration of exchanges.", ["role"], registry=registry
        )
        remaining = Gauge(
            "gcp_aws_bridge_credentials_remaining_seconds",
            "Remaining lifetime of the served credentials.",
            ["role"],
            registry=registry,
        )
        for cache in caches.values():
            remaining.labels(cache.label).set_function(cache.remaining_s)
        add_build_info(registry)

    def __call__(self, event: Event) -> None:
        self._exchanges.labels(
            event.label, event.kind, event.error.error_id if event.error else ""
        ).inc()
        if event.seconds:
            self._seconds.labels(event.label).observe(event.seconds)

    def counting(
        self, handle: Callable[[Request], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Answer]]:
        """Return *handle* with a counter of its answers."""

        async def counted(request: Request) -> Answer:
            answer = await handle(request)
            # Unknown paths come from clients, and their number has no bound.
            path = request.path if answer.status not in (401, 403, 404) else ""
            self._answers.labels(path, answer.status).inc()
            return answer

        return counted

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)


def add_build_info(registry: CollectorRegistry) -> None:
    """Add the metric whose label is the version of this program."""
    build = Gauge("gcp_aws_bridge_build_info", "Always 1.", ["version"], registry=registry)
    build.labels(__version__).set(1)


def status(
    caches: Mapping[str, CredentialCache[Any]], metrics: Metrics
) -> Callable[[Request], Awaitable[Answer]]:
    """Return the handler of the status: ready if each cache has valid credentials."""

    def missing() -> Sequence[str]:
        # This starts refreshes that are due, so that probes keep idle roles fresh as well.
        ready = {name: cache.warm_up() for name, cache in caches.items()}
        return [name for name, is_valid in ready.items() if not is_valid]

    return pages("without credentials", missing, metrics.text)


def pages(
    waiting_for: str, missing: Callable[[], Sequence[str]], text: Callable[[], bytes]
) -> Callable[[Request], Awaitable[Answer]]:
    """Return the handler of `/healthz` (the server runs), `/readyz` and `/metrics`.

    Args:
        waiting_for: Name of *missing* in the answer of `/readyz`.
        missing: Returns what the server still needs; empty if it is ready.
        text: Returns the metrics.
    """

    async def handle(request: Request) -> Answer:
        if request.path == "/healthz":
            return Answer(200, b'{"status": "ok"}')
        if request.path == "/metrics":
            return Answer(200, text(), _TEXT)
        if request.path == "/readyz":
            found = missing()
            body = {"status": "waiting" if found else "ok", waiting_for: [*found]}
            return Answer(503 if found else 200, json.dumps(body).encode())
        return error_answer(404, "NotFound", "there are /healthz, /readyz and /metrics")

    return handle
