"""`GoogleCredentials` over the real google-auth, whose servers are ours on loopback."""

from __future__ import annotations

import base64
import json
import shlex
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import google.auth.credentials
import google.auth.exceptions
import google.auth.iam
import google.auth.transport.requests
import google.oauth2.credentials
import google.oauth2.id_token
import google.oauth2.service_account
import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from fakes import ManualWorld
from google.auth import _cloud_sdk, impersonated_credentials
from recording_proxy import (
    PROXY_VARIABLES,
    RecordingProxy,
    context_for,
    https_in_front_of,
    recording_proxy,
)
from unit.servers import (
    AUDIENCE,
    Server,
    answer,
    failure,
    id_token,
    json_answer,
)

from gcp_aws_bridge._tokens.default import DefaultSource
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.google_auth_errors import answered, refused
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable

TOKEN = id_token(now=datetime.now(timezone.utc))  # google-auth has a clock of its own
ACCESS = "ya29.access-token-of-the-caller"
EMAIL = "etl@project.iam.gserviceaccount.com"
MINTED = json_answer({"id_token": TOKEN})
GRANTED = json_answer({"access_token": ACCESS, "expires_in": 3600, "token_type": "Bearer"})
IMPERSONATED = json_answer({"token": TOKEN})


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any, encryption: Any = None) -> str:
    return key.private_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="module")
def key_text(private_key: rsa.RSAPrivateKey) -> str:
    return pem(private_key)


@pytest.fixture(autouse=True)
def in_a_folder_without_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # google-auth's own look for a metadata server


@pytest.fixture
def google_server() -> Iterator[Server]:
    """Google's token endpoint: an ID token to who asks for one, else an access token."""

    def reply(connection: socket.socket) -> None:
        asked = parse_qs(server.requests[-1].body)
        claims = claims_of(asked["assertion"][0]) if "assertion" in asked else {}
        connection.sendall(MINTED if "target_audience" in claims else GRANTED)

    with Server(reply) as server:
        yield server


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The IAM Credentials API, where an impersonated account's tokens come from."""
    with Server(IMPERSONATED) as server:
        for name in ("_IAM_ENDPOINT", "_IAM_IDTOKEN_ENDPOINT"):
            path = getattr(google.auth.iam, name).partition("googleapis.com")[2]
            monkeypatch.setattr(google.auth.iam, name, server.url + path)
        yield server


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))  # type: ignore[no-any-return]


def key_file(key_text: str, url: str = "http://127.0.0.1:1", **changes: Any) -> str:
    info = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "key-1",
        "private_key": key_text,
        "client_email": EMAIL,
        "token_uri": f"{url}/token",
        **changes,
    }
    kept = {name: value for name, value in info.items() if value is not ...}
    Path("key.json").write_text(json.dumps(kept))
    return "key.json"


def login_file(**changes: Any) -> str:
    """What `gcloud auth application-default login` writes."""
    info = {
        "type": "authorized_user",
        "client_id": "client",
        "client_secret": "client-secret",
        "refresh_token": "1//refresh-token",
        **changes,
    }
    Path("login.json").write_text(json.dumps(info))
    return "login.json"


# -- a service account's key -------------------------------------------------------------------


