"""ID tokens from google-auth's credentials; google-auth is imported when one is asked for.

`google.auth.compute_engine` is never imported: our own metadata client needs one request where it
needs three, and may ask for certificate-bound tokens, which AWS cannot use.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._cache.late_patch import of_late_patch
from gcp_aws_bridge._environment import EnvironmentBound, absolute, bound
from gcp_aws_bridge._google_auth_internals import token_uri
from gcp_aws_bridge._metadata import GoogleEnvironment, MetadataServer
from gcp_aws_bridge._names import name_of
from gcp_aws_bridge._pickled import as_settings, not_pickled
from gcp_aws_bridge._service_account import require_service_account
from gcp_aws_bridge._token_file import path_text
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import (
    BridgeError,
    ConfigError,
    TokenError,
    TokenUnavailable,
    quoted,
)

if TYPE_CHECKING:
    from typing_extensions import Self

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# What google-auth's readers raise over a file with something else in it.
_MALFORMED = (ValueError, AttributeError, TypeError, KeyError)
_filtering = threading.Lock()


@dataclass(frozen=True, repr=False)
class GoogleCredentials(EnvironmentBound):
    """ID tokens from anything that google-auth can load. Needs `gcp-aws-bridge[google]`.

    Args:
        credentials: google-auth credentials. None: *key_file*, else application-default ones.
        key_file: A service account's key file.
        impersonate: The e-mail of a service account to act as, which is what a developer's own
            login needs; the caller needs roles/iam.serviceAccountTokenCreator on it.
        audience: None for the role's.

    A session or credentials go on using the files and the metadata server that were named when
    they were made. The files are read for each token.

    Raises:
        TokenUnavailable: No such credentials here, or not of a kind that gives ID tokens.
        TokenError: A file is broken; Google refused, or could not be reached.
        ConfigError: google-auth or requests is not installed; the path or the service account is
            malformed.
    """

    credentials: Any = None
    key_file: str | os.PathLike[str] | None = None  # kept as text
    impersonate: str | None = None
    audience: str | None = None
    # None: as the environment is at each call.
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
        shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self)[1:] if one.repr)
        return f"GoogleCredentials({held}{', '.join(shown)})"

    def __copy__(self, memo: object = None) -> GoogleCredentials:
        return self  # which is immutable; and within a process a secret may be

    __deepcopy__ = __copy__

    @without_inner_frames
    def __call__(self) -> str:
        try:
            import google.auth.transport.requests  # noqa: F401 - says what is missing

            from gcp_aws_bridge._google_connection import ConfidentialRequest
        except ImportError as error:
            raise ConfigError(
                f"This token source needs google-auth with requests: {error}.",
                fix="pip install 'gcp-aws-bridge[google]'",
                error_id="config/extra-google",
            ) from None
        request = ConfidentialRequest()
        try:
            minting = self._minting(self.audience or DEFAULT_AUDIENCE, request)
            if isinstance(minting, MetadataServer):
                return minting()
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
        except Exception as error:  # noqa: BLE001 - its transports raise what they like
            raise _refused(error) from None
        finally:
            request.session.close()
        return str(minting.token)

    def _bound(self, environment: GoogleEnvironment | None = None) -> Self:
        """Return a copy that keeps to the files and the metadata server of *environment*."""
        key_file = None if self.key_file is None else absolute(os.fspath(self.key_file))
        places = environment or GoogleEnvironment.now()
        if key_file is not None or self.credentials is not None:  # no place is looked at
            places = GoogleEnvironment(None, "", places.metadata_host)
        return bound(self, key_file=key_file, _environment=places)

    def _uses_google_auth(self) -> bool:
        return True

    def _minting(self, audience: str, request: Any) -> Any:
        """Google-auth credentials whose `token` is an ID token after `refresh`."""
        from google.auth import impersonated_credentials

        places = self._environment or GoogleEnvironment.now()
        source = self._source(places, request)
        if self.impersonate is not None:
            require_service_account(self.impersonate)  # google-auth puts it into a URL as it is
            if isinstance(source, MetadataServer):
                source = _from_metadata_server(source)
            source = impersonated_credentials.Credentials(
                source, target_principal=self.impersonate, target_scopes=_SCOPES
            )
        return _for_id_tokens(source, audience, places.metadata_host)

    def _source(self, places: GoogleEnvironment, request: Any) -> Any:
        if self.credentials is not None:
            return self.credentials
        if self.key_file is not None:
            return _from_key_file(os.fspath(self.key_file))
        path = places.credentials_file or places.gcloud_file
        if os.path.isfile(path):
            return _from_adc_file(path, request)
        if places.credentials_file is not None:
            raise _none_found(f"the file {quoted(path)} was not found.")
        return MetadataServer()._bound(places.metadata_host)


def _from_adc_file(path: str, request: Any) -> Any:
    """Load what the file of application-default credentials holds.

    `google.auth.default` would also run gcloud for the name of a project: a second or more.
    """
    import google.auth.exceptions

    info, problem = _read_json(path)
    if not problem:
        try:
            # One at a time: what it changes and puts back is the whole process's.
            with _filtering, warnings.catch_warnings():
                # Of a login's quota project, which an ID token has no part in; of files from
                # strangers, which this one is not.
                warnings.simplefilter("ignore")
                return google.auth.load_credentials_from_dict(
                    info, scopes=_SCOPES, request=request
                )[0]
        except (google.auth.exceptions.GoogleAuthError, *_MALFORMED):
            problem = "holds no credentials that google-auth can read"
    raise TokenError(
        f"The credentials file {quoted(path)} {problem}.",
        fix="log in again with gcloud auth application-default login, or correct "
        "GOOGLE_APPLICATION_CREDENTIALS.",
        error_id="token/google-file",
    )


def _from_metadata_server(server: MetadataServer) -> Any:
    """Return google-auth credentials whose access tokens come from *server*.

    google-auth's own (`google.auth.compute_engine`) read `GCE_METADATA_HOST` once, when they are
    imported: they would ask the server of another environment than this source's.
    """
    from datetime import timedelta

    from google.auth.credentials import Credentials

    class OfMetadataServer(Credentials):
        def refresh(self, request: Any) -> None:
            self.token, life_s = server._access_token(_SCOPES)
            # google-auth compares it with a naive UTC clock.
            self.expiry = server.world.clock().replace(tzinfo=None) + timedelta(seconds=life_s)

    return OfMetadataServer()


def _none_found(seen: str) -> TokenUnavailable:
    return TokenUnavailable(
        f"There are no credentials for google-auth: {seen}",
        fix="set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default "
        "login and impersonate a service account.",
        error_id="token/google-none",
    )


def _refused(error: Exception) -> TokenError:
    from google.auth.exceptions import GoogleAuthError, TransportError

    passing = (TransportError, OSError)
    # What google-auth says, and what requests does of a network (OSError), is fit to be shown; of
    # anything else, which may quote an answer, the type is.
    said = quoted(error, 400) if isinstance(error, (GoogleAuthError, OSError)) else ""
    return TokenError(
        f"Google gave no ID token: {said or type(error).__name__}.",
        fix="for impersonation, grant the caller roles/iam.serviceAccountTokenCreator on "
        "the service account and enable the IAM Credentials API; for a key, check that it "
        "is live.",
        error_id="token/google-refused",
        # google-auth's own word, on all of its errors; a network's faults pass.
        retryable=bool(getattr(error, "retryable", False)) or isinstance(error, passing),
    )


def _for_id_tokens(source: Any, audience: str, metadata_host: str) -> Any:
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
    if type(source).__module__.startswith("google.auth.compute_engine"):
        return MetadataServer(audience, source.service_account_email)._bound(metadata_host)
    raise TokenUnavailable(
        f"{type(source).__module__}.{type(source).__name__} gives no ID token for an audience of "
        "choice (a user's login never does).",
        fix='impersonate a service account: GoogleCredentials(impersonate="sa@project.iam.'
        'gserviceaccount.com").',
        error_id="token/google-kind",
    )


def _from_key_file(path: str) -> Any:
    from google.oauth2 import service_account

    info, problem = _read_json(path)
    if not problem:
        try:
            key = service_account.Credentials.from_service_account_info(info, scopes=_SCOPES)
            key.sign_bytes(b"")  # a key of another kind shows only when it signs
        except _MALFORMED:
            problem = "is not a service account's key"  # a parser's text could show the key
        else:
            return key
    raise TokenError(
        f"The key file {quoted(path)} {problem}.",
        fix="point to the JSON key that gcloud iam service-accounts keys create wrote; better, "
        "use impersonation and no key.",
        error_id="token/key-file",
    )


def _read_json(path: str) -> tuple[dict[str, Any], str]:
    """The object in a file, or what is wrong with it."""
    try:
        with open(path, "rb") as file:  # json knows the marks of UTF-8 and UTF-16 (PowerShell)
            value = json.load(file)
    except FileNotFoundError:
        return {}, "does not exist"
    except OSError as error:
        return {}, f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        value = None
    return (value, "") if isinstance(value, dict) else ({}, "is not a JSON object")
