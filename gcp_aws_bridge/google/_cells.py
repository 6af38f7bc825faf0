"""The cells of Google's tokens: which exchange each makes, and what makes two requests equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import identity_of, registry
from gcp_aws_bridge.exceptions import ExchangeError, TokenError
from gcp_aws_bridge.google import _exchange
from gcp_aws_bridge.google._aws_identity import Environment
from gcp_aws_bridge.google._exchange import CLOUD_PLATFORM, GoogleToken
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._subject_tokens import OfAws, SubjectTokenSource
from gcp_aws_bridge.google._transport import Transport

Impersonating = Callable[[str, Transport], GoogleToken]


class Identity:
    """Who is to be proved to whom, and how Google is reached. Immutable.

    Without a session it is of whom the environment named when it was made; where that names another
    later, nothing is exchanged for it any more. In another process it is of whom is named there.

    Args:
        request: The user's own google-auth transport. None: one of ours for each exchange.
    """

    def __init__(
        self, federation: Federation, source: SubjectTokenSource, request: Any = None
    ) -> None:
        self.federation = federation
        self.source = source
        self.request = request
        self._whose = self._named()

    def __reduce__(self) -> tuple[Any, ...]:
        return Identity, (self.federation, self.source, self.request)

    @property
    def has_session(self) -> bool:
        """Whether it is of a session that the user gave, which no other process has."""
        return isinstance(self.source, OfAws) and self.source.session is not None

    def _named(self) -> Environment | None:
        """Whom the environment names now, where that decides."""
        decides = isinstance(self.source, OfAws) and self.source.session is None
        return Environment.now() if decides else None

    def access(self, scopes: tuple[str, ...]) -> CredentialCache[GoogleToken]:
        """Access tokens: of the service account, or where there is none of this identity itself."""
        if self.federation.service_account is None:
            return self._federated(scopes)

        def make(world: World) -> Impersonating:
            return lambda bearer, transport: _exchange.access_token(
                bearer, self.federation, scopes, transport, world.clock
            )

        return self._impersonated(("access", scopes), make)

    def id_token(self, target_audience: str) -> CredentialCache[GoogleToken]:
        """ID tokens of the service account."""

        def make(world: World) -> Impersonating:
            return lambda bearer, transport: _exchange.id_token(
                bearer, self.federation, target_audience, transport, world.clock
            )

        return self._impersonated(("id", target_audience), make)

    def sign(self, payload: bytes) -> bytes:
        """What the service account's key, which Google holds, makes of *payload*. Asks each time.

        Raises:
            BridgeError: Google refused, or there is no identity here.
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
        """Those of this identity itself, shared by whomever it acts as."""
        federation = replace(self.federation, service_account=None, lifetime_s=3600, iam_url="")

        def of_world(world: World) -> Callable[[], GoogleToken]:
            def fetch() -> GoogleToken:
                with Transport(self.request) as transport:
                    return _exchange.federated(
                        self.source, federation, scopes, transport, world.clock
                    )

            return fetch

        return self._cell(federation, ("federated", scopes), of_world)

    def _impersonated(
        self, what: Hashable, of_world: Callable[[World], Impersonating]
    ) -> CredentialCache[GoogleToken]:
        def fetching(world: World) -> Callable[[], GoogleToken]:
            ask = of_world(world)
            return lambda: self._as_federated(ask)

        return self._cell(self.federation, what, fetching)

    def _cell(
        self,
        federation: Federation,
        what: Hashable,
        of_world: Callable[[World], Callable[[], GoogleToken]],
    ) -> CredentialCache[GoogleToken]:
        whose, now = self._whose, self._named()
        if whose and now and whose.is_still(now):
            whose = now  # by whose keys it would be exchanged
        who = (federation, identity_of(self.source), identity_of(self.request), whose)
        key = (who, what)

        def make(world: World) -> CredentialCache[GoogleToken]:
            fetch = of_world(world)

            def of_the_same() -> GoogleToken:
                now = self._named()
                if whose and now and not whose.is_still(now):
                    raise _another()
                if whose != now:
                    registry.drop(key)  # by other keys: not for who names the former ones again
                return fetch()

            return CredentialCache(of_the_same, label=federation.label, world=world)

        return registry.cache_for(key, make)

    def _as_federated(self, ask: Callable[[str, Transport], Any]) -> Any:
        """What *ask* gets with the token of the federated identity."""
        cell = self._federated((CLOUD_PLATFORM,))
        bearer = cell.get()
        with Transport(self.request) as transport:
            try:
                return ask(bearer.token, transport)
            except ExchangeError:
                if transport.status == 401:
                    cell.reject(bearer.public_id)
                raise


def _another() -> TokenError:
    return TokenError(
        "The environment names another AWS identity than when these credentials were made.",
        fix="make them anew; or give session= to those that are to stay what they are while "
        "AWS_PROFILE and the like change.",
        error_id="token/aws-changed",
    )
