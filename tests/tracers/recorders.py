"""Tracers with the configuration of their users, which keep what they would send."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from pages import blocks_of


class Span(NamedTuple):
    """What a tracer sends; *text* contains all of it. The trace is empty for other records."""

    trace: str
    text: str

    @property
    def is_exchange(self) -> bool:
        named = any(name in self.text for name in ("AssumeRole", "v1/token", "generateAccess"))
        return named and bool(self.trace)


class Recorder:
    """One tracer, from its start to its end."""

    def start(self, patch: pytest.MonkeyPatch) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def request(self) -> contextlib.AbstractContextManager[str]:
        """Run a block as a request of the program; yield the name of its trace."""
        raise NotImplementedError

    def use_tasks(self) -> None:
        """Prepare the tracer for the running event loop."""

    @property
    def spans(self) -> list[Span]:
        raise NotImplementedError


class OpenTelemetry(Recorder):
    """Instrumentation of botocore, aiobotocore, urllib3 and requests; every span is exported."""

    def start(self, patch: pytest.MonkeyPatch) -> None:
        from opentelemetry.instrumentation.botocore import (
            AiobotocoreInstrumentor,
            BotocoreInstrumentor,
        )
        from opentelemetry.instrumentation.requests import RequestsInstrumentor
        from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._instrumentors: list[Any] = [
            BotocoreInstrumentor(),
            AiobotocoreInstrumentor(),
            RequestsInstrumentor(),
            URLLib3Instrumentor(),
        ]
        hook: dict[str, Any] = {}
        exec(blocks_of("how-to/observe.md", "python")[-1].code, hook)
        for instrumentor in self._instrumentors[:2]:
            instrumentor.instrument(
                tracer_provider=self.provider, request_hook=hook["record_parameters"]
            )
        for instrumentor in self._instrumentors[2:]:
            instrumentor.instrument(tracer_provider=self.provider)

    def stop(self) -> None:
        for instrumentor in self._instrumentors:
            instrumentor.uninstrument()
        self.provider.shutdown()

    @contextlib.contextmanager
    def request(self) -> Iterator[str]:
        with self.provider.get_tracer("app").start_as_current_span("a request") as span:
            yield f"{span.get_span_context().trace_id:#034x}"

    @property
    def spans(self) -> list[Span]:
        return [
            Span(f"{span.context.trace_id:#034x}", span.to_json())
            for span in self.exporter.get_finished_spans()
        ]


class Xray(Recorder):
    """The AWS X-Ray SDK, which raises for each call outside a segment."""

    def start(self, patch: pytest.MonkeyPatch) -> None:
        from aws_xray_sdk import global_sdk_config
        from aws_xray_sdk.core import patch_all, xray_recorder
        from aws_xray_sdk.core.context import Context

        self._sent: list[dict[str, Any]] = []
        self._config, self._recorder = global_sdk_config, xray_recorder
        self._config.set_sdk_enabled(True)
        patch_all()
        if sending := getattr(xray_recorder.emitter, "_socket", None):
            sending.close()  # the SDK's emitter is replaced in the next line
        emitter = type("", (), {"send_entity": lambda _, entity: self._sent.append(_copy(entity))})
        xray_recorder.configure(
            context=Context(), context_missing="RUNTIME_ERROR", emitter=emitter(), sampling=False
        )

    def use_tasks(self) -> None:
        from aws_xray_sdk.core.async_context import AsyncContext

        self._recorder.configure(context=AsyncContext(), context_missing="RUNTIME_ERROR")

    def stop(self) -> None:
        self._config.set_sdk_enabled(False)  # its patches cannot be removed

    @contextlib.contextmanager
    def request(self) -> Iterator[str]:
        with self._recorder.in_segment("a request") as segment:
            yield segment.trace_id

    @property
    def spans(self) -> list[Span]:
        return [Span(sent["trace_id"], json.dumps(sent)) for sent in self._sent]


def _copy(entity: Any) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(entity.serialize())
    return copied


class Datadog(Recorder):
    """ddtrace, which records requests to the AWS services that it knows by default."""

    def start(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("INSTRUMENTATION_TELEMETRY", "REMOTE_CONFIGURATION", "CRASHTRACKING"):
            patch.setenv(f"DD_{name}_ENABLED", "false")
        patch.setenv("DD_TRACE_STARTUP_LOGS", "false")
        for part in ("REQUEST", "RESPONSE"):
            patch.setenv(f"DD_TRACE_CLOUD_{part}_PAYLOAD_TAGGING", "all")
        import ddtrace
        from ddtrace.trace import TraceFilter, tracer

        self._spans: list[Any] = []

        class Keep(TraceFilter):
            def process_trace(_, trace: list[Any]) -> None:  # type: ignore[override]
                self._spans += trace  # returning nothing prevents sending

        self._tracer = tracer
        tracer.configure(trace_processors=[Keep()])
        tracer.enabled = True
        modules = ("botocore", "aiobotocore", "httplib", "requests", "urllib3", "logging")
        ddtrace.patch(**dict.fromkeys(modules, True))

    def stop(self) -> None:
        self._tracer.enabled = False

    @contextlib.contextmanager
    def request(self) -> Iterator[str]:
        with self._tracer.trace("a request") as span:
            yield str(span.trace_id)

    @property
    def spans(self) -> list[Span]:
        return [Span(str(span.trace_id), _all_of(span)) for span in self._spans]


def _all_of(span: Any) -> str:
    parts = [span.name, span.resource, span.service, span.get_tags(), span.get_metrics()]
    return f"{parts} {span!r} {span._get_events()} {span._get_meta_structs()}"


class Sentry(Recorder):
    """Sentry's SDK with all integrations that it enables by default, and boto3's."""

    def start(self, patch: pytest.MonkeyPatch) -> None:
        import sentry_sdk
        from sentry_sdk.integrations.boto3 import Boto3Integration
        from sentry_sdk.transport import Transport

        envelopes: list[Any] = []

        class Keep(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                envelopes.append(envelope)

        self._sdk, self._envelopes = sentry_sdk, envelopes
        sentry_sdk.init(
            dsn="http://key@127.0.0.1:1/1",
            transport=Keep(),
            traces_sample_rate=1.0,
            data_collection={"user_info": True},  # beside the defaults
            enable_logs=True,
            integrations=[Boto3Integration()],
        )

    def stop(self) -> None:
        self._sdk.flush()
        self._sdk.init()

    @contextlib.contextmanager
    def request(self) -> Iterator[str]:
        with self._sdk.start_transaction(name="a request", op="test") as transaction:
            yield transaction.trace_id
        self._sdk.capture_message("with the breadcrumbs so far")

    @property
    def spans(self) -> list[Span]:
        found = []
        for envelope in self._envelopes:
            trace = (envelope.headers.get("trace") or {}).get("trace_id", "")
            for item in envelope.items:  # messages with breadcrumbs and logs are no spans
                text = item.get_bytes().decode()
                found.append(Span(trace if item.type == "transaction" else "", text))
        return found


RECORDERS = [OpenTelemetry, Xray, Datadog, Sentry]