@pytest.mark.parametrize("way", ["key_file", "variable", "key file's credentials", "id token's"])
@pytest.mark.parametrize("audience", [None, "aws:123456789012:etl"])
def test_a_key_signs_for_a_token_of_the_audience_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    private_key: rsa.RSAPrivateKey,
    key_text: str,
    google_server: Server,
    way: str,
    audience: str | None,
) -> None:
    path = key_file(key_text, google_server.url)
    if way == "key_file":
        source = GoogleCredentials(key_file=path, audience=audience)
    elif way == "variable":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
        source = GoogleCredentials(audience=audience)
    elif way == "key file's credentials":
        own = google.oauth2.service_account.Credentials.from_service_account_file(path)
        source = GoogleCredentials(own, audience=audience)
    else:
        own = google.oauth2.service_account.IDTokenCredentials.from_service_account_file(
            path, target_audience="another"
        )
        source = GoogleCredentials(own, audience=audience)
    assert TOKEN == source()
    (request,) = google_server.requests
    assert ("POST", "/token") == (request.method, request.path)
    form = parse_qs(request.body)
    assert ["urn:ietf:params:oauth:grant-type:jwt-bearer"] == form["grant_type"]
    (assertion,) = form["assertion"]
    claims = claims_of(assertion)
    assert (audience or AUDIENCE, EMAIL) == (claims["target_audience"], claims["iss"])
    signed, _, signature = assertion.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    try:
        private_key.public_key().verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        pytest.fail("the assertion is not signed with the file's key")


def test_every_call_sends_a_request(key_text: str, google_server: Server) -> None:
    source = GoogleCredentials(key_file=key_file(key_text, google_server.url))
    assert [TOKEN, TOKEN] == [source(), source()]
    assert 2 == len(google_server.requests)


def test_key_file_is_read_in_each_call(key_text: str, google_server: Server) -> None:
    source = GoogleCredentials(key_file=key_file(key_text, google_server.url))
    source()
    Path("key.json").write_text("{}")
    failure(TokenError, "token/key-file", source, seen=['"key.json"'])


def test_a_users_credentials_object_is_not_changed(key_text: str, google_server: Server) -> None:
    path = key_file(key_text, google_server.url)
    own = google.oauth2.service_account.Credentials.from_service_account_file(path)
    GoogleCredentials(own)()
    assert own.token is None


def test_a_refused_key_says_what_google_said(key_text: str) -> None:
    said = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    with Server(json_answer(said, 400)) as server:
        error = failure(
            TokenError,
            "token/google-refused",
            GoogleCredentials(key_file=key_file(key_text, server.url)),
            seen=["Invalid JWT Signature."],
            secrets=key_text.splitlines()[1:3],
        )
    assert "live" in error.fix
    assert not error.retryable


def test_a_token_endpoint_that_cannot_be_reached(key_text: str) -> None:
    error = failure(
        TokenError,
        "token/google-unreachable",
        GoogleCredentials(key_file=key_file(key_text)),
        seen=["127.0.0.1", "refused"],
        secrets=key_text.splitlines()[1:3],
    )
    assert error.retryable


@pytest.mark.parametrize("token", ["garbage", "a.b.c"])
def test_an_answer_that_is_no_token_is_not_the_lack_of_credentials(
    key_text: str, token: str
) -> None:
    with Server(json_answer({"id_token": token})) as server:
        source = GoogleCredentials(key_file=key_file(key_text, server.url))
        with pytest.raises(TokenError) as caught:
            source()
    assert type(caught.value) is TokenError
    assert "token/google-none" != caught.value.error_id


def test_an_answer_without_a_token(key_text: str) -> None:
    with Server(json_answer({"access_token": ACCESS})) as server:
        failure(
            TokenError,
            "token/google-refused",
            GoogleCredentials(key_file=key_file(key_text, server.url)),
            seen=["No ID token in response"],
        )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_key_file_as_powershell_writes_it_is_read(
    key_text: str, google_server: Server, encoding: str
) -> None:
    path = Path(key_file(key_text, google_server.url))
    path.write_text(path.read_text(), encoding=encoding)
    assert TOKEN == GoogleCredentials(key_file=path, audience=AUDIENCE)()


# -- a key file that is none -------------------------------------------------------------------

NO_KEY = "is not a service account's key"
NO_JSON = "is not a JSON object"


@pytest.mark.parametrize("content", ["", "{", "<html>", "[]", "null", "5", "\x00"])
def test_a_file_that_is_no_json_object(content: str) -> None:
    Path("key.json").write_text(content)
    failure(TokenError, "token/key-file", GoogleCredentials(key_file="key.json"), seen=[NO_JSON])


