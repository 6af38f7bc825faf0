"""Exporters that sign spans with the credentials that the spans are about."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

import gcp_aws_bridge as bridge
from gcp_aws_bridge.testing import GkePod

ROLE = "arn:aws:iam::123456789012:role/etl"


class SigningExporter(SpanExporter):
    """Signs as the AWS distribution of OpenTelemetry does for X-Ray's OTLP endpoint."""

    def __init__(self, credentials: Any) -> None:
        self.credentials = credentials
        self.signed: list[str] = []

    def export(self, spans: Any) -> SpanExportResult:
        request = AWSRequest("POST", "https://xray.us-east-1.amazonaws.com/v1/traces", data=b"-")
        frozen = self.credentials.get_frozen_credentials()
        SigV4Auth(frozen, "xray", "us-east-1").add_auth(request)
        self.signed += [span.name for span in spans]
        return SpanExportResult.SUCCESS


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
@pytest.mark.parametrize("in_task", [False, True], ids=["thread", "task"])
def test_exporter_that_signs_gets_credentials_during_the_exchange(
    gke_pod: GkePod, processor: Any, in_task: bool
) -> None:
    gke_pod.add_role(ROLE)
    credentials = bridge.credentials(ROLE)
    exporter = SigningExporter(credentials)
    provider = TracerProvider()
    provider.add_span_processor(processor(exporter))
    BotocoreInstrumentor().instrument(tracer_provider=provider)
    try:
        with provider.get_tracer("app").start_as_current_span("a request"):
            if in_task:
                asyncio.run(credentials._cache.get_async())
            first = credentials.get_frozen_credentials()
        gke_pod.advance(2400)
        credentials.get_frozen_credentials()  # a refresh in the background, traced too
        gke_pod.settle()
        assert provider.force_flush()
    finally:
        BotocoreInstrumentor().uninstrument()
        provider.shutdown()
    assert first != credentials.get_frozen_credentials()
    assert 2 == exporter.signed.count("STS.AssumeRoleWithWebIdentity")
    # The span of the first exchange ends within it: an exporter in its thread makes its own.
    assert 2 + (processor is SimpleSpanProcessor) == gke_pod.exchanges
