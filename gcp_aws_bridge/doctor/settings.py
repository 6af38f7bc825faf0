"""The first link: which role is asked for, and where each setting was found."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import fields

import botocore.exceptions
from botocore.session import Session

from gcp_aws_bridge._settings import given, look_up
from gcp_aws_bridge._sts.session_settings import no_profile, role_for
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import earlier
from gcp_aws_bridge.doctor.context import Walk
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import ConfigError, quoted

_LINK = "settings"
# What is worth a line; policies are long, and change nothing of the way.
_SHOWN = ("arn", "audience", "role_session_name", "duration_seconds", "chain")
_OURS = ("GCP_AWS_BRIDGE_", "GCP_OAUTH_AUD", "AWS_ROLE_ARN")


def check(walk: Walk) -> Iterator[Finding]:
    """Find the role.

    Raises:
        ConfigError: None, or a malformed one.
    """
    walk.role = _role(walk)
    yield Finding(_LINK, "ok", _told(walk, walk.role))
    yield from _ignored(walk)
    yield from earlier.check(walk.session)


def _role(walk: Walk) -> Role:
    require_readable(walk.session)
    role = role_for(walk.session, None, **walk.arguments)
    if role is None:
        raise _no_role(walk)
    return role


def require_readable(session: Session) -> None:
    """See that botocore can read its files.

    Raises:
        ConfigError: It cannot, or they have no such profile.
    """
    try:
        session.get_scoped_config()
    except botocore.exceptions.ProfileNotFound as error:
        raise no_profile(error) from None
    except botocore.exceptions.BotoCoreError as error:
        raise ConfigError(
            f"botocore cannot read its config file: {quoted(error)}.",
            fix="correct the file, or set AWS_CONFIG_FILE to another.",
            error_id="doctor/config-file",
        ) from None


def _no_role(walk: Walk) -> ConfigError:
    if os.environ.get("AWS_ROLE_ARN") and os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return ConfigError(
            "AWS_ROLE_ARN is set, and so is AWS_WEB_IDENTITY_TOKEN_FILE: botocore takes the pair "
            "for itself, and no other setting names a role.",
            fix="set GCP_AWS_BRIDGE_ROLE_ARN, or unset AWS_WEB_IDENTITY_TOKEN_FILE.",
            error_id="doctor/web-identity-variables",
        )
    return ConfigError(
        "No role is configured: no --role-arn, no GCP_AWS_BRIDGE_ROLE_ARN or AWS_ROLE_ARN"
        + (" (with --profile, the environment does not count)" if _named(walk) else "")
        + ", no gcp_role_arn in the AWS profile.",
        fix=_set_role(walk),
        error_id="config/no-role",
    )


def _set_role(walk: Walk) -> str:
    arn = "arn:aws:iam::123456789012:role/etl"
    if not _named(walk):
        return f"export GCP_AWS_BRIDGE_ROLE_ARN={arn}"
    profile = shlex.quote(printable(str(walk.session.instance_variables()["profile"])))
    return f"aws configure set gcp_role_arn {arn} --profile {profile}"


def _ignored(walk: Walk) -> Iterator[Finding]:
    names = sorted(name for name in os.environ if name.startswith(_OURS))
    if names and _named(walk):
        yield Finding(
            _LINK,
            "note",
            f"A profile was named, so the environment does not count: {', '.join(names)}.",
        )


def _named(walk: Walk) -> bool:
    return walk.session.instance_variables().get("profile") is not None


def _told(walk: Walk, role: Role) -> str:
    arguments = given(walk.arguments)
    environ = {} if _named(walk) else os.environ
    places = {name: "the command line" for name in arguments}
    found = look_up(arguments, environ, walk.session.get_scoped_config())
    places |= {name: where for name, (_, where) in found.items()}
    defaults = {one.name: one.default for one in fields(role)}
    told = []
    for name in _SHOWN:
        value = getattr(role, name)
        if name in places or (value and value != defaults[name]) or name == "audience":
            shown = ", ".join(value) if isinstance(value, tuple) else str(value)
            told.append(f"{name} {quoted(shown, 2048)} from {places.get(name, 'the default')}")
    return "; ".join(told) + "."
