"""State of the emulated Google: providers, allow policies of service accounts, access tokens.

Only permissions on service accounts are emulated. A fake of another Google API decides for itself
what a token may do; `Emulator.google_identity` returns the identity of a token.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime

from .identity import ServiceAccount
from .issuer import Issuer
from .providers import WorkloadProvider

__all__ = ["CLOUD_PLATFORM", "SCOPE", "GoogleAccount", "GoogleIam", "GoogleIdentity", "of_pod"]

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
SCOPE = re.compile(r"https://www\.googleapis\.com/auth/[\w./-]+|openid|email|profile")
"""Scopes that Google's token services accept."""

# IAM, "Principal identifiers"; a cluster's pool is `PROJECT.svc.id.goog` (GKE, "About Workload
# Identity Federation for GKE"), which has an older form for one Kubernetes service account.
_POOL = r"iam\.googleapis\.com/projects/\d+/locations/global/workloadIdentityPools/[a-z0-9.:-]+"
_MEMBER = re.compile(
    rf"principal://{_POOL}/subject/.+"
    rf"|principalSet://{_POOL}/(\*|group/.+|attribute\.[a-z0-9_]+/.+)"
    r"|serviceAccount:[^@\s]+@[^@\s]+"
    r"|serviceAccount:[a-z0-9.:-]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9.-]+\]"
)

# The permissions of each role that the emulator checks (IAM, "IAM roles and permissions index").
_PERMISSIONS = {
    "roles/iam.workloadIdentityUser": frozenset({"getAccessToken", "getOpenIdToken"}),
    "roles/iam.serviceAccountTokenCreator": frozenset(
        {"getAccessToken", "getOpenIdToken", "signBlob", "signJwt", "implicitDelegation"}
    ),
}


@dataclass(frozen=True, slots=True)
class GoogleIdentity:
    """Identity, scopes and expiration of an access token.

    Attributes:
        principal: `principal://…` for a federated token; `None` for a service account's token.
        email: E-mail of the service account; `None` for a federated token.
        scopes: Scopes of the token.
        expiration: Expiration of the token, aware UTC.
        principal_sets: Every `principalSet://…` that contains a federated identity.
    """

    principal: str | None
    email: str | None
    scopes: frozenset[str]
    expiration: datetime
    principal_sets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def members(self) -> frozenset[str]:
        """All names of this identity in allow policies."""
        name = f"serviceAccount:{self.email}" if self.principal is None else self.principal
        return self.principal_sets | {name}


def of_pod(
    account: ServiceAccount, linked: bool, scopes: frozenset[str], expiration: datetime
) -> GoogleIdentity:
    """Return the identity of a pod's access tokens.

    A linked pod acts as its Google service account, any other pod as itself (GKE, "About Workload
    Identity Federation for GKE").
    """
    if linked:
        return GoogleIdentity(None, account.email, scopes, expiration)
    project = f"iam.googleapis.com/projects/{account.project_number}/locations/global"
    pool = f"{project}/workloadIdentityPools/{account.workload_pool}"
    namespace, name = account.namespace, account.kubernetes_name
    sets = {
        f"principalSet://{pool}/*",
        f"serviceAccount:{account.workload_pool}[{namespace}/{name}]",
    }
    principal = f"principal://{pool}/subject/ns/{namespace}/sa/{name}"
    return GoogleIdentity(principal, None, scopes, expiration, frozenset(sets))


@dataclass(frozen=True, slots=True)
class GoogleAccount:
    """A service account with an allow policy.

    Attributes:
        account: The service account.
        issuer: Signs for the account.
        jwks_uri: URL of the account's published keys.
        longest_s: Longest lifetime of an access token, in seconds.
        bindings: Role and members of each binding of the allow policy.
    """

    account: ServiceAccount
    issuer: Issuer = field(repr=False)
    jwks_uri: str
    longest_s: int
    bindings: tuple[tuple[str, frozenset[str]], ...] = field(repr=False)

    @property
    def email(self) -> str:
        """E-mail of the account."""
        return self.account.email

    def allows(self, permission: str, identity: GoogleIdentity) -> bool:
        """Return whether an identity has `iam.serviceAccounts.PERMISSION` on the account."""
        return any(
            permission in _PERMISSIONS[role] and not members.isdisjoint(identity.members)
            for role, members in self.bindings
        )


class GoogleIam:
    """State of the emulated Google. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._providers: dict[str, WorkloadProvider] = {}
            self._accounts: dict[str, GoogleAccount] = {}
            self._tokens: dict[str, GoogleIdentity] = {}

    # Pools.

    def add_provider(self, provider: WorkloadProvider) -> WorkloadProvider:
        """Create a provider, or replace the provider with the same name."""
        with self._lock:
            self._providers[provider.audience] = provider
        return provider

    def provider(self, audience: str) -> WorkloadProvider | None:
        """Return the provider with this resource name, unless it is disabled."""
        with self._lock:
            found = self._providers.get(audience)
        return None if found is None or found.disabled else found

    def delete_pool(self, provider: WorkloadProvider) -> None:
        """Delete the pool of a provider and all providers in it."""
        pool = provider.audience.rpartition("/providers/")[0] + "/"
        with self._lock:
            for audience in [name for name in self._providers if name.startswith(pool)]:
                del self._providers[audience]

    # Service accounts.

    def add_account(self, account: GoogleAccount) -> GoogleAccount:
        """Create a service account, or replace the account with the same e-mail.

        Raises:
            ValueError: A member is not valid in an allow policy.
        """
        for _, members in account.bindings:
            if wrong := [member for member in members if not _MEMBER.fullmatch(member)]:
                raise ValueError(f"{wrong[0]!r} is not a valid member of an allow policy.")
        with self._lock:
            self._accounts[account.email] = self._accounts[account.account.unique_id] = account
        return account

    def account(self, name: str) -> GoogleAccount | None:
        """Return the service account with this e-mail or unique id."""
        with self._lock:
            return self._accounts.get(name)

    # Tokens.

    def issue(self, identity: GoogleIdentity) -> str:
        """Return a new access token for an identity.

        Access tokens are opaque. Those in bug reports have these prefixes; federated tokens have
        about 1000 characters.
        """
        kind, size = ("c", 180) if identity.principal is None else ("d", 740)
        token = f"ya29.{kind}.{secrets.token_urlsafe(size)}"
        with self._lock:
            self._tokens[token] = identity
        return token

    def identity(self, token: str, now: datetime) -> GoogleIdentity | None:
        """Return the identity of a token; `None` if it is unknown, revoked or expired."""
        with self._lock:
            found = self._tokens.get(token)
        return None if found is None or now >= found.expiration else found

    def revoke(self, token: str) -> None:
        """Revoke a token.

        Raises:
            KeyError: The token is unknown.
        """
        with self._lock:
            found = self._tokens.pop(token, None)
        if found is None:
            raise KeyError("There is no such token.")
