"""The metadata server's rules: headers, directories, values, tokens and their cache."""

from __future__ import annotations

import base64
import json

import pytest

from gcp_aws_bridge.emulator import Emulator, Fault, ManualClock, ServiceAccount

DEFAULT = "instance/service-accounts/default"
EMAIL = "etl@demo-project.iam.gserviceaccount.com"
NUMBER = "104203741234567890123"


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize(
    "path", ["/x", "/computeMetadata/", "/computeMetadata/v1/", "/computeMetadata/v1/project/x"]
)
@pytest.mark.parametrize("value", [None, "google", "Amazon", "Google "[:-1] + "x", ""])
def test_without_the_header_403(emulator, raw, path, value):
    headers = {} if value is None else {"Metadata-Flavor": value}
    answer = raw(emulator.metadata, path, headers=headers)
    assert (answer.status, answer.text) == (
        403,
        'Missing required header "Metadata-Flavor": "Google"\n',
    )
    assert answer.headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "", "/?recursive=true&alt=json"])
def test_the_root_is_listed_without_the_header(emulator, raw, method, path):
    answer = raw(emulator.metadata, path, method=method)
    assert (answer.status, answer.headers["Metadata-Flavor"]) == (200, "Google")
    assert answer.text == ("" if method == "HEAD" else "computeMetadata/\n")


@pytest.mark.parametrize("value", ["10.0.0.1", ""])
def test_what_a_proxy_forwarded_403(emulator, raw, value):
    headers = {"Metadata-Flavor": "Google", "X-Forwarded-For": value}
    assert raw(emulator.metadata, "/", headers=headers).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_is_allowed(emulator, raw, method):
    headers = {"Metadata-Flavor": "Google"}
    path = f"/computeMetadata/v1/{DEFAULT}/identity?audience=a"
    assert raw(emulator.metadata, path, method=method, headers=headers, body=b"{}").status == 405


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "computeMetadata/\n"),
        ("/computeMetadata/", "v1/\n"),
        ("/computeMetadata/v1/", "instance/\nproject/\nuniverse/\n"),
        ("/computeMetadata/v1/instance/", "attributes/\nhostname\nid\nservice-accounts/\nzone\n"),
        (
            "/computeMetadata/v1/instance/attributes/",
            "cluster-location\ncluster-name\ncluster-uid\n",
        ),
        ("/computeMetadata/v1/instance/service-accounts/", f"default/\n{EMAIL}/\n"),
        (
            f"/computeMetadata/v1/{DEFAULT}/",
            "aliases\nemail\nidentity\nscopes\ntoken\n",
        ),
        ("/computeMetadata/v1/project/", "numeric-project-id\nproject-id\n"),
        ("/computeMetadata/v1/project/project-id", "demo-project"),
        ("/computeMetadata/v1/project/numeric-project-id", "123456789012"),
        ("/computeMetadata/v1/universe/universe-domain", "googleapis.com"),
        ("/computeMetadata/v1/instance/zone", "projects/123456789012/zones/europe-west4-a"),
        ("/computeMetadata/v1/instance/attributes/cluster-name", "demo"),
        ("/computeMetadata/v1/instance/attributes/cluster-location", "europe-west4-a"),
        (f"/computeMetadata/v1/{DEFAULT}/email", EMAIL),
        (f"/computeMetadata/v1/instance/service-accounts/{EMAIL}/email", EMAIL),
        (f"/computeMetadata/v1/{DEFAULT}/aliases", "default\n"),
    ],
)
def test_directories_and_values(emulator, raw, path, body):
    answer = raw(emulator.metadata, path, headers={"Metadata-Flavor": "Google"})
    assert (answer.status, answer.text) == (200, body)
    assert answer.headers["Content-Type"] == "application/text"
    assert answer.headers["Server"] == "GKE Metadata Server"
    assert answer.headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("project", "/computeMetadata/v1/project/"),
        (f"{DEFAULT}?recursive=true", f"/computeMetadata/v1/{DEFAULT}/?recursive=true"),
    ],
)
def test_a_directory_without_its_slash_301(metadata, path, location):
    answer = metadata(path)
    assert (answer.status, answer.headers["Location"]) == (301, location)


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "project/project-id/",
        "project/project-id/more",
        "instance/service-accounts/other@demo-project.iam.gserviceaccount.com/identity?audience=a",
        f"{DEFAULT}/token/",
        "../v1beta1/",
    ],
)
def test_what_is_not_there_404(metadata, path):
    answer = metadata(path)
    assert (answer.status, answer.text) == (404, "Not Found\n")
    assert answer.headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize("name", ["default", EMAIL])
