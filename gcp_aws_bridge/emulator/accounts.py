"""What AWS accounts hold here: roles, users, their permissions, OIDC providers, and issued keys.

Shapes of identifiers follow the IAM user guide, "IAM identifiers"; limits are those of "IAM and AWS
STS quotas".
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
        trusted: Unique ids of the users and roles that the trust policy names: IAM keeps these
            instead of the ARNs (IAM user guide, Principal).
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
    """Match an IAM role's ARN; groups `partition`, `account`, `path`, `name`."""
    return _ROLE_ARN.fullmatch(arn)


class Accounts:
    """Everything the emulated AWS remembers. Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget it all."""
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
        """Make a role, or replace the trust policy of the one of this ARN.

        Raises:
            ValueError: IAM would refuse it.
        """
        parts = role_arn_parts(arn)
        if parts is None:
            raise ValueError(f"{arn!r} is not the ARN of an IAM role.")
        # IAM API reference, CreateRole: MaxSessionDuration, 3600 to 43200.
        if not 3600 <= max_session_duration <= 43200:
            raise ValueError(
                f"max_session_duration is {max_session_duration}; a role's is 3600 to 43200."
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
        """ "Names of ... roles ... must be unique within the account", whatever their case."""
        for other in self._roles:
            if other != arn and _role_name(other) == _role_name(arn):
                raise ValueError(f"EntityAlreadyExists: there is a role of this name: {other}")

    def _unique_id(self, arn: str) -> str:
        """Return the unique id of a user or a role that a trust policy names."""
        role = self._roles.get(arn)
        found = self._users.get(arn) if role is None else role.unique_id
        if found is None:
            raise PolicyError(f'Invalid principal in policy: "AWS":"{arn}"')
        return found

    def remove_role(self, arn: str) -> None:
        """Delete a role and its policies.

        Raises:
            KeyError: There is none of this ARN.
        """
        with self._lock:
            del self._roles[arn]
            self._policies.pop(arn, None)
            self._deleted[arn] += 1

    def attach_policy(self, arn: str, policy: Permissions) -> None:
        """Give a user or a role one more identity-based policy.

        Raises:
            ValueError: There is no such user or role.
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
        # AWS's tokens are opaque, begin with this, and must be expected to grow.
        token = "IQoJb3JpZ2luX2Vj" + base64.b64encode(secrets.token_bytes(480)).decode()
        token = token.ljust(caller.session.token_size, "=")
        key = Key(_key_id("ASIA"), _secret(), token, expiration, caller, self._clock())
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


def _role_name(arn: str) -> tuple[str, str]:
    """Return what must be unique: the account, with its partition, and the name without a path."""
    return arn.partition(":role/")[0], arn.rpartition("/")[2].lower()


def _stable_id(prefix: str, name: str, generation: int = 0) -> str:
    """Return a unique id of 21 characters that is always the same for a name and a generation."""
    digest = hashlib.sha256(f"{name}{generation or ''}".encode()).digest()
    return prefix + "".join(_ID_ALPHABET[byte % 32] for byte in digest[:17])