@pytest.mark.parametrize("content", ["{}", '{"type": "authorized_user"}', '{"private_key": "x"}'])
def test_a_file_that_is_no_key(content: str) -> None:
    Path("key.json").write_text(content)
    failure(TokenError, "token/key-file", GoogleCredentials(key_file="key.json"), seen=[NO_KEY])


def test_a_binary_file_is_no_key() -> None:
    Path("key.json").write_bytes(b"\x80\xff" * 50)
    failure(TokenError, "token/key-file", GoogleCredentials(key_file="key.json"), seen=[NO_JSON])


@pytest.mark.parametrize(
    "changes",
    [{"client_email": ...}, {"token_uri": ...}, {"private_key": ...}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_key_file_without_what_it_needs(key_text: str, changes: dict[str, Any]) -> None:
    failure(
        TokenError,
        "token/key-file",
        GoogleCredentials(key_file=key_file(key_text, **changes)),
        seen=[NO_KEY, '"key.json"'],
        secrets=key_text.splitlines()[1:3],
    )


def cut_short(text: str) -> str:
    """Key material that no longer parses; the parser's own message may quote some."""
    lines = text.splitlines()
    return "\n".join([*lines[:5], *lines[-1:]])


def test_a_broken_key_is_not_shown(key_text: str) -> None:
    path = key_file(cut_short(key_text))
    error = failure(
        TokenError,
        "token/key-file",
        GoogleCredentials(key_file=path),
        seen=[NO_KEY],
        secrets=key_text.splitlines()[1:5],
    )
    assert "gcloud iam service-accounts keys create" in error.fix


@pytest.mark.parametrize("kind", ["encrypted", "elliptic"])
def test_a_key_of_another_kind(private_key: rsa.RSAPrivateKey, kind: str) -> None:
    text = (
        pem(private_key, serialization.BestAvailableEncryption(b"passphrase"))
        if kind == "encrypted"
        else pem(ec.generate_private_key(ec.SECP256R1()))
    )
    failure(
        TokenError,
        "token/key-file",
        GoogleCredentials(key_file=key_file(text)),
        seen=["key.json"],
        secrets=text.splitlines()[1:3],
    )


def test_a_key_file_nested_without_end() -> None:
    Path("key.json").write_text("[" * 100_000)
    failure(TokenError, "token/key-file", GoogleCredentials(key_file="key.json"), seen=[NO_JSON])


def test_a_key_file_that_is_missing() -> None:
    failure(
        TokenError,
        "token/key-file",
        GoogleCredentials(key_file="missing.json"),
        seen=['"missing.json"', "does not exist"],
    )


def test_a_folder_is_no_key_file() -> None:
    failure(
        TokenError,
        "token/key-file",
        GoogleCredentials(key_file="."),
        seen=['"."', "cannot be read (Is a directory)"],
    )


def test_a_path_object_that_is_wrong_is_named_like_a_text() -> None:
    source = GoogleCredentials(key_file=Path("missing.json"))  # type: ignore[arg-type]
    failure(TokenError, "token/key-file", source, seen=['"missing.json"'])


# -- impersonation -----------------------------------------------------------------------------


def check_impersonated(iam: Server, audience: str = AUDIENCE) -> None:
    request = iam.requests[-1]
    assert "POST" == request.method
    assert f"/v1/projects/-/serviceAccounts/{EMAIL}:generateIdToken" == request.path
    assert f"Bearer {ACCESS}" == request.headers["authorization"]
    assert (audience, True) == (
        json.loads(request.body)["audience"],
        json.loads(request.body)["includeEmail"],
    )


@pytest.fixture
def login_server(monkeypatch: pytest.MonkeyPatch, google_server: Server) -> Server:
    """The token endpoint also for a user's login, whose file names none."""
    monkeypatch.setattr(
        google.oauth2.credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{google_server.url}/token"
    )
    return google_server


@pytest.mark.parametrize("audience", [None, "aws:123456789012:etl"])
def test_a_users_login_impersonates_a_service_account(
    monkeypatch: pytest.MonkeyPatch, login_server: Server, iam: Server, audience: str | None
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", login_file())
    assert TOKEN == GoogleCredentials(impersonate=EMAIL, audience=audience)()
    (login,) = login_server.requests
    assert ["1//refresh-token"] == parse_qs(login.body)["refresh_token"]
    assert 1 == len(iam.requests)
    check_impersonated(iam, audience or AUDIENCE)


def test_a_key_impersonates_a_service_account(
    key_text: str, google_server: Server, iam: Server
) -> None:
    path = key_file(key_text, google_server.url, client_email="caller@p.iam.gserviceaccount.com")
    assert TOKEN == GoogleCredentials(key_file=path, impersonate=EMAIL)()
    check_impersonated(iam)


def test_a_file_that_impersonates_by_itself(
    monkeypatch: pytest.MonkeyPatch, login_server: Server, iam: Server
) -> None:
    """What `gcloud auth application-default login --impersonate-service-account` writes."""
    login = json.loads(Path(login_file()).read_text())
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}"
    info = {
        "type": "impersonated_service_account",
        "source_credentials": login,
        "service_account_impersonation_url": f"{url}:generateAccessToken",
    }
    Path("impersonated.json").write_text(json.dumps(info))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "impersonated.json")
    assert TOKEN == GoogleCredentials()()
    assert 1 == len(login_server.requests)
    check_impersonated(iam)


def test_impersonated_credentials_of_the_users_own(
    key_text: str, google_server: Server, iam: Server
) -> None:
    path = key_file(key_text, google_server.url)
    caller = google.oauth2.service_account.Credentials.from_service_account_file(path)
    own = impersonated_credentials.Credentials(caller, EMAIL, ["scope"])
    assert TOKEN == GoogleCredentials(own)()
    check_impersonated(iam)


def test_a_refused_impersonation_names_the_role_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, login_server: Server, iam: Server
) -> None:
    said = "Permission 'iam.serviceAccounts.getOpenIdToken' denied"
    iam.replies[:] = [json_answer({"error": {"code": 403, "message": said}}, 403)]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", login_file())
    error = failure(
        TokenError,
        "token/google-refused",
        GoogleCredentials(impersonate=EMAIL),
        seen=["iam.serviceAccounts.getOpenIdToken"],
        secrets=[ACCESS, "1//refresh-token", "client-secret"],
    )
    assert "roles/iam.serviceAccountTokenCreator" in error.fix
    assert 1 == len(login_server.requests)


