"""Workload identity pool providers: AWS accounts and OIDC issuers whose identities Google accepts.

Names and defaults follow Google's IAM reference, `workloadIdentityPools.providers`, and "Principal
identifiers". Identifiers shorter than the reference's four characters are accepted too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .issuer import Issuer
from .mapping import AttributeMapping, Attributes

__all__ = ["WorkloadProvider"]

_ID = re.compile(r"(?!gcp-)[a-z0-9-]{1,32}")


@dataclass(slots=True, eq=False)
class WorkloadProvider:
    """A workload identity pool provider for one AWS account or for one OIDC issuer.

    Attributes:
        project_number: Number of the pool's project.
        pool: Identifier of the pool.
        provider: Identifier of the provider.
        attributes: Attribute mapping and condition.
        aws_account: AWS account id; `None` for an OIDC provider.
        issuer: Issuer of an OIDC provider; `None` for AWS.
        allowed_audiences: Allowed values of `aud`; empty: the name of the provider.
        disabled: Whether the provider is disabled; can be set.
    """

    project_number: str
    pool: str
    provider: str
    attributes: AttributeMapping = field(repr=False)
    aws_account: str | None = None
    issuer: Issuer | None = field(default=None, repr=False)
    allowed_audiences: tuple[str, ...] = ()
    disabled: bool = False

    def __post_init__(self) -> None:
        for name in (self.pool, self.provider):
            if not _ID.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid identifier of a pool or provider.")
        if not self.project_number.isdecimal():
            raise ValueError(f"{self.project_number!r} is not a project number.")
        if self.aws_account is not None and not re.fullmatch(r"\d{12}", self.aws_account):
            raise ValueError(f"{self.aws_account!r} is not an AWS account id.")

    @property
    def _pool(self) -> str:
        project = f"projects/{self.project_number}/locations/global"
        return f"iam.googleapis.com/{project}/workloadIdentityPools/{self.pool}"

    @property
    def audience(self) -> str:
        """The full resource name, which is the `audience` of a token exchange."""
        return f"//{self._pool}/providers/{self.provider}"

    @property
    def audiences(self) -> tuple[str, ...]:
        """Allowed values of `aud` in OIDC tokens.

        "If this list is empty, the OIDC token audience must be equal to the full canonical
        resource name of the provider, with or without the HTTPS prefix."
        """
        return self.allowed_audiences or (f"https:{self.audience}", self.audience)

    def principal(self, subject: str) -> str:
        """Return the principal identifier of one identity, by its `google.subject`."""
        return f"principal://{self._pool}/subject/{subject}"

    def principal_set(self, attribute: str | None = None, value: str = "") -> str:
        """Return the principal identifier of all identities in the pool with an attribute.

        Args:
            attribute: An attribute such as `attribute.aws_role`, or `google.groups`; `None`: all
                identities in the pool.
            value: Value of the attribute.

        Raises:
            ValueError: There are no principal sets for this attribute.
        """
        if attribute is None:
            return f"principalSet://{self._pool}/*"
        if attribute == "google.groups":
            return f"principalSet://{self._pool}/group/{value}"
        if not attribute.startswith("attribute."):
            raise ValueError(f"There are no principal sets for {attribute!r}.")
        return f"principalSet://{self._pool}/{attribute}/{value}"

    def principal_sets(self, attributes: Attributes) -> frozenset[str]:
        """Return all principal sets that contain an identity with these attributes."""
        found = {self.principal_set()}
        for key, value in attributes.items():
            if key != "google.subject":
                values = (value,) if isinstance(value, str) else value
                found |= {self.principal_set(key, each) for each in values}
        return frozenset(found)

    def mint(
        self,
        subject: str = "system:serviceaccount:default:etl",
        audience: str | None = None,
        *,
        forged: bool = False,
        **claim_overrides: Any,
    ) -> str:
        """Return a token of this OIDC provider's issuer.

        Args:
            subject: `sub`.
            audience: `aud`; `None`: the first allowed audience.
            forged: Sign with a key that is not the issuer's.
            claim_overrides: Claims to add or replace; `None` removes a claim.

        Raises:
            ValueError: The provider is for AWS.
        """
        if self.issuer is None:
            raise ValueError("A provider for AWS has no token issuer.")
        claims = self.issuer.kubernetes_claims(
            subject, audience or self.audiences[0], claim_overrides
        )
        return self.issuer.sign(claims, forged=forged)
