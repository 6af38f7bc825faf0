"""The emulator as a whole: its face, its state, the published keys, its independence."""

from __future__ import annotations

import ast
import base64
import json
import re
import time
from datetime import datetime, timedelta, timezone
from email.message import Message
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import gcp_aws_bridge.emulator as package
from gcp_aws_bridge.emulator import Emulator, Fault, ManualClock, Recorded, ServiceAccount
from gcp_aws_bridge.emulator.server import Arrival, Outcome, Reply
from gcp_aws_bridge.emulator.sigv4 import SignedRequest

ROLE = "arn:aws:iam::123456789012:role/etl"


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(token: str, keys: list[dict]) -> dict:
    """Verify as any relying party would, by the published numbers alone."""
    head, body, signature = token.split(".")
    kid = json.loads(decoded(head))["kid"]
    [jwk] = [jwk for jwk in keys if jwk["kid"] == kid]
    numbers = (int.from_bytes(decoded(jwk[name]), "big") for name in ("e", "n"))
    key = rsa.RSAPublicNumbers(*numbers).public_key()
    key.verify(decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(decoded(body))


class TestEnvironment:
    def test_leads_to_the_servers_and_nowhere_else(self, emulator, monkeypatch):
        for name in ("HTTP_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        metadata = f"127.0.0.1:{emulator.metadata.port}"
        assert emulator.environ == {
            "GCE_METADATA_HOST": metadata,
            "GCE_METADATA_IP": metadata,
            "GCE_METADATA_ROOT": metadata,
            "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{emulator.sts.port}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def test_excepts_loopback_from_a_proxy(self, emulator, monkeypatch):
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        monkeypatch.setenv("no_proxy", "corp.example")
        assert emulator.environ["no_proxy"] == "corp.example,127.0.0.1,localhost"
        assert emulator.environ["NO_PROXY"].endswith("127.0.0.1,localhost")

    @pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
    @pytest.mark.parametrize("value", ["*", " * "])
    def test_leaves_no_proxy_for_all_hosts_as_it_is(self, emulator, monkeypatch, name, value):
        for other in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, value)
        assert emulator.environ["NO_PROXY"] == emulator.environ["no_proxy"] == value

    def test_is_a_dict_of_its_own(self, emulator):
        emulator.environ.clear()
        assert emulator.environ


class TestReset:
    def test_leaves_nothing(self, emulator, exchange, metadata, raw, credentials):
        emulator.clock = ManualClock(datetime.now(timezone.utc) - timedelta(minutes=9))
        path = "instance/service-accounts/default/identity?audience=a"
        before = metadata(path).text
        header = before.split(".")[0]
        emulator.clock.advance(60)
        emulator.metadata.inject(Fault.status(500), times=None)
        emulator.sts.inject(Fault.status(500), times=None)
        emulator.sts.latency_s = emulator.metadata.latency_s = 9
        emulator.unlink()
        emulator.add_oidc_provider("https://accounts.google.com", client_ids=("x",))
        emulator.add_oidc_provider("https://cluster.example")
        emulator.rotate_signing_key(retire=True)
        emulator.reset()
        assert emulator.metadata.requests == emulator.sts.requests == []
        assert (emulator.metadata.latency_s, emulator.sts.latency_s) == (0, 0)
        assert not isinstance(emulator.clock, ManualClock)
        assert exchange(emulator.mint()).code == "AccessDenied"  # no role, no fault, no provider
        assert metadata(path).status == 200
        assert metadata(path).text != before
        assert metadata(path).text.split(".")[0] == header  # the first key again
        with pytest.raises(KeyError):
            emulator.revoke(credentials["AccessKeyId"])
        assert raw(emulator.issuer, "/1/oauth2/v3/certs").status == 404

    def test_keeps_what_the_constructor_was_told(self):
        clock = ManualClock()
        with Emulator(clock=clock) as cloud:
            cloud.clock = ManualClock()
            cloud.reset()
            assert cloud.clock is clock

    def test_costs_less_than_a_millisecond(self, emulator):
        began = time.perf_counter()
        for _ in range(20):
            emulator.reset()
        assert (time.perf_counter() - began) / 20 < 0.001


class TestPublishedKeys:
    def test_verify_googles_tokens(self, emulator, raw):
        answer = raw(emulator.issuer, "/oauth2/v3/certs")
        assert answer.headers["Content-Type"] == "application/json"
        keys = json.loads(answer.body)["keys"]
        assert [set(key) for key in keys] == [{"alg", "e", "kid", "kty", "n", "use"}]
        assert verify(emulator.mint("a"), keys)["aud"] == "a"
        with pytest.raises(InvalidSignature):
            verify(emulator.mint("a", forged=True), keys)

    def test_follow_rotation(self, emulator, raw):
        def published():
            return json.loads(raw(emulator.issuer, "/oauth2/v3/certs").body)["keys"]

        old = emulator.mint()
        emulator.rotate_signing_key()
        assert len(published()) == 2
        assert verify(old, published()) == verify(emulator.mint(), published()) | {
            name: verify(old, published())[name] for name in ("iat", "exp")
        }
        emulator.rotate_signing_key(retire=True)
        assert len(published()) == 1
        with pytest.raises(ValueError, match="not enough values"):
            verify(old, published())

    def test_are_found_by_discovery(self, emulator, raw):
        answer = raw(emulator.issuer, "/.well-known/openid-configuration")
        found = json.loads(answer.body)
        assert found["issuer"] == "https://accounts.google.com"
        assert found["jwks_uri"] == emulator.jwks_uri
        assert emulator.jwks_uri == f"{emulator.issuer.url}/oauth2/v3/certs"

    def test_are_each_issuers_own(self, emulator, raw):
        provider = emulator.add_oidc_provider("https://cluster.example/x")
        path = provider.jwks_uri.removeprefix(emulator.issuer.url)
        keys = json.loads(raw(emulator.issuer, path).body)["keys"]
        claims = verify(provider.mint(jti="1"), keys)
        assert (claims["iss"], claims["jti"]) == ("https://cluster.example/x", "1")
        assert claims["aud"] == ["sts.amazonaws.com"]
        assert keys != json.loads(raw(emulator.issuer, "/oauth2/v3/certs").body)["keys"]
        root = path.removesuffix("/oauth2/v3/certs")
        document = raw(emulator.issuer, f"{root}/.well-known/openid-configuration")
        assert json.loads(document.body)["jwks_uri"] == provider.jwks_uri

    def test_are_only_to_be_read(self, emulator, raw):
        assert raw(emulator.issuer, "/oauth2/v3/certs", method="POST").status == 405
        assert raw(emulator.issuer, "/").status == 404


class TestMint:
    def test_claims_can_be_changed_added_and_removed(self, emulator):
        body = emulator.mint("a", azp=None, email="x@y", exp=7).split(".")[1]
        claims = json.loads(decoded(body))
        assert "azp" not in claims
        assert (claims["aud"], claims["email"], claims["exp"]) == ("a", "x@y", 7)

    def test_the_header_can_be_changed(self, emulator):
        head = json.loads(decoded(emulator.mint(header={"kid": None, "x": 1}).split(".")[0]))
        assert head == {"alg": "RS256", "typ": "JWT", "x": 1}

    def test_a_forgery_has_the_right_key_id(self, emulator):
        assert emulator.mint().split(".")[0] == emulator.mint(forged=True).split(".")[0]

    def test_none_has_no_signature(self, emulator):
        assert emulator.mint(header={"alg": "none"}).endswith(".")


class TestServiceAccount:
    def test_named_is_stable_and_shaped_like_googles(self):
        account = ServiceAccount.named("a@p1.iam.gserviceaccount.com")
        assert account == ServiceAccount.named("a@p1.iam.gserviceaccount.com")
        assert account.unique_id != ServiceAccount.named("b@p1.iam.gserviceaccount.com").unique_id
        assert re.fullmatch(r"1\d{20}", account.unique_id)
        assert re.fullmatch(r"1\d{20}", ServiceAccount().unique_id)
        assert (account.project_id, account.workload_pool) == ("p1", "p1.svc.id.goog")

    def test_named_knows_projects_of_a_domain(self):
        account = ServiceAccount.named("etl@web.example.com.iam.gserviceaccount.com")
        assert account.project_id == "example.com:web"

    @pytest.mark.parametrize("email", ["", "a", "a@b", "@p.iam.gserviceaccount.com", "a@gmail.com"])
    def test_named_wants_an_accounts_email(self, email):
        with pytest.raises(ValueError, match="is not a service account's e-mail"):
            ServiceAccount.named(email)

    def test_is_frozen(self):
        with pytest.raises(AttributeError):
            ServiceAccount().email = "x"  # type: ignore[misc]


class TestSecrets:
    def test_no_repr_on_the_way_shows_one(self):
        headers = Message()
        headers["Authorization"] = "s3cret"
        shown = (
            Arrival("GET", "/?WebIdentityToken=s3cret", headers, b"s3cret"),
            Outcome(Reply(200, b"s3cret")),
            SignedRequest("GET", "/", "s3cret", headers, b"s3cret"),
            Fault.body(b"s3cret"),
        )
        assert "s3cret" not in repr(shown)

    def test_keys_show_none(self, emulator):
        key = emulator.add_user()
        assert key.secret_access_key not in repr(key)
        assert key.access_key_id in repr(key)

    def test_logs_compare_and_read_as_lists(self, emulator, metadata):
        metadata("")
        metadata("project/")
        log = emulator.metadata.requests
        assert [request.path for request in log] == [r.path for r in log[:]]
        assert log[-1].path == "/computeMetadata/v1/project/"
        assert log == list(log)
        assert log != []
        assert log != 7
        assert isinstance(log[0], Recorded)
        log.clear()
        assert not log


def test_the_package_names_are_sorted_and_there():
    assert sorted(package.__all__) == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)


def test_it_uses_nothing_of_what_it_judges():
    """Imports: the standard library, cryptography, itself; cel-python in the module for it."""
    root = Path(package.__file__).parent
    allowed = {"cryptography", "__future__"}
    for path in root.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, path
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = (
                    [node.module]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
                for name in names:
                    top = str(name).partition(".")[0]
                    standard = top in __import__("sys").stdlib_module_names
                    own = (path.name, top) == ("cel.py", "celpy")
                    assert standard or own or top in allowed, f"{path.name}: {name}"


def test_an_exchange_is_cheap(emulator, exchange, credentials):
    """Under a millisecond of processor time in the servers, so that benches measure others."""
    token = emulator.mint()
    exchange(token)
    began = time.process_time()
    for _ in range(50):
        assert exchange(token).status == 200
    # The raw client and a new connection for each are in this figure too.
    assert (time.process_time() - began) / 50 < 0.003
