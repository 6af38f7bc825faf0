"""Credentials files for google-auth: service account keys and application-default credentials.

Reading a file sends no request: its type determines whether it can give ID tokens.
"""

from __future__ import annotations

import json
import threading
import warnings
from typing import Any
from urllib.parse import urlsplit

from gcp_aws_bridge.exceptions import TokenError, TokenUnavailable, quoted

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
# Errors of google-auth for malformed files.
_MALFORMED = (ValueError, AttributeError, TypeError, KeyError)
_filtering = threading.Lock()

_IMPERSONATE = (
    'impersonate a service account: GoogleCredentials(impersonate="NAME@PROJECT.iam.'
    'gserviceaccount.com"), or gcp-aws-bridge doctor --impersonate.'
)
_IMPERSONATE_IN_FILE = (
    "write it again: gcloud iam workload-identity-pools create-cred-config PROVIDER "
    "--service-account=NAME@PROJECT.iam.gserviceaccount.com, with the other options of before; or "
    "pass GoogleCredentials(impersonate=EMAIL)."
)
# Class of google-auth's credentials -> type in the file ("type"), description, fix.
_WITHOUT_ID_TOKEN = {
    "google.oauth2.credentials.Credentials": ("authorized_user", "a user's login", _IMPERSONATE),
    "google.auth.external_account_authorized_user.Credentials": (
        "external_account_authorized_user",
        "a user's login by workforce identity federation",
        _IMPERSONATE,
    ),
    "google.oauth2.gdch_credentials.ServiceAccountCredentials": (
        "gdch_service_account",
        "a service account of Google Distributed Cloud, which accounts.google.com does not know",
        "use a service account of Google Cloud: its key file, or impersonation.",
    ),
}
_EXTERNAL = (
    "external_account",
    "workload identity federation without service_account_impersonation_url",
    _IMPERSONATE_IN_FILE,
)


def type_of(path: str) -> str:
    """Return the type in a credentials file, or ""."""
    kind = _read_json(path)[0].get("type")
    return kind if isinstance(kind, str) else ""


def no_id_token(credentials: Any, path: str | None) -> TokenUnavailable:
    """Return the error for google-auth credentials that give no ID token.

    Args:
        credentials: google-auth credentials.
        path: The credentials file; None: the credentials were passed as an object.
    """
    name = f"{type(credentials).__module__}.{type(credentials).__name__}"
    known = _WITHOUT_ID_TOKEN.get(name)
    if known is None and is_external_account(credentials):
        known = _EXTERNAL
    kind, words, fix = known or ("", "", _IMPERSONATE)
    seen = f"{name} gives" if path is None or not kind else f"The file {quoted(path)} gives"
    of_type = f"its type is {kind} ({words})" if kind else "its type is not known here"
    return TokenUnavailable(
        f"{seen} no ID token for an audience of choice: {of_type}.",
        fix=fix,
        error_id="token/google-kind",
    )


def is_external_account(credentials: Any) -> bool:
    """Return whether these are google-auth credentials for workload identity federation."""
    from google.auth import external_account

    return isinstance(credentials, external_account.Credentials)


def addresses_of_source(credentials: Any) -> set[str]:
    """Return the servers from which a federated identity gets its subject token."""
    if not is_external_account(credentials):
        return set()
    source = credentials.info.get("credential_source")
    texts = source.values() if isinstance(source, dict) else ()
    urls = [urlsplit(text) for text in texts if isinstance(text, str) and "://" in text]
    return {url.netloc for url in urls}


def from_adc_file(path: str) -> Any:
    """Load a file with application-default credentials.

    `google.auth.default` would also run gcloud for the name of a project, which takes a second or
    more and is not needed here.

    Raises:
        TokenError: The file is broken.
    """
    import google.auth
    import google.auth.exceptions

    info, problem = _read_json(path)
    if not problem:
        try:
            # One thread at a time: the filters belong to the whole process.
            with _filtering, warnings.catch_warnings():
                # google-auth warns about a login's quota project, which ID tokens do not use, and
                # about files from untrusted sources, which this file is not.
                warnings.simplefilter("ignore")
                return _loaded(info)
        except (google.auth.exceptions.GoogleAuthError, *_MALFORMED):
            problem = f"{_typed(info)}: google-auth cannot read credentials from it"
    raise TokenError(
        f"The credentials file {quoted(path)} {problem}.",
        fix="correct GOOGLE_APPLICATION_CREDENTIALS, or log in again with gcloud auth "
        "application-default login.",
        error_id="token/google-file",
        details="Types that give an ID token: service_account, impersonated_service_account, and "
        "external_account with service_account_impersonation_url.",
    )


def _typed(info: dict[str, Any]) -> str:
    if "type" not in info:
        return 'has no "type"'
    kind = f"has the type {quoted(info['type'], 60)}"
    source = info.get("source_credentials")
    over = source.get("type") if isinstance(source, dict) else None
    return f"{kind} over {quoted(over, 60)}" if over else kind


def _loaded(info: dict[str, Any]) -> Any:
    import google.auth

    if info.get("type") == "external_account":
        return _external_account(info)
    return google.auth.load_credentials_from_dict(info, scopes=SCOPES)[0]


def _external_account(info: dict[str, Any]) -> Any:
    """Return google-auth credentials for workload identity federation.

    `load_credentials_from_dict` would send a request to the Resource Manager for the name of the
    project. The class is chosen like in google-auth (`_get_external_account_credentials`).
    """
    from google.auth import aws, identity_pool, pluggable

    kind: Any = identity_pool.Credentials
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        kind = aws.Credentials
    elif (info.get("credential_source") or {}).get("executable") is not None:
        kind = pluggable.Credentials
    return kind.from_info(info, scopes=SCOPES)


def from_key_file(path: str) -> Any:
    """Load a service account's key file.

    Raises:
        TokenError: The file has no valid key.
    """
    from google.oauth2 import service_account

    info, problem = _read_json(path)
    if not problem:
        try:
            key = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
            key.sign_bytes(b"")  # fails for a key of another kind
        except _MALFORMED:
            problem = "is not a service account's key"  # a parser's message could show the key
        else:
            return key
    raise TokenError(
        f"The key file {quoted(path)} {problem}.",
        fix="point to the JSON key that gcloud iam service-accounts keys create wrote; better, "
        "use impersonation and no key.",
        error_id="token/key-file",
    )


def _read_json(path: str) -> tuple[dict[str, Any], str]:
    """Return the object in a file, and a description of the problem or ""."""
    try:
        with open(path, "rb") as file:  # json detects UTF-8 and UTF-16 (PowerShell) by their BOM
            value = json.load(file)
    except FileNotFoundError:
        return {}, "does not exist"
    except OSError as error:
        return {}, f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        value = None
    return (value, "") if isinstance(value, dict) else ({}, "is not a JSON object")
