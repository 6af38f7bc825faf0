"""State of a diagnosis from an AWS identity to Google's tokens."""

from __future__ import annotations

from dataclasses import dataclass

from gcp_aws_bridge.doctor.context import Context
from gcp_aws_bridge.doctor.google.instance import Instance
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._oidc_token import OidcToken
from gcp_aws_bridge.google._subject_tokens import SubjectToken, SubjectTokenSource


@dataclass(kw_only=True)
class GoogleContext(Context):
    """State of a diagnosis from an AWS identity to Google's tokens.

    Args:
        arguments: `audience`, `service_account`, `source`, `lifetime_s`, as for
            `google.credentials`.
        is_own: Whether a profile or region was named, so that the session decides the identity.
    """

    is_own: bool = False
    federation: Federation | None = None
    source: SubjectTokenSource | None = None
    region: str = ""
    instance: Instance | None = None
    caller: str = ""
    subject: SubjectToken | None = None
    federated: GoogleToken | None = None
    impersonated: GoogleToken | None = None

    @property
    def is_file(self) -> bool:
        """Whether the subject token is read from a file, so that AWS is not called."""
        return isinstance(self.source, OidcToken)
