"""What pods of both kinds have in common: time, troubles, and how they are entered and left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import TypeVar

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.service import Service
from gcp_aws_bridge.testing._isolation import SetEnvironment, isolated, no_cloud
from gcp_aws_bridge.testing._simulated import BACKGROUND, LONGEST_LIFE_S, TIME


class Pod:
    """This process as a pod. A subclass says of which kind: whom it may be, and what it asks."""

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud
        self._troubles = ExitStack()
        self._down: set[Service] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {self.cloud!r}>"

    # What a subclass says.

    def _enter(self, put: SetEnvironment) -> None:
        """Begin, in an environment that has nothing of either cloud; *put* adds to that."""
        raise NotImplementedError

    @property
    def _services(self) -> tuple[Service, ...]:
        """Those that the pod asks."""
        raise NotImplementedError

    # Troubles.

    def _outage(self, service: Service) -> AbstractContextManager[object]:
        if service in self._down:
            raise RuntimeError(f"{service!r}: it is down already.")
        down = ExitStack()
        down.enter_context(service.down())
        self._down.add(service)
        down.callback(self._down.discard, service)
        return self._trouble(down.close)

    def _trouble(self, end: Callable[[], object]) -> AbstractContextManager[object]:
        trouble = ExitStack()
        trouble.callback(end)
        self._troubles.callback(trouble.close)
        return trouble

    # Time.

    @property
    def now(self) -> datetime:
        """The time of this library and of both clouds, aware UTC."""
        return TIME.now()

    def freeze(self) -> datetime:
        """Let time stand still until the test's end; `advance` moves it still.

        It moves, too, where the library pauses between attempts: those pauses take no real time.

        Returns:
            The instant, aware UTC, in whole seconds.
        """
        self.settle()
        TIME.freeze()
        return TIME.now()

    def advance(self, seconds: float | timedelta) -> None:
        """Move the time of this library and of both clouds ahead, once nothing is under way.

        Credentials that are due then are renewed behind the next caller; `settle` waits for it.
        The clocks of the machine, and so dates of signatures and whatever else goes by them, stay.

        Args:
            seconds: How far, zero or more.

        Raises:
            ValueError: It is negative or no number.
            TimeoutError: As `settle`.
        """
        seconds = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if not 0 <= seconds < math.inf:
            raise ValueError(f"Time goes ahead only, not by {seconds} s.")
        self.settle()
        TIME.move(seconds)

    def expire(self) -> None:
        """Move time past the end of all credentials that there are: ahead by twelve hours.

        Raises:
            TimeoutError: As `settle`.
        """
        self.advance(LONGEST_LIFE_S)

    def settle(self, within_s: float = 30.0) -> None:
        """Wait until no exchange is under way, those behind callers too, listeners included.

        Blocks the thread, an event loop's as well: exchanges need none.

        Args:
            within_s: The longest wait, in real seconds.

        Raises:
            TimeoutError: One still is.
        """
        BACKGROUND.settle(within_s)

    def _leave(self) -> None:
        """End what is wrong, hang up on whoever waits for an answer, and wait for the rest.

        First, since an exchange that is under way afterwards would ask the real clouds.
        """
        with ExitStack() as stack:
            stack.callback(self.cloud.reset)
            stack.callback(self.settle)
            for service in self._services:
                stack.callback(service.reset)
            stack.callback(self._troubles.close)


@cache
def _clouds() -> Emulator:
    """One for the process: stopped and started again it has the same ports, so that a session
    which a program keeps still finds it.
    """
    return Emulator(clock=TIME.now)


_users = 0


@contextmanager
def serving() -> Iterator[Emulator]:
    """Serve both clouds for as long as somebody is in here."""
    global _users
    cloud = _clouds()
    cloud.start()
    _users += 1
    try:
        yield cloud
    finally:
        _users -= 1
        if not _users:
            cloud.stop()


_inside: list[Pod] = []
_P = TypeVar("_P", bound=Pod)


@contextmanager
def entered(pod: _P, put: SetEnvironment) -> Iterator[_P]:
    """Be in a pod.

    Args:
        put: What it sets is put back by the caller.

    Raises:
        RuntimeError: This process is in one already.
    """
    if _inside:
        raise RuntimeError("This process is in a pod already: there is one environment.")
    cloud = pod.cloud
    cloud.start()  # a test may have stopped it
    cloud.reset()
    cloud.sts.max_skew_s = math.inf  # botocore and google-auth sign by the machine's clock
    TIME.start_anew()
    _inside.append(pod)
    try:
        put(no_cloud())
        with isolated():
            try:
                pod._enter(put)
                yield pod
            finally:
                pod._leave()
    finally:
        _inside.remove(pod)
        TIME.start_anew()
