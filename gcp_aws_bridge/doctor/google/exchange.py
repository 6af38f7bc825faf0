"""The exchange, the service account, and what there is in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from gcp_aws_bridge.doctor.context import left
from gcp_aws_bridge.doctor.google import errors
from gcp_aws_bridge.doctor.google.commands import member
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.doctor.sts import host_of
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google import _exchange
from gcp_aws_bridge.google._exchange import CLOUD_PLATFORM, GoogleToken
from gcp_aws_bridge.google._transport import Transport

_T = TypeVar("_T")
_SCOPES = (CLOUD_PLATFORM,)


def check_exchange(walk: Walk) -> Iterator[Finding]:
    """Trade the subject token for one of Google's."""
    federation, subject = left(walk.federation), left(walk.subject)

    def ask(transport: Transport) -> GoogleToken:
        return _exchange.federated(
            lambda audience: subject, federation, _SCOPES, transport, walk.world.clock
        )

    try:
        walk.federated = _asked(walk, ask)
    except ExchangeError as error:
        yield errors.exchange(walk, error)
    else:
        yield Finding("exchange", "ok", f"Google takes it, {_until(walk.federated.expiration)}.")


def check_account(walk: Walk) -> Iterator[Finding]:
    """Have the service account's token made."""
    federation, bearer = left(walk.federation), left(walk.federated)
    if federation.service_account is None:
        yield Finding("account", "skipped", "None: the federated identity is used as it is.")
        return

    def ask(transport: Transport) -> GoogleToken:
        return _exchange.access_token(
            bearer.token, federation, _SCOPES, transport, walk.world.clock
        )

    try:
        walk.made = _asked(walk, ask)
    except ExchangeError as error:
        yield errors.account(walk, error)
    else:
        until = _until(walk.made.expiration)
        yield Finding("account", "ok", f"{federation.service_account}, {until}.")


def check_identity(walk: Walk) -> Iterator[Finding]:
    """Who this is to Google then, as its policies name it."""
    account = left(walk.federation).service_account
    who = f"serviceAccount:{account}" if account else member(walk)
    ends = left(walk.made or walk.federated).expiration
    minutes = (ends - walk.world.clock()).total_seconds() / 60
    yield Finding("identity", "ok", f"Google's policies name it {who}; {minutes:.0f} minutes left.")


def _asked(walk: Walk, call: Callable[[Transport], _T]) -> _T:
    with Transport(timeout_s=walk.inner_timeout_s) as transport:
        try:
            return walk.within(lambda: call(transport))
        except TimeoutError:
            raise ExchangeError(
                f"Google gave no whole answer within {walk.timeout_s:g} s.",
                fix="where it is slow, gcp-aws-bridge doctor --timeout 10\n"
                "where it hangs, let it pass the firewall or proxy: port 443 of "
                f"{host_of(left(walk.federation).sts_url)}",
                error_id="doctor/google-silent",
            ) from None


def _until(expiration: datetime) -> str:
    return f"until {expiration:%Y-%m-%d %H:%M:%S} UTC"
