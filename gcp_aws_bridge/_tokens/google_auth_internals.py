"""All private attributes of google-auth that the library uses; see `botocore_internals`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gcp_aws_bridge._extra import internal, renamed

_FIRST_STEP = "_get_explicit_environ_credentials"


def token_uri(credentials: Any) -> str:
    """Return the token endpoint of a service account's credentials.

    Raises:
        ConfigError: This release of google-auth has another name for the attribute.
    """
    return str(internal("google-auth", credentials, "_token_uri"))


def set_quota_project(credentials: Any, quota_project_id: str | None) -> None:
    """Set `quota_project_id` of google-auth's base class, which has no setter.

    Raises:
        ConfigError: This release of google-auth has another name for the attribute.
    """
    _set(credentials, "_quota_project_id", "quota_project_id", quota_project_id)


def set_universe_domain(credentials: Any, universe_domain: str) -> None:
    """Set `universe_domain` of google-auth's base class, which has no setter.

    Raises:
        ConfigError: This release of google-auth has another name for the attribute.
    """
    _set(credentials, "_universe_domain", "universe_domain", universe_domain)


def set_scopes(
    credentials: Any, scopes: Sequence[str], default_scopes: Sequence[str] | None = None
) -> None:
    """Set `scopes` and `default_scopes` of google-auth's base class.

    They have no setters, and google-auth's constructors do not call each other.

    Raises:
        ConfigError: This release of google-auth has another name for one of the attributes.
    """
    _set(credentials, "_scopes", "scopes", scopes)
    _set(credentials, "_default_scopes", "default_scopes", default_scopes)


def first_step() -> Any:
    """Return the function that `default` calls first, which reads GOOGLE_APPLICATION_CREDENTIALS.

    `default` looks it up by its name in each call, also if a program has imported `default` itself
    by name. The later steps are gcloud's login and the metadata server.

    Raises:
        ConfigError: This release of google-auth has another name for the function.
    """
    from google.auth import _default

    return internal("google-auth", _default, _FIRST_STEP)


def set_first_step(step: Any) -> None:
    """Replace the function that `first_step` returns."""
    from google.auth import _default

    setattr(_default, _FIRST_STEP, step)


def _set(credentials: Any, name: str, public: str, value: object) -> None:
    setattr(credentials, name, value)
    try:
        is_read = getattr(credentials, public) == value
    except AttributeError:
        is_read = False
    if not is_read:
        raise renamed("google-auth", credentials, name)
