"""`lint` beside `check`: what the one calls hopeless the other refuses, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gcp_aws_bridge import policy
from gcp_aws_bridge.policy.conditions import parse
from gcp_aws_bridge.policy.document import statements
from gcp_aws_bridge.policy.linting import _denials, _issuers
from gcp_aws_bridge.policy.possible import Undecided, token_for
from gcp_aws_bridge.policy.vocabulary import ONE_ACCOUNT, vocabulary

from .pairs import GOOGLE, ISSUERS, Maker

# Rules about statements that admit no token,
HOPELESS = {"never-matches", "principal", "action", "denied", "no-allow", "two-accounts"}
MALFORMED = {"not-principal", "unknown-operator", "key-format", "duplicate-key", "duplicate-sid"}
# and of a value that no token has it.
VALUES = {"email", "not-a-number", "not-a-subject", "literal-wildcard"}
# Rules about mistakes that may hide that no token is admitted.
HIDING = {*HOPELESS, *MALFORMED, *VALUES, "absent-key", "empty-list", "audience-in-aud"}
SEEDS = range(10)


def single(made: Maker, issuer: str) -> dict[str, Any]:
    """A policy of one Allow statement with one principal."""
    while True:
        statement = {**made.statement(issuer, made.claims(issuer)), "Effect": "Allow"}
        principal = statement["Principal"]
        if [str] == [*map(type, principal.values() if isinstance(principal, dict) else ())]:
            return {"Version": "2012-10-17", "Statement": [statement]}


def single_valued(document: dict[str, Any]) -> dict[str, Any]:
    """The same with one value in each condition."""
    [statement] = document["Statement"]
    condition = {
        operator: {key: one[:1] if isinstance(one, list) else one for key, one in keys.items()}
        for operator, keys in statement["Condition"].items()
    }
    return {**document, "Statement": [{**statement, "Condition": condition}]}


def claims_of(made: Maker, issuer: str, count: int = 8) -> Iterator[dict[str, Any]]:
    for _ in range(count):
        yield made.claims(issuer)


@pytest.mark.parametrize("seed", SEEDS)
def test_policy_without_matches_for_lint_is_denied_by_check(seed: int) -> None:
    made, hopeless = Maker(seed), 0
    for _ in range(40):
        issuer = made.one(*ISSUERS)
        document = single_valued(single(made, issuer))
        found = {finding.rule for finding in policy.lint(document)}
        if not found & {*HOPELESS, *MALFORMED, *VALUES}:
            continue
        hopeless += 1
        for claims in claims_of(made, issuer):
            decision = policy.evaluate(document, claims)
            assert (False, False) == (decision.allowed, decision.undetermined), (found, document)
    assert hopeless > 3


@pytest.mark.parametrize("seed", SEEDS)
def test_policy_without_findings_admits_some_token(seed: int) -> None:
    made, passed = Maker(seed), 0
    for _ in range(40):
        issuer = made.one(*ISSUERS)
        document = made.policy(issuer, made.claims(issuer))
        if {finding.rule for finding in policy.lint(document)} & HIDING:
            continue
        listed = statements(document)
        for statement in listed:
            if not statement.allows or issuer not in _issuers(statement):
                continue
            tokens = ONE_ACCOUNT if issuer == GOOGLE else vocabulary(issuer)
            denials = _denials(listed, issuer)
            try:
                claims = token_for(issuer, tokens, statement.conditions, denials)
            except Undecided:
                continue
            assert claims is not None, document
            decision = policy.evaluate(document, claims)
            assert decision.allowed or decision.undetermined, (document, claims)
            passed += 1
    assert passed > 3


@pytest.mark.sampled(5)
@pytest.mark.parametrize("seed", SEEDS)
def test_policy_denied_for_every_token_has_a_finding(seed: int) -> None:
    """The token that is said to be admitted is of a form that the issuer's tokens have."""
    made = Maker(seed)
    for _ in range(40):
        issuer = made.one(*ISSUERS)
        document = single(made, issuer)
        [statement] = statements(document)
        if any(not parse(one.operator).base for one in statement.conditions):
            continue
        if _issuers(statement) != [issuer]:
            continue
        try:
            claims = token_for(issuer, vocabulary(issuer), statement.conditions)
        except Undecided:
            continue
        refused = [
            decision
            for token in claims_of(made, issuer, 40)
            if not (decision := policy.evaluate(document, token)).allowed
            and not decision.undetermined
        ]
        if claims is None:
            assert 40 == len(refused)
            assert {finding.rule for finding in policy.lint(document)} & HIDING, document
