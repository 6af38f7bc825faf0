"""What a walk to Google's tokens leaves from link to link."""

from __future__ import annotations

from dataclasses import dataclass

from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge.doctor.context import Way
from gcp_aws_bridge.doctor.google.instance import Instance
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._oidc_token import OidcToken
from gcp_aws_bridge.google._subject_tokens import SubjectToken, SubjectTokenSource


class Keys(SecretValue):
    """AWS keys, and by which of botocore's providers (its `METHOD`) they came. `repr` shows none.

    `session_token` is empty for keys that do not end.
    """

    __slots__ = ("access_key_id", "method", "secret_access_key", "session_token")

    method: str
    access_key_id: str
    secret_access_key: str
    session_token: str

    def __init__(
        self, method: str, access_key_id: str, secret_access_key: str, session_token: str
    ) -> None:
        self._set(
            method=method,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
        )

    def __repr__(self) -> str:
        return f"<Keys of {self.method}>"


@dataclass(kw_only=True)
class Walk(Way):
    """One from an AWS identity to Google.

    Args:
        arguments: `audience`, `service_account`, `source`, `lifetime_s`, as for
            `google.credentials`.
        is_own: A profile or region was named: of the environment, only what a session reads.
    """

    is_own: bool = False
    federation: Federation | None = None
    source: SubjectTokenSource | None = None
    region: str = ""
    instance: Instance | None = None
    keys: Keys | None = None
    caller: str = ""
    subject: SubjectToken | None = None
    federated: GoogleToken | None = None
    made: GoogleToken | None = None

    @property
    def is_file(self) -> bool:
        """The subject token is one that something else made: AWS is not asked."""
        return isinstance(self.source, OidcToken)
