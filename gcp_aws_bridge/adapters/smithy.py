"""The AWS SDK for Python's new clients: aws-sdk-bedrock-runtime, aws-sdk-dynamodb and their kind.

from aws_sdk_bedrock_runtime.client import AsyncBedrockRuntimeClient
from aws_sdk_bedrock_runtime.config import AsyncBedrockRuntimeConfig
from gcp_aws_bridge.adapters import smithy

resolver = smithy.CredentialsResolver("arn:aws:iam::123456789012:role/etl")
config = await AsyncBedrockRuntimeConfig.resolve(aws_credentials_identity_resolver=resolver)
client = AsyncBedrockRuntimeClient(config)
"""

from __future__ import annotations

import sys

from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._extra import extra
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge.exceptions import BridgeError, MissingExtra

if sys.version_info < (3, 12):
    raise MissingExtra(
        f"The AWS SDK's new clients need Python 3.12; this is {sys.version.split()[0]}.",
        fix="run Python 3.12 or later, or use bridge.session() and boto3.",
        error_id="config/extra",
    )
with extra("smithy", "smithy_aws_core", "0.11.0"):
    from smithy_aws_core.identity import AWSCredentialsIdentity, AWSIdentityProperties
    from smithy_core.aio.interfaces.identity import IdentityResolver
    from smithy_core.exceptions import SmithyIdentityError

__all__ = ["CredentialsResolver"]


class _Identity(AWSCredentialsIdentity):
    """One whole set; its end is the real one, but who keeps it asks again when there is another."""

    def __init__(self, credentials: AwsCredentials, cache: CredentialCache[AwsCredentials]) -> None:
        super().__init__(
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
            expiration=credentials.expiration,
            account_id=credentials.account_id or None,
        )
        self._credentials, self._cache = credentials, cache
        self._is_signed_with = False

    @property
    def is_expired(self) -> bool:
        """Whether there is another to ask for.

        No, for the first who wants to know: the signer, who else fails the request that this was
        got for a moment ago (aws-sdk-signers 0.4.0, signers.py, `_validate_identity`). Later it is
        a cache (smithy-core 0.9.0, aio/identity.py, `CachingIdentityResolver`).
        """
        is_first, self._is_signed_with = not self._is_signed_with, True
        return not is_first and self._cache.peek() is not self._credentials

    def __repr__(self) -> str:
        return f"<AWSCredentialsIdentity of {self._credentials!r}>"


class CredentialsResolver(Adapter, IdentityResolver[AWSCredentialsIdentity, AWSIdentityProperties]):
    """What `aws_credentials_identity_resolver` takes; clients ask it for each attempt."""

    _given = ""

    async def get_identity(self, *, properties: AWSIdentityProperties) -> AWSCredentialsIdentity:
        """Valid credentials; blocks no event loop, and looks at none of the *properties*.

        Raises:
            SmithyIdentityError: None are to be had, which a chain takes for "ask the next one";
                the `BridgeError` is its `__cause__`.
        """
        try:
            credentials = await self._cache.get_async(self._at_least_s)
        except BridgeError as error:
            raise SmithyIdentityError(str(error)) from error
        self._given = credentials.access_key_id
        return _Identity(credentials, self._cache)

    async def invalidate(self) -> None:
        """Tell that a service refused what was given last: who asks next gets other credentials.

        Unless none are to be had. No client calls it (smithy-core 0.9.0): after an error that says
        so (`ExpiredTokenException`…) it is for the user to call.
        """
        self._cache.reject(self._given)
