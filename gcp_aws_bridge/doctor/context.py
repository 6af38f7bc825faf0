"""What a walk along the chain is told, and what its links leave for those after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from botocore.session import Session

from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor.metadata import Probe
from gcp_aws_bridge.doctor.sts import AskedSts
from gcp_aws_bridge.exceptions import quoted

_T = TypeVar("_T")


class Clocks(NamedTuple):
    """A server's clock, and ours when it told. Both aware UTC."""

    theirs: datetime
    ours: datetime


@dataclass(kw_only=True)
class Way:
    """A diagnosis under way, in either direction.

    Args:
        arguments: Settings that were given; the rest comes from elsewhere.
        session: How AWS is reached.
        timeout_s: Seconds that each link may take.
    """

    arguments: Mapping[str, Any]
    session: Session
    timeout_s: float
    world: World
    sts: AskedSts | None = None
    clocks: dict[str, Clocks] = field(default_factory=dict)
    token: IdToken | None = None

    @property
    def inner_timeout_s(self) -> float:
        """For what has a deadline of its own, and says more when it passes than `within` can."""
        return 0.75 * self.timeout_s

    def within(self, call: Callable[[], _T]) -> _T:
        """What *call* returns or raises, waited for *timeout_s* seconds.

        For what knows no deadline of its own: the resolver of names, google-auth, a slow drip.

        Raises:
            TimeoutError: It goes on, in a thread that does not keep the process.
        """
        return bounded(call, self.timeout_s, self.world)


@dataclass(kw_only=True)
class Walk(Way):
    """One from a Google identity to AWS; *arguments* are fields of `Role`.

    Args:
        token_source: None: what this machine has.
    """

    token_source: TokenSource | None
    role: Role | None = None
    probe: Probe | None = None
    credentials: AwsCredentials | None = field(default=None, repr=False)


def left(value: _T | None) -> _T:
    """What an earlier link has left: one that needs it is not looked at without."""
    if value is None:
        raise AssertionError("a link was looked at without what it needs")  # pragma: no cover
    return value


def named(token: IdToken) -> str:
    """Whom a token is of and for, in its claims."""
    told = {
        "azp": token.authorized_party,
        "aud": ", ".join(token.audience),
        "sub": token.subject,
        "email": token.email,
    }
    return ", ".join(f"{name}={quoted(value)}" for name, value in told.items() if value)


def bounded(call: Callable[[], _T], timeout_s: float, world: World) -> _T:
    """See `Way.within`."""
    future = begun(call, world)
    if not wait([future], timeout_s).done:  # Python 3.10 has two classes of TimeoutError
        raise TimeoutError
    return future.result()


def begun(call: Callable[[], _T], world: World) -> Future[_T]:
    """*call* under way, in a thread that does not keep the process."""
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again, in the thread that waits
            future.set_exception(error)

    world.spawn(work)
    return future
