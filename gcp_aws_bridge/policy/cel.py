"""Whom a provider of a workload identity pool lets in, and what Google calls them: in CEL.

Sources: Google Cloud IAM, "Workload Identity Federation" (attribute mappings, attribute
conditions) and the IAM API's projects.locations.workloadIdentityPools.providers: mappings of up to
2,048 characters, conditions of up to 4,096, a `google.subject` of up to 127 bytes.
"""

from __future__ import annotations

from gcp_aws_bridge.exceptions import ConfigError, quoted

__all__ = ["LONGEST_SUBJECT", "OF_ROLE", "is_role", "is_subject", "literal", "of_subject"]

LONGEST_SUBJECT = 127  # bytes

# Google's own mapping takes the whole ARN for a subject. It ends with the session's name, which EKS
# makes of cluster, pod and a UUID: together they pass the limit, and every exchange is refused.
# `attribute.aws_role` is Google's own: the ARN without the session's name.
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
    """The condition for sessions of one role of one account.

    By the start of the ARN, and not by `attribute.aws_role`: a user of IAM may have any path, such
    as `/assumed-role/etl/`. The slash at the end keeps out roles whose names go on.

    Args:
        session_arn: `arn:aws:sts::ACCOUNT:assumed-role/ROLE`.
    """
    return f"assertion.arn.startsWith({literal(session_arn + '/')})"


def is_subject(subject: str) -> str:
    """The condition for one `sub` of the issuer's."""
    return f"assertion.sub == {literal(subject)}"


def of_subject(prefix: str) -> dict[str, str]:
    """The mapping for tokens of an issuer.

    Args:
        prefix: What tells this issuer's subjects from those of others in the pool; may be empty.
    """
    return {"google.subject": f"{literal(prefix)} + assertion.sub" if prefix else "assertion.sub"}


def literal(value: str) -> str:
    """*value* as a string of CEL, which is itself.

    Raises:
        ConfigError: It has what would need an escape there.
    """
    if not value.isascii() or not value.isprintable() or set(value) & set("'\"\\"):
        raise ConfigError(
            f"{quoted(value)} cannot stand in a condition of Google's.",
            fix="take names of letters, digits and plain signs, with no quotes and no backslash.",
            error_id="config/setup-name",
        )
    return f"'{value}'"
