"""What AWS accounts hold here: roles, users, OIDC providers, and the keys that STS has issued.

There are no permissions policies: a caller may ask for every role, and the role's trust policy
alone decides. Shapes of identifiers follow the IAM user guide, "IAM identifiers".
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime

from .issuer import Issuer
from .tokens import Provider
from .trust import Principal, TrustPolicy

__all__ = ["Accounts", "Caller", "Key", "Role", "role_arn_parts"]

_ROLE_ARN = re.compile(
    r"arn:(?P<partition>aws[\w-]*):iam::(?P<account>\d{12}):role/"
    r"(?P<path>[\x21-\x7e]*/)?(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role."""

    arn: str
    trust_policy: TrustPolicy = field(repr=False)
    max_session_duration: int
    description: str
    unique_id: str
    account: str
    partition: str
    name: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request: a user, or a session of a role."""

    arn: str
    user_id: str
    account: str
    partition: str
    role_arn: str | None = None
    source_identity: str | None = None

    @property
    def principal(self) -> Principal:
        """The names that a trust policy may have for this caller (IAM user guide, Principal)."""
        names = {"*", self.account, f"arn:{self.partition}:iam::{self.account}:root", self.arn}
        return Principal("AWS", frozenset(names | ({self.role_arn} if self.role_arn else set())))


@dataclass(frozen=True, slots=True)
class Key:
    """An access key. Its repr shows neither secret nor token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)
    expiration: datetime | None
    caller: Caller


def role_arn_parts(arn: str) -> re.Match[str] | None:
    """Match an IAM role's ARN; groups `partition`, `account`, `path`, `name`."""
    return _ROLE_ARN.fullmatch(arn)


class Accounts:
    """Everything the emulated AWS remembers. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget it all."""
        with self._lock:
            self._roles: dict[str, Role] = {}
            self._keys: dict[str, Key] = {}
            self._providers: dict[tuple[str, str], Provider] = {}
            self._outbound: dict[str, Issuer] = {}

    def add_role(
        self, arn: str, trust_policy: TrustPolicy, max_session_duration: int, description: str
    ) -> Role:
        """Make a role, or replace the one of this ARN.

        Raises:
            ValueError: The ARN is not a role's, or the duration is out of bounds.
        """
        parts = role_arn_parts(arn)
        if parts is None:
            raise ValueError(f"{arn!r} is not the ARN of an IAM role.")
        # IAM API reference, CreateRole: MaxSessionDuration, 3600 to 43200.
        if not 3600 <= max_session_duration <= 43200:
            raise ValueError(
                f"max_session_duration is {max_session_duration}; a role's is 3600 to 43200."
            )
        role = Role(
            arn=arn,
            trust_policy=trust_policy,
            max_session_duration=max_session_duration,
            description=description,
            unique_id=_stable_id("AROA", arn),
            account=parts["account"],
            partition=parts["partition"],
            name=parts["name"],
        )
        with self._lock:
            self._roles[arn] = role
        return role

    def remove_role(self, arn: str) -> None:
        """Delete a role.

        Raises:
            KeyError: There is none of this ARN.
        """
        with self._lock:
            del self._roles[arn]

    def role(self, arn: str) -> Role | None:
        """Return the role of this ARN."""
        with self._lock:
            return self._roles.get(arn)

    def add_provider(self, account: str, issuer_url: str, provider: Provider) -> None:
        """Let an account trust an issuer."""
        with self._lock:
            self._providers[account, issuer_url] = provider

    def provider(self, account: str, issuer_url: str) -> Provider | None:
        """Return what an account knows of an issuer."""
        with self._lock:
            return self._providers.get((account, issuer_url))

    def enable_outbound(self, account: str, issuer: Issuer) -> None:
        """Let an account's callers have web identity tokens, from this issuer."""
        with self._lock:
            self._outbound[account] = issuer

    def outbound(self, account: str) -> Issuer | None:
        """Return who signs web identity tokens of an account; `None` where that is not enabled."""
        with self._lock:
            return self._outbound.get(account)

    def add_user(self, arn: str, account: str) -> Key:
        """Make a user with a long-term access key."""
        caller = Caller(arn, _stable_id("AIDA", arn), account, arn.split(":")[1])
        key = Key(_key_id("AKIA"), _secret(), None, None, caller)
        with self._lock:
            self._keys[key.access_key_id] = key
        return key

    def issue(
        self, role: Role, session_name: str, expiration: datetime, source_identity: str | None
    ) -> Key:
        """Issue temporary credentials of a role."""
        caller = Caller(
            arn=f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/{session_name}",
            user_id=f"{role.unique_id}:{session_name}",
            account=role.account,
            partition=role.partition,
            role_arn=role.arn,
            source_identity=source_identity,
        )
        # AWS's tokens are opaque, begin with this, and must be expected to grow.
        token = "IQoJb3JpZ2luX2Vj" + base64.b64encode(secrets.token_bytes(480)).decode()
        key = Key(_key_id("ASIA"), _secret(), token, expiration, caller)
        with self._lock:
            self._keys[key.access_key_id] = key
        return key

    def revoke(self, access_key_id: str) -> None:
        """Make a key unknown.

        Raises:
            KeyError: It is unknown already.
        """
        with self._lock:
            del self._keys[access_key_id]

    def key(self, access_key_id: str) -> Key | None:
        """Return the key of this id."""
        with self._lock:
            return self._keys.get(access_key_id)


def _key_id(prefix: str) -> str:
    """Return an access key id: four letters that say what it is, and sixteen more."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(16))


def _secret() -> str:
    """Return forty characters, as AWS's secret keys have."""
    return base64.b64encode(secrets.token_bytes(30)).decode()


def _stable_id(prefix: str, name: str) -> str:
    """Return a unique id of 21 characters that is always the same for a name."""
    digest = hashlib.sha256(name.encode()).digest()
    return prefix + "".join(_ID_ALPHABET[byte % 32] for byte in digest[:17])
