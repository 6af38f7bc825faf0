"""What `lint` returns, and how it names places."""

from __future__ import annotations

from dataclasses import dataclass

from gcp_aws_bridge.exceptions import quoted

from .document import Condition, Statement

__all__ = ["BUILD", "BUILD_OIDC", "Finding", "plain", "where_of"]

BUILD = "gcp-aws-bridge trust-policy build --service-account NUMBER --audience AUDIENCE"
BUILD_OIDC = "gcp-aws-bridge trust-policy build --issuer URL --subject SUBJECT --account-id DIGITS"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `str` is its line.

    Attributes:
        rule: Its name, such as `missing-oaud`.
        severity: `error`: admits too many, or can never match. `warning`: look at it.
        where: The place, such as `Statement[0].Condition`.
        message: What is seen there, and what comes of it.
        fix: What to write instead.
    """

    rule: str
    severity: str
    where: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.severity}[{self.rule}] {self.where}: {self.message}. Fix: {self.fix}"


def where_of(statement: Statement, condition: Condition) -> str:
    """Return the place of a condition."""
    name = plain(f"{condition.operator}.{condition.key}")
    return f"Statement[{statement.index}].Condition.{name}"


def plain(text: str) -> str:
    """Return text of the policy, fit for a line, without quotes."""
    return quoted(text)[1:-1]
