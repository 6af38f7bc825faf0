"""Evaluation of a trust policy for a token, statement by statement.

Source: IAM user guide, "Policy evaluation logic" (an explicit Deny takes precedence; without
an Allow, access is denied), "AWS JSON policy elements: Principal", "NotPrincipal", "Action".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gcp_aws_bridge.exceptions import quoted

from . import claims as _claims
from .claims import Identity
from .conditions import Verdict, covers, judge
from .document import ACTION, Statement, load, statements
from .malformed import faults
from .principals import GOOGLE, federated


@dataclass(frozen=True, slots=True)
class StatementVerdict:
    """Result of one statement for a token.

    Attributes:
        index: Position in the policy, from 0.
        sid: Sid of the statement, or empty.
        effect: `Allow` or `Deny`.
        matched: Whether the statement applies; None if it depends on something that is not
            evaluated.
        reasons: A line for the principal, the action and each condition: `holds: …`, `fails: …`,
            `not evaluated: …`.
    """

    index: int
    sid: str
    effect: str
    matched: bool | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of a policy for a token. `str` is the explanation, in lines.

    Attributes:
        allowed: Whether AWS admits it. False as well if it is not known: see `undetermined`.
        statements: Result of each statement, in the policy's order.
        malformed: Why IAM rejects a role with this policy; empty if it does not.
    """

    allowed: bool
    statements: tuple[StatementVerdict, ...]
    malformed: str = ""

    @property
    def undetermined(self) -> bool:
        """True if the result depends on something that is not evaluated."""
        matched = {(verdict.effect, verdict.matched) for verdict in self.statements}
        if self.allowed or self.malformed or ("Deny", True) in matched:
            return False
        return bool({("Allow", True), ("Allow", None)} & matched)

    def __str__(self) -> str:
        lines = [self._summary()]
        words = {True: "applies", False: "does not apply", None: "may apply"}
        for verdict in self.statements:
            name = f" {quoted(verdict.sid)}" if verdict.sid else ""
            lines.append(
                f"Statement[{verdict.index}]{name} ({verdict.effect}) {words[verdict.matched]}:"
            )
            lines += [f"  {reason}" for reason in verdict.reasons]
        return "\n".join(lines)

    def _summary(self) -> str:
        if self.malformed:
            return f"Denied: IAM rejects a role with this policy: {self.malformed}."
        if self.allowed:
            return "Admitted."
        if self.undetermined:
            return "Not determined: the result depends on something that is not evaluated here."
        if any(one.effect == "Deny" and one.matched for one in self.statements):
            return "Denied: a statement denies it."
        return "Denied: no statement allows it."


def evaluate(
    document: Mapping[str, Any] | str, claims: Mapping[str, Any], *, account_id: str | None = None
) -> Decision:
    """Return whether a role with this trust policy admits the bearer of a token, and why.

    Evaluates only the policy, not the token's signature and expiration, nor whether the account has
    the OIDC provider that the policy names.

    Args:
        document: The policy, as an object or JSON text.
        claims: Claims of the ID token: `iss`, `sub`, `aud` and, if present, `azp`.
        account_id: Account of the role, 12 digits; None: any account in the policy.

    Raises:
        ConfigError: The document is not a trust policy, or the claims are not those of an ID token.
    """
    listed = statements(load(document))
    decision = _decided(listed, _claims.read(claims), account_id)
    if decision.undetermined:
        # The result may be the same whichever of several audiences AWS compares.
        each = [_decided(listed, one, account_id) for one in _claims.read_each(claims)]
        if each and len({(one.allowed, one.undetermined) for one in each}) == 1:
            return each[0]
    return decision


def _decided(listed: Sequence[Statement], identity: Identity, account_id: str | None) -> Decision:
    verdicts = tuple(_verdict(statement, identity, account_id) for statement in listed)
    allows = [verdict.matched for verdict in verdicts if verdict.effect == "Allow"]
    denies = [verdict.matched for verdict in verdicts if verdict.effect == "Deny"]
    allowed = True in allows and all(one is False for one in denies)
    malformed = next(
        (
            f"Statement[{one.index}].{fault.where}: {fault.problem}"
            for one in listed
            for fault in faults(one, listed)
        ),
        "",
    )
    return Decision(allowed and not malformed, verdicts, malformed)


def _verdict(statement: Statement, identity: Identity, account_id: str | None) -> StatementVerdict:
    found = [_principal(statement, identity, account_id), _action(statement)]
    found += [judge(condition, identity) for condition in statement.conditions]
    if statement.allows and identity.further_actions:
        wanted = " and ".join(identity.further_actions)
        found.append(
            (None, f"not evaluated: because of other claims, {wanted} must be allowed as well")
        )
    return StatementVerdict(
        statement.index,
        statement.sid,
        "Allow" if statement.allows else "Deny",
        _all(holds for holds, _ in found),
        tuple(why for _, why in found),
    )


def _all(holds: Iterable[bool | None]) -> bool | None:
    found = {*holds}
    return False if False in found else None if None in found else True


def _principal(statement: Statement, identity: Identity, account_id: str | None) -> Verdict:
    if statement.excepted:
        return False, "fails: NotPrincipal, which IAM prohibits in a trust policy"
    found: list[Verdict] = []
    for kind, name in statement.principals:
        if kind == "*":
            return True, "holds: Principal is *"
        if kind == "AWS" and name == "*":
            why = 'Principal {"AWS": "*"}; IAM does not document whether it matches ID tokens'
            found.append((None, f"not evaluated: {why}"))
        if kind == "Federated":
            found.append(_federated(name, identity, account_id))
    for wanted in (True, None):
        for holds, why in found:
            if holds is wanted:
                return holds, why
    reasons = [why for _, why in found if why]
    return False, reasons[-1] if reasons else f"fails: {_unnamed(identity)}"


def _unnamed(identity: Identity) -> str:
    return f"Principal does not name {quoted(identity.provider)}"


def _federated(name: str, identity: Identity, account_id: str | None) -> Verdict:
    """Return whether one `Federated` principal matches the token."""
    named = federated(name)
    if name == "*":
        return None, "not evaluated: a wildcard in Federated"
    if named.problem:
        return False, f"fails: Principal {quoted(name)}: {named.problem}"
    if named.issuer != identity.provider:
        return False, f"fails: {_unnamed(identity)}"
    if named.account and account_id not in (None, named.account):
        account = f"account {named.account}, not of {account_id}"
        return False, f"fails: Principal names the provider of {account}"
    if named.account and named.issuer == GOOGLE:
        return None, (
            "not evaluated: Principal is an IAM OIDC provider for Google, and matches only if the "
            f"account has one; {GOOGLE} needs none"
        )
    return True, f"holds: Principal names {quoted(name)}"


def _action(statement: Statement) -> Verdict:
    member = "NotAction" if statement.all_but else "Action"
    if covers(statement, ACTION):
        return True, f"holds: {member} covers {ACTION}"
    return False, f"fails: {member} is {quoted(', '.join(statement.actions))}, not {ACTION}"
