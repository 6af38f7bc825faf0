"""IAM Credentials: google-auth's impersonation, and who may have what of which account."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone

import google.auth.iam
import google.auth.identity_pool
import google.auth.impersonated_credentials
import google.auth.transport.requests
import google.oauth2.credentials
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from google.auth import jwt

from gcp_aws_bridge.emulator import Fault, ManualClock
from gcp_aws_bridge.emulator.googleiam import GoogleIdentity
from gcp_aws_bridge.emulator.jws import decode

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
APP = "app@demo-project.iam.gserviceaccount.com"
BETWEEN = "between@demo-project.iam.gserviceaccount.com"


@pytest.fixture
def provider(emulator):
    return emulator.add_google_provider_for_oidc(
        "https://cluster.example",
        attribute_mapping={"google.subject": "assertion.sub", "attribute.team": "assertion.team"},
    )


@pytest.fixture
def federated(emulator, provider, raw):
    """Trade a token at Google's STS; returns the access token."""

    def trade(subject="me", scope=SCOPE, **claims):
        body = {
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": provider.audience,
            "scope": scope,
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "subjectToken": provider.mint(subject, **claims),
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        }
        answer = raw(
            emulator.google_sts,
            "/v1/token",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body),
        )
        assert answer.status == 200, answer.text
        return json.loads(answer.body)["access_token"]

    return trade


@pytest.fixture
def call(emulator, raw):
    def post(token, method="generateAccessToken", email=APP, body=None, **fields):
        if method == "generateAccessToken":
            fields = {"scope": [SCOPE], **fields}
        answer = raw(
            emulator.iam_credentials,
            f"/v1/projects/-/serviceAccounts/{email}:{method}",
            method="POST",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            body=json.dumps(fields) if body is None else body,
        )
        return answer.status, json.loads(answer.body)

    return post


def denied(answer, permission):
    full = f"iam.serviceAccounts.{permission}"
    assert answer == (
        403,
        {
            "error": {
                "code": 403,
                "message": f"Permission '{full}' denied on resource (or it may not exist).",
                "status": "PERMISSION_DENIED",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "IAM_PERMISSION_DENIED",
                        "domain": "iam.googleapis.com",
                        "metadata": {"permission": full},
                    }
                ],
            }
        },
    )


class TestGoogleAuth:
    @pytest.fixture
    def request_(self):
        with google.auth.transport.requests.requests.Session() as session:
            yield google.auth.transport.requests.Request(session)

    def test_acts_as_a_service_account(self, emulator, provider, request_, tmp_path):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        (tmp_path / "token").write_text(provider.mint("me"))
        info = emulator.external_account(
            provider, APP, 1800, source="file", file=tmp_path / "token"
        )
        credentials = google.auth.identity_pool.Credentials.from_info(info, scopes=[SCOPE])
        credentials.refresh(request_)
        found = emulator.google_identity(credentials.token)
        assert (None, APP, frozenset({SCOPE})) == (found.principal, found.email, found.scopes)
        assert credentials.expiry == found.expiration.replace(tzinfo=None, microsecond=0)
        left = found.expiration - datetime.now(timezone.utc)
        assert timedelta(minutes=29) < left <= timedelta(minutes=30)

    def test_has_an_id_token(self, emulator, provider, federated, request_, monkeypatch):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        endpoint = f"{emulator.iam_credentials.url}/v1/projects/-/serviceAccounts/{{}}:{{}}"
        monkeypatch.setattr(
            google.auth.iam, "_IAM_ENDPOINT", endpoint.format("{}", "generateAccessToken")
        )
        monkeypatch.setattr(
            google.auth.iam, "_IAM_IDTOKEN_ENDPOINT", endpoint.format("{}", "generateIdToken")
        )
        source = google.oauth2.credentials.Credentials(federated())
        target = google.auth.impersonated_credentials.Credentials(source, APP, [SCOPE])
        credentials = google.auth.impersonated_credentials.IDTokenCredentials(
            target, "https://a", include_email=True
        )
        credentials.refresh(request_)
        claims = jwt.decode(credentials.token, verify=False)
        assert ("https://a", APP) == (claims["aud"], claims["email"])


