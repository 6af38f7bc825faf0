"""What STS says of a web identity token before it looks at any trust policy."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gcp_aws_bridge.emulator import ManualClock
from gcp_aws_bridge.emulator.clock import real_clock
from gcp_aws_bridge.emulator.issuer import Issuer

CLUSTER = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c"
ROLE = "arn:aws:iam::123456789012:role/etl"
NOT_A_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)


@pytest.fixture(autouse=True)
def _role(emulator):
    emulator.clock = ManualClock()
    emulator.add_role(ROLE)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refused(answer, code: str, message: str, status: int = 400) -> None:
    assert (answer.status, answer.code, answer.message.replace("&apos;", "'")) == (
        status,
        code,
        message,
    )


def test_token_of_the_pod_is_accepted(emulator, exchange):
    assert exchange(emulator.mint()).status == 200


@pytest.mark.parametrize(
    "token",
    [
        "ya29.an-access-token",
        "....",
        "aa.bb",
        "a.b.c.d",
        "aaaa.bbbb.cccc",
        f"{part({'alg': 'RS256'})}.%%%.aaaa",
        f"{part({'alg': 'RS256'})}.{part([1])}.aaaa",
        f"{part('x')}.{part({})}.aaaa",
        f"{part({'alg': 'RS256'})}.{part({})}.aaaa",
        f"{part({'alg': 'RS256'})}.{part({'iss': 7})}.aaaa",
        f"{part({'alg': 'RS256'})}.{part({'iss': 'x'})}.\N{LATIN SMALL LETTER E WITH ACUTE}",
        "[" * 4000 + ".e30.e30",
        base64.urlsafe_b64encode(b"[" * 6000).decode() + ".e30.e30",
    ],
)
def test_what_is_no_jwt(exchange, token):
    refused(exchange(token), "InvalidIdentityToken", NOT_A_JWT)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_changed_part(emulator, exchange, at):
    parts = emulator.mint().split(".")
    middle = len(parts[at]) // 2
    swapped = "A" if parts[at][middle] != "A" else "B"
    parts[at] = parts[at][:middle] + swapped + parts[at][middle + 1 :]
    assert exchange(".".join(parts)).code == "InvalidIdentityToken"


def test_claims_put_under_another_tokens_signature(emulator, exchange):
    head, _, signature = emulator.mint().split(".")
    body = emulator.mint(sub="999999999999999999999").split(".")[1]
    refused(
        exchange(f"{head}.{body}.{signature}"), "InvalidIdentityToken", "Token signature invalid"
    )


def test_a_forged_signature(emulator, exchange):
    token = emulator.mint(forged=True)
    refused(exchange(token), "InvalidIdentityToken", "Token signature invalid")


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS384", "ES256", "", None, 7])
def test_only_rs256_whatever_the_header_says(emulator, exchange, algorithm):
    refused(exchange(emulator.mint(header={"alg": algorithm})), "InvalidIdentityToken", NOT_A_JWT)


def test_rs256_by_name_but_hmac_by_nature(emulator, exchange):
    """The signature of HS256 with Google's public key, under a header that says RS256."""
    confused = emulator.mint(header={"alg": "HS256"}).split(".")
    head, body, _ = emulator.mint().split(".")
    refused(
        exchange(f"{head}.{body}.{confused[2]}"), "InvalidIdentityToken", "Token signature invalid"
    )


def test_a_header_that_must_be_understood(emulator, exchange):
    token = emulator.mint(header={"crit": ["b64"], "b64": False})
    refused(exchange(token), "InvalidIdentityToken", NOT_A_JWT)


@pytest.mark.parametrize("kid", ["unknown", None, 7, ""])
def test_an_unknown_key(emulator, exchange, kid):
    answer = exchange(emulator.mint(header={"kid": kid}))
    assert answer.code == "InvalidIdentityToken"
    assert answer.message.startswith("Couldn't retrieve verification key")


def test_a_rotated_key_is_good_beside_the_old_one(emulator, exchange):
    old = emulator.mint()
    emulator.rotate_signing_key()
    new = emulator.mint()
    assert old.split(".")[0] != new.split(".")[0]
    assert [exchange(token).status for token in (old, new)] == [200, 200]


def test_a_retired_key_is_not(emulator, exchange):
    old = emulator.mint()
    emulator.rotate_signing_key(retire=True)
    assert exchange(old).message.startswith("Couldn't retrieve verification key")
    assert exchange(emulator.mint()).status == 200


def test_expiry_to_the_second(emulator, exchange):
    token = emulator.mint()
    end = int(emulator.clock().timestamp()) + 3600
    emulator.clock.advance(3599)
    assert exchange(token).status == 200
    emulator.clock.advance(1)
    refused(
        exchange(token),
        "ExpiredTokenException",
        f"Token expired: current date/time {end} must be before the expiration date/time {end}",
    )


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [None, "soon", True, [1], float("nan"), float("inf")])
def test_times_must_be_numbers(emulator, exchange, name, value):
    refused(
        exchange(emulator.mint(**{name: value})),
        "InvalidIdentityToken",
        f"Missing or malformed claim in the token: {name}",
    )


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_from_the_future(emulator, exchange, name):
    now = int(emulator.clock().timestamp())
    assert exchange(emulator.mint(**{name: now + 300})).status == 200
    token = emulator.mint(**{name: now + 301})
    refused(exchange(token), "InvalidIdentityToken", "Token is not yet valid")


def test_a_forged_token_is_forged_before_it_is_expired(emulator, exchange):
    assert exchange(emulator.mint(forged=True, exp=1)).message == "Token signature invalid"


def test_googles_older_issuer_name(emulator, exchange):
    assert exchange(emulator.mint(iss="accounts.google.com")).status == 200


