"""What is wrong with a trust policy: the mistakes that are copied from page to page.

Two kinds: what lets in whom its author did not mean to, and what can never match. Rules concern
Allow statements for ID tokens; those for AWS principals are left alone.

Sources: IAM user guide, "IAM and AWS STS condition context keys" (what is compared with what),
"AWS JSON policy elements: Principal", "NotPrincipal"; "IAM and AWS STS quotas".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gcp_aws_bridge.exceptions import quoted

from .building import NUMBER
from .conditions import matches, parse
from .document import (
    ACTION,
    GOOGLE,
    SIZE_CEILING,
    SIZE_QUOTA,
    Condition,
    Statement,
    load,
    provider_of,
    size,
    statements,
)

_BUILD = "gcp-aws-bridge trust-policy build --service-account NUMBER --audience AUDIENCE"
_BUILD_OIDC = "gcp-aws-bridge trust-policy build --issuer URL --subject SUBJECT --account-id DIGITS"
_GET_NUMBER = "gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'"
_NAMES = ("aud", "oaud", "sub", "google/organization_number")
# Why each key is wanted. `:aud` is compared with `azp`: who the token was minted for.
_MISSING = {
    "aud": ("warning", "nothing pins who asked for the token (its azp)"),
    "oaud": (
        "error",
        "every service that is given an ID token of this account can replay it to AWS",
    ),
    "sub": ("error", "nothing pins whose token it is"),
}
_MISSING_OIDC = {
    "aud": ("error", "tokens that the issuer made for any other service are admitted"),
    "sub": ("error", "everybody that the issuer vouches for is admitted"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `str` is its line.

    Attributes:
        rule: Its name, such as `missing-oaud`.
        severity: `error`: lets in the wrong ones, or never matches. `warning`: look at it.
        where: The place, such as `Statement[0].Condition`.
        message: What is seen there, and what comes of it.
        fix: What to write in its place.
    """

    rule: str
    severity: str
    where: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.severity}[{self.rule}] {self.where}: {self.message}. Fix: {self.fix}"


def lint(document: Mapping[str, Any] | str) -> list[Finding]:
    """Find what is wrong with a trust policy; nothing in one that `build` writes.

    Raises:
        ConfigError: It is no trust policy.
    """
    loaded = load(document)
    found = [*_size(loaded)]
    for statement in statements(loaded):
        found += _operators(statement)
        if statement.allows:
            found += [*_principals(statement), *_actions(statement), *_providers(statement)]
    return found


def _size(document: Mapping[str, Any]) -> Iterator[Finding]:
    length = size(document)
    if length > SIZE_QUOTA:
        yield Finding(
            "size",
            "error" if length > SIZE_CEILING else "warning",
            "Statement",
            f"the policy has {length:,} characters; AWS takes {SIZE_QUOTA:,}, and on request up to "
            f"{SIZE_CEILING:,}",
            "make a further role for some of its principals",
        )


def _operators(statement: Statement) -> Iterator[Finding]:
    for condition in statement.conditions:
        where = _where(statement, condition)
        if not parse(condition.operator).base:
            yield Finding(
                "unknown-operator",
                "error",
                where,
                f"IAM has no operator {quoted(condition.operator)}",
                "use StringEquals",
            )
        if condition.unquoted and parse(condition.operator).base.startswith("String"):
            yield Finding(
                "unquoted-number",
                "warning",
                where,
                "a number without quotes; readers of JSON and YAML round it from 16 digits on",
                "put it in quotes",
            )


def _principals(statement: Statement) -> Iterator[Finding]:
    where = f"Statement[{statement.index}]"
    if statement.excepted:
        yield Finding(
            "not-principal",
            "error",
            f"{where}.NotPrincipal",
            "IAM prohibits NotPrincipal in a trust policy, and with Allow everywhere",
            f'name who is admitted: "Principal": {{"Federated": "{GOOGLE}"}}',
        )
        return
    for kind, name in statement.principals:
        if name == "*":
            yield Finding(
                "principal-anyone",
                "error",
                f"{where}.Principal",
                "everybody may ask, of every provider and every AWS account",
                f'name the provider: {{"Federated": "{GOOGLE}"}}',
            )
        elif kind == "Federated" and provider_of(name)[0] == GOOGLE and name != GOOGLE:
            yield Finding(
                "google-provider-arn",
                "error",
                f"{where}.Principal",
                "AWS trusts Google without an IAM OIDC provider; with one in the account, "
                "exchanges fail until its client list has the audience",
                f'"Federated": "{GOOGLE}", and delete the provider',
            )


def _actions(statement: Statement) -> Iterator[Finding]:
    if not any(kind == "Federated" for kind, _ in statement.principals) and not _anyone(statement):
        return
    where = f"Statement[{statement.index}].{'NotAction' if statement.all_but else 'Action'}"
    actions = [action.lower() for action in statement.actions]
    named = any(matches(ACTION.lower(), action) for action in actions)
    if statement.all_but or (named and any("*" in action or "?" in action for action in actions)):
        yield Finding(
            "action-wildcard",
            "warning",
            where,
            "more is allowed than the exchange of an ID token",
            f'"Action": "{ACTION}"',
        )
    elif not named and "sts:assumerolewithsaml" not in actions:
        yield Finding(
            "action",
            "error",
            where,
            f"{quoted(', '.join(statement.actions))} never covers the exchange of an ID token",
            f'"Action": "{ACTION}"',
        )


