"""ID tokens from google-auth's credentials; google-auth is imported when one is asked for.

`google.auth.compute_engine` is never imported: our own metadata client needs one request where it
needs three, and may ask for certificate-bound tokens, which AWS cannot use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gcp_aws_bridge._metadata import MetadataServer
from gcp_aws_bridge.config import DEFAULT_AUDIENCE
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable, quoted

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# RFC 7523 token endpoint of Google ("Using OAuth 2.0 for Server to Server Applications").
_TOKEN_URI = "https://oauth2.googleapis.com/token"


@dataclass(frozen=True)
class GoogleCredentials:
    """ID tokens from anything that google-auth can load. Needs `gcp-aws-bridge[google]`.

    Args:
        credentials: google-auth credentials. None: *key_file*, else application-default ones.
        key_file: A service account's key file.
        impersonate: The e-mail of a service account to act as, which is what a developer's own
            login needs; the caller needs roles/iam.serviceAccountTokenCreator on it.
        audience: None for the role's.

    Raises:
        TokenUnavailable: No such credentials here, or not of a kind that gives ID tokens.
        TokenError: Google refused, or could not be reached.
    """

    credentials: Any = field(default=None, repr=False)
    key_file: str | None = None
    impersonate: str | None = None
    audience: str | None = None

    def __call__(self) -> str:
        try:
            import google.auth.exceptions
            from google.auth.transport.requests import Request
        except ImportError as error:
            raise ConfigError(
                f"This token source needs google-auth with requests: {error}.",
                fix="pip install 'gcp-aws-bridge[google]'",
                error_id="config/extra-google",
            ) from None
        request = Request()
        try:
            minting = self._minting(self.audience or DEFAULT_AUDIENCE, request)
            if isinstance(minting, MetadataServer):
                return minting()
            minting.refresh(request)
        except google.auth.exceptions.DefaultCredentialsError as error:
            raise TokenUnavailable(
                f"google-auth found no credentials: {quoted(str(error))}.",
                fix="set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default "
                "login and impersonate a service account.",
                error_id="token/google-none",
            ) from None
        except google.auth.exceptions.GoogleAuthError as error:
            raise TokenError(
                f"Google gave no ID token: {quoted(str(error), 400)}.",
                fix="for impersonation, grant the caller roles/iam.serviceAccountTokenCreator on "
                "the service account and enable the IAM Credentials API; for a key, check that it "
                "is live.",
                error_id="token/google-refused",
            ) from None
        finally:
            request.session.close()
        return str(minting.token)

    def _minting(self, audience: str, request: Any) -> Any:
        """Google-auth credentials whose `token` is an ID token after `refresh`."""
        from google.auth import impersonated_credentials

        source = self._source(request)
        if self.impersonate is not None:
            source = impersonated_credentials.Credentials(
                source, target_principal=self.impersonate, target_scopes=_SCOPES
            )
        return _for_id_tokens(source, audience)

    def _source(self, request: Any) -> Any:
        if self.credentials is not None:
            return self.credentials
        if self.key_file is not None:
            return _from_key_file(self.key_file)
        import google.auth

        return google.auth.default(scopes=_SCOPES, request=request)[0]


def _for_id_tokens(source: Any, audience: str) -> Any:
    from google.auth import impersonated_credentials
    from google.oauth2 import service_account

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
            getattr(source, "_token_uri", _TOKEN_URI),  # it has no public name there
            audience,
        )
    if type(source).__module__.startswith("google.auth.compute_engine"):
        return MetadataServer(audience, source.service_account_email)
    raise TokenUnavailable(
        f"{type(source).__module__}.{type(source).__name__} gives no ID token for an audience of "
        "choice (a user's login never does).",
        fix='impersonate a service account: GoogleCredentials(impersonate="sa@project.iam.'
        'gserviceaccount.com").',
        error_id="token/google-kind",
    )


def _from_key_file(path: str) -> Any:
    from google.oauth2 import service_account

    try:
        with open(path, encoding="utf-8") as file:
            info = json.load(file)
        return service_account.Credentials.from_service_account_info(info, scopes=_SCOPES)
    except FileNotFoundError:
        problem = "does not exist"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except (ValueError, AttributeError):
        problem = "is not a service account's key"  # what the parser says could show key material
    raise TokenError(
        f"The key file {quoted(path)} {problem}.",
        fix="point to the JSON key that gcloud iam service-accounts keys create wrote; better, "
        "use impersonation and no key.",
        error_id="token/key-file",
    )
