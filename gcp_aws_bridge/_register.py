"""Ways into a session's credential chain: one session, or every session made from now on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import botocore
from botocore.credentials import CredentialResolver, create_credential_resolver
from botocore.session import Session

from gcp_aws_bridge._botocore_credentials import METHOD
from gcp_aws_bridge._botocore_session import (
    botocore_session_of,
    forget_resolved,
    is_asynchronous,
)
from gcp_aws_bridge._default_source import TokenSource
from gcp_aws_bridge._provider import GoogleWebIdentityProvider
from gcp_aws_bridge._rejected import watch
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import MissingExtra

_log = logging.getLogger("gcp_aws_bridge")


def register(
    session: Any, role: Role | str | None = None, *, token_source: TokenSource | None = None
) -> None:
    """Add the provider to a session's chain: after `env`, first where a profile was named.

    Again on the same session replaces what was registered. Clients that exist keep what they have;
    the next client gets its credentials through the new chain, unless the session was given keys.

    Args:
        session: A boto3 or botocore session.
        role: A role or its ARN. None: environment and profile say.
        token_source: None: what this machine has.
    """
    botocore_session = botocore_session_of(session)
    add_provider(GoogleWebIdentityProvider(botocore_session, checked(role), token_source))


def install(role: Role | str | None = None, *, token_source: TokenSource | None = None) -> None:
    """Register on every session made from now on, third-party code's too, and boto3's default one.

    Again replaces the settings. Sessions of aiobotocore, and so of s3fs and aioboto3, too, where
    it is not too old; else a warning says so, and they are left alone.

    Args:
        role: A role or its ARN. None: the environment and each session's profile say.
        token_source: None: what this machine has.

    Raises:
        ConfigError: The ARN is malformed.
    """
    role = checked(role)

    def initializer(session: Session) -> None:
        def chain() -> CredentialResolver:
            # Late, since boto3 sets the profile after it made the session.
            region, (new_chain, kind) = session.get_config_variable("region"), _kinds(session)
            resolver: CredentialResolver = new_chain(session, region_name=region)
            if kind is not None:
                _insert(resolver, kind(session, role, token_source))
            return resolver

        session.lazy_register_component("credential_provider", chain)
        watch(session)

    uninstall()
    _installed.append(initializer)
    botocore.register_initializer(initializer)
    default = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    if default is not None:
        register(default, role, token_source=token_source)


def uninstall() -> None:
    """Undo `install` for sessions made from now on; those that exist keep what they have."""
    while _installed:
        botocore.unregister_initializer(_installed.pop())


_installed: list[Callable[[Session], None]] = []


def add_provider(provider: GoogleWebIdentityProvider) -> None:
    """Put *provider* into its session's chain, which is walked anew."""
    session = provider.session
    _insert(session.get_component("credential_provider"), provider)
    forget_resolved(session)
    watch(session)


def checked(role: Role | str | None) -> Role | str | None:
    """A malformed ARN is an error where it was written, not in the first client."""
    if isinstance(role, str):
        Role(role)
    return role


def _kinds(session: Session) -> tuple[Callable[..., Any], type[GoogleWebIdentityProvider] | None]:
    """What makes the chain of a session like this one, and our link in it, if there is one."""
    if not is_asynchronous(session):
        return create_credential_resolver, GoogleWebIdentityProvider
    import aiobotocore.credentials  # has made the session

    new_chain: Callable[..., Any] = aiobotocore.credentials.create_credential_resolver
    try:
        from gcp_aws_bridge._aiobotocore import AioGoogleWebIdentityProvider
    except MissingExtra as error:
        # Nobody asked for this session: one that has keys of its own goes on with them.
        _log.warning("a session of aiobotocore is left alone: %s", error)
        return new_chain, None
    return new_chain, AioGoogleWebIdentityProvider


def _insert(resolver: CredentialResolver, provider: GoogleWebIdentityProvider) -> None:
    if any(other.METHOD == METHOD for other in resolver.providers):
        resolver.remove(METHOD)
    # Without `env` a profile was named (botocore leaves it out then), and that comes first.
    names = [str(other.METHOD) for other in resolver.providers]
    if "env" in names:
        resolver.insert_after("env", provider)
    elif names:
        resolver.insert_before(names[0], provider)
    else:
        resolver.providers.append(provider)
