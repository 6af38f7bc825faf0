"""Parameters of STS actions: their bounds, session policies and session tags.

The bounds follow the AWS STS API reference, with one table for each action. The actions check
tokens and callers themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .accounts import role_arn_parts
from .answers import AwsError
from .permissions import Permissions
from .policies import PolicyError
from .validation import Rule, invalid, members, validate, violation

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
# Tag keys have up to 128 characters, values up to 256 (API reference, Tag).
_TAG_CHARACTERS = r"[\w\s_.:/=+\-@]"
_TAG_KEY = re.compile(rf"{_TAG_CHARACTERS}{{1,128}}")
_TAG_VALUE = re.compile(rf"{_TAG_CHARACTERS}{{0,256}}")

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
        transitive: Keys of the tags that chained sessions inherit.
        packed_size: Size of the session policies, in per cent of their limit; `None` without
            policies and tags.
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
        account: Account of the role or of the user.
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
        # AWS does not document the packed format. This is the size of the policies as plain text.
        plain = len(params.get("Policy", "")) + sum(map(len, arns))
        packed_size = max(1, plain * 100 // _PLAIN_TEXT_LIMIT)
        if packed_size > 100:
            raise AwsError(
                "PackedPolicyTooLarge",
                f"Packed policy consumes {packed_size}% of allotted space, please use smaller "
                "policy.",
            )
    token_size = int(params.get("MinimumSessionTokenSize", 0))
    return Narrowing(policies, tags, transitive, packed_size, token_size)


def _policies(inline: str | None, arns: list[str], account: str) -> tuple[Permissions, ...] | None:
    _check_count("policyArns", arns, _MOST_POLICY_ARNS)
    for arn in arns:
        found = _POLICY_ARN.fullmatch(arn)
        # "The policies must exist in the same account as the role" (STS API reference).
        if found is None or found[1] not in ("aws", account):
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
    names = members(params, "Tags", "Key")
    values = members(params, "Tags", "Value")
    _check_count("tags", names, _MOST_TAGS)
    if len(values) != len(names):
        raise invalid("Each session tag has a key and a value.")
    for name, value in zip(names, values, strict=True):
        # "You cannot ... use keys that start with aws:", in upper or lower case.
        if not _TAG_KEY.fullmatch(name) or name.lower().startswith("aws:"):
            raise invalid(f"Session tag key {name!r} is not valid.")
        if not _TAG_VALUE.fullmatch(value):
            raise invalid(f"The value of session tag {name!r} is not valid.")
    # "Tag key-value pairs are not case sensitive, but case is preserved."
    if len({name.lower() for name in names}) < len(names):
        raise AwsError(
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
    return dict(zip(names, values, strict=True))


def _transitive(params: Mapping[str, str], tags: Mapping[str, str]) -> frozenset[str]:
    keys = members(params, "TransitiveTagKeys")
    _check_count("transitiveTagKeys", keys, _MOST_TAGS)
    passed = {name.lower() for name in tags}
    if any(key.lower() not in passed for key in keys):
        raise AwsError(
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        )
    return frozenset(key.lower() for key in keys)


def _check_count(member: str, items: list[str], most: int) -> None:
    if len(items) > most:
        raise violation(member, f"must have length less than or equal to {most}")
