"""Emulated access portal of IAM Identity Center: role credentials for a signed-in user.

Written from the IAM Identity Center Portal API reference, GetRoleCredentials, and its errors.
Identity Center assumes roles of its own, so their trust policies are not evaluated.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta

from gcp_aws_bridge.emulator.accounts import Accounts, Role
from gcp_aws_bridge.emulator.clock import Clock
from gcp_aws_bridge.emulator.faults import Fault
from gcp_aws_bridge.emulator.requestlog import Recorded
from gcp_aws_bridge.emulator.server import Reply
from gcp_aws_bridge.emulator.service import Service

__all__ = ["Sso"]

_PATH = "/federation/credentials"
_TOKEN_HEADER = "x-amz-sso_bearer_token"
_LIFETIME = timedelta(hours=1)
_SIGNED_IN = timedelta(hours=8)


class Sso(Service):
    """The access portal on one port.

    Attributes:
        user: Name of the user; also the session name.
    """

    user = "dev@example.com"

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        super().__init__(clock)

    def forget(self) -> None:
        """Delete assignments and access tokens."""
        with self._state:
            self._roles: dict[tuple[str, str], Role] = {}
            self._tokens: dict[str, datetime] = {}

    def assign(self, role: Role) -> None:
        """Assign a role to the user."""
        with self._state:
            self._roles[role.account, role.name] = role

    def sign_in(self) -> tuple[str, datetime]:
        """Return an access token for the user, and its expiration."""
        token, ends = secrets.token_urlsafe(160), self._clock() + _SIGNED_IN
        with self._state:
            self._tokens[token] = ends
        return token, ends

    def sign_out(self) -> None:
        """Invalidate all access tokens."""
        with self._state:
            self._tokens = {}

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
