"""Runs one cache of the fault matrix: real HTTP, and a clock that moves when the library waits.

The caller is this thread; the refresh behind its back runs when the drive says so.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import CredentialRetrievalError
from fakes import ManualWorld

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.credentials import BridgeCredentials
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import BridgeError

from . import waits
from .outcomes import JITTER, NEXT_ATTEMPT_S, Life, Outcome, Row, Server, Situation

ROLE = "arn:aws:iam::123456789012:role/etl"
_MOST = 320  # characters of a message before its details: about 300


class Drive:
    """A pod, its clock, one fault, and a count of what the library asks of each server."""

    def __init__(self, pod: Emulator) -> None:
        self.pod = pod
        self.time = ManualWorld(jitter=JITTER)
        self.asked = dict.fromkeys(Server, 0)
        self.events: list[bridge.Event] = []
        self._row: Row | None = None
        self._life = Life.LASTS
        self._down = contextlib.ExitStack()

    @contextlib.contextmanager
    def installed(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the library live in this world until the end of the block."""
        self.pod.clock = lambda: self.time.now
        registry.world = self.time.world
        waits.install(self, patch)
        stop = bridge.on_event(self.events.append)
        try:
            yield
        finally:
            stop()
            self._row = None
            self._down.close()
            self.pod.reset()

    # A cache.

    def run(self, row: Row, situation: Situation, life: Life) -> Outcome:
        """What a caller sees of the fault; while credentials are valid, what the refresh does."""
        credentials = bridge.credentials(ROLE)
        if situation is Situation.FIRST:
            self.spoil(row, life)
            return self.ask(credentials)
        old = credentials.get_frozen_credentials().access_key
        if situation is Situation.EXPIRED:
            self.time.advance(2 * 3600)
            self.spoil(row, life)
            return self.ask(credentials)
        self.time.advance(40 * 60)
        self.spoil(row, life)
        return self._refresh(credentials, old)

    def ask(self, credentials: BridgeCredentials) -> Outcome:
        """What a caller gets, and how long it waits for it."""
        started_s = self.seconds()
        try:
            credentials.get_frozen_credentials()
        except CredentialRetrievalError as raised:
            return self._outcome(_cause(raised), started_s)
        return self._outcome(None, started_s)

    def seconds(self) -> float:
        return self.time.world.monotonic()

    def _refresh(self, credentials: BridgeCredentials, old: str) -> Outcome:
        """What the refresh brings that a caller starts: the first; where the fault passes, the
        one that works.
        """
        assert self._row is not None
        started_s = self.seconds()
        self.time.hold = True
        assert old == credentials.get_frozen_credentials().access_key
        assert started_s == self.seconds()
        while True:
            error = self._attempt()
            outcome = self._outcome(error, started_s)
            if error is None:
                assert old != credentials.get_frozen_credentials().access_key
                return outcome
            assert old == credentials.get_frozen_credentials().access_key
            self._expect_next_attempt(lambda: credentials.get_frozen_credentials().access_key)
            if self._life is Life.LASTS:
                return outcome

    def _attempt(self) -> BridgeError | None:
        """One refresh in the background, from beginning to end; the error that it ends in."""
        self.events.clear()
        self.time.release()
        [event] = self.events
        return event.error

    def _expect_next_attempt(self, ask: Callable[[], object]) -> None:
        """It comes with the first caller after the pause, and not before."""
        self.time.advance(NEXT_ATTEMPT_S - 0.1)
        ask()
        assert 0 == len(self.time.held)
        self.time.advance(0.11)
        ask()
        assert 1 == len(self.time.held)

    def _outcome(self, error: BridgeError | None, started_s: float) -> Outcome:
        row = self._row
        assert row is not None
        self._check_the_log(row, served=error is None)
        return Outcome(
            error.error_id if error else "",
            type(error).__name__ if error else "",
            self.asked[row.server],
            round(self.seconds() - started_s, 1),
        )

    def _check_the_log(self, row: Row, *, served: bool) -> None:
        """What was counted here is what arrived there, and a token that is not had is not sent."""
        arrived = {Server.METADATA: self.pod.metadata, Server.STS: self.pod.sts}
        for server, service in arrived.items():
            if row.fault is not None or server is not row.server:
                assert self.asked[server] == len(service.requests)
        if row.server is Server.METADATA:
            assert int(served) == self.asked[Server.STS]
        else:  # each attempt has a token of its own
            assert self.asked[Server.METADATA] == self.asked[Server.STS]

    # The fault.

    def spoil(self, row: Row, life: Life) -> None:
        """From the next request on."""
        self.asked = dict.fromkeys(Server, 0)
        for service in (self.pod.metadata, self.pod.sts):
            service.requests.clear()
        service = self.pod.metadata if row.server is Server.METADATA else self.pod.sts
        if row.fault is None:
            self._down.enter_context(service.down())
        else:
            service.inject(row.fault, times=None if life is Life.LASTS else 1)
        self._row, self._life = row, life

    def wire(self, server: Server) -> str:
        """How the answer to the request that is under way is delivered: `Fault.wire`."""
        row = self._row
        if row is None or row.fault is None or row.server is not server:
            return "whole"
        spoilt = self._life is Life.LASTS or self.asked[server] <= 1
        return row.fault.wire if spoilt else "whole"

    @contextlib.contextmanager
    def request(self, server: Server) -> Iterator[None]:
        """Count one request, also one that no server sees."""
        self.asked[server] += 1
        try:
            yield
        finally:
            if self._row is not None and self._row.server is server and self._life is Life.PASSES:
                self._down.close()


def _cause(raised: CredentialRetrievalError) -> BridgeError:
    """The library's own error, whose message a user of boto3 reads once."""
    assert isinstance(raised.__cause__, BridgeError)
    assert raised.__cause__.message in str(raised)
    shown = "".join(traceback.format_exception(raised))
    assert 1 == shown.count(raised.__cause__.args[0])
    assert _MOST >= len(f"{raised.__cause__.args[0]} Fix: {raised.__cause__.fix}")
    return raised.__cause__
