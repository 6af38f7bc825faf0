"""Checks for identities that SDKs find before the role, so that the role is never used.

`session()` comes before all of them, and `exec` hides them from its command. `register()` and
`install()` come after keys in the environment. AWS profiles with credential_process, and clients
of `serve`, come after more (botocore's chain, which the AWS SDKs and Tools reference, "Standardized
credential providers", describes for all SDKs).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import botocore.exceptions
from botocore.configloader import load_config, raw_config_parse
from botocore.session import Session

from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import quoted

_ENVIRONMENT_KEYS = "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token")
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_PROGRAMS = ("gcp-aws-bridge", "gcp_aws_bridge")


class Earlier(NamedTuple):
    """An identity that comes first.

    Attributes:
        method: botocore's name of its provider.
        what: Its description, without values of keys.
        fix: How to remove it.
    """

    method: str
    what: str
    fix: str


_OF_LIBRARY = (
    "SDKs use those keys before this role, in sessions with register() or install(), in AWS "
    "profiles with credential_process and in clients of serve. session() and exec use the role."
)
_OF_SDK = "every SDK uses those keys, and not this role."


def check(session: Session, *, of_sdk: bool = False) -> Iterator[Finding]:
    """Warn about each identity that comes before the library's.

    Args:
        session: botocore session with the profiles.
        of_sdk: Whether SDKs get the role from variables, without the library.
    """
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        yield Finding(
            "settings",
            "warning",
            f"AWS_ACCESS_KEY_ID is set: {_OF_SDK if of_sdk else _OF_LIBRARY}",
            wanted="No keys where the role should be used.",
            fix=f"unset {_ENVIRONMENT_KEYS}",
            id="doctor/keys-first",
        )
    order = [one.METHOD for one in session.get_component("credential_provider").providers]
    profiles = session.full_config.get("profiles", {})
    for name, profile in profiles.items():
        command = profile.get("credential_process", "")
        if isinstance(command, str) and any(program in command for program in _PROGRAMS):
            what = f"The credential_process of the AWS profile {quoted(name)}"
            yield from _shadowed(session, name, profile, order, "custom-process", what)
    name = session.get_config_variable("profile") or "default"
    profile = profiles.get(name, {})
    if of_sdk and os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        what = "The token of AWS_WEB_IDENTITY_TOKEN_FILE"
        yield from _shadowed(session, name, profile, order, "assume-role-with-web-identity", what)
    elif container := next((one for one in _CONTAINER if os.environ.get(one)), None):
        what = f"The endpoint of {container}"
        yield from _shadowed(session, name, profile, order, "container-role", what)


def _shadowed(
    session: Session,
    name: str,
    profile: Mapping[str, Any],
    order: list[str],
    own: str,
    what: str,
) -> Iterator[Finding]:
    before = order[: order.index(own)] if own in order else order
    found = [one for one in _identities(session, name, profile) if one.method in before]
    found.sort(key=lambda one: before.index(one.method))
    if found:
        earlier = " and ".join(one.what for one in found)
        yield Finding(
            "settings",
            "warning",
            f"{what} is not used: SDKs use {earlier} first.",
            wanted="One identity where the role should be used.",
            fix="\n".join(one.fix for one in found),
            id="doctor/profile-first",
        )


def _identities(session: Session, name: str, profile: Mapping[str, Any]) -> Iterator[Earlier]:
    """Yield the identities that an SDK finds in a profile, and in variables that always count."""
    files = _files(session, name)
    at_profile = f"of the profile {quoted(name)}"

    def of(method: str, *keys: str) -> Earlier:
        present = [key for key in keys if key in profile]
        return Earlier(method, f"{' and '.join(present)} {at_profile}", _remove(present, files))

    if "role_arn" in profile and "web_identity_token_file" in profile:
        yield of("assume-role-with-web-identity", "role_arn", "web_identity_token_file")
    elif "role_arn" in profile:
        yield of("assume-role", "role_arn", "source_profile", "credential_source")
    if os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and os.environ.get("AWS_ROLE_ARN"):
        what = "AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN"
        fix = "unset AWS_WEB_IDENTITY_TOKEN_FILE"
        yield Earlier("assume-role-with-web-identity", what, fix)
    if "sso_account_id" in profile or "sso_role_name" in profile:
        yield of("sso", "sso_account_id", "sso_role_name")
    for key, method in (("login_session", "login"), ("credential_process", "custom-process")):
        if key in profile:
            yield of(method, key)
    for method, file in zip(("shared-credentials-file", "config-file"), files, strict=True):
        if "aws_access_key_id" in file.section:
            present = [key for key in _KEYS if key in file.section]
            what = f"the keys {at_profile} in {quoted(file.path)}"
            yield Earlier(method, what, _remove(present, (file,)))


class _File(NamedTuple):
    """A profile in one of the two files, and the heading of its section."""

    path: str
    heading: str
    section: Mapping[str, Any]


def _files(session: Session, name: str) -> tuple[_File, _File]:
    """Return the profile in the shared credentials file, and in the config file."""
    shared = str(session.get_config_variable("credentials_file"))
    config = str(session.get_config_variable("config_file"))
    heading = name if name == "default" else f"profile {shlex.quote(name)}"
    return (
        _File(shared, name, _read(raw_config_parse, shared).get(name, {})),
        _File(config, heading, _read(load_config, config).get("profiles", {}).get(name, {})),
    )


def _read(parse: Callable[[str], Any], path: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = parse(path)
    except botocore.exceptions.BotoCoreError:
        return {}
    return found


def _remove(keys: Sequence[str], files: Sequence[_File]) -> str:
    return "\n".join(
        f"remove {' and '.join(present)} from [{printable(file.heading)}] in "
        f"{shlex.quote(printable(file.path))}"
        for file in files
        if (present := [key for key in keys if key in file.section])
    )
