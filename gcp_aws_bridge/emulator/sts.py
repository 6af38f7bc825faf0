"""The emulated AWS STS: roles assumed, callers told who they are, tokens that say so to others.

The Query protocol (AWS STS API reference, "Making query requests"): POST with a form, or GET with a
query. Every region is served on one port; trust policies alone decide, as in `accounts`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from . import parameters, sigv4, tokens
from .accounts import Accounts, Key, Role
from .answers import AwsError, Tree, answer, refusal
from .clock import Clock, iso
from .conditions import Context
from .faults import Fault
from .issuer import GOOGLE, Issuer
from .outbound import web_identity_token
from .parameters import RoleRequest
from .requestlog import Recorded
from .server import Reply
from .service import Service
from .sigv4 import SignedRequest
from .tokens import Provider, WebIdentity
from .trust import Principal

__all__ = ["STS"]

_VERSION = "2011-06-15"

# "Roles chained ... a maximum of one hour" (IAM user guide, "Roles terms and concepts").
_CHAINED_LIMIT_S = 3600

# Signatures are good for five minutes (IAM user guide, "Elements of an API request signature").
_MAX_SKEW_S = 300.0

# Claims that ask for more than a session (IAM user guide, "Pass session tags in AWS STS" and
# "Monitor and control actions taken with assumed roles"), and the action that each needs.
_TAGS_CLAIM = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"


class STS(Service):
    """AWS STS on one port.

    Attributes:
        max_skew_s: How far a signed request's date may be from the clouds' clock, in seconds.
            AWS has five minutes; clients that sign by the real clock while a test moves the
            clouds' need more.
    """

    def __init__(self, accounts: Accounts, google: Issuer, clock: Clock, port: int = 0) -> None:
        super().__init__(clock, port)
        self.max_skew_s: float = _MAX_SKEW_S
        self._accounts = accounts
        self._google = Provider(google, frozenset({"accounts.google.com"}), None)
        self._actions: dict[str, Callable[[Recorded, datetime], Reply]] = {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithWebIdentity": self._assume_role_with_web_identity,
            "GetCallerIdentity": self._get_caller_identity,
            "GetWebIdentityToken": self._get_web_identity_token,
        }

    def reset(self) -> None:
        """Forget requests, faults, latency and tolerance. What accounts hold is not ours."""
        super().reset()
        self.max_skew_s = _MAX_SKEW_S

    def has(self, fault: Fault) -> bool:
        return fault.remaining_s is None

    def own_headers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000"),
            ("Content-Type", "text/xml"),
        )

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if fault is not None and fault.error is not None:
            return refusal(AwsError(*fault.error))
        try:
            return self._dispatch(request)
        except AwsError as error:
            return refusal(error)

    def _dispatch(self, request: Recorded) -> Reply:
        if request.path not in ("", "/"):
            raise AwsError("UnknownOperationException", "", 404)
        if request.method not in ("GET", "POST"):
            raise AwsError("InvalidAction", f"Method {request.method} is not supported", 405)
        action = request.action
        if not action:
            raise AwsError("MissingAction", "Missing Action")
        version = request.params.get("Version", "NO_VERSION_SPECIFIED")
        if version != _VERSION or action not in self._actions:
            raise AwsError(
                "InvalidAction", f"Could not find operation {action} for version {version}"
            )
        return self._actions[action](request, self._clock())

    # Actions.

    def _assume_role_with_web_identity(self, request: Recorded, now: datetime) -> Reply:
        asked = parameters.read_web_identity(request.params)

        def find_provider(issuer_url: str) -> Provider | None:
            # Google signs as "https://accounts.google.com" or, of old, without the scheme.
            url = GOOGLE if issuer_url == GOOGLE.partition("://")[2] else issuer_url
            built_in = self._google if url == GOOGLE else None
            return self._accounts.provider(asked.account, url) or built_in

        identity = tokens.verify(request.params["WebIdentityToken"], find_provider, now)
        provider = _provider_name(identity)
        source_identity = _text_claim(identity, _SOURCE_IDENTITY_CLAIM)
        role = self._admit(
            asked,
            _actions(
                "sts:AssumeRoleWithWebIdentity", source_identity, _TAGS_CLAIM in identity.claims
            ),
            Principal("Federated", identity.provider.names),
            {
                **identity.context,
                "aws:federatedprovider": (provider,),
                **_session_context(asked, source_identity),
            },
            "Not authorized to perform {action}",
        )
        _check_duration(asked, role, chained=False)
        result = {
            "SubjectFromWebIdentityToken": identity.subject,
            "Audience": identity.audience,
            **self._issue(role, asked, now, source_identity),
            "Provider": provider,
        }
        return answer("AssumeRoleWithWebIdentity", result)

    def _assume_role(self, request: Recorded, now: datetime) -> Reply:
        caller = self._key(request, now).caller
        asked = parameters.read_assume_role(request.params)
        refusal_words = (
            f"User: {caller.arn} is not authorized to perform: {{action}} "
            f"on resource: {asked.role_arn}"
        )
        # A source identity, once set, goes with the chain and cannot be changed.
        source_identity = caller.source_identity or asked.source_identity
        if asked.source_identity not in (None, source_identity):
            raise _denied(refusal_words, "sts:SetSourceIdentity")
        role = self._admit(
            asked,
            _actions("sts:AssumeRole", source_identity, asked.tagged),
            caller.principal,
            {
                "aws:principalarn": (caller.role_arn or caller.arn,),
                "aws:principalaccount": (caller.account,),
                "aws:userid": (caller.user_id,),
                **_session_context(asked, source_identity),
            },
            refusal_words,
        )
        _check_duration(asked, role, chained=caller.role_arn is not None)
        return answer("AssumeRole", self._issue(role, asked, now, source_identity))

    def _get_caller_identity(self, request: Recorded, now: datetime) -> Reply:
        caller = self._key(request, now).caller
        return answer(
            "GetCallerIdentity",
            {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account},
        )

    def _get_web_identity_token(self, request: Recorded, now: datetime) -> Reply:
        key = self._key(request, now)
        issuer = self._accounts.outbound(key.caller.account)
        region = sigv4.region_of(request.headers)
        token, ends = web_identity_token(request.params, key, issuer, region, now)
        return answer("GetWebIdentityToken", {"WebIdentityToken": token, "Expiration": iso(ends)})

    # Their parts.

    def signer(self, signed: SignedRequest, now: datetime, region: str | None = None) -> Key:
        """Return the key that signed a request to STS; see `sigv4.verify`.

        Raises:
            AwsError: STS would not take it.
        """
        return sigv4.verify(
            signed,
            service="sts",
            find_key=self._accounts.key,
            now=now,
            max_skew_s=self.max_skew_s,
            region=region,
        )

    def _key(self, request: Recorded, now: datetime) -> Key:
        return self.signer(
            SignedRequest(
                request.method, request.path, request.query, request.headers, request.body
            ),
            now,
        )

    def _admit(
        self,
        asked: RoleRequest,
        actions: list[str],
        principal: Principal,
        context: Context,
        refusal_words: str,
    ) -> Role:
        """Return the role if its trust policy allows every action.

        A role that does not exist is refused in the same words, so as not to tell.
        """
        role = self._accounts.role(asked.role_arn)
        if role is None:
            raise _denied(refusal_words, actions[0])
        for action in actions:
            if not role.trust_policy.allows(action, principal, context):
                raise _denied(refusal_words, action)
        return role

    def _issue(
        self, role: Role, asked: RoleRequest, now: datetime, source_identity: str | None
    ) -> dict[str, str | Tree | None]:
        """Issue credentials; return the elements that both actions answer with."""
        expiration = now.replace(microsecond=0) + timedelta(seconds=asked.duration_s)
        key = self._accounts.issue(role, asked.session_name, expiration, source_identity)
        return {
            "AssumedRoleUser": {"AssumedRoleId": key.caller.user_id, "Arn": key.caller.arn},
            "Credentials": {
                "AccessKeyId": key.access_key_id,
                "SecretAccessKey": key.secret_access_key,
                "SessionToken": key.session_token,
                "Expiration": iso(expiration),
            },
            "PackedPolicySize": None if asked.packed_size is None else str(asked.packed_size),
            "SourceIdentity": source_identity,
        }


def _denied(words: str, action: str) -> AwsError:
    return AwsError("AccessDenied", words.replace("{action}", action), 403)


def _actions(main: str, source_identity: str | None, tagged: bool) -> list[str]:
    """Return every action that the trust policy must allow for such a request."""
    found = [main]
    if source_identity:
        found.append("sts:SetSourceIdentity")
    if tagged:
        found.append("sts:TagSession")
    return found


def _session_context(asked: RoleRequest, source_identity: str | None) -> Context:
    """Return the `sts:` condition keys of a request (IAM user guide, "Available keys for STS")."""
    context = {"sts:rolesessionname": (asked.session_name,)}
    if asked.external_id:
        context["sts:externalid"] = (asked.external_id,)
    if source_identity:
        context["sts:sourceidentity"] = (source_identity,)
    return context


def _provider_name(identity: WebIdentity) -> str:
    """Return `Provider` of the answer: "the fully qualified host component", or the ARN."""
    return max(identity.provider.names, key=len)


def _text_claim(identity: WebIdentity, name: str) -> str | None:
    value = identity.claims.get(name)
    return value if isinstance(value, str) and value else None


def _check_duration(asked: RoleRequest, role: Role, *, chained: bool) -> None:
    if chained and asked.duration_s > _CHAINED_LIMIT_S:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
            "by role chaining.",
        )
    if asked.duration_s > role.max_session_duration:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