class TestAccessToken:
    @pytest.mark.parametrize(
        "member",
        [
            lambda provider: provider.principal("me"),
            lambda provider: provider.principal_set("attribute.team", "data"),
            lambda provider: provider.principal_set(),
        ],
    )
    def test_is_for_every_kind_of_member(self, emulator, provider, federated, call, member):
        emulator.clock = ManualClock(datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
        emulator.add_google_service_account(APP, [member(provider)])
        status, body = call(federated(team="data"))
        assert status == 200
        assert body.keys() == {"accessToken", "expireTime"}
        assert body["expireTime"] == "2030-01-02T04:04:05Z"
        assert emulator.google_identity(body["accessToken"]) == GoogleIdentity(
            None, APP, frozenset({SCOPE}), emulator.clock() + timedelta(hours=1)
        )

    def test_may_be_asked_for_by_number(self, emulator, provider, federated, call):
        made = emulator.add_google_service_account(APP, [provider.principal("me")])
        assert call(federated(), email=made.account.unique_id)[0] == 200

    @pytest.mark.parametrize(
        "member",
        [
            lambda provider: provider.principal("m"),
            lambda provider: provider.principal("me2"),
            lambda provider: provider.principal_set("attribute.team", "dat"),
            lambda provider: provider.principal_set("attribute.team", "data2"),
            lambda provider: provider.principal_set("attribute.other", "data"),
            lambda provider: provider.principal_set("google.groups", "data"),
            lambda provider: provider.principal_set().replace("Pools/aws", "Pools/aws2"),
            lambda provider: provider.principal_set().replace("projects/1", "projects/2"),
            lambda provider: f"serviceAccount:{APP}",
        ],
    )
    def test_is_not_for_others(self, emulator, provider, federated, call, member):
        emulator.add_google_service_account(APP, [member(provider)])
        denied(call(federated(team="data")), "getAccessToken")

    def test_of_an_account_that_is_not_there_is_not_found(self, federated, call):
        status, body = call(federated())
        assert (404, "NOT_FOUND") == (status, body["error"]["status"])
        assert body["error"]["message"] == f"Not found; Gaia id not found for email {APP}"

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"lifetime": "0s"}, "Lifetime of access token must be larger then zero."),
            ({"lifetime": "3601s"}, "can not have lifetimes of more than 1 hour"),
            ({"lifetime": "1h"}, "Request contains an invalid argument."),
            ({"lifetime": 3600}, "Request contains an invalid argument."),
            ({"scope": []}, "Request contains an invalid argument."),
            ({"scope": SCOPE}, "Request contains an invalid argument."),
            ({"scope": ["nonsense"]}, "Request contains an invalid argument."),
            ({"delegates": [1]}, "Request contains an invalid argument."),
            ({"scopes": [SCOPE]}, 'Unknown name "scopes": Cannot find field.'),
            ({"body": "{"}, "Invalid JSON payload received."),
            ({"body": "[]"}, "Invalid JSON payload received."),
        ],
    )
    def test_is_refused_for_what_cannot_be(
        self, emulator, provider, federated, call, fields, words
    ):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        status, body = call(federated(), **fields)
        assert (400, "INVALID_ARGUMENT") == (status, body["error"]["status"])
        assert words in body["error"]["message"]

    def test_may_live_longer_where_a_policy_says_so(self, emulator, provider, federated, call):
        emulator.add_google_service_account(APP, [provider.principal("me")], extended_lifetime=True)
        assert call(federated(), lifetime="43200s")[0] == 200
        assert call(federated(), lifetime="43201s")[0] == 400

    def test_null_is_the_default(self, emulator, provider, federated, call):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        assert call(federated(), lifetime=None, delegates=None)[0] == 200


