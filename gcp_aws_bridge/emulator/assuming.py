"""AssumeRole and AssumeRoleWithWebIdentity.

Written from the AWS STS API reference and the IAM user guide: "Roles terms and concepts", "Pass
session tags in AWS STS", "Monitor and control actions taken with assumed roles".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from . import tokens
from .accounts import Role, Session
from .answers import AwsError, Tree
from .authorization import may_assume, refused
from .call import Call, SignedCall, credentials
from .conditions import Context
from .issuer import GOOGLE
from .jws import strings
from .parameters import RoleRequest, read_role
from .requestcontext import of_tags
from .sessions import check_mfa
from .tokens import Provider, WebIdentity
from .trust import Principal
from .validation import invalid, members

__all__ = ["by_credentials", "by_token"]

# "Roles chained ... a maximum of one hour" (IAM user guide, "Roles terms and concepts").
_CHAINED_LIMIT_S = 3600

# Claims that need the permissions sts:TagSession and sts:SetSourceIdentity.
_TAGS_CLAIM = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"

_NOT_AUTHORIZED = "Not authorized to perform {}"


def by_token(call: Call, google: Provider) -> Tree:
    """Run AssumeRoleWithWebIdentity.

    Args:
        call: The request, which is not signed.
        google: The built-in provider.

    Raises:
        AwsError: STS rejects the request.
    """
    request = read_role(call.params, "AssumeRoleWithWebIdentity")
    identity = _identity(call, request.account, google)
    session = _session_of(identity, request)
    context = {
        **call.context,
        **identity.context,
        "aws:federatedprovider": (_provider_name(identity),),
        **_session_context(request, session),
    }
    principal = Principal("Federated", identity.provider.names)
    tagged = _TAGS_CLAIM in identity.claims
    role = _admitting(
        call,
        request,
        _actions("sts:AssumeRoleWithWebIdentity", session, tagged),
        lambda role, action: role.trust_policy.allows(action, principal, context),
        lambda action: AwsError("AccessDenied", _NOT_AUTHORIZED.format(action), 403),
    )
    _check_duration(request, role, chained=False)
    return {
        "SubjectFromWebIdentityToken": identity.subject,
        "Audience": identity.audience,
        **_issue(call, role, request, session),
        "Provider": _provider_name(identity),
    }


def _identity(call: Call, account: str, google: Provider) -> WebIdentity:
    """Verify the request's token, with the identity providers of an account."""

    def find_provider(issuer_url: str) -> Provider | None:
        # The issuer of older Google tokens is "accounts.google.com", without the scheme.
        url = GOOGLE if issuer_url == GOOGLE.partition("://")[2] else issuer_url
        built_in = google if url == GOOGLE else None
        return call.accounts.provider(account, url) or built_in

    return tokens.verify(call.params["WebIdentityToken"], find_provider, call.now)


def _session_of(identity: WebIdentity, request: RoleRequest) -> Session:
    tags, transitive = _tags_of(identity)
    return Session(
        request.narrowing.policies,
        tags,
        transitive,
        _text_claim(identity, _SOURCE_IDENTITY_CLAIM),
        _provider_name(identity),
        request.narrowing.token_size,
    )


def by_credentials(call: SignedCall) -> Tree:
    """Run AssumeRole.

    Raises:
        AwsError: STS rejects the request.
    """
    request = read_role(call.params, "AssumeRole")
    check_mfa(call.params)
    if members(call.params, "ProvidedContexts", "ProviderArn"):
        raise invalid("The emulator has no context providers.")
    caller = call.caller
    inherited = caller.session
    # Chained sessions inherit the source identity, which cannot be changed.
    source_identity = inherited.source_identity or request.source_identity
    if request.source_identity not in (None, source_identity):
        raise invalid("The source identity is already set for this assume role session")
    session = Session(
        request.narrowing.policies,
        {**inherited.inherited_tags, **request.narrowing.tags},
        inherited.transitive | request.narrowing.transitive,
        source_identity,
        None,
        request.narrowing.token_size,
    )
    _check_inherited(inherited, request.narrowing.tags)
    passed = replace(session, tags=request.narrowing.tags)
    context = {**call.context, **_session_context(request, passed)}
    # AWS documents sts:TagSession for tags that are passed. Users report that it is needed for
    # tags that are only inherited too: aws/eks-pod-identity-agent#80, aws/aws-cdk-cli#762.
    role = _admitting(
        call,
        request,
        _actions("sts:AssumeRole", session, bool(session.tags)),
        lambda role, action: may_assume(call.accounts, caller, role, action, context),
        lambda action: refused(caller, action, request.role_arn),
    )
    _check_duration(request, role, chained=caller.role_arn is not None)
    return _issue(call, role, request, session)


