"""The Google identity that arguments, environment and credential configuration file configure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._federated_identity import Identity
from gcp_aws_bridge.google._federation import Federation, configured
from gcp_aws_bridge.google._sources import choose

if TYPE_CHECKING:
    from typing import TypedDict

    from gcp_aws_bridge.google._outbound import OutboundToken
    from gcp_aws_bridge.google._subject_tokens import SignedRequest

    class Settings(TypedDict, total=False):
        """Settings of `credentials` and `id_token_credentials` as keyword arguments."""

        service_account: str | None
        source: str | SignedRequest | OutboundToken | Callable[[], str] | None
        session: Any
        lifetime_s: int | None
        quota_project_id: str | None
        request: Callable[..., Any] | None


def identity_of(
    audience: str | Federation | None,
    *,
    service_account: str | None = None,
    source: Any = None,
    session: Any = None,
    lifetime_s: int | None = None,
    quota_project_id: str | None = None,
    request: Callable[..., Any] | None = None,
) -> tuple[Identity, str | None]:
    """Return the identity and the quota project; see `gcp_aws_bridge.google.credentials`.

    Raises:
        ConfigError: No audience is configured, a setting is malformed, or an argument has a wrong
            type.
    """
    document: dict[str, Any] = {}
    if isinstance(audience, Federation):
        if service_account is not None or lifetime_s is not None:
            raise ConfigError(
                "A Federation was passed together with settings that it contains itself.",
                fix="put them into the Federation: dataclasses.replace(federation, …).",
                error_id="config/google-setting",
            )
        federation = audience
    else:
        federation, document = configured(
            audience=audience, service_account=service_account, lifetime_s=lifetime_s
        )
    chosen = choose(source, session, federation, document)
    if quota_project_id is None or quota_project_id == "":
        quota_project_id = document.get("quota_project_id")
    return Identity(federation, chosen, request), quota_project_id
