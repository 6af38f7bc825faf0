"""The log of requests that a service keeps, for tests to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import overload

__all__ = ["Recorded", "RequestLog"]


@dataclass(slots=True, eq=False)
class Recorded:
    """A request that arrived. Its repr shows no token, key, query or body.

    Attributes:
        method: GET, POST, ...
        path: The path alone.
        query: What followed the question mark, as sent.
        headers: By name, whatever its case.
        params: Query and form parameters together; of a repeated one, the first.
        at: When it arrived, by the clouds' clock.
        peer: The address that it came from.
        status: HTTP status of the answer; `None` while there is none, or if none was given.
    """

    method: str
    path: str
    query: str
    headers: Message
    params: dict[str, str]
    at: datetime
    body: bytes = field(repr=False, default=b"")
    peer: str = "127.0.0.1"
    status: int | None = None

    @property
    def action(self) -> str | None:
        """The AWS action that was asked for; `None` at the metadata server."""
        return self.params.get("Action")

    def __repr__(self) -> str:
        what = f"{self.method} {self.path}" + (f" {self.action}" if self.action else "")
        return f"<Recorded {what} -> {self.status or 'no answer'}>"


class RequestLog(Sequence[Recorded]):
    """The requests in the order they arrived. Safe to read while more arrive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[Recorded] = []

    def append(self, item: Recorded) -> None:
        """Add one request."""
        with self._lock:
            self._items.append(item)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._items = []

    def snapshot(self) -> list[Recorded]:
        """Return them as a list of its own."""
        with self._lock:
            return list(self._items)

    def __len__(self) -> int:
        with self._lock:
            return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | list[Recorded]:
        return self.snapshot()[index]

    def __iter__(self) -> Iterator[Recorded]:
        return iter(self.snapshot())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (RequestLog, list)):
            return NotImplemented
        return self.snapshot() == list(other)

    def __repr__(self) -> str:
        return f"<RequestLog {self.snapshot()!r}>"