def test_an_account_at_once_as_json(metadata, name):
    answer = metadata(f"instance/service-accounts/{name}/?recursive=true")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == {
        "aliases": ["default"],
        "email": EMAIL,
        "scopes": [
            "https://www.googleapis.com/auth/cloud-platform",
            "https://www.googleapis.com/auth/userinfo.email",
        ],
    }


def test_everything_at_once_as_json(metadata):
    found = json.loads(metadata("?recursive=true").body)
    assert set(found) == {"instance", "project", "universe"}
    assert found["project"] == {"numericProjectId": 123456789012, "projectId": "demo-project"}
    assert set(found["instance"]["serviceAccounts"]) == {"default", EMAIL}
    assert found["instance"]["attributes"]["cluster-name"] == "demo"


def test_a_value_as_json(metadata):
    answer = metadata("project/project-id?alt=json")
    assert (answer.text, answer.headers["Content-Type"]) == ('"demo-project"', "application/json")


def test_identity_is_a_google_id_token(emulator, metadata):
    emulator.clock = ManualClock()
    answer = metadata(f"{DEFAULT}/identity?audience=https%3A%2F%2Fa.example%2F%3Fb&format=standard")
    assert answer.status == 200
    now = int(emulator.clock().timestamp())
    assert claims(answer.text) == {
        "aud": "https://a.example/?b",
        "azp": NUMBER,
        "exp": now + 3600,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": NUMBER,
    }


def test_identity_in_full_names_the_account(metadata):
    found = claims(metadata(f"{DEFAULT}/identity?audience=a&format=full&licenses=TRUE").text)
    assert (found["email"], found["email_verified"]) == (EMAIL, True)


@pytest.mark.parametrize("query", ["", "?audience=", "?format=full"])
def test_identity_without_audience_400(metadata, query):
    answer = metadata(f"{DEFAULT}/identity{query}")
    assert (answer.status, answer.text) == (400, "non-empty audience parameter required\n")


def test_identity_is_kept_until_five_minutes_before_its_end(emulator, metadata):
    emulator.clock = clock = ManualClock()
    path = f"{DEFAULT}/identity?audience=a"
    first = metadata(path).text
    clock.advance(3299)
    assert metadata(path).text == first
    clock.advance(1)
    second = metadata(path).text
    assert claims(second)["iat"] - claims(first)["iat"] == 3300


def test_identity_is_kept_by_audience_and_format(metadata):
    paths = [f"{DEFAULT}/identity?audience={a}{f}" for a in "ab" for f in ("", "&format=full")]
    first = [metadata(path).text for path in paths]
    assert len(set(first)) == 4
    assert [metadata(path).text for path in paths] == first
    by_email = metadata(f"instance/service-accounts/{EMAIL}/identity?audience=a").text
    assert by_email == first[0]


def test_a_stale_token_is_given_once_and_not_kept(emulator, metadata):
    emulator.clock = ManualClock()
    path = f"{DEFAULT}/identity?audience=a"
    emulator.metadata.inject(Fault.stale_token(42), path="identity")
    now = int(emulator.clock().timestamp())
    stale, fresh = claims(metadata(path).text), claims(metadata(path).text)
    assert (stale["exp"] - now, stale["iat"] - now) == (42, 42 - 3600)
    assert fresh["exp"] - now == 3600
    emulator.metadata.inject(Fault.stale_token(-1))
    assert claims(metadata(path).text)["exp"] == now - 1


