"""Differences between a trust policy and a token, and the smallest change that admits the token."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gcp_aws_bridge import policy
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge.policy.authorized_party import why_it_differs
from gcp_aws_bridge.policy.claims import read
from gcp_aws_bridge.policy.document import ACTION, Statement, load, statements

_AUDIENCE, _SUBJECT = "accounts.google.com:oaud", ":sub"
_COMPARED = re.compile(r"^(For\w+:)?String(Equals|EqualsIgnoreCase|Like)(IfExists)?$")


class Difference(NamedTuple):
    """A member or condition of a statement that the token does not meet.

    Attributes:
        statement: Index of the statement.
        member: `Principal`, `Action`, or the operator of the condition.
        key: The condition key as the policy spells it; empty for a member.
        values: The policy's values.
        reason: The values of the token and of the policy, as a sentence.
    """

    statement: int
    member: str
    key: str
    values: tuple[str, ...]
    reason: str

    def is_another_audience(self, token: IdToken) -> bool:
        """Return whether the policy requires another audience than the token's.

        An audience that differs only in white space is a mistake in the policy.
        """
        key = self.key.lower()
        if {value.strip() for value in self.values} & {*token.audience}:
            return False
        if token.issuer in id_token.GOOGLE_ISSUERS:
            return key == _AUDIENCE
        return key.endswith(":aud") and token.authorized_party is None

    def audience(self) -> str:
        """Return the audience that the policy requires; empty if it is not a single value."""
        plain = [
            value
            for value in self.values
            if not {*value} & {*"*?"} and "${" not in value and value.isprintable()
        ]
        return plain[0] if plain and _COMPARED.search(self.member) else ""


class Comparison(NamedTuple):
    """A policy's decision about a token.

    Attributes:
        allowed: Whether the policy admits the token.
        reasons: Why it does not, for each statement or for the statement that denies it.
        differences: Differences from the closest statement; empty if a statement denies the
            token, or if none is about tokens of this issuer.
        is_denied: Whether a Deny statement applies, or IAM would not store the policy.
    """

    allowed: bool
    reasons: str
    differences: tuple[Difference, ...] = ()
    is_denied: bool = False


def compare(document: Any, token: IdToken, account_id: str) -> Comparison:
    """Compare a trust policy with a token.

    Raises:
        ConfigError: The document is not a trust policy, or the claims do not form an ID token.
    """
    decision = policy.evaluate(document, id_token.claims_of(token), account_id=account_id)
    against = [
        f"Statement[{one.index}] ({one.effect}) {reason}"
        for one in decision.statements
        for reason in one.reasons
        if (one.effect == "Deny") is reason.startswith("holds")
    ]
    reasons = decision.malformed or "; ".join(against)
    denied = any(one.effect == "Deny" and one.matched is not False for one in decision.statements)
    if decision.allowed or denied or decision.malformed:
        return Comparison(decision.allowed, reasons, is_denied=not decision.allowed)
    listed = statements(load(document))
    found = [
        _of(listed[one.index], one.reasons) for one in decision.statements if one.effect == "Allow"
    ]
    issuer = token.issuer.removeprefix("https://")
    near = [one for one in found if one and _is_about(listed[one[0].statement], issuer)]
    return Comparison(False, reasons, min(near, key=len, default=()))


def sentences(differences: tuple[Difference, ...]) -> str:
    """Return the values that differ, as sentences."""
    return "; ".join(f"Statement[{one.statement}] {one.reason}" for one in differences)


def corrected(
    document: Mapping[str, Any], differences: tuple[Difference, ...], token: IdToken, wanted: Any
) -> dict[str, Any]:
    """Return *document* with the token's values where it differs, and everything else unchanged.

    Args:
        wanted: The statement that admits the token, added if no statement is about its issuer.
    """
    made: dict[str, Any] = load(copy.deepcopy(dict(document)))
    listed = made["Statement"] if isinstance(made["Statement"], list) else [made["Statement"]]
    made["Statement"] = listed
    if not differences:
        listed.append(wanted)
    keys = read(id_token.claims_of(token)).keys
    for one in differences:
        raw = listed[one.statement]
        if one.member == "Principal":
            raw["Principal"] = wanted["Principal"]
        elif one.member == "Action":
            raw["Action"] = ACTION
        elif one.key.lower() in keys and _COMPARED.search(one.member):
            _admit(raw["Condition"][one.member], one.key, keys[one.key.lower()].texts)
            _pin(raw["Condition"], one, token, wanted["Condition"]["StringEquals"])
    return made


def _admit(condition: dict[str, Any], key: str, texts: tuple[str, ...]) -> None:
    """Replace a single value by the token's; add it to values that other workloads may use.

    Those are a list, and the `azp` of the same account's tokens from another source.
    """
    found = condition[key]
    listed = found if isinstance(found, list) else [found]
    is_other_source = key.lower().endswith(":aud") and why_it_differs(texts[0], str(listed[0]))
    if len(listed) > 1 or is_other_source:
        condition[key] = [*listed, *texts]
    else:
        condition[key] = texts[0] if len(texts) == 1 else [*texts]


def _pin(conditions: Any, changed: Difference, token: IdToken, wanted: Mapping[str, str]) -> None:
    """Keep the audience that was compared with `azp`, and pin the subject."""
    named = {key.lower() for keys in conditions.values() for key in keys}
    for key, value in wanted.items():
        is_moved = key == _AUDIENCE and {*changed.values} & {*token.audience}
        if key not in named and (key.endswith(_SUBJECT) or is_moved):
            conditions.setdefault("StringEquals", {})[key] = value


def _of(statement: Statement, reasons: tuple[str, ...]) -> tuple[Difference, ...]:
    """Return the members that do not hold; *reasons* are in the order of the members."""
    principals = tuple(name for _, name in statement.principals)
    members = [("Principal", "", principals), ("Action", "", statement.actions)]
    members += [(one.operator, one.key, one.values) for one in statement.conditions]
    return tuple(
        Difference(statement.index, *member, reason.partition(": ")[2])
        for member, reason in zip(members, reasons, strict=False)
        if not reason.startswith("holds")
    )


def _is_about(statement: Statement, issuer: str) -> bool:
    federated = [name for kind, name in statement.principals if kind == "Federated"]
    return any(issuer in name for name in federated)