class TestCaller:
    @pytest.mark.parametrize("token", [None, "", "ya29.unknown"])
    def test_must_be_known(self, call, token):
        status, body = call(token)
        assert (401, "UNAUTHENTICATED") == (status, body["error"]["status"])
        assert body["error"]["message"].startswith(
            "Request had invalid authentication credentials. Expected OAuth 2 access token"
        )

    def test_must_not_be_past_its_end(self, emulator, provider, federated, call):
        emulator.clock = ManualClock()
        emulator.add_google_service_account(APP, [provider.principal("me")])
        token = federated()
        emulator.clock.advance(3600)
        assert call(token)[0] == 401

    def test_needs_the_scope(self, emulator, provider, federated, call):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        status, body = call(federated(scope="https://www.googleapis.com/auth/devstorage.read_only"))
        assert status == 403
        assert body["error"]["message"] == "Request had insufficient authentication scopes."
        [detail] = body["error"]["details"]
        assert detail["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        assert detail["metadata"] == {
            "method": "google.iam.credentials.v1.IAMCredentials.GenerateAccessToken",
            "service": "iamcredentials.googleapis.com",
        }
        assert call(federated(scope="https://www.googleapis.com/auth/iam"))[0] == 200


class TestDelegation:
    def test_goes_through_every_account(self, emulator, provider, federated, call):
        emulator.add_google_service_account(BETWEEN, token_creators=[provider.principal("me")])
        emulator.add_google_service_account(APP, token_creators=[f"serviceAccount:{BETWEEN}"])
        assert call(federated(), delegates=[f"projects/-/serviceAccounts/{BETWEEN}"])[0] == 200
        denied(call(federated()), "getAccessToken")

    def test_needs_more_than_workload_identity_user(self, emulator, provider, federated, call):
        emulator.add_google_service_account(BETWEEN, [provider.principal("me")])
        emulator.add_google_service_account(APP, [f"serviceAccount:{BETWEEN}"])
        delegates = [f"projects/-/serviceAccounts/{BETWEEN}"]
        denied(call(federated(), delegates=delegates), "implicitDelegation")

    def test_step_by_step_needs_no_more(self, emulator, provider, federated, call):
        emulator.add_google_service_account(BETWEEN, [provider.principal("me")])
        emulator.add_google_service_account(APP, [f"serviceAccount:{BETWEEN}"])
        token = call(federated(), email=BETWEEN)[1]["accessToken"]
        assert call(token)[0] == 200
        denied(call(call(token)[1]["accessToken"]), "getAccessToken")  # nor on itself


class TestIdToken:
    def test_is_googles(self, emulator, provider, federated, call):
        made = emulator.add_google_service_account(APP, [provider.principal("me")])
        body = call(federated(), "generateIdToken", audience="https://a", includeEmail=True)[1]
        claims = jwt.decode(body["token"], verify=False)
        number = made.account.unique_id
        assert claims.pop("exp") - claims.pop("iat") == 3600
        assert claims == {
            "aud": "https://a",
            "azp": number,
            "email": APP,
            "email_verified": True,
            "iss": "https://accounts.google.com",
            "sub": number,
        }
        plain = call(federated(), "generateIdToken", audience="https://a")[1]["token"]
        assert "email" not in jwt.decode(plain, verify=False)

    @pytest.mark.parametrize(
        ("flag", "azp"),
        [(True, "email"), ("true", "email"), (False, "number"), ("false", "number")],
    )
    def test_azp_is_the_email_where_that_is_asked_for(
        self, emulator, provider, federated, call, flag, azp
    ):
        made = emulator.add_google_service_account(APP, [provider.principal("me")])
        asked = {"audience": "https://a", "useEmailAzp": flag, "organizationNumberIncluded": flag}
        claims = jwt.decode(call(federated(), "generateIdToken", **asked)[1]["token"], verify=False)
        number = made.account.unique_id
        assert (claims["azp"], claims["sub"]) == (APP if azp == "email" else number, number)

    @pytest.mark.parametrize("flag", [1, "yes", [], 0])
    def test_a_flag_is_a_truth_value(self, emulator, provider, federated, call, flag):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        assert call(federated(), "generateIdToken", audience="a", useEmailAzp=flag)[0] == 400

    def test_needs_an_audience_and_the_permission(self, emulator, provider, federated, call):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        assert call(federated(), "generateIdToken")[0] == 400
        denied(call(federated("you"), "generateIdToken", audience="a"), "getOpenIdToken")

    def test_is_taken_by_aws(self, emulator, provider, federated, call, exchange):
        """Round the whole circle: AWS's STS trusts what Google signed for a federated identity."""
        made = emulator.add_google_service_account(APP, [provider.principal("me")])
        emulator.add_role(
            "arn:aws:iam::123456789012:role/etl",
            emulator.trust_policy_for(service_account=made.account),
        )
        body = call(federated(), "generateIdToken", audience="sts.amazonaws.com")[1]
        assert exchange(body["token"]).status == 200


