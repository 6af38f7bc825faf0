"""The cells of Google's tokens: which exchange each makes, and what makes two requests equal."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from gcp_aws_bridge._cell import Cell
from gcp_aws_bridge._registry import identity_of, registry
from gcp_aws_bridge._world import World
from gcp_aws_bridge.exceptions import ExchangeError
from gcp_aws_bridge.google import _exchange
from gcp_aws_bridge.google._aws_identity import environment
from gcp_aws_bridge.google._exchange import CLOUD_PLATFORM, GoogleToken
from gcp_aws_bridge.google._federation import Federation
from gcp_aws_bridge.google._subject_tokens import (
    OutboundToken,
    SignedRequest,
    SubjectTokenSource,
)
from gcp_aws_bridge.google._transport import Transport

Impersonating = Callable[[str, Transport], GoogleToken]


@dataclass(frozen=True)
class Identity:
    """Who is to be proved to whom, and how Google is reached.

    Args:
        request: The user's own google-auth transport. None: one of ours for each exchange.
    """

    federation: Federation
    source: SubjectTokenSource
    request: Any = None
    # Of when it was made; in another process, of then.
    _environment: Hashable = field(default_factory=environment, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Identity, (self.federation, self.source, self.request)

    @property
    def _key(self) -> Hashable:
        source = self.source
        of_environment = (
            isinstance(source, (SignedRequest, OutboundToken)) and source.session is None
        )
        whose = self._environment if of_environment else None
        return (self.federation, identity_of(source), identity_of(self.request), whose)

    @property
    def _plain(self) -> Identity:
        """The federated identity, whomever it acts as: all of them share its token."""
        federation = replace(self.federation, service_account=None, lifetime_s=3600, iam_url="")
        return replace(self, federation=federation)

    def access(self, scopes: tuple[str, ...]) -> Cell[GoogleToken]:
        """Access tokens: of the service account, or where there is none of this identity itself."""
        if self.federation.service_account is None:
            return self._plain._federated(scopes)

        def make(world: World) -> Impersonating:
            return lambda bearer, transport: _exchange.access_token(
                bearer, self.federation, scopes, transport, world.clock
            )

        return self._impersonated(("access", scopes), make)

    def id_token(self, target_audience: str) -> Cell[GoogleToken]:
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

    def _federated(self, scopes: tuple[str, ...]) -> Cell[GoogleToken]:
        def make(world: World) -> Cell[GoogleToken]:
            def fetch() -> GoogleToken:
                with Transport(self.request) as transport:
                    return _exchange.federated(
                        self.source, self.federation, scopes, transport, world.clock
                    )

            return Cell(fetch, label=self.federation.label, world=world)

        return registry.cell((self._key, "federated", scopes), make)

    def _impersonated(
        self, what: Hashable, of_world: Callable[[World], Impersonating]
    ) -> Cell[GoogleToken]:
        def make(world: World) -> Cell[GoogleToken]:
            ask = of_world(world)
            return Cell(lambda: self._as_federated(ask), label=self.federation.label, world=world)

        return registry.cell((self._key, what), make)

    def _as_federated(self, ask: Callable[[str, Transport], Any]) -> Any:
        """What *ask* gets with the token of the federated identity."""
        cell = self._plain.access((CLOUD_PLATFORM,))
        bearer = cell.get()
        with Transport(self.request) as transport:
            try:
                return ask(bearer.token, transport)
            except ExchangeError:
                if transport.status == 401:
                    cell.reject(bearer.public_id)
                raise
