"""Emulated instance metadata service (IMDS) of EC2, version 2.

Written from the EC2 user guide: "Access instance metadata for an EC2 instance", "Instance metadata
categories", "Retrieve security credentials from instance metadata", "Instance identity documents".
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from .accounts import Accounts, Key, role_arn_parts
from .answers import AwsError
from .clock import Clock, iso
from .faults import Fault
from .requestlog import Recorded
from .server import Reply
from .service import Service
from .service_roles import assume_for_workload

__all__ = ["Imds"]

_SERVICE = "ec2.amazonaws.com"
_TOKEN_PATH = "/latest/api/token"
_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_HEADER = "X-aws-ec2-metadata-token"
_LONGEST_TTL_S = 21600
_LIFETIME = timedelta(hours=6)
# "We make new credentials available at least five minutes before the expiration of the old."
_FRESH_MARGIN = timedelta(minutes=5)
_ROLES = "iam/security-credentials/"

_UNAUTHORIZED = (
    "EC2 cannot assume the role {}.  Please see documentation at "
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
    "troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc."
)


class Imds(Service):
    """The metadata service of one EC2 instance. AWS serves it at 169.254.169.254.

    Attributes:
        role_arn: The role of the instance profile; `None` without a profile.
        region: Region of the instance.
        instance_id: Id of the instance, which is also the session name.
        version_1: Whether requests without a token are accepted.
    """

    default_headers: tuple[tuple[str, str], ...] = (
        ("Server", "EC2ws"),
        ("Content-Type", "text/plain"),
    )

    def __init__(self, accounts: Accounts, region: str, clock: Clock) -> None:
        self._accounts = accounts
        self._first_region = region
        super().__init__(clock)

    def forget(self) -> None:
        """Delete tokens, the role and its credentials."""
        self.role_arn: str | None = None
        self.region: str = self._first_region
        self.instance_id = "i-0123456789abcdef0"
        self.version_1 = False
        with self._state:
            self._tokens: dict[str, datetime] = {}
            self._kept: tuple[str, Key] | None = None

    def forget_credentials(self) -> None:
        """Delete the current credentials: the next request gets new ones."""
        with self._state:
            self._kept = None

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.path == _TOKEN_PATH and request.method == "PUT":
            return self._new_token(request)
        if request.method not in ("GET", "HEAD"):
            return Reply(405)
        if not self._admits(request):
            return Reply(401)
        found = self._find(request.path)
        if found is None:
            return Reply(404)
        if isinstance(found, str):
            return Reply(200, found.encode())
        return Reply(200, json.dumps(found, indent=2).encode())

    def _new_token(self, request: Recorded) -> Reply:
        # "PUT requests that contain an X-Forwarded-For header are rejected."
        if request.headers.get("X-Forwarded-For") is not None:
            return Reply(403)
        ttl = request.headers.get(_TTL_HEADER, "")
        if not re.fullmatch(r"\d{1,5}", ttl, re.ASCII) or not 1 <= int(ttl) <= _LONGEST_TTL_S:
            return Reply(400)
        token = secrets.token_urlsafe(40)
        with self._state:
            self._tokens[token] = self._clock() + timedelta(seconds=int(ttl))
        return Reply(200, token.encode(), ((_TTL_HEADER, ttl),))

    def _admits(self, request: Recorded) -> bool:
        token = request.headers.get(_TOKEN_HEADER)
        if token is None:
            return self.version_1
        with self._state:
            ends = self._tokens.get(token)
        return ends is not None and self._clock() < ends

    def _find(self, path: str) -> str | dict[str, Any] | None:
        if path.rstrip("/") == "/latest/dynamic/instance-identity/document":
            return self._identity()
        name = path.removeprefix("/latest/meta-data/")
        role = role_arn_parts(self.role_arn or "")
        if role is not None:
            # Clients request this with and without the trailing slash.
            if name in (_ROLES, _ROLES.rstrip("/")):
                return role["name"]
            if name == _ROLES + role["name"]:
                return self._credentials(role[0], role["name"])
        return {
            "instance-id": self.instance_id,
            "placement/availability-zone": f"{self.region}a",
            "placement/region": self.region,
        }.get(name)

    def _identity(self) -> dict[str, Any]:
        role = role_arn_parts(self.role_arn or "")
        return {
            "accountId": role["account"] if role else None,
            "availabilityZone": f"{self.region}a",
            "instanceId": self.instance_id,
            "instanceType": "t3.micro",
            "region": self.region,
            "version": "2017-09-30",
        }

    def _credentials(self, role_arn: str, name: str) -> dict[str, Any]:
        now = self._clock()
        try:
            key = self._key(role_arn, now)
        except AwsError:
            return {
                "Code": "AssumeRoleUnauthorizedAccess",
                "Message": _UNAUTHORIZED.format(name),
                "LastUpdated": iso(now),
            }
        ends = key.expiration or now
        return {
            "Code": "Success",
            "LastUpdated": iso(ends - _LIFETIME),
            "Type": "AWS-HMAC",
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "Token": key.session_token,
            "Expiration": iso(ends),
        }

    def _key(self, role_arn: str, now: datetime) -> Key:
        with self._state:
            kept = self._kept
            if (
                kept is None
                or kept[0] != role_arn
                or kept[1].expiration is None
                or kept[1].expiration - now <= _FRESH_MARGIN
            ):
                key = assume_for_workload(
                    self._accounts, role_arn, _SERVICE, self.instance_id, now + _LIFETIME, now=now
                )
                self._kept = (role_arn, key)
                return key
            return kept[1]
