"""What `gcp_aws_bridge.policy` says of a pair, beside what the emulator's own evaluator says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gcp_aws_bridge import policy
from gcp_aws_bridge.emulator.answers import AwsError
from gcp_aws_bridge.emulator.clock import real_clock
from gcp_aws_bridge.emulator.issuer import Issuer
from gcp_aws_bridge.emulator.tokens import Provider, identify
from gcp_aws_bridge.emulator.trust import Principal, TrustPolicy
from gcp_aws_bridge.exceptions import ConfigError

from .pairs import ACCOUNT, AUDIENCES, CLIENT, GOOGLE, ISSUERS, Maker, principal

# No page of IAM decides whether it rejects other values: the emulator does.
_LEFT_OUT = 'must be "true" or "false"'


def _provider(issuer: str) -> Provider:
    ids = None if issuer == GOOGLE else frozenset((*AUDIENCES, CLIENT))
    return Provider(Issuer(f"https://{issuer}", real_clock), frozenset({principal(issuer)}), ids)


_PROVIDERS = {issuer: _provider(issuer) for issuer in ISSUERS}


@dataclass
class Comparison:
    """Pairs that were compared, by what came of them, and those on which the two disagree."""

    outcomes: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)

    def compare(self, document: dict[str, Any], claims: dict[str, Any]) -> None:
        emulated, ours = emulator(document, claims), library(document, claims)
        if "left out" in (emulated, ours):
            outcome = "left out"
        else:
            outcome = ours
            if emulated != ours:
                self.disagreements.append(
                    f"emulator: {emulated}, policy: {ours}\n  {document}\n  {claims}"
                )
        self.outcomes[outcome] += 1


def emulator(document: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return `admitted`, `refused`, `malformed` or `left out`."""
    try:
        trust = TrustPolicy(document)
    except ValueError as error:
        return "left out" if _LEFT_OUT in str(error) else "malformed"
    provider = _PROVIDERS[claims["iss"].rpartition("://")[2]]
    try:
        identity = identify(claims, provider)
    except AwsError:
        return "left out"
    context = {
        **identity.context,
        "aws:federatedprovider": (max(provider.names, key=len),),
        "sts:rolesessionname": ("etl",),
    }
    allowed = trust.allows(
        "sts:AssumeRoleWithWebIdentity", Principal("Federated", provider.names), context
    )
    return "admitted" if allowed else "refused"


def library(document: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return `admitted`, `refused`, `malformed` or `left out`."""
    try:
        decision = policy.evaluate(document, claims, account_id=ACCOUNT)
    except ConfigError:
        return "malformed"
    if decision.malformed:
        return "malformed"
    if decision.undetermined:
        return "left out"
    return "admitted" if decision.allowed else "refused"


def compared(count: int, seed: int) -> Comparison:
    """Compare *count* pairs."""
    made, found = Maker(seed), Comparison()
    for _ in range(count):
        found.compare(*made.pair())
    return found