def test_access_tokens_are_kept_too(emulator, metadata):
    emulator.clock = clock = ManualClock()
    first = json.loads(metadata(f"{DEFAULT}/token").body)
    assert first["access_token"].startswith("ya29.")
    assert (first["expires_in"], first["token_type"]) == (3600, "Bearer")
    clock.advance(3000)
    later = json.loads(metadata(f"{DEFAULT}/token").body)
    assert (later["access_token"], later["expires_in"]) == (first["access_token"], 600)
    other = json.loads(metadata(f"{DEFAULT}/token?scopes=https://x").body)
    assert other["access_token"] != first["access_token"]
    clock.advance(300)
    assert json.loads(metadata(f"{DEFAULT}/token").body)["expires_in"] == 3600


def test_a_restarted_server_has_forgotten_its_tokens(emulator, metadata):
    emulator.clock = clock = ManualClock()
    first = metadata(f"{DEFAULT}/identity?audience=a").text
    clock.advance(1)
    emulator.metadata.forget_tokens()
    assert metadata(f"{DEFAULT}/identity?audience=a").text != first


def test_an_unlinked_pod_has_no_id_token(emulator, metadata):
    emulator.unlink()
    answer = metadata(f"{DEFAULT}/identity?audience=a")
    assert answer.status == 404
    assert "(default/etl) is not annotated with a target Google service account" in answer.text
    assert metadata(f"{DEFAULT}/email").text == "demo-project.svc.id.goog"
    listing = metadata("instance/service-accounts/").text
    assert listing == "default/\ndemo-project.svc.id.goog/\n"
    assert metadata(f"{DEFAULT}/token").status == 200
    assert metadata(f"instance/service-accounts/{EMAIL}/email").status == 404


def test_a_pod_can_be_unlinked_from_the_start(raw):
    with Emulator(linked=False) as cloud:
        cloud.metadata.linked = True
        cloud.reset()
        path = f"/computeMetadata/v1/{DEFAULT}/identity?audience=a"
        assert raw(cloud.metadata, path, headers={"Metadata-Flavor": "Google"}).status == 404


def test_another_account(raw):
    account = ServiceAccount.named("other@p2.iam.gserviceaccount.com")
    with Emulator(service_account=account) as cloud:
        path = "/computeMetadata/v1/instance/service-accounts/default/"
        headers = {"Metadata-Flavor": "Google"}
        assert raw(cloud.metadata, f"{path}email", headers=headers).text == account.email
        token = raw(cloud.metadata, f"{path}identity?audience=a", headers=headers).text
        assert claims(token)["sub"] == claims(token)["azp"] == account.unique_id
        project = raw(cloud.metadata, "/computeMetadata/v1/project/project-id", headers=headers)
        assert project.text == "p2"


def test_requests_are_recorded_without_their_secrets(emulator, metadata, exchange):
    metadata(f"{DEFAULT}/identity?audience=a&audience=b&format=full")
    token = emulator.mint()
    exchange(token)
    asked, exchanged = emulator.metadata.requests[0], emulator.sts.requests[0]
    assert (asked.method, asked.status) == ("GET", 200)
    assert asked.path == f"/computeMetadata/v1/{DEFAULT}/identity"
    assert asked.query == "audience=a&audience=b&format=full"
    assert asked.params == {"audience": "a", "format": "full"}
    assert asked.headers["metadata-flavor"] == "Google"
    assert exchanged.action == "AssumeRoleWithWebIdentity"
    assert exchanged.params["WebIdentityToken"] == token
    everything = repr(emulator.sts.requests) + repr(asked) + repr(emulator)
    assert "AssumeRoleWithWebIdentity -> 403" in everything
    assert token not in everything
    assert token.split(".")[2] not in everything
