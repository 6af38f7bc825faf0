"""Segments of the AWS X-Ray SDK in threads of the library, by one private name of that SDK.

The SDK stores a segment for each thread or, by its `AsyncContext`, for each task.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any


def current_segment(recorder: Any) -> Any:
    """Return the segment or subsegment of the calling thread or task, or None.

    Without a segment, the public method raises or logs an error.
    """
    entities = getattr(getattr(recorder.context, "_local", None), "entities", None)
    return entities[-1] if entities else None


@contextlib.contextmanager
def apart_from_tasks(recorder: Any) -> Iterator[None]:
    """Give the calling thread separate segments, if *recorder* stores them for tasks.

    `AsyncContext` uses the task that the event loop runs, also in other threads (aws-xray-sdk 2.15,
    async_context.py). This thread would have no segment, or change that of the task.
    """
    module = sys.modules.get("aws_xray_sdk.core.async_context")
    context = recorder.context
    if module is not None and isinstance(context, module.AsyncContext):
        from aws_xray_sdk.core.context import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            Context,
        )

        made = _ByThread(context, Context())
        context = recorder.context = vars(context).setdefault("gcp_aws_bridge", made)  # atomic
    if not isinstance(context, _ByThread):
        yield
        return
    context.is_own.here = True
    try:
        yield
    finally:
        context.is_own.here = False


class _ByThread:
    """A context of the X-Ray SDK that uses a separate context in threads of the library."""

    def __init__(self, users: Any, own: Any) -> None:
        vars(self).update(users=users, own=own, is_own=threading.local())

    def _chosen(self) -> Any:
        return self.own if getattr(self.is_own, "here", False) else self.users

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chosen(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._chosen(), name, value)
