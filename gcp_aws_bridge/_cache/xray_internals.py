"""Segments of the AWS X-Ray SDK in threads of the library; one name of that SDK is not public.

The SDK keeps the segment of each thread or, by its `AsyncContext`, of each task.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any


def xray_recorder() -> Any:
    """Return the recorder of the SDK; None where the program does not use it."""
    return getattr(sys.modules.get("aws_xray_sdk.core"), "xray_recorder", None)


def current_segment(recorder: Any) -> Any:
    """Return the segment or subsegment of the calling thread or task; None where there is none.

    The public method fails or logs an error where there is none.
    """
    entities = getattr(getattr(recorder.context, "_local", None), "entities", None)
    return entities[-1] if entities else None


@contextlib.contextmanager
def apart_from_tasks(recorder: Any) -> Iterator[None]:
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
    """A context of the X-Ray SDK: threads of the library have their own one, others the user's."""

    def __init__(self, users: Any, own: Any) -> None:
        vars(self).update(users=users, own=own, is_own=threading.local())

    def _chosen(self) -> Any:
        return self.own if getattr(self.is_own, "here", False) else self.users

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chosen(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._chosen(), name, value)
