"""Credentials for obstore's `S3Store`, and for its users: zarr, xarray, fsspec, virtualizarr.

from gcp_aws_bridge.adapters import obstore
from obstore.store import S3Store

provider = obstore.CredentialProvider("arn:aws:iam::123456789012:role/etl")
store = S3Store("bucket", region="eu-west-1", credential_provider=provider)
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from gcp_aws_bridge._botocore.request import Adapter
from gcp_aws_bridge._extra import extra
from gcp_aws_bridge._sts.credentials import AwsCredentials

with extra("obstore", "obstore", "0.8.2"):
    import obstore  # noqa: F401 - reports a missing installation here

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from obstore.store import S3Credential

__all__ = ["AsyncCredentialProvider", "CredentialProvider"]


class _Provider(Adapter):
    # obstore calls the provider again if less than this remains, but not within 100 ms (TokenCache
    # in pyo3-object_store/src/credentials.rs, 0.11). No session of STS is longer (AssumeRole,
    # DurationSeconds), so it always calls the provider, whose cache decides about refreshes.
    refresh_threshold: timedelta = timedelta(hours=12)


class CredentialProvider(_Provider):
    """Credential provider for all functions of obstore; pickles as settings.

    If there are no valid credentials, it blocks the calling thread. For a sync function, this is
    the caller's thread. For an async function, it is one of obstore's worker threads, of which
    there are as many as processors, but never that of the event loop: see
    `AsyncCredentialProvider`.

    Args:
        role_arn: As for `gcp_aws_bridge.session`; so are `token_source` and the other settings.
        at_least: Number of seconds for which a URL of `obstore.sign` needs the credentials.

    Raises:
        ConfigError: No role is configured, or a setting is malformed. If no credentials are
            available later, obstore raises `UnauthenticatedError` with the message of the
            `BridgeError`.
    """

    def __call__(self) -> S3Credential:
        return _as_mapping(self._cache.get(self._at_least_s))


class AsyncCredentialProvider(_Provider):
    """Credential provider for programs that use only obstore's async functions.

    Waiting for credentials blocks no thread. A sync function fails if it has to wait, and never
    returns in a running event loop.
    """

    def __call__(self) -> S3Credential | Coroutine[Any, Any, S3Credential]:
        # Not always a coroutine: for some requests (parts of an upload), but not for the first one,
        # obstore calls this without an event loop.
        valid = self._cache.peek(self._at_least_s)
        return self._wait() if valid is None else _as_mapping(valid)

    async def _wait(self) -> S3Credential:
        return _as_mapping(await self._cache.get_async(self._at_least_s))


def _as_mapping(credentials: AwsCredentials) -> S3Credential:
    return {
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "token": credentials.session_token,
        # obstore accepts no other representation of UTC (chrono's conversion in PyO3).
        "expires_at": credentials.expiration.astimezone(timezone.utc),
    }
