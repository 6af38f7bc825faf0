"""Settings of a role, from arguments, environment variables and the AWS config profile.

The first place that has a value wins, in this order. A session for a named profile reads the
profile and not the environment, as botocore itself does.

| setting      | environment (`GCP_AWS_BRIDGE_…`, else)             | profile key             |
|--------------|----------------------------------------------------|-------------------------|
| role ARN     | `…ROLE_ARN`, else `AWS_ROLE_ARN`                   | `gcp_role_arn`          |
| audience     | `…AUDIENCE`, else `GCP_OAUTH_AUD`                  | `gcp_audience`          |
| session name | `…ROLE_SESSION_NAME`, else `AWS_ROLE_SESSION_NAME` | `gcp_role_session_name` |
| duration     | `…DURATION_SECONDS`                                | `gcp_duration_seconds`  |
| chained roles | `…CHAIN`, ARNs with commas, or JSON               | `gcp_chain`             |
| STS regions  | `…STS_REGIONS`, with commas                        | `gcp_sts_regions`       |

A chain in JSON is a list whose items are ARNs, or objects with the fields of `ChainedRole`.

The time to wait for a metadata server is a setting of a token source, not of a role. It is read
from `GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS` and the profile key `gcp_metadata_deadline_seconds`.

`AWS_ROLE_ARN` is ignored if `AWS_WEB_IDENTITY_TOKEN_FILE` is set: botocore itself uses that pair
(IRSA).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.config import Role

# For each field of `Role`: the variables, in order of precedence, and the profile key.
_SETTINGS = {
    "arn": (("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ROLE_ARN"), "gcp_role_arn"),
    "audience": (("GCP_AWS_BRIDGE_AUDIENCE", "GCP_OAUTH_AUD"), "gcp_audience"),
    "role_session_name": (
        ("GCP_AWS_BRIDGE_ROLE_SESSION_NAME", "AWS_ROLE_SESSION_NAME"),
        "gcp_role_session_name",
    ),
    "duration_seconds": (("GCP_AWS_BRIDGE_DURATION_SECONDS",), "gcp_duration_seconds"),
    "chain": (("GCP_AWS_BRIDGE_CHAIN",), "gcp_chain"),
    "sts_regions": (("GCP_AWS_BRIDGE_STS_REGIONS",), "gcp_sts_regions"),
}

METADATA_DEADLINE = ("GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS", "gcp_metadata_deadline_seconds")
# The maximum: a caller waits up to 90 s for credentials, and STS may need 30 s of them.
_DEADLINE_S = (1.0, 60.0)

# Of `install` and of `gcp-aws-bridge run`.
KEYS_FIRST = (
    "AWS_ACCESS_KEY_ID is set: botocore takes the keys in the environment before the configured "
    "role. To use the role, unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)


def resolve(
    arguments: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    profile: Mapping[str, Any],
    named_profile: bool = False,
    make: Callable[..., Any] | None = None,
) -> Role | None:
    """Return the role that arguments, environment and profile configure together.

    Args:
        arguments: Fields of `Role`; None and an empty list count as unset.
        environ: Read unless *named_profile*.
        profile: The keys of the AWS config profile in use.
        named_profile: Whether the caller chose the profile by name, so that the environment is
            ignored.
        make: Returns the role from its fields. None: `Role`.

    Returns:
        The role, or None if no role is configured.

    Raises:
        ConfigError: A setting is malformed; the message names the place of the setting.
    """
    fields = given(arguments)
    found = look_up(fields, {} if named_profile else environ, profile)
    if "arn" not in fields.keys() | found.keys():
        return None  # other settings do not matter without a role
    for name, (text, where) in found.items():
        fields[name] = _parsed(name, text, where)
    if make is None:
        from gcp_aws_bridge.config import Role  # not needed by short commands

        make = Role
    try:
        made: Role = make(**fields)
    except ConfigError as error:
        # All places share the checks of `Role`; the message adds the place to correct.
        places = ", ".join(f"{name} from {where}" for name, (_, where) in sorted(found.items()))
        if not places:
            raise
        raise ConfigError(
            f"{error.args[0]} (Settings in use: {places}.)", fix=error.fix, error_id=error.error_id
        ) from None
    return made


def metadata_deadline_s(
    environ: Mapping[str, str],
    profile: Mapping[str, Any] = MappingProxyType({}),
    *,
    named_profile: bool = False,
) -> float | None:
    """Return the number of seconds to wait for a metadata server, or None if it is not configured.

    Args:
        environ: Read unless *named_profile*.
        profile: The keys of the AWS config profile in use.

    Raises:
        ConfigError: The setting is not a number of seconds from 1 to 60.
    """
    variable, profile_key = METADATA_DEADLINE
    text, where = "" if named_profile else environ.get(variable, "").strip(), variable
    if not text:
        found = profile.get(profile_key, "")
        text, where = found.strip() if isinstance(found, str) else "", f"profile key {profile_key}"
    if not text:
        return None
    least_s, most_s = _DEADLINE_S
    try:
        if least_s <= (seconds := float(text)) <= most_s:
            return seconds
    except ValueError:
        pass
    raise ConfigError(
        f"The time to wait for the metadata server in {where} is {quoted(text)}; it must be a "
        f"number of seconds from {least_s:g} to {most_s:g}.",
        fix=f"correct {where}, or unset it for 20 s.",
        error_id="config/metadata-deadline",
    )


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are set. An empty *text* is set, and is an error later."""
    return {
        name: value
        for name, value in arguments.items()
        if not (value is None or (isinstance(value, Sequence) and len(value) == 0 and value != ""))
    }


