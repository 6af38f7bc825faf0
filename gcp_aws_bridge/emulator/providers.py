"""Workload identity pool providers: whom Google trusts to say who a workload is.

Names and defaults are those of Google's IAM reference, `workloadIdentityPools.providers`, and of
"Principal identifiers". Identifiers shorter than the reference's four characters are taken too.
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
    """A provider of a workload identity pool: for one AWS account, or for one OIDC issuer.

    Attributes:
        project_number: Of the project that has the pool.
        pool: The pool's identifier.
        provider: The provider's own.
        aws_account: Twelve digits; `None` for an OIDC provider.
        issuer: Who signs an OIDC provider's tokens; `None` for AWS.
        allowed_audiences: What `aud` of such a token may be; its own name, when empty.
        disabled: Whether it is switched off; may be set.
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
                raise ValueError(f"{name!r} is no identifier of a pool or a provider.")
        if not self.project_number.isdecimal():
            raise ValueError(f"{self.project_number!r} is not a project's number.")
        if self.aws_account is not None and not re.fullmatch(r"\d{12}", self.aws_account):
            raise ValueError(f"{self.aws_account!r} is not an AWS account's number.")

    @property
    def _pool(self) -> str:
        project = f"projects/{self.project_number}/locations/global"
        return f"iam.googleapis.com/{project}/workloadIdentityPools/{self.pool}"

    @property
    def audience(self) -> str:
        """The full resource name, as a token exchange has it for `audience`."""
        return f"//{self._pool}/providers/{self.provider}"

    @property
    def audiences(self) -> tuple[str, ...]:
        """What `aud` of an OIDC token may be.

        "If this list is empty, the OIDC token audience must be equal to the full canonical
        resource name of the provider, with or without the HTTPS prefix."
        """
        return self.allowed_audiences or (f"https:{self.audience}", self.audience)

    def principal(self, subject: str) -> str:
        """Return how a policy names one identity, by its `google.subject`."""
        return f"principal://{self._pool}/subject/{subject}"

    def principal_set(self, attribute: str | None = None, value: str = "") -> str:
        """Return how a policy names all identities of the pool that have an attribute.

        Args:
            attribute: Such as `attribute.aws_role`, or `google.groups`; `None`: the whole pool.
            value: The attribute's.

        Raises:
            ValueError: There are no sets by this attribute.
        """
        if attribute is None:
            return f"principalSet://{self._pool}/*"
        if attribute == "google.groups":
            return f"principalSet://{self._pool}/group/{value}"
        if not attribute.startswith("attribute."):
            raise ValueError(f"There are no principal sets by {attribute!r}.")
        return f"principalSet://{self._pool}/{attribute}/{value}"

    def principal_sets(self, attributes: Attributes) -> frozenset[str]:
        """Return every set that an identity with these attributes is in."""
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
            audience: `aud`; the first that the provider takes, when `None`.
            forged: Sign with a key that is not the issuer's.
            claim_overrides: Claims to add or replace; `None` removes one.

        Raises:
            ValueError: This is a provider for AWS.
        """
        if self.issuer is None:
            raise ValueError("A provider for AWS has no issuer of tokens.")
        claims = self.issuer.kubernetes_claims(
            subject, audience or self.audiences[0], claim_overrides
        )
        return self.issuer.sign(claims, forged=forged)
