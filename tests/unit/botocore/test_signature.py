"""What a signature covers, with the canonical requests of AWS's test suite."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any

import pytest
from fakes import credentials
from hypothesis import given
from hypothesis import strategies as st
from unit.servers import failure

from gcp_aws_bridge._botocore import signature
from gcp_aws_bridge._botocore.signature import (
    Scope,
    Unsigned,
    encoded_target,
    headers_to_sign,
    sign,
)
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ConfigError

SERVICE, S3 = Scope("execute-api", "us-east-1"), Scope("s3", "us-east-1")
LATER = datetime(2999, 1, 1, tzinfo=timezone.utc)
URL = "https://bucket.s3.amazonaws.com"


def signed(scope: Scope = SERVICE, **parts: Any) -> dict[str, str]:
    defaults = {"method": "GET", "url": URL, "target": "/", "headers": [], "body": b""}
    whole = {**defaults, **parts}
    whole["headers"] = headers_to_sign(whole["headers"])
    return sign(Unsigned(**whole), scope, credentials(1, LATER))


def names_signed(headers: dict[str, str]) -> set[str]:
    return set(headers["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";"))


@pytest.fixture
def canonical(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the canonical requests that botocore signs."""
    found: list[str] = []
    for signer in (signature.SigV4Auth, signature.S3SigV4Auth):

        def to_sign(self: Any, request: Any, text: str, _of: Any = signer.string_to_sign) -> str:
            found.append(text)
            return str(_of(self, request, text))

        monkeypatch.setattr(signer, "string_to_sign", to_sign)
    return found


# The directories of AWS's test suite for Signature Version 4 (aws-sig-v4-test-suite,
# normalize-path, get-vanilla-query…), with the path and query of their canonical requests.
@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/example/..", "/", ""),
        ("/example1/example2/../..", "/", ""),
        ("/./example", "/example", ""),
        ("//", "/", ""),
        ("//example//", "/example/", ""),
        ("/example space/".replace(" ", "%20"), "/example%2520space/", ""),
        ("/%E1%88%B4", "/%25E1%2588%25B4", ""),
        ("/?Param2=value2&Param1=value1", "/", "Param1=value1&Param2=value2"),
        ("/?Param1=value2&Param1=Value1", "/", "Param1=Value1&Param1=value2"),
        ("/?Param1=value1&Param1=value2", "/", "Param1=value1&Param1=value2"),
        ("/?%E1%88%B4=bar", "/", "%E1%88%B4=bar"),
        ("/?-._~0Az=-._~0Az", "/", "-._~0Az=-._~0Az"),
        ("/?flag", "/", "flag="),
    ],
)
def test_canonical_path_and_query(canonical: list[str], target: str, path: str, query: str) -> None:
    signed(target=encoded_target(target, SERVICE))
    assert [path, query] == canonical[0].split("\n")[1:3]


@pytest.mark.parametrize(
    ("target", "sent", "path"),
    [
        ("/a+b c:d".replace(" ", "%20"), "/a%2Bb%20c%3Ad", "/a%2Bb%20c%3Ad"),
        ("//a//b/", "//a//b/", "//a//b/"),
        ("/a/%2e%2E/b/./c", "/a/%2E%2E/b/./c", "/a/../b/./c"),
        ("/a%2fb", "/a%2Fb", "/a/b"),
        ("/%7Euser", "/~user", "/~user"),
        ("", "/", "/"),
    ],
)
def test_path_of_s3_is_encoded_once_and_not_normalized(
    canonical: list[str], target: str, sent: str, path: str
) -> None:
    assert sent == encoded_target(target, S3)
    signed(S3, target=sent)
    assert path == canonical[0].split("\n")[1]


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
@pytest.mark.parametrize("scope", [SERVICE, S3])
def test_encoding_a_target_again_changes_nothing(scope: Scope, text: str) -> None:
    once = encoded_target(f"/{text}".replace("#", ""), scope)
    assert once == encoded_target(once, scope)


