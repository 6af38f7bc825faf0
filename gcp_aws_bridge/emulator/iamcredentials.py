"""Emulated IAM Service Account Credentials API: tokens and signatures of service accounts.

Methods, fields and limits follow Google's REST reference, `projects.serviceAccounts`. Errors have
the format of google.rpc.Status (AIP-193) and the messages that users report.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from . import jws
from .clock import Clock, iso
from .faults import Fault
from .googleiam import CLOUD_PLATFORM, SCOPE, GoogleAccount, GoogleIam, GoogleIdentity
from .issuer import Issuer
from .requestlog import Recorded
from .server import Reply
from .service import Service

__all__ = ["IamCredentials"]

# "The `-` wildcard character is required; replacing it with a project ID is invalid."
_PATH = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):(\w+)")
_DELEGATE = re.compile(r"projects/-/serviceAccounts/([^/:]+)")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_IAM_SCOPES = frozenset({CLOUD_PLATFORM, "https://www.googleapis.com/auth/iam"})
_DEFAULT_LIFETIME = "3600s"
_LONGEST_JWT_S = 43200
_RPC_PREFIX = "google.iam.credentials.v1.IAMCredentials."


class _RpcError(Exception):
    """An error in the format of Google's APIs."""

    def __init__(
        self, status: int, name: str, message: str, reason: str = "", **metadata: str
    ) -> None:
        super().__init__(message)
        self.status = status
        body: dict[str, Any] = {"code": status, "message": message, "status": name}
        if reason:
            body["details"] = [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": reason,
                    "domain": metadata.pop("domain", "googleapis.com"),
                    "metadata": metadata,
                }
            ]
        self.body = {"error": body}


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: the account, the fields, the time, and a token lifetime set by a fault."""

    account: GoogleAccount
    fields: Mapping[str, Any] = field(repr=False)
    now: datetime
    remaining_s: float | None


class IamCredentials(Service):
    """iamcredentials.googleapis.com on one port."""

    default_headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", "application/json; charset=UTF-8"),
    )

    def __init__(self, iam: GoogleIam, google: Issuer, clock: Clock) -> None:
        super().__init__(clock)
        self._iam = iam
        self._google = google
        # Method -> permission that the last account of the chain needs, fields, implementation.
        self._methods: dict[str, tuple[str, frozenset[str], Callable[[_Call], object]]] = {
            "generateAccessToken": (
                "getAccessToken",
                frozenset({"delegates", "scope", "lifetime"}),
                self._access_token,
            ),
            "generateIdToken": (
                "getOpenIdToken",
                frozenset(
                    {
                        "delegates",
                        "audience",
                        "includeEmail",
                        "organizationNumberIncluded",
                        "useEmailAzp",
                    }
                ),
                self._id_token,
            ),
            "signBlob": ("signBlob", frozenset({"delegates", "payload"}), self._sign_blob),
            "signJwt": ("signJwt", frozenset({"delegates", "payload"}), self._sign_jwt),
        }

    def has(self, fault: Fault) -> bool:
        return fault.error is None

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        try:
            return Reply.json(self._call(request, fault.remaining_s if fault else None))
        except _RpcError as error:
            return Reply.json(error.body, error.status)

    def _call(self, request: Recorded, remaining_s: float | None) -> object:
        match = _PATH.fullmatch(unquote(request.path))
        if match is None or match[2] not in self._methods or request.method != "POST":
            raise _RpcError(404, "NOT_FOUND", "Method not found.")
        permission, names, method = self._methods[match[2]]
        now = self._clock()
        caller = self._caller(request, match[2], now)
        fields = _fields(request.body, names)
        account = self._account(match[1])
        for delegate in _texts(fields, "delegates"):
            name = _DELEGATE.fullmatch(delegate)
            if name is None:
                raise _invalid()
            between = self._account(name[1])
            caller = _acting_as(between, "implicitDelegation", caller, now)
        _acting_as(account, permission, caller, now)
        return method(_Call(account, fields, now, remaining_s))

    def _caller(self, request: Recorded, method: str, now: datetime) -> GoogleIdentity:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        identity = self._iam.identity(token.strip(), now) if scheme.lower() == "bearer" else None
        if identity is None:
            raise _RpcError(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                "login cookie or other valid authentication credential. See "
                "https://developers.google.com/identity/sign-in/web/devconsole-project.",
            )
        if identity.scopes.isdisjoint(_IAM_SCOPES):
            raise _RpcError(
                403,
                "PERMISSION_DENIED",
                "Request had insufficient authentication scopes.",
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                method=f"{_RPC_PREFIX}{method[0].upper()}{method[1:]}",
                service="iamcredentials.googleapis.com",
            )
        return identity

    def _account(self, name: str) -> GoogleAccount:
        found = self._iam.account(name)
        if found is None:
            raise _RpcError(404, "NOT_FOUND", f"Not found; Gaia id not found for email {name}")
        return found

    # Methods.

    def _access_token(self, call: _Call) -> object:
        scopes = _texts(call.fields, "scope")
        if not scopes or not all(SCOPE.fullmatch(scope) for scope in scopes):
            raise _invalid()
        lifetime = _DURATION.fullmatch(str(call.fields.get("lifetime", _DEFAULT_LIFETIME)))
        if lifetime is None:
            raise _invalid()
        lives_s = float(lifetime[1])
        if lives_s == 0:
            raise _invalid("Lifetime of access token must be larger then zero.")  # sic
        if lives_s > call.account.longest_s:
            raise _invalid(
                "The access token can not have lifetimes of more than 1 hour. Use the Org Policy "
                "Constraint constraints/iam.allowServiceAccountCredentialLifetimeExtension to "
                "allow up to 12 hours."
            )
        lives_s = lives_s if call.remaining_s is None else call.remaining_s
        expiration = call.now + timedelta(seconds=lives_s)
        identity = GoogleIdentity(None, call.account.email, frozenset(scopes), expiration)
        return {
            "accessToken": self._iam.issue(identity),
            "expireTime": iso(expiration),
        }

    def _id_token(self, call: _Call) -> object:
        audience = call.fields.get("audience")
        if not isinstance(audience, str) or not audience:
            raise _invalid()
        claims: dict[str, Any] = {}
        if _flag(call.fields, "includeEmail"):
            claims = {"email": call.account.email, "email_verified": True}
        if _flag(call.fields, "useEmailAzp"):
            claims["azp"] = call.account.email
        # The emulated project is in no organization, so `organizationNumberIncluded` adds nothing.
        _flag(call.fields, "organizationNumberIncluded")
        if call.remaining_s is not None:
            claims["exp"] = int(call.now.timestamp() + call.remaining_s)
        number = call.account.account.unique_id
        return {"token": self._google.sign(self._google.google_claims(number, audience, claims))}

    def _sign_blob(self, call: _Call) -> object:
        try:
            payload = base64.b64decode(call.fields["payload"], validate=True)
        except (LookupError, binascii.Error, ValueError, TypeError):
            raise _invalid() from None
        key_id, signature = call.account.issuer.sign_bytes(payload)
        return {"keyId": key_id, "signedBlob": base64.b64encode(signature).decode()}

    def _sign_jwt(self, call: _Call) -> object:
        try:
            claims = json.loads(call.fields["payload"])
        except (LookupError, ValueError, TypeError, RecursionError):
            raise _invalid() from None
        if not isinstance(claims, dict):
            raise _invalid()
        # "it must be an integer timestamp that is not in the past and no more than 12 hours in the
        # future."
        now = call.now.timestamp()
        ends: Any = claims.get("exp")
        whole = isinstance(ends, int) and not isinstance(ends, bool)
        if "exp" in claims and not (whole and int(now) <= ends <= now + _LONGEST_JWT_S):
            raise _invalid()
        token = call.account.issuer.sign(claims)
        return {"keyId": jws.decode(token).header["kid"], "signedJwt": token}


def _acting_as(
    account: GoogleAccount, permission: str, caller: GoogleIdentity, now: datetime
) -> GoogleIdentity:
    """Return the account as the next caller, if the caller has the permission on it."""
    if not account.allows(permission, caller):
        full = f"iam.serviceAccounts.{permission}"
        raise _RpcError(
            403,
            "PERMISSION_DENIED",
            f"Permission '{full}' denied on resource (or it may not exist).",
            "IAM_PERMISSION_DENIED",
            domain="iam.googleapis.com",
            permission=full,
        )
    return GoogleIdentity(None, account.email, caller.scopes, now)


def _fields(body: bytes, names: frozenset[str]) -> Mapping[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON payload received.") from None
    if not isinstance(found, dict):
        raise _invalid("Invalid JSON payload received.")
    if unknown := found.keys() - names:
        raise _invalid(
            f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
        )
    # "null is an accepted value for all field types and treated as the default" (ProtoJSON).
    return {name: value for name, value in found.items() if value is not None}


def _texts(fields: Mapping[str, Any], name: str) -> list[str]:
    found = fields.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise _invalid()
    return found


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    """Read a boolean. google-auth sends it as a string, which Google's JSON parser accepts."""
    found = fields.get(name, False)
    found = {"true": True, "false": False}.get(found, found) if isinstance(found, str) else found
    if not isinstance(found, bool):
        raise _invalid()
    return found


def _invalid(message: str = "Request contains an invalid argument.") -> _RpcError:
    return _RpcError(400, "INVALID_ARGUMENT", message)
