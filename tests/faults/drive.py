"""One case of the fault matrix: real HTTP, and a clock that moves when the library waits.

The caller is this thread; the refresh in the background runs when `Drive` starts it.
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
    """A pod, its clock, one fault, and a count of the library's requests to each server."""

    def __init__(self, pod: Emulator) -> None:
        self.pod = pod
        self.time = ManualWorld(jitter=JITTER)
        self.requested = dict.fromkeys(Server, 0)
        self.events: list[bridge.Event] = []
        self._row: Row | None = None
        self._life = Life.LASTS
        self._down = contextlib.ExitStack()

    @contextlib.contextmanager
    def installed(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the library use this clock and these counters until the end of the block."""
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

    # One case.

    def run(self, row: Row, situation: Situation, life: Life) -> Outcome:
        """Return the outcome for a caller; while credentials are valid, that of the refresh."""
        credentials = bridge.credentials(ROLE)
        if situation is Situation.FIRST:
            self.inject(row, life)
            return self.ask(credentials)
        old = credentials.get_frozen_credentials().access_key
        if situation is Situation.EXPIRED:
            self.time.advance(2 * 3600)
            self.inject(row, life)
            return self.ask(credentials)
        self.time.advance(40 * 60)
        self.inject(row, life)
        return self._refresh(credentials, old)

    def ask(self, credentials: BridgeCredentials) -> Outcome:
        """Return what a caller gets, and how long it waits."""
        started_s = self.seconds()
        try:
            credentials.get_frozen_credentials()
        except CredentialRetrievalError as raised:
            return self._outcome(_cause(raised), started_s)
        return self._outcome(None, started_s)

    def seconds(self) -> float:
        return self.time.world.monotonic()

    def _refresh(self, credentials: BridgeCredentials, old: str) -> Outcome:
        """Return the outcome of the refresh that a caller starts: the first one, or, if the fault
        passes, the one that succeeds.
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
        """Run one background refresh and return the error that it ends with."""
        self.events.clear()
        self.time.release()
        [event] = self.events
        return event.error

    def _expect_next_attempt(self, ask: Callable[[], object]) -> None:
        """The next attempt starts with the first caller after the pause, and not before."""
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
            self.requested[row.server],
            round(self.seconds() - started_s, 1),
        )

    def _check_the_log(self, row: Row, *, served: bool) -> None:
        """The servers received the counted requests, and no exchange was made without a token."""
        arrived = {Server.METADATA: self.pod.metadata, Server.STS: self.pod.sts}
        for server, service in arrived.items():
            if row.fault is not None or server is not row.server:
                assert self.requested[server] == len(service.requests)
        if row.server is Server.METADATA:
            assert int(served) == self.requested[Server.STS]
        else:  # each attempt requests a token
            assert self.requested[Server.METADATA] == self.requested[Server.STS]

    # The fault.

    def inject(self, row: Row, life: Life) -> None:
        """Inject the fault from the next request on."""
        self.requested = dict.fromkeys(Server, 0)
        for service in (self.pod.metadata, self.pod.sts):
            service.requests.clear()
        service = self.pod.metadata if row.server is Server.METADATA else self.pod.sts
        if row.fault is None:
            self._down.enter_context(service.down())
        else:
            service.inject(row.fault, times=None if life is Life.LASTS else 1)
        self._row, self._life = row, life

    def wire(self, server: Server) -> str:
        """Return how the answer to the current request is delivered: `Fault.wire`."""
        row = self._row
        if row is None or row.fault is None or row.server is not server:
            return "whole"
        faulty = self._life is Life.LASTS or self.requested[server] <= 1
        return row.fault.wire if faulty else "whole"

    @contextlib.contextmanager
    def request(self, server: Server) -> Iterator[None]:
        """Count one request, even if it reaches no server."""
        self.requested[server] += 1
        try:
            yield
        finally:
            if self._row is not None and self._row.server is server and self._life is Life.PASSES:
                self._down.close()


def _cause(raised: CredentialRetrievalError) -> BridgeError:
    """Return the library's own error, whose message a user of boto3 reads once."""
    assert isinstance(raised.__cause__, BridgeError)
    assert raised.__cause__.message in str(raised)
    shown = "".join(traceback.format_exception(raised))
    assert 1 == shown.count(raised.__cause__.args[0])
    assert _MOST >= len(f"{raised.__cause__.args[0]} Fix: {raised.__cause__.fix}")
    return raised.__cause__
