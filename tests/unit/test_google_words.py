"""What the library says where Google is not reached, or refuses in words that hold AWS's name."""

from __future__ import annotations

import json

import pytest

from gcp_aws_bridge import google
from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge.google import Federation, _refusals
from gcp_aws_bridge.google._transport import Transport

AUDIENCE = "projects/123456789012/locations/global/workloadIdentityPools/aws/providers/eks"


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authority.pem")
    with pytest.raises(Exception, match="REQUESTS_CA_BUNDLE") as caught:
        google.credentials(AUDIENCE).refresh()
    assert "exchange/google-unreachable" in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "The issuer in ID Token https://oidc.eks.us-east-1.amazonaws.com/id/X does not match",
        'Invalid value for "subject_token_type": urn:ietf:params:aws:token-type:aws4_request',
    ],
)
def test_an_issuer_of_aws_is_not_aws_saying_no(said: str) -> None:
    error = ValueError("", json.dumps({"error": "invalid_grant", "error_description": said}))
    with Transport() as transport:
        found = _refusals.exchange(Federation(AUDIENCE), error, transport, utc_now())
    assert "exchange/google-token" == found.error_id
