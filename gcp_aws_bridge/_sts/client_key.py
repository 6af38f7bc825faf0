"""Keys of botocore sessions' STS connections: equal keys mean the same server and settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from gcp_aws_bridge._sts.customized import customization
from gcp_aws_bridge._sts.session_settings import client_options, is_asynchronous
from gcp_aws_bridge._tokens.environment import changed, connection_variables, digest, sts_variables
from gcp_aws_bridge._tokens.https import is_plain_http
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge._tokens.environment import Variables

# Settings in a profile that select the server of an STS client (AWS SDKs and Tools reference,
# "Settings reference"; recorded by `tests/unit/tokens/test_environment.py`).
_PROFILE_KEYS = (
    *("endpoint_url", "services", "ignore_configured_endpoint_urls", "sts_regional_endpoints"),
    *("use_fips_endpoint", "use_dualstack_endpoint", "defaults_mode", "ca_bundle", "data_path"),
    "api_versions",
)


class StsKey(NamedTuple):
    """The server and the connection settings. Digests only: proxy URLs contain passwords.

    Args:
        server: A region or an address.
        session: Digest of the settings of the session and of its profile.
        variables: Name and digest of each environment variable.
        customization: Why the session needs botocore's client, or "".
    """

    server: str
    session: str
    variables: Variables
    customization: str = ""


def sts_key(session: Session, region_name: str) -> StsKey:
    """Return the key of *session* with its settings and the current environment."""
    return StsKey(
        region_name,
        digest(_settings(session), _profile(session)),
        variables_now(),
        _customization(session, region_name),
    )


def variables_now() -> Variables:
    """Return name and digest of each variable that selects the server or its connections."""
    return _digests(sts_variables(os.environ))


def _customization(session: Session, region_name: str) -> str:
    if is_asynchronous(session):
        return ""  # its hooks have never seen these requests
    try:
        return customization(session, region_name)
    except (BotoCoreError, AttributeError, TypeError):  # malformed: client creation will raise
        return ""


def way_of(client: Any, session: Session) -> StsKey:
    """Return the key of the server and the connection settings of *client*."""
    url = client.meta.endpoint_url
    if is_plain_http(url):  # to this machine, without a proxy and without certificates
        return StsKey(url, "", ())
    return StsKey(
        url,
        digest(session.get_config_variable("ca_bundle")),
        _digests(connection_variables(os.environ)),
    )


def environment_changed(before: StsKey, now: StsKey) -> ConfigError:
    """Return the error for a client that would reach another server than the first client."""
    seen = changed(before.variables, now.variables) or "the profile or a setting of the session"
    if before.server != now.server:
        seen = f"{quoted(before.server)} was meant, and botocore would ask {quoted(now.server)}"
    return ConfigError(
        "Another STS could be asked than when this session was made, since the environment has "
        f"changed: {seen}.",
        fix="make the session again; or change the environment before the first session is made.",
        error_id="config/environment-changed",
    )


def _digests(variables: Variables) -> Variables:
    return tuple((name, digest(value)) for name, value in variables)


def _settings(session: Session) -> tuple[Any, ...]:
    """Return the settings that the program made in the session, such as a CA bundle or proxies."""
    items = session.instance_variables().items()
    variables = [item for item in items if item[0] not in ("region", "profile")]
    return sorted(variables), client_options(session)


def _profile(session: Session) -> tuple[Any, ...]:
    """Return the settings that the session has read from its profile.

    The names of profile and file are not included: a session keeps what it has read, even if the
    environment names other files later.
    """
    try:
        profile = session.get_scoped_config()
        services = session.full_config.get("services", {}).get(profile.get("services"), {})
    except (BotoCoreError, AttributeError, TypeError):  # malformed: client creation will raise
        return ()
    return *map(profile.get, _PROFILE_KEYS), services.get("sts")
