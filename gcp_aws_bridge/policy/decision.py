"""Evaluation of a trust policy for a token or an AssumeRole request, statement by statement.

Source: IAM user guide, "Policy evaluation logic" (an explicit Deny takes precedence; without
an Allow, access is denied), "AWS JSON policy elements: Principal", "NotPrincipal", "Action".
A request that passes tags or a source identity needs several actions, each from some statement.
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
from .request import AssumeRoleRequest, Caller


@dataclass(frozen=True, slots=True)
class StatementVerdict:
    """Result of one statement for a token or a request.

    Attributes:
        index: Position in the policy, from 0.
        sid: Sid of the statement, or empty.
        effect: `Allow` or `Deny`.
        matched: Whether the statement applies; None if it depends on something that is not
            evaluated.
        reasons: A line for the principal, each action and each condition: `holds: …`,
            `fails: …`, `not evaluated: …`.
        actions: Required actions that the statement covers.
    """

    index: int
    sid: str
    effect: str
    matched: bool | None
    reasons: tuple[str, ...]
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of a policy for a token or a request. `str` is the explanation, in lines.

    Attributes:
        allowed: Whether AWS admits it. False as well if it is not known: see `undetermined`.
        statements: Result of each statement, in the policy's order.
        malformed: Why IAM rejects a role with this policy; empty if it does not.
        denied_actions: Required actions that the policy does not allow.
    """

    allowed: bool
    statements: tuple[StatementVerdict, ...]
    malformed: str = ""
    denied_actions: tuple[str, ...] = ()

    @property
    def undetermined(self) -> bool:
        """True if the result depends on something that is not evaluated."""
        return not (self.allowed or self.malformed or self.denied_actions)

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
        what = " and ".join(self.denied_actions)
        return f"Denied: no statement allows {'it' if what == ACTION else what}."


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


def evaluate_chained(document: Mapping[str, Any] | str, request: AssumeRoleRequest) -> Decision:
    """Return whether a chained role with this trust policy admits a request, and why.

    Evaluates only the trust policy. The caller's own permissions must allow the request too, if the
    role is in another account, or if the policy names the caller's account instead of its role.

    Args:
        document: The policy, as an object or JSON text.
        request: The request.

    Raises:
        ConfigError: The document is not a trust policy.
    """
    return _decided(statements(load(document)), Caller.of(request), None)


def _decided(
    listed: Sequence[Statement], sender: Identity | Caller, account_id: str | None
) -> Decision:
    verdicts = tuple(_verdict(statement, sender, account_id) for statement in listed)
    outcomes = {action: _outcome(action, verdicts) for action in _required(sender)}
    malformed = next(
        (
            f"Statement[{one.index}].{fault.where}: {fault.problem}"
            for one in listed
            for fault in faults(one, listed)
        ),
        "",
    )
    return Decision(
        all(outcomes.values()) and not malformed,
        verdicts,
        malformed,
        tuple(action for action, allowed in outcomes.items() if allowed is False),
    )


def _required(sender: Identity | Caller) -> tuple[str, ...]:
    """Return the actions that the policy must allow."""
    return sender.actions if isinstance(sender, Caller) else (ACTION,)


def _outcome(action: str, verdicts: Sequence[StatementVerdict]) -> bool | None:
    """Return whether the policy allows one action."""
    found = [one for one in verdicts if action in one.actions]
    allows = {one.matched for one in found if one.effect == "Allow"}
    denies = {one.matched for one in found if one.effect == "Deny"}
    if True in denies or not allows & {True, None}:
        return False
    return True if True in allows and denies <= {False} else None


def _verdict(
    statement: Statement, sender: Identity | Caller, account_id: str | None
) -> StatementVerdict:
    required = _required(sender)
    covered = tuple(action for action in required if covers(statement, action))
    if isinstance(sender, Caller):
        found = [_aws_principal(statement, sender)]
    else:
        found = [_principal(statement, sender, account_id)]
    found += [judge(condition, sender) for condition in statement.conditions]
    if statement.allows and isinstance(sender, Identity) and sender.further_actions:
        wanted = " and ".join(sender.further_actions)
        found.append(
            (None, f"not evaluated: because of other claims, {wanted} must be allowed as well")
        )
    # A statement that covers one of several required actions applies to that action.
    matched = _all([bool(covered), *(holds for holds, _ in found)])
    found[1:1] = [_action(statement, action) for action in required]
    return StatementVerdict(
        statement.index,
        statement.sid,
        "Allow" if statement.allows else "Deny",
        matched,
        tuple(why for _, why in found),
        covered,
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


def _aws_principal(statement: Statement, caller: Caller) -> Verdict:
    """Return whether the `AWS` principals match the caller, a session of a role."""
    if statement.excepted:
        return False, "fails: NotPrincipal, which IAM prohibits in a trust policy"
    names = {"*", caller.arn, caller.account, caller.root}
    principals = [name for kind, name in statement.principals if kind in ("AWS", "*")]
    for name in principals:
        if name in names:
            return True, f"holds: Principal names {quoted(name, 2048)}"
    for name in principals:
        if name.startswith(caller.sessions):
            return None, f"not evaluated: whether {quoted(name, 2048)} is the caller's session"
    return False, f"fails: Principal does not name {quoted(caller.arn, 2048)}"


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


def _action(statement: Statement, action: str) -> Verdict:
    member = "NotAction" if statement.all_but else "Action"
    if covers(statement, action):
        return True, f"holds: {member} covers {action}"
    return False, f"fails: {member} is {quoted(', '.join(statement.actions))}, not {action}"
