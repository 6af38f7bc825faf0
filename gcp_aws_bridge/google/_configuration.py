"""A `Federation` as the file that Google's own libraries read: a credential configuration.

Forms: AIP-4117, "External account credentials", and what `gcloud iam workload-identity-pools
create-cred-config` writes. The other way round: `_federation.of_document`.
"""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._sources import OUTBOUND_COMMAND
from gcp_aws_bridge.google._subject_tokens import JWT, SIGNED_REQUEST

# EC2's metadata service, version 2, and the request that is signed (as gcloud writes them).
_IMDS = "http://169.254.169.254/latest"
_OF_AWS = {
    "environment_id": "aws1",
    "region_url": f"{_IMDS}/meta-data/placement/availability-zone",
    "url": f"{_IMDS}/meta-data/iam/security-credentials",
    "regional_cred_verification_url": "https://sts.{region}.amazonaws.com"
    "?Action=GetCallerIdentity&Version=2011-06-15",
    "imdsv2_session_token_url": f"{_IMDS}/api/token",
}
# gcloud's default; the libraries allow 5 s to 120 s.
_TIMEOUT_MS = 30_000


def configuration(
    federation: Federation,
    credential_source: dict[str, Any],
    quota_project_id: str | None = None,
) -> dict[str, Any]:
    """What Google's libraries are to know; there is no secret in it.

    Args:
        credential_source: What `of_aws`, `of_file` or `of_command` made.
    """
    is_signed = "environment_id" in credential_source
    made: dict[str, Any] = {
        "universe_domain": federation.universe_domain,
        "type": "external_account",
        "audience": federation.audience,
        "subject_token_type": SIGNED_REQUEST if is_signed else JWT,
        "token_url": federation.sts_url,
        "credential_source": credential_source,
    }
    if federation.service_account is not None:
        made["service_account_impersonation_url"] = (
            f"{federation.iam_url}{federation.account_path}:generateAccessToken"
        )
        made["service_account_impersonation"] = {"token_lifetime_seconds": federation.lifetime_s}
    else:  # where gcloud asks who the federated identity is
        made["token_info_url"] = f"{federation.sts_url.rpartition('/')[0]}/introspect"
    if quota_project_id:
        made["quota_project_id"] = quota_project_id
    return made


def of_aws() -> dict[str, Any]:
    """Keys of the environment or of EC2's metadata service; nothing else is known there."""
    return dict(_OF_AWS)


def of_file(path: str) -> dict[str, Any]:
    """A file that has the OIDC token, and nothing else."""
    return {"file": path}


def of_command(program: str) -> dict[str, Any]:
    """AWS's outbound token, by this package's command.

    Args:
        program: Where that is when the libraries run it. Python's and JavaScript's know double
            quotes, and put backslashes to no use in them; Go's and Java's split at each space.

    Raises:
        ConfigError: It cannot be written so that it is read again.
    """
    if '"' in program or not program.strip():
        raise ConfigError(
            f"{quoted(program)} cannot be the command of a credential configuration.",
            fix="give --command a path without double quotes.",
            error_id="config/google-setting",
        )
    plain = not any(letter.isspace() or letter in "'\\#" for letter in program)
    command = (program if plain else f'"{program}"') + OUTBOUND_COMMAND
    return {"executable": {"command": command, "timeout_millis": _TIMEOUT_MS}}
