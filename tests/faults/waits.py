"""Waits of the library for a server: counted, and shortened if no answer will come.

A wait for a server that hangs or drips takes 50 ms of real time; then the clock moves by the whole
time that the library would have waited. Everywhere else the library's own time-outs apply, so that
a busy machine fails no test.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest
import urllib3
from fakes import ManualWorld

from gcp_aws_bridge._sts import client
from gcp_aws_bridge._tokens import bounded_answer, bounded_reader, http

from .outcomes import DRIP_S_PER_BYTE, Server

_WAIT_S = 0.05


class Watched(Protocol):
    """The owner of the clock, which knows the faulty request."""

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
                self.settimeout(_WAIT_S)

        def recv_into(self, *args: Any, **kwargs: Any) -> int:
            left_s = self.left_s()
            try:
                read = super().recv_into(*args, **kwargs)
            except TimeoutError:
                drive.time.advance(max(0.0, left_s))
                raise
            if drive.wire(Server.METADATA) == "drip":
                # Never past the deadline: how many bytes arrive together varies.
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
            # botocore 1.44 leaves the check of the length to its parser; do the same for older
            # versions, so that one table applies to all.
            kwargs["enforce_content_length"] = False
            if drive.wire(Server.STS) == "hang":
                kwargs["timeout"] = urllib3.Timeout(_WAIT_S)
            try:
                return urlopen(pool, *args, **kwargs)
            except urllib3.exceptions.ReadTimeoutError:
                if drive.wire(Server.STS) == "hang":
                    drive.time.advance(client.CONFIG.read_timeout)  # type: ignore[attr-defined]
                raise

    patch.setattr(urllib3.HTTPConnectionPool, "urlopen", counted)


def _sts_answers(drive: Watched, patch: pytest.MonkeyPatch) -> None:
    """Let each byte of an answer that drips take its time by the clock of *drive*."""

    class Reader(bounded_reader.BoundedReader):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._stop_s = drive.time.world.monotonic() + bounded_reader.ANSWER_S

        def left_s(self) -> float:
            return self._stop_s - drive.time.world.monotonic()

        def readinto(self, buffer: Any) -> int | None:
            read = super().readinto(buffer)
            if drive.wire(Server.STS) == "drip" and read:
                # Never past the deadline: how many bytes arrive together varies.
                drive.time.advance(min(read * DRIP_S_PER_BYTE, self.left_s()))
            return read

    patch.setattr(bounded_answer, "BoundedReader", Reader)
