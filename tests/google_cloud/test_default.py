"""`google.install`: what `google.auth.default` returns, to code that imported it before, too."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import google.auth
import google.auth._default
import pytest
from fakes import Journey, eventually
from google.auth import default  # by name, before every install()
from google.auth.exceptions import DefaultCredentialsError, TransportError
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from gcp_aws_bridge import google as bridge
from gcp_aws_bridge._cache import fork
from gcp_aws_bridge._tokens.google_auth_internals import first_step
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google import _install

from .conftest import ACCOUNT, Workload

PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"
PUBSUB = "https://www.googleapis.com/auth/pubsub"
ORIGINAL = google.auth._default._get_explicit_environ_credentials
NO_AWS = {"AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[None]:
    """A process that has just started, on a machine that is not at Google."""
    monkeypatch.setattr(fork, "_called", fork.PerProcess(dict))
    monkeypatch.setattr(_install, "changed_by_program", threading.Event())
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    yield
    bridge.uninstall()
    _install._require_keys.cache_clear()
    assert ORIGINAL is google.auth._default._get_explicit_environ_credentials


@pytest.fixture
def installed(workload: Workload) -> Workload:
    """A workload with the provider and the service account as arguments of `install`."""
    bridge.install(workload.provider.audience, service_account=ACCOUNT)
    return workload


def scopes_at_google(workload: Workload, credentials: Any) -> set[str]:
    headers: dict[str, str] = {}
    credentials.before_request(None, "GET", "https://storage.googleapis.com/", headers)
    found = workload.cloud.google_identity(headers["authorization"].removeprefix("Bearer "))
    assert found is not None
    return {*found.scopes}


def test_default_returns_the_identity_and_its_project(installed: Workload) -> None:
    for call in (default, google.auth.default, google.auth._default.default):
        credentials, project = call()
        assert (ACCOUNT, "my-project") == (installed.whose(credentials), project)
    assert (1, 1) == installed.asked


def test_settings_of_the_environment_apply(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.install()
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", workload.provider.audience)
    credentials, project = default()
    assert isinstance(credentials, bridge.Credentials)
    assert credentials.service_account_email is None
    assert workload.provider.audience.split("/")[4] == project
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT", ACCOUNT)
    assert ACCOUNT == workload.whose(default()[0])


def test_project_of_the_environment_comes_first(
    installed: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "another-project")
    assert "another-project" == default()[1]


@pytest.mark.parametrize(
    ("arguments", "scopes", "requires"),
    [
        ({}, {PLATFORM}, True),
        ({"scopes": [READ_ONLY]}, {READ_ONLY}, False),
        ({"scopes": (READ_ONLY, PUBSUB)}, {READ_ONLY, PUBSUB}, False),
        ({"default_scopes": [PUBSUB]}, {PUBSUB}, False),
        ({"scopes": [READ_ONLY], "default_scopes": [PUBSUB]}, {READ_ONLY}, False),
        ({"scopes": []}, {PLATFORM}, True),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, dict) else "",
)
def test_scopes_are_those_of_the_caller(
    installed: Workload, arguments: dict[str, Any], scopes: set[str], requires: bool
) -> None:
    credentials, _ = default(**arguments)
    assert scopes == scopes_at_google(installed, credentials)
    assert requires is credentials.requires_scopes
    # Clients of Google add their scopes to credentials without any.
    scoped = google.auth.credentials.with_scopes_if_required(credentials, [PUBSUB])
    assert ({PUBSUB} if requires else scopes) == scopes_at_google(installed, scoped)


@pytest.mark.parametrize(
    ("argument", "setting", "variable", "billed"),
    [
        (None, None, None, None),
        (None, None, "by-variable", "by-variable"),
        (None, "by-setting", "by-variable", "by-setting"),
        ("by-argument", "by-setting", "by-variable", "by-argument"),
    ],
)
def test_quota_project_is_that_of_the_caller(
    workload: Workload,
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
    setting: str | None,
    variable: str | None,
    billed: str | None,
) -> None:
    bridge.install(workload.provider.audience, quota_project_id=setting)
    if variable:
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", variable)
    assert billed == default(quota_project_id=argument)[0].quota_project_id


def test_service_account_signs(installed: Workload) -> None:
    assert 256 == len(default()[0].sign_bytes(b"message"))


def test_unscoped_credentials_pickle(installed: Workload) -> None:
    import pickle

    copied = pickle.loads(pickle.dumps(default()[0]))
    assert {PLATFORM} == scopes_at_google(installed, copied)
    assert copied.requires_scopes
    assert repr(copied) == repr(default()[0])


# -- place among google-auth's own credentials -------------------------------------------------


def test_key_file_in_the_environment_comes_first_and_is_logged_once(
    installed: Workload,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in installed.cloud.key_file(tmp_path).items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO, "gcp_aws_bridge"):
        assert isinstance(default()[0], service_account.Credentials)
        assert isinstance(default()[0], service_account.Credentials)
    [record] = [each for each in caplog.records if each.name == "gcp_aws_bridge"]
    assert record.message.startswith("GOOGLE_APPLICATION_CREDENTIALS names credentials of its own")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")  # the fix
    assert ACCOUNT == installed.whose(default()[0])


def test_credential_configuration_has_the_settings(
    workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With EKS Pod Identity, which google-auth itself does not know."""
    workload.pod()
    document = workload.cloud.external_account(workload.provider, ACCOUNT)
    path = tmp_path / "google.json"
    path.write_text(json.dumps({**document, "quota_project_id": "billed"}), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    bridge.install()
    credentials, project = default()
    assert (ACCOUNT, "my-project") == (workload.whose(credentials), project)
    assert "billed" == credentials.quota_project_id


@pytest.mark.parametrize(
    "source", [{"url": "https://issuer.example/token"}, {"executable": {"command": "/bin/other"}}]
)
def test_configuration_that_only_google_auth_reads_is_left_to_it(
    workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any]
) -> None:
    document = {
        "type": "external_account",
        "audience": workload.provider.audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
    }
    path = tmp_path / "google.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    monkeypatch.setattr(
        "google.auth.external_account.Credentials.get_project_id", lambda *_, **__: None
    )
    before, _ = default()
    bridge.install()
    after, _ = default()
    assert type(before) is type(after)
    assert not isinstance(after, bridge.Credentials)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "other"}'])