@pytest.mark.parametrize(
    "issuer",
    [
        "https://accounts.google.com/",
        "http://accounts.google.com",
        "https://accounts.google.com.evil.example",
        "https://evil.example",
        CLUSTER,
    ],
)
def test_an_issuer_that_the_account_does_not_know(emulator, exchange, issuer):
    refused(
        exchange(emulator.mint(iss=issuer)),
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {issuer}",
    )


@pytest.mark.parametrize("subject", [None, "", 7, "short", "x" * 256])
def test_a_subject_that_cannot_be(emulator, exchange, subject):
    refused(exchange(emulator.mint(sub=subject)), "InvalidIdentityToken", "Invalid token subject")


@pytest.mark.parametrize("audience", ["", []])
def test_token_without_audience_is_rejected(emulator, exchange, audience):
    token = emulator.mint(audience)
    refused(exchange(token), "InvalidIdentityToken", "Incorrect token audience")


class TestOwnProvider:
    """An IAM OIDC provider in the account: a cluster's own issuer, or Google once more."""

    SUBJECT = "system:serviceaccount:default:etl"

    def trust(self, provider, subject=SUBJECT, audience="sts.amazonaws.com"):
        name = provider.url.removeprefix("https://")
        wanted = {f"{name}:aud": audience, f"{name}:sub": subject}
        return {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": provider.arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": wanted},
            },
        }

    def test_token_of_a_cluster_is_accepted(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER)
        emulator.add_role(ROLE, self.trust(provider))
        answer = exchange(provider.mint())
        assert answer.status == 200
        assert f"<Provider>{provider.arn}</Provider>" in answer.text
        assert f"<SubjectFromWebIdentityToken>{self.SUBJECT}<" in answer.text
        assert "<Audience>sts.amazonaws.com</Audience>" in answer.text

    def test_another_subject_is_refused(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER)
        emulator.add_role(ROLE, self.trust(provider))
        answer = exchange(provider.mint("system:serviceaccount:default:other"))
        assert answer.code == "AccessDenied"

    def test_the_audience_must_be_registered(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER, client_ids=("other",))
        emulator.add_role(ROLE, self.trust(provider))
        refused(exchange(provider.mint()), "InvalidIdentityToken", "Incorrect token audience")

    def test_another_issuers_key_does_not_do(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER)
        emulator.add_role(ROLE, self.trust(provider))
        assert exchange(provider.mint(forged=True)).message == "Token signature invalid"
        assert exchange(emulator.mint(iss=CLUSTER, azp=None)).code == "InvalidIdentityToken"

    def test_its_key_rotates(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER)
        emulator.add_role(ROLE, self.trust(provider))
        old = provider.mint()
        provider.rotate_signing_key(retire=True)
        assert [exchange(old).status, exchange(provider.mint()).status] == [400, 200]

    def test_it_belongs_to_one_account(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER, account="222222222222")
        emulator.add_role(ROLE, self.trust(provider))
        assert exchange(provider.mint()).message.startswith("No OpenIDConnect provider found")

    @pytest.mark.parametrize(
        ("azp", "client_ids", "taken"),
        [
            ("number", ("number",), True),
            ("number", ("sts.amazonaws.com",), False),  # the token's aud: azp alone is looked for
            ("number", ("etl@demo-project.iam.gserviceaccount.com",), False),
            ("etl@demo-project.iam.gserviceaccount.com", ("number",), False),
            ("etl@demo-project.iam.gserviceaccount.com", ("sts.amazonaws.com",), False),
            (
                "etl@demo-project.iam.gserviceaccount.com",
                ("etl@demo-project.iam.gserviceaccount.com", "number"),
                True,
            ),
            (None, ("sts.amazonaws.com",), True),
            (None, ("number",), False),
        ],
    )
    def test_the_client_ids_of_a_provider_for_google_have_the_azp(
        self, emulator, exchange, azp, client_ids, taken
    ):
        number = emulator.service_account.unique_id
        named = tuple(number if one == "number" else one for one in client_ids)
        emulator.add_oidc_provider("https://accounts.google.com", client_ids=named)
        trust = emulator.trust_policy_for()["Statement"][0]
        trust["Condition"] = {"StringEquals": {"accounts.google.com:sub": number}}
        emulator.add_role(ROLE, {"Version": "2012-10-17", "Statement": [trust]})
        token = emulator.mint(azp=number if azp == "number" else azp)
        if taken:
            assert exchange(token).status == 200
        else:
            refused(exchange(token), "InvalidIdentityToken", "Incorrect token audience")

    def test_a_clusters_azp_goes_before_its_aud(self, emulator, exchange):
        provider = emulator.add_oidc_provider(CLUSTER, client_ids=("client",))
        emulator.add_role(ROLE, self.trust(provider, audience="client"))
        assert exchange(provider.mint(azp="client")).status == 200
        refused(
            exchange(provider.mint("client", azp="other")),
            "InvalidIdentityToken",
            "Incorrect token audience",
        )

    @pytest.mark.parametrize("url", ["http://x.example", "x.example", "https://"])
    def test_it_must_be_https(self, emulator, url):
        with pytest.raises(ValueError, match="https://"):
            emulator.add_oidc_provider(url)

    def test_it_needs_client_ids(self, emulator):
        with pytest.raises(ValueError, match="client ids"):
            emulator.add_oidc_provider(CLUSTER, client_ids=())


def test_threads_that_come_first_are_signed_for_with_one_key():
    issuer = Issuer("https://first.example", real_clock)
    together = threading.Barrier(6)

    def sign(_):
        together.wait(30)
        return issuer.sign({}).split(".")[0]

    with ThreadPoolExecutor(6) as pool:
        assert 1 == len(set(pool.map(sign, range(6))))
