"""google-auth credentials for all Google Cloud clients in Python.

Invariant: all tokens come from the credential cache. Whether a token was rejected or is due for a
refresh depends only on the cached token, not on callers or threads.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from google.auth import credentials, crypt, exceptions

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._tokens.google_auth_internals import (
    set_quota_project,
    set_scopes,
    set_universe_domain,
)
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._value import not_pickled
from gcp_aws_bridge.exceptions import BridgeError, ExchangeError, TokenError
from gcp_aws_bridge.google import _arguments
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._federated_identity import Identity


class _Snapshot(credentials.Credentials):
    """google-auth's `valid`, `expired` and `token_state` of one token.

    Credentials whose token is replaced meanwhile could return `token` and `expiry` of two tokens.
    """

    def __init__(self, found: GoogleToken | None) -> None:
        super().__init__()
        if found is not None:
            self.token = found.token
            self.expiry = found.expiration.replace(tzinfo=None)

    def refresh(self, request: Any) -> None:
        raise NotImplementedError


class _Refreshed(credentials.CredentialsWithQuotaProject):
    """Base class: a token that is refreshed in the background.

    Reading `token` and `expiry` starts a refresh if one is due. `before_request` waits only if no
    token is valid. It does not use its *request*: a pending exchange must not depend on a transport
    that the caller may close or use in another thread.
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
        """The token, or None before the first exchange."""
        found = self._cache.peek()
        return found.token if found else None

    @token.setter
    def token(self, value: object) -> None:
        _only_none(value)

    @property
    def expiry(self) -> datetime | None:
        """Expiration of the token, naive UTC, as in google-auth."""
        found = self._cache.peek()
        return found.expiration.replace(tzinfo=None) if found else None

    @expiry.setter
    def expiry(self, value: object) -> None:
        _only_none(value)

    @property
    def expired(self) -> bool:
        """Whether the token has expired, or expires within the threshold of google-auth."""
        found = self._cache.peek()
        return bool(_Snapshot(found).expired if found else self._cache.memory.kept)

    @property
    def valid(self) -> bool:
        """True if there is a token that has not `expired`."""
        return bool(_Snapshot(self._cache.peek()).valid)

    @property
    def token_state(self) -> credentials.TokenState:
        """The state of the token for google-auth (fresh, stale or invalid)."""
        state: credentials.TokenState = _Snapshot(self._cache.peek()).token_state
        return state

    @property
    def service_account_email(self) -> str | None:
        """E-mail of the impersonated service account; None for the federated identity."""
        return self._identity.federation.service_account

    def get_cred_info(self) -> dict[str, str]:
        """Return information about the credentials, which clients add to their errors."""
        federation = self._identity.federation
        return {
            "credential_source": federation.audience,
            "credential_type": "gcp_aws_bridge",
            "principal": federation.service_account or federation.audience,
        }

    def refresh(self, request: Any = None) -> None:
        """Get a valid token. A fresh token counts as rejected, and is replaced.

        google-auth's transports call this method after a 401, and `before_request` of google-auth's
        classes calls it if the token is stale, which is due for a refresh anyway. A rejection
        counts at most once in 30 s. Waits a few seconds for another token, and otherwise keeps the
        current one.

        Raises:
            google.auth.exceptions.RefreshError: No token is valid, and the exchange failed;
                TransportError if a retry may help.
        """
        present = self._cache.peek()
        if present and _Snapshot(present).token_state is credentials.TokenState.FRESH:
            self._cache.reject(present.public_id)
        self._valid()

    @without_inner_frames
    def before_request(
        self, request: Any, method: str, url: str, headers: MutableMapping[str, str]
    ) -> None:
        """Add a valid token to *headers*; raises like `refresh`."""
        self.apply(headers)

    @without_inner_frames
    def apply(self, headers: MutableMapping[str, str], token: str | None = None) -> None:
        """Add *token*, or a valid token, to *headers*; raises like `refresh`."""
        super().apply(headers, token or self._valid().token)

    def _valid(self) -> GoogleToken:
        try:
            return self._cache.get()
        except BridgeError as error:
            raise _for_google_auth(error) from error

    def _settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def _with(self, **changes: Any) -> Any:
        return type(self)(**{**self._settings(), **changes})

    def with_quota_project(self, quota_project_id: str) -> Any:
        """Return a copy with another project for quota and billing."""
        return self._with(quota_project_id=quota_project_id)

    def __copy__(self) -> Any:
        return self._with()

    def __deepcopy__(self, memo: object) -> Any:
        return self._with()  # the settings are immutable, or shared on purpose

    def __reduce__(self) -> tuple[Any, ...]:
        if self._identity.has_session or self._identity.request is not None:
            raise not_pickled(
                "Google credentials with a session or a request of your own",
                "leave them out, or make the credentials in the process that uses them.",
            )
        return partial(type(self), **self._settings()), ()

    def __repr__(self) -> str:
        """Return all settings that determine the token, without secrets; fsspec compares them."""
        settings = {**self._settings()}
        identity = settings.pop("identity")
        named = "".join(f", {name}={value!r}" for name, value in settings.items())
        return f"<{type(self).__name__} of {identity!r}{named}>"

    def __dask_tokenize__(self) -> str:
        """Return the `repr` for Dask. The pickle does not depend on the environment."""
        return repr(self)


