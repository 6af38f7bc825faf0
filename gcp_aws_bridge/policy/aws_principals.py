"""Mistakes in statements that admit AWS principals, such as the role before in a chain.

Sources: IAM user guide, "The confused deputy problem" and "Access to AWS accounts owned by third
parties" (external IDs), "AWS JSON policy elements: Principal" (an account as principal), "Pass
session tags in AWS STS" ("If your policy includes the first statement without the second
statement, the user can't assume the role"), "Monitor and control actions taken with assumed roles",
"Single-valued vs. multivalued context keys"; AWS STS API reference, AssumeRole (values that the
parameters may have).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gcp_aws_bridge.exceptions import quoted

from .conditions import covers, matches, parse
from .document import ACTION, Condition, Statement
from .findings import Finding, must_hold, plain, where_of
from .names import ACCOUNT_ID, EXTERNAL_ID, SESSION_NAME, is_name
from .request import ASSUME, SET_SOURCE_IDENTITY, TAG

__all__ = ["requests"]

_EXTERNAL_ID = "sts:externalid"
# "multivalued context keys"; all other keys of such requests have one value.
_MULTIVALUED = ("aws:tagkeys", "sts:transitivetagkeys")
_VALUES = {
    _EXTERNAL_ID: EXTERNAL_ID,
    "sts:sourceidentity": SESSION_NAME,
    "sts:rolesessionname": SESSION_NAME,
}
_NAME = {"aws:tagkeys": "aws:TagKeys", "sts:transitivetagkeys": "sts:TransitiveTagKeys"}
_BUILD = "gcp-aws-bridge trust-policy build --chained ARN --external-id ID"


def requests(
    statement: Statement, listed: Sequence[Statement], account_id: str | None
) -> Iterator[Finding]:
    """Yield mistakes in the conditions for requests of AWS principals, and for session tags.

    Args:
        statement: A statement that allows.
        listed: All statements of the policy.
        account_id: Account of the role; None: not known.
    """
    assumes = covers(statement, ASSUME)
    accounts = _accounts(statement)
    if assumes and accounts - {account_id}:
        yield from _external_id(statement, sorted(accounts - {account_id}), account_id)
    if assumes:
        yield from _whole_accounts(statement)
    for condition in statement.conditions:
        yield from _operator(statement, condition)
        if assumes or condition.key.lower() != _EXTERNAL_ID:  # of no request with an ID token
            yield from _values(statement, condition)
    if assumes or covers(statement, ACTION):
        yield from _further_actions(statement, listed)


def _accounts(statement: Statement) -> set[str]:
    """Return the accounts of the AWS principals."""
    names = [name for kind, name in statement.principals if kind == "AWS"]
    found = (re.search(ACCOUNT_ID, name, re.ASCII) for name in names)
    return {match[0] for match in found if match} if not statement.excepted else set()


def _external_id(
    statement: Statement, accounts: Sequence[str], account_id: str | None
) -> Iterator[Finding]:
    """Yield a finding if another account may assume the role without an external ID."""
    named = [one for one in statement.conditions if one.key.lower() == _EXTERNAL_ID]
    if any(must_hold(one, is_required=_requires(statement, one.key)) for one in named):
        return
    weak = "no condition on sts:ExternalId must hold" if named else "no condition on sts:ExternalId"
    whose = f"account {accounts[0]}" if account_id else f"account {accounts[0]}, if it is another,"
    yield Finding(
        "missing-external-id",
        "error" if account_id else "warning",
        f"Statement[{statement.index}].Condition",
        f"{weak}: {whose} may be made to use this role for another of its customers (confused "
        "deputy)",
        f"{_BUILD}; for a role of the same organization, pass --account-id of the role's account "
        "or ignore this",
    )


def _whole_accounts(statement: Statement) -> Iterator[Finding]:
    for kind, name in () if statement.excepted else statement.principals:
        if kind == "AWS" and (is_name(ACCOUNT_ID, name) or name.endswith(":root")):
            if any(map(_names_callers, statement.conditions)):
                continue
            yield Finding(
                "account-principal",
                "warning",
                f"Statement[{statement.index}].Principal",
                f"{quoted(name)} is every user and role of the account that has the permission",
                "name the role: arn:aws:iam::ACCOUNT:role/NAME",
            )


def _names_callers(condition: Condition) -> bool:
    """Return whether *condition* pins the ARN of the caller's role."""
    parsed = parse(condition.operator)
    weak = parsed.negated or parsed.if_exists or parsed.qualifier == "ForAllValues"
    is_arn = parsed.base.startswith(("Arn", "String"))
    return condition.key.lower() == "aws:principalarn" and is_arn and not weak


