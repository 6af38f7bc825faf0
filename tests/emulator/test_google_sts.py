"""Google's STS accepts requests of google-auth, and its errors are those of Google."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import google.auth.aws
import google.auth.exceptions
import google.auth.identity_pool
import google.auth.transport.requests
import pytest

from gcp_aws_bridge.emulator import Fault, ManualClock

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
AWS4 = "urn:ietf:params:aws:token-type:aws4_request"
JWT = "urn:ietf:params:oauth:token-type:jwt"
QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
ISSUER = "https://cluster.example/1"


@pytest.fixture
def key(emulator):
    """Credentials of the role, as a Lambda function has them."""
    emulator.add_role(ROLE, emulator.trust_policy_for_service("lambda.amazonaws.com"))
    return emulator.key(emulator.lambda_environ(ROLE, "run")["AWS_ACCESS_KEY_ID"])


@pytest.fixture
def provider(emulator):
    return emulator.add_aws_provider(ACCOUNT)


def signed(key, audience, *, region="us-east-1", host=None, url=None, sign=(), change=lambda d: d):
    """The subject token of a request that botocore has signed, changed on the way."""
    host = host or f"sts.{region}.amazonaws.com"
    url = url or f"https://{host}?{QUERY}"
    headers = {name: audience for name in sign}
    request = botocore.awsrequest.AWSRequest("POST", url, headers=headers)
    credentials = botocore.credentials.Credentials(
        key.access_key_id, key.secret_access_key, key.session_token
    )
    botocore.auth.SigV4Auth(credentials, "sts", region).add_auth(request)
    found = {**dict(request.headers), "host": host, "x-goog-cloud-target-resource": audience}
    document = {
        "url": url,
        "method": "POST",
        "headers": [{"key": name, "value": value} for name, value in found.items()],
    }
    return quote(json.dumps(change(document)))


@pytest.fixture
def trade(emulator, raw):
    """POST a token exchange; a parameter of `None` is left out. Returns status and body."""

    def post(token, target, kind=AWS4, **changes):
        form = {
            "grant_type": GRANT,
            "audience": target,
            "scope": SCOPE,
            "requested_token_type": ACCESS_TOKEN,
            "subject_token": token,
            "subject_token_type": kind,
            **changes,
        }
        body = urlencode({name: value for name, value in form.items() if value is not None})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = raw(emulator.google_sts, "/v1/token", method="POST", headers=headers, body=body)
        return answer.status, json.loads(answer.body)

    return post


def refused(answer, code, words):
    status, body = answer
    assert (400, code) == (status, body["error"])
    assert words in body["error_description"]


class TestGoogleAuth:
    @pytest.fixture
    def request_(self):
        with google.auth.transport.requests.requests.Session() as session:
            yield google.auth.transport.requests.Request(session)

    def test_trades_credentials_of_the_environment(
        self, emulator, key, provider, request_, monkeypatch
    ):
        for name, value in emulator.lambda_environ(ROLE, "run").items():
            monkeypatch.setenv(name, value)
        credentials = google.auth.aws.Credentials.from_info(
            emulator.external_account(provider), scopes=[SCOPE]
        )
        credentials.refresh(request_)
        found = emulator.google_identity(credentials.token)
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/run"
        assert provider.principal(arn) == found.principal
        assert provider.principal_set("attribute.aws_role", arn.removesuffix("/run")) in (
            found.principal_sets
        )
        assert frozenset({SCOPE}) == found.scopes
        assert found.email is None
        assert credentials.token not in repr(found)

    def test_trades_credentials_of_an_instance(self, emulator, provider, request_, monkeypatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
        emulator.add_role(ROLE, emulator.trust_policy_for_service("ec2.amazonaws.com"))
        emulator.ec2_environ(ROLE)
        credentials = google.auth.aws.Credentials.from_info(
            emulator.external_account(provider), scopes=[SCOPE]
        )
        credentials.refresh(request_)
        found = emulator.google_identity(credentials.token)
        assert found.principal.endswith("assumed-role/etl/i-0123456789abcdef0")

    def test_trades_a_file(self, emulator, request_, tmp_path):
        provider = emulator.add_google_provider_for_oidc(ISSUER)
        path = tmp_path / "token"
        path.write_text(provider.mint("system:serviceaccount:a:b"))
        credentials = google.auth.identity_pool.Credentials.from_info(
            emulator.external_account(provider, source="file", file=path), scopes=[SCOPE]
        )
        credentials.refresh(request_)
        found = emulator.google_identity(credentials.token)
        assert provider.principal("system:serviceaccount:a:b") == found.principal

    def test_says_what_google_says(self, emulator, key, provider, request_, monkeypatch):
        for name, value in emulator.lambda_environ(ROLE, "run").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "another")
        credentials = google.auth.aws.Credentials.from_info(
            emulator.external_account(provider), scopes=[SCOPE]
        )
        with pytest.raises(google.auth.exceptions.OAuthError) as error:
            credentials.refresh(request_)
        assert (
            "Error code invalid_grant: Received invalid AWS response of type InvalidClientTokenId "
            "with error message: The security token included in the request is invalid."
        ) == error.value.args[0]


class TestAws:
    def test_an_answer_is_googles(self, emulator, key, provider, trade):
        status, body = trade(signed(key, provider.audience), provider.audience)
        assert status == 200
        assert body.pop("access_token").startswith("ya29.d.")
        assert body == {
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    def test_json_is_taken_as_well(self, emulator, key, provider, raw):
        body = {
            "grantType": GRANT,
            "audience": provider.audience,
            "scope": SCOPE,
            "requestedTokenType": ACCESS_TOKEN,
            "subjectToken": signed(key, provider.audience),
            "subjectTokenType": AWS4,
        }
        headers = {"Content-Type": "application/json"}
        answer = raw(
            emulator.google_sts,
            "/v1/token",
            method="POST",
            headers=headers,
            body=json.dumps(body),
        )
        assert answer.status == 200
        bad = raw(emulator.google_sts, "/v1/token", method="POST", headers=headers, body="[")
        assert json.loads(bad.body)["error"] == "invalid_request"

    @pytest.mark.parametrize(
        "request_",
        [
            {"host": "sts.amazonaws.com"},
            {"region": "eu-west-1"},
            {"region": "us-gov-west-1"},
            {"url": f"https://sts.us-east-1.amazonaws.com/?{QUERY}"},
            {
                "url": "https://sts.us-east-1.amazonaws.com?Version=2011-06-15"
                "&Action=GetCallerIdentity"
            },
            {"sign": ("x-goog-cloud-target-resource",)},
        ],
    )
    def test_every_documented_form_is_taken(self, key, provider, trade, request_):
        assert trade(signed(key, provider.audience, **request_), provider.audience)[0] == 200

    def test_the_target_may_have_a_scheme(self, key, provider, trade):
        token = signed(key, f"https:{provider.audience}")
        assert trade(token, provider.audience)[0] == 200

    @pytest.mark.parametrize(
        ("request_", "words"),
        [
            ({"url": f"http://sts.us-east-1.amazonaws.com?{QUERY}"}, "the URL is not"),
            ({"url": f"https://sts.us-east-1.amazonaws.com.evil.example?{QUERY}"}, "the URL is"),
            ({"url": f"https://evil.example/sts.amazonaws.com?{QUERY}"}, "the URL is not"),
            ({"url": f"https://a@sts.us-east-1.amazonaws.com?{QUERY}"}, "the URL is not"),
            ({"url": f"https://sts.us-east-1.amazonaws.com:444?{QUERY}"}, "the URL is not"),
            ({"url": f"https://sts.us-east-1.amazonaws.com?{QUERY}&A=b"}, "the URL is not"),
            ({"url": f"https://sts.us-east-1.amazonaws.com?{QUERY}&{QUERY}"}, "the URL is not"),
            ({"url": f"https://sts.us-east-1.amazonaws.com?{QUERY}#x"}, "the URL is not"),
            ({"url": "https://sts.us-east-1.amazonaws.com?Action=GetSessionToken"}, "the URL is"),
            ({"host": "iam.amazonaws.com"}, "the URL is not"),
            ({"change": lambda d: {**d, "method": "GET"}}, "the method must be POST"),
            ({"change": lambda d: {**d, "headers": d["headers"] * 2}}, "each header has one key"),
            ({"change": lambda d: {**d, "headers": [{"key": "host"}]}}, "expected url, method"),
            ({"change": lambda d: {**d, "headers": [{"key": 1, "value": "a"}]}}, "each header"),
            (
                {"change": lambda d: {**d, "headers": [{"key": "host", "value": "\ud800"}]}},
                "each header has one key",
            ),
            ({"change": lambda d: {"url": d["url"]}}, "expected url, method and headers"),
            ({"change": lambda d: [d]}, "expected url, method and headers"),
        ],
    )
    def test_another_request_than_getcalleridentity_is_refused(
        self, key, provider, trade, request_, words
    ):
        answer = trade(signed(key, provider.audience, **request_), provider.audience)
        refused(answer, "invalid_grant", f"Invalid format of AWS credentials: {words}")

    @pytest.mark.parametrize(
        "name", ["authorization", "host", "x-amz-date", "x-goog-cloud-target-resource"]
    )
    def test_a_header_that_is_missing_is_named(self, key, provider, trade, name):
        def without(document):
            kept = [pair for pair in document["headers"] if pair["key"].lower() != name]
            return {**document, "headers": kept}

        answer = trade(signed(key, provider.audience, change=without), provider.audience)
        refused(answer, "invalid_grant", f"the header {name} is missing")

    def test_a_host_header_of_another_host_is_refused(self, key, provider, trade):
        token = signed(key, provider.audience, url=f"https://sts.eu-west-1.amazonaws.com?{QUERY}")
        refused(trade(token, provider.audience), "invalid_grant", "the host header is not")

    def test_a_request_for_another_provider_is_refused(self, emulator, key, provider, trade):
        other = emulator.add_aws_provider(ACCOUNT, provider="other")
        answer = trade(signed(key, other.audience), provider.audience)
        refused(answer, "invalid_grant", "x-goog-cloud-target-resource is not the audience")

    def test_a_signed_target_cannot_be_changed(self, emulator, key, provider, trade):
        other = emulator.add_aws_provider(ACCOUNT, provider="other")

        def retarget(document):
            for pair in document["headers"]:
                if pair["key"] == "x-goog-cloud-target-resource":
                    pair["value"] = provider.audience
            return document

        token = signed(key, other.audience, sign=("x-goog-cloud-target-resource",), change=retarget)
        refused(trade(token, provider.audience), "invalid_grant", "SignatureDoesNotMatch")

    def test_a_signature_for_another_region_is_refused(self, key, provider, trade):
        token = signed(key, provider.audience, region="eu-west-1", host="sts.amazonaws.com")
        answer = trade(token, provider.audience)
        refused(
            answer,
            "invalid_grant",
            "Received invalid AWS response of type SignatureDoesNotMatch with error message: "
            "Credential should be scoped to a valid region.",
        )

    def test_credentials_that_aws_does_not_know_are_refused_in_its_words(
        self, emulator, key, provider, trade
    ):
        token = signed(key, provider.audience)
        emulator.revoke(key.access_key_id)
        answer = trade(token, provider.audience)
        refused(answer, "invalid_grant", "AWS response of type InvalidClientTokenId with error")

    def test_an_old_signature_is_refused(self, emulator, key, provider, trade):
        token = signed(key, provider.audience)
        emulator.clock = ManualClock(emulator.clock() + timedelta(seconds=310))
        refused(trade(token, provider.audience), "invalid_grant", "Signature expired")

    def test_credentials_past_their_end_are_refused(self, emulator, key, provider, trade):
        emulator.sts.max_skew_s = 1e6
        token = signed(key, provider.audience)
        emulator.clock = ManualClock(key.expiration)
        refused(trade(token, provider.audience), "invalid_grant", "type ExpiredToken")

    def test_another_account_is_refused(self, emulator, provider, trade):
        other = "arn:aws:iam::210987654321:role/etl"
        emulator.add_role(other, emulator.trust_policy_for_service("lambda.amazonaws.com"))
        key = emulator.key(emulator.lambda_environ(other)["AWS_ACCESS_KEY_ID"])
        refused(
            trade(signed(key, provider.audience), provider.audience),
            "invalid_grant",
            "The AWS account 210987654321 of the credential is not the account 123456789012",
        )

    def test_a_users_key_is_its_user(self, emulator, provider, trade):
        key = emulator.add_user("bob")
        _, body = trade(signed(key, provider.audience), provider.audience)
        found = emulator.google_identity(body["access_token"])
        arn = f"arn:aws:iam::{ACCOUNT}:user/bob"
        assert provider.principal(arn) == found.principal
        assert provider.principal_set("attribute.aws_role", arn) in found.principal_sets


class TestParameters:
    @pytest.mark.parametrize(
        ("changes", "code", "words"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type", "The grant type must be"),
            ({"grant_type": None}, "unsupported_grant_type", "The grant type must be"),
            ({"requested_token_type": JWT}, "invalid_request", '"requested_token_type"'),
            ({"requested_token_type": None}, "invalid_request", '"requested_token_type"'),
            ({"subject_token": None}, "invalid_request", '"subject_token"'),
            ({"subject_token_type": None}, "invalid_request", '"subject_token_type"'),
            ({"subject_token_type": JWT}, "invalid_request", '"subject_token_type"'),
            ({"subject_token_type": "x"}, "invalid_request", '"subject_token_type"'),
            ({"scope": None}, "invalid_scope", "Some requested scopes were invalid."),
            ({"scope": "https://evil.example/x"}, "invalid_scope", "Some requested scopes"),
            ({"audience": None}, "invalid_request", 'Invalid value for "audience". This value'),
            ({"audience": "//iam.googleapis.com/x"}, "invalid_request", 'Invalid value for "audi'),
        ],
    )
    def test_what_is_wrong_is_named(self, key, provider, trade, changes, code, words):
        refused(trade(signed(key, provider.audience), provider.audience, **changes), code, words)

    def test_an_audience_with_a_scheme_is_none(self, key, provider, trade):
        answer = trade(signed(key, provider.audience), f"https:{provider.audience}")
        refused(answer, "invalid_request", "should be the full resource name of the Identity Prov")

    def test_other_paths_are_not_there(self, emulator, raw):
        assert raw(emulator.google_sts, "/v1/token").status == 404
        assert raw(emulator.google_sts, "/v2/token", method="POST").status == 404


GONE = (
    'The target service indicated by the "audience" parameters is invalid. This might either be '
    "because the pool or provider is disabled or deleted or because it doesn't exist."
)


class TestTarget:
    def test_a_provider_that_is_not_there_is_no_target(self, key, provider, trade):
        audience = provider.audience.replace("eks", "ekz")
        refused(trade(signed(key, audience), audience), "invalid_target", GONE)

    def test_a_provider_that_is_switched_off_is_no_target(self, key, provider, trade):
        token = signed(key, provider.audience)
        provider.disabled = True
        refused(trade(token, provider.audience), "invalid_target", GONE)
        provider.disabled = False
        assert trade(token, provider.audience)[0] == 200

    def test_a_deleted_pool_has_no_providers_but_its_tokens_live(
        self, emulator, key, provider, trade
    ):
        token = signed(key, provider.audience)
        access = trade(token, provider.audience)[1]["access_token"]
        other = emulator.add_aws_provider(ACCOUNT, pool="aws-2")
        emulator.delete_google_pool(provider)
        refused(trade(token, provider.audience), "invalid_target", GONE)
        assert trade(signed(key, other.audience), other.audience)[0] == 200
        assert emulator.google_identity(access) is not None


class TestOidc:
    def test_options_have_a_limit(self, oidc, trade):
        for size, code in ((4096, ""), (4097, "invalid_request")):
            status, body = trade(oidc.mint(), oidc.audience, JWT, options="x" * size)
            assert (status == 200, body.get("error", "")) == (not code, code)

    @pytest.fixture
    def oidc(self, emulator):
        return emulator.add_google_provider_for_oidc(ISSUER)

    def test_both_names_of_the_provider_are_audiences(self, oidc, trade):
        for audience in (oidc.audience, f"https:{oidc.audience}"):
            assert trade(oidc.mint(audience=audience), oidc.audience, JWT)[0] == 200

    def test_id_token_is_a_type_of_it_too(self, oidc, trade):
        kind = "urn:ietf:params:oauth:token-type:id_token"
        assert trade(oidc.mint(), oidc.audience, kind)[0] == 200

    def test_a_list_of_audiences_leaves_no_other(self, emulator, trade):
        oidc = emulator.add_google_provider_for_oidc(ISSUER, allowed_audiences=["a", "b"])
        assert trade(oidc.mint(audience="b"), oidc.audience, JWT)[0] == 200
        answer = trade(oidc.mint(audience=f"https:{oidc.audience}"), oidc.audience, JWT)
        refused(
            answer,
            "invalid_grant",
            f"The audience in ID Token [https:{oidc.audience}] does not match the expected",
        )

    @pytest.mark.parametrize(
        ("claims", "words"),
        [
            ({"iss": None}, "The issuer in ID Token null does not match the expected ones"),
            ({"iss": "https://a"}, "The issuer in ID Token https://a does not match the expected"),
            ({"aud": None}, "The audience in ID Token [] does not match the expected audience."),
            ({"aud": "x"}, "The audience in ID Token [x] does not match the expected audience."),
            ({"iat": None}, "ID Token issued at null is stale to sign-in."),
            ({"exp": None}, "is stale to sign-in."),
            ({"exp": "soon"}, "is stale to sign-in."),
            ({"forged": True}, "Unable to verify the ID Token signature."),
        ],
    )
    def test_what_is_wrong_is_said_in_googles_words(self, oidc, trade, claims, words):
        refused(trade(oidc.mint(**claims), oidc.audience, JWT), "invalid_grant", words)

    def test_what_is_no_token_is_refused(self, oidc, trade):
        for token in ("a.b.c", "x", oidc.mint() + ".x"):
            refused(trade(token, oidc.audience, JWT), "invalid_grant", "ID Token is malformed")

    def test_another_algorithm_is_refused(self, oidc, trade):
        claims = oidc.issuer.kubernetes_claims("a", oidc.audience, {})
        for algorithm in ("none", "HS256"):
            token = oidc.issuer.sign(claims, header={"alg": algorithm})
            refused(trade(token, oidc.audience, JWT), "invalid_grant", "Error connecting to")

    def test_a_key_that_is_not_published_is_a_failed_connection(self, oidc, trade):
        token = oidc.mint()
        oidc.issuer.rotate(retire=True)
        refused(
            trade(token, oidc.audience, JWT),
            "invalid_grant",
            "Error connecting to the given credential's issuer.",
        )

    @pytest.mark.parametrize(
        ("claims", "good"),
        [
            ({"iat": 60}, True),
            ({"iat": 61}, False),
            ({"exp": -60}, True),
            ({"exp": -61}, False),
            # "Must be less than 48 hours after iat"; the token's own `exp` is in an hour.
            ({"iat": 3600 - 2 * 86400 + 1}, True),
            ({"iat": 3600 - 2 * 86400}, False),
            ({"exp": 2 * 86400 - 1}, True),
            ({"exp": 2 * 86400}, False),
        ],
    )
    def test_clocks_may_differ_by_a_minute(self, emulator, oidc, trade, claims, good):
        emulator.clock = ManualClock()
        now = int(emulator.clock().timestamp())
        token = oidc.mint(**{name: now + by for name, by in claims.items()})
        status, body = trade(token, oidc.audience, JWT)
        assert (status == 200) is good
        if not good:
            assert "is stale to sign-in." in body["error_description"]

    @pytest.mark.parametrize(("lives_s", "expires_in"), [(30, 30), (3600, 3600), (86400, 3600)])
    def test_an_access_token_lives_no_longer_than_what_it_is_for(
        self, emulator, oidc, trade, lives_s, expires_in
    ):
        emulator.clock = ManualClock()
        token = oidc.mint(exp=int(emulator.clock().timestamp()) + lives_s)
        body = trade(token, oidc.audience, JWT)[1]
        assert expires_in == body["expires_in"]
        emulator.clock.advance(expires_in - 1)
        assert emulator.google_identity(body["access_token"]) is not None
        emulator.clock.advance(1)
        assert emulator.google_identity(body["access_token"]) is None

    def test_a_token_without_a_subject_has_none(self, oidc, trade):
        refused(
            trade(oidc.mint(sub=None), oidc.audience, JWT),
            "unauthorized_client",
            "Could not obtain a value for google.subject from the given credential.",
        )

    def test_a_request_for_aws_is_not_its_kind(self, key, oidc, trade):
        answer = trade(signed(key, oidc.audience), oidc.audience)
        refused(answer, "invalid_request", 'Invalid value for "subject_token_type".')

    def test_an_issuer_without_tls_cannot_be_trusted(self, emulator):
        with pytest.raises(ValueError, match="The scheme must be https"):
            emulator.add_google_provider_for_oidc("http://cluster.example")


class TestMapped:
    """Principal identifiers of federated identities."""

    def who(self, emulator, trade, provider, environ):
        key = emulator.key(environ["AWS_ACCESS_KEY_ID"])
        status, body = trade(signed(key, provider.audience), provider.audience)
        assert status == 200, body
        return emulator.google_identity(body["access_token"])

    @pytest.mark.parametrize(
        ("arn", "session", "member"),
        [
            (ROLE, "run", True),
            (ROLE, "assumed-role", True),
            (f"arn:aws:iam::{ACCOUNT}:role/a/path/etl", "run", True),  # a path is not in the ARN
            (f"{ROLE}-admin", "run", False),
            (ROLE[:-1], "l", False),
            (f"arn:aws:iam::{ACCOUNT}:role/run", "etl", False),
            (f"arn:aws:iam::{ACCOUNT}:role/assumed-role", "etl", False),
        ],
    )
    def test_only_the_role_itself_is_in_its_set(
        self, emulator, provider, trade, arn, session, member
    ):
        emulator.add_role(arn, emulator.trust_policy_for_service("lambda.amazonaws.com"))
        found = self.who(emulator, trade, provider, emulator.lambda_environ(arn, session))
        wanted = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl"
        principal_set = provider.principal_set("attribute.aws_role", wanted)
        assert member is (principal_set in found.members)
        assert provider.principal_set() in found.members

    def test_a_role_of_the_same_name_in_another_account_needs_its_own_provider(
        self, emulator, provider, trade
    ):
        arn = "arn:aws:iam::210987654321:role/etl"
        emulator.add_role(arn, emulator.trust_policy_for_service("lambda.amazonaws.com"))
        other = emulator.add_aws_provider("210987654321", provider="other")
        found = self.who(emulator, trade, other, emulator.lambda_environ(arn))
        ours = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl"
        other = "arn:aws:sts::210987654321:assumed-role/etl"
        assert provider.principal_set("attribute.aws_role", other) in found.members
        assert provider.principal_set("attribute.aws_role", ours) not in found.members

    def test_a_mapping_of_the_name_alone_confuses_accounts(self, emulator, trade):
        """As at Google: nothing keeps who maps carelessly from it."""
        mapping = {
            "google.subject": "assertion.arn",
            "attribute.aws_role": "assertion.arn.extract('assumed-role/{role}/')",
        }
        found = []
        for account in (ACCOUNT, "210987654321"):
            arn = f"arn:aws:iam::{account}:role/etl"
            emulator.add_role(arn, emulator.trust_policy_for_service("lambda.amazonaws.com"))
            provider = emulator.add_aws_provider(
                account, provider=f"p-{account}", attribute_mapping=mapping
            )
            found.append(self.who(emulator, trade, provider, emulator.lambda_environ(arn)))
        sets = [identity.principal_sets for identity in found]
        assert sets[0] == sets[1]
        assert len(sets[0]) == 2

    def test_a_condition_refuses_all_others(self, emulator, key, trade):
        provider = emulator.add_aws_provider(
            attribute_condition=(
                f"assertion.arn.startsWith('arn:aws:sts::{ACCOUNT}:assumed-role/etl-admin/')"
            )
        )
        refused(
            trade(signed(key, provider.audience), provider.audience),
            "unauthorized_client",
            "The given credential is rejected by the attribute condition.",
        )
        arn = f"{ROLE}-admin"
        emulator.add_role(arn, emulator.trust_policy_for_service("lambda.amazonaws.com"))
        assert self.who(emulator, trade, provider, emulator.lambda_environ(arn))

    @pytest.mark.parametrize("length", [25, 26])
    def test_a_pods_session_leaves_a_roles_name_twenty_five_characters(
        self, emulator, provider, trade, raw, tmp_path, length
    ):
        """`google.subject` has at most 127 bytes, of which EKS Pod Identity's names take 62."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{'r' * length}"
        emulator.add_role(arn, emulator.trust_policy_for_service("pods.eks.amazonaws.com"))
        pod = emulator.eks_pod(arn, tmp_path)
        headers = {"Authorization": Path(pod["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text()}
        given = json.loads(raw(emulator.pod_identity, "/v1/credentials", headers=headers).body)
        key = emulator.key(given["AccessKeyId"])
        assert 102 + length == len(key.caller.arn)
        answer = trade(signed(key, provider.audience), provider.audience)
        if length == 25:
            assert answer[0] == 200
        else:
            refused(
                answer,
                "invalid_request",
                "The size of mapped attribute google.subject exceeds the 127 bytes limit. Either "
                "modify your attribute mapping or the incoming assertion to produce a mapped "
                "attribute that is less than 127 bytes.",
            )
        by_user_id = emulator.add_aws_provider(
            provider="by-id", attribute_mapping={"google.subject": "assertion.userid"}
        )
        assert trade(signed(key, by_user_id.audience), by_user_id.audience)[0] == 200

    def test_all_attributes_together_have_eight_kilobytes(self, emulator, trade):
        oidc = emulator.add_google_provider_for_oidc(
            ISSUER,
            attribute_mapping={"google.subject": "assertion.sub", "attribute.a": "assertion.a"},
        )
        assert trade(oidc.mint(a="a" * 8000), oidc.audience, JWT)[0] == 200
        answer = trade(oidc.mint(a="a" * 8192), oidc.audience, JWT)
        refused(answer, "invalid_request", "exceed the 8 KB limit")


def test_many_at_once_are_each_themselves(emulator, provider, trade):
    emulator.add_role(ROLE, emulator.trust_policy_for_service("lambda.amazonaws.com"))
    provider = emulator.add_aws_provider(attribute_condition="assertion.arn.contains('/run-')")
    names = [f"run-{number}" for number in range(24)]
    keys = [
        emulator.key(emulator.lambda_environ(ROLE, name)["AWS_ACCESS_KEY_ID"]) for name in names
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda key: trade(signed(key, provider.audience), provider.audience), keys)
        )
    found = [emulator.google_identity(body["access_token"]).principal for _, body in answers]
    assert [provider.principal(key.caller.arn) for key in keys] == found


class TestFaults:
    def test_happen(self, emulator, key, provider, trade, raw):
        token = signed(key, provider.audience)
        emulator.google_sts.inject(
            Fault.status(503, '{"error": "internal_failure"}', "application/json")
        )
        assert trade(token, provider.audience)[0] == 503
        emulator.google_sts.inject(Fault.stale_token(20))
        assert trade(token, provider.audience)[1]["expires_in"] == 20
        assert trade(token, provider.audience)[1]["expires_in"] == 3600
        with emulator.google_sts.down(), pytest.raises(ConnectionRefusedError):
            trade(token, provider.audience)
        assert trade(token, provider.audience)[0] == 200

    def test_of_aws_are_none_of_its_own(self, emulator):
        with pytest.raises(ValueError, match="GoogleSts has no fault aws_error"):
            emulator.google_sts.inject(Fault.aws_error("AccessDenied"))


def test_a_token_can_be_revoked(emulator, key, provider, trade):
    token = trade(signed(key, provider.audience), provider.audience)[1]["access_token"]
    emulator.revoke_google_token(token)
    assert emulator.google_identity(token) is None
    with pytest.raises(KeyError):
        emulator.revoke_google_token(token)