def _only_none(value: object) -> None:
    """Accept None, which the constructor of google-auth's base class sets, and no other value."""
    if value is not None:
        raise AttributeError("token and expiry are kept fresh, and not set")


class Credentials(_Refreshed, credentials.Scoped):
    """Access tokens of the federated identity, or of the service account that it impersonates."""

    def __init__(
        self,
        identity: Identity,
        scopes: Sequence[str] = (),
        quota_project_id: str | None = None,
        default_scopes: Sequence[str] | None = None,
    ) -> None:
        chosen = _arguments.scopes_of(scopes)
        used = tuple(sorted({*(chosen or default_scopes or ())}))
        super().__init__(identity, identity.access(used), quota_project_id)
        set_scopes(self, list(chosen), default_scopes and list(default_scopes))

    @property
    def requires_scopes(self) -> bool:
        """True if a client adds its own scopes, because none were given."""
        return not self.scopes

    def _valid(self) -> GoogleToken:
        if not self.scopes and not self.default_scopes:
            error = _arguments.no_scopes()
            raise _for_google_auth(error) from error
        return super()._valid()

    def with_scopes(
        self, scopes: Sequence[str] | None, default_scopes: Sequence[str] | None = None
    ) -> Any:
        """Return a copy with other scopes. Credentials with equal scopes share an exchange."""
        return self._with(scopes=scopes or default_scopes or ())

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"identity": self._identity, "scopes": tuple(self.scopes)}
        if self.default_scopes and not self.scopes:
            settings["default_scopes"] = tuple(self.default_scopes)
        return {**settings, "quota_project_id": self.quota_project_id}


class SigningCredentials(Credentials, credentials.Signing):
    """Credentials of a service account that also sign, for signed URLs. Google has the key."""

    @property
    def signer_email(self) -> str:
        """E-mail of the service account."""
        return str(self.service_account_email)

    @property
    def signer(self) -> crypt.Signer:
        """Signer with google-auth's interface."""
        return _Signer(self)

    def sign_bytes(self, message: bytes) -> bytes:
        """Sign by a request to the IAM Credentials API; raises like `refresh`.

        Needs roles/iam.serviceAccountTokenCreator on the service account.

        Args:
            message: Bytes, or a string, which is signed as UTF-8.

        Raises:
            ConfigError: *message* is neither.
        """
        payload = _arguments.message_of(message)
        try:
            return self._identity.sign(payload)
        except BridgeError as error:
            raise _for_google_auth(error) from error


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
        """Return a copy for another audience."""
        return self._with(target_audience=target_audience)

    def _settings(self) -> dict[str, Any]:
        return {
            "identity": self._identity,
            "target_audience": self._target_audience,
            "quota_project_id": self.quota_project_id,
        }


def _for_google_auth(error: BridgeError) -> exceptions.GoogleAuthError:
    """Return the error of google-auth. Its callers retry only transport errors."""
    passes = isinstance(error, (ExchangeError, TokenError)) and error.retryable
    kind = exceptions.TransportError if passes else exceptions.RefreshError
    made: exceptions.GoogleAuthError = kind(str(error), retryable=error.retryable)
    return made
