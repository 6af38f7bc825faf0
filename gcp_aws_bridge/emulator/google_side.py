"""Google half of the emulator: identity of the pod, pools, service accounts and tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .estate import DEFAULT_ACCOUNT, Estate, written
from .googleiam import GoogleAccount, GoogleIdentity
from .googlests import GoogleSts
from .iamcredentials import IamCredentials
from .identity import ServiceAccount
from .issuer import DEFAULT_AUDIENCE, Issuer
from .keyfiles import KeyFiles
from .mapping import AWS_DEFAULT, AttributeMapping
from .providers import WorkloadProvider

__all__ = ["GoogleSide"]

_PROJECT_NUMBER = "123456789012"
_SUBJECT = {"google.subject": "assertion.sub"}
# IAM Credentials reference, generateAccessToken: one hour, or twelve if a policy allows it.
_LONGEST_S = 3600
_EXTENDED_S = 43200


class GoogleSide(Estate):
    """Methods that change or inspect the emulated Google."""

    @property
    def google_sts(self) -> GoogleSts:
        """Google's Security Token Service; started on first use."""
        return self._lazily(GoogleSts, lambda: GoogleSts(self._iam, self.sts.signer, self._now))

    @property
    def iam_credentials(self) -> IamCredentials:
        """The IAM Service Account Credentials API; started on first use.

        The pod's own service account exists; its policy has no members until it is added.
        """
        if self._iam.account(self.service_account.email) is None:
            self.add_google_service_account(self.service_account.email)
        return self._lazily(
            IamCredentials, lambda: IamCredentials(self._iam, self._google, self._now)
        )

    @property
    def key_files(self) -> KeyFiles:
        """Google's token endpoint for key files; started on first use."""
        return self._lazily(KeyFiles, lambda: KeyFiles(self._iam, self._google, self._now))

    def key_file(
        self, folder: str | os.PathLike[str], service_account: ServiceAccount | None = None
    ) -> dict[str, str]:
        """Write a key file of a service account. Return environment variables that refer to it.

        ID tokens from a key file have the account's e-mail as `azp`, not its unique id.

        Args:
            folder: Directory for `key.json`, which only its owner can read.
            service_account: The service account; `None`: the pod's.
        """
        key = self.key_files.key_of(service_account or self.service_account)
        path = written(Path(folder) / "key.json", json.dumps(key))
        return {"GOOGLE_APPLICATION_CREDENTIALS": path}

    @property
    def jwks_uri(self) -> str:
        """URL of Google's published keys."""
        return self.issuer.jwks_uri(self._google)

    # The pod in GKE.

    def mint(
        self,
        audience: str = DEFAULT_AUDIENCE,
        *,
        forged: bool = False,
        header: Mapping[str, Any] | None = None,
        **claim_overrides: Any,
    ) -> str:
        """Return an ID token of the pod's service account, signed by Google.

        Args:
            audience: `aud`.
            forged: Sign with another key, but use the id of Google's key.
            header: Changes to the token's header, such as `{"alg": "none"}`; see `Issuer.sign`.
            claim_overrides: Claims to add or replace; `None` removes a claim.
        """
        number = self.service_account.unique_id
        claims = self._google.google_claims(number, audience, claim_overrides)
        return self._google.sign(claims, header=header, forged=forged)

    def rotate_signing_key(self, *, retire: bool = False) -> None:
        """Make Google sign with a new key from now on.

        Args:
            retire: Remove earlier keys from the key set, so that tokens signed with them are
                rejected, also those in the cache of the metadata server.
        """
        self._google.rotate(retire=retire)

    def unlink(self) -> None:
        """Remove the link to a Google service account: the pod gets no ID tokens any more."""
        self.metadata.linked = False

    # Workload Identity Federation.

    def add_aws_provider(
        self,
        account: str = DEFAULT_ACCOUNT,
        *,
        pool: str = "aws",
        provider: str = "eks",
        attribute_mapping: Mapping[str, str] | None = None,
        attribute_condition: str | None = None,
        project_number: str = _PROJECT_NUMBER,
    ) -> WorkloadProvider:
        """Create a workload identity pool provider for an AWS account, and its pool.

        Args:
            account: AWS account id.
            pool: Identifier of the pool.
            provider: Identifier of the provider.
            attribute_mapping: CEL expressions by attribute; `None`: Google's default for AWS.
            attribute_condition: CEL expression; `None`: all identities of the account.
            project_number: Number of the pool's project.

        Raises:
            ValueError: Google rejects a value, or a CEL expression cannot be evaluated.
        """
        attributes = AttributeMapping(attribute_mapping or AWS_DEFAULT, attribute_condition)
        made = WorkloadProvider(project_number, pool, provider, attributes, aws_account=account)
        return self._iam.add_provider(made)

    def add_google_provider_for_oidc(
        self,
        issuer_url: str,
        *,
        allowed_audiences: Iterable[str] = (),
        pool: str = "aws",
        provider: str = "oidc",
        attribute_mapping: Mapping[str, str] | None = None,
        attribute_condition: str | None = None,
        project_number: str = _PROJECT_NUMBER,
    ) -> WorkloadProvider:
        """Create a workload identity pool provider for an OIDC issuer, such as an EKS cluster.

        An issuer that AWS also uses (`add_oidc_provider`, `enable_outbound_federation`) has the
        same keys here.

        Args:
            issuer_url: `iss` of the tokens.
            allowed_audiences: Allowed values of `aud`; empty: the name of the provider.
            pool: Identifier of the pool.
            provider: Identifier of the provider.
            attribute_mapping: CEL expressions by attribute; `None`: only the subject.
            attribute_condition: CEL expression; `None`: all identities.
            project_number: Number of the pool's project.

        Raises:
            ValueError: Google rejects a value, or a CEL expression cannot be evaluated.
        """
        if not issuer_url.startswith("https://"):
            raise ValueError("Invalid OIDC issuer URI. The scheme must be https.")
        attributes = AttributeMapping(attribute_mapping or _SUBJECT, attribute_condition)
        made = WorkloadProvider(
            project_number,
            pool,
            provider,
            attributes,
            issuer=self._issuer_of(issuer_url),
            allowed_audiences=tuple(allowed_audiences),
        )
        return self._iam.add_provider(made)

    def delete_google_pool(self, provider: WorkloadProvider) -> None:
        """Delete the pool of a provider and all providers in it. Issued tokens stay valid."""
        self._iam.delete_pool(provider)

    def add_google_service_account(
        self,
        email: str,
        members: Iterable[str] = (),
        *,
        token_creators: Iterable[str] = (),
        extended_lifetime: bool = False,
    ) -> GoogleAccount:
        """Create a service account, or replace the account with the same e-mail.

        Args:
            email: NAME@PROJECT.iam.gserviceaccount.com.
            members: Members with roles/iam.workloadIdentityUser on the account: `principal://…`,
                `principalSet://…` or `serviceAccount:…`.
            token_creators: Members with roles/iam.serviceAccountTokenCreator.
            extended_lifetime: Whether access tokens may last twelve hours instead of one.

        Raises:
            ValueError: The e-mail or a member is malformed.
        """
        own = self.service_account
        account = own if email == own.email else ServiceAccount.named(email)
        issuer = Issuer(f"https://www.googleapis.com/service_accounts/v1/jwk/{email}", self._now)
        self.issuer.publish(issuer)
        bindings = (
            ("roles/iam.workloadIdentityUser", frozenset(members)),
            ("roles/iam.serviceAccountTokenCreator", frozenset(token_creators)),
        )
        longest_s = _EXTENDED_S if extended_lifetime else _LONGEST_S
        jwks_uri = self.issuer.jwks_uri(issuer)
        return self._iam.add_account(GoogleAccount(account, issuer, jwks_uri, longest_s, bindings))

    def google_identity(self, access_token: str) -> GoogleIdentity | None:
        """Return the identity of an access token, for a fake of an API that accepts bearer tokens.

        `None`: the token is unknown, revoked or expired.
        """
        return self._iam.identity(access_token, self._now())

    def revoke_google_token(self, access_token: str) -> None:
        """Revoke an access token.

        Raises:
            KeyError: The token is unknown.
        """
        self._iam.revoke(access_token)