def look_up(
    fields: Iterable[str], environ: Mapping[str, str], profile: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """Return text and place of every setting outside of *fields* that is configured."""
    names = _SETTINGS.keys() - set(fields)
    found = {name: _look_up(name, environ, profile) for name in names}
    return {name: (text, where) for name, (text, where) in found.items() if text}


def _look_up(name: str, environ: Mapping[str, str], profile: Mapping[str, Any]) -> tuple[str, str]:
    variables, profile_key = _SETTINGS[name]
    for variable in variables:
        if variable == "AWS_ROLE_ARN" and environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            continue
        if value := environ.get(variable, "").strip():
            return value, variable
    value = profile.get(profile_key, "")
    return (value.strip() if isinstance(value, str) else ""), f"profile key {profile_key}"


def _parsed(argument: str, text: str, where: str) -> str | int | tuple[Any, ...]:
    if argument == "chain":
        return parsed_chain(text, where)
    if argument == "sts_regions":
        return tuple(region for region in re.split(r"[\s,]+", text) if region)
    if argument != "duration_seconds":
        return text
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"The duration in {where} is {quoted(text)}; it must be a whole number of seconds.",
            fix=f"set {where} to 900 or more, at most 43200.",
            error_id="config/duration",
        ) from None


def parsed_chain(text: str, where: str) -> tuple[Any, ...]:
    """Return the roles in *text*: ARNs with commas, or JSON: a list of ARNs and objects, or one.

    Args:
        where: The place of the setting.

    Raises:
        ConfigError: It is not JSON, or an object has a name twice. `Role` checks the rest.
    """
    if not text.startswith(("[", "{")):
        # Only at commas before an ARN: the name of a role may contain commas.
        chain = text.strip(" ,")
        return tuple(re.split(r"[\s,]*,\s*(?=arn:)", chain)) if chain else ()
    try:
        roles = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        problem = error.args[0] if error.args else type(error).__name__
        raise ConfigError(
            f"The chain in {where} is not JSON ({problem}).",
            fix='write ["ARN", …], or [{"arn": "ARN", "external_id": "…"}, …] for roles with '
            "settings of their own.",
            error_id="config/chain",
        ) from None
    return tuple(roles) if isinstance(roles, list) else (roles,)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{quoted(twice[0])} is there twice")
    return dict(pairs)
