"""Checks the settings: which role, and where each setting was found."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import botocore.exceptions
from botocore.session import Session

from gcp_aws_bridge._settings import given, look_up
from gcp_aws_bridge._sts.session_settings import no_profile, role_for
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.token_file import TokenFile
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import earlier, injected, machine
from gcp_aws_bridge.doctor.context import AwsContext
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.config import ChainedRole

# Session policies are left out: they are long, and change nothing before the exchange.
_SHOWN = ("arn", "audience", "role_session_name", "duration_seconds", "chain", "sts_regions")
_POLICIES = ("policy", "policy_arns")
_PREFIXES = ("GCP_AWS_BRIDGE_", "GCP_OAUTH_AUD", "AWS_ROLE_ARN")


def check(context: AwsContext) -> Iterator[Finding]:
    """Read the settings of the role.

    Raises:
        ConfigError: There is no role, or a setting is malformed.
    """
    require_readable(context.session)
    context.role = role_for(context.session, None, **context.arguments)
    if context.role is None:
        yield from _without_role(context)
        return
    yield Finding("settings", "ok", _summary(context, context.role, {}))
    yield from _ignored(context.session)
    yield from _another_role(context, context.role)
    yield from earlier.check(context.session)


def _without_role(context: AwsContext) -> Iterator[Finding]:
    """Use the role and token of the variables that AWS SDKs read, if they are set.

    Raises:
        ConfigError: The variables are not set, or the role is malformed.
    """
    arn, path = os.environ.get("AWS_ROLE_ARN"), os.environ.get(injected.TOKEN_FILE)
    if not (arn and path) or has_profile(context.session):
        found = injected.not_injected("google", context.timeout_s)
        if found is None:
            raise _no_role(context.session)
        yield replace(found, link="settings")
        return
    audience = _audience_in(path)
    sources = {"arn": "AWS_ROLE_ARN", **({"audience": "the token"} if audience else {})}
    fields: dict[str, Any] = {"arn": arn, "audience": audience}
    fields["role_session_name"] = os.environ.get("AWS_ROLE_SESSION_NAME")
    context.role = role_for(context.session, None, **{**fields, **given(context.arguments)})
    context.token_source = context.token_source or TokenFile(path)
    assert context.role  # noqa: S101 - it has an ARN
    yield Finding("settings", "ok", _summary(context, context.role, sources))
    yield Finding(
        "settings",
        "note",
        "No setting of this library names a role: every AWS SDK exchanges the token of "
        f"{injected.TOKEN_FILE} itself. The other checks use that token, too.",
    )
    yield from earlier.check(context.session, of_sdk=True)


def _audience_in(path: str) -> str | None:
    """Return the audience of the token in a file; None if it cannot be read."""
    try:
        return id_token.parse(TokenFile(path)(), origin=path).audience[0]
    except BridgeError:
        return None


def _another_role(context: AwsContext, role: Role) -> Iterator[Finding]:
    source, arn = source_of_settings(context).get("arn", ""), os.environ.get("AWS_ROLE_ARN")
    if "cluster-token" not in injected.methods() or arn == role.arn or not source.isupper():
        return
    yield Finding(
        "settings",
        "warning",
        f"This library uses {quoted(role.arn, 2048)} from {source}, but AWS SDKs without it use "
        f"{quoted(arn, 2048)} from the annotations of this pod.",
        wanted="One role, from the annotations.",
        fix=f"unset {source}",
        id="doctor/injected-other-role",
    )


def require_readable(session: Session) -> None:
    """Have botocore read its files.

    Raises:
        ConfigError: It cannot, or the profile does not exist.
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


def source_of_settings(context: AwsContext) -> dict[str, str]:
    """Return where each setting was found: an option, a variable, a profile key."""
    arguments = given(context.arguments)
    environ = {} if has_profile(context.session) else os.environ
    found = look_up(arguments, environ, context.session.get_scoped_config())
    options = dict.fromkeys(arguments, "the command line")
    return options | {name: source for name, (_, source) in found.items()}


def has_profile(session: Session) -> bool:
    """Return whether a profile was named, so that the environment does not count."""
    return session.instance_variables().get("profile") is not None


def _no_role(session: Session) -> ConfigError:
    arn = "arn:aws:iam::123456789012:role/etl"
    if has_profile(session):
        profile = shlex.quote(printable(str(session.instance_variables()["profile"])))
        note = " (with --profile, the environment does not count)"
        fix = f"aws configure set gcp_role_arn {arn} --profile {profile}"
    else:
        note = ""
        fix = f"export GCP_AWS_BRIDGE_ROLE_ARN={arn}"
    if machine.in_kubernetes():
        fix += f"\nif annotations give the pod a role, as a copy of a container: {injected.COPY}"
    return ConfigError(
        "No role is configured: no --role-arn, no GCP_AWS_BRIDGE_ROLE_ARN or AWS_ROLE_ARN"
        f"{note}, no gcp_role_arn in the AWS profile.",
        fix=fix,
        error_id="config/no-role",
    )


def _ignored(session: Session) -> Iterator[Finding]:
    names = sorted(name for name in os.environ if name.startswith(_PREFIXES))
    if names and has_profile(session):
        yield Finding(
            "settings",
            "note",
            f"A profile was named, so the environment does not count: {', '.join(names)}.",
        )


def _summary(context: AwsContext, role: Role, sources: Mapping[str, str]) -> str:
    sources = {**sources, **source_of_settings(context)}
    defaults = {one.name: one.default for one in fields(role)}
    shown = []
    for name in _SHOWN:
        value = getattr(role, name)
        if name in sources or (value and value != defaults[name]) or name == "audience":
            text = ", ".join(map(_text, value)) if isinstance(value, tuple) else str(value)
            shown.append(f"{name} {quoted(text, 2048)} from {sources.get(name, 'the default')}")
    return "; ".join(shown) + "."


def _text(item: str | ChainedRole) -> str:
    """Return a region, or a chained role with its own settings."""
    if isinstance(item, str):
        return item
    own = [
        f"{one.name} {value}"
        for one in fields(item)
        if one.name not in ("arn", *_POLICIES) and (value := getattr(item, one.name))
    ]
    return f"{item.arn} ({', '.join(own)})" if own else item.arn
