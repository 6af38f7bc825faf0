"""`register` and `install`: one provider in botocore's own chain, beside the other providers."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, ProfileNotFound

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache import fork
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.exceptions import ConfigError

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHER = "arn:aws:iam::123456789012:role/other"
OURS = "google-web-identity"


@pytest.fixture(autouse=True)
def fresh_default_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


def method(session: boto3.Session | botocore.session.Session) -> str | None:
    credentials = session.get_credentials()
    return None if credentials is None else credentials.method


def identity(session: boto3.Session) -> str:
    return str(session.client("sts", region_name="us-east-1").get_caller_identity()["Arn"])


def chain(session: boto3.Session) -> list[str]:
    resolver = session._session.get_component("credential_provider")
    return [provider.METHOD for provider in resolver.providers]


def keys_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


# -- register ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [boto3.Session, botocore.session.get_session])
def test_registered_session_has_the_role(pod: Emulator, make) -> None:  # type: ignore[no-untyped-def]
    session = make()
    bridge.register(session, ROLE)
    assert OURS == method(session)


def test_provider_follows_env_and_precedes_all_others(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = boto3.Session()
    bridge.register(session, ROLE)
    assert ["env", OURS, "assume-role"] == chain(session)[:3]
    keys_in_environment(monkeypatch)
    assert "env" == method(session)


def test_provider_is_first_with_a_named_profile(
    pod: Emulator, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(f"[profile etl]\ngcp_role_arn = {ROLE}\naws_access_key_id = AKIAPROFILE\n")
    keys_in_environment(monkeypatch)
    session = boto3.Session(profile_name="etl")
    bridge.register(session)
    assert [OURS, "assume-role"] == chain(session)[:2]
    assert OURS == method(session)


def test_named_profile_reads_the_profile_and_not_the_environment(
    pod: Emulator, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.add_role(OTHER)
    config.write_text(f"[profile etl]\ngcp_role_arn = {ROLE}\n[profile plain]\nregion = x\n")
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", OTHER)
    etl, plain = boto3.Session(profile_name="etl"), boto3.Session(profile_name="plain")
    bridge.register(etl)
    bridge.register(plain)
    assert "assumed-role/etl" in identity(etl)
    assert method(plain) is None


def test_missing_profile_is_an_error_of_botocore(pod: Emulator, config: Path) -> None:
    inner = botocore.session.Session(profile="nowhere")
    with pytest.raises(ProfileNotFound):
        bridge.session(ROLE, botocore_session=inner)


def test_role_is_read_from_the_environment(pod: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    session = boto3.Session()
    bridge.register(session)
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    assert "assumed-role/etl" in identity(session)


def test_chain_without_a_configured_role_is_unchanged(pod: Emulator) -> None:
    session = boto3.Session()
    bridge.register(session)
    assert method(session) is None
    assert 0 == len(pod.metadata.requests)


def test_irsa_is_left_to_botocore(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(pod.mint())
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    session = boto3.Session()
    bridge.register(session)
    assert "assume-role-with-web-identity" == method(session)


def test_second_registration_on_a_session_replaces_the_first(pod: Emulator) -> None:
    pod.add_role(OTHER)
    session = boto3.Session()
    bridge.register(session, ROLE)
    bridge.register(session, ROLE)
    assert 1 == chain(session).count(OURS)
    assert "assumed-role/etl" in identity(session)
    bridge.register(session, OTHER)
    assert 1 == chain(session).count(OURS)
    assert "assumed-role/other" in identity(session)


def test_registration_replaces_credentials_that_were_already_resolved(
    pod: Emulator, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n")
    session = boto3.Session()
    assert "config-file" == method(session)
    bridge.register(session, ROLE)
    assert OURS == method(session)


def test_registration_on_a_session_that_had_found_no_credentials(pod: Emulator) -> None:
    session = boto3.Session()
    assert method(session) is None
    bridge.register(session, ROLE)
    assert OURS == method(session)


def test_session_keeps_keys_that_were_set_on_it(pod: Emulator) -> None:
    session = boto3.Session(aws_access_key_id="AKIAGIVEN", aws_secret_access_key="secret")
    bridge.register(session, ROLE)
    assert "explicit" == method(session)


def test_malformed_role_is_an_error_on_registration() -> None:
    with pytest.raises(ConfigError, match="not the ARN of an IAM role"):
        bridge.register(boto3.Session(), "etl")
    with pytest.raises(ConfigError, match="not the ARN of an IAM role"):
        bridge.install("etl")


@pytest.mark.parametrize("thing", [None, "session", object()])
def test_registration_on_another_object_is_an_error(thing: object) -> None:
    with pytest.raises(ConfigError, match="no boto3 or botocore session"):
        bridge.register(thing)


# -- no identity, and access denied ------------------------------------------------------------


@pytest.mark.parametrize(("in_pod", "level"), [(False, "DEBUG"), (True, "WARNING")])
def test_chain_continues_without_a_google_identity(
    emulator: Emulator,
    config: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    in_pod: bool,
    level: str,
) -> None:
    monkeypatch.setattr("gcp_aws_bridge._tokens.metadata.looks_like_google", lambda *_: in_pod)
    caplog.set_level(logging.DEBUG, "gcp_aws_bridge")
    config.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n")
    session = boto3.Session()
    bridge.register(session, ROLE)
    assert "config-file" == method(session)
    logged = [record for record in caplog.records if "next provider" in record.message]
    assert [level] == [record.levelname for record in logged]


def test_denied_role_stops_the_chain(pod: Emulator, config: Path) -> None:
    pod.remove_role(ROLE)
    config.write_text("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = x\n")
    session = boto3.Session()
    bridge.register(session, ROLE)
    with pytest.raises(CredentialRetrievalError, match="AccessDenied"):
        session.get_credentials()


# -- install -----------------------------------------------------------------------------------


def test_installed_boto3_client_has_the_role(pod: Emulator) -> None:
    bridge.install(ROLE)
    arn = boto3.client("sts", region_name="us-east-1").get_caller_identity()["Arn"]
    assert "assumed-role/etl" in arn


def test_installed_before_a_third_party_makes_its_own_sessions(pod: Emulator) -> None:
    bridge.install(ROLE)
    sessions = [boto3.Session(), botocore.session.get_session(), botocore.session.Session()]
    assert [OURS] * 3 == [method(session) for session in sessions]
    assert 1 == len(pod.sts.requests)


def test_installed_after_boto3_made_its_default_session(pod: Emulator) -> None:
    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION is not None
    assert method(boto3.DEFAULT_SESSION) is None
    bridge.install(ROLE)
    assert OURS == method(boto3.DEFAULT_SESSION)


def test_installed_session_of_a_named_profile(pod: Emulator, config: Path) -> None:
    config.write_text(f"[profile etl]\ngcp_role_arn = {ROLE}\n")
    bridge.install()
    assert OURS == method(boto3.Session(profile_name="etl"))
    assert OURS == chain(boto3.Session(profile_name="etl"))[0]


def test_chain_of_an_installed_session_can_be_edited(pod: Emulator) -> None:
    bridge.install(ROLE)
    session = botocore.session.get_session()
    resolver = session.get_component("credential_provider")
    assert resolver.get_provider("assume-role") is not None
    resolver.remove(OURS)
    assert method(session) is None


def test_second_installation_replaces_the_first(pod: Emulator) -> None:
    pod.add_role(OTHER)
    bridge.install(ROLE)
    bridge.install(OTHER)
    session = boto3.Session()
    assert 1 == chain(session).count(OURS)
    assert "assumed-role/other" in identity(session)


def test_uninstall_affects_only_new_sessions(pod: Emulator) -> None:
    bridge.install(ROLE)
    before = boto3.Session()
    bridge.uninstall()
    bridge.uninstall()
    assert (OURS, None) == (method(before), method(boto3.Session()))


def test_install_does_not_import_boto3(monkeypatch: pytest.MonkeyPatch, pod: Emulator) -> None:
    monkeypatch.delitem(sys.modules, "boto3")
    bridge.install(ROLE)
    assert "boto3" not in sys.modules


# -- log messages of install() and register() --------------------------------------------------

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Logged:
    """Return a function that reads this library's log, as in a process that has just started."""
    monkeypatch.setattr(fork, "_called", fork.PerProcess(dict))
    caplog.set_level(logging.INFO, "gcp_aws_bridge")
    return lambda: [
        (one.levelname, one.getMessage()) for one in caplog.records if one.module == "install"
    ]


