"""`Role`: a request for AWS credentials, as one value.

Invariant: every `Role` is well-formed. Whatever STS would reject as malformed raises an error here,
before any request.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gcp_aws_bridge._pickled import as_settings
from gcp_aws_bridge.exceptions import ConfigError, quoted

__all__ = ["DEFAULT_AUDIENCE", "Role"]

DEFAULT_AUDIENCE = "sts.amazonaws.com"

# AWS STS API reference, AssumeRoleWithWebIdentity: RoleArn 20 to 2048 characters; DurationSeconds
# 900 to 43200; RoleSessionName 2 to 64 of [\w+=,.@-]; Policy 1 to 2048 of [\t\n\r\x20-\xff]; at
# most 10 PolicyArns. IAM API reference, Role: RoleName 1 to 64 of [\w+=,.@-], Path of ! to ~.
_ROLE_ARN = r"arn:aws[a-z-]*:iam::\d{12}:role/([!-~]+/)?[\w+=,.@-]{1,64}"
_POLICY_ARN = r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/([!-~]+/)?[\w+=,.@-]{1,128}"
_SESSION_NAME = r"[\w+=,.@-]{2,64}"
_REGION = r"[a-z]{2,}(-[a-z]+)+-\d+"
_ARN_LENGTH = range(20, 2049)
_DURATION_S = range(900, 43_201)
_DEFAULT_DURATION_S = 3600
# IAM user guide, "Methods to assume a role": role chaining limits the session to one hour.
_CHAINED_DURATION_S = 3600
_POLICY_LENGTH = 2048
_POLICY_ARNS = 10


@dataclass(frozen=True)
class Role:
    """Role to assume, session duration and session policy. Checked on creation.

    Equal roles share one exchange within a process. Holds no secret, and pickles.

    Args:
        arn: The role that trusts the Google identity, `arn:aws:iam::123456789012:role/etl`.
        audience: `aud` of the ID token; `:oaud` in the trust policy. A separate audience for each
            role (`aws:123456789012:etl`) is better than the shared default.
        role_session_name: Name in CloudTrail; 2 to 64 of `[\\w+=,.@-]`. None: the name of the pod
            or host at the time of the exchange.
        duration_seconds: 900 to 43200, at most what the role allows; at most 3600 with a chain.
        region_name: Region of the STS endpoint. None: the session's, or the partition's default.
        chain: ARNs of the chained roles, in the order in which they are assumed.
        policy: Session policy, as JSON text or a mapping, at most 2048 characters: the credentials
            have the permissions that both it and the (last) role allow.
        policy_arns: Up to 10 managed policies, with the same effect.

    Raises:
        ConfigError: STS would reject a value.
    """

    arn: str
    audience: str = DEFAULT_AUDIENCE
    role_session_name: str | None = None
    duration_seconds: int = _DEFAULT_DURATION_S
    region_name: str | None = None
    chain: Sequence[str] = ()  # kept as a tuple
    policy: str | Mapping[str, Any] | None = None  # kept as compact JSON text
    policy_arns: Sequence[str] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__  # the dataclass is frozen
        put(self, "chain", _listed("chain", self.chain))
        put(self, "policy_arns", _listed("policy_arns", self.policy_arns))
        for arn in (self.arn, *self.chain):
            _check_role_arn(arn)
        _check_audience(self.audience)
        if self.role_session_name is not None:
            _check_session_name(self.role_session_name)
        _check_duration(self.duration_seconds, chained=bool(self.chain))
        _check_region(self.region_name)
        put(self, "policy", _policy_text(self.policy))
        _check_policy_arns(self.policy_arns)

    def __reduce__(self) -> tuple[Any, ...]:
        return as_settings(self)

    @property
    def session_name(self) -> str:
        """Value of RoleSessionName."""
        return self.role_session_name or default_session_name()

    @property
    def partition(self) -> str:
        """Partition of the role (`aws`, `aws-cn`, `aws-us-gov`…)."""
        return self.arn.split(":")[1]

    @property
    def account_id(self) -> str:
        """Account of the credentials, which is that of the last role."""
        return (self.arn, *self.chain)[-1].split(":")[4]


def default_session_name() -> str:
    """Return the name of the pod or host, with characters that AWS accepts."""
    name = re.sub(r"[^\w+=,.@-]+", "-", socket.gethostname(), flags=re.ASCII).strip("-")[:64]
    return name if len(name) >= 2 else "gcp-aws-bridge"


def _listed(name: str, value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigError(
            f"{name} is {quoted(value)} ({type(value).__name__}); it must be a list or tuple of "
            "ARNs.",
            fix=f"pass {name}=[…], even for one ARN; omit it for none.",
            error_id="config/list",
        )
    return tuple(value)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None  # compiled on first use


def _check_role_arn(arn: str) -> None:
    if not isinstance(arn, str) or len(arn) not in _ARN_LENGTH or not _matches(_ROLE_ARN, arn):
        raise ConfigError(
            f"{quoted(arn)} is not the ARN of an IAM role.",
            fix="pass a role ARN such as arn:aws:iam::123456789012:role/etl, by argument, "
            "GCP_AWS_BRIDGE_ROLE_ARN or the profile key gcp_role_arn.",
            error_id="config/role-arn",
        )


def _check_audience(audience: str) -> None:
    if not isinstance(audience, str) or not audience.strip() or not audience.isprintable():
        raise ConfigError(
            f"The audience is {quoted(audience)}; it must be non-empty, printable text.",
            fix=f'omit it for "{DEFAULT_AUDIENCE}", or pass the value of accounts.google.com:oaud '
            "in the trust policy.",
            error_id="config/audience",
        )


def _check_session_name(name: str) -> None:
    if not isinstance(name, str) or not _matches(_SESSION_NAME, name):
        raise ConfigError(
            f"The role session name is {quoted(name)}; AWS accepts 2 to 64 of A-Z a-z "
            "0-9 and _+=,.@- only.",
            fix="omit it for the pod's name, or replace the other characters.",
            error_id="config/session-name",
        )


def _check_duration(seconds: int, *, chained: bool) -> None:
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


def _check_region(region: str | None) -> None:
    if region is not None and not (isinstance(region, str) and _matches(_REGION, region)):
        raise ConfigError(
            f"The region is {quoted(region)}; it must look like eu-west-1.",
            fix="pass the name of an AWS region, or omit it.",
            error_id="config/region",
        )


def _policy_text(policy: str | Mapping[str, Any] | None) -> str | None:
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


def _check_policy_arns(arns: Sequence[str]) -> None:
    bad = [arn for arn in arns if not (isinstance(arn, str) and _matches(_POLICY_ARN, arn))]
    if bad or len(arns) > _POLICY_ARNS:
        seen = f"{quoted(bad[0])} is not the ARN of one" if bad else f"{len(arns)} are given"
        raise ConfigError(
            f"policy_arns takes up to {_POLICY_ARNS} managed policies; {seen}.",
            fix="pass ARNs such as arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess.",
            error_id="config/policy-arns",
        )
