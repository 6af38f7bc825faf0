"""ID tokens from google-auth credentials. google-auth is imported on first use.

`google.auth.compute_engine` is never imported: it needs three requests instead of one, and may
request certificate-bound tokens, which AWS cannot use.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._cache.identity import name_of
from gcp_aws_bridge._cache.late_patch import of_late_patch
from gcp_aws_bridge._tokens.environment import EnvironmentBound, absolute, bound
from gcp_aws_bridge._tokens.google_auth_errors import UNKNOWN_MEMBER, member, refused
from gcp_aws_bridge._tokens.google_auth_internals import token_uri
from gcp_aws_bridge._tokens.google_files import (
    SCOPES,
    addresses_of_source,
    from_adc_file,
    from_key_file,
    is_external_account,
    no_id_token,
)
from gcp_aws_bridge._tokens.metadata import GoogleEnvironment
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge._tokens.service_account import require_service_account
from gcp_aws_bridge._tokens.token_file import is_content, path_text
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._value import as_settings, not_pickled
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import (
    BridgeError,
    ConfigError,
    TokenUnavailable,
    quoted,
)

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, repr=False)
class GoogleCredentials(EnvironmentBound):
    """ID tokens from all credentials that google-auth can load. Needs `gcp-aws-bridge[google]`.

    Args:
        credentials: google-auth credentials. None: *key_file*, or application-default credentials.
        key_file: Path of a service account's key file.
        impersonate: E-mail of a service account to impersonate, which a developer's login needs.
            The caller needs roles/iam.serviceAccountTokenCreator on it.
        audience: Audience of the ID token. None: the role's audience.

    A session or credentials keep the files and the metadata server that were configured when they
    were created. The files are read for each token.

    Raises:
        TokenUnavailable: There are no credentials, or their type does not give ID tokens.
        TokenError: A file is broken; Google denied the request, or was not reached.
        ConfigError: google-auth or requests is not installed; the path or the service account is
            malformed.
    """

    credentials: Any = None
    key_file: str | os.PathLike[str] | None = None  # stored as a string
    impersonate: str | None = None
    audience: str | None = None
    # None: the environment of each call.
    _environment: GoogleEnvironment | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.key_file is not None:
            object.__setattr__(self, "key_file", path_text("GoogleCredentials", self.key_file))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.credentials is not None:
            raise not_pickled(
                "GoogleCredentials(credentials=…), which holds a secret,",
                "name a key_file that every process can read, or a service account to impersonate.",
            )
        return as_settings(self)

    def __repr__(self) -> str:
        held = "" if self.credentials is None else f"credentials={name_of(self.credentials)}, "
        names = [each.name for each in fields(self)[1:] if each.repr]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"GoogleCredentials({held}{shown})"

    def __copy__(self, memo: object = None) -> GoogleCredentials:
        return self  # it is immutable, and a copy within the process may contain secrets

    __deepcopy__ = __copy__

    @without_inner_frames
    def __call__(self) -> str:
        try:
            import google.auth.transport.requests  # noqa: F401 - its error names what is missing

            from gcp_aws_bridge._tokens.google_connection import ConfidentialRequest
        except ImportError as error:
            raise ConfigError(
                f"This token source needs google-auth with requests: {error}.",
                fix="pip install 'gcp-aws-bridge[google]'",
                error_id="config/extra-google",
            ) from None
        request, statuses = ConfidentialRequest(), [None]
        request.session.hooks["response"].append(
            lambda answer, *_, **__: statuses.append(answer.status_code)
        )
        account, caller, sources = "", "", set[str]()
        try:
            minting, account, caller, sources = self._minting(self.audience or DEFAULT_AUDIENCE)
            if isinstance(minting, MetadataServer):
                return minting()
            with wire_logs_silenced():  # google-auth logs ID tokens and bearer tokens at DEBUG
                minting.refresh(request)
        except TokenUnavailable as error:
            none_here = error.error_id in ("token/metadata-unreachable", "token/not-google")
            if self.credentials is None and none_here:
                raise _none_found(error.args[0]) from None
            raise
        except BridgeError:
            raise
        except of_late_patch():
            raise
        except Exception as error:  # noqa: BLE001 - transports may raise any error
            raise refused(error, account, caller, statuses[-1], sources) from None
        finally:
            request.session.close()
        return str(minting.token)

    def _bound(self, environment: GoogleEnvironment | None = None) -> Self:
        """Return a copy that keeps the files and the metadata server of *environment*."""
        key_file = None if self.key_file is None else absolute(os.fspath(self.key_file))
        places = environment or GoogleEnvironment.now()
        if key_file is not None or self.credentials is not None:  # no other file is used
            places = GoogleEnvironment(None, "", places.metadata_host)
        return bound(self, key_file=key_file, _environment=places)

    def _uses_google_auth(self) -> bool:
        return True

    def _minting(self, audience: str) -> tuple[Any, str, str, set[str]]:
        """Return how to get an ID token. Sends no request.

        Returns:
            Credentials whose `refresh` gets it, the service account, the caller, and the addresses
            from which a federated identity gets its subject token.
        """
        from google.auth import impersonated_credentials

        places = self._environment or GoogleEnvironment.now()
        source, path = self._source(places)
        if self.impersonate is None:
            minting = _for_id_tokens(source, audience, places.metadata_host, path)
            account = getattr(source, "service_account_email", None) or ""
            return minting, account, UNKNOWN_MEMBER, addresses_of_source(source)
        require_service_account(self.impersonate)  # google-auth does not escape it in a URL
        if isinstance(source, MetadataServer):
            source = _from_metadata_server(source)
        elif type(source).__module__ == "google.oauth2.gdch_credentials":
            raise no_id_token(source, path)
        target = impersonated_credentials.Credentials(
            source, target_principal=self.impersonate, target_scopes=SCOPES
        )
        minting = _for_id_tokens(target, audience, places.metadata_host, path)
        return minting, self.impersonate, member(source), addresses_of_source(source)

    def _source(self, places: GoogleEnvironment) -> tuple[Any, str | None]:
        """Return google-auth credentials or the metadata server, and the credentials file."""
        if self.credentials is not None:
            return self.credentials, None
        if self.key_file is not None:
            return from_key_file(os.fspath(self.key_file)), os.fspath(self.key_file)
        path = places.credentials_file or places.gcloud_file
        if os.path.isfile(path):
            return from_adc_file(path), path
        if places.credentials_file is not None:
            raise _none_found(_no_file(path))
        return MetadataServer()._bound(places.metadata_host), None


def _from_metadata_server(server: MetadataServer) -> Any:
    """Return google-auth credentials with access tokens of *server*.

    `google.auth.compute_engine` reads `GCE_METADATA_HOST` once, when it is imported, so it may use
    the server of another environment.
    """
    from datetime import timedelta

    from google.auth.credentials import Credentials

    class OfMetadataServer(Credentials):
        def refresh(self, request: Any) -> None:
            self.token, life_s = server._access_token(SCOPES)
            # google-auth compares it with a naive UTC clock.
            self.expiry = server.world.clock().replace(tzinfo=None) + timedelta(seconds=life_s)

    return OfMetadataServer()


def _no_file(path: str) -> str:
    if is_content(path):
        return "GOOGLE_APPLICATION_CREDENTIALS has the content of a file instead of its path."
    if os.path.isdir(path):
        return f"{quoted(path)} is a folder, not a file."
    return f"the file {quoted(path)} was not found."


def _none_found(seen: str) -> TokenUnavailable:
    return TokenUnavailable(
        f"There are no credentials for google-auth: {seen}",
        fix="set GOOGLE_APPLICATION_CREDENTIALS to the path of a file, or run gcloud auth "
        "application-default login and impersonate a service account.",
        error_id="token/google-none",
    )


def _for_id_tokens(source: Any, audience: str, metadata_host: str, path: str | None) -> Any:
    from google.auth import impersonated_credentials
    from google.oauth2 import service_account

    if isinstance(source, MetadataServer):
        return bound(source, audience=audience)
    if hasattr(source, "with_target_audience"):
        return source.with_target_audience(audience)
    if isinstance(source, impersonated_credentials.Credentials):
        return impersonated_credentials.IDTokenCredentials(
            source, target_audience=audience, include_email=True
        )
    if isinstance(source, service_account.Credentials):
        return service_account.IDTokenCredentials(
            source.signer,
            source.service_account_email,
            token_uri(source),
            audience,
        )
    if is_external_account(source) and source.info.get("service_account_impersonation_url"):
        from gcp_aws_bridge._tokens.federated_id_token import FederatedIdToken

        return FederatedIdToken(source, audience)
    if type(source).__module__.startswith("google.auth.compute_engine"):
        return MetadataServer(audience, source.service_account_email)._bound(metadata_host)
    raise no_id_token(source, path)