def _anyone(statement: Statement) -> bool:
    return any(kind == "*" for kind, _ in statement.principals)


def _providers(statement: Statement) -> Iterator[Finding]:
    named = [provider_of(name)[0] for kind, name in statement.principals if kind == "Federated"]
    for provider in dict.fromkeys(filter(None, named)):
        yield from _pins(statement, provider)


def _pins(statement: Statement, provider: str) -> Iterator[Finding]:
    """Whether the keys of *provider* say whose tokens are meant, and for whom they were made."""
    pinned: set[str] = set()
    theirs = False
    for condition in statement.conditions:
        prefix, _, name = condition.key.lower().rpartition(":")
        yield from _key(statement, condition, provider)
        theirs = theirs or prefix == provider.lower()
        if prefix == provider.lower() and _must_hold(condition):
            pinned.add(name)
            yield from _values(statement, condition, provider, name)
    where, shown = f"Statement[{statement.index}].Condition", _shown(provider)
    google = provider == GOOGLE
    build = _BUILD if google else _BUILD_OIDC
    if not theirs:
        whom = "every Google account in the world" if google else f"everybody that {shown} knows"
        yield Finding("no-condition", "error", where, f"it admits {whom}", build)
        return
    wanted = _MISSING if google else _MISSING_OIDC
    for name in sorted({*wanted} - pinned):
        severity, what = wanted[name]
        missing = f"no condition that must hold on {shown}:{name}: {what}"
        yield Finding(f"missing-{name}", severity, where, missing, build)


def _key(statement: Statement, condition: Condition, provider: str) -> Iterator[Finding]:
    prefix, _, name = condition.key.lower().rpartition(":")
    foreign = prefix != provider.lower() and "." in prefix
    unknown = prefix == GOOGLE == provider and name not in _NAMES
    if foreign or unknown:
        names = ("aud", "oaud", "sub") if provider == GOOGLE else ("aud", "sub")
        yield Finding(
            "absent-key",
            "error",
            _where(statement, condition),
            f"a token of {_shown(provider)} never has this key",
            f"use {', '.join(f'{_shown(provider)}:{name}' for name in names)}",
        )


def _must_hold(condition: Condition) -> bool:
    """Whether a token that lacks the key, or has another value, is turned away."""
    asked = parse(condition.operator)
    weak = asked.if_exists or asked.negated or asked.qualifier == "ForAllValues"
    return asked.base.startswith("String") and not weak


def _values(
    statement: Statement, condition: Condition, provider: str, name: str
) -> Iterator[Finding]:
    where = _where(statement, condition)
    wild = [value for value in condition.values if "*" in value or "?" in value]
    if wild and parse(condition.operator).base == "StringLike":
        yield Finding(
            "wildcard",
            "error",
            where,
            f"{quoted(wild[0])} admits whoever else is, or will be, of this form",
            "StringEquals, with each value in full",
        )
    elif wild and (name == "sub" or (provider == GOOGLE and name == "aud")):
        yield Finding(
            "literal-wildcard",
            "error",
            where,
            f"{_shown(condition.operator)} takes {quoted(wild[0])} to the letter: it never matches",
            "StringEquals, with each value in full",
        )
    elif provider == GOOGLE and name in ("aud", "sub"):
        yield from _google_numbers(where, condition.values, name)


def _google_numbers(where: str, values: tuple[str, ...], name: str) -> Iterator[Finding]:
    claim = "azp" if name == "aud" else "sub"
    for value in values:
        # An OAuth client's id is the azp of a user's token.
        if NUMBER.fullmatch(value) or (claim == "azp" and ".apps.googleusercontent." in value):
            continue
        if "@" in value:
            yield Finding(
                "email",
                "error",
                where,
                f"{quoted(value)} never matches: AWS compares the account's number with this",
                f"the number: {_GET_NUMBER}",
            )
        elif name == "aud":
            yield Finding(
                "audience-in-aud",
                "error",
                where,
                f"{quoted(value)} never matches: AWS compares the token's azp with this, the "
                "service account's number",
                f"the audience belongs into {GOOGLE}:oaud; here the number: {_GET_NUMBER}",
            )
        else:
            yield Finding(
                "not-a-number",
                "error",
                where,
                f"{quoted(value)} is no service account's number, of 21 digits",
                f"the number: {_GET_NUMBER}",
            )


def _where(statement: Statement, condition: Condition) -> str:
    name = _shown(f"{condition.operator}.{condition.key}")
    return f"Statement[{statement.index}].Condition.{name}"


def _shown(text: str) -> str:
    """Somebody else's text, fit for a line, without quotes."""
    return quoted(text)[1:-1]
