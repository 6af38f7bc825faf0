"""aiobotocore counterpart of `credentials` and `provider`: waiting awaits instead of blocking."""

from __future__ import annotations

from typing import Any

from botocore.credentials import ReadOnlyCredentials

from gcp_aws_bridge._botocore.credentials import CachedCredentials, Read, for_botocore, read_of
from gcp_aws_bridge._botocore.provider import Given, GoogleWebIdentityProvider
from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._botocore.retry_rejected import watch
from gcp_aws_bridge._extra import extra
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError, as_cause

with extra("aio", "aiobotocore", "2.24.2"):
    from aiobotocore.credentials import AioCredentialResolver, AioRefreshableCredentials
    from aiobotocore.session import AioSession


class AioBridgeCredentials(CachedCredentials, AioRefreshableCredentials):
    """aiobotocore credentials that are always valid and consistent: `BridgeCredentials` for tasks.

    Parts that a task awaits one by one belong to one set. `asyncio.gather` awaits each part in a
    separate task.
    """

    async def get_frozen_credentials(  # type: ignore[override]
        self, at_least: float = 0.0
    ) -> ReadOnlyCredentials:
        """Return one complete, immutable set of credentials without blocking the event loop.

        Args:
            at_least: Seconds for which the caller needs the credentials; see `BridgeCredentials`.

        Raises:
            CredentialRetrievalError: No credentials are valid, and the exchange failed. Its
                `__cause__` is the `BridgeError`.
        """
        try:
            return self._frozen(await self._cache.get_async(at_least or self._at_least_s))
        except BridgeError as error:
            raise for_botocore(error) from as_cause(error)

    async def get_access_key(self) -> Any:
        return await self._read(read_of("access_key"))

    async def get_secret_key(self) -> Any:
        return await self._read(read_of("secret_key"))

    async def get_token(self) -> Any:
        return await self._read(read_of("token"))

    async def _read(self, read: Read) -> Any:
        view = self._set_for(read)
        if view is None:
            await self.get_frozen_credentials()
            view = self._begin(read, self._cache.memory.kept)
        return getattr(view.frozen, read.part)

    async def get_account_id(self) -> Any:
        return self.account_id


class AioGoogleWebIdentityProvider(GoogleWebIdentityProvider):
    """The provider for aiobotocore's chain."""

    async def load(self) -> AioBridgeCredentials | None:  # type: ignore[override]
        with self.chained():
            if request := self.request():
                await request.cache().get_async()
                watch(self.session)
                return AioBridgeCredentials(request)
        return None


class _AioGiven(Given):
    """The only provider of an asynchronous session."""

    async def load(self) -> CachedCredentials:  # type: ignore[override]
        return super().load()


class BridgeAioSession(AioSession):
    """An `AioSession` for a role. Its pickle and its `repr` consist of its settings.

    fsspec shares a file system between arguments with the same `repr`.
    """

    def __init__(
        self,
        role_arn: str | Role | None = None,
        *,
        region_name: str | None = None,
        token_source: TokenSource | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        if region_name is not None:
            self.set_config_variable("region", region_name)
        self._region_name = region_name
        self._request = Request.of(role_arn, token_source, session=self, **settings)
        given = _AioGiven(AioBridgeCredentials(self._request))
        self.register_component("credential_provider", AioCredentialResolver([given]))
        watch(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._request.pickled(type(self), region_name=self._region_name)

    def __repr__(self) -> str:
        return f"<aiobotocore session of {self._request!r}, region {self._region_name}>"

    def __dask_tokenize__(self) -> str:
        """Return the `repr` for Dask, which would otherwise use the pickle."""
        return repr(self)
