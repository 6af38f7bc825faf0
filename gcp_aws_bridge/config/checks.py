"""Checks of the fields of `Role` and `ChainedRole`: what STS would reject is a `ConfigError`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted

DEFAULT_AUDIENCE = "sts.amazonaws.com"

# AWS STS API reference, AssumeRoleWithWebIdentity and AssumeRole: RoleArn 20 to 2048 characters;
# DurationSeconds 900 to 43200; RoleSessionName and SourceIdentity 2 to 64 of [\w+=,.@-]; ExternalId
# 2 to 1224 of [\w+=,.@:\/-]; Policy 1 to 2048 of [\t\n\r\x20-\xff]; at most 10 PolicyArns. IAM API
# reference, Role: RoleName 1 to 64 of [\w+=,.@-], Path of ! to ~.
ROLE_ARN = r"arn:aws[a-z-]*:iam::\d{12}:role/([!-~]+/)?[\w+=,.@-]{1,64}"
_POLICY_ARN = r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/([!-~]+/)?[\w+=,.@-]{1,128}"
_SESSION_NAME = r"[\w+=,.@-]{2,64}"
_SOURCE_IDENTITY = _SESSION_NAME  # without a colon, it cannot begin with the reserved "aws:"
_EXTERNAL_ID = r"[\w+=,.@:/-]{2,1224}"
_ARN_LENGTH = range(20, 2049)
_DURATION_S = range(900, 43_201)
# IAM user guide, "Methods to assume a role": role chaining limits the session to one hour.
_CHAINED_DURATION_S = 3600
_POLICY_LENGTH = 2048
_POLICY_ARNS = 10


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole *text* matches; `\\w` and `\\d` are ASCII, as for AWS."""
    return re.fullmatch(pattern, text, re.ASCII) is not None  # compiled on first use


def listed(name: str, value: Iterable[Any], of: str = "ARNs") -> tuple[Any, ...]:
    """Return *value*, the setting *name*, as a tuple.

    Raises:
        ConfigError: It is one string or one mapping, or no iterable.
    """
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise ConfigError(
            f"{name} is {quoted(value)} ({type(value).__name__}); it must be a list or tuple of "
            f"{of}.",
            fix=f"pass {name}=[…], even for one; omit it for none.",
            error_id="config/list",
        )
    return tuple(value)


def check_role_arn(arn: str) -> None:
    """Check the ARN of a role, the first or a chained one.

    Raises:
        ConfigError: STS would reject it.
    """
    if not isinstance(arn, str) or len(arn) not in _ARN_LENGTH or not matches(ROLE_ARN, arn):
        raise ConfigError(
            f"{quoted(arn)} is not the ARN of an IAM role.",
            fix="pass a role ARN such as arn:aws:iam::123456789012:role/etl, by argument, "
            "GCP_AWS_BRIDGE_ROLE_ARN or the profile key gcp_role_arn.",
            error_id="config/role-arn",
        )


def check_audience(audience: str) -> None:
    """Check the audience of the ID token.

    Raises:
        ConfigError: It is empty or not printable.
    """
    if not isinstance(audience, str) or not audience.strip() or not audience.isprintable():
        raise ConfigError(
            f"The audience is {quoted(audience)}; it must be non-empty, printable text.",
            fix=f'omit it for "{DEFAULT_AUDIENCE}", or pass the value of accounts.google.com:oaud '
            "in the trust policy.",
            error_id="config/audience",
        )


def check_session_name(name: str) -> None:
    """Check a role session name.

    Raises:
        ConfigError: STS would reject it.
    """
    if not isinstance(name, str) or not matches(_SESSION_NAME, name):
        raise ConfigError(
            f"The role session name is {quoted(name)}; AWS accepts 2 to 64 of A-Z a-z "
            "0-9 and _+=,.@- only.",
            fix="omit it for the pod's name, or replace the other characters.",
            error_id="config/session-name",
        )


