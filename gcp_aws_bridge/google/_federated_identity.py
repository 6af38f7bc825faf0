"""Credential caches for Google's tokens: their exchanges, and their keys."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.identity import name_of
from gcp_aws_bridge._cache.sharing import identity_of, registry
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google import _arguments, _exchange
from gcp_aws_bridge.google._aws_identity import forget_sessions
from gcp_aws_bridge.google._environment import AwsEnvironment, changed, digest
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._federation import CLOUD_PLATFORM, Federation
from gcp_aws_bridge.google._subject_tokens import OfAws, SubjectToken, SubjectTokenSource
from gcp_aws_bridge.google._transport import Transport

Impersonating = Callable[[str, Transport], GoogleToken]


class Identity:
    """A federated identity, and how Google is reached. Its settings do not change.

    Without a session, this is the AWS identity in the environment when the object is created or
    unpickled. If the environment later names another identity, exchanges raise an error.

    Args:
        federation: The provider and the service account.
        source: Source of subject tokens.
        request: The user's google-auth transport. None: a new transport for each exchange.
    """

    def __init__(
        self, federation: Federation, source: SubjectTokenSource, request: Any = None
    ) -> None:
        _arguments.require_callable("request", request, "a google.auth.transport.Request")
        self.federation = federation
        self.source = source
        self.request = request
        decides = isinstance(source, OfAws) and source.session is None
        self._current = AwsEnvironment.now() if decides else None  # the last one checked
        self._made_for = self._current and self._current.name

    def __reduce__(self) -> tuple[Any, ...]:
        return Identity, (self.federation, self.source, self.request)

    def __repr__(self) -> str:
        """Return all settings that determine the identity, without secrets."""
        names = f"{self.federation!r}, source={name_of(self.source)}"
        if self.request is not None:
            names += f", request={name_of(self.request)}"
        return names + ("" if self._made_for is None else f", aws={digest(self._made_for)}")

    @property
    def has_session(self) -> bool:
        """True if the user passed a session, which cannot be pickled."""
        return isinstance(self.source, OfAws) and self.source.session is not None

    def _checked(self) -> AwsEnvironment | None:
        """Read and check the environment; return None if the identity does not depend on it.

        Raises:
            TokenError: The environment names another AWS identity than before.
        """
        before = self._current
        if before is None:
            return None
        now = AwsEnvironment.now()
        if not before.is_same(now):
            if not (before.keys and now.keys):
                raise changed()
            from gcp_aws_bridge.google._principal import require_same

            require_same(before, now)
            self._current = now
        return now

    def _subject_token(self, audience: str) -> SubjectToken:
        """Return a subject token, after a check that the identity has not changed."""
        environment = self._checked()
        if environment is None:
            return self.source(audience)
        source: Any = self.source
        token: SubjectToken = source._token_of(audience, source._identity(environment))
        # Programs that botocore starts read the environment again. Keys come from one reading.
        if environment.keys is None and not environment.is_same(AwsEnvironment.now()):
            forget_sessions()
            raise changed("it was changed during the exchange")
        if environment.is_readable:
            self._current = environment
        return token

    def access(self, scopes: tuple[str, ...]) -> CredentialCache[GoogleToken]:
        """Return the cache for access tokens of the service account or the federated identity."""
        if self.federation.service_account is None:
            return self._federated(scopes)

        def make(world: World) -> Impersonating:
            return lambda bearer, transport: _exchange.access_token(
                bearer, self.federation, scopes, transport, world.clock
            )

        return self._impersonated(("access", scopes), make)

    def id_token(self, target_audience: str) -> CredentialCache[GoogleToken]:
        """Return the cache for ID tokens of the service account."""

        def make(world: World) -> Impersonating:
            return lambda bearer, transport: _exchange.id_token(
                bearer, self.federation, target_audience, transport, world.clock
            )

        return self._impersonated(("id", target_audience), make)

    def sign(self, payload: bytes) -> bytes:
        """Return the signature of *payload* by the service account's key, from Google.

        Raises:
            BridgeError: Google denied the request, or this machine has no identity.
        """
        import base64

        def ask(bearer: str, transport: Transport) -> Any:
            body = {"payload": base64.b64encode(payload).decode()}
            return _exchange.impersonate(
                "signBlob",
                bearer,
                self.federation,
                body,
                transport,
                lambda answer: base64.b64decode(answer["signedBlob"], validate=True),
            )

        return bytes(self._as_federated(ask))

    def _federated(self, scopes: tuple[str, ...]) -> CredentialCache[GoogleToken]:
        """Return the cache for tokens of the federated identity, which service accounts share."""
        federation = replace(self.federation, service_account=None, lifetime_s=3600, iam_url="")

        def of_world(world: World) -> Callable[[], GoogleToken]:
            @without_inner_frames  # the source and the transport may be user code
            def fetch() -> GoogleToken:
                with Transport(self.request) as transport:
                    return _exchange.federated(
                        self._subject_token, federation, scopes, transport, world.clock
                    )

            return fetch

        return self._cache(federation, ("federated", scopes), of_world)

    def _impersonated(
        self, what: Hashable, of_world: Callable[[World], Impersonating]
    ) -> CredentialCache[GoogleToken]:
        def fetching(world: World) -> Callable[[], GoogleToken]:
            ask = of_world(world)

            def fetch() -> GoogleToken:
                self._checked()
                token: GoogleToken = self._as_federated(ask)
                return token

            return fetch

        return self._cache(self.federation, what, fetching)

    def _cache(
        self,
        federation: Federation,
        what: Hashable,
        of_world: Callable[[World], Callable[[], GoogleToken]],
    ) -> CredentialCache[GoogleToken]:
        who = (federation, identity_of(self.source), identity_of(self.request), self._made_for)

        def make(world: World) -> CredentialCache[GoogleToken]:
            return CredentialCache(of_world(world), label=federation.label, world=world)

        return registry.cache_for((who, what), make)

    @without_inner_frames
    def _as_federated(self, ask: Callable[[str, Transport], Any]) -> Any:
        """Call *ask* with a token of the federated identity."""
        cache = self._federated((CLOUD_PLATFORM,))
        bearer = cache.get()
        with Transport(self.request) as transport:
            try:
                return ask(bearer.token, transport)
            except ExchangeError:
                if transport.status == 401:
                    cache.reject(bearer.public_id)
                raise
