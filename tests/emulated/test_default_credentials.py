"""Application-default credentials from real files, with and without an ID token."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import google.auth.iam
import google.oauth2.credentials
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fakes import ManualWorld
from google.auth import aws, identity_pool
from unit.servers import AUDIENCE, Server, answer, failure, json_answer

import gcp_aws_bridge as bridge
from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge._tokens.default import DefaultSource
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.emulator.googleiam import CLOUD_PLATFORM, GoogleIdentity
from gcp_aws_bridge.exceptions import TokenError, TokenUnavailable

ROLE = "arn:aws:iam::123456789012:role/etl"
EMAIL = "etl@demo-project.iam.gserviceaccount.com"
DEVELOPER = "developer@demo-project.iam.gserviceaccount.com"
LOGIN = {
    "type": "authorized_user",
    "client_id": "client",
    "client_secret": "client-secret",
    "refresh_token": "1//refresh-token",
}
WORKFORCE_LOGIN = {
    **LOGIN,
    "type": "external_account_authorized_user",
    "audience": "//iam.googleapis.com/locations/global/workforcePools/pool/providers/p",
    "token_url": "https://sts.googleapis.com/v1/oauthtoken",
    "token_info_url": "https://sts.googleapis.com/v1/introspect",
}
SECRETS = ["client-secret", "1//refresh-token"]


def claims_of(token: str) -> dict[str, Any]:
    return _id_token.claims_of(_id_token.parse(token, origin="the test"))


class Machine:
    """A machine with application-default credentials, and an account that it may impersonate."""

    def __init__(self, cloud: Emulator, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.cloud = cloud
        self.patch = patch
        self.folder = folder
        self.provider = cloud.add_google_provider_for_oidc(cloud.eks_issuer_url)
        self.subject = "system:serviceaccount:default:etl"
        cloud.add_google_service_account(EMAIL, [self.provider.principal(self.subject)])
        for name in ("_IAM_ENDPOINT", "_IAM_IDTOKEN_ENDPOINT"):
            path = getattr(google.auth.iam, name).partition("googleapis.com")[2]
            patch.setattr(google.auth.iam, name, cloud.iam_credentials.url + path)

    def token_file(self) -> str:
        path = self.folder / "projected"
        path.write_text(self.cloud.eks_token(self.provider.audiences[0]))
        return str(path)

    def external(self, account: str | None = EMAIL, **changes: Any) -> dict[str, Any]:
        return {
            **self.cloud.external_account(
                self.provider, account, source="file", file=self.token_file()
            ),
            **changes,
        }

    def adc(self, info: dict[str, Any]) -> None:
        path = self.folder / "adc.json"
        path.write_text(json.dumps(info))
        self.patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    def access_token_of(self, email: str) -> str:
        ends = datetime.now(timezone.utc) + timedelta(hours=1)
        identity = GoogleIdentity(None, email, frozenset([CLOUD_PLATFORM]), ends)
        return self.cloud._iam.issue(identity)

    def key(self, email: str) -> dict[str, Any]:
        account = self.cloud.service_account.named(email)
        return dict(self.cloud.key_files.key_of(account))


@pytest.fixture
def machine(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", emulator.sts.url)
    return Machine(emulator, monkeypatch, tmp_path)


@pytest.fixture
def login_server(machine: Machine) -> Iterator[Server]:
    """Return Google's token endpoint for a developer's login."""
    token = machine.access_token_of(DEVELOPER)
    granted = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
    with Server(json_answer(granted)) as server:
        name = "_GOOGLE_OAUTH2_TOKEN_ENDPOINT"
        machine.patch.setattr(google.oauth2.credentials, name, f"{server.url}/token")
        yield server


# -- files that give an ID token -----------------------------------------------------------------


def impersonated(machine: Machine, source: dict[str, Any]) -> dict[str, Any]:
    machine.cloud.add_google_service_account(EMAIL, token_creators=[f"serviceAccount:{DEVELOPER}"])
    return {
        "type": "impersonated_service_account",
        "delegates": [],
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/"
        f"serviceAccounts/{EMAIL}:generateAccessToken",
        "source_credentials": source,
    }


def aws_file(machine: Machine) -> dict[str, Any]:
    provider = machine.cloud.add_aws_provider()
    key = machine.cloud.add_user()
    machine.patch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
    machine.patch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
    machine.patch.setenv("AWS_REGION", "us-east-1")
    machine.cloud.add_google_service_account(EMAIL, [provider.principal_set()])
    return machine.cloud.external_account(provider, EMAIL)


def executable_file(machine: Machine) -> dict[str, Any]:
    machine.patch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    output = {
        "version": 1,
        "success": True,
        "token_type": "urn:ietf:params:oauth:token-type:jwt",
        "id_token": Path(machine.token_file()).read_text(),
    }
    program = machine.folder / "program.py"
    program.write_text(f"print({json.dumps(output)!r})")
    command = {"command": f"{sys.executable} {program}", "timeout_millis": 30000}
    return machine.external(credential_source={"executable": command})


FILES: dict[str, Callable[[Machine], dict[str, Any]]] = {
    "key": lambda machine: machine.key(EMAIL),
    "impersonated over a login": lambda machine: impersonated(machine, LOGIN),
    "impersonated over a key": lambda machine: impersonated(machine, machine.key(DEVELOPER)),
    "federated by a file": lambda machine: machine.external(),
    "federated, with a lifetime": lambda machine: machine.external(
        service_account_impersonation={"token_lifetime_seconds": 2800}
    ),
    "federated by AWS": aws_file,
    "federated by a program": executable_file,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("login_server")
def test_file_gives_an_id_token_of_the_account(name: str, machine: Machine) -> None:
    machine.adc(FILES[name](machine))
    claims = claims_of(GoogleCredentials(audience=AUDIENCE)())
    assert (AUDIENCE, EMAIL) == (claims["aud"], claims["email"])
    assert "https://accounts.google.com" == claims["iss"]
    assert claims == claims_of(DefaultSource(AUDIENCE)()) | {
        name: claims[name] for name in ("iat", "exp")
    }


def test_machine_without_a_file_uses_the_metadata_server(machine: Machine) -> None:
    machine.patch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{machine.cloud.metadata.port}")
    assert EMAIL == claims_of(GoogleCredentials(audience=AUDIENCE)())["email"]


def test_federated_identity_gets_aws_credentials(machine: Machine) -> None:
    machine.adc(machine.external())
    machine.cloud.add_role(ROLE)
    found = bridge.credentials(ROLE).get_frozen_credentials()
    assert found.access_key.startswith("ASIA")


@pytest.mark.usefixtures("login_server")
def test_federated_identity_impersonates_another_account(machine: Machine) -> None:
    other = "reader@demo-project.iam.gserviceaccount.com"
    machine.cloud.add_google_service_account(other, token_creators=[f"serviceAccount:{EMAIL}"])
    machine.adc(machine.external())
    source = GoogleCredentials(impersonate=other, audience=AUDIENCE)
    assert other == claims_of(source())["email"]


def test_federated_identity_without_an_account_impersonates_the_named_one(machine: Machine) -> None:
    machine.adc(machine.external(None))
    source = GoogleCredentials(impersonate=EMAIL, audience=AUDIENCE)
    assert EMAIL == claims_of(source())["email"]


@pytest.mark.parametrize("kind", ["file", "AWS"])
def test_credentials_object_of_a_federated_identity_gives_a_token(
    kind: str, machine: Machine
) -> None:
    info = aws_file(machine) if kind == "AWS" else machine.external()
    kinds = {"file": identity_pool.Credentials, "AWS": aws.Credentials}
    scopes = ["https://www.googleapis.com/auth/devstorage.read_only"]
    own = kinds[kind].from_info(info, scopes=scopes)
    assert EMAIL == claims_of(GoogleCredentials(own)())["email"]
    assert own.token is None


def test_project_id_is_not_requested(machine: Machine) -> None:
    requests: list[object] = []

    def get_project_id(self: object, request: object) -> None:
        requests.append(request)

    machine.patch.setattr("google.auth.external_account.Credentials.get_project_id", get_project_id)
    machine.adc(machine.external())
    GoogleCredentials(audience=AUDIENCE)()
    assert [] == requests
    assert ["/v1/token"] == [one.path for one in machine.cloud.google_sts.requests]
    (request,) = machine.cloud.iam_credentials.requests
    assert request.path.endswith(f"{EMAIL}:generateIdToken")


# -- files that give no ID token -----------------------------------------------------------------

NONE: dict[str, Callable[[Machine], dict[str, Any]]] = {
    "authorized_user": lambda machine: LOGIN,
    "external_account": lambda machine: machine.external(None),
    "external_account_authorized_user": lambda machine: WORKFORCE_LOGIN,
    "gdch_service_account": lambda machine: {
        "type": "gdch_service_account",
        "format_version": "1",
        "project": "project",
        "name": "name",
        "private_key_id": "id",
        "private_key": ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
        "ca_cert_path": "/ca.pem",
        "token_uri": "https://service-identity.example/authenticate",
    },
}


@pytest.mark.parametrize("kind", NONE)
def test_file_that_gives_no_token_is_named_with_its_type(kind: str, machine: Machine) -> None:
    machine.adc(NONE[kind](machine))
    seen = ["adc.json", f"its type is {kind} ("]
    error = failure(
        TokenUnavailable, "token/google-kind", GoogleCredentials(), seen=seen, secrets=SECRETS
    )
    wanted = "use a service account" if kind.startswith("gdch") else "impersonat"
    assert wanted in error.fix
    requests = [*machine.cloud.google_sts.requests, *machine.cloud.iam_credentials.requests]
    assert [] == requests
    default = failure(
        TokenUnavailable,
        "token/none",
        DefaultSource(AUDIENCE, world=ManualWorld().world),
        seen=seen,
        secrets=SECRETS,
    )
    assert error.fix == default.fix


def test_distributed_cloud_account_cannot_impersonate(machine: Machine) -> None:
    machine.adc(NONE["gdch_service_account"](machine))
    source = GoogleCredentials(impersonate=EMAIL)
    failure(TokenUnavailable, "token/google-kind", source, seen=["gdch_service_account"])


@pytest.mark.parametrize(
    ("info", "seen"),
    [
        ({}, 'has no "type"'),
        ({"type": "no_such"}, 'the type "no_such"'),
        ({"type": None}, "the type"),
        ({"type": "external_account"}, 'the type "external_account"'),
        ({"type": "external_account", "credential_source": []}, 'type "external_account"'),
        ({"type": "external_account", "credential_source": {}}, 'type "external_account"'),
        ({"type": "service_account"}, 'the type "service_account"'),
        ({"type": "authorized_user"}, 'the type "authorized_user"'),
        ({"type": "impersonated_service_account"}, '"impersonated_service_account"'),
        (
            {
                "type": "impersonated_service_account",
                "source_credentials": {"type": "external_account"},
                "service_account_impersonation_url": "x",
            },
            'the type "impersonated_service_account" over "external_account"',
        ),
    ],
    ids=str,
)
def test_file_that_google_auth_cannot_read_is_named_with_its_type(
    info: dict[str, Any], seen: str, machine: Machine
) -> None:
    machine.adc(info)
    error = failure(TokenError, "token/google-file", GoogleCredentials(), seen=["adc.json", seen])
    assert not error.retryable
    assert "service_account_impersonation_url" in error.details


@pytest.mark.parametrize(
    "url", ["https://x", f"https://x/v1/{EMAIL}", f"https://x/{EMAIL}:signBlob", ":generateAccess"]
)
def test_malformed_impersonation_url_is_named(url: str, machine: Machine) -> None:
    machine.adc(machine.external(service_account_impersonation_url=url))
    failure(TokenError, "token/google-file", GoogleCredentials(), seen=[f'"{url}"'])
    assert [] == machine.cloud.google_sts.requests


def test_function_that_supplies_subject_tokens_is_used(machine: Machine) -> None:
    class Supplier(identity_pool.SubjectTokenSupplier):  # type: ignore[misc]
        def get_subject_token(self, context: object, request: object) -> str:
            return Path(machine.token_file()).read_text()

    def own(**more: str) -> Any:
        return identity_pool.Credentials(
            machine.provider.audience,
            "urn:ietf:params:oauth:token-type:jwt",
            token_url=f"{machine.cloud.google_sts.url}/v1/token",
            subject_token_supplier=Supplier(),
            scopes=[CLOUD_PLATFORM],
            **more,
        )

    url = machine.external()["service_account_impersonation_url"]
    source = GoogleCredentials(own(service_account_impersonation_url=url))
    assert EMAIL == claims_of(source())["email"]
    assert EMAIL == claims_of(GoogleCredentials(own(), impersonate=EMAIL)())["email"]


# -- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["token_url", "service_account_impersonation_url"])
@pytest.mark.parametrize(
    ("host", "fix"),
    [
        ("127.0.0.1:1", "egress rules, firewalls and proxy settings for 127.0.0.1, port 1"),
        ("no-such-host.invalid", "check DNS: getent hosts no-such-host.invalid"),
    ],
)
def test_network_fault_is_retryable_and_not_blamed_on_roles(
    host: str, fix: str, name: str, machine: Machine
) -> None:
    scheme = "http" if host.startswith("127.") else "https"
    info = machine.external()
    path = info[name].partition("/v1/")[2]
    machine.adc({**info, name: f"{scheme}://{host}/v1/{path}"})
    error = failure(TokenError, "token/google-unreachable", GoogleCredentials(), seen=[host[:9]])
    assert error.retryable
    assert "roles/" not in error.fix
    assert fix in error.fix


def test_tls_failure_is_not_blamed_on_dns_or_egress(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers in plain HTTP; then the file of certificates is missing."""
    of_plain_http = f"https{machine.cloud.sts.url.removeprefix('http')}/token"
    machine.adc({**machine.key(EMAIL), "token_uri": of_plain_http})
    for bundle, seen in (("", "does not speak TLS"), ("/none.pem", "no file of certificates")):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        error = failure(TokenError, "token/google-unreachable", GoogleCredentials(), seen=[seen])
        assert not re.search("DNS|egress", error.fix)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")  # the fix
    machine.adc(machine.key(EMAIL))
    assert EMAIL == claims_of(GoogleCredentials(audience=AUDIENCE)())["email"]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("service", ["google_sts", "iam_credentials"])
