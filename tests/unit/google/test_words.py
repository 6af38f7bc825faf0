"""What the library says where Google is not reached, or refuses in words that hold AWS's name."""

from __future__ import annotations

import json

import pytest
from google.auth.exceptions import TransportError

from gcp_aws_bridge import google
from gcp_aws_bridge._cache.clock import utc_now
from gcp_aws_bridge.google import Federation, _errors, _network_errors
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
        found = _errors.exchange(Federation(AUDIENCE), error, transport, utc_now())
    assert "exchange/google-token" == found.error_id


class SSLError(Exception):
    """An error with the name of one of requests and urllib3."""


class ProxyError(Exception):
    """An error with the name of one of requests."""


class ConnectTimeout(Exception):
    """An error with the name of one of requests."""


class ConnectionError(Exception):
    """What requests wraps most errors of urllib3 in."""


POOL = "HTTPSConnectionPool(host='sts.googleapis.com', port=443): Max retries exceeded (Caused by "
VERIFY = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


@pytest.mark.parametrize(
    ("cause", "says", "retryable"),
    [
        (SSLError(f"{POOL}{VERIFY}unable to get local issuer certificate)"), "not trusted", False),
        (SSLError(f"{POOL}{VERIFY}Hostname mismatch)"), "for another name", False),
        (SSLError(f"{POOL}[SSL: BAD_RECORD_MAC] bad record mac)"), "record arrived damaged", True),
        (SSLError(f"{POOL}[SSL: WRONG_VERSION_NUMBER])"), "does not speak TLS", True),
        (OSError("Could not find a suitable TLS CA certificate bundle"), "no file of", False),
        (ProxyError(f"{POOL}OSError('Tunnel connection failed: 403'))"), "The proxy", True),
        (ConnectionError(f"{POOL}NameResolutionError('Failed to resolve'))"), "not resolve", True),
        (ConnectTimeout(f"{POOL}ConnectTimeoutError())"), "no answer in time", True),
        (ConnectionError(f"{POOL}NewConnectionError('refused'))"), "refused or closed", True),
        (ConnectionError("Something new"), "not known to gcp-aws-bridge", True),
    ],
    ids=lambda it: str(it)[-30:],
)
def test_each_fault_on_the_way_has_its_own_words(
    cause: Exception, says: str, retryable: bool
) -> None:
    found = _network_errors.not_reached(Federation(AUDIENCE), TransportError(cause))
    assert ("exchange/google-unreachable", retryable) == (found.error_id, found.retryable)
    assert says in str(found)
    assert ("egress" in found.fix) is (
        says in ("not resolve", "no answer in time", "refused or closed")
    )
    assert "{" not in found.fix


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (f"{VERIFY}certificate has expired)", "compare `date -u`"),
        ("[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate)", "correct REQUESTS_CA_BUNDLE"),
        (f"{VERIFY}Hostname mismatch)", "check the token_url"),
    ],
)
def test_fix_of_a_tls_failure_fits_its_cause(text: str, fix: str) -> None:
    cause = TransportError(SSLError(f"{POOL}{text}"))
    found = _network_errors.not_reached(Federation(AUDIENCE), cause)
    assert fix in found.fix
    assert "AWS" not in found.fix