def test_a_login_that_has_ended(
    monkeypatch: pytest.MonkeyPatch, login_server: Server, iam: Server
) -> None:
    said = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    login_server.replies[:] = [json_answer(said, 400)]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", login_file())
    failure(
        TokenError,
        "token/google-refused",
        GoogleCredentials(impersonate=EMAIL),
        seen=["Token has been expired or revoked."],
        secrets=["1//refresh-token", "client-secret"],
    )
    assert 0 == len(iam.requests)


@pytest.mark.parametrize("fault", ["unreachable", "page", "no json"])
def test_an_iam_api_that_does_not_answer_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, login_server: Server, iam: Server, fault: str
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", login_file())
    if fault == "unreachable":
        monkeypatch.setattr(
            google.auth.iam, "_IAM_IDTOKEN_ENDPOINT", "http://127.0.0.1:1/{}:generateIdToken"
        )
    else:
        iam.replies[:] = [answer("<html>Bad gateway</html>", 502 if fault == "page" else 200)]
    error = failure(
        TokenError,
        "token/google-unreachable" if fault == "unreachable" else "token/google-refused",
        GoogleCredentials(impersonate=EMAIL),
        secrets=[ACCESS, "1//refresh-token", "client-secret"],
    )
    assert error.retryable
    assert "serviceAccountTokenCreator" not in error.fix
    assert 1 == len(login_server.requests)


