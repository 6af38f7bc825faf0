"""Google's tokens as google-auth's credentials, for every client of Google Cloud in Python.

Invariant: each token comes from the credential cache. Nothing is remembered of callers or threads:
whether a token was refused or is due is decided by the cached token alone.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import datetime
from typing import Any

from google.auth import credentials, crypt, exceptions

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._pickled import not_pickled
from gcp_aws_bridge._tokens.google_auth_internals import (
    set_quota_project,
    set_scopes,
    set_universe_domain,
)
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, TokenError
from gcp_aws_bridge.google import _arguments
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._federated_identity import Identity


class _Snapshot(credentials.Credentials):
    """google-auth's own judgement of one token: `valid`, `expired` and `token_state`.

    Read from credentials whose token is replaced meanwhile, `token` and `expiry` could be of two.
    """

    def __init__(self, found: GoogleToken | None) -> None:
        super().__init__()
        if found is not None:
            self.token = found.token
            self.expiry = found.expiration.replace(tzinfo=None)

    def refresh(self, request: Any) -> None:
        raise NotImplementedError


class _Refreshed(credentials.CredentialsWithQuotaProject):
    """What both kinds have in common: a token that is refreshed in the background.

    `token` and `expiry` are the present ones; reading them starts a refresh that is due.
    `before_request` waits only where no token is valid. Its *request* is not used: an exchange goes
    on when the transport that it was started with is closed, or used by another thread.
    """

    def __init__(
        self, identity: Identity, cache: CredentialCache[GoogleToken], quota_project_id: str | None
    ) -> None:
        super().__init__()
        self._identity = identity
        self._cache = cache
        set_quota_project(self, _arguments.quota_project(quota_project_id))
        set_universe_domain(self, identity.federation.universe_domain)

    @property
    def token(self) -> str | None:
        """The token, or None where there is none yet."""
        found = self._cache.peek()
        return found.token if found else None

    @token.setter
    def token(self, value: object) -> None:
        _only_none(value)

    @property
    def expiry(self) -> datetime | None:
        """Its end, in UTC without a time zone, as google-auth has it."""
        found = self._cache.peek()
        return found.expiration.replace(tzinfo=None) if found else None

    @expiry.setter
    def expiry(self, value: object) -> None:
        _only_none(value)

    @property
    def expired(self) -> bool:
        """Whether the token ends within a few minutes, as google-auth counts them."""
        return bool(_Snapshot(self._cache.peek()).expired)

    @property
    def valid(self) -> bool:
        """Whether there is a token that is not `expired`."""
        return bool(_Snapshot(self._cache.peek()).valid)

    @property
    def token_state(self) -> credentials.TokenState:
        """google-auth's view of the token: fresh, stale or invalid."""
        state: credentials.TokenState = _Snapshot(self._cache.peek()).token_state
        return state

    @property
    def service_account_email(self) -> str | None:
        """Whom it acts as; None for the federated identity itself."""
        return self._identity.federation.service_account

    def get_cred_info(self) -> dict[str, str]:
        """What clients put into their errors."""
        federation = self._identity.federation
        return {
            "credential_source": federation.audience,
            "credential_type": "gcp_aws_bridge",
            "principal": federation.service_account or federation.audience,
        }

    def refresh(self, request: Any = None) -> None:
        """Get a valid token. A fresh one counts as refused, and is replaced.

        google-auth's transports call this after a 401, and `before_request` of its own classes
        calls it where the token is stale: that one is due in any case. A refusal is believed at
        most once in 30 s. Waits for the replacement for a few seconds at most, and keeps the
        present token where there is none.

        Raises:
            google.auth.exceptions.RefreshError: No token is valid, and none was obtained;
                TransportError where trying again may help.
        """
        present = self._cache.peek()
        if present and _Snapshot(present).token_state is credentials.TokenState.FRESH:
            self._cache.reject(present.public_id)
        self._valid()

    @without_inner_frames
    def before_request(
        self, request: Any, method: str, url: str, headers: MutableMapping[str, str]
    ) -> None:
        """Put a valid token into *headers*; errors as of `refresh`."""
        self.apply(headers)

    @without_inner_frames
    def apply(self, headers: MutableMapping[str, str], token: str | None = None) -> None:
        """Do the same, or put *token* there."""
        super().apply(headers, token or self._valid().token)

    def _valid(self) -> GoogleToken:
        try:
            return self._cache.get()
        except BridgeError as error:
            raise _as_googles(error) from error

    def _settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def _with(self, **changes: Any) -> Any:
        return type(self)(**{**self._settings(), **changes})

    def with_quota_project(self, quota_project_id: str) -> Any:
        """The same, whose requests are billed to that project."""
        return self._with(quota_project_id=quota_project_id)

    def __copy__(self) -> Any:
        return self._with()

    def __deepcopy__(self, memo: object) -> Any:
        return self._with()  # what it is of is immutable, or shared on purpose

    def __reduce__(self) -> tuple[Any, ...]:
        if self._identity.has_session or self._identity.request is not None:
            raise not_pickled(
                "Google credentials with a session or a request of your own",
                "leave them out, or make the credentials in the process that uses them.",
            )
        return _made, (type(self), self._settings())

    def __repr__(self) -> str:
        """Return everything that decides the token, without secrets.

        fsspec takes file systems for the same whose credentials print the same.
        """
        settings = {**self._settings()}
        identity = settings.pop("identity")
        named = "".join(f", {name}={value!r}" for name, value in settings.items())
        return f"<{type(self).__name__} of {identity!r}{named}>"

    def __dask_tokenize__(self) -> str:
        """Return the same for Dask, which would go by the pickle: that has no environment."""
        return repr(self)


