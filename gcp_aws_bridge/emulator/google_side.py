"""Google's half of the emulator: identities of the pod, pools, service accounts, tokens."""

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
# IAM Credentials reference, generateAccessToken: one hour, twelve where a policy allows it.
_LONGEST_S = 3600
_EXTENDED_S = 43200


class GoogleSide(Estate):
    """What a test changes and asks of the emulated Google."""

    @property
    def google_sts(self) -> GoogleSts:
        """Google's Security Token Service; started when it is first asked for."""
        return self._lazily(GoogleSts, lambda: GoogleSts(self._iam, self.sts.signer, self._now))

    @property
    def iam_credentials(self) -> IamCredentials:
        """The IAM Service Account Credentials API; started when it is first asked for."""
        return self._lazily(
            IamCredentials, lambda: IamCredentials(self._iam, self._google, self._now)
        )

    @property
    def key_files(self) -> KeyFiles:
        """Google's token endpoint for key files; started when it is first asked for."""
        return self._lazily(KeyFiles, lambda: KeyFiles(self._iam, self._google, self._now))

    def key_file(
        self, folder: str | os.PathLike[str], service_account: ServiceAccount | None = None
    ) -> dict[str, str]:
        """Write a key file of a service account; return the environment that names it.

        ID tokens that it is exchanged for have the account's e-mail as `azp`, not its number.

        Args:
            folder: Where `key.json` is written, for its owner alone to read.
            service_account: Whose key; `None`: the pod's.
        """
        key = self.key_files.key_of(service_account or self.service_account)
        path = written(Path(folder) / "key.json", json.dumps(key))
        return {"GOOGLE_APPLICATION_CREDENTIALS": path}

    @property
    def jwks_uri(self) -> str:
        """Where Google's keys are published."""
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
        """Return an ID token of the pod's service account, as Google would sign it.

        Args:
            audience: `aud`.
            forged: Sign with a key that is not Google's, under the id of Google's.
            header: Changes of the token's header, such as `{"alg": "none"}`; see `Issuer.sign`.
            claim_overrides: Claims to add or replace; `None` removes one.
        """
        number = self.service_account.unique_id
        claims = self._google.google_claims(number, audience, claim_overrides)
        return self._google.sign(claims, header=header, forged=forged)

    def rotate_signing_key(self, *, retire: bool = False) -> None:
        """Let Google sign with a new key from now on.

        Args:
            retire: Take the earlier keys out of the key set, so that tokens signed with them
                (those in the metadata server's cache, too) are refused.
        """
        self._google.rotate(retire=retire)

    def unlink(self) -> None:
        """Leave the pod without a Google service account: it has no ID tokens any more."""
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
        """Let Google trust an AWS account; make the pool, too, where there is none.

        Args:
            account: The AWS account's number.
            pool: The pool's identifier.
            provider: The provider's.
            attribute_mapping: CEL expressions by attribute; Google's default for AWS, when `None`.
            attribute_condition: A CEL expression; anybody of the account, when `None`.
            project_number: Of the project that has the pool.

        Raises:
            ValueError: Google would refuse this, or CEL is needed and cannot be evaluated.
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
        """Let Google trust an OIDC issuer, such as an EKS cluster or an AWS account's own.

        An issuer that AWS trusts as well (`add_oidc_provider`, `enable_outbound_federation`) is
        the same one, with the same keys.

        Args:
            issuer_url: `iss` of its tokens.
            allowed_audiences: What `aud` may be; the provider's own name, when empty.
            pool: The pool's identifier.
            provider: The provider's.
            attribute_mapping: CEL expressions by attribute; the subject alone, when `None`.
            attribute_condition: A CEL expression; anybody, when `None`.
            project_number: Of the project that has the pool.

        Raises:
            ValueError: Google would refuse this, or CEL is needed and cannot be evaluated.
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
        """Delete a provider's pool, with all providers in it. Tokens given out stay good."""
        self._iam.delete_pool(provider)

    def add_google_service_account(
        self,
        email: str,
        members: Iterable[str] = (),
        *,
        token_creators: Iterable[str] = (),
        extended_lifetime: bool = False,
    ) -> GoogleAccount:
        """Make a service account that others may act as, or replace the one of this e-mail.

        Args:
            email: NAME@PROJECT.iam.gserviceaccount.com.
            members: Who has roles/iam.workloadIdentityUser on it: `principal://…`,
                `principalSet://…` or `serviceAccount:…`.
            token_creators: Who has roles/iam.serviceAccountTokenCreator.
            extended_lifetime: Whether its tokens may live for twelve hours instead of one.

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
        """Return whose an access token is: for a stand-in of an API that checks bearers.

        `None` where it is unknown, revoked, or past its end.
        """
        return self._iam.identity(access_token, self._now())

    def revoke_google_token(self, access_token: str) -> None:
        """Make an access token unknown to Google.

        Raises:
            KeyError: It is unknown already.
        """
        self._iam.revoke(access_token)