class TestSignBlob:
    def test_is_a_signature_by_a_published_key(self, emulator, provider, federated, call, raw):
        made = emulator.add_google_service_account(APP, token_creators=[provider.principal("me")])
        payload = base64.b64encode(b"hello").decode()
        body = call(federated(), "signBlob", payload=payload)[1]
        path = made.jwks_uri.removeprefix(emulator.issuer.url)
        published = json.loads(raw(emulator.issuer, path).body)["keys"]
        assert [body["keyId"]] == [key["kid"] for key in published]
        key = made.issuer.verification_key(body["keyId"])
        signature = base64.b64decode(body["signedBlob"])
        key.verify(signature, b"hello", padding.PKCS1v15(), hashes.SHA256())

    def test_needs_token_creator(self, emulator, provider, federated, call):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        denied(call(federated(), "signBlob", payload=""), "signBlob")

    @pytest.mark.parametrize("payload", ["*", 5, ["a"], None])
    def test_wants_base64(self, emulator, provider, federated, call, payload):
        emulator.add_google_service_account(APP, token_creators=[provider.principal("me")])
        assert call(federated(), "signBlob", payload=payload)[0] == 400


class TestSignJwt:
    @pytest.fixture
    def made(self, emulator, provider):
        return emulator.add_google_service_account(APP, token_creators=[provider.principal("me")])

    def test_is_signed_by_the_accounts_key(self, made, federated, call):
        claims = {"sub": "jane@example.com", "iat": 313435}
        body = call(federated(), "signJwt", payload=json.dumps(claims))[1]
        signed = decode(body["signedJwt"])
        assert dict(signed.claims) == claims
        assert signed.header == {"alg": "RS256", "kid": body["keyId"], "typ": "JWT"}
        assert signed.is_signed_by(made.issuer.verification_key(body["keyId"]))

    def test_needs_token_creator(self, emulator, provider, federated, call):
        emulator.add_google_service_account(APP, [provider.principal("me")])
        denied(call(federated(), "signJwt", payload="{}"), "signJwt")

    @pytest.mark.parametrize(
        ("seconds", "status"),
        [(0, 200), (43200, 200), (-5, 400), (43205, 400), (0.5, 400), ("soon", 400), (True, 400)],
    )
    def test_its_end_is_within_twelve_hours(self, emulator, made, federated, call, seconds, status):
        emulator.clock = ManualClock()
        now = int(emulator.clock().timestamp())
        number = isinstance(seconds, (int, float)) and seconds is not True
        payload = json.dumps({"exp": now + seconds if number else seconds})
        assert call(federated(), "signJwt", payload=payload)[0] == status

    @pytest.mark.parametrize("payload", [None, "", "[]", "1", "{", 5, {"sub": "me"}])
    def test_wants_an_object_as_text(self, made, federated, call, payload):
        assert call(federated(), "signJwt", payload=payload)[0] == 400


