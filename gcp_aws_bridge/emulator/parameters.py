"""Parameters of STS actions: their bounds, session policies and session tags.

The bounds follow the AWS STS API reference, with one table for each action. The actions check
tokens and callers themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field

from .accounts import role_arn_parts
from .answers import AwsError
from .permissions import Permissions
from .policies import PolicyError
from .validation import Rule, invalid, members, numbered, validate, violation

__all__ = ["RULES", "Narrowing", "RoleRequest", "narrowing", "read_role", "read_tags"]

# The default of `DurationSeconds` for actions that assume a role.
_DEFAULT_DURATION_S = 3600

_NAME = r"[\w+=,.@-]*"
_ARN = (
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD"
    r"\U00010000-\U0010FFFF]+"
)
_POLICY = Rule("Policy", least=1, most=2048, pattern=r"[\u0009\u000A\u000D\u0020-\u00FF]+")
_TOKEN_SIZE = Rule("MinimumSessionTokenSize", least=0, most=4096, integer=True)
_LONG_DURATION = Rule("DurationSeconds", least=900, most=129600, integer=True)
_MFA = (
    Rule("SerialNumber", least=9, most=256, pattern=r"[\w+=/:,.@-]*"),
    Rule("TokenCode", least=6, most=6, pattern=r"[\d]*"),
)
_ROLE = (
    Rule("RoleArn", required=True, least=20, most=2048, pattern=_ARN),
    Rule("RoleSessionName", required=True, least=2, most=64, pattern=_NAME),
    Rule("DurationSeconds", least=900, most=43200, integer=True),
    # For `Policy`, the reference of AssumeRole has no constraint but the text "can't exceed 2,048
    # characters".
    _POLICY,
    _TOKEN_SIZE,
)
RULES: dict[str, tuple[Rule, ...]] = {
    "AssumeRole": (
        *_ROLE,
        Rule("ExternalId", least=2, most=1224, pattern=r"[\w+=,.@:\/-]*"),
        Rule("SourceIdentity", least=2, most=64, pattern=_NAME),
        *_MFA,
    ),
    "AssumeRoleWithWebIdentity": (
        *_ROLE,
        Rule("WebIdentityToken", required=True, least=4, most=20000, secret=True),
        Rule("ProviderId", least=4, most=2048),
    ),
    "DecodeAuthorizationMessage": (Rule("EncodedMessage", required=True, least=1, most=10240),),
    "GetAccessKeyInfo": (Rule("AccessKeyId", required=True, least=16, most=128, pattern=r"[\w]*"),),
    "GetFederationToken": (
        Rule("Name", required=True, least=2, most=32, pattern=_NAME),
        _POLICY,
        _LONG_DURATION,
        _TOKEN_SIZE,
    ),
    "GetSessionToken": (_LONG_DURATION, *_MFA, _TOKEN_SIZE),
}

# "You can pass ... up to 10 managed policy ARNs"; "up to 50 session tags".
_MOST_POLICY_ARNS = 10
_MOST_TAGS = 50
_POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+", re.ASCII)
_PLAIN_TEXT_LIMIT = 2048
# API reference, Tag: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`. Tabs and line breaks are not in \p{Z}.
_TAG_CHARACTERS = r"(?u:[\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@]*)"

_ADMINISTRATOR = Permissions(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
)
"""AWS's managed policy AdministratorAccess, the only managed policy that the emulator has."""

