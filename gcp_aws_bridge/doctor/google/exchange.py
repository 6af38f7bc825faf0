"""Checks the exchange, the service account's token, and how Google names the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gcp_aws_bridge.doctor.context import required, until
from gcp_aws_bridge.doctor.google import account_errors, errors
from gcp_aws_bridge.doctor.google.commands import member
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.network import late_error
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google import _exchange
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._federation import CLOUD_PLATFORM
from gcp_aws_bridge.google._transport import Transport

_SCOPES = (CLOUD_PLATFORM,)


def check_exchange(context: GoogleContext) -> Iterator[Finding]:
    """Exchange the subject token for a federated token."""
    federation, subject = required(context.federation), required(context.subject)

    def exchange(transport: Transport) -> GoogleToken:
        return _exchange.federated(
            lambda audience: subject, federation, _SCOPES, transport, context.world.clock
        )

    try:
        context.federated = _call(context, exchange)
    except ExchangeError as error:
        yield errors.explain(context, error)
    else:
        expiration = until(context.federated.expiration)
        yield Finding("exchange", "ok", f"Google accepts it, {expiration}.")


def check_account(context: GoogleContext) -> Iterator[Finding]:
    """Get an access token of the service account."""
    federation, bearer = required(context.federation), required(context.federated)
    if federation.service_account is None:
        yield Finding("account", "skipped", "None: the federated identity itself is used.")
        return

    def impersonate(transport: Transport) -> GoogleToken:
        return _exchange.access_token(
            bearer.token, federation, _SCOPES, transport, context.world.clock
        )

    try:
        context.impersonated = _call(context, impersonate)
    except ExchangeError as error:
        yield account_errors.explain(context, error)
    else:
        expiration = until(context.impersonated.expiration)
        yield Finding("account", "ok", f"{federation.service_account}, {expiration}.")


def check_identity(context: GoogleContext) -> Iterator[Finding]:
    """Name the identity as Google's policies do."""
    account = required(context.federation).service_account
    name = f"serviceAccount:{account}" if account else member(context)
    expiration = required(context.impersonated or context.federated).expiration
    minutes = (expiration - context.world.clock()).total_seconds() / 60
    yield Finding(
        "identity", "ok", f"Google's policies name it {name}; {minutes:.0f} minutes left."
    )


def _call(context: GoogleContext, call: Callable[[Transport], GoogleToken]) -> GoogleToken:
    url = required(context.federation).sts_url
    late = late_error("Google", url, context, "doctor/google-silent")
    with Transport(timeout_s=context.request_timeout_s) as transport:
        return context.within(lambda: call(transport), late)
