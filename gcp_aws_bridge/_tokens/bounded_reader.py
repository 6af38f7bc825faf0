"""Limits for a whole HTTP answer. HTTP clients only limit the time between two bytes.

A caller may run the exchange in its thread, so a server that sends one byte at a time must not
block it for ever, and one that sends without end must not fill its memory.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
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


class BoundedReader(io.RawIOBase):
    """Limits each read of *sock* to the remaining time.

    Args:
        raw: Reads from the socket without a buffer.
        sock: The socket; its time-out limits the time between two bytes.
        too_long: Returns the error for more than `MOST_BYTES`.
    """

    def __init__(self, raw: Any, sock: socket.socket, too_long: Callable[[str], Exception]) -> None:
        self._raw, self._sock, self._too_long = raw, sock, too_long
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
            raise self._too_long(f"the answer has more than {MOST_BYTES} bytes")
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()
