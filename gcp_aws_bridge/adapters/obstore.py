"""obstore's `S3Store`, and what is made of one: zarr and xarray, `obstore.fsspec`, virtualizarr.

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
    import obstore  # noqa: F401 - so that it is missed here

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from obstore.store import S3Credential

__all__ = ["AsyncCredentialProvider", "CredentialProvider"]


class _Provider(Adapter):
    # obstore asks again where no more than this is left, and not within 100 ms (TokenCache of its
    # pyo3-object_store/src/credentials.rs, 0.11). STS gives no longer session (AssumeRole,
    # DurationSeconds), so that it always asks: when to renew is the cache's to say.
    refresh_threshold: timedelta = timedelta(hours=12)


class CredentialProvider(_Provider):
    """Give obstore credentials, whichever of its functions asks; pickles as settings.

    Where nothing is valid yet, it waits in the thread that asks. For a sync function that is the
    caller's own. For an async one it is never the event loop's, but one of obstore's workers, of
    which there are as many as processors: see `AsyncCredentialProvider`.

    Args:
        role_arn: As for `gcp_aws_bridge.session`, and so are *token_source* and the settings.
        at_least: For how many seconds a URL of `obstore.sign` needs them.

    Raises:
        ConfigError: No role is configured, or a setting is malformed. Where none are to be had
            later, obstore raises its `UnauthenticatedError` with the words of the `BridgeError`.
    """

    def __call__(self) -> S3Credential:
        return _as_obstore_has_it(self._cache.get(self._at_least_s))


class AsyncCredentialProvider(_Provider):
    """The same for a program that uses obstore's async functions only: while it waits, no thread
    does, and other stores go on.

    A sync function fails where it has to wait, and in a running event loop it never returns.
    """

    def __call__(self) -> S3Credential | Coroutine[Any, Any, S3Credential]:
        # Not always a coroutine: obstore asks for some requests (parts of an upload) where it
        # knows of no event loop, but not for the first one.
        valid = self._cache.peek(self._at_least_s)
        return self._wait() if valid is None else _as_obstore_has_it(valid)

    async def _wait(self) -> S3Credential:
        return _as_obstore_has_it(await self._cache.get_async(self._at_least_s))


def _as_obstore_has_it(credentials: AwsCredentials) -> S3Credential:
    return {
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "token": credentials.session_token,
        # Of all that are UTC, it takes only this one (chrono's conversion in PyO3).
        "expires_at": credentials.expiration.astimezone(timezone.utc),
    }