def check_external_id(external_id: str | None, arn: str) -> None:
    """Check the external ID for the role *arn*, or None.

    Raises:
        ConfigError: STS would reject it.
    """
    if external_id is not None and not (
        isinstance(external_id, str) and matches(_EXTERNAL_ID, external_id)
    ):
        raise ConfigError(
            f"The external ID for {arn} is {quoted(external_id)}; AWS accepts 2 to 1224 of A-Z a-z "
            "0-9 and _+=,.@:/- only.",
            fix="copy the value of sts:ExternalId from the role's trust policy.",
            error_id="config/external-id",
        )


def check_source_identity(identity: str | None, arn: str) -> None:
    """Check the source identity for the role *arn*, or None.

    Raises:
        ConfigError: STS would reject it.
    """
    if identity is not None and not (
        isinstance(identity, str) and matches(_SOURCE_IDENTITY, identity)
    ):
        raise ConfigError(
            f"The source identity for {arn} is {quoted(identity)}; AWS accepts 2 to 64 of A-Z a-z "
            "0-9 and _+=,.@- only.",
            fix="replace the other characters, or omit it.",
            error_id="config/source-identity",
        )


def check_duration(seconds: int, *, chained: bool) -> None:
    """Check a session duration.

    Args:
        chained: Whether the role is chained, or has a chain.

    Raises:
        ConfigError: STS would reject it.
    """
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds not in _DURATION_S:
        raise ConfigError(
            f"duration_seconds is {quoted(seconds)} ({type(seconds).__name__}); AWS accepts a "
            "whole number from 900 to 43200.",
            fix="omit it for 3600, or stay within the role's maximum session duration.",
            error_id="config/duration",
        )
    if chained and seconds > _CHAINED_DURATION_S:
        raise ConfigError(
            f"duration_seconds is {seconds} with a chain; AWS limits role chaining to one hour.",
            fix="use duration_seconds=3600 or less, or give the first role the permissions.",
            error_id="config/chain-duration",
        )


def policy_text(policy: str | Mapping[str, Any] | None) -> str | None:
    """Return a session policy as compact JSON text, or None.

    Raises:
        ConfigError: STS would reject it.
    """
    if policy is None:
        return None
    problem = ""
    text = ""
    try:
        document = json.loads(policy) if isinstance(policy, str) else policy
        if not isinstance(document, Mapping):
            problem = "JSON, but not an object"
        text = _compact_json(document)
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"not JSON ({error.args[0] if error.args else type(error).__name__})"
    if not problem and len(text) > _POLICY_LENGTH:
        problem = (
            f"{len(text)} characters long without spaces; AWS accepts at most {_POLICY_LENGTH}"
        )
    if problem:
        raise ConfigError(
            f"The session policy is {problem}.",
            fix="pass an IAM policy document, as JSON text or a dict; put longer ones into "
            "managed policies and list them in policy_arns.",
            error_id="config/policy",
        )
    return text


def _compact_json(document: object) -> str:
    """Return *document* in as few characters as possible, because STS limits their number."""
    text = json.dumps(
        document,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_plain,
    )
    return re.sub(r"[^ -\xff]", lambda found: json.dumps(found[0])[1:-1], text)


def _plain(value: object) -> object:
    """Convert values that `json` does not serialize."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def check_policy_arns(arns: Sequence[str]) -> None:
    """Check the ARNs of managed session policies.

    Raises:
        ConfigError: STS would reject it.
    """
    bad = [arn for arn in arns if not (isinstance(arn, str) and matches(_POLICY_ARN, arn))]
    if bad or len(arns) > _POLICY_ARNS:
        seen = f"{quoted(bad[0])} is not the ARN of one" if bad else f"{len(arns)} are given"
        raise ConfigError(
            f"policy_arns takes up to {_POLICY_ARNS} managed policies; {seen}.",
            fix="pass ARNs such as arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess.",
            error_id="config/policy-arns",
        )
