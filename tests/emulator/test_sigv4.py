"""Signature Version 4: AWS's own examples, botocore's signatures, and what tampering does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.message import Message

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from gcp_aws_bridge.emulator import Key, ManualClock
from gcp_aws_bridge.emulator.accounts import Caller
from gcp_aws_bridge.emulator.answers import AwsError
from gcp_aws_bridge.emulator.sigv4 import SignedRequest, verify

FORM = "Action=GetCallerIdentity&Version=2011-06-15"


class TestPublishedExamples:
    """AWS's "Signature Version 4 test suite": one key, one instant, known signatures."""

    KEY = Key(
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        None,
        None,
        Caller("arn:aws:iam::123456789012:user/x", "AIDAX", "123456789012", "aws"),
    )
    NOW = datetime(2015, 8, 30, 12, 36, tzinfo=timezone.utc)

    def verify(self, method: str, query: str, signature: str, extra=(), path: str = "/") -> Key:
        headers = Message()
        headers["Host"] = "example.amazonaws.com"
        headers["X-Amz-Date"] = "20150830T123600Z"
        names = ["host", "x-amz-date"]
        for name, value in extra:
            headers[name] = value
            names.append(name.lower())
        headers["Authorization"] = (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders={';'.join(sorted(set(names)))}, Signature={signature}"
        )
        return verify(
            SignedRequest(method, path, query, headers, b""),
            service="service",
            find_key={"AKIDEXAMPLE": self.KEY}.get,
            now=self.NOW,
            max_skew_s=300,
        )

    @pytest.mark.parametrize(
        ("method", "query", "signature"),
        [
            ("GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ],
    )
    def test_known_signatures(self, method, query, signature):
        assert self.verify(method, query, signature) is self.KEY
        with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
            self.verify("PUT", query, signature)


@pytest.fixture
def signed(emulator, raw, credentials):
    """Send a request that botocore has signed, changed on the way."""

    def post(
        *,
        body: str = FORM,
        secret: str | None = None,
        token: str | None = "",
        service: str = "sts",
        region: str = "eu-west-1",
        change=lambda request: None,
        sent: str | None = None,
        method: str = "POST",
        path: str = "/",
        headers: dict[str, str] | None = None,
    ):
        keys = botocore.credentials.Credentials(
            credentials["AccessKeyId"],
            secret or credentials["SecretAccessKey"],
            credentials["SessionToken"] if token == "" else token,
        )
        request = botocore.awsrequest.AWSRequest(
            method=method,
            url=emulator.sts.url + path,
            data=body if method == "POST" else None,
            headers={"Content-Type": "application/x-www-form-urlencoded", **(headers or {})},
        )
        botocore.auth.SigV4Auth(keys, service, region).add_auth(request)
        change(request)
        prepared = {name: str(value) for name, value in request.headers.items()}
        return raw(
            emulator.sts,
            path,
            method=method,
            headers={**prepared, "Host": f"127.0.0.1:{emulator.sts.port}"},
            body=(sent or body) if method == "POST" else None,
        )

    return post


def set_header(name: str, value: str | None):
    def change(request) -> None:
        del request.headers[name]
        if value is not None:
            request.headers[name] = value

    return change


def in_authorization(old: str, new: str):
    def change(request) -> None:
        value = request.headers["Authorization"]
        assert old in value
        del request.headers["Authorization"]
        request.headers["Authorization"] = value.replace(old, new)

    return change


def test_what_botocore_signs_is_good(signed):
    assert signed().status == 200
    assert signed(region="us-gov-east-1").status == 200
    assert signed(headers={"X-Amz-Extra": "  two   spaces "}).status == 200


def test_a_get_is_good_too(signed):
    assert signed(method="GET", path=f"/?{FORM}&Odd=a%20b%2Fc~&Empty=").status == 200
    assert signed(method="GET", path=f"/?Z=1&{FORM}&A=%C3%A9").status == 200


def test_a_body_changed_on_the_way(signed):
    answer = signed(sent=FORM + "&x=1")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert answer.message.startswith("The request signature we calculated does not match")


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        (set_header("Authorization", None), 403, "MissingAuthenticationToken", "is missing"),
        (set_header("Authorization", "Bearer x"), 400, "IncompleteSignature", "'Bearer'"),
        (
            set_header("Authorization", "AWS4-HMAC-SHA256 "),
            400,
            "IncompleteSignature",
            "'Credential' parameter. Authorization header requires 'SignedHeaders'",
        ),
        (in_authorization("Signature=", "Sig="), 400, "IncompleteSignature", "'Signature'"),
        (in_authorization("/aws4_request", ""), 400, "IncompleteSignature", "slash-delimited"),
        (in_authorization("aws4_request", "aws5_request"), 403, "SignatureDoesNotMatch", "term"),
        (in_authorization("eu-west-1", "nowhere"), 403, "SignatureDoesNotMatch", "valid region"),
        (in_authorization("eu-west-1", "eu-west-2"), 403, "SignatureDoesNotMatch", "calculated"),
        (in_authorization("/20", "/19"), 403, "SignatureDoesNotMatch", "Date in Credential"),
        (in_authorization("host;", ""), 403, "SignatureDoesNotMatch", "'host' must be"),
        (
            in_authorization(";x-amz-security-token", ""),
            403,
            "SignatureDoesNotMatch",
            "'x-amz-security-token' must be",
        ),
        (set_header("X-Amz-Target", "x"), 403, "SignatureDoesNotMatch", "'x-amz-target' must"),
        (set_header("X-Amz-Date", None), 400, "IncompleteSignature", "X-Amz-Date"),
        (set_header("X-Amz-Date", "yesterday"), 400, "IncompleteSignature", "X-Amz-Date"),
        (in_authorization("ASIA", "ASIB"), 403, "InvalidClientTokenId", "is invalid"),
        (set_header("X-Amz-Security-Token", "x"), 403, "InvalidClientTokenId", "is invalid"),
        (set_header("Content-Type", "text/plain"), 403, "SignatureDoesNotMatch", "calculated"),
    ],
)
def test_a_header_changed_on_the_way(signed, change, status, code, words):
    def path_as_query(request):
        change(request)

    answer = signed(method="POST", path=f"/?{FORM}", body="", change=path_as_query)
    assert (answer.status, answer.code) == (status, code)
    assert words in answer.message