def test_error_of_a_broken_file_is_as_before(
    installed: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "google.json"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(Exception) as after:  # noqa: PT011
        default()
    bridge.uninstall()
    with pytest.raises(type(after.value)) as before:
        default()
    assert str(before.value) == str(after.value)


def login(home: Path) -> None:
    folder = home / ".config/gcloud"
    folder.mkdir(parents=True)
    user = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    (folder / "application_default_credentials.json").write_text(json.dumps(user), encoding="utf-8")


@pytest.mark.filterwarnings("ignore:Your application has authenticated")
def test_aws_identity_comes_before_a_login_of_gcloud(
    installed: Workload, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(home)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    assert ACCOUNT == installed.whose(default()[0])
    installed.becomes(NO_AWS)
    assert isinstance(default()[0], oauth2.Credentials)
    bridge.uninstall()
    installed.keys()
    assert isinstance(default()[0], oauth2.Credentials)


def test_error_without_any_identity_is_as_before(installed: Workload) -> None:
    installed.becomes(NO_AWS)
    with pytest.raises(DefaultCredentialsError, match="Your default credentials were not found"):
        default()


def test_identity_that_appears_later_is_found(installed: Workload) -> None:
    installed.becomes(NO_AWS)
    with pytest.raises(DefaultCredentialsError):
        default()
    installed.pod()
    assert ACCOUNT == installed.whose(default()[0])


def test_outage_of_the_container_endpoint_is_the_error_of_the_request(
    installed: Workload, journey: Journey
) -> None:
    installed.pod()
    with installed.cloud.pod_identity.down():
        credentials, project = default()
        assert "my-project" == project
        with pytest.raises(TransportError, match="token/aws-refused"):
            installed.whose(credentials)
    journey.travel(minutes=1)
    assert ACCOUNT == installed.whose(credentials)


def test_aws_keys_are_looked_up_once_for_many_calls(installed: Workload) -> None:
    installed.pod()
    for _ in range(10):
        assert ACCOUNT == installed.whose(default()[0])
    assert 1 == len(installed.cloud.pod_identity.requests)
    assert (1, 1) == installed.asked


# -- settings ----------------------------------------------------------------------------------


def test_missing_provider_is_logged_once(
    workload: Workload, caplog: pytest.LogCaptureFixture
) -> None:
    bridge.install()
    with caplog.at_level(logging.INFO, "gcp_aws_bridge"):
        for _ in range(2):
            with pytest.raises(DefaultCredentialsError, match="credentials were not found"):
                default()
    [record] = [each for each in caplog.records if each.name == "gcp_aws_bridge"]
    assert ("WARNING", True) == (record.levelname, "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE" in record.msg)


def test_malformed_argument_is_an_error_of_install(workload: Workload) -> None:
    with pytest.raises(ConfigError, match="config/google-audience"):
        bridge.install("projects/x")
    with pytest.raises(ConfigError, match="config/google-source"):
        bridge.install(workload.provider.audience, source="x")
    assert ORIGINAL is first_step()


def test_malformed_variable_is_an_error_of_default(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge.install()
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", "projects/x")
    with pytest.raises(DefaultCredentialsError, match="config/google-audience") as caught:
        default()
    assert isinstance(caught.value.__cause__, ConfigError)


def test_another_install_replaces_the_settings(installed: Workload) -> None:
    bridge.install(installed.provider.audience)
    assert ACCOUNT != installed.whose(default()[0])
    bridge.install(installed.provider.audience, service_account=ACCOUNT)
    bridge.install(installed.provider.audience, service_account=ACCOUNT)
    assert ACCOUNT == installed.whose(default()[0])
    bridge.uninstall()
    bridge.uninstall()
    assert ORIGINAL is first_step()


def test_threads_that_install_and_uninstall_leave_the_original(workload: Workload) -> None:
    def work() -> None:
        for _ in range(50):
            bridge.install(workload.provider.audience)
            bridge.uninstall()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ORIGINAL is first_step()


def test_function_that_another_library_has_wrapped_stays_wrapped(
    installed: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = first_step()
    calls: list[None] = []

    def wrapper(**arguments: Any) -> Any:
        calls.append(None)
        return ours(**arguments)

    with monkeypatch.context() as patch:
        patch.setattr(google.auth._default, "_get_explicit_environ_credentials", wrapper)
        assert ACCOUNT == installed.whose(default()[0])
        bridge.uninstall()
        with pytest.raises(DefaultCredentialsError):
            default()
        assert 2 == len(calls)


def test_credentials_of_default_share_the_token_of_credentials(installed: Workload) -> None:
    assert ACCOUNT == installed.whose(installed.credentials())
    assert ACCOUNT == installed.whose(default()[0])
    assert (1, 1) == installed.asked


def test_token_is_refreshed_and_outlives_an_outage(installed: Workload, journey: Journey) -> None:
    installed.pod()
    credentials, _ = default(scopes=[PLATFORM])
    assert ACCOUNT == installed.whose(credentials)
    with installed.cloud.google_sts.down(), installed.cloud.iam_credentials.down():
        journey.travel(minutes=50)
        assert ACCOUNT == installed.whose(credentials)
    journey.travel(minutes=2)
    installed.whose(credentials)
    eventually(lambda: installed.asked[1] == 2)
    assert ACCOUNT == installed.whose(default(scopes=[PLATFORM])[0])
    assert 2 == installed.asked[1]


# -- run --google ------------------------------------------------------------------------------

PROGRAM = """
import logging, sys
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
from google.auth import default
credentials, project = default(scopes=["x"])
print(type(credentials).__module__, project, default.__name__, default.__wrapped__.__name__)
"""


def test_program_of_run_has_the_identity_by_default(workload: Workload) -> None:
    settings = {
        "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": workload.provider.audience,
        "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": ACCOUNT,
    }
    command = [sys.executable, "-m", "gcp_aws_bridge", "run", "--google", "--"]
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    logged, printed = done.stdout.splitlines()
    assert f"gcp-aws-bridge run: google.auth.default() returns credentials of {ACCOUNT}" == logged
    assert "gcp_aws_bridge.google._credentials my-project default default" == printed
    assert "" == done.stderr


def test_run_installs_unless_the_program_has_decided(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", workload.provider.audience)
    _install.install_by_run()
    assert isinstance(default()[0], bridge.Credentials)
    bridge.uninstall()
    _install.install_by_run()
    with pytest.raises(DefaultCredentialsError):
        default()


def test_run_without_a_provider_is_an_error_before_the_program_starts(workload: Workload) -> None:
    done = commands.run("run", "--google", "--", sys.executable, "-c", "")
    assert 1 == done.returncode
    assert "[config/google-none]" in done.stderr
