"""The emulated portal of IAM Identity Center: credentials of a role for whoever has signed in.

Written from the IAM Identity Center Portal API reference, GetRoleCredentials, and its errors.
The roles are Identity Center's own: their trust policies are not asked.
"""

from __future__ import annotations

import json
import secrets
import threading
from datetime import datetime, timedelta

from .accounts import Accounts, Role
from .clock import Clock
from .faults import Fault
from .requestlog import Recorded
from .server import Reply
from .service import Service

__all__ = ["Sso"]

_PATH = "/federation/credentials"
_TOKEN_HEADER = "x-amz-sso_bearer_token"
_LIFETIME = timedelta(hours=1)
_SIGNED_IN = timedelta(hours=8)


class Sso(Service):
    """The access portal on one port.

    Attributes:
        user: Who signs in; also the name of the sessions.
    """

    user = "dev@example.com"

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        super().__init__(clock)
        self._accounts = accounts
        self._state = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        with self._state:
            self._roles: dict[tuple[str, str], Role] = {}
            self._tokens: dict[str, datetime] = {}

    def reset(self) -> None:
        """Forget requests, faults, latency, assignments and who has signed in."""
        super().reset()
        self._forget()

    def assign(self, role: Role) -> None:
        """Let the user have a role."""
        with self._state:
            self._roles[role.account, role.name] = role

    def sign_in(self) -> tuple[str, datetime]:
        """Return an access token of the user, and its end."""
        token, ends = secrets.token_urlsafe(160), self._clock() + _SIGNED_IN
        with self._state:
            self._tokens[token] = ends
        return token, ends

    def sign_out(self) -> None:
        """Make every access token unknown."""
        with self._state:
            self._tokens = {}

    def has(self, fault: Fault) -> bool:
        return fault.error is None and fault.remaining_s is None

    def own_headers(self) -> tuple[tuple[str, str], ...]:
        return (("Content-Type", "application/json"),)

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.path != _PATH or request.method != "GET":
            return _refused(404, "ResourceNotFoundException", "Not found")
        now = self._clock()
        with self._state:
            ends = self._tokens.get(request.headers.get(_TOKEN_HEADER, ""))
            role = self._roles.get(
                (request.params.get("account_id", ""), request.params.get("role_name", ""))
            )
        if ends is None or now >= ends:
            return _refused(401, "UnauthorizedException", "Session token not found or invalid")
        if role is None:
            return _refused(403, "ForbiddenException", "No access")
        expiration = now.replace(microsecond=0) + _LIFETIME
        key = self._accounts.issue(role, self.user, expiration, None)
        found = {
            "accessKeyId": key.access_key_id,
            "secretAccessKey": key.secret_access_key,
            "sessionToken": key.session_token,
            "expiration": int(expiration.timestamp()) * 1000,
        }
        return Reply(200, json.dumps({"roleCredentials": found}).encode())


def _refused(status: int, code: str, message: str) -> Reply:
    """Return an error of the rest-json protocol."""
    body = json.dumps({"message": message, "__type": f"com.amazonaws.switchboard.portal#{code}"})
    return Reply(status, body.encode(), (("x-amzn-ErrorType", code),))
