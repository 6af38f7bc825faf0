"""Findings of `lint`."""

from __future__ import annotations

from dataclasses import dataclass

from gcp_aws_bridge.exceptions import quoted

from .conditions import parse
from .document import Condition, Statement

__all__ = ["BUILD", "BUILD_OIDC", "Finding", "must_hold", "plain", "where_of"]

BUILD = "gcp-aws-bridge trust-policy build --service-account NUMBER --audience AUDIENCE"
BUILD_OIDC = "gcp-aws-bridge trust-policy build --issuer URL --subject SUBJECT --account-id DIGITS"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in a policy. `str` is one line.

    Attributes:
        rule: Name of the rule, such as `missing-oaud`.
        severity: `error`: admits too many identities, or can never match. `warning`: check it.
        where: Position in the policy, such as `Statement[0].Condition`.
        message: Description of the mistake and its consequence.
        fix: Suggested replacement.
    """

    rule: str
    severity: str
    where: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.severity}[{self.rule}] {self.where}: {self.message}. Fix: {self.fix}"


def where_of(statement: Statement, condition: Condition) -> str:
    """Return the position of a condition."""
    name = plain(f"{condition.operator}.{condition.key}")
    return f"Statement[{statement.index}].Condition.{name}"


def plain(text: str) -> str:
    """Return text of the policy as printable text on one line."""
    return quoted(text)[1:-1]


def must_hold(condition: Condition, *, is_required: bool) -> bool:
    """Return whether a token without the key, or with another value, is denied.

    Args:
        condition: The condition.
        is_required: Whether another condition of the statement requires the key.
    """
    parsed = parse(condition.operator)
    holds_without = parsed.if_exists or parsed.qualifier == "ForAllValues"
    weak = parsed.negated or (holds_without and not is_required)
    return parsed.base.startswith("String") and not weak
