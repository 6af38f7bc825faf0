"""Emulated AWS STS.

Implements the Query protocol (AWS STS API reference, "Making query requests"): POST with a form, or
GET with a query. One port serves all regions. The actions that assume a role are in `assuming`, the
others in `sessions`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from . import assuming, sessions, sigv4
from .accounts import Accounts, Key
from .answers import AwsError, Tree, answer, error_answer
from .authorization import refused
from .call import Call, SignedCall
from .clock import Clock
from .faults import Fault
from .issuer import Issuer
from .requestcontext import of_caller, of_request
from .requestlog import Recorded
from .server import Reply
from .service import Service
from .sigv4 import SignedRequest
from .tokens import Provider

__all__ = ["STS"]

_VERSION = "2011-06-15"

# Signatures are valid for five minutes (IAM user guide, "Elements of an API request signature").
_MAX_SKEW_S = 300.0

_SIGNED: dict[str, Callable[[SignedCall], Tree]] = {
    "AssumeRole": assuming.by_credentials,
    "DecodeAuthorizationMessage": sessions.decode_message,
    "GetAccessKeyInfo": sessions.access_key_info,
    "GetCallerIdentity": sessions.caller_identity,
    "GetFederationToken": sessions.federation_token,
    "GetSessionToken": sessions.session_token,
    "GetWebIdentityToken": sessions.web_identity,
}
# Actions of temporary credentials that do not come from a role: "You cannot call any STS API except
# AssumeRole or GetCallerIdentity" (API reference, GetSessionToken); "You cannot call any STS
# operations except GetCallerIdentity" (GetFederationToken).
_MAY_CALL = {
    "User": frozenset({"AssumeRole", "GetCallerIdentity"}),
    "FederatedUser": frozenset({"GetCallerIdentity"}),
}
# "You cannot call the AWS STS GetFederationToken or GetSessionToken API operations."
_LONG_TERM_ONLY = frozenset({"GetFederationToken", "GetSessionToken"})


class STS(Service):
    """AWS STS on one port.

    Attributes:
        max_skew_s: Largest difference between the date of a signed request and the clouds' clock,
            in seconds. AWS allows five minutes. Raise it if clients sign by the real clock while
            a test moves the clouds' clock.
    """

    default_headers: tuple[tuple[str, str], ...] = (
        ("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000"),
        ("Content-Type", "text/xml"),
    )

    def __init__(self, accounts: Accounts, google: Issuer, clock: Clock, port: int = 0) -> None:
        super().__init__(clock, port)
        self._accounts = accounts
        self._google = Provider(google, frozenset({"accounts.google.com"}), None)

    def forget(self) -> None:
        """Restore the tolerance for dates. `Accounts` has the state of AWS."""
        self.max_skew_s: float = _MAX_SKEW_S

    def has(self, fault: Fault) -> bool:
        return fault.remaining_s is None

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if fault is not None and fault.error is not None:
            return error_answer(AwsError(*fault.error))
        try:
            return answer(*self._dispatch(request))
        except AwsError as error:
            return error_answer(error)

    def _dispatch(self, request: Recorded) -> tuple[str, Tree]:
        """Run an action. Return its name and its result."""
        if request.path not in ("", "/"):
            raise AwsError("UnknownOperationException", "", 404)
        if request.method not in ("GET", "POST"):
            raise AwsError("InvalidAction", f"Method {request.method} is not supported", 405)
        action = request.action
        if not action:
            raise AwsError("MissingAction", "Missing Action")
        version = request.params.get("Version", "NO_VERSION_SPECIFIED")
        unsigned = action == "AssumeRoleWithWebIdentity"
        if version != _VERSION or not (unsigned or action in _SIGNED):
            raise AwsError(
                "InvalidAction", f"Could not find operation {action} for version {version}"
            )
        now = self._clock()
        if unsigned:
            context = of_request(request, now, None)
            call = Call(self._accounts, request.params, context, now)
            return action, assuming.by_token(call, self._google)
        return action, _SIGNED[action](self._signed_call(request, action, now))

    def _signed_call(self, request: Recorded, action: str, now: datetime) -> SignedCall:
        signed = SignedRequest(
            request.method, request.path, request.query, request.headers, request.body
        )
        key = self.signer(signed, now)
        temporary = key.expiration is not None
        if temporary and action in _LONG_TERM_ONLY:
            raise AwsError("AccessDenied", f"Cannot call {action} with session credentials", 403)
        if temporary and action not in _MAY_CALL.get(key.caller.kind, _SIGNED):
            raise refused(key.caller, f"sts:{action}", "*")
        region = sigv4.region_of(signed)
        context = {**of_request(request, now, region), **of_caller(key)}
        return SignedCall(self._accounts, request.params, context, now, region, key)

    def signer(self, signed: SignedRequest, now: datetime, region: str | None = None) -> Key:
        """Return the key that signed a request to STS; see `sigv4.verify`.

        Raises:
            AwsError: The signature is invalid.
        """
        return sigv4.verify(
            signed,
            service="sts",
            find_key=self._accounts.key,
            now=now,
            max_skew_s=self.max_skew_s,
            region=region,
        )
