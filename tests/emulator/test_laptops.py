"""botocore's `sso` and `login` providers, against the emulator, in subprocesses.

botocore looks up the home directory when it is imported, so each test needs a new process.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from laptops import Laptop

from gcp_aws_bridge.emulator import ManualClock
from gcp_aws_bridge.emulator.issuer import b64url

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"

PROGRAM = """
import botocore.session
session = botocore.session.Session()
print(session.get_credentials().method)
print(session.create_client("sts").get_caller_identity()["Arn"])
"""


@pytest.fixture
def laptop(emulator):
    return Laptop(emulator)


def run(environ, python_path, program=PROGRAM):
    return subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": python_path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


class TestSso:
    def test_botocore_accepts_the_token(self, emulator, laptop, tmp_path, python_path):
        emulator.add_role(ROLE)
        done = run(laptop.sso_profile(ROLE, tmp_path), python_path)
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/dev@example.com"
        assert ["sso", arn] == done.stdout.split(), done.stderr
        assert [request.path for request in laptop.sso.requests] == ["/federation/credentials"]
        for path in (tmp_path / ".aws").rglob("*.json"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_no_credentials_after_sign_out(self, emulator, laptop, tmp_path, python_path):
        emulator.add_role(ROLE)
        environ = laptop.sso_profile(ROLE, tmp_path)
        laptop.sso.sign_out()
        done = run(environ, python_path)
        assert "UnauthorizedSSOTokenError" in done.stderr

    def test_errors_are_those_of_the_portal(self, emulator, laptop, raw, tmp_path):
        emulator.add_role(ROLE)
        laptop.sso_profile(ROLE, tmp_path)
        emulator.clock = ManualClock()
        token, _ = laptop.sso.sign_in()
        path = f"/federation/credentials?account_id={ACCOUNT}&role_name="
        headers = {"x-amz-sso_bearer_token": token}
        assert raw(laptop.sso, f"{path}etl", headers=headers).status == 200
        answer = raw(laptop.sso, f"{path}admin", headers=headers)
        assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, "ForbiddenException")
        assert raw(laptop.sso, f"{path}etl").status == 401
        assert raw(laptop.sso, "/", headers=headers).status == 404
        emulator.clock.advance(timedelta(hours=8))
        assert raw(laptop.sso, f"{path}etl", headers=headers).status == 401

    def test_unknown_role_raises(self, laptop, tmp_path):
        with pytest.raises(ValueError, match="There is no role"):
            laptop.sso_profile(ROLE, tmp_path)


class TestLogin:
    @pytest.fixture
    def environ(self, emulator, laptop, tmp_path):
        emulator.add_role(ROLE)
        return laptop.login_profile(ROLE, tmp_path)

    @pytest.fixture
    def cached(self, environ, tmp_path):
        [path] = (tmp_path / ".aws/login/cache").iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        return path

    def test_botocore_accepts_the_session(self, environ, python_path):
        pytest.importorskip("awscrt")
        done = run(environ, python_path)
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/dev"
        assert ["login", arn] == done.stdout.split(), done.stderr

    def test_botocore_refreshes_with_a_proof(self, laptop, environ, cached, python_path):
        pytest.importorskip("awscrt")
        before = json.loads(cached.read_text())
        ended = {**before["accessToken"], "expiresAt": "2020-01-01T00:00:00Z"}
        cached.write_text(json.dumps({**before, "accessToken": ended}))
        done = run(environ, python_path)
        assert done.returncode == 0, done.stderr
        after = json.loads(cached.read_text())
        assert before["refreshToken"] != after["refreshToken"]
        assert before["accessToken"]["accessKeyId"] != after["accessToken"]["accessKeyId"]
        assert [200] == [request.status for request in laptop.signin.requests]

    def test_login_is_required_after_sign_out(self, laptop, environ, cached, python_path):
        pytest.importorskip("awscrt")
        before = json.loads(cached.read_text())
        before["accessToken"]["expiresAt"] = "2020-01-01T00:00:00Z"
        cached.write_text(json.dumps(before))
        laptop.signin.forget()
        assert "LoginRefreshRequired" in run(environ, python_path).stderr


class TestProof:
    """AWS Sign-In with invalid DPoP proofs."""

    @pytest.fixture
    def pair(self, emulator, laptop):
        key = ec.generate_private_key(ec.SECP256R1())
        role = emulator.add_role(ROLE)
        return key, laptop.signin.sign_in(role, "dev", key.public_key())[1]

    @pytest.fixture
    def ask(self, emulator, laptop, pair, raw):
        def post(key=None, token=None, header=(), claims=(), signer=None, **asked):
            key, token = key or pair[0], token or pair[1]
            numbers = key.public_key().public_numbers()
            jwk = {
                "kty": "EC",
                "x": b64url(numbers.x.to_bytes(32, "big")),
                "y": b64url(numbers.y.to_bytes(32, "big")),
                "crv": "P-256",
            }
            parts = (
                {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk, **dict(header)},
                {
                    "htm": "POST",
                    "htu": f"{laptop.signin.url}/v1/token",
                    "iat": int(emulator.clock().timestamp()),
                    "jti": "1",
                    **dict(claims),
                },
            )
            text = ".".join(b64url(json.dumps(part).encode()) for part in parts)
            r, s = decode_dss_signature(
                (signer or key).sign(text.encode(), ec.ECDSA(hashes.SHA256()))
            )
            proof = f"{text}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
            body = {
                "clientId": "arn:aws:signin:::devtools/same-device",
                "grantType": "refresh_token",
                "refreshToken": token,
                **asked,
            }
            answer = raw(
                laptop.signin,
                "/v1/token",
                method="POST",
                headers={"DPoP": proof, "Content-Type": "application/json"},
                body=json.dumps(body),
            )
            return answer.status, json.loads(answer.body)

        return post

    def test_refresh_token_works_once(self, ask):
        status, body = ask()
        assert status == 200
        assert ask()[1]["error"] == "TOKEN_EXPIRED"
        assert ask(token=body["refreshToken"])[0] == 200

    def test_session_expires_after_twelve_hours(self, emulator, ask):
        emulator.clock = ManualClock(emulator.clock() + timedelta(hours=12))
        assert ask()[1]["error"] == "TOKEN_EXPIRED"

    @pytest.mark.parametrize(
        "changes",
        [
            {"key": ec.generate_private_key(ec.SECP256R1())},
            {"signer": ec.generate_private_key(ec.SECP256R1())},
            {"header": {"alg": "none"}},
            {"header": {"typ": "JWT"}},
            {"header": {"jwk": None}},
            {"claims": {"htm": "GET"}},
            {"claims": {"htu": "https://signin.aws.amazon.com/v1/token"}},
            {"claims": {"iat": 7}},
            {"claims": {"iat": None}},
            {"grantType": "authorization_code"},
            {"clientId": "another"},
        ],
    )
    def test_invalid_request_is_rejected_and_keeps_the_token_valid(self, ask, changes):
        status, body = ask(**changes)
        assert (403, "INVALID_REQUEST") == (status, body["error"])
        assert ask()[0] == 200

    def test_other_paths_and_methods_are_rejected(self, laptop, raw):
        assert raw(laptop.signin, "/v1/token").status == 404
        assert raw(laptop.signin, "/", method="POST").status == 404
        assert raw(laptop.signin, "/v1/token", method="POST", body="[").status == 403
