"""State of the emulated AWS accounts: roles, users, policies, OIDC providers and issued keys.

Identifiers follow the IAM user guide, "IAM identifiers"; limits follow "IAM and AWS STS quotas".
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .callers import Caller, Key, Session
from .clock import Clock
from .issuer import Issuer
from .permissions import Permissions
from .policies import PolicyError
from .tokens import Provider
from .trust import TrustPolicy

__all__ = ["Accounts", "Caller", "Key", "Role", "Session", "role_arn_parts"]

_ROLE_ARN = re.compile(
    r"arn:(?P<partition>aws[\w-]*):iam::(?P<account>\d{12}):role/"
    r"(?P<path>[\x21-\x7e]{0,510}/)?(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_LONGEST_DESCRIPTION = 1000
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role.

    Attributes:
        trusted: Unique ids of the users and roles in the trust policy. IAM stores them instead of
            the ARNs (IAM user guide, Principal).
    """

    arn: str
    trust_policy: TrustPolicy = field(repr=False)
    trusted: Mapping[str, str] = field(repr=False)
    max_session_duration: int
    description: str
    unique_id: str
    account: str
    partition: str
    name: str


def role_arn_parts(arn: str) -> re.Match[str] | None:
    """Match the ARN of an IAM role, with groups `partition`, `account`, `path` and `name`."""
    return _ROLE_ARN.fullmatch(arn)