USER_ROLE = "roles/iam.workloadIdentityUser"
CREATOR_ROLE = "roles/iam.serviceAccountTokenCreator"


@pytest.mark.parametrize(
    ("caller", "permission", "role"),
    [
        ("principal://pool/subject/SUBJECT", "getOpenIdToken", USER_ROLE),
        ("principal://pool/subject/SUBJECT", "getAccessToken", USER_ROLE),
        ("principal://pool/subject/SUBJECT", "signBlob", CREATOR_ROLE),
        ("principal://pool/subject/SUBJECT", "signJwt", CREATOR_ROLE),
        ("principal://pool/subject/SUBJECT", "implicitDelegation", CREATOR_ROLE),
        ("user:NAME@DOMAIN", "getOpenIdToken", CREATOR_ROLE),
        ("user:NAME@DOMAIN", "signBlob", CREATOR_ROLE),
        (f"serviceAccount:{EMAIL}", "getAccessToken", CREATOR_ROLE),
    ],
)
def test_permission_that_google_names_decides_the_role(
    caller: str, permission: str, role: str
) -> None:
    email = "etl@my-project.example.com.iam.gserviceaccount.com"
    said = f"Permission 'iam.serviceAccounts.{permission}' denied on resource"
    body = json.dumps({"error": {"code": 403, "message": said}}).encode()
    for error in (
        answered(body, 403, email, caller),
        refused(google.auth.exceptions.RefreshError(said), email, caller, 403),
    ):
        *_, command = error.fix.splitlines()
        words = shlex.split(command)
        assert [f"--role={role}", f"--member={caller}"] == words[-2:]
        assert [email, "--project=example.com:my-project"] == words[4:6]
        assert not error.retryable


def test_api_that_is_off_is_turned_on_in_the_project_that_google_names() -> None:
    said = "IAM Service Account Credentials API has not been used in project 123456789012 before"
    error = refused(google.auth.exceptions.RefreshError(said), EMAIL, "MEMBER", 403)
    enable = "gcloud services enable iamcredentials.googleapis.com --project=123456789012"
    assert enable == error.fix


def test_account_that_does_not_exist_is_not_a_missing_role() -> None:
    said = "Not found; Gaia id not found for email etl@project.iam.gserviceaccount.com"
    error = refused(google.auth.exceptions.RefreshError(said), EMAIL, "MEMBER", 404)
    assert "correct the e-mail" in error.fix
    assert "--project=project" in error.fix
    assert "roles/" not in error.fix


# -- what gives no ID token --------------------------------------------------------------------


def test_login_of_a_user_needs_impersonation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", login_file())
    error = failure(
        TokenUnavailable,
        "token/google-kind",
        GoogleCredentials(),
        seen=['login.json"', "authorized_user", "a user's login"],
        secrets=["1//refresh-token", "client-secret"],
    )
    assert 'GoogleCredentials(impersonate="' in error.fix


class Unheard(google.auth.credentials.Credentials):  # type: ignore[misc]
    def refresh(self, request: object) -> None:
        raise AssertionError("its access token is not needed")


def test_credentials_of_an_unknown_kind_raise() -> None:
    failure(
        TokenUnavailable,
        "token/google-kind",
        GoogleCredentials(Unheard()),
        seen=[f"{Unheard.__module__}.Unheard"],
    )


class Minting(google.auth.credentials.Credentials):  # type: ignore[misc]
    """What a newer google-auth, or a user, may bring: an audience of choice by name."""

    def __init__(self, audience: str = "") -> None:
        super().__init__()
        self.audience = audience

    def with_target_audience(self, audience: str) -> Minting:
        return Minting(audience)

    def refresh(self, request: object) -> None:
        assert isinstance(request, google.auth.transport.requests.Request)
        self.token = f"token for {self.audience}"