def test_outage_of_google_is_retryable(service: str, status: int, machine: Machine) -> None:
    machine.adc(machine.external())
    fault = Fault.status(status, '{"error": {"message": "later", "code": 1}}', "application/json")
    getattr(machine.cloud, service).inject(fault, times=None)
    error = failure(TokenError, "token/google-refused", GoogleCredentials(), seen=["later"])
    assert error.retryable
    assert "roles/" not in error.fix


@pytest.mark.parametrize("reply", ["{}", "null", "[1]", "<html>", '{"token": 5}', "[" * 100_000])
def test_answer_without_a_token_is_an_error(reply: str, machine: Machine) -> None:
    machine.adc(machine.external())
    machine.cloud.iam_credentials.inject(Fault.body(reply), times=None)
    failure(TokenError, "token/google-refused", GoogleCredentials(), seen=[EMAIL])


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ({"file": "/no/such/file"}, "/no/such/file"),
        ({"executable": {"command": "/bin/false"}}, "Executables need to be explicitly allowed"),
    ],
)
def test_error_for_a_missing_subject_token_names_no_role(
    source: dict[str, Any], seen: str, machine: Machine
) -> None:
    machine.adc(machine.external(credential_source=source))
    error = failure(TokenError, "token/google-file", GoogleCredentials(), seen=[seen])
    assert (False, False) == (error.retryable, "roles/" in error.fix)