def test_headers_that_proxies_change_are_not_signed() -> None:
    names = ["Host", "Content-Type", "Content-MD5", "X-Amz-Target", "x-amzn-session"]
    others = ["User-Agent", "Accept-Encoding", "Connection", "X-Amzn-Trace-Id", "traceparent"]
    headers = [(name, "value") for name in names + others]
    found = names_signed(signed(headers=headers))
    ours = {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
    assert {name.lower() for name in names} | ours == found


def test_values_of_one_header_are_signed_in_order(canonical: list[str]) -> None:
    signed(headers=[("X-Amz-A", " a   b "), ("x-amz-a", "c")])
    assert "x-amz-a:a b,c" in canonical[0]


@pytest.mark.parametrize("scope", [SERVICE, S3])
@pytest.mark.parametrize("body", [b"body", io.BytesIO(b"body")])
def test_body_is_hashed(scope: Scope, body: Any) -> None:
    digest = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"
    assert digest == signed(scope, method="PUT", body=body)["X-Amz-Content-SHA256"]


@pytest.mark.parametrize("service", ["s3", "s3-object-lambda", "s3-outposts"])
def test_stream_to_s3_is_not_hashed_over_https(service: str) -> None:
    scope = Scope(service, "us-east-1")
    assert "UNSIGNED-PAYLOAD" == signed(scope, body=None)["X-Amz-Content-SHA256"]
    for body in (b"", b"body"):
        assert "UNSIGNED-PAYLOAD" != signed(scope, body=body)["X-Amz-Content-SHA256"]
    with pytest.raises(ConfigError, match="config/signed-body"):
        signed(scope, body=None, url="http://127.0.0.1")


def test_body_for_vpc_lattice_is_never_hashed() -> None:
    scope = Scope("vpc-lattice-svcs", "us-east-1")
    for body in (None, b"body"):
        assert "UNSIGNED-PAYLOAD" == signed(scope, body=body)["X-Amz-Content-SHA256"]


@pytest.mark.parametrize("given_hash", ["", "UNSIGNED-PAYLOAD", "abc", "0" * 63, "A" * 64])
def test_stream_to_another_service_needs_a_hash(given_hash: str) -> None:
    headers = [("x-amz-content-sha256", given_hash)] if given_hash else []
    failure(ConfigError, "config/signed-body", lambda: signed(body=None, headers=headers))
    assert (
        "0" * 64
        == signed(body=None, headers=[("x-amz-content-sha256", "0" * 64)])["X-Amz-Content-SHA256"]
    )


@pytest.mark.parametrize(
    ("service", "region"),
    [
        ("", "us-east-1"),
        ("s3", ""),
        ("s3", "*"),
        ("s3", "us-east-1,us-west-2"),
        ("S3", "us-east-1"),
        (None, "us-east-1"),
        ("es", None),
        ("es\n", "us-east-1"),
        ("execute-api/x", "us-east-1"),
    ],
)
def test_malformed_scope_is_an_error(service: Any, region: Any) -> None:
    failure(ConfigError, "config/signer-scope", lambda: Scope.of(service, region))


def test_error_while_signing_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, *_: Any) -> str:
        raise LookupError(f"with {self.credentials.secret_key}")

    monkeypatch.setattr(signature.SigV4Auth, "signature", broken)
    made = AwsCredentials(
        access_key_id="ASIA1",
        secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        session_token="t" * 200,
        expiration=LATER,
    )
    with pytest.raises(LookupError) as caught:
        sign(Unsigned("GET", URL, "/", [], b""), SERVICE, made)
    assert "wJalr" not in str(caught.value)
    traceback = caught.value.__traceback__
    while traceback:
        assert "wJalr" not in repr(traceback.tb_frame.f_locals.get("keys"))
        assert traceback.tb_frame.f_code.co_name != "add_auth"
        traceback = traceback.tb_next
