"""Registration in the credential chain of one session, or of all new sessions."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import botocore
from botocore.credentials import CredentialResolver
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from gcp_aws_bridge._botocore.credentials import METHOD
from gcp_aws_bridge._botocore.provider import GoogleWebIdentityProvider
from gcp_aws_bridge._cache.fork import once_per_process
from gcp_aws_bridge._settings import KEYS_FIRST
from gcp_aws_bridge._sts.botocore_internals import components
from gcp_aws_bridge._sts.session_settings import (
    botocore_session_of,
    forget_resolved,
    has_resolved,
    is_asynchronous,
    role_for,
)
from gcp_aws_bridge._tokens.default import TokenSource
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, MissingExtra

_log = logging.getLogger("gcp_aws_bridge")
_CHAIN = "credential_provider"  # botocore's name of the component


def register(
    session: Any, role: Role | str | None = None, *, token_source: TokenSource | None = None
) -> None:
    """Add the provider to a session's chain: after `env`, or first if a profile was named.

    Another call for the same session replaces the provider. Existing clients keep their
    credentials; new clients use the new chain, unless the program has set keys in the session.
    Until a role is configured, the session works exactly as without this library.

    Args:
        session: A boto3 or botocore session.
        role: A role or its ARN. None: from the environment or the profile.
        token_source: The token source. None: the source that this machine has.
    """
    add_provider(botocore_session_of(session), role, token_source)


def install(role: Role | str | None = None, *, token_source: TokenSource | None = None) -> None:
    """Register on all new sessions, including those of third-party code, and boto3's default one.

    If a session without a configured role looks for credentials, the library logs one warning in
    each process, which names the settings; if keys in the environment precede the role, it logs
    one message of level INFO. A session without a configured role works exactly as without this
    library.

    Another call replaces the settings. Also applies to sessions of aiobotocore, and so of s3fs and
    aioboto3; if aiobotocore is too old, the library logs a warning and leaves them alone.

    Args:
        role: A role or its ARN. None: from the environment or the profile of each session.
        token_source: The token source. None: the source that this machine has.

    Raises:
        ConfigError: The ARN is malformed.
    """
    role = checked(role)

    def initializer(session: Session) -> None:
        attach(session, role, token_source)

    uninstall()
    _installed.append(initializer)
    botocore.register_initializer(initializer)
    default = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    if default is not None:
        register(default, role, token_source=token_source)


def uninstall() -> None:
    """Undo `install` for new sessions. Existing sessions keep their credentials."""
    changed_by_program.set()
    while _installed:
        botocore.unregister_initializer(_installed.pop())


_installed: list[Callable[[Session], None]] = []
# Set if the program calls `install` or `uninstall`, which replace what `gcp-aws-bridge run` does.
changed_by_program = threading.Event()


def attach(session: Session, role: Role | str | None, token_source: TokenSource | None) -> None:
    """Register on a new session, which may belong to code that does not use this library."""
    try:
        ChainHook(session, role, token_source).attach()
    except ConfigError as error:
        _log.warning("install() leaves a session alone: %s", error)


def add_provider(
    session: Session, role: Role | str | None, token_source: TokenSource | None
) -> None:
    """Add the provider to the chain of *session*, which the next client uses."""
    hook = ChainHook(session, checked(role), token_source)
    hook.attach()
    if has_resolved(session) and hook.has_role():
        forget_resolved(session)


def checked(role: Role | str | None) -> Role | str | None:
    """Return *role* after a check, so that a malformed ARN is an error before the first client.

    Raises:
        ConfigError: The ARN is malformed.
    """
    if isinstance(role, str):
        Role(role)
    return role


class ChainHook:
    """Adds the provider to the credential chain of one session, once a role is configured.

    botocore creates the chain, when it needs it and with the region of the client that needs it.
    The role is looked up each time botocore requests the chain, because the environment may
    change.
    """

    _SHADOWED = ("get_component", "register_component", "lazy_register_component")

    def __init__(
        self, session: Session, role: Role | str | None, token_source: TokenSource | None
    ) -> None:
        self._session = session
        self._role = role
        self._token_source = token_source
        self._components = components(session)
        self._changed: list[CredentialResolver] = []
        self._is_attached = False

    def attach(self) -> None:
        """Attach to the session, instead of an earlier hook."""
        earlier = getattr(self._components.get_component, "__self__", None)
        if isinstance(earlier, ChainHook):
            earlier._detach()
        self._original = {name: getattr(self._components, name) for name in self._SHADOWED}
        self._before = {**vars(self._components)}
        vars(self._components).update({name: getattr(self, name) for name in self._SHADOWED})
        self._is_attached = True

    def _detach(self) -> None:
        """Restore the session's methods. A hook around this one stays, and calls an idle hook."""
        self._is_attached = False
        attributes = vars(self._components)
        for name in self._SHADOWED:
            if attributes[name] == getattr(self, name):
                del attributes[name]
                attributes.update({name: self._before[name]} if name in self._before else {})

    def get_component(self, name: str) -> Any:
        component = self._original["get_component"](name)
        if name == _CHAIN and self._is_attached and self._is_unchanged(component):
            self._change(component)
        return component

    def register_component(self, name: str, component: Any) -> None:
        """Register a component. A chain that a program registers is not changed."""
        if name == _CHAIN:
            self._detach()
        self._original["register_component"](name, component)

    def lazy_register_component(self, name: str, factory: Callable[[], Any]) -> None:
        if name == _CHAIN:
            self._detach()
        self._original["lazy_register_component"](name, factory)

    def has_role(self) -> bool:
        """Return whether a role is configured, or settings of one are malformed."""
        if self._role is not None:
            return True
        try:
            return role_for(self._session, None) is not None
        except ConfigError:
            return True  # the provider raises it, where botocore expects errors
        except BotoCoreError:
            return False  # a missing profile or an unreadable file, which botocore reports

    def _is_unchanged(self, resolver: CredentialResolver) -> bool:
        # Change each chain only once: a program may remove the provider from it.
        return not any(changed is resolver for changed in self._changed)

    def _change(self, resolver: CredentialResolver) -> None:
        if not self.has_role():
            once_per_process(
                "no role", lambda: _log.warning(_NO_ROLE, _how_to_set_role(self._session))
            )
            return
        if os.environ.get("AWS_ACCESS_KEY_ID") and _has_env(resolver):
            once_per_process("keys first", lambda: _log.info(KEYS_FIRST))
        kind = _kind_for(self._session)
        if kind is not None:
            _insert(resolver, kind(self._session, self._role, self._token_source))
        self._changed.append(resolver)