@pytest.mark.parametrize("impersonate", [None, EMAIL])
def test_unreachable_server_of_subject_tokens_is_not_blamed_on_google(
    impersonate: str | None, machine: Machine
) -> None:
    machine.adc(machine.external(credential_source={"url": "http://127.0.0.1:1/token"}))
    source = GoogleCredentials(impersonate=impersonate)
    error = failure(TokenError, "token/google-file", source, seen=['"127.0.0.1:1" was not reached'])
    assert error.retryable
    assert "googleapis.com" not in error.fix


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (404, False), (503, True)])
@pytest.mark.parametrize("kind", ["url", "aws"])
def test_error_of_the_server_of_subject_tokens_is_not_googles(
    kind: str, status: int, retryable: bool, machine: Machine
) -> None:
    with Server(answer("not here", status, flavor=None)) as server:
        aws_request = "urn:ietf:params:aws:token-type:aws4_request"
        of_aws = {
            "environment_id": "aws1",
            "region_url": f"{server.url}/zone",
            "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=x",
        }
        changes = {
            "url": {"credential_source": {"url": f"{server.url}/token"}},
            "aws": {"credential_source": of_aws, "subject_token_type": aws_request},
        }[kind]
        machine.adc(machine.external(**changes))
        error = failure(TokenError, "token/google-file", GoogleCredentials(), seen=["Unable to"])
    assert retryable is error.retryable
    assert "status.cloud.google.com" not in error.fix


