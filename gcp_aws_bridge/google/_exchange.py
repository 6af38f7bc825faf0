"""The exchange of a subject token for a Google token, without cache or retries.

Uses google-auth's client for Google's token endpoint (RFC 8693) and, for a service account, the IAM
Credentials API.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from google.auth import exceptions as google_exceptions
from google.oauth2 import sts

from gcp_aws_bridge._cache.clock import Clock
from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._subject_tokens import SubjectTokenSource, region_of
from gcp_aws_bridge.google._transport import Transport

# RFC 8693, section 2.1 and 3.
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
# The default scope. The IAM roles of a service account limit its permissions.
# If a token seems to end within a minute, this machine's clock is wrong.
_MIN_LIFE = timedelta(minutes=1)


class GoogleToken(SecretValue):
    """An access token or an ID token. `repr` and `str` show no secret.

    Attributes:
        token: The token.
        expiration: Expiration, aware UTC.
    """

    __slots__ = ("expiration", "token")

    token: str
    expiration: datetime

    def __init__(self, token: str, expiration: datetime) -> None:
        self._set(token=token, expiration=expiration)

    @property
    def public_id(self) -> str:
        """A digest of the token, which has no public part."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"<GoogleToken {self.public_id} until {self.expiration.isoformat()}>"


@without_inner_frames
def federated(
    source: SubjectTokenSource,
    federation: Federation,
    scopes: tuple[str, ...],
    transport: Transport,
    clock: Clock,
) -> GoogleToken:
    """Exchange a subject token for the access token of the federated identity.

    Raises:
        TokenError: There is no subject token; nothing was sent to Google. `TokenUnavailable` if
            this machine has no such source.
        ExchangeError: Google denied the request, was not reached, or sent an unusable answer.
    """
    subject = source(federation.audience)
    asked_at = clock()
    try:
        answer = sts.Client(federation.sts_url).exchange_token(
            transport,
            grant_type=_GRANT,
            subject_token=subject.value,
            subject_token_type=subject.type,
            audience=federation.audience,
            scopes=list(scopes),
            requested_token_type=_ACCESS_TOKEN,
        )
        expiration = asked_at + timedelta(seconds=int(answer["expires_in"]))
        return _lasting(federation, str(answer["access_token"]), expiration, clock())
    except google_exceptions.OAuthError as error:
        from gcp_aws_bridge.google import _errors  # loaded only for an error

        asked = _errors.Asked(scopes=scopes, region=region_of(subject))
        raise _errors.exchange(federation, error, transport, clock(), asked) from None
    except BridgeError:  # ConfigError is a ValueError, too
        raise
    except (google_exceptions.TransportError, *_UNUSABLE) as error:
        raise _no_answer(federation, error, transport) from None


_UNUSABLE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


@without_inner_frames
def access_token(
    bearer: str,
    federation: Federation,
    scopes: tuple[str, ...],
    transport: Transport,
    clock: Clock,
) -> GoogleToken:
    """Get an access token of the service account with the federated identity's *bearer* token.

    See: IAM Service Account Credentials API, projects.serviceAccounts.generateAccessToken.

    Raises:
        ExchangeError: See `federated`.
    """
    asked_at = clock()

    def read(answer: Mapping[str, Any]) -> tuple[str, datetime]:
        ends = _instant(answer["expireTime"])
        # With a clock that is behind, it would seem to be valid for longer than requested.
        latest = asked_at + timedelta(seconds=federation.lifetime_s)
        return answer["accessToken"], min(ends, latest)

    body = {"scope": list(scopes), "lifetime": f"{federation.lifetime_s}s"}
    token, expiration = impersonate(
        "generateAccessToken", bearer, federation, body, transport, read
    )
    return _lasting(federation, token, expiration, clock())


def _instant(timestamp: str) -> datetime:
    """Parse a `google.protobuf.Timestamp`; return whole seconds, rounded down, aware UTC.

    See: Protocol Buffers, google.protobuf.Timestamp: in JSON, RFC 3339 in UTC ("Z") with 0, 3, 6
    or 9 fractional digits.
    """
    whole, zone = timestamp[:19], timestamp[19:].lstrip(".0123456789")
    if zone != "Z":
        raise ValueError("no timestamp in UTC")
    return datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)


@without_inner_frames
def id_token(
    bearer: str, federation: Federation, target_audience: str, transport: Transport, clock: Clock
) -> GoogleToken:
    """Get an ID token of the service account for *target_audience*, by generateIdToken.

    Raises:
        ExchangeError: See `federated`.
    """

    from gcp_aws_bridge._tokens import id_token as _id_token  # not needed for access tokens

    asked_at = clock()

    def read(answer: Mapping[str, Any]) -> tuple[str, datetime]:
        token = _id_token.parse(answer["token"], origin="The IAM Credentials API")
        # As for access tokens.
        latest = asked_at + (token.expiration - (token.issued_at or asked_at))
        return token.raw, min(token.expiration, latest)

    body = {"audience": target_audience, "includeEmail": True}
    token, expiration = impersonate("generateIdToken", bearer, federation, body, transport, read)
    return _lasting(federation, token, expiration, clock())


@without_inner_frames
def impersonate(
    method: str,
    bearer: str,
    federation: Federation,
    body: Mapping[str, Any],
    transport: Transport,
    read: Callable[[Mapping[str, Any]], Any],
) -> Any:
    """Call a method of the IAM Credentials API; return the result of *read* for its answer.

    Raises:
        ExchangeError: See `federated`.
    """
    url = f"{federation.iam_url}{federation.account_path}:{method}"
    try:
        answer = transport.post(url, bearer, body)
        if transport.status != 200:
            from gcp_aws_bridge.google._errors import Asked
            from gcp_aws_bridge.google._impersonation_errors import impersonation

            asked = Asked(scopes=tuple(body.get("scope", ())))
            raise impersonation(federation, method, answer, transport, asked)
        return read(answer)
    except BridgeError:
        raise
    except (google_exceptions.TransportError, *_UNUSABLE) as error:
        raise _no_answer(federation, error, transport) from None


def _no_answer(federation: Federation, error: Exception, transport: Transport) -> ExchangeError:
    """Return the error for a missing answer, or for an answer that is not from Google."""
    from gcp_aws_bridge.google import _network_errors

    if isinstance(error, google_exceptions.TransportError):
        return _network_errors.not_reached(federation, error)
    if not transport.status:
        return _network_errors.not_sent(federation, error)
    return _network_errors.not_from_google(federation, error, transport.status)


def _lasting(
    federation: Federation, token: str, expiration: datetime, now: datetime
) -> GoogleToken:
    if not token:
        raise ValueError("no token")
    if expiration - now < _MIN_LIFE:
        raise ExchangeError(
            f"Google gave {federation.label} a token that ends at {expiration:%Y-%m-%d %H:%M:%S} "
            f"UTC; by this machine's clock it is {now:%Y-%m-%d %H:%M:%S} UTC.",
            fix="set this machine's clock right (NTP).",
            error_id="exchange/clock",
            code="ExpiredOnArrival",
        )
    return GoogleToken(token, expiration)
