"""Subject tokens, which prove the identity to Google's STS: a request signed with AWS keys.

`_oidc_token` and `_outbound` have the other two kinds, which are OIDC tokens.
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
from gcp_aws_bridge.google._federation import SIGNED_REQUEST

# AIP-4117, "Determining the subject token in AWS". The signature covers the header with the
# provider. google-auth's credentials add the header after signing, so that a recipient could
# replace the provider.
_CALLER = "https://sts.{}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
# All regions of AWS have this format ("us-gov-west-1"; AWS General Reference, "Service endpoints").
# A zone ("us-east-1a") or a misspelt region has no STS that Google could call.
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}")
# Regions of other partitions, whose STS has another domain (botocore's partitions.json).
_OTHER_DOMAIN = re.compile(r"(cn|eusc|us-iso[a-z]?|eu-iso[a-z]?)-.*")
_FOR = "x-goog-cloud-target-resource"


class SubjectToken(SecretValue):
    """A subject token and its type (RFC 8693)."""

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
    """Base class of sources that use an AWS identity.

    Args:
        session: A boto3 or botocore session whose credentials sign. None: the identity in the
            environment.
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
        """Return the AWS identity of the session or of *environment* (None: the current one)."""
        if self.session is not None:
            self._locks.ensure()
        return AwsIdentity(self.session, environment)

    def _token_of(self, audience: str, identity: AwsIdentity) -> SubjectToken:
        """Return a subject token of *identity* for the provider *audience*."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the settings: fsspec identifies file systems by the `repr` of their arguments."""
        shown = [each.name for each in fields(self)[1:] if each.repr]
        others = "".join(f", {name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}(session={name_of(self.session)}{others})"


class SignedRequest(OfAws):
    """A signed `GetCallerIdentity` request for an AWS provider, which Google sends to AWS.

    This library does not send it. The signature is valid for five minutes (AWS Signature Version
    4), and only for the provider in it.

    Args:
        session: A boto3 or botocore session whose credentials sign. None: the identity in the
            environment.

    Raises:
        ConfigError: The configured region is not the name of a region.
        TokenUnavailable: This machine has no AWS identity.
        TokenError: botocore could not get the keys of the identity.
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
    """Return the region of the STS that verifies *identity*.

    Raises:
        ConfigError: The configured region is not the name of a region, or Google cannot call its
            STS.
    """
    region = identity.region()
    if _OTHER_DOMAIN.fullmatch(region):
        raise ConfigError(
            f"Google calls AWS STS at sts.REGION.amazonaws.com; {quoted(region)} is a region of "
            "another partition, whose STS has another address.",
            fix="use keys and a region of the partition aws; in other partitions, an OIDC provider "
            'with source="token-file".',
            error_id="config/google-aws-region",
        )
    if _REGION.fullmatch(region) is None:
        raise ConfigError(
            f"{quoted(region)} is not the name of an AWS region, so there is no AWS STS to ask.",
            fix="set AWS_REGION and AWS_DEFAULT_REGION, or region in the profile, to us-east-1 or "
            "another region.",
            error_id="config/google-aws-region",
        )
    return region


def region_of(token: SubjectToken) -> str:
    """Return the AWS region of a signed request; "" for other subject tokens."""
    if token.type != SIGNED_REQUEST:
        return ""
    host = json.loads(unquote(token.value))["url"].partition("//sts.")[2]
    return str(host.partition(".")[0])
