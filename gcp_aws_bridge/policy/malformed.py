"""Policies that are well-formed JSON, but that IAM rejects when a role is created.

A role with such a policy cannot exist, so none of its statements admits a token. Sources: IAM user
guide, "Access Analyzer policy check reference" (errors "Role trust policy syntax error
notprincipal", "Invalid federated principal syntax in role trust policy", "Unsupported wildcard in
principal", "Invalid condition operator", "Invalid condition key format", "Duplicate keys with
different case"); "AWS JSON policy elements: Principal" (the forms of AWS principals); IAM's own
"AssumeRole policy may only specify STS AssumeRole actions", and for which these are the service
authorization reference of AWS STS: the actions whose resource is a role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gcp_aws_bridge.exceptions import quoted

from .conditions import matches, parse
from .document import ACTION, Statement
from .names import IAM_PRINCIPAL, is_name
from .principals import GOOGLE, federated

__all__ = ["Fault", "faults"]

_ROLE_ACTIONS = (
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setcontext",
    "sts:setsourceidentity",
    "sts:tagsession",
)


class Fault(NamedTuple):
    """One reason why IAM rejects a policy.

    Attributes:
        rule: Name of the rule of `lint`.
        where: Position in the statement, such as `Principal`.
        problem: Description of the mistake.
        fix: Suggested replacement.
    """

    rule: str
    where: str
    problem: str
    fix: str


def faults(statement: Statement, listed: Sequence[Statement] = ()) -> Iterator[Fault]:
    """Yield the reasons why IAM rejects a statement.

    Args:
        statement: The statement.
        listed: All statements of its policy.
    """
    if statement.sid and statement.sid in [one.sid for one in listed[: statement.index]]:
        # "the Sid value must be unique within a JSON policy" (IAM JSON policy elements: Sid)
        problem = f"an earlier statement has the Sid {quoted(statement.sid)}"
        yield Fault("duplicate-sid", "Sid", problem, "use a different Sid for each statement")
    if statement.excepted:
        yield Fault(
            "not-principal",
            "NotPrincipal",
            "IAM prohibits NotPrincipal in a trust policy, and with Allow everywhere",
            f'name the principals to admit: "Principal": {{"Federated": "{GOOGLE}"}}',
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
                f"{quoted(name)} matches no identity: {named.problem}",
                principal_fix(named.instead),
            )
        if kind == "AWS" and not is_name(IAM_PRINCIPAL, name):
            yield Fault(
                "principal",
                "Principal",
                f"{quoted(name)} is not an account, user, role or session",
                "use an account's number or the whole ARN, such as "
                '"arn:aws:iam::ACCOUNT:role/NAME"',
            )
        if kind in ("Service", "CanonicalUser") and "*" in name:
            yield Fault(
                "principal",
                "Principal",
                f"IAM allows no wildcard in {quoted(name)}",
                'name the service, such as "ec2.amazonaws.com"',
            )


def principal_fix(instead: str) -> str:
    """Return the replacement for a `Federated` principal that matches no identity."""
    if instead:
        return f'"Federated": "{instead}"'
    return (
        f'"Federated": "{GOOGLE}" for Google service accounts; for a cluster '
        '"arn:aws:iam::ACCOUNT:oidc-provider/ISSUER", with the issuer\'s URL without https://'
    )


def _actions(statement: Statement) -> Iterator[Fault]:
    for action in () if statement.all_but else statement.actions:
        if not any(matches(known, action.lower()) for known in _ROLE_ACTIONS):
            yield Fault(
                "action",
                "Action",
                f"a trust policy allows only actions on a role, not {quoted(action)}",
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
                f"names of keys are not case-sensitive, and {quoted(first)} is already present",
                "keep one of them; use a list for several values",
            )
