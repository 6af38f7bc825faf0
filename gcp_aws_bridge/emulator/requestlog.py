"""Request log of a service, for assertions in tests."""

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
        method: HTTP method.
        path: Path without the query.
        query: Query string, as sent.
        headers: Headers, with case-insensitive names.
        params: Query and form parameters; the first value of a repeated parameter.
        at: Time of arrival, by the clouds' clock.
        body: Body of the request.
        peer: IP address of the client.
        status: HTTP status of the answer; `None`: not answered.
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
        """The requested AWS action; `None` for other services."""
        return self.params.get("Action")

    def __repr__(self) -> str:
        what = f"{self.method} {self.path}" + (f" {self.action}" if self.action else "")
        return f"<Recorded {what} -> {self.status or 'no answer'}>"


class RequestLog(Sequence[Recorded]):
    """The requests in their order of arrival. Safe to read while more requests arrive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[Recorded] = []

    def append(self, item: Recorded) -> None:
        """Add a request."""
        with self._lock:
            self._items.append(item)

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._items = []

    def snapshot(self) -> list[Recorded]:
        """Return a copy of the log as a list."""
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
