"""What proves to Google who runs here: one subject token, of a request that an AWS identity signed.

The other two, which are OIDC tokens, are loaded where they are wanted: `_oidc_token`, `_outbound`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import quote, unquote

from google.auth import aws
from google.auth.exceptions import GoogleAuthError

from gcp_aws_bridge._cache.identity import name_of
from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.google._aws_identity import AwsIdentity, refused
from gcp_aws_bridge.google._environment import AwsEnvironment

# Token type identifiers: RFC 8693, section 3, and Google Cloud, "Method: token": subjectTokenType.
SIGNED_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"
JWT = "urn:ietf:params:oauth:token-type:jwt"
# AIP-4117, "Determining the subject token in AWS". As there, whom the request is for is signed with
# the rest: google-auth's own credentials add that header to a request which is signed already, so
# that whoever was shown it could name another provider.
_CALLER = "https://sts.{}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
# Every region of AWS so far has this form ("us-gov-west-1"; AWS General Reference, "Service
# endpoints"). A zone ("us-east-1a") or a misspelt region has no STS that Google could ask.
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}")
_FOR = "x-goog-cloud-target-resource"


class SubjectToken(SecretValue):
    """What is traded at Google's token endpoint, and of which type (RFC 8693) it is."""

    __slots__ = ("type", "value")

    value: str
    type: str

    def __init__(self, value: str, type: str) -> None:
        self._set(value=value, type=type)

    def __repr__(self) -> str:
        return f"<SubjectToken {self.type}>"


SubjectTokenSource = Callable[[str], SubjectToken]


@dataclass(frozen=True, repr=False)
class OfAws:
    """What an AWS identity proves itself by; each kind is equal to its own kind alone.

    Args:
        session: boto3's or botocore's, whose credentials sign. None: what the environment says.
    """

    session: Any = None
    _locks: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.session is not None:
            from gcp_aws_bridge._sts.session_settings import UnlockedAfterFork, botocore_session_of

            botocore_session_of(self.session)
            object.__setattr__(self, "_locks", UnlockedAfterFork(self.session))

    def __call__(self, audience: str) -> SubjectToken:
        """Return a subject token for the provider *audience*."""
        return self._token_of(audience, self._identity())

    def _identity(self, environment: AwsEnvironment | None = None) -> AwsIdentity:
        """Return whose keys sign: the session's, or those that *environment* names (None: now)."""
        if self.session is not None:
            self._locks.ensure()
        return AwsIdentity(self.session, environment)

    def _token_of(self, audience: str, identity: AwsIdentity) -> SubjectToken:
        """Return a subject token of *identity* for the provider *audience*."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the settings: fsspec identifies file systems by how their arguments print."""
        shown = [one.name for one in fields(self)[1:] if one.repr]
        others = "".join(f", {name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}(session={name_of(self.session)}{others})"


class SignedRequest(OfAws):
    """A signed `GetCallerIdentity` request, for an AWS provider: Google sends it to AWS.

    Nothing is sent to AWS from here. Good for five minutes (AWS Signature Version 4), and for the
    provider that it names.

    Args:
        session: boto3's or botocore's, whose credentials sign. None: what the environment says.

    Raises:
        ConfigError: The configured region is no name of a region.
        TokenUnavailable: There is no AWS identity here.
        TokenError: botocore could not get its keys.
    """

    @without_inner_frames
    def _token_of(self, audience: str, identity: AwsIdentity) -> SubjectToken:
        region = region_for(identity)
        keys = identity.keys()
        try:
            signed = aws.RequestSigner(region).get_request_options(
                keys, _CALLER.format(region), "POST", additional_headers={_FOR: audience}
            )
        except (GoogleAuthError, ValueError) as error:
            raise refused(error) from None
        headers = [{"key": name, "value": value} for name, value in signed["headers"].items()]
        return SubjectToken(quote(json.dumps({**signed, "headers": headers})), SIGNED_REQUEST)


def region_for(identity: AwsIdentity) -> str:
    """Return the region whose STS is asked about *identity*.

    Raises:
        ConfigError: What is configured is no name of a region.
    """
    region = identity.region()
    if _REGION.fullmatch(region) is None:
        raise ConfigError(
            f"{quoted(region)} is not the name of an AWS region, so there is no AWS STS to ask.",
            fix="set AWS_REGION and AWS_DEFAULT_REGION, or region in the profile: us-east-1, say.",
            error_id="config/google-aws-region",
        )
    return region


def region_of(token: SubjectToken) -> str:
    """Return the AWS region that a signed request is for; empty for any other token."""
    if token.type != SIGNED_REQUEST:
        return ""
    host = json.loads(unquote(token.value))["url"].partition("//sts.")[2]
    return str(host.partition(".")[0])
