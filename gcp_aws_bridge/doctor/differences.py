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

_AUDIENCE = "accounts.google.com:oaud"
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
        if one.effect == "Allow" or one.matched is not False
        for reason in one.reasons
        if (one.effect == "Deny") is reason.startswith("holds")
    ]
    reasons = decision.malformed or "; ".join(against) or "no statement allows it"
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
        document: The trust policy.
        differences: Differences of one statement from the token.
        token: The token.
        wanted: The statement that admits the token. It is added if no statement is about its
            issuer, or if the one that is has other principals, whose access must not change.
    """
    made: dict[str, Any] = load(copy.deepcopy(dict(document)))
    listed = made["Statement"] if isinstance(made["Statement"], list) else [made["Statement"]]
    made["Statement"] = listed
    in_members = any(one.member in ("Principal", "Action") for one in differences)
    raw = listed[differences[0].statement] if differences else None
    if raw is None or (in_members and _has_others(raw["Principal"], token)):
        listed.append(wanted)
        return made
    before = copy.deepcopy(raw)
    for one in differences:
        _correct(raw, one, token, wanted)
    if raw != before:
        _pin(raw, wanted["Condition"]["StringEquals"], all_keys=in_members)
    return made


def _has_others(principal: Any, token: IdToken) -> bool:
    """Return whether the element names others than the token's issuer."""
    if not isinstance(principal, dict):
        return True
    federated = principal.get("Federated", [])
    names = federated if isinstance(federated, list) else [federated]
    issuer = token.issuer.removeprefix("https://")
    return set(principal) != {"Federated"} or any(issuer not in name for name in names)


def _correct(raw: dict[str, Any], one: Difference, token: IdToken, wanted: Any) -> None:
    """Change the member or condition of a statement that differs, if it can be changed."""
    keys = read(id_token.claims_of(token)).keys
    if one.member == "Principal":
        raw["Principal"] = wanted["Principal"]
    elif one.member == "Action":
        raw.pop("NotAction", None)
        raw["Action"] = ACTION
    elif one.key.lower() in keys and _COMPARED.search(one.member):
        _admit(raw["Condition"][one.member], one.key, keys[one.key.lower()].texts)
        _keep_audience(raw["Condition"], one, token, wanted["Condition"]["StringEquals"])


def _admit(condition: dict[str, Any], key: str, texts: tuple[str, ...]) -> None:
    """Replace a single value by the token's; add it to values that other workloads may use.

    Those are a list, and the `azp` of the same account's tokens from another source.
    """
    found = condition[key]
    listed = found if isinstance(found, list) else [found]
    is_other_source = key.lower().endswith(":aud") and any(
        why_it_differs(texts[0], str(one)) for one in listed
    )
    if len(listed) > 1 or is_other_source:
        condition[key] = [*listed, *texts]
    else:
        condition[key] = texts[0] if len(texts) == 1 else [*texts]


def _keep_audience(
    conditions: Any, changed: Difference, token: IdToken, wanted: Mapping[str, str]
) -> None:
    """Keep the audience that was compared with `azp`."""
    named = {key.lower() for keys in conditions.values() for key in keys}
    if _AUDIENCE in {*wanted} - named and {*changed.values} & {*token.audience}:
        conditions.setdefault("StringEquals", {})[_AUDIENCE] = wanted[_AUDIENCE]


def _pin(statement: dict[str, Any], wanted: Mapping[str, str], *, all_keys: bool) -> None:
    """Pin the subject, so that a correction admits no other identity of the issuer.

    Args:
        statement: The corrected statement.
        wanted: Value of each key that a statement for the token pins.
        all_keys: Whether the statement has admitted no token of the issuer until now, so that no
            other workload needs it without the other keys.
    """
    missing = {
        one.rule.removeprefix("missing-")
        for one in policy.lint(policy.policy_of(statement))
        if one.severity == "error"
    }
    for key, value in wanted.items():
        name = key.rpartition(":")[2]
        if (all_keys or name == "sub") and missing & {name, "no-condition"}:
            statement.setdefault("Condition", {}).setdefault("StringEquals", {})[key] = value


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
