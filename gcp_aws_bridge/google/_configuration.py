"""Writes a `Federation` as a credential configuration file, which Google's libraries read.

Format: AIP-4117, "External account credentials", and the output of `gcloud iam
workload-identity-pools create-cred-config`. `_federation.of_document` reads such a file.
"""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.google._federation import JWT, SIGNED_REQUEST, Federation

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
# End of the command for an executable, after the path of this package's command.
OUTBOUND_COMMAND = " google-token --executable --source outbound"
# gcloud's default; the libraries allow 5 s to 120 s.
_TIMEOUT_MS = 30_000


def configuration(
    federation: Federation,
    credential_source: dict[str, Any],
    quota_project_id: str | None = None,
) -> dict[str, Any]:
    """Return the content of a credential configuration file. It contains no secret.

    Args:
        federation: The federation.
        credential_source: Result of `of_aws`, `of_file` or `of_command`.
        quota_project_id: Project for quota and billing.
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
    else:  # gcloud requests the federated identity here
        made["token_info_url"] = f"{federation.sts_url.rpartition('/')[0]}/introspect"
    if quota_project_id:
        made["quota_project_id"] = quota_project_id
    return made


def of_aws() -> dict[str, Any]:
    """Return the source for AWS keys, from the environment or EC2's metadata service."""
    return dict(_OF_AWS)


def of_file(path: str) -> dict[str, Any]:
    """Return the source for a file that contains only an OIDC token."""
    return {"file": path}


def of_command(program: str) -> dict[str, Any]:
    """Return the source for AWS's outbound token, by this package's command.

    Args:
        program: Path of the command. The libraries for Python and JavaScript support double quotes,
            without backslash escapes; those for Go and Java split at each space.

    Raises:
        ConfigError: The path cannot be quoted.
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