def test_a_wrong_secret(signed):
    assert signed(secret="x" * 40).code == "SignatureDoesNotMatch"


def test_a_token_left_out_or_made_up(signed):
    assert signed(token=None).code == "InvalidClientTokenId"
    assert signed(token="made-up").code == "InvalidClientTokenId"


def test_another_service(signed):
    answer = signed(service="s3")
    assert (answer.code, answer.message) == (
        "SignatureDoesNotMatch",
        "Credential should be scoped to correct service: 'sts'. ",
    )


@pytest.mark.parametrize(
    ("off_s", "words"),
    [(302, "Signature expired: "), (-302, "Signature not yet current: ")],
)
def test_five_minutes_and_no_more(emulator, signed, off_s, words):
    now = datetime.now(timezone.utc)
    emulator.clock = ManualClock(now + timedelta(seconds=off_s))
    answer = signed()
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert answer.message.startswith(words)
    assert answer.message.endswith("5 min.)")
    emulator.clock = ManualClock(now + timedelta(seconds=off_s * 0.95))
    assert signed().status == 200


def test_more_can_be_tolerated(emulator, signed):
    emulator.clock = ManualClock(datetime.now(timezone.utc) + timedelta(minutes=30))
    assert signed().code == "SignatureDoesNotMatch"
    emulator.sts.max_skew_s = 3600
    assert signed().status == 200
    emulator.reset()
    assert emulator.sts.max_skew_s == 300


def test_an_expired_key(emulator, signed):
    emulator.sts.max_skew_s = 1e6
    emulator.clock = clock = ManualClock()
    clock.advance(3598)
    assert signed().status == 200
    clock.advance(3)
    answer = signed()
    assert (answer.status, answer.code, answer.message) == (
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
    )


def test_a_revoked_key(emulator, signed, credentials):
    emulator.revoke(credentials["AccessKeyId"])
    assert signed().code == "InvalidClientTokenId"
    with pytest.raises(KeyError):
        emulator.revoke(credentials["AccessKeyId"])
