"""State of a diagnosis: its settings, and the results that checks leave for later ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from gcp_aws_bridge.doctor.sts import DoctorSts
from gcp_aws_bridge.exceptions import BridgeError, quoted

_T = TypeVar("_T")


class ClockReading(NamedTuple):
    """The time by a server's clock, and by this machine's at the same time. Both aware UTC."""

    server: datetime
    local: datetime


@dataclass(kw_only=True)
class Context:
    """State of a diagnosis in either direction.

    Args:
        arguments: Settings from the command line; all others come from environment and files.
        session: botocore session with the profile, region and proxies that reach AWS.
        timeout_s: Seconds that each check may take.
    """

    arguments: Mapping[str, Any]
    session: Session
    timeout_s: float
    world: World
    sts: DoctorSts | None = None
    clocks: dict[str, ClockReading] = field(default_factory=dict)
    token: IdToken | None = None

    @property
    def request_timeout_s(self) -> float:
        """Time-out of one request. Shorter than a check's: the error of a request says more."""
        return 0.75 * self.timeout_s

    def within(self, call: Callable[[], _T], late: BridgeError | None = None) -> _T:
        """Return what *call* returns or raises within *timeout_s* seconds.

        For calls without a deadline of their own: DNS, google-auth, an answer that arrives slowly.

        Raises:
            TimeoutError: The call continues in a daemon thread.
            late: If given, instead of `TimeoutError`.
        """
        future = started(call, self.world)
        if not wait([future], self.timeout_s).done:
            raise late or TimeoutError
        try:
            return future.result()
        except TimeoutError:  # of the call itself
            raise late or TimeoutError from None


@dataclass(kw_only=True)
class AwsContext(Context):
    """State of a diagnosis from a Google identity to AWS; *arguments* are fields of `Role`.

    Args:
        token_source: None for the default source of this machine.
        regions: STS in the regions that answer, in the role's order.
    """

    token_source: TokenSource | None
    regions: Sequence[DoctorSts] = ()
    role: Role | None = None
    probe: Probe | None = None
    credentials: AwsCredentials | None = field(default=None, repr=False)


def required(value: _T | None) -> _T:
    """Return a result of an earlier check, which the table of checks guarantees."""
    if value is None:
        raise AssertionError("a check ran without what it needs")  # pragma: no cover
    return value


def claims_text(token: IdToken) -> str:
    """Return the claims that identify the subject and the audience of *token*."""
    claims = {
        "azp": token.authorized_party,
        "aud": ", ".join(token.audience),
        "sub": token.subject,
        "email": token.email,
    }
    return ", ".join(f"{name}={quoted(value)}" for name, value in claims.items() if value)


def summary_of(token: IdToken, now: datetime) -> str:
    """Return a sentence with the claims of *token* and how long it is valid."""
    minutes = (token.expiration - now).total_seconds() / 60
    return f"iss={quoted(token.issuer)}, {claims_text(token)}; {minutes:.0f} minutes left."


def until(expiration: datetime) -> str:
    """Return when credentials or a token expire, in words."""
    return f"until {expiration:%Y-%m-%d %H:%M:%S} UTC"


def started(call: Callable[[], _T], world: World) -> Future[_T]:
    """Start *call* in a daemon thread and return its future."""
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again, in the thread that waits
            future.set_exception(error)

    world.spawn(work)
    return future
