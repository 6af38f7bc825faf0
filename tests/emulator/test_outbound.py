"""GetWebIdentityToken: botocore's client, the claims, and the tokens at Google."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from gcp_aws_bridge.emulator import ManualClock
from gcp_aws_bridge.emulator.jws import decode

ROLE = "arn:aws:iam::123456789012:role/etl"
ABOUT = "https://sts.amazonaws.com/"


def asking(client):
    """The client, if this botocore is new enough to know the action."""
    if not hasattr(client, "get_web_identity_token"):
        pytest.skip("botocore has no GetWebIdentityToken")
    return client


@pytest.fixture
def ask(emulator, credentials, sts_client):
    emulator.allow(ROLE, "sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken")
    client = asking(sts_client(credentials))

    def get(**changes):
        asked = {"Audience": ["https://a.example"], "SigningAlgorithm": "RS256", **changes}
        return client.get_web_identity_token(
            **{name: value for name, value in asked.items() if value is not None}
        )

    return get


def refused(ask, code, words, **changes):
    with pytest.raises(ClientError) as error:
        ask(**changes)
    assert code == error.value.response["Error"]["Code"]
    assert words in error.value.response["Error"]["Message"]


def test_a_token_says_who_calls(emulator, ask, credentials):
    issuer = emulator.enable_outbound_federation()
    assert issuer.endswith(".tokens.sts.global.api.aws")
    found = ask()
    claims = dict(decode(found["WebIdentityToken"]).claims)
    assert claims.pop("exp") - claims["iat"] == 300
    assert (
        timedelta(0)
        <= found["Expiration"] - datetime.fromtimestamp(claims.pop("iat"), timezone.utc)
        <= timedelta(seconds=300)
    )
    assert claims.pop("jti") != decode(ask()["WebIdentityToken"]).claims["jti"]
    ends = credentials["Expiration"].astimezone(timezone.utc)
    assert claims == {
        "aud": "https://a.example",
        "iss": issuer,
        "sub": ROLE,
        ABOUT: {
            "aws_account": "123456789012",
            "original_session_exp": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "principal_id": ROLE,
            "source_region": "us-east-1",
        },
    }


def test_a_users_token_has_no_session(emulator, sts_client):
    emulator.enable_outbound_federation()
    key = emulator.add_user("bob")
    emulator.allow(key.caller.arn, "sts:GetWebIdentityToken")
    client = asking(
        sts_client({"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key})
    )
    token = client.get_web_identity_token(Audience=["a"], SigningAlgorithm="RS256")
    claims = decode(token["WebIdentityToken"]).claims
    assert claims["sub"] == key.caller.arn
    assert "original_session_exp" not in claims[ABOUT]


def test_audiences_and_tags_go_along(emulator, ask):
    emulator.enable_outbound_federation()
    audiences = [f"https://{number}.example" for number in range(10)]
    found = ask(Audience=audiences, DurationSeconds=60, Tags=[{"Key": "job", "Value": "7"}])
    claims = decode(found["WebIdentityToken"]).claims
    assert audiences == claims["aud"]
    assert claims["exp"] - claims["iat"] == 60
    assert claims[ABOUT]["request_tags"] == {"job": "7"}


def test_an_account_must_let_tokens_out(emulator, ask):
    emulator.enable_outbound_federation("210987654321")
    refused(ask, "OutboundWebIdentityFederationDisabledException", "is disabled")


def test_each_account_has_an_issuer_of_its_own(emulator):
    first = emulator.enable_outbound_federation()
    assert first == emulator.enable_outbound_federation()
    assert first != emulator.enable_outbound_federation("210987654321")


def test_a_token_does_not_outlive_the_session(emulator, ask, credentials):
    emulator.enable_outbound_federation()
    emulator.sts.max_skew_s = 1e6
    emulator.clock = ManualClock(credentials["Expiration"] - timedelta(seconds=299))
    refused(ask, "SessionDurationEscalationException", "beyond its original expiration time")
    assert ask(DurationSeconds=299)["WebIdentityToken"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Audience": []}, "'audience'"),
        ({"Audience": ["a"] * 11}, "'audience'"),
        ({"Audience": ["a" * 1001]}, "'audience'"),
        ({"SigningAlgorithm": None}, "'signingAlgorithm'"),
        ({"SigningAlgorithm": "HS256"}, "one of RS256, ES384"),
        ({"SigningAlgorithm": "ES384"}, "does not support ES384"),
        ({"DurationSeconds": 59}, "'durationSeconds'"),
        ({"DurationSeconds": 3601}, "'durationSeconds'"),
        ({"Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}, "'tags'"),
        ({"Tags": [{"Key": "k" * 129, "Value": "v"}]}, "'tags.1.member.key'"),
        ({"Tags": [{"Key": "k", "Value": "v" * 257}]}, "'tags.1.member.value'"),
    ],
)
def test_bounds_are_those_of_the_reference(emulator, ask, changes, words):
    emulator.enable_outbound_federation()
    refused(ask, "ValidationError", words, **changes)


def test_google_takes_what_aws_lets_out(emulator, ask, raw):
    issuer = emulator.enable_outbound_federation()
    provider = emulator.add_google_provider_for_oidc(
        issuer,
        attribute_mapping={
            "google.subject": "assertion.sub",
            "attribute.account": f"assertion['{ABOUT}'].aws_account",
        },
        attribute_condition=f"assertion['{ABOUT}'].aws_account == '123456789012'",
    )
    body = {
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": provider.audience,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectToken": ask(Audience=[f"https:{provider.audience}"])["WebIdentityToken"],
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
    }
    answer = raw(
        emulator.google_sts,
        "/v1/token",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body),
    )
    found = json.loads(answer.body)
    assert found["expires_in"] <= 300
    identity = emulator.google_identity(found["access_token"])
    assert identity.principal == provider.principal(ROLE)
    assert provider.principal_set("attribute.account", "123456789012") in identity.principal_sets


def test_keys_are_published(emulator, raw):
    emulator.enable_outbound_federation()
    document = json.loads(raw(emulator.issuer, "/1/.well-known/openid-configuration").body)
    assert document["issuer"] == emulator.enable_outbound_federation()
