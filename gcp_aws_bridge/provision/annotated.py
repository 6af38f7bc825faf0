"""Annotations of a Kubernetes service account from which the webhook gives its pods credentials.

`inject.annotations` parses them, here as in the webhook.
"""

from __future__ import annotations

from collections.abc import Mapping

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject.annotations import LABEL, LINK, PREFIX, Requests

__all__ = ["LABEL", "LINK", "PREFIX", "WHY", "meaning", "require_valid", "with_prefix"]

# The comment above the annotations in generated files.
WHY = f'With the label {LABEL}: "true", pods with this account get credentials.'


def with_prefix(values: Mapping[str, str]) -> dict[str, str]:
    """Return *values* as annotations with the prefix of the library, without empty values."""
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
        ConfigError: It would deny the pods, for example because of chained roles without a sidecar.
    """
    try:
        meaning(annotations)
    except ConfigError as error:
        raise ConfigError(
            str(error.args[0]),
            fix="correct the options, use --on=gke, or omit --annotate.",
            error_id="config/setup-option",
        ) from None
