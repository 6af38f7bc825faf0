"""Whose trace an exchange belongs to that another thread than the caller's makes.

OpenTelemetry, ddtrace and Sentry keep the trace in context variables. The AWS X-Ray SDK keeps it
for each thread or, by its `AsyncContext`, for each task; with `context_missing="RUNTIME_ERROR"` it
fails each call that has none.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

Work = Callable[[], None]


def untraced(work: Work) -> None:
    """Run *work* in an empty context; for the X-Ray SDK, in a segment that is not sampled."""
    recorder = _recorder()
    if recorder is None:
        contextvars.Context().run(work)
        return
    from aws_xray_sdk.core.models.dummy_entities import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
        DummySegment,
    )

    with _apart_from_tasks(recorder):
        recorder.set_trace_entity(DummySegment("gcp-aws-bridge"))
        try:
            contextvars.Context().run(work)
        finally:
            recorder.clear_trace_entities()


def in_trace_of_caller(work: Work) -> Work:
    """Return *work* for another thread, where it becomes a part of the caller's trace."""
    context, recorder = contextvars.copy_context(), _recorder()
    # The public method fails or logs where there is no segment.
    entities = recorder and getattr(getattr(recorder.context, "_local", None), "entities", None)
    if sniffio := sys.modules.get("sniffio"):
        # The other thread runs no event loop: a token source may call `anyio.run` there.
        context.run(sniffio.current_async_library_cvar.set, None)

    def traced() -> None:
        if entities:
            recorder.set_trace_entity(entities[-1])
        context.run(work)

    return traced


def _recorder() -> Any:
    """Return the recorder of the X-Ray SDK; None where the program does not use it."""
    return getattr(sys.modules.get("aws_xray_sdk.core"), "xray_recorder", None)


@contextlib.contextmanager
def _apart_from_tasks(recorder: Any) -> Iterator[None]:
    """Have the calling thread keep segments of its own, where *recorder* keeps them for tasks.

    `AsyncContext` takes the task that the event loop runs just now, also in other threads
    (aws-xray-sdk 2.15, async_context.py): this thread would have no segment, or change the task's.
    """
    module = sys.modules.get("aws_xray_sdk.core.async_context")
    context = recorder.context
    if module is not None and isinstance(context, module.AsyncContext):
        from aws_xray_sdk.core.context import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            Context,
        )

        made = _ByThread(context, Context())
        context = recorder.context = vars(context).setdefault("_by_thread", made)  # atomic
    if not isinstance(context, _ByThread):
        yield
        return
    context.is_own.here = True
    try:
        yield
    finally:
        context.is_own.here = False


class _ByThread:
    """A context of the X-Ray SDK: threads of the library have their own one, others the user's."""

    def __init__(self, users: Any, own: Any) -> None:
        vars(self).update(users=users, own=own, is_own=threading.local())

    def _chosen(self) -> Any:
        return self.own if getattr(self.is_own, "here", False) else self.users

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chosen(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._chosen(), name, value)