_NOTHING = Permissions(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"*","Resource":"*"}}'
)


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Session policies and session tags of a request.

    Attributes:
        policies: Session policies; `None`: no session policies.
        tags: Session tags.
        transitive: Keys of the tags that chained sessions inherit, as spelled in the request.
        packed_size: Size of the session policies and tags, in per cent of their limit; `None`
            without both.
        token_size: Minimum size of the session token, in bytes.
    """

    policies: tuple[Permissions, ...] | None
    tags: Mapping[str, str]
    transitive: frozenset[str]
    packed_size: int | None
    token_size: int


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """Validated parameters of a request that assumes a role. The repr shows no token."""

    role_arn: str
    account: str
    session_name: str
    duration_s: int
    narrowing: Narrowing = field(repr=False)
    source_identity: str | None = None
    external_id: str | None = None


def read_role(params: Mapping[str, str], action: str) -> RoleRequest:
    """Check the parameters of an action that assumes a role, except the token; see `tokens`.

    Raises:
        AwsError: `ValidationError`, `MalformedInput`, `MalformedPolicyDocument` or
            `PackedPolicyTooLarge`.
    """
    validate(params, RULES[action])
    if "ProviderId" in params and action == "AssumeRoleWithWebIdentity":
        # "Specify this value only for OAuth 2.0 access tokens."
        raise invalid("Provided Token is not a valid OAuth 2.0 access token")
    arn = role_arn_parts(params["RoleArn"])
    if arn is None:
        unsigned = action == "AssumeRoleWithWebIdentity"
        raise invalid("Request ARN is invalid" if unsigned else f"{params['RoleArn']} is invalid")
    return RoleRequest(
        role_arn=arn[0],
        account=arn["account"],
        session_name=params["RoleSessionName"],
        duration_s=int(params.get("DurationSeconds", _DEFAULT_DURATION_S)),
        narrowing=narrowing(params, arn["account"], tagging=action == "AssumeRole"),
        source_identity=params.get("SourceIdentity"),
        # AssumeRoleWithWebIdentity has no parameter of this name.
        external_id=params.get("ExternalId") if action == "AssumeRole" else None,
    )


def narrowing(params: Mapping[str, str], account: str, *, tagging: bool = True) -> Narrowing:
    """Read session policies and session tags.

    Args:
        params: Parameters of the request.
        account: Account of the role, or of the user.
        tagging: Whether the action accepts tags.

    Raises:
        AwsError: A policy or a tag is malformed, or there are too many.
    """
    arns = members(params, "PolicyArns", "arn")
    policies = _policies(params.get("Policy"), arns, account)
    tags = read_tags(params) if tagging else {}
    transitive = _transitive(params, tags) if tagging else frozenset()
    if policies is None and not tags:
        packed_size = None
    else:
        # AWS does not document the packed format. This is the size as plain text.
        plain = [params.get("Policy", ""), *arns, *tags, *tags.values()]
        packed_size = max(1, sum(map(len, plain)) * 100 // _PLAIN_TEXT_LIMIT)
        if packed_size > 100:
            raise _too_large(packed_size, policies is not None)
    token_size = int(params.get("MinimumSessionTokenSize", 0))
    return Narrowing(policies, tags, transitive, packed_size, token_size)


def _too_large(packed_size: int, with_policies: bool) -> AwsError:
    """Return the error for policies and tags that are too large, as users report it."""
    consumes = f"consumes {packed_size}% of allotted space"
    return AwsError(
        "PackedPolicyTooLarge",
        f"Packed policy {consumes}, please use smaller policy."
        if with_policies
        else f"Packed size of session tags {consumes}.",
    )


def _policies(inline: str | None, arns: list[str], account: str) -> tuple[Permissions, ...] | None:
    _check_count("policyArns", arns, _MOST_POLICY_ARNS)
    for arn in arns:
        found_arn = _POLICY_ARN.fullmatch(arn)
        # "The policies must exist in the same account as the role."
        if found_arn is None or found_arn[1] not in ("aws", account):
            raise invalid(f"The specified value for PolicyArns is invalid: {arn}")
    if inline is None and not arns:
        return None
    policies = [
        _ADMINISTRATOR if arn.endswith(":aws:policy/AdministratorAccess") else _NOTHING
        for arn in arns
    ]
    if inline is not None:
        try:
            policies.append(Permissions(inline))
        except PolicyError as error:
            raise AwsError(error.code, error.message) from None
    return tuple(policies)


def read_tags(params: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a request (IAM user guide, "Pass session tags in AWS STS").

    Raises:
        AwsError: A tag is malformed, or there are too many.
    """
    keys, values = (numbered(params, "Tags", field) for field in ("Key", "Value"))
    numbers = sorted(keys.keys() | values.keys())
    _check_count("tags", numbers, _MOST_TAGS)
    members_of = {f"tags.{number}.member.key": keys.get(number) for number in numbers}
    members_of |= {f"tags.{number}.member.value": values.get(number) for number in numbers}
    given = {name: text for name, text in members_of.items() if text is not None}
    validate(given, [_tag_rule(name) for name in members_of])
    # "You cannot create a tag key or value that begins with the text aws:" (Rules for tagging).
    for text in (*keys.values(), *values.values()):
        if text.lower().startswith("aws:"):
            raise invalid(f"{text!r} in a session tag begins with a reserved prefix.")
    if len({name.lower() for name in keys.values()}) < len(keys):
        raise AwsError(
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    return {keys[number]: values[number] for number in numbers}


def _tag_rule(name: str) -> Rule:
    """Return the constraints of the key or the value of a tag (API reference, Tag)."""
    least, most = (0, 256) if name.endswith(".value") else (1, 128)
    return Rule(name, required=True, least=least, most=most, pattern=_TAG_CHARACTERS)


def _transitive(params: Mapping[str, str], tags: Mapping[str, str]) -> frozenset[str]:
    keys = members(params, "TransitiveTagKeys")
    _check_count("transitiveTagKeys", keys, _MOST_TAGS)
    named = {f"transitiveTagKeys.{number}.member": key for number, key in enumerate(keys, 1)}
    validate(named, [_tag_rule(name) for name in named])
    passed = {name.lower() for name in tags}
    if any(key.lower() not in passed for key in keys):
        raise AwsError(
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        )
    return frozenset(keys)


def _check_count(member: str, items: Sized, most: int) -> None:
    if len(items) > most:
        raise violation(member, f"must have length less than or equal to {most}")
