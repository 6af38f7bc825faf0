"""What IAM refuses when a role is made, though it is JSON of a policy's shape.

A role with such a policy cannot exist, so none of its statements admits anybody. Sources: IAM user
guide, "Access Analyzer policy check reference" (errors "Role trust policy syntax error
notprincipal", "Invalid federated principal syntax in role trust policy", "Unsupported wildcard in
principal", "Invalid condition operator", "Invalid condition key format", "Duplicate keys with
different case"); IAM's own "AssumeRole policy may only specify STS AssumeRole actions".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gcp_aws_bridge.exceptions import quoted

from .conditions import parse
from .document import ACTION, Statement
from .principals import GOOGLE, federated

__all__ = ["Fault", "faults"]


class Fault(NamedTuple):
    """One reason for which IAM refuses a policy.

    Attributes:
        rule: Its name among the rules of `lint`.
        where: The place within the statement, such as `Principal`.
        problem: What is wrong.
        fix: What to write instead.
    """

    rule: str
    where: str
    problem: str
    fix: str


def faults(statement: Statement) -> Iterator[Fault]:
    """Find what IAM refuses in a statement."""
    if statement.excepted:
        yield Fault(
            "not-principal",
            "NotPrincipal",
            "IAM prohibits NotPrincipal in a trust policy, and with Allow everywhere",
            f'name who is admitted: "Principal": {{"Federated": "{GOOGLE}"}}',
        )
    else:
        yield from _principals(statement)
    yield from _actions(statement)
    yield from _conditions(statement)


def _principals(statement: Statement) -> Iterator[Fault]:
    for kind, name in statement.principals:
        named = federated(name) if kind == "Federated" else None
        if named and named.malformed:
            yield Fault(
                "principal",
                "Principal",
                f"{quoted(name)} names nobody: {named.problem}",
                principal_fix(named.instead),
            )


def principal_fix(instead: str) -> str:
    """Return what to write where a `Federated` principal names nobody."""
    if instead:
        return f'"Federated": "{instead}"'
    return (
        f'"Federated": "{GOOGLE}" for Google service accounts; for a cluster '
        '"arn:aws:iam::ACCOUNT:oidc-provider/ISSUER", with the issuer\'s URL without https://'
    )


def _actions(statement: Statement) -> Iterator[Fault]:
    for action in () if statement.all_but else statement.actions:
        if action != "*" and not action.lower().startswith("sts:"):
            yield Fault(
                "action",
                "Action",
                f"a trust policy takes actions of STS only, not {quoted(action)}",
                f'"Action": "{ACTION}"',
            )


def _conditions(statement: Statement) -> Iterator[Fault]:
    seen: dict[tuple[str, str], str] = {}
    for condition in statement.conditions:
        where = f"Condition.{quoted(f'{condition.operator}.{condition.key}')[1:-1]}"
        if not parse(condition.operator).base:
            name = quoted(condition.operator)
            problem = f"IAM has no operator {name}"
            yield Fault("unknown-operator", where, problem, "use StringEquals")
        if not all(condition.key.rpartition(":")[::2]):
            problem = "a condition key has the form PREFIX:NAME"
            yield Fault("key-format", where, problem, f"use {GOOGLE}:aud, :oaud, :sub")
        first = seen.setdefault((condition.operator, condition.key.lower()), condition.key)
        if first != condition.key:
            yield Fault(
                "duplicate-key",
                where,
                f"the names of keys have no case, and {quoted(first)} stands there already",
                "keep one of them; several values are a list",
            )
