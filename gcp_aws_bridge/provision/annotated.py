"""Annotations of a Kubernetes service account, by which the webhook gives its pods credentials.

`inject.annotations` decides what they mean, here as in the webhook.
"""

from __future__ import annotations

from collections.abc import Mapping

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject.annotations import LABEL, PREFIX, Requests

__all__ = ["LABEL", "LINK", "PREFIX", "WHY", "meaning", "named", "require_valid"]

# GKE, "Authenticate to Google Cloud APIs from GKE workloads".
LINK = "iam.gke.io/gcp-service-account"
# The comment above them.
WHY = f'With the label {LABEL}: "true", pods with this account get credentials.'


def named(values: Mapping[str, str]) -> dict[str, str]:
    """Return annotations with the prefix of the library, without those that are empty."""
    return {f"{PREFIX}/{name}": value for name, value in values.items() if value}


def meaning(annotations: Mapping[str, str]) -> tuple[object, ...]:
    """Return what *annotations* request in each direction, for comparisons.

    Raises:
        ConfigError: The webhook would reject them.
    """
    found = Requests({}, annotations, (PREFIX,), None)
    aws, google = found.aws, found.google
    return aws and (aws.method, aws.role), google and (google.method, google.federation)


def require_valid(annotations: Mapping[str, str]) -> None:
    """Check that the webhook accepts *annotations*.

    Raises:
        ConfigError: It does not, for example because of chained roles without a sidecar.
    """
    try:
        meaning(annotations)
    except ConfigError as error:
        raise ConfigError(
            str(error.args[0]),
            fix="correct the options, use --on=gke, or omit --annotate.",
            error_id="config/setup-option",
        ) from None