Logged = Callable[[], list[tuple[str, str]]]


def resolve_credentials(**session: Any) -> None:
    for _ in range(3):
        with contextlib.suppress(BotoCoreError):
            botocore.session.Session(**session).get_credentials()


def test_installed_without_a_role_is_a_single_warning_that_names_the_settings(
    pod: Emulator, logged: Logged
) -> None:
    bridge.install()
    assert [] == logged()
    resolve_credentials()
    [(level, text)] = logged()
    assert "WARNING" == level
    for name in ("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ROLE_ARN", "gcp_role_arn"):
        assert name in text


@pytest.mark.parametrize("name", ["GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ROLE_ARN", "gcp_role_arn"])
def test_setting_that_the_warning_names_gives_a_role(
    name: str, pod: Emulator, config: Path, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    if name == "gcp_role_arn":
        config.write_text(f"[default]\ngcp_role_arn = {ROLE}\n")
    else:
        monkeypatch.setenv(name, ROLE)
    bridge.install()
    assert OURS == method(botocore.session.Session())
    assert [] == logged()


def test_warning_about_a_named_profile_names_no_variable(
    pod: Emulator, config: Path, logged: Logged
) -> None:
    config.write_text("[profile etl]\nregion = eu-west-1\n")
    bridge.install()
    resolve_credentials(profile="etl")
    [(_, text)] = logged()
    assert "gcp_role_arn" in text
    assert "AWS_" not in text


def test_warning_with_web_identity_variables_names_the_one_to_unset(
    pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logged: Logged
) -> None:
    (tmp_path / "token").write_text(pod.mint())
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bridge.install()
    resolve_credentials()
    [(_, text)] = logged()
    assert "unset AWS_WEB_IDENTITY_TOKEN_FILE" in text


@pytest.mark.parametrize("way", ["install", "register"])
def test_keys_in_the_environment_that_come_first_are_a_single_message(
    way: str, pod: Emulator, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    sessions = [botocore.session.Session() for _ in range(3)]
    if way == "install":
        bridge.install(ROLE)
        sessions = [botocore.session.Session() for _ in range(3)]
    for session in sessions:
        if way == "register":
            bridge.register(session, ROLE)
        assert "env" == method(session)
    [(level, text)] = logged()
    assert "INFO" == level
    assert KEY not in text
    assert SECRET not in text
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")  # the fix in the message
    bridge.install(ROLE)
    assert OURS == method(botocore.session.Session())


def test_keys_in_the_environment_do_not_come_before_a_named_profile(
    pod: Emulator, config: Path, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    config.write_text(f"[profile etl]\ngcp_role_arn = {ROLE}\n")
    bridge.install()
    assert OURS == method(botocore.session.Session(profile="etl"))
    assert [] == logged()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork")
def test_forked_child_logs_it_once_more(pod: Emulator, logged: Logged) -> None:
    bridge.install()
    resolve_credentials()
    child = os.fork()
    if child == 0:
        before = len(logged())
        resolve_credentials()
        os._exit(len(logged()) - before)
    assert 1 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert 1 == len(logged())


def test_concurrent_threads_log_it_once(pod: Emulator, logged: Logged) -> None:
    bridge.install()
    barrier = threading.Barrier(8)

    def look() -> None:
        session = botocore.session.Session()
        barrier.wait(timeout=10)
        session.get_component("credential_provider")

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert 1 == len(logged())
