"""The policy that the doctor prints: it admits the token, and no other identity that was denied."""

from __future__ import annotations

import time
from typing import Any

import pytest
from unit.servers import segment

from gcp_aws_bridge import policy
from gcp_aws_bridge._tokens.id_token import IdToken, claims_of, parse
from gcp_aws_bridge.doctor.differences import compare, corrected
from gcp_aws_bridge.exceptions import ConfigError

from .compare import emulator
from .pairs import ACCOUNT, ISSUERS, Maker


def claims_with_one_audience(made: Maker, issuer: str) -> dict[str, Any]:
    claims = made.claims(issuer)
    audience = claims["aud"]
    return {**claims, "aud": audience[0] if isinstance(audience, list) else audience}


def token_of(claims: dict[str, Any]) -> IdToken:
    now = int(time.time())
    parts = {"alg": "RS256", "kid": "1"}, {**claims, "iat": now, "exp": now + 3600}, "signature"
    return parse(".".join(map(segment, parts)), origin="test")


@pytest.mark.parametrize("seed", range(5))
def test_corrected_policy_admits_no_other_identity(seed: int) -> None:
    made, edited = Maker(seed), 0
    for _ in range(80):
        issuer = made.one(*ISSUERS)
        claims = claims_with_one_audience(made, issuer)
        document, token = made.policy(issuer, claims), token_of(claims)
        try:
            compared = compare(document, token, ACCOUNT)
            wanted = policy.statement_for(claims_of(token), account_id=ACCOUNT)
        except ConfigError:
            continue
        if compared.allowed or compared.is_denied:
            continue
        correction = corrected(document, compared.differences, token, wanted)
        if not compare(correction, token, ACCOUNT).allowed:
            continue  # the doctor prints no command
        edited += 1
        assert "admitted" == emulator(correction, claims_of(token)), (document, correction)
        for other in (claims_with_one_audience(made, issuer) for _ in range(20)):
            if other["sub"] != claims["sub"] and emulator(document, other) != "admitted":
                assert "admitted" != emulator(correction, other), (document, correction, other)
    assert edited > 8