def _operator(statement: Statement, condition: Condition) -> Iterator[Finding]:
    key, parsed = condition.key.lower(), parse(condition.operator)
    if key in _MULTIVALUED and not parsed.qualifier and parsed.base.startswith("String"):
        yield Finding(
            "set-operator",
            "error",
            where_of(statement, condition),
            f"{_NAME[key]} has several values, and {plain(condition.operator)} is for one",
            f"ForAllValues:{parsed.base} admits only these keys",
        )


def _values(statement: Statement, condition: Condition) -> Iterator[Finding]:
    key, base = condition.key.lower(), parse(condition.operator).base
    rule = _VALUES.get(key)
    if rule is None or not base.startswith("String"):
        return
    where = where_of(statement, condition)
    if base == "StringLike" and key == _EXTERNAL_ID:
        wild = [value for value in condition.values if "*" in value or "?" in value]
        if wild:
            every = all(matches(example, wild[0]) for example in ("tenant-7", "ab"))
            yield Finding(
                "external-id-wildcard",
                "error",
                where,
                f"{quoted(wild[0])} admits {'every' if every else 'many'} external ID"
                f"{'' if every else 's'}, and so other customers",
                "StringEquals, with the external ID of one customer",
            )
    elif base in ("StringEquals", "StringEqualsIgnoreCase"):
        for value in condition.values:
            if not condition.has_variable and not is_name(rule, value):
                yield Finding(
                    "impossible-value",
                    "error",
                    where,
                    f"{quoted(value)} never matches: STS accepts no such value",
                    "use the value that the caller sends",
                )


def _further_actions(statement: Statement, listed: Sequence[Statement]) -> Iterator[Finding]:
    """Yield conditions that only requests with a further action meet, if that is not allowed."""
    for condition in statement.conditions:
        key = condition.key.lower()
        if key.startswith("aws:requesttag/") or key in _MULTIVALUED:
            action, rule, what = TAG, "missing-tag-session", "tags"
        elif key in ("sts:sourceidentity", "aws:sourceidentity"):
            action, what = SET_SOURCE_IDENTITY, "a source identity"
            rule = "missing-set-source-identity"
        else:
            continue
        required = _requires(statement, condition.key) or must_hold(condition, is_required=False)
        if required and not any(one.allows and _same(one, statement, action) for one in listed):
            yield Finding(
                rule,
                "error",
                where_of(statement, condition),
                f"no request can meet it: with {what}, the policy must allow {action} as well",
                f'add "{action}" to the actions of this statement',
            )


def _same(one: Statement, statement: Statement, action: str) -> bool:
    """Return whether *one* covers the action for some principal of *statement*."""
    shared = {*one.principals} & {*statement.principals}
    anyone = any(name == "*" for _, name in (*one.principals, *statement.principals))
    accounts = _accounts(one) & _accounts(statement)
    return covers(one, action) and bool(shared or anyone or accounts)


def _requires(statement: Statement, key: str) -> bool:
    """Return whether a `Null` condition requires the key to be present."""
    return any(
        one.key.lower() == key.lower()
        and parse(one.operator).base == "Null"
        and {value.lower() for value in one.values} == {"false"}
        for one in statement.conditions
    )
