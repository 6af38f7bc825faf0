"""Identities that SDKs find before the role, compared with botocore's own chain."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from gcp_aws_bridge.doctor import earlier

OURS = "credential_process = gcp-aws-bridge credential-process --role-arn x"
ROLE = "arn:aws:iam::123456789012:role/etl"
KEYS = "aws_access_key_id = AKIAOLD\naws_secret_access_key = hunter2"
# What else a profile has, and in which file.
IDENTITIES = {
    "keys in the credentials file": (KEYS, "credentials"),
    "keys with a token": (f"{KEYS}\naws_session_token = hunter2", "credentials"),
    "keys in the config file": (KEYS, "config"),
    "role": (f"role_arn = {ROLE}\nsource_profile = base", "config"),
    "role in the credentials file": (f"role_arn = {ROLE}\nsource_profile = base", "credentials"),
    "role of the environment": (f"role_arn = {ROLE}\ncredential_source = Environment", "config"),
    "web identity": (f"role_arn = {ROLE}\nweb_identity_token_file = /token", "config"),
    "sso": ("sso_session = s\nsso_account_id = 1\nsso_role_name = r", "config"),
    "sso, half": ("sso_account_id = 1", "config"),
    "login": ("login_session = arn:aws:iam::1:user/x", "config"),
    "region only": ("region = eu-west-1", "config"),
    "empty key": ("aws_access_key_id =\naws_secret_access_key =", "credentials"),
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def write(folder: Path, profile: str, identity: str, *, process: str) -> None:
    text, file = IDENTITIES[identity]
    heading = f"[{profile}]" if profile == "default" else f"[profile {shlex.quote(profile)}]"
    parts = {
        "config": [f"[profile base]\n{KEYS}\n", f"{heading}\n{process}\n"],
        "credentials": [f"[{profile}]\n"],
    }
    parts[file].append(f"{text}\n")
    for name, lines in parts.items():
        (folder / name).write_text("".join(lines))


def found_first(session: Any, own: str) -> str:
    """Return botocore's provider that finds credentials before *own*, or fails; empty for none."""
    for provider in session.get_component("credential_provider").providers:
        if provider.METHOD == own:
            return ""
        if provider.METHOD == "custom-process":  # would start a program
            found = session.get_scoped_config().get("credential_process")
        else:
            try:
                found = provider.load()
            except Exception:  # noqa: BLE001 - botocore goes no further, whichever it is
                return str(provider.METHOD)
        if found is not None:
            return str(provider.METHOD)
    raise AssertionError(own)


def apply(fix: str) -> None:
    """Apply each line: `remove A and B from [SECTION] in FILE`."""
    for line in fix.splitlines():
        words, _, path = line.rpartition(" in ")
        keys, _, section = words.removeprefix("remove ").partition(" from ")
        kept, at = [], ""
        for row in Path(path).read_text().splitlines():
            at = row if row.startswith("[") else at
            if at != section or row.partition("=")[0].strip() not in keys.split(" and "):
                kept.append(row)
        Path(path).write_text("\n".join(kept) + "\n")


@pytest.mark.parametrize("profile", ["etl", "default", "with space"])
@pytest.mark.parametrize("identity", IDENTITIES)
def test_credential_process_is_used_once_the_fix_is_applied(
    identity: str, profile: str, files: Path
) -> None:
    write(files, profile, identity, process=OURS)
    session = botocore.session.Session(profile=profile)
    first = found_first(session, "custom-process")
    findings = [*earlier.check(session)]
    assert bool(first) is bool(findings)
    for found in findings:
        assert ("warning", "doctor/profile-first") == (found.state, found.id)
        assert "hunter2" not in f"{found}"
        assert "AKIAOLD" not in f"{found}"
        apply(found.fix)
    session = botocore.session.Session(profile=profile)
    assert "" == found_first(session, "custom-process")
    assert [] == [*earlier.check(session)]


@pytest.mark.parametrize(
    "variable", ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
)
@pytest.mark.parametrize("process", ["", "credential_process = other"])
@pytest.mark.parametrize("identity", IDENTITIES)
def test_endpoint_is_used_once_the_fix_is_applied(
    identity: str, process: str, variable: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9911/credentials")
    write(files, "default", identity, process=process)
    session = botocore.session.Session()
    first = found_first(session, "container-role")
    findings = [*earlier.check(session)]
    assert bool(first) is bool(findings)
    for found in findings:
        assert variable in found.seen
        apply(found.fix)
    session = botocore.session.Session()
    assert "" == found_first(session, "container-role")
    assert [] == [*earlier.check(session)]


@pytest.mark.parametrize("identity", IDENTITIES)
def test_profiles_without_the_library_are_ignored(identity: str, files: Path) -> None:
    write(files, "etl", identity, process="credential_process = other")
    assert [] == [*earlier.check(botocore.session.Session(profile="etl"))]


def test_web_identity_variables_come_before_credential_process(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files, "etl", "region only", process=OURS)
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    monkeypatch.setenv("AWS_PROFILE", "etl")
    session = botocore.session.Session()
    assert "assume-role-with-web-identity" == found_first(session, "custom-process")
    [found] = earlier.check(session)
    assert "unset AWS_WEB_IDENTITY_TOKEN_FILE" == found.fix
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    session = botocore.session.Session()
    assert "" == found_first(session, "custom-process")
    assert [] == [*earlier.check(session)]


def test_keys_in_the_environment_come_before_everything(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files, "etl", "region only", process=OURS)
    monkeypatch.setenv("AWS_PROFILE", "etl")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    session = botocore.session.Session()
    assert "env" == found_first(session, "custom-process")
    [found] = earlier.check(session)
    assert "doctor/keys-first" == found.id
    for name in found.fix.split()[1:]:
        monkeypatch.delenv(name, raising=False)
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert "" == found_first(botocore.session.Session(), "custom-process")


@pytest.mark.parametrize("text", ["", "[profile etl\n", "\x00"])
def test_credentials_file_that_cannot_be_read_has_no_keys(text: str, files: Path) -> None:
    (files / "config").write_text(f"[profile etl]\n{OURS}\n")
    session = botocore.session.Session(profile="etl")
    session.get_scoped_config()
    (files / "credentials").write_text(text)
    assert [] == [*earlier.check(session)]
