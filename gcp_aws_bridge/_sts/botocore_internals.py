"""All private names of botocore that the library uses.

botocore may rename them in any release. No other module uses them, so that a renamed attribute is
one clear error, and a test finds it before the release is supported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import botocore.credentials
from botocore.client import BaseClient, ClientCreator
from botocore.credentials import AssumeRoleCredentialFetcher, RefreshableCredentials
from botocore.endpoint import Endpoint
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.httpchecksum import AwsChunkedWrapper
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserFactory
from botocore.session import Session

from gcp_aws_bridge._extra import internal


def components(session: Session) -> Any:
    """Return the component locator of *session*.

    `Session.get_component` is public, but `Session.get_credentials` does not call it.

    Raises:
        ConfigError: This release of botocore has another name for the attribute.
    """
    return internal("botocore", session, "_components")


def resolved_credentials(session: Session) -> Any:
    """Return the resolved credentials of *session*, or None.

    `Session.get_credentials` is public, but it calls the providers.

    Raises:
        ConfigError: This release of botocore has another name for the attribute.
    """
    return internal("botocore", session, "_credentials")


def set_resolved_credentials(session: Session, credentials: Any) -> None:
    """Set the resolved credentials of *session*. With None, it calls its providers again later.

    `Session.set_credentials` is public, but it accepts only keys that do not expire.

    Raises:
        ConfigError: This release of botocore has another name for the attribute.
    """
    resolved_credentials(session)
    vars(session)["_credentials"] = credentials


def set_expiration(credentials: RefreshableCredentials, expiration: datetime) -> None:
    """Set the expiration of *credentials*, which other libraries read.

    Raises:
        ConfigError: This release of botocore has another name for the attribute.
    """
    internal("botocore", credentials, "_expiry_time")
    vars(credentials)["_expiry_time"] = expiration


def unlock(credentials: Any, wait_s: float) -> None:
    """Replace the refresh locks of *credentials* and of their source credentials.

    Args:
        wait_s: Seconds to wait for each lock before it is replaced.

    Raises:
        ConfigError: This release of botocore has another name for one of the attributes.
    """
    while isinstance(credentials, RefreshableCredentials):
        lock = internal("botocore", credentials, "_refresh_lock")
        if lock.acquire(timeout=wait_s):
            lock.release()
        else:
            vars(credentials)["_refresh_lock"] = threading.Lock()
        refresher = getattr(internal("botocore", credentials, "_refresh_using"), "__self__", None)
        if not isinstance(refresher, AssumeRoleCredentialFetcher):
            return
        credentials = internal("botocore", refresher, "_source_credentials")


def endpoint_resolver(session: Session) -> Any:
    """Return the resolver of endpoints, which all clients of *session* share.

    `Session.get_component` warns that the component is internal.

    Raises:
        ConfigError: This release of botocore has another name for the method.
    """
    return internal("botocore", session, "_get_internal_component")("endpoint_resolver")


def add_configured_endpoint(session: Session, store: Any) -> None:
    """Make *store* look up the endpoint of STS in the environment and the profile.

    Args:
        store: A copy of the session's configuration store.

    Raises:
        ConfigError: This release of botocore has another name for the method.
    """
    add = internal("botocore", session, "_add_configured_endpoint_provider")
    add(client_name="sts", config_store=store)


def has_botocores_components(session: Session) -> bool:
    """Return whether hooks and parsers of *session* are those of botocore, not of a program."""
    emitter = session.get_component("event_emitter")
    return (
        type(emitter) is EventAliaser
        and type(internal("botocore", emitter, "_emitter")) is HierarchicalEmitter
        and type(session.get_component("response_parser_factory")) is ResponseParserFactory
    )


def event_handlers(session: Session, event: str) -> tuple[Any, ...]:
    """Return the handlers of *event* in *session*.

    Raises:
        ConfigError: This release of botocore has another name for one of the attributes.
    """
    emitter = internal("botocore", session.get_component("event_emitter"), "_emitter")
    return tuple(internal("botocore", emitter, "_handlers").prefix_search(event))


def client_classes() -> tuple[type[Any], ...]:
    """Return the classes of botocore that make a client and send its requests."""
    return ClientCreator, BaseClient, Endpoint, HierarchicalEmitter


def http_session_of(client: Any) -> URLLib3Session:
    """Return the HTTP session of *client*; botocore has no setting for it.

    Raises:
        ConfigError: This release of botocore has another name for the attribute.
    """
    session: URLLib3Session = internal("botocore", client, "_endpoint").http_session
    return session


def replace_pool_classes(
    session: URLLib3Session, replaced: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Replace the connection pool classes by scheme, for direct connections and for proxies.

    Raises:
        ConfigError: This release of botocore has another name for one of the attributes.
    """
    classes = replaced(internal("botocore", session, "_pool_classes_by_scheme"))
    vars(session)["_pool_classes_by_scheme"] = classes
    internal("botocore", session, "_manager").pool_classes_by_scheme = classes


def unwrapped(body: Any) -> Any:
    """Return the body of a request without botocore's wrapper that adds a trailing checksum.

    Raises:
        ConfigError: This release of botocore has another name for the attribute.
    """
    return internal("botocore", body, "_raw") if isinstance(body, AwsChunkedWrapper) else body


def replace_clock(
    put: Callable[[Any, str, object], None],
    now: Callable[[], datetime],
    is_revoked: Callable[[str], bool],
) -> None:
    """Make botocore's refreshable credentials expire by another clock.

    Args:
        put: Sets an attribute like `setattr`; the caller restores it.
        now: Returns the current time, aware UTC.
        is_revoked: Whether an access key must be replaced although it has not expired.

    Raises:
        ConfigError: This release of botocore has another name for one of the attributes.
    """

    def seconds_remaining(keys: Any) -> float:
        if is_revoked(internal("botocore", keys, "_access_key")):
            return -1.0
        left: float = (internal("botocore", keys, "_expiry_time") - now()).total_seconds()
        return left

    replacements: list[tuple[Any, str, object]] = [
        (botocore.credentials, "_local_now", now),
        (RefreshableCredentials, "_seconds_remaining", seconds_remaining),
    ]
    for owner, name, _ in replacements:
        internal("botocore", owner, name)
    for replacement in replacements:
        put(*replacement)