def _admitting(
    call: Call,
    request: RoleRequest,
    actions: list[str],
    admits: Callable[[Role, str], bool],
    error_for: Callable[[str], AwsError],
) -> Role:
    """Return the role if all actions on it are allowed.

    The error for a role that does not exist is the same, so that callers cannot probe for roles.
    """
    role = call.accounts.role(request.role_arn)
    if role is None:
        raise error_for(actions[0])
    for action in actions:
        if not admits(role, action):
            raise error_for(action)
    return role


def _issue(call: Call, role: Role, request: RoleRequest, session: Session) -> dict[str, Any]:
    """Issue credentials. Return the elements in the answers of both actions."""
    expiration = call.now.replace(microsecond=0) + timedelta(seconds=request.duration_s)
    key = call.accounts.issue(role, request.session_name, expiration, session)
    size = request.narrowing.packed_size
    return {
        "AssumedRoleUser": {"AssumedRoleId": key.caller.user_id, "Arn": key.caller.arn},
        "Credentials": credentials(key),
        "PackedPolicySize": None if size is None else str(size),
        "SourceIdentity": session.source_identity,
    }


def _actions(main: str, session: Session, tagged: bool) -> list[str]:
    """Return all actions that the request needs permission for."""
    found = [main]
    if session.source_identity:
        found.append("sts:SetSourceIdentity")
    if tagged:
        found.append("sts:TagSession")
    return found


def _session_context(request: RoleRequest, session: Session) -> Context:
    """Return the condition keys of the requested session ("Available keys for AWS STS")."""
    context = {
        "sts:rolesessionname": (request.session_name,),
        "aws:resourceaccount": (request.account,),
        **of_tags(session.tags),
    }
    if session.transitive:
        context["sts:transitivetagkeys"] = tuple(session.transitive)
    if request.external_id:
        context["sts:externalid"] = (request.external_id,)
    if session.source_identity:
        context["sts:sourceidentity"] = (session.source_identity,)
    return context


def _check_inherited(session: Session, tags: Mapping[str, str]) -> None:
    """ "You cannot pass session tags with the same key as ... an inherited [transitive] tag"."""
    inherited = {name.lower() for name in session.inherited_tags}
    if any(name.lower() in inherited for name in tags):
        raise AwsError(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session.",
        )


def _tags_of(identity: WebIdentity) -> tuple[dict[str, str], frozenset[str]]:
    """Return the session tags of a token ("Passing session tags using AssumeRoleWithWebIdentity").

    `principal_tags` has a list of one value for each key, `transitive_tag_keys` a list.
    """
    claim = identity.claims.get(_TAGS_CLAIM)
    claim = claim if isinstance(claim, dict) else {}
    tags = claim.get("principal_tags")
    found = {
        name: values[0]
        for name, value in (tags.items() if isinstance(tags, dict) else ())
        if len(values := strings(value)) == 1
    }
    keys = {name.lower() for name in found}
    transitive = strings(claim.get("transitive_tag_keys"))
    return found, frozenset(key for key in transitive if key.lower() in keys)


def _provider_name(identity: WebIdentity) -> str:
    """Return the `Provider` of the answer: "the fully qualified host component", or the ARN."""
    return max(identity.provider.names, key=len)


def _text_claim(identity: WebIdentity, name: str) -> str | None:
    value = identity.claims.get(name)
    return value if isinstance(value, str) and value else None


def _check_duration(request: RoleRequest, role: Role, *, chained: bool) -> None:
    if chained and request.duration_s > _CHAINED_LIMIT_S:
        raise invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
            "by role chaining."
        )
    if request.duration_s > role.max_session_duration:
        raise invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
