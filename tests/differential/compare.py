"""What `gcp_aws_bridge.policy` says of a pair, beside what the emulator's own evaluator says.

A pair is a trust policy, and the claims of an ID token or an AssumeRole request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from gcp_aws_bridge import policy
from gcp_aws_bridge.emulator.accounts import Accounts, Session
from gcp_aws_bridge.emulator.answers import AwsError
from gcp_aws_bridge.emulator.assuming import by_credentials
from gcp_aws_bridge.emulator.call import SignedCall
from gcp_aws_bridge.emulator.clock import real_clock
from gcp_aws_bridge.emulator.issuer import Issuer
from gcp_aws_bridge.emulator.permissions import Permissions
from gcp_aws_bridge.emulator.requestcontext import of_caller
from gcp_aws_bridge.emulator.tokens import Provider, identify
from gcp_aws_bridge.emulator.trust import Principal, TrustPolicy
from gcp_aws_bridge.exceptions import ConfigError

from .pairs import ACCOUNT, AUDIENCES, CLIENT, GOOGLE, ISSUERS, Maker, principal
from .requests import CALLER, CHAINED, OTHER, USER, RequestMaker

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

    def compare(self, document: dict[str, Any], sender: Any) -> None:
        """Compare a policy with claims or with a request."""
        asks = isinstance(sender, policy.AssumeRoleRequest)
        emulated = emulator_of_requests(document, sender) if asks else emulator(document, sender)
        ours = library(document, sender)
        if "left out" in (emulated, ours):
            outcome = "left out"
        else:
            outcome = ours
            if emulated != ours:
                self.disagreements.append(
                    f"emulator: {emulated}, policy: {ours}\n  {document}\n  {sender}"
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


def emulator_of_requests(document: dict[str, Any], request: policy.AssumeRoleRequest) -> str:
    """Return `admitted`, `refused`, `malformed` or `left out`.

    The emulated caller may do everything, so that the trust policy decides.
    """
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    accounts = Accounts(lambda: now)
    anyone = TrustPolicy({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:*"}})
    role, _ = (accounts.add_role(arn, anyone, 3600, "") for arn in (CALLER, OTHER))
    accounts.add_user(USER, ACCOUNT)
    every = '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
    accounts.attach_policy(CALLER, Permissions(every))
    try:
        accounts.add_role(CHAINED, TrustPolicy(document), 3600, "")
    except ValueError as error:
        return "left out" if _LEFT_OUT in str(error) else "malformed"
    inherited = request.inherited_tags
    session = Session(tags=inherited, transitive=frozenset(inherited))
    key = accounts.issue(role, "pod-1", now + timedelta(hours=1), session)
    call = SignedCall(accounts, _parameters(request), of_caller(key), now, "us-east-1", key)
    try:
        by_credentials(call)
    except AwsError as error:
        return "refused" if error.code == "AccessDenied" else error.code
    return "admitted"


def _parameters(request: policy.AssumeRoleRequest) -> dict[str, str]:
    found = {
        "RoleArn": CHAINED,
        "RoleSessionName": request.role_session_name,
        "ExternalId": request.external_id,
        "SourceIdentity": request.source_identity,
    }
    for number, (key, value) in enumerate(request.tags.items(), 1):
        found |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value}
    for number, key in enumerate(request.transitive_tag_keys, 1):
        found[f"TransitiveTagKeys.member.{number}"] = key
    return {name: text for name, text in found.items() if text is not None}


def library(document: dict[str, Any], sender: Any) -> str:
    """Return `admitted`, `refused`, `malformed` or `left out`."""
    try:
        if isinstance(sender, policy.AssumeRoleRequest):
            decision = policy.evaluate_chained(document, sender)
        else:
            decision = policy.evaluate(document, sender, account_id=ACCOUNT)
    except ConfigError:
        return "malformed"
    if decision.malformed:
        return "malformed"
    if decision.undetermined:
        return "left out"
    return "admitted" if decision.allowed else "refused"


def compared(count: int, seed: int) -> Comparison:
    """Compare *count* policies with claims."""
    return _compared(count, Maker(seed).pair)


def compared_requests(count: int, seed: int) -> Comparison:
    """Compare *count* policies with requests."""
    return _compared(count, RequestMaker(seed).asked)


def _compared(count: int, pair: Callable[[], tuple[dict[str, Any], Any]]) -> Comparison:
    found = Comparison()
    for _ in range(count):
        found.compare(*pair())
    return found
