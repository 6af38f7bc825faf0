"""The pod: its roles, its time, what goes wrong in it, and how it is entered and left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.emulator.service import Service
from gcp_aws_bridge.testing._isolation import environment, isolated, pod_environment
from gcp_aws_bridge.testing._simulated import BACKGROUND, LONGEST_LIFE_S, TIME

_NOBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:*"}],
}


class GkePod:
    """This process as a pod in GKE whose service account may assume the roles that are added.

    Its metadata server and STS are the emulator's, on loopback, and its time is the machine's until
    a test moves it. Not for two threads at a time. Nothing it does outlives it.

    Attributes:
        cloud: Both clouds: requests that arrived, faults, latency, service account, trust
            policies. See `gcp_aws_bridge.emulator`.
    """

    def __init__(self, cloud: Emulator) -> None:
        self.cloud = cloud
        self._roles: dict[str, Callable[[], object]] = {}
        self._troubles = ExitStack()
        self._down: set[Service] = set()

    def __repr__(self) -> str:
        return f"<GkePod with {self.cloud!r}>"

    # Roles.

    def add_role(
        self,
        arn: str,
        trust_policy: Mapping[str, Any] | str | None = None,
        *,
        audience: str = DEFAULT_AUDIENCE,
        max_session_duration: int = 3600,
    ) -> None:
        """Make a role, or replace the one of this ARN.

        Args:
            arn: `arn:aws:iam::ACCOUNT:role/NAME`.
            trust_policy: Who may assume it; None: this pod, with a token for *audience*.
            audience: What a trust policy of ours wants in `accounts.google.com:oaud`.
            max_session_duration: Longest session, in seconds; 3600 to 43200.

        Raises:
            ValueError: IAM would refuse this, or the policy needs something that the emulator
                does not evaluate.
        """
        add = partial(
            self.cloud.add_role,
            arn,
            trust_policy,
            audience=audience,
            max_session_duration=max_session_duration,
        )
        add()
        self._roles[arn] = add

    def deny(self, arn: str) -> AbstractContextManager[object]:
        """Have the role's trust policy refuse everybody, from now on.

        Credentials that STS has given stay good. As a context manager it ends with its block, else
        with the test.

        Raises:
            KeyError: `add_role` has not made this role.
        """
        allow = self._roles[arn]
        self.cloud.add_role(arn, _NOBODY)
        return self._trouble(allow)

    # Outages.

    def sts_outage(self) -> AbstractContextManager[object]:
        """Have STS refuse connections, from now on; ends as `deny` does.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.sts)

    def metadata_outage(self) -> AbstractContextManager[object]:
        """Have the metadata server refuse connections, from now on; ends as `deny` does.

        Raises:
            RuntimeError: It does already.
        """
        return self._outage(self.cloud.metadata)

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

    # Counters.

    @property
    def exchanges(self) -> int:
        """How often STS has given credentials for an ID token since the test began."""
        asked = self.cloud.sts.requests
        wanted = "AssumeRoleWithWebIdentity"
        return sum(each.action == wanted and each.status == 200 for each in asked)

    @property
    def metadata_requests(self) -> int:
        """How many requests have reached the metadata server since the test began."""
        return len(self.cloud.metadata.requests)

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
            for service in (self.cloud.metadata, self.cloud.sts):
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


_inside: list[GkePod] = []


@contextmanager
def entered(cloud: Emulator) -> Iterator[GkePod]:
    """Be in a pod whose environment has been set.

    Raises:
        RuntimeError: This process is in one already.
    """
    if _inside:
        raise RuntimeError("This process is in a pod already: there is one environment.")
    cloud.start()  # a test may have stopped it
    cloud.reset()
    cloud.sts.max_skew_s = math.inf  # botocore dates signatures by the machine's clock
    TIME.start_anew()
    pod = GkePod(cloud)
    _inside.append(pod)
    try:
        with isolated():
            try:
                yield pod
            finally:
                pod._leave()
    finally:
        _inside.remove(pod)
        TIME.start_anew()


@contextmanager
def gke_pod() -> Iterator[GkePod]:
    """Be in a pod until the end of the block: the fixture of this name, without pytest.

    Raises:
        RuntimeError: This process is in one already.
    """
    with serving() as cloud, environment(pod_environment(cloud.environ)), entered(cloud) as pod:
        yield pod
