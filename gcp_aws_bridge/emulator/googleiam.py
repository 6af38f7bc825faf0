"""What Google remembers here: providers, who may act as a service account, and access tokens.

There are no permissions but those on service accounts: what a token may do elsewhere is for the
stand-in of that API to decide, which asks `Emulator.google_identity`.
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

__all__ = ["CLOUD_PLATFORM", "GoogleAccount", "GoogleIam", "GoogleIdentity", "of_pod"]

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

# IAM, "Principal identifiers"; a cluster's pool is `PROJECT.svc.id.goog` (GKE, "About Workload
# Identity Federation for GKE"), which has an older form for one Kubernetes service account.
_POOL = r"iam\.googleapis\.com/projects/\d+/locations/global/workloadIdentityPools/[a-z0-9.:-]+"
_MEMBER = re.compile(
    rf"principal://{_POOL}/subject/.+"
    rf"|principalSet://{_POOL}/(\*|group/.+|attribute\.[a-z0-9_]+/.+)"
    r"|serviceAccount:[^@\s]+@[^@\s]+"
    r"|serviceAccount:[a-z0-9.:-]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9.-]+\]"
)

# What each role holds (IAM, "IAM roles and permissions index"), of what is asked here.
_PERMISSIONS = {
    "roles/iam.workloadIdentityUser": frozenset({"getAccessToken", "getOpenIdToken"}),
    "roles/iam.serviceAccountTokenCreator": frozenset(
        {"getAccessToken", "getOpenIdToken", "signBlob", "signJwt", "implicitDelegation"}
    ),
}


@dataclass(frozen=True, slots=True)
class GoogleIdentity:
    """Whose an access token is, and what it is good for.

    Attributes:
        principal: `principal://…` of a federated token; `None` for a service account's.
        email: The service account's; `None` for a federated token.
        scopes: What it was asked for.
        expiration: Its end, aware and in UTC.
        principal_sets: Every `principalSet://…` that a federated identity is in.
    """

    principal: str | None
    email: str | None
    scopes: frozenset[str]
    expiration: datetime
    principal_sets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def members(self) -> frozenset[str]:
        """Every name that an allow policy could have for this identity."""
        name = f"serviceAccount:{self.email}" if self.principal is None else self.principal
        return self.principal_sets | {name}


def of_pod(
    account: ServiceAccount, linked: bool, scopes: frozenset[str], expiration: datetime
) -> GoogleIdentity:
    """Return the identity of a pod's own access tokens.

    A pod that is linked acts as its Google service account, any other as itself (GKE, "About
    Workload Identity Federation for GKE").
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
    """A service account that others may act as.

    Attributes:
        account: Who it is.
        issuer: Signs for it, where it is asked to sign something.
        jwks_uri: Where its keys are published.
        longest_s: How long an access token may live, in seconds.
    """

    account: ServiceAccount
    issuer: Issuer = field(repr=False)
    jwks_uri: str
    longest_s: int
    bindings: tuple[tuple[str, frozenset[str]], ...] = field(repr=False)

    @property
    def email(self) -> str:
        """Its address."""
        return self.account.email

    def allows(self, permission: str, identity: GoogleIdentity) -> bool:
        """Tell whether someone has `iam.serviceAccounts.` and this permission on the account."""
        return any(
            permission in _PERMISSIONS[role] and not members.isdisjoint(identity.members)
            for role, members in self.bindings
        )


class GoogleIam:
    """Everything that the emulated Google remembers. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget it all."""
        with self._lock:
            self._providers: dict[str, WorkloadProvider] = {}
            self._accounts: dict[str, GoogleAccount] = {}
            self._tokens: dict[str, GoogleIdentity] = {}

    # Pools.

    def add_provider(self, provider: WorkloadProvider) -> WorkloadProvider:
        """Make a provider, or replace the one of this name."""
        with self._lock:
            self._providers[provider.audience] = provider
        return provider

    def provider(self, audience: str) -> WorkloadProvider | None:
        """Return the provider of this resource name, if it is not switched off."""
        with self._lock:
            found = self._providers.get(audience)
        return None if found is None or found.disabled else found

    def delete_pool(self, provider: WorkloadProvider) -> None:
        """Delete the pool of a provider, with all that are in it."""
        pool = provider.audience.rpartition("/providers/")[0] + "/"
        with self._lock:
            for audience in [name for name in self._providers if name.startswith(pool)]:
                del self._providers[audience]

    # Service accounts.

    def add_account(self, account: GoogleAccount) -> GoogleAccount:
        """Make a service account, or replace the one of this e-mail.

        Raises:
            ValueError: A member is none that an allow policy can name.
        """
        for _, members in account.bindings:
            if wrong := [member for member in members if not _MEMBER.fullmatch(member)]:
                raise ValueError(f"{wrong[0]!r} is no member that a policy can name here.")
        with self._lock:
            self._accounts[account.email] = self._accounts[account.account.unique_id] = account
        return account

    def account(self, name: str) -> GoogleAccount | None:
        """Return the service account of this e-mail or unique number."""
        with self._lock:
            return self._accounts.get(name)

    # Tokens.

    def issue(self, identity: GoogleIdentity) -> str:
        """Return a new access token of an identity.

        They are opaque; those that users show begin like this, federated ones have about 1000
        characters.
        """
        kind, size = ("c", 180) if identity.principal is None else ("d", 740)
        token = f"ya29.{kind}.{secrets.token_urlsafe(size)}"
        with self._lock:
            self._tokens[token] = identity
        return token

    def identity(self, token: str, now: datetime) -> GoogleIdentity | None:
        """Return whose a token is; `None` where it is unknown, revoked or past its end."""
        with self._lock:
            found = self._tokens.get(token)
        return None if found is None or now >= found.expiration else found

    def revoke(self, token: str) -> None:
        """Make a token unknown.

        Raises:
            KeyError: It is unknown already.
        """
        with self._lock:
            found = self._tokens.pop(token, None)
        if found is None:
            raise KeyError("There is no such token.")
