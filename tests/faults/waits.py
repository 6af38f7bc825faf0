"""Where the library waits for a server: counted, and made short where nothing will come.

What hangs or drips is waited for a moment of real time, and the clock is then moved on by all that
the library was ready to wait. Everywhere else its own time-outs hold, so that a busy machine fails
no test.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest
import urllib3
from fakes import ManualWorld

from gcp_aws_bridge._sts import client
from gcp_aws_bridge._tokens import bounded_answer, http

from .outcomes import DRIP_S_PER_BYTE, Server

_MOMENT_S = 0.05


class Watched(Protocol):
    """Who owns the clock, and knows which request is spoilt."""

    time: ManualWorld

    def request(self, server: Server) -> AbstractContextManager[None]: ...
    def wire(self, server: Server) -> str: ...


def install(drive: Watched, patch: pytest.MonkeyPatch) -> None:
    """Count every request and shorten every wait, until *patch* is undone."""
    _metadata(drive, patch)
    _sts_client(drive, patch)
    _sts_answers(drive, patch)


def _metadata(drive: Watched, patch: pytest.MonkeyPatch) -> None:
    class Socket(http._BoundedSocket):
        def _bound(self) -> None:
            super()._bound()
            if drive.wire(Server.METADATA) == "hang":
                self.settimeout(_MOMENT_S)

        def recv_into(self, *args: Any, **kwargs: Any) -> int:
            left_s = self.left_s()
            try:
                read = super().recv_into(*args, **kwargs)
            except TimeoutError:
                drive.time.advance(max(0.0, left_s))
                raise
            if drive.wire(Server.METADATA) == "drip":
                # Never past the deadline: how many bytes came at once is chance.
                drive.time.advance(min(read * DRIP_S_PER_BYTE, left_s))
            return read

    get = http.get

    def counted(*args: Any, **kwargs: Any) -> http.Answer:
        with drive.request(Server.METADATA):
            return get(*args, **kwargs)

    patch.setattr(http, "_BoundedSocket", Socket)
    patch.setattr(http, "get", counted)


def _sts_client(drive: Watched, patch: pytest.MonkeyPatch) -> None:
    urlopen = urllib3.HTTPConnectionPool.urlopen

    def counted(pool: urllib3.HTTPConnectionPool, *args: Any, **kwargs: Any) -> Any:
        with drive.request(Server.STS):
            # botocore 1.44 leaves it to its parser to see that an answer was cut short; of older
            # ones this is asked, for one table to be right for all.
            kwargs["enforce_content_length"] = False
            if drive.wire(Server.STS) == "hang":
                kwargs["timeout"] = urllib3.Timeout(_MOMENT_S)
            try:
                return urlopen(pool, *args, **kwargs)
            except urllib3.exceptions.ReadTimeoutError:
                if drive.wire(Server.STS) == "hang":
                    drive.time.advance(client.CONFIG.read_timeout)  # type: ignore[attr-defined]
                raise

    patch.setattr(urllib3.HTTPConnectionPool, "urlopen", counted)


def _sts_answers(drive: Watched, patch: pytest.MonkeyPatch) -> None:
    """Answers that drip: each byte takes its time by the clock of *drive*."""

    class Reader(bounded_answer._BoundedReader):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self._stop_s = drive.time.world.monotonic() + bounded_answer.ANSWER_S

        def left_s(self) -> float:
            return self._stop_s - drive.time.world.monotonic()

        def readinto(self, buffer: Any) -> int | None:
            read = super().readinto(buffer)
            if drive.wire(Server.STS) == "drip" and read:
                # Never past the deadline: how many bytes came at once is chance.
                drive.time.advance(min(read * DRIP_S_PER_BYTE, self.left_s()))
            return read

    patch.setattr(bounded_answer, "_BoundedReader", Reader)
