"""Signed STS actions that assume no role: caller identity, sessions of users, web identity tokens.

Written from the AWS STS API reference and the IAM user guide, "Permissions for temporary security
credentials" and "Controlling access with IAM policies" (outbound identity federation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from .accounts import Caller, Session
from .answers import AwsError, Tree
from .authorization import check
from .call import SignedCall, credentials
from .clock import iso
from .outbound import read_request, web_identity_token
from .parameters import RULES, narrowing
from .requestcontext import of_tags
from .validation import invalid, validate

__all__ = [
    "access_key_info",
    "caller_identity",
    "check_mfa",
    "decode_message",
    "federation_token",
    "session_token",
    "web_identity",
]

_DEFAULT_DURATION_S = 43200


def caller_identity(call: SignedCall) -> Tree:
    """Run GetCallerIdentity: "No permissions are required to perform this operation"."""
    caller = call.caller
    return {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}


def session_token(call: SignedCall) -> Tree:
    """Run GetSessionToken: "No permissions are required for users".

    Raises:
        AwsError: STS rejects the request.
    """
    validate(call.params, RULES["GetSessionToken"])
    check_mfa(call.params)
    session = Session(token_size=int(call.params.get("MinimumSessionTokenSize", 0)))
    return {"Credentials": _issue(call, replace(call.caller, session=session))}


def federation_token(call: SignedCall) -> Tree:
    """Run GetFederationToken.

    Raises:
        AwsError: STS rejects the request.
    """
    validate(call.params, RULES["GetFederationToken"])
    caller, name = call.caller, call.params["Name"]
    requested = narrowing(call.params, caller.account)
    context = {**call.context, **of_tags(requested.tags)}
    check(call.accounts, caller, "sts:GetFederationToken", context, f"federated-user/{name}")
    if requested.tags:
        check(call.accounts, caller, "sts:TagSession", context, f"federated-user/{name}")
    user = Caller(
        arn=f"arn:{caller.partition}:sts::{caller.account}:federated-user/{name}",
        user_id=f"{caller.account}:{name}",
        account=caller.account,
        partition=caller.partition,
        session=Session(requested.policies, requested.tags, token_size=requested.token_size),
        federated_by=caller.arn,
    )
    size = requested.packed_size
    return {
        "Credentials": _issue(call, user),
        "FederatedUser": {"Arn": user.arn, "FederatedUserId": user.user_id},
        "PackedPolicySize": None if size is None else str(size),
    }


def access_key_info(call: SignedCall) -> Tree:
    """Run GetAccessKeyInfo.

    Raises:
        AwsError: STS rejects the request.
    """
    validate(call.params, RULES["GetAccessKeyInfo"])
    check(call.accounts, call.caller, "sts:GetAccessKeyInfo", call.context)
    key = call.accounts.key(call.params["AccessKeyId"])
    if key is None:
        # "Providing a deleted access key might return an error that the key doesn't exist."
        raise invalid("The specified access key does not exist.")
    return {"Account": key.caller.account}


def decode_message(call: SignedCall) -> Tree:
    """Run DecodeAuthorizationMessage. No emulated service encodes messages, so it always fails.

    Raises:
        AwsError: Always.
    """
    validate(call.params, RULES["DecodeAuthorizationMessage"])
    check(call.accounts, call.caller, "sts:DecodeAuthorizationMessage", call.context)
    raise AwsError("InvalidAuthorizationMessageException", "Message is not valid")


def web_identity(call: SignedCall) -> Tree:
    """Run GetWebIdentityToken.

    Raises:
        AwsError: STS rejects the request.
    """
    request = read_request(call.params)
    issuer = call.accounts.outbound(call.caller.account)
    if issuer is None:
        raise AwsError(
            "OutboundWebIdentityFederationDisabledException",
            "Outbound web identity federation is disabled for this account.",
            403,
        )
    context = {
        **call.context,
        **of_tags(request.tags),
        "sts:identitytokenaudience": tuple(request.audiences),
        "sts:signingalgorithm": (request.algorithm,),
        "sts:durationseconds": (str(request.duration_s),),
    }
    check(call.accounts, call.caller, "sts:GetWebIdentityToken", context)
    if request.tags:
        check(call.accounts, call.caller, "sts:TagGetWebIdentityToken", context)
    token, ends = web_identity_token(request, call.key, issuer, call.region, call.now)
    return {"WebIdentityToken": token, "Expiration": iso(ends)}


def check_mfa(params: Mapping[str, str]) -> None:
    """Reject the code of an MFA device: no emulated user has one.

    Raises:
        AwsError: "An incorrect MFA code causes the API to return an access denied error."
    """
    if {"SerialNumber", "TokenCode"} & params.keys():
        raise AwsError(
            "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your "
            "MFA serial number is valid and associated with this user.",
            403,
        )


def _issue(call: SignedCall, caller: Caller) -> Tree:
    seconds = int(call.params.get("DurationSeconds", _DEFAULT_DURATION_S))
    expiration = call.now.replace(microsecond=0) + timedelta(seconds=seconds)
    return credentials(call.accounts.issue_to(caller, expiration))