class Accounts:
    """State of the emulated AWS accounts. Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._roles: dict[str, Role] = {}
            self._users: dict[str, str] = {}
            self._policies: dict[str, list[Permissions]] = {}
            self._deleted: Counter[str] = Counter()
            self._keys: dict[str, Key] = {}
            self._providers: dict[tuple[str, str], Provider] = {}
            self._outbound: dict[str, Issuer] = {}

    def add_role(
        self, arn: str, trust_policy: TrustPolicy, max_session_duration: int, description: str
    ) -> Role:
        """Create a role, or replace the role with the same ARN.

        Raises:
            ValueError: IAM rejects the role.
        """
        parts = role_arn_parts(arn)
        if parts is None:
            raise ValueError(f"{arn!r} is not the ARN of an IAM role.")
        # IAM API reference, CreateRole: MaxSessionDuration, 3600 to 43200.
        if not 3600 <= max_session_duration <= 43200:
            raise ValueError(
                f"max_session_duration is {max_session_duration}; it must be 3600 to 43200."
            )
        if len(description) > _LONGEST_DESCRIPTION:
            raise ValueError(f"A role's description has at most {_LONGEST_DESCRIPTION} characters.")
        with self._lock:
            self._check_name(arn)
            role = Role(
                arn=arn,
                trust_policy=trust_policy,
                trusted={name: self._unique_id(name) for name in trust_policy.entities},
                max_session_duration=max_session_duration,
                description=description,
                unique_id=_stable_id("AROA", arn, self._deleted[arn]),
                account=parts["account"],
                partition=parts["partition"],
                name=parts["name"],
            )
            self._roles[arn] = role
        return role

    def _check_name(self, arn: str) -> None:
        """ "Names of ... roles ... must be unique within the account", case-insensitively."""
        for other in self._roles:
            if other != arn and _role_name(other) == _role_name(arn):
                raise ValueError(f"EntityAlreadyExists: there is a role with this name: {other}")

    def _unique_id(self, arn: str) -> str:
        """Return the unique id of a user or role in a trust policy."""
        role = self._roles.get(arn)
        found = self._users.get(arn) if role is None else role.unique_id
        if found is None:
            raise PolicyError(f'Invalid principal in policy: "AWS":"{arn}"')
        return found

    def remove_role(self, arn: str) -> None:
        """Delete a role and its policies.

        Raises:
            KeyError: The role does not exist.
        """
        with self._lock:
            del self._roles[arn]
            self._policies.pop(arn, None)
            self._deleted[arn] += 1

    def attach_policy(self, arn: str, policy: Permissions) -> None:
        """Attach an identity-based policy to a user or a role.

        Raises:
            ValueError: The user or role does not exist.
        """
        with self._lock:
            if arn not in self._roles and arn not in self._users:
                raise ValueError(f"NoSuchEntity: there is no user or role {arn}")
            self._policies.setdefault(arn, []).append(policy)

    def policies(self, arn: str) -> tuple[Permissions, ...]:
        """Return the identity-based policies of a user or a role."""
        with self._lock:
            return tuple(self._policies.get(arn, ()))

    def role(self, arn: str) -> Role | None:
        """Return the role with this ARN."""
        with self._lock:
            return self._roles.get(arn)

    def add_provider(self, account: str, issuer_url: str, provider: Provider) -> None:
        """Add an OIDC provider to an account."""
        with self._lock:
            self._providers[account, issuer_url] = provider

    def provider(self, account: str, issuer_url: str) -> Provider | None:
        """Return the OIDC provider of an account for an issuer."""
        with self._lock:
            return self._providers.get((account, issuer_url))

    def enable_outbound(self, account: str, issuer: Issuer) -> None:
        """Enable web identity tokens in an account, signed by this issuer."""
        with self._lock:
            self._outbound[account] = issuer

    def outbound(self, account: str) -> Issuer | None:
        """Return the issuer of web identity tokens of an account; `None` if they are disabled."""
        with self._lock:
            return self._outbound.get(account)

    def add_user(self, arn: str, account: str) -> Key:
        """Create a user with a long-term access key."""
        user_id = _stable_id("AIDA", arn)
        key = Key(
            _key_id("AKIA"), _secret(), None, None, Caller(arn, user_id, account, arn.split(":")[1])
        )
        with self._lock:
            self._users[arn] = user_id
            self._keys[key.access_key_id] = key
        return key

    def issue(
        self, role: Role, session_name: str, expiration: datetime, session: Session | None = None
    ) -> Key:
        """Issue temporary credentials of a role."""
        return self.issue_to(
            Caller(
                arn=f"arn:{role.partition}:sts::{role.account}"
                f":assumed-role/{role.name}/{session_name}",
                user_id=f"{role.unique_id}:{session_name}",
                account=role.account,
                partition=role.partition,
                role_arn=role.arn,
                session=session or Session(),
            ),
            expiration,
        )

    def issue_to(self, caller: Caller, expiration: datetime) -> Key:
        """Issue temporary credentials."""
        # Tokens of AWS are opaque and have this prefix. AWS warns that their size may grow.
        token = "IQoJb3JpZ2luX2Vj" + base64.b64encode(secrets.token_bytes(480)).decode()
        token = token.ljust(caller.session.token_size, "=")
        key = Key(_key_id("ASIA"), _secret(), token, expiration, caller, self._clock())
        with self._lock:
            self._keys[key.access_key_id] = key
        return key

    def revoke(self, access_key_id: str) -> None:
        """Delete a key.

        Raises:
            KeyError: The key does not exist.
        """
        with self._lock:
            del self._keys[access_key_id]

    def key(self, access_key_id: str) -> Key | None:
        """Return the key with this id."""
        with self._lock:
            return self._keys.get(access_key_id)


def _key_id(prefix: str) -> str:
    """Return a new access key id: the prefix for its kind, and sixteen random characters."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(16))


def _secret() -> str:
    """Return a new secret key of forty characters, as at AWS."""
    return base64.b64encode(secrets.token_bytes(30)).decode()


def _role_name(arn: str) -> tuple[str, str]:
    """Return the unique part of an ARN: partition and account, and the name without its path."""
    return arn.partition(":role/")[0], arn.rpartition("/")[2].lower()


def _stable_id(prefix: str, name: str, generation: int = 0) -> str:
    """Return a unique id of 21 characters, derived from a name and a generation."""
    digest = hashlib.sha256(f"{name}{generation or ''}".encode()).digest()
    return prefix + "".join(_ID_ALPHABET[byte % 32] for byte in digest[:17])
