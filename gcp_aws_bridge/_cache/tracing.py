"""Traces of exchanges that run in another thread than the caller's.

OpenTelemetry, ddtrace and Sentry store the trace in context variables. The AWS X-Ray SDK does not,
and with `context_missing="RUNTIME_ERROR"` it raises for each call without a segment.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from typing import Any

Work = Callable[[], None]


def untraced(work: Work) -> None:
    """Run *work* in an empty context; for the X-Ray SDK, in a segment that is not sampled."""
    recorder = _xray_recorder()
    if recorder is None:
        contextvars.Context().run(work)
        return
    from aws_xray_sdk.core.models.dummy_entities import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        DummySegment,
    )

    from gcp_aws_bridge._cache.xray_internals import apart_from_tasks

    with apart_from_tasks(recorder):
        recorder.set_trace_entity(DummySegment("gcp-aws-bridge"))
        try:
            contextvars.Context().run(work)
        finally:
            recorder.clear_trace_entities()


def in_trace_of_caller(work: Work) -> Work:
    """Return *work* for another thread, as a part of the caller's trace."""
    context, recorder = contextvars.copy_context(), _xray_recorder()
    segment = recorder and _segment(recorder)
    if sniffio := sys.modules.get("sniffio"):
        # The other thread has no event loop, so a token source may call `anyio.run` there.
        context.run(sniffio.current_async_library_cvar.set, None)

    def traced() -> None:
        if segment is not None:
            recorder.set_trace_entity(segment)
        context.run(work)

    return traced


def _xray_recorder() -> Any:
    """Return the recorder of the X-Ray SDK; None if the program does not use it."""
    return getattr(sys.modules.get("aws_xray_sdk.core"), "xray_recorder", None)


def _segment(recorder: Any) -> Any:
    from gcp_aws_bridge._cache.xray_internals import current_segment

    return current_segment(recorder)
