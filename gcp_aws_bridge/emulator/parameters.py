"""Checks of request parameters, before STS looks at any token: lengths, patterns, bounds.

Bounds are those of the AWS STS API reference for AssumeRole and AssumeRoleWithWebIdentity; the
wording is that of the validation which every AWS Query API shares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .accounts import role_arn_parts
from .answers import AwsError

__all__ = ["RoleRequest", "read_assume_role", "read_web_identity"]

# The default of `DurationSeconds`, in both actions.
_DEFAULT_DURATION_S = 3600


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """A request for a role, its parameters checked. Its repr shows no token.

    `packed_size` is the session policies' share of their limit, in per cent; `None` without any.
    """

    role_arn: str
    account: str
    session_name: str
    duration_s: int
    packed_size: int | None
    source_identity: str | None = None
    external_id: str | None = None
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """What the API reference says of one parameter."""

    name: str
    required: bool = False
    least: int = 0
    most: int | None = None
    pattern: str | None = None
    integer: bool = False
    secret: bool = False


_NAME = r"[\w+=,.@-]*"
_ARN = (
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD"
    r"\U00010000-\U0010FFFF]+"
)
_COMMON = (
    _Rule("RoleArn", required=True, least=20, most=2048, pattern=_ARN),
    _Rule("RoleSessionName", required=True, least=2, most=64, pattern=_NAME),
    _Rule("DurationSeconds", least=900, most=43200, integer=True),
)
_WEB_IDENTITY = (
    *_COMMON,
    _Rule("WebIdentityToken", required=True, least=4, most=20000, secret=True),
    _Rule("ProviderId", least=4, most=2048),
    _Rule("Policy", least=1, most=2048, pattern=r"[\u0009\u000A\u000D\u0020-\u00FF]+"),
)
_ASSUME_ROLE = (
    *_COMMON,
    # AssumeRole's own limit is on the packed size; its plain text may have 2,048 too.
    _Rule("Policy", least=1, most=2048, pattern=r"[\u0009\u000A\u000D\u0020-\u00FF]+"),
    _Rule("ExternalId", least=2, most=1224, pattern=r"[\w+=,.@:\/-]*"),
    _Rule("SourceIdentity", least=2, most=64, pattern=_NAME),
)
# "You can pass ... up to 10 managed policy ARNs"; "up to 50 session tags".
_MOST_POLICY_ARNS = 10
_POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+", re.ASCII)
_PLAIN_TEXT_LIMIT = 2048


def read_web_identity(params: Mapping[str, str]) -> RoleRequest:
    """Check AssumeRoleWithWebIdentity's parameters; the token is left to `tokens`.

    Raises:
        AwsError: `ValidationError`, `MalformedInput`, `MalformedPolicyDocument` or
            `PackedPolicyTooLarge`.
    """
    _validate(params, _WEB_IDENTITY)
    if "ProviderId" in params:
        # "Specify this value only for OAuth 2.0 access tokens."
        raise _invalid("Provided Token is not a valid OAuth 2.0 access token")
    return _request(params, "Request ARN is invalid")


def read_assume_role(params: Mapping[str, str]) -> RoleRequest:
    """Check AssumeRole's parameters.

    Raises:
        AwsError: `ValidationError`, `MalformedInput`, `MalformedPolicyDocument` or
            `PackedPolicyTooLarge`.
    """
    _validate(params, _ASSUME_ROLE)
    return _request(params, f"{params['RoleArn']} is invalid")


def _request(params: Mapping[str, str], not_an_arn: str) -> RoleRequest:
    arn = role_arn_parts(params["RoleArn"])
    if arn is None:
        raise _invalid(not_an_arn)
    return RoleRequest(
        role_arn=arn[0],
        account=arn["account"],
        session_name=params["RoleSessionName"],
        duration_s=int(params.get("DurationSeconds", _DEFAULT_DURATION_S)),
        packed_size=_packed_size(params),
        source_identity=params.get("SourceIdentity"),
        external_id=params.get("ExternalId"),
        tagged=any(name.startswith("Tags.member.") for name in params),
    )


def _validate(params: Mapping[str, str], rules: tuple[_Rule, ...]) -> None:
    """Check every parameter; report all that fail at once, as AWS does."""
    failures = []
    for rule in rules:
        value = params.get(rule.name)
        if value is None:
            if rule.required:
                failures.append(_failure(rule, "null", "must not be null"))
            continue
        if rule.integer and not re.fullmatch(r"[+-]?\d{1,10}", value, re.ASCII):
            raise AwsError("MalformedInput", f"{rule.name} is not an integer")
        shown = "" if rule.secret else f"'{value}'"
        failures += [_failure(rule, shown, wrong) for wrong in _broken(rule, value)]
    if failures:
        plural = "s" if len(failures) > 1 else ""
        raise _invalid(f"{len(failures)} validation error{plural} detected: {'; '.join(failures)}")


def _failure(rule: _Rule, shown: str, wrong: str) -> str:
    member = rule.name[0].lower() + rule.name[1:]
    value = f"Value {shown} at" if shown else "Value at"
    return f"{value} '{member}' failed to satisfy constraint: Member {wrong}"


def _broken(rule: _Rule, value: str) -> list[str]:
    size, what = (int(value), "value") if rule.integer else (len(value), "length")
    wrong = []
    if rule.most is not None and size > rule.most:
        wrong.append(f"must have {what} less than or equal to {rule.most}")
    if size < rule.least:
        wrong.append(f"must have {what} greater than or equal to {rule.least}")
    if rule.pattern is not None and not re.fullmatch(rule.pattern, value, re.ASCII):
        wrong.append(f"must satisfy regular expression pattern: {rule.pattern}")
    return wrong


def _packed_size(params: Mapping[str, str]) -> int | None:
    """Check the session policies, and return the share of their limit that they use.

    What AWS packs, and how, is not documented: this is the plain text's share.
    """
    policy = params.get("Policy")
    arns = _members(params, "PolicyArns")
    if policy is not None:
        _check_policy(policy)
    if len(arns) > _MOST_POLICY_ARNS:
        raise _invalid(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MOST_POLICY_ARNS}"
        )
    for arn in arns:
        if not _POLICY_ARN.fullmatch(arn):
            raise _invalid(f"The specified value for PolicyArns is invalid: {arn}")
    if policy is None and not arns:
        return None
    percent = max(1, (len(policy or "") + sum(map(len, arns))) * 100 // _PLAIN_TEXT_LIMIT)
    if percent > 100:
        raise AwsError(
            "PackedPolicyTooLarge",
            f"Packed policy consumes {percent}% of allotted space, please use smaller policy.",
        )
    return percent


def _check_policy(policy: str) -> None:
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError):
        raise _malformed("This policy contains invalid Json") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    listed = statements if isinstance(statements, list) and statements else [statements]
    for statement in listed:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("Syntax errors in policy.")
        if not {"Action", "NotAction"} & statement.keys():
            raise _malformed("Policy statement must contain actions.")
        if not {"Resource", "NotResource"} & statement.keys():
            raise _malformed("Policy statement must contain resources.")
        if {"Principal", "NotPrincipal"} & statement.keys():
            raise _malformed("Policy document should not specify a principal.")


def _members(params: Mapping[str, str], name: str) -> list[str]:
    """Return a list of structures' `arn` members, in order (Query protocol: `.member.N`)."""
    pattern = re.compile(rf"{name}\.member\.(\d{{1,4}})\.arn", re.ASCII)
    found = {int(m[1]): value for key, value in params.items() if (m := pattern.fullmatch(key))}
    return [found[number] for number in sorted(found)]


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