def _only_none(value: object) -> None:
    """As the constructor of google-auth's base class sets it; nobody else has a token to give."""
    if value is not None:
        raise AttributeError("token and expiry are kept fresh, and not set")


def _made(kind: type[Any], settings: dict[str, Any]) -> Any:
    return kind(**settings)


class Credentials(_Refreshed, credentials.Scoped):
    """Access tokens of the federated identity, or of the service account that it acts as."""

    def __init__(
        self, identity: Identity, scopes: Sequence[str] = (), quota_project_id: str | None = None
    ) -> None:
        chosen = _arguments.scopes_of(scopes)
        super().__init__(identity, identity.access(tuple(sorted({*chosen}))), quota_project_id)
        set_scopes(self, list(chosen))

    @property
    def requires_scopes(self) -> bool:
        """Whether a client must add scopes, because none were given."""
        return not self.scopes

    def _valid(self) -> GoogleToken:
        if not self.scopes:
            error = _arguments.no_scopes()
            raise _as_googles(error) from error
        return super()._valid()

    def with_scopes(
        self, scopes: Sequence[str] | None, default_scopes: Sequence[str] | None = None
    ) -> Any:
        """The same for other scopes: another exchange, which all of those scopes share."""
        return self._with(scopes=scopes or default_scopes or ())

    def _settings(self) -> dict[str, Any]:
        return {
            "identity": self._identity,
            "scopes": tuple(self.scopes),
            "quota_project_id": self.quota_project_id,
        }


class SigningCredentials(Credentials, credentials.Signing):
    """The same of a service account, whose key Google holds: for signed URLs."""

    @property
    def signer_email(self) -> str:
        """Whose signature it is."""
        return str(self.service_account_email)

    @property
    def signer(self) -> crypt.Signer:
        """google-auth's interface of the same."""
        return _Signer(self)

    def sign_bytes(self, message: bytes) -> bytes:
        """Sign by the IAM Credentials API, a request each time.

        Needs roles/iam.serviceAccountTokenCreator on the service account. Errors as of `refresh`.

        Args:
            message: Bytes, or a string, which is signed as UTF-8.

        Raises:
            ConfigError: *message* is neither.
        """
        payload = _arguments.message_of(message)
        try:
            return self._identity.sign(payload)
        except BridgeError as error:
            raise _as_googles(error) from error


class _Signer(crypt.Signer):
    key_id = None  # Google chooses one

    def __init__(self, credentials: SigningCredentials) -> None:
        self._credentials = credentials

    def sign(self, message: bytes) -> bytes:
        return self._credentials.sign_bytes(message)


class IDTokenCredentials(_Refreshed):
    """ID tokens of the service account, for one audience: Cloud Run, IAP."""

    def __init__(
        self, identity: Identity, target_audience: str, quota_project_id: str | None = None
    ) -> None:
        audience = _arguments.text_of(
            "target_audience", target_audience, "https://orders.a.run.app"
        )
        super().__init__(identity, identity.id_token(audience), quota_project_id)
        self._target_audience = audience

    def with_target_audience(self, target_audience: str) -> Any:
        """The same for another service."""
        return self._with(target_audience=target_audience)

    def _settings(self) -> dict[str, Any]:
        return {
            "identity": self._identity,
            "target_audience": self._target_audience,
            "quota_project_id": self.quota_project_id,
        }


def _as_googles(error: BridgeError) -> exceptions.GoogleAuthError:
    """As google-auth's callers expect it: what passes is a transport's error, which they retry."""
    passes = isinstance(error, (ExchangeError, TokenError)) and error.retryable
    kind = exceptions.TransportError if passes else exceptions.RefreshError
    made: exceptions.GoogleAuthError = kind(str(error), retryable=error.retryable)
    return made