def test_credentials_that_take_an_audience_are_used_whatever_their_class() -> None:
    assert "token for mine" == GoogleCredentials(Minting(), audience="mine")()


def test_compute_engine_credentials_are_our_own_metadata_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from google.auth import compute_engine

    with Server(answer(TOKEN)) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server.host)
        own = compute_engine.Credentials(service_account_email=EMAIL)
        assert TOKEN == GoogleCredentials(own)()
        (request,) = server.requests
    assert f"/service-accounts/{EMAIL}/identity?audience={AUDIENCE}" in request.path


def test_the_connections_to_google_are_closed(
    monkeypatch: pytest.MonkeyPatch, key_text: str, google_server: Server
) -> None:
    closed = []
    close = requests.Session.close
    monkeypatch.setattr(requests.Session, "close", lambda self: [closed.append(1), close(self)])
    path = key_file(key_text, google_server.url)
    GoogleCredentials(key_file=path)()
    assert closed
    closed.clear()
    failure(TokenError, "token/key-file", GoogleCredentials(key_file="missing"), seen=["missing"])
    assert closed


# -- application-default credentials -----------------------------------------------------------


def test_no_credentials_at_all() -> None:
    error = failure(
        TokenUnavailable, "token/google-none", GoogleCredentials(), seen=["google-auth"]
    )
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error.fix