def test_subject_token_that_google_rejects_is_not_blamed_on_the_file(machine: Machine) -> None:
    machine.adc(machine.external())
    Path(machine.token_file()).write_text(machine.cloud.eks_token("another"))
    failure(TokenError, "token/google-refused", GoogleCredentials(), seen=["Error code"])


def test_fix_of_the_error_admits_the_identity(machine: Machine) -> None:
    machine.cloud.add_google_service_account(EMAIL)
    machine.adc(machine.external())
    error = failure(
        TokenError, "token/google-refused", GoogleCredentials(), seen=["getOpenIdToken"]
    )
    role, member = (part.partition("=")[2] for part in error.fix.split()[-2:])
    assert "roles/iam.workloadIdentityUser" == role
    assert not error.retryable
    machine.cloud.add_google_service_account(EMAIL, [member.replace("SUBJECT", machine.subject)])
    assert EMAIL == claims_of(GoogleCredentials(audience=AUDIENCE)())["email"]


def test_redirect_is_not_followed_with_the_access_token(machine: Machine) -> None:
    machine.adc(machine.external())
    fault = Fault.redirect("http://127.0.0.1:1/", 307)
    machine.cloud.iam_credentials.inject(fault, times=None)
    failure(TokenError, "token/google-refused", GoogleCredentials(), seen=["HTTP 307"])
