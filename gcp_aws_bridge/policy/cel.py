"""Attribute conditions and mappings of workload identity providers, in CEL.

Sources: Google Cloud IAM, "Workload Identity Federation" (attribute mappings, attribute
conditions) and the IAM API's projects.locations.workloadIdentityPools.providers: mappings of up to
2,048 characters, conditions of up to 4,096, a `google.subject` of up to 127 bytes.
"""

from __future__ import annotations

from gcp_aws_bridge.exceptions import ConfigError, quoted

__all__ = ["LONGEST_SUBJECT", "OF_ROLE", "is_role", "is_subject", "literal", "of_subject"]

LONGEST_SUBJECT = 127  # bytes

# Google's default mapping uses the whole ARN as subject. It ends with the session's name, for which
# EKS joins cluster, pod and a UUID: the result exceeds the limit, and every exchange fails.
# `attribute.aws_role` is Google's default: the ARN without the session's name.
OF_ROLE = {
    "google.subject": "assertion.account + ':' + assertion.arn.extract('assumed-role/{role}/')",
    "attribute.aws_role": (
        "assertion.arn.contains('assumed-role')"
        " ? assertion.arn.extract('{account_arn}assumed-role/')"
        " + 'assumed-role/' + assertion.arn.extract('assumed-role/{role_name}/')"
        " : assertion.arn"
    ),
}


def is_role(session_arn: str) -> str:
    """Return the condition for sessions of one role of one account.

    It compares the beginning of the ARN instead of `attribute.aws_role`: an IAM user may have any
    path, such as `/assumed-role/etl/`. The slash at the end excludes roles with longer names.

    Args:
        session_arn: `arn:aws:sts::ACCOUNT:assumed-role/ROLE`.
    """
    return f"assertion.arn.startsWith({literal(session_arn + '/')})"


def is_subject(subject: str) -> str:
    """Return the condition for one `sub` of the issuer."""
    return f"assertion.sub == {literal(subject)}"


def of_subject(prefix: str) -> dict[str, str]:
    """Return the mapping for tokens of an issuer.

    Args:
        prefix: Distinguishes the subjects of this issuer from others in the pool; may be empty.
    """
    return {"google.subject": f"{literal(prefix)} + assertion.sub" if prefix else "assertion.sub"}


def literal(value: str) -> str:
    """Return *value* as a CEL string.

    Raises:
        ConfigError: It contains characters that need an escape.
    """
    if not value.isascii() or not value.isprintable() or set(value) & set("'\"\\"):
        raise ConfigError(
            f"{quoted(value)} cannot be used in an attribute condition.",
            fix="use names of ASCII letters, digits and signs, without quotes and backslashes.",
            error_id="config/setup-name",
        )
    return f"'{value}'"
