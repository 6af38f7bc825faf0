"""Mistakes in the conditions of a statement for the tokens of one issuer.

There are two kinds: keys that are not pinned, which admits too many tokens, and conditions that no
token of the issuer meets, alone or in combination. `vocabulary` describes those tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gcp_aws_bridge.exceptions import quoted

from .authorized_party import GET_NUMBER, NUMBER, kind_of
from .claims import Identity
from .conditions import flag_of, judge, parse
from .document import Condition, Statement
from .findings import BUILD, BUILD_OIDC, Finding, must_hold, plain, where_of
from .names import SUBJECT, SUBJECT_WANTED, is_name
from .possible import Undecided, token_for
from .principals import GOOGLE, is_cluster
from .vocabulary import NOT_IN_REQUEST, ONE_ACCOUNT, Vocabulary, of_request, vocabulary

__all__ = ["pins"]

# Rules about values and keys that no token has.
_NEVER = frozenset(
    {"absent-key", "audience-in-aud", "email", "empty-list", "literal-wildcard"}
    | {"not-a-number", "not-a-subject"}
)


def pins(
    statement: Statement, issuer: str, denials: Sequence[Sequence[Condition]]
) -> Iterator[Finding]:
    """Yield mistakes in the conditions of *statement* for tokens of *issuer*.

    Args:
        statement: The statement.
        issuer: URL of the issuer without the scheme.
        denials: Conditions of each Deny statement that applies to its tokens.
    """
    tokens = vocabulary(issuer)
    pinned: set[str] = set()
    required = {one.key.lower() for one in statement.conditions if _requires_key(one)}
    found: list[Finding] = []
    for condition in statement.conditions:
        prefix, _, name = condition.key.lower().rpartition(":")
        own = prefix == issuer.lower()
        found += _key(statement, condition, issuer, tokens)
        if own and must_hold(condition, is_required=condition.key.lower() in required):
            found += _values(statement, condition, issuer, name)
            if not condition.has_variable:
                pinned.add(name)
        elif not condition.values:
            found.append(_empty(statement, condition))
    yield from found
    yield from _missing(statement, issuer, tokens, pinned)
    blamed = {finding.where for finding in found if finding.rule in _NEVER}
    yield from _impossible(statement, issuer, tokens, denials, blamed)


def _missing(
    statement: Statement, issuer: str, tokens: Vocabulary, pinned: set[str]
) -> Iterator[Finding]:
    where, shown = f"Statement[{statement.index}].Condition", plain(issuer)
    google = issuer == GOOGLE
    keys = [one.key.lower() for one in statement.conditions if not of_request(one.key)]
    if not any(key.rpartition(":")[0] == issuer.lower() for key in keys):
        admitted = "every Google account" if google else f"every identity of {shown}"
        but = "without the keys that its tokens never have, " if keys else ""
        message = f"{but}it {'would admit' if keys else 'admits'} {admitted}"
        yield Finding("no-condition", "error", where, message, _pinned_by(issuer))
        return
    for name in sorted({*tokens.pins} - pinned):
        severity, what = tokens.pins[name]
        missing = f"no mandatory condition on {shown}:{name}: {what}"
        fix = _pinned_by(issuer)
        yield Finding(f"missing-{name.replace('_', '-')}", severity, where, missing, fix)


def _pinned_by(issuer: str) -> str:
    """Return what pins all keys; `build` writes policies for Google and for clusters only."""
    if issuer == GOOGLE:
        return BUILD
    if is_cluster(issuer):
        return BUILD_OIDC
    pinned = vocabulary(issuer).pins
    return f"StringEquals on {' and '.join(f'{plain(issuer)}:{name}' for name in pinned)}"


def _key(
    statement: Statement, condition: Condition, issuer: str, tokens: Vocabulary
) -> Iterator[Finding]:
    key = condition.key.lower()
    prefix, _, name = key.rpartition(":")
    if of_request(key) or not prefix:
        yield from _request_key(statement, condition)
        return
    if prefix == issuer.lower() and not tokens.closed_to(name):
        return
    scheme = " (names of keys have no scheme)" if "://" in prefix else ""
    yield Finding(
        "absent-key",
        "error",
        where_of(statement, condition),
        f"a token of {plain(issuer)} never has this key{scheme}",
        f"use {', '.join(f'{plain(issuer)}:{name}' for name in tokens.pins)}",
    )


def _request_key(statement: Statement, condition: Condition) -> Iterator[Finding]:
    """Yield a finding if the condition never holds, since a request with a token lacks the key."""
    if (
        condition.key.lower() in NOT_IN_REQUEST
        and judge(condition, Identity("", {}, ()))[0] is False
    ):
        yield Finding(
            "absent-key",
            "error",
            where_of(statement, condition),
            "a request with an ID token never has this key",
            "remove it here; for AWS principals, use another statement",
        )


def _requires_key(condition: Condition) -> bool:
    """Return whether *condition* is `Null` with `false`: the key must be present."""
    return parse(condition.operator).base == "Null" and flag_of(condition) == "false"


def _empty(statement: Statement, condition: Condition) -> Finding:
    always = parse(condition.operator).negated
    return Finding(
        "empty-list",
        "error",
        where_of(statement, condition),
        f"an empty list: the condition {'always' if always else 'never'} holds",
        "add values, or remove the key",
    )


def _values(
    statement: Statement, condition: Condition, issuer: str, name: str
) -> Iterator[Finding]:
    where = where_of(statement, condition)
    whole = "StringEquals, with each value in full"
    wild = [value for value in condition.values if "*" in value or "?" in value]
    if not condition.values:
        yield _empty(statement, condition)
    elif condition.has_variable:
        message = "a policy variable has its value from the request, and so pins nothing"
        yield Finding("policy-variable", "error", where, message, whole)
    elif wild and parse(condition.operator).base == "StringLike":
        if _never_met(issuer, vocabulary(issuer), [condition]):
            return
        message = f"{quoted(wild[0])} admits every present and future value of this form"
        yield Finding("wildcard", "error", where, message, whole)
    elif wild and (name == "sub" or (issuer == GOOGLE and name == "aud")):
        message = f"{plain(condition.operator)} takes {quoted(wild[0])} literally: it never matches"
        yield Finding("literal-wildcard", "error", where, message, whole)
    elif issuer == GOOGLE and name in ("aud", "sub"):
        yield from _google_values(where, condition, name)
    elif name == "sub" and is_cluster(issuer):
        yield from _subjects(where, condition)


def _never_met(issuer: str, tokens: Vocabulary, conditions: list[Condition]) -> bool:
    """Return whether no token meets the conditions; False if the search takes too long."""
    try:
        return token_for(issuer, tokens, conditions) is None
    except Undecided:
        return False


def _as_issued(condition: Condition, value: str) -> str:
    """Return *value* in the case of tokens: in lower case if the operator ignores case."""
    return value.lower() if "IgnoreCase" in condition.operator else value


def _google_values(where: str, condition: Condition, name: str) -> Iterator[Finding]:
    number = f"the number: {GET_NUMBER}"
    for value in condition.values:
        kind = kind_of(_as_issued(condition, value))
        if kind == NUMBER or (name == "aud" and kind):
            continue
        if "@" in value:
            message = (
                f"{quoted(value)} never matches: "
                + ("azp may be the e-mail address of a service account, " if name == "aud" else "")
                + ("which this is not" if name == "aud" else "sub is the account's number")
            )
            yield Finding("email", "error", where, message, number)
        elif name == "aud":
            message = (
                f"{quoted(value)} matches no service account's token: AWS compares the token's "
                "azp with it, which is the account's number or, for a key file, its e-mail address"
            )
            fix = f"move the audience to {GOOGLE}:oaud; here use {number}"
            yield Finding("audience-in-aud", "error", where, message, fix)
        else:
            message = (
                f"{quoted(value)} never matches: it is not a service account's number (21 digits)"
            )
            yield Finding("not-a-number", "error", where, message, number)


def _subjects(where: str, condition: Condition) -> Iterator[Finding]:
    for value in condition.values:
        if not is_name(SUBJECT, _as_issued(condition, value)):
            yield Finding(
                "not-a-subject",
                "error",
                where,
                f"{quoted(value)} never matches: a cluster's tokens have {SUBJECT_WANTED}",
                f"{SUBJECT_WANTED}; a Google service account's number goes with {GOOGLE}",
            )


def _impossible(
    statement: Statement,
    issuer: str,
    tokens: Vocabulary,
    denials: Sequence[Sequence[Condition]],
    blamed: set[str],
) -> Iterator[Finding]:
    """Yield a finding if no token meets all conditions, unless a conflicting one was reported."""
    # Keys and operators that IAM does not have were reported already.
    conditions = [
        one
        for one in statement.conditions
        if parse(one.operator).base and all(one.key.rpartition(":")[::2])
    ]
    whose = f"no token of {plain(issuer)}"
    try:
        if token_for(issuer, tokens, conditions) is None:
            yield from _never(statement, issuer, tokens, conditions, blamed, "never-matches", whose)
        elif issuer == GOOGLE and token_for(issuer, ONE_ACCOUNT, conditions) is None:
            whose = "azp and sub of Google's tokens are of one account, and none"
            yield from _never(
                statement, issuer, ONE_ACCOUNT, conditions, blamed, "two-accounts", whose
            )
        elif token_for(issuer, tokens, conditions, denials) is None:
            yield Finding(
                "denied",
                "error",
                f"Statement[{statement.index}]",
                "a Deny statement of this policy denies every identity that this statement admits",
                "narrow the Deny statement, or remove it",
            )
    except Undecided:
        return


def _never(
    statement: Statement,
    issuer: str,
    tokens: Vocabulary,
    conditions: list[Condition],
    blamed: set[str],
    rule: str,
    whose: str,
) -> Iterator[Finding]:
    clash = [where_of(statement, one) for one in _clash(issuer, tokens, conditions)]
    if not blamed.isdisjoint(clash):
        return
    names = [where.split(".", 2)[2] for where in clash]
    yield Finding(
        rule,
        "error",
        f"Statement[{statement.index}].Condition",
        f"{whose} meets {'all of ' * (len(names) > 1)}{', '.join(names)}",
        _pinned_by(issuer),
    )


def _clash(issuer: str, tokens: Vocabulary, conditions: list[Condition]) -> list[Condition]:
    """Return a minimal set of *conditions* that no token meets together."""
    for one in list(conditions):
        fewer = [other for other in conditions if other is not one]
        if _never_met(issuer, tokens, fewer):
            conditions = fewer
    return conditions
