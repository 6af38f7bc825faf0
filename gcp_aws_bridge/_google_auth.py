"""ID tokens from google-auth's credentials; the only module that imports google-auth.

`google.auth.compute_engine` is never imported: our own metadata client needs one request where it
needs three, and may ask for certificate-bound tokens, which AWS cannot use.
"""

from __future__ import annotations

import json
from typing import Any

from gcp_aws_bridge._metadata import MetadataServer
from gcp_aws_bridge.exceptions import ConfigError, TokenError, TokenUnavailable, quoted

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# RFC 7523 token endpoint of Google ("Using OAuth 2.0 for Server to Server Applications").
_TOKEN_URI = "https://oauth2.googleapis.com/token"
_NEEDS_REQUESTS = "pip install 'gcp-aws-bridge[google]'"


def id_token(
    credentials: Any, *, key_file: str | None, impersonate: str | None, audience: str
) -> str:
    """A fresh ID token for *audience*. See `tokens.GoogleCredentials` for arguments and errors."""
    try:
        import google.auth.exceptions
        from google.auth.transport.requests import Request
    except ImportError as error:
        raise ConfigError(
            f"These token sources need google-auth with requests: {error}.",
            fix=_NEEDS_REQUESTS,
            error_id="config/extra-google",
        ) from None
    request = Request()
    try:
        minting = _minting(credentials, key_file, impersonate, audience, request)
        if isinstance(minting, MetadataServer):
            return minting()
        minting.refresh(request)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise TokenUnavailable(
            f"google-auth found no credentials: {quoted(str(error))}.",
            fix="set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login "
            "and impersonate a service account.",
            error_id="token/google-none",
        ) from None
    except google.auth.exceptions.GoogleAuthError as error:
        raise TokenError(
            f"Google gave no ID token: {quoted(str(error), 400)}.",
            fix="for impersonation, grant the caller roles/iam.serviceAccountTokenCreator on the "
            "service account and enable the IAM Credentials API; for a key, check that it is live.",
            error_id="token/google-refused",
        ) from None
    finally:
        request.session.close()
    return str(minting.token)


def _minting(
    credentials: Any, key_file: str | None, impersonate: str | None, audience: str, request: Any
) -> Any:
    """Google-auth credentials whose `token` is an ID token for *audience* after `refresh`."""
    from google.auth import impersonated_credentials
    from google.oauth2 import service_account

    source = credentials
    if source is None and key_file is not None:
        source = _from_key_file(key_file)
    elif source is None:
        import google.auth

        source, _ = google.auth.default(scopes=_SCOPES, request=request)
    if impersonate is not None:
        source = impersonated_credentials.Credentials(
            source, target_principal=impersonate, target_scopes=_SCOPES
        )
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
