"""Whose trace an exchange in the background belongs to: that of no request.

OpenTelemetry, ddtrace and Sentry keep the trace in context variables; the AWS X-Ray SDK keeps it
for each thread, and with `context_missing="RUNTIME_ERROR"` fails each call without one.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable


def untraced(work: Callable[[], None]) -> None:
    """Run *work* in an empty context; for the X-Ray SDK, in a segment that is not sampled."""
    core = sys.modules.get("aws_xray_sdk.core")
    recorder = getattr(core, "xray_recorder", None)
    if recorder is None:
        contextvars.Context().run(work)
        return
    from aws_xray_sdk.core.models.dummy_entities import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        DummySegment,
    )

    recorder.set_trace_entity(DummySegment("gcp-aws-bridge"))
    try:
        contextvars.Context().run(work)
    finally:
        recorder.clear_trace_entities()
