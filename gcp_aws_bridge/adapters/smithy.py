"""Credentials for the new clients of the AWS SDK for Python, such as aws-sdk-bedrock-runtime.

from aws_sdk_bedrock_runtime.client import AsyncBedrockRuntimeClient
from aws_sdk_bedrock_runtime.config import AsyncBedrockRuntimeConfig
from gcp_aws_bridge.adapters import smithy

resolver = smithy.CredentialsResolver("arn:aws:iam::123456789012:role/etl")
config = await AsyncBedrockRuntimeConfig.resolve(aws_credentials_identity_resolver=resolver)
client = AsyncBedrockRuntimeClient(config)
"""

from __future__ import annotations

import asyncio
import sys
import threading
from weakref import WeakKeyDictionary

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


# From the choice of the identity to the signature. A request that fails in between is forgotten.
_SIGNED_WITHIN_S = 5.0


def _task() -> object:
    """Return the current task, or the current thread if there is none."""
    try:
        return asyncio.current_task() or threading.current_thread()
    except RuntimeError:
        return threading.current_thread()


class _Identity(AWSCredentialsIdentity):
    """Credentials for one request, which caches treat as expired once there are new ones."""

    def __init__(self, credentials: AwsCredentials, cache: CredentialCache[AwsCredentials]) -> None:
        super().__init__(
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
            expiration=credentials.expiration,
            account_id=credentials.account_id or None,
        )
        self._credentials, self._cache = credentials, cache
        # For each task that has got the identity, when it did: it signs with it next.
        self._signing: WeakKeyDictionary[object, float] = WeakKeyDictionary()
        self._use()

    @property
    def is_expired(self) -> bool:
        """True once there are newer credentials.

        A request reads it twice in one task: a cache of identities decides whether to use this one
        (smithy-core 0.9.0, aio/identity.py, `CachingIdentityResolver`), then the signer, which
        would fail the request (aws-sdk-signers 0.4.0, signers.py, `_validate_identity`). A refresh
        may complete in between, so the signer gets the answer that the cache got.
        """
        used_s = self._signing.pop(_task(), None)
        if used_s is not None and self._cache.monotonic() - used_s < _SIGNED_WITHIN_S:
            return False
        if self._cache.peek() is not self._credentials:
            return True
        self._use()
        return False

    def _use(self) -> None:
        self._signing[_task()] = self._cache.monotonic()

    def __repr__(self) -> str:
        return f"<AWSCredentialsIdentity of {self._credentials!r}>"


class CredentialsResolver(Adapter, IdentityResolver[AWSCredentialsIdentity, AWSIdentityProperties]):
    """Resolver for `aws_credentials_identity_resolver`, which clients call for each attempt."""

    _last_key = ""

    async def get_identity(self, *, properties: AWSIdentityProperties) -> AWSCredentialsIdentity:
        """Return valid credentials without blocking the event loop; ignores *properties*.

        Raises:
            SmithyIdentityError: No credentials are available; a chain tries the next resolver. The
                `BridgeError` is its `__cause__`.
        """
        try:
            credentials = await self._cache.get_async(self._at_least_s)
        except BridgeError as error:
            raise SmithyIdentityError(str(error)) from error
        self._last_key = credentials.access_key_id
        return _Identity(credentials, self._cache)

    async def invalidate(self) -> None:
        """Report that a service rejected the last credentials, so that they are replaced.

        If no others are available, they stay in use. Clients do not call this (smithy-core 0.9.0):
        call it after an error such as `ExpiredTokenException`.
        """
        self._cache.reject(self._last_key)
