"""Key files of service accounts, by google-auth, and what AWS makes of their tokens."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from urllib.parse import urlencode

import google.oauth2.service_account
import pytest
from google.auth import jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request

from gcp_aws_bridge import policy
from gcp_aws_bridge.emulator import Fault, ManualClock, ServiceAccount

from .conftest import send

ROLE = "arn:aws:iam::123456789012:role/etl"
AUDIENCE = "sts.amazonaws.com"
OTHER = ServiceAccount.named("other@web.example.com.iam.gserviceaccount.com")


@pytest.fixture
def key_file(emulator, tmp_path):
    return emulator.key_file(tmp_path)["GOOGLE_APPLICATION_CREDENTIALS"]


def id_token(path: str, audience: str = AUDIENCE) -> str:
    credentials = google.oauth2.service_account.IDTokenCredentials.from_service_account_file(
        path, target_audience=audience
    )
    with Request().session as session:
        credentials.refresh(Request(session))
    return str(credentials.token)


def test_azp_is_the_email_and_sub_the_number(emulator, key_file):
    claims = jwt.decode(id_token(key_file, "https://a"), verify=False)
    assert claims.pop("exp") - claims.pop("iat") == 3600
    email = emulator.service_account.email
    assert claims == {
        "aud": "https://a",
        "azp": email,
        "email": email,
        "email_verified": True,
        "iss": "https://accounts.google.com",
        "sub": emulator.service_account.unique_id,
    }


def test_the_file_is_its_owners_alone_and_names_number_and_email(emulator, key_file):
    if os.name == "posix":
        assert stat.S_IMODE(os.stat(key_file).st_mode) == 0o600
    key = json.loads(Path(key_file).read_text())
    account = emulator.service_account
    assert (key["client_email"], key["client_id"]) == (account.email, account.unique_id)


@pytest.mark.parametrize(
    ("number", "email", "admitted"),
    [(True, False, False), (False, True, True), (True, True, True)],
)
def test_the_policy_must_name_the_email_and_pins_the_number(
    emulator, exchange, key_file, number, email, admitted
):
    account = emulator.service_account
    document = policy.build(
        audience=AUDIENCE,
        service_accounts=[account.unique_id] if number else [],
        key_file_emails={account.unique_id: account.email} if email else {},
    )
    emulator.add_role(ROLE, document)
    assert (exchange(id_token(key_file)).status == 200) is admitted
    assert (exchange(emulator.mint()).status == 200) is number
    assert exchange(emulator.mint(azp=account.email, sub=OTHER.unique_id)).code == "AccessDenied"


def test_another_account_has_a_key_of_its_own(emulator, tmp_path, key_file):
    path = emulator.key_file(tmp_path / "other", OTHER)["GOOGLE_APPLICATION_CREDENTIALS"]
    claims = jwt.decode(id_token(path), verify=False)
    assert (claims["azp"], claims["sub"]) == (OTHER.email, OTHER.unique_id)
    forged = {**json.loads(Path(path).read_text()), "client_email": emulator.service_account.email}
    Path(path).write_text(json.dumps(forged))
    with pytest.raises(RefreshError, match="Invalid JWT Signature"):
        id_token(path)


def test_a_key_that_google_does_not_know(emulator, key_file):
    emulator.reset()
    with pytest.raises(RefreshError, match="account not found"):
        id_token(key_file)


def test_access_tokens_are_the_accounts(emulator, key_file):
    credentials = google.oauth2.service_account.Credentials.from_service_account_file(
        key_file, scopes=["https://www.googleapis.com/auth/cloud-platform"]
    )
    with Request().session as session:
        credentials.refresh(Request(session))
    assert emulator.google_identity(credentials.token).email == emulator.service_account.email


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iat": 0}, "Invalid JWT: Token must be a short-lived token"),
        ({"exp": "soon"}, "Invalid JWT: Token must be a short-lived token"),
        ({"aud": "https://elsewhere.example"}, "Invalid JWT: Failed audience check."),
        ({"target_audience": None}, "Invalid OAuth scope or ID token audience provided."),
    ],
)
def test_assertions_that_google_refuses(emulator, changes, said):
    emulator.clock = ManualClock()
    account = emulator.service_account
    emulator.key_files.key_of(account)
    now = int(emulator.clock().timestamp())
    claims = {
        "iss": account.email,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": now,
        "exp": now + 3600,
        "target_audience": "a",
        **changes,
    }
    [(_, issuer)] = emulator.key_files._keys.values()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": issuer.sign(claims),
    }
    answer = ask(emulator, form)
    assert (answer.status, json.loads(answer.body)["error_description"][: len(said)]) == (400, said)
    good = issuer.sign({**claims, "iat": now, "exp": now + 3600, "target_audience": "a"})
    if "aud" not in changes:
        assert ask(emulator, {**form, "assertion": good}).status == 200


@pytest.mark.parametrize(
    "form", [{}, {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "x"}]
)
def test_what_is_no_assertion(emulator, form):
    assert ask(emulator, form).status == 400


def test_other_paths_are_not_there(emulator):
    assert send(emulator.key_files, "/token").status == 404
    assert send(emulator.key_files, "/v1", method="POST").status == 404


def test_a_fault_shortens_the_life_of_a_token(emulator, key_file):
    emulator.key_files.inject(Fault.stale_token(60))
    claims = jwt.decode(id_token(key_file), verify=False)
    assert claims["exp"] - claims["iat"] == 60


def ask(emulator, form):
    return send(
        emulator.key_files,
        "/token",
        method="POST",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form),
    )
