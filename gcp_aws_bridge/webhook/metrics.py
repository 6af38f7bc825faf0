"""Metrics of the webhook, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gcp_aws_bridge.server.status import add_build_info

# Finest around 10 ms, within which the webhook answers unless it must ask the API server.
_SECONDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
OUTCOMES = ("patched", "unchanged", "denied", "error")
READS = ("read", "missing", "failed")


class Metrics:
    """Counters and times of admissions.

    Args:
        expires: Returns the expiration of the certificate (aware).
    """

    def __init__(self, expires: Callable[[], datetime]) -> None:
        self._registry = registry = CollectorRegistry()
        admissions = Counter(
            "gcp_aws_bridge_admissions",
            "Reviews answered, by outcome.",
            ["outcome"],
            registry=registry,
        )
        reads = Counter(
            "gcp_aws_bridge_service_account_reads",
            "Requests to the API server for a service account, by outcome.",
            ["outcome"],
            registry=registry,
        )
        # Create all labels at the start, so that a rate is zero instead of missing.
        self._admissions = {one: admissions.labels(one) for one in OUTCOMES}
        self._reads = {one: reads.labels(one) for one in READS}
        self._seconds = Histogram(
            "gcp_aws_bridge_admission_seconds",
            "Time from the head of a request to its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        expiration = Gauge(
            "gcp_aws_bridge_certificate_expiration_timestamp_seconds",
            "Expiration of the certificate in use.",
            registry=registry,
        )
        expiration.set_function(lambda: expires().timestamp())
        add_build_info(registry)

    def answered(self, outcome: str, seconds: float) -> None:
        """Count an answer.

        Args:
            outcome: One of `OUTCOMES`.
            seconds: Duration of the request.
        """
        self._admissions[outcome].inc()
        self._seconds.observe(seconds)

    def read(self, outcome: str) -> None:
        """Count a request for a service account, whose outcome is one of `READS`."""
        self._reads[outcome].inc()

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
