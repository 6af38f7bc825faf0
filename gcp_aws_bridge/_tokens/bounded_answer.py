"""Limits for a whole HTTP answer. botocore and requests only limit the time between two bytes.

A caller may run the exchange in its thread, so a server that sends one byte at a time must not
block it for ever, and one that sends without end must not fill its memory.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gcp_aws_bridge._cache.clock import REAL

# From the end of the request to the last byte. AWS and Google answer in tenths of a second.
ANSWER_S = 20.0
# Reads after the limit, for data that arrived while this process was frozen. A whole answer of STS
# takes one or two reads; a server that sends byte by byte gets only these bytes through.
_LATE_READS = 8
_LATE_S = 0.01
# Answers of STS and Google have a few kilobytes.
MOST_BYTES = 1 << 20


class AnswerTooLong(http.client.HTTPException):
    """More than `MOST_BYTES`. urllib3 treats it as a broken connection."""


class _BoundedReader(io.RawIOBase):
    """Limits each read of *sock* to the remaining time."""

    def __init__(self, raw: Any, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        self._pause_s = sock.gettimeout()
        self._stop_s = REAL.monotonic() + ANSWER_S
        self._late = 0
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def left_s(self) -> float:
        return self._stop_s - REAL.monotonic()

    def readinto(self, buffer: Any) -> int | None:
        left_s = self.left_s()
        if left_s <= 0:
            self._late += 1
            left_s = _LATE_S
        if self._late > _LATE_READS:
            raise TimeoutError(f"the answer was not complete after {ANSWER_S:.0f} s")
        self._sock.settimeout(left_s if self._pause_s is None else min(left_s, self._pause_s))
        try:
            read: int | None = self._raw.readinto(buffer)
            self._bytes += read or 0
        finally:
            self._sock.settimeout(self._pause_s)
        if self._bytes > MOST_BYTES:
            raise AnswerTooLong(f"the answer has more than {MOST_BYTES} bytes")
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))


def bounded(pools: Mapping[str, Any]) -> dict[str, Any]:
    """Return urllib3's connection pool classes by scheme, with a time limit for each answer.

    Args:
        pools: `pool_classes_by_scheme` of a pool manager that has no connections yet.
    """
    return {scheme: _bounded(pool, pool.ConnectionCls) for scheme, pool in pools.items()}


@lru_cache(maxsize=16)
def _bounded(pool: Any, connection: Any) -> Any:
    own = type(connection.__name__, (connection,), {"response_class": _BoundedResponse})
    return type(pool.__name__, (pool,), {"ConnectionCls": own})
