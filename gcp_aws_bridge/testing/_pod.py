"""Base class of both kinds of pods: time, outages, and how a pod is entered and left."""

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
    """A pod, in this process. A subclass defines its identity and the services that it uses."""

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud
        self._end_of_test = ExitStack()
        self._down: set[Service] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {self.cloud!r}>"

    # Overridden by subclasses.

    def _enter(self, put: SetEnvironment) -> None:
        """Set up the pod with *put*, in an environment without variables of either cloud."""
        raise NotImplementedError

    @property
    def _services(self) -> tuple[Service, ...]:
        """The services that the pod uses."""
        raise NotImplementedError

    # Outages and denials.

    def _outage(self, service: Service) -> AbstractContextManager[object]:
        if service in self._down:
            raise RuntimeError(f"{service!r}: it is down already.")
        down = ExitStack()
        down.enter_context(service.down())
        self._down.add(service)
        down.callback(self._down.discard, service)
        return self._until_test_ends(down.close)

    def _until_test_ends(self, end: Callable[[], object]) -> AbstractContextManager[object]:
        """Return a context manager that calls *end*; without a `with` block, the test does."""
        condition = ExitStack()
        condition.callback(end)
        self._end_of_test.callback(condition.close)
        return condition

    # Time.

    @property
    def now(self) -> datetime:
        """The time of this library and of both clouds, aware UTC."""
        return TIME.now()

    def freeze(self) -> datetime:
        """Stop the pod's time until the end of the test. `advance` still moves it.

        Pauses of the library between attempts also move it: they take no real time.

        Returns:
            The frozen time, aware UTC, in whole seconds.
        """
        self.settle()
        TIME.freeze()
        return TIME.now()

    def advance(self, seconds: float | timedelta) -> None:
        """Move the time of this library and of both clouds forward, after pending exchanges.

        If a refresh is then due, the next caller starts it in the background; `settle` waits for
        it. The machine's clocks do not change, nor do dates of signatures.

        Args:
            seconds: Seconds, or a `timedelta`; zero or more.

        Raises:
            ValueError: `seconds` is negative or not a number.
            TimeoutError: See `settle`.
        """
        seconds = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if not 0 <= seconds < math.inf:
            raise ValueError(f"Time only moves forward, not by {seconds} s.")
        self.settle()
        TIME.move(seconds)

    def expire(self) -> None:
        """Expire all credentials: move time forward by twelve hours.

        Raises:
            TimeoutError: See `settle`.
        """
        self.advance(LONGEST_LIFE_S)

    def settle(self, within_s: float = 30.0) -> None:
        """Wait until all exchanges, also those in the background, and their listeners have ended.

        Blocks the thread, also that of an event loop: exchanges do not need the loop.

        Args:
            within_s: The longest wait, in real seconds.

        Raises:
            TimeoutError: An exchange has not ended.
        """
        BACKGROUND.settle(within_s)

    def _leave(self) -> None:
        """End all outages and denials, close connections that hang, and wait for exchanges.

        The environment is restored afterwards: a pending exchange would then reach the real clouds.
        """
        with ExitStack() as stack:
            stack.callback(self.cloud.reset)
            stack.callback(self.settle)
            for service in self._services:
                stack.callback(service.reset)
            stack.callback(self._end_of_test.close)


@cache
def _clouds() -> Emulator:
    """Return the emulator of this process.

    It keeps its ports when it is stopped and started again, so that sessions which a program keeps
    still reach it.
    """
    return Emulator(clock=TIME.now)


_users = 0


@contextmanager
def serving() -> Iterator[Emulator]:
    """Serve both clouds until the last `with` block ends."""
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
    """Run the `with` block in a pod.

    Args:
        pod: The pod.
        put: Sets variables; the caller restores them.

    Raises:
        RuntimeError: This process is in a pod already.
    """
    if _inside:
        raise RuntimeError("This process is in a pod already: there is one environment.")
    cloud = pod.cloud
    cloud.start()  # a test may have stopped it
    cloud.reset()
    cloud.sts.max_skew_s = math.inf  # botocore and google-auth sign by the machine's clock
    TIME.restart()
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
        TIME.restart()