def test_content_of_a_key_file_in_the_place_of_its_path_is_not_shown(
    key_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Path(key_file(key_text)).read_text()
    for text in (written, json.dumps(json.loads(written), indent=2)):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", text)
        for source in (GoogleCredentials(), GoogleCredentials()._bound()):
            seen = ["content of a file instead of its path"]
            error = failure(TokenUnavailable, "token/google-none", source, seen=seen)
            assert "BEGIN" not in str(error)
        make = lambda text=text: GoogleCredentials(key_file=text)  # noqa: E731
        assert "BEGIN" not in str(failure(ConfigError, "config/path", make, seen=["content of"]))


def test_folder_in_the_variable_is_named_as_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    failure(TokenUnavailable, "token/google-none", GoogleCredentials(), seen=["is a folder"])


def gcloud_login(**changes: Any) -> None:
    folder = Path.home() / ".config/gcloud"
    folder.mkdir(parents=True)
    Path(login_file(**changes)).rename(folder / "application_default_credentials.json")


@pytest.fixture
def no_gcloud(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Subprocesses that were to be started, and are not."""
    started: list[Any] = []

    def check_output(command: Any, **_: Any) -> bytes:
        started.append(command)
        raise OSError("no gcloud here")

    monkeypatch.setattr(subprocess, "check_output", check_output)
    return started


@pytest.mark.usefixtures("no_gcloud")
def test_gclouds_own_file_is_found() -> None:
    gcloud_login()
    failure(
        TokenUnavailable,
        "token/google-kind",
        GoogleCredentials(),
        seen=["application_default_credentials.json", "authorized_user"],
    )


@pytest.mark.usefixtures("no_gcloud")
def test_gclouds_own_file_impersonates(login_server: Server, iam: Server) -> None:
    gcloud_login()
    assert TOKEN == GoogleCredentials(impersonate=EMAIL)()
    assert 1 == len(login_server.requests)
    check_impersonated(iam)


def test_no_subprocess_is_started_for_a_token(
    login_server: Server, iam: Server, no_gcloud: list[Any]
) -> None:
    gcloud_login()
    assert TOKEN == GoogleCredentials(impersonate=EMAIL)()
    assert (1, 1) == (len(login_server.requests), len(iam.requests))
    assert [] == no_gcloud


@pytest.mark.usefixtures("no_gcloud")
def test_google_auths_warning_about_quota_is_not_passed_on() -> None:
    gcloud_login(client_id=_cloud_sdk.CLOUD_SDK_CLIENT_ID)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        failure(TokenUnavailable, "token/google-kind", GoogleCredentials(), seen=["login"])


BROKEN = {
    "no json": "{broken",
    "no object": "[]",
    "no type": "{}",
    "no key": '{"type": "service_account", "client_email": "a@b", "token_uri": "http://c"}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_in_the_variable_is_an_error_and_not_the_lack_of_one(
    monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    Path("adc.json").write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "adc.json")
    with pytest.raises(TokenError) as caught:
        GoogleCredentials()()
    assert "adc.json" in caught.value.args[0]
    assert type(caught.value) is TokenError


def test_the_default_source_does_not_pass_over_a_broken_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("adc.json").write_text("{broken")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "adc.json")
    with Server(answer(id_token())) as server:
        monkeypatch.setenv("GCE_METADATA_HOST", server.host)
        with pytest.raises(TokenError) as caught:
            DefaultSource(world=ManualWorld().world)()
        assert type(caught.value) is TokenError
        assert "adc.json" in caught.value.args[0]
        assert [] == server.requests


# -- without google-auth, or requests ----------------------------------------------------------


@pytest.mark.parametrize("missing", ["requests", "google", "google.auth"])
def test_what_is_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in list(sys.modules):
        if name == "google" or name.startswith("google."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    error = failure(
        ConfigError,
        "config/extra-google",
        GoogleCredentials(key_file="key.json"),
        seen=["needs google-auth with requests", missing],
    )
    assert "pip install 'gcp-aws-bridge[google]'" == error.fix


# -- proxies and plain HTTP --------------------------------------------------------------------


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingProxy]:
    with recording_proxy() as proxy:
        for name in PROXY_VARIABLES:
            monkeypatch.setenv(name, proxy.url)
        yield proxy


def test_proxy_sees_nothing_of_a_key_file_for_loopback(
    key_text: str, google_server: Server, proxy: RecordingProxy
) -> None:
    assert TOKEN == GoogleCredentials(key_file=key_file(key_text, google_server.url))()
    assert proxy.saw_nothing


def test_proxy_sees_nothing_of_default_credentials_for_loopback(
    key_text: str,
    google_server: Server,
    proxy: RecordingProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = key_file(key_text, google_server.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    assert TOKEN == GoogleCredentials()()
    assert proxy.saw_nothing


def test_proxy_of_an_impersonation_is_asked_for_a_tunnel(
    proxy: RecordingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_for(tmp_path, "iamcredentials.googleapis.com")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    login = google.oauth2.credentials.Credentials(token=ACCESS)
    with Server(IMPERSONATED) as iam, https_in_front_of(iam.url, context) as proxy.upstream:
        assert TOKEN == GoogleCredentials(login, impersonate=EMAIL)()
    assert proxy.request_lines
    tunnel = "CONNECT iamcredentials.googleapis.com:443"
    assert {tunnel} == {line.rpartition(" ")[0] for line in proxy.request_lines}


@pytest.mark.parametrize("host", ["sts.example", "127.0.0.1.nip.io", "127.0.0.1@sts.example"])
def test_assertion_is_not_sent_over_plain_http_elsewhere(
    key_text: str, google_server: Server, proxy: RecordingProxy, host: str
) -> None:
    error = failure(
        ConfigError,
        "config/google-plain-http",
        GoogleCredentials(key_file=key_file(key_text, f"http://{host}")),
        seen=["/token", "clear text"],
    )
    assert proxy.saw_nothing
    assert "token_uri" in error.fix
    # What the message asks for is an https:// address; one on this machine is let through, too.
    assert TOKEN == GoogleCredentials(key_file=key_file(key_text, google_server.url))()


def test_assertion_does_not_follow_a_redirect(key_text: str) -> None:
    with Server(MINTED) as elsewhere:
        moved = answer(status=307, Location=f"{elsewhere.url}/token")
        with Server(moved) as google_server, pytest.raises(TokenError):
            GoogleCredentials(key_file=key_file(key_text, google_server.url))()
        assert [] == elsewhere.requests