class TestPodInGke:
    """The pod's own access token, from the metadata server."""

    EMAIL = "etl@demo-project.iam.gserviceaccount.com"
    POOL = (
        "iam.googleapis.com/projects/123456789012/locations/global"
        "/workloadIdentityPools/demo-project.svc.id.goog"
    )

    @pytest.fixture
    def own(self, metadata):
        def ask(query=""):
            answer = metadata(f"instance/service-accounts/default/token{query}")
            return json.loads(answer.body)["access_token"]

        return ask

    def test_acts_as_an_account_that_lets_it(self, emulator, own, call):
        emulator.add_google_service_account(APP)
        denied(call(own()), "getAccessToken")
        emulator.add_google_service_account(APP, token_creators=[f"serviceAccount:{self.EMAIL}"])
        status, body = call(own())
        assert status == 200
        assert emulator.google_identity(body["accessToken"]).email == APP
        assert call(own(), "generateIdToken", audience="a")[0] == 200
        assert emulator.google_identity(own()).email == self.EMAIL

    def test_its_own_account_exists_and_has_no_members(self, emulator, own, call):
        denied(call(own(), email=self.EMAIL), "getAccessToken")
        creators = [f"serviceAccount:{self.EMAIL}"]
        emulator.add_google_service_account(self.EMAIL, token_creators=creators)
        assert call(own(), email=self.EMAIL)[0] == 200

    def test_needs_a_scope_of_iams(self, emulator, own, call):
        emulator.add_google_service_account(APP, token_creators=[f"serviceAccount:{self.EMAIL}"])
        only = "?scopes=https://www.googleapis.com/auth/devstorage.read_only"
        assert call(own(only))[1]["error"]["status"] == "PERMISSION_DENIED"
        both = f"{only},{SCOPE}"
        assert call(own(both))[0] == 200

    @pytest.mark.parametrize(
        ("member", "admitted"),
        [
            (f"principal://{POOL}/subject/ns/default/sa/etl", True),
            (f"principal://{POOL}/subject/ns/other/sa/etl", False),
            (f"principalSet://{POOL}/*", True),
            ("serviceAccount:demo-project.svc.id.goog[default/etl]", True),
            ("serviceAccount:demo-project.svc.id.goog[default/other]", False),
            (f"serviceAccount:{EMAIL}", False),
        ],
    )
    def test_one_that_is_not_linked_is_the_kubernetes_account(
        self, emulator, own, call, member, admitted
    ):
        before = own()
        emulator.unlink()
        assert own() != before
        emulator.add_google_service_account(APP, [member])
        assert (call(own())[0] == 200) is admitted

    def test_is_forgotten_with_everything(self, emulator, own, call):
        emulator.add_google_service_account(APP, token_creators=[f"serviceAccount:{self.EMAIL}"])
        token = own()
        emulator.reset()
        assert call(token)[0] == 401

    def test_ends_when_it_says(self, emulator, own, call):
        emulator.clock = ManualClock()
        emulator.add_google_service_account(APP, token_creators=[f"serviceAccount:{self.EMAIL}"])
        token = own()
        emulator.clock.advance(3599)
        assert call(token)[0] == 200
        emulator.clock.advance(1)
        assert call(token)[0] == 401


@pytest.mark.parametrize(
    "delegate", [BETWEEN, f"projects/demo/serviceAccounts/{BETWEEN}", "x/", ""]
)
def test_a_delegate_has_a_form(emulator, provider, federated, call, delegate):
    emulator.add_google_service_account(APP, [provider.principal("me")])
    assert call(federated(), delegates=[delegate])[0] == 400


def test_faults_happen(emulator, provider, federated, call):
    emulator.add_google_service_account(APP, [provider.principal("me")])
    token = federated()
    emulator.iam_credentials.inject(Fault.stale_token(5), Fault.stale_token(-5))
    short = call(token)[1]["accessToken"]
    assert emulator.google_identity(short) is not None
    assert emulator.google_identity(call(token)[1]["accessToken"]) is None
    with emulator.iam_credentials.down(), pytest.raises(ConnectionRefusedError):
        call(token)


def test_other_methods_are_not_there(emulator, provider, federated, call):
    emulator.add_google_service_account(APP, [provider.principal("me")])
    assert call(federated(), "signWhatever")[0] == 404


@pytest.mark.parametrize(
    "member",
    [
        "",
        "me",
        "user:a@b",
        "principal://x",
        "principalSet://iam.googleapis.com/x",
        "serviceAccount:x",
    ],
)
def test_a_member_must_be_one(emulator, member):
    with pytest.raises(ValueError, match="is not a valid member"):
        emulator.add_google_service_account(APP, [member])