def _kind_for(session: Session) -> type[GoogleWebIdentityProvider] | None:
    """Return the provider class for a session, or None if aiobotocore is too old."""
    if not is_asynchronous(session):
        return GoogleWebIdentityProvider
    try:
        from gcp_aws_bridge._botocore.aiobotocore import AioGoogleWebIdentityProvider
    except MissingExtra as error:
        # `install()` also affects third-party sessions, so leave sessions with keys alone.
        _log.warning("a session of aiobotocore is left alone: %s", error)
        return None
    return AioGoogleWebIdentityProvider


_NO_ROLE = (
    "no role is configured for a session, whose AWS credentials come from botocore's own "
    "providers: %s"
)


def _how_to_set_role(session: Session) -> str:
    if session.instance_variables().get("profile") is not None:
        return "set gcp_role_arn in its profile, which was named, or pass a role."
    if os.environ.get("AWS_ROLE_ARN") and os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return (
            "AWS_ROLE_ARN is set with AWS_WEB_IDENTITY_TOKEN_FILE, a pair that is left to "
            "botocore. Set GCP_AWS_BRIDGE_ROLE_ARN, or unset AWS_WEB_IDENTITY_TOKEN_FILE."
        )
    return (
        "set GCP_AWS_BRIDGE_ROLE_ARN or AWS_ROLE_ARN in the environment, or gcp_role_arn in the "
        "AWS profile, or pass a role."
    )


def _has_env(resolver: CredentialResolver) -> bool:
    return any(provider.METHOD == "env" for provider in resolver.providers)


def _insert(resolver: CredentialResolver, provider: GoogleWebIdentityProvider) -> None:
    # Assign a new list: another thread may be iterating over the old one, or inserting too.
    providers = [other for other in resolver.providers if other.METHOD != METHOD]
    # botocore omits `env` if a profile was named; a named profile comes first.
    after_env = [at + 1 for at, other in enumerate(providers) if other.METHOD == "env"]
    at = after_env[0] if after_env else 0
    resolver.providers = [*providers[:at], provider, *providers[at:]]
