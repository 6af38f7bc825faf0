"""`lint`: find common mistakes in trust policies.

There are two kinds: statements that admit more identities than intended, and statements that can
never match. The rules apply to Allow statements for ID tokens (`pins`) and for AWS principals
(`aws_principals`), and to everything that IAM rejects.

Sources: IAM user guide, "IAM and AWS STS condition context keys" (what is compared with what),
"AWS JSON policy elements: Principal"; "Access Analyzer policy check reference" (its type mismatches
are errors); "IAM and AWS STS quotas".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gcp_aws_bridge.exceptions import quoted

from .aws_principals import requests
from .building import refuse
from .conditions import covers, flag_of, is_number, parse
from .document import (
    ACTION,
    SIZE_CEILING,
    SIZE_QUOTA,
    Condition,
    Statement,
    load,
    size,
    statements,
)
from .findings import BUILD, Finding, where_of
from .malformed import faults, principal_fix
from .names import ACCOUNT_ID, is_name
from .pins import pins
from .principals import GOOGLE, federated
from .request import ASSUME

__all__ = ["lint"]


def lint(document: Mapping[str, Any] | str, *, account_id: str | None = None) -> list[Finding]:
    """Find mistakes in a trust policy.

    Policies written by `build` have none, and by `build_chained` none if there is an external ID.

    Args:
        document: The policy, as an object or JSON text.
        account_id: Account of the role, 12 digits: its own roles need no external ID. None: not
            known.

    Raises:
        ConfigError: It is not a trust policy, or *account_id* is not an account.
    """
    if account_id is not None and not is_name(ACCOUNT_ID, account_id):
        refuse(f"The AWS account is {quoted(account_id)}.", "pass its 12 digits.")
    loaded = load(document)
    listed = statements(loaded)
    found = [*_size(loaded), *_no_allow(listed)]
    for statement in listed:
        wrong = list(faults(statement, listed))
        place = f"Statement[{statement.index}]"
        found += [
            Finding(one.rule, "error", f"{place}.{one.where}", one.problem, one.fix)
            for one in wrong
        ]
        found += _numbers(statement)
        found += _types(statement)
        if statement.allows:
            found += _principals(statement)
            if "action" not in {one.rule for one in wrong}:
                found += _actions(statement)
            # Include issuers that were probably meant, so that their keys are checked as well.
            issuers = _issuers(statement, meant=True)
            for issuer in issuers:
                found += pins(statement, issuer, _denials(listed, issuer))
            found += [] if issuers else _schemes(statement)
            found += requests(statement, listed, account_id)
    return found


def _size(document: Mapping[str, Any]) -> Iterator[Finding]:
    length = size(document)
    if length > SIZE_QUOTA:
        yield Finding(
            "size",
            "error" if length > SIZE_CEILING else "warning",
            "Statement",
            f"the policy has {length:,} characters; AWS accepts {SIZE_QUOTA:,}, and on request up "
            f"to {SIZE_CEILING:,}",
            "create another role for some of its principals",
        )


def _no_allow(listed: Sequence[Statement]) -> Iterator[Finding]:
    if not any(statement.allows for statement in listed):
        message = "no statement allows anything, so no caller is admitted"
        yield Finding("no-allow", "error", "Statement", message, BUILD)


def _numbers(statement: Statement) -> Iterator[Finding]:
    for condition in statement.conditions:
        if condition.unquoted and parse(condition.operator).base.startswith("String"):
            yield Finding(
                "unquoted-number",
                "warning",
                where_of(statement, condition),
                "a number without quotes; parsers of JSON and YAML round more than 15 digits",
                "put it in quotes",
            )


def _types(statement: Statement) -> Iterator[Finding]:
    """Yield values that are not of the type of their operator."""
    for condition in statement.conditions:
        base = parse(condition.operator).base
        if base == "Null" and not flag_of(condition):
            expected = '"true" or "false"'
        elif base.startswith("Numeric") and not all(map(is_number, condition.values)):
            expected = "numbers"
        else:
            continue
        yield Finding(
            "value-type",
            "error",
            where_of(statement, condition),
            f"the operator takes {expected}, not {quoted(', '.join(condition.values))}",
            f"use {expected}",
        )


def _principals(statement: Statement) -> Iterator[Finding]:
    where = f"Statement[{statement.index}].Principal"
    for kind, name in () if statement.excepted else statement.principals:
        named = federated(name) if kind == "Federated" else None
        if name == "*":
            yield Finding(
                "principal-anyone",
                "error",
                where,
                "it admits identities of every provider and every AWS account",
                f'name the provider: {{"Federated": "{GOOGLE}"}}, or the role: {{"AWS": "ARN"}}',
            )
        elif named and named.problem and not named.malformed and not _with_saml(statement):
            yield Finding(
                "principal",
                "error",
                where,
                f"{quoted(name)} matches no identity: {named.problem}",
                principal_fix(named.instead),
            )
        elif named and named.issuer == GOOGLE and named.account:
            yield Finding(
                "google-provider-arn",
                "error",
                where,
                "AWS trusts Google without an IAM OIDC provider; with one in the account, "
                "exchanges fail until its client ids include the token's azp: the account's "
                "number or, for a key file, its e-mail address",
                f'"Federated": "{GOOGLE}", and delete the provider',
            )


def _with_saml(statement: Statement) -> bool:
    """Return whether the statement may be for SAML providers."""
    return covers(statement, "sts:AssumeRoleWithSAML")


def _actions(statement: Statement) -> Iterator[Finding]:
    where = f"Statement[{statement.index}].{'NotAction' if statement.all_but else 'Action'}"
    actions = [action.lower() for action in statement.actions]
    covered = covers(statement, ACTION)
    anybody = any(kind in ("Federated", "*") or name == "*" for kind, name in statement.principals)
    if not anybody and not statement.excepted and ACTION.lower() in actions:
        yield Finding(
            "principal",
            "error",
            f"Statement[{statement.index}].Principal",
            "no identity provider is named, so no ID token is admitted",
            principal_fix(""),
        )
    kinds = {kind for kind, _ in statement.principals}
    for_roles = covers(statement, ASSUME) and not covered
    if "Federated" not in kinds and ("*" not in kinds or for_roles):
        return
    wild = any("*" in action or "?" in action for action in actions)
    if covered and (statement.all_but or wild):
        yield Finding(
            "action-wildcard",
            "warning",
            where,
            "it allows more than the exchange of an ID token",
            f'"Action": "{ACTION}"',
        )
    elif not covered and (not _with_saml(statement) or (statement.all_but and _issuers(statement))):
        yield Finding(
            "action",
            "error",
            where,
            f"{where.rpartition('.')[2]} {quoted(', '.join(statement.actions))} never covers the "
            "exchange of an ID token",
            f'"Action": "{ACTION}"',
        )


def _issuers(statement: Statement, *, meant: bool = False) -> list[str]:
    """Return the OIDC issuers in the statement; with *meant*, also those probably meant."""
    named = [federated(name) for kind, name in statement.principals if kind == "Federated"]
    if meant:
        named = [federated(one.instead) if one.problem and one.instead else one for one in named]
    issuers = [one.issuer for one in named if not one.problem]
    return list(dict.fromkeys(filter(None, issuers)))


def _schemes(statement: Statement) -> Iterator[Finding]:
    for condition in statement.conditions:
        if "://" in condition.key:
            yield Finding(
                "absent-key",
                "error",
                where_of(statement, condition),
                "no token has this key: names of keys have no scheme",
                "use the issuer's URL without https://, and :aud or :sub after it",
            )


def _denials(listed: Sequence[Statement], issuer: str) -> list[tuple[Condition, ...]]:
    """Return the conditions of each Deny statement for the issuer's tokens."""
    return [
        one.conditions
        for one in listed
        if not one.allows
        and (("*", "*") in one.principals or issuer in _issuers(one))
        and covers(one, ACTION)
    ]
