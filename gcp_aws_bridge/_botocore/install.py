"""Ways into a session's credential chain: one session, or every session made from now on."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import botocore
from botocore.credentials import CredentialResolver
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from gcp_aws_bridge._botocore.credentials import METHOD
from gcp_aws_bridge._botocore.provider import GoogleWebIdentityProvider
from gcp_aws_bridge._cache.fork import PerProcess
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
    """Add the provider to a session's chain: after `env`, first where a profile was named.

    Again on the same session replaces what was registered. Clients that exist keep what they have;
    the next client gets its credentials through the new chain, unless the session was given keys.
    Until a role is configured, the session stays exactly as it is without this library.

    Args:
        session: A boto3 or botocore session.
        role: A role or its ARN. None: environment and profile say.
        token_source: None: what this machine has.
    """
    add_provider(botocore_session_of(session), role, token_source)


def install(role: Role | str | None = None, *, token_source: TokenSource | None = None) -> None:
    """Register on every session made from now on, third-party code's too, and boto3's default one.

    Where no role is configured for a session that looks for credentials, one warning for the
    process names the settings; where keys in the environment come before the role, one message
    of level INFO says so.

    Again replaces the settings. Sessions of aiobotocore, and so of s3fs and aioboto3, too, where
    it is not too old; else a warning says so, and they are left alone. A session for which no role
    is configured stays exactly as it is without this library.

    Args:
        role: A role or its ARN. None: the environment and each session's profile say.
        token_source: None: what this machine has.

    Raises:
        ConfigError: The ARN is malformed.
    """
    role = checked(role)

    def initializer(session: Session) -> None:
        try:
            ChainHook(session, role, token_source).attach()
        except ConfigError as error:
            # The session may be a third party's, which did not ask for this library.
            _log.warning("install() leaves a session alone: %s", error)

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


def add_provider(
    session: Session, role: Role | str | None, token_source: TokenSource | None
) -> None:
    """Add the provider to the chain of *session*, and let the next client walk that chain."""
    hook = ChainHook(session, checked(role), token_source)
    hook.attach()
    if has_resolved(session) and hook.has_role():
        forget_resolved(session)


def checked(role: Role | str | None) -> Role | str | None:
    """A malformed ARN is an error where it was written, not in the first client."""
    if isinstance(role, str):
        Role(role)
    return role


class ChainHook:
    """Adds the provider to the credential chain of one session, once a role applies to it.

    Until then the chain is exactly botocore's: made by botocore's own code, when botocore needs it
    and with the region of the client that needs it. The role is looked up each time the chain is
    asked for, because the environment may name one later.
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
        """Take the place of an earlier hook, if any."""
        earlier = getattr(self._components.get_component, "__self__", None)
        if isinstance(earlier, ChainHook):
            earlier._detach()
        self._original = {name: getattr(self._components, name) for name in self._SHADOWED}
        self._before = {**vars(self._components)}
        vars(self._components).update({name: getattr(self, name) for name in self._SHADOWED})
        self._is_attached = True

    def _detach(self) -> None:
        """Restore what was there; a hook that was put around this one stays, and finds it idle."""
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
        """A chain that is registered by hand is used as it is."""
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
            return False  # no profile, or no file that can be read: botocore's own error to raise

    def _is_unchanged(self, resolver: CredentialResolver) -> bool:
        # A chain is changed once: the provider may be removed from it by hand.
        return not any(changed is resolver for changed in self._changed)

    def _change(self, resolver: CredentialResolver) -> None:
        if not self.has_role():
            _say_once("no role", lambda: _log.warning(_NO_ROLE, _where_roles_are(self._session)))
            return
        if os.environ.get("AWS_ACCESS_KEY_ID") and _has_env(resolver):
            _say_once("keys first", lambda: _log.info(_KEYS_FIRST))
        kind = _kind_for(self._session)
        if kind is not None:
            _insert(resolver, kind(self._session, self._role, self._token_source))
        self._changed.append(resolver)


def _kind_for(session: Session) -> type[GoogleWebIdentityProvider] | None:
    """Return the provider's class for a session like this one; None if there is none."""
    if not is_asynchronous(session):
        return GoogleWebIdentityProvider
    try:
        from gcp_aws_bridge._botocore.aiobotocore import AioGoogleWebIdentityProvider
    except MissingExtra as error:
        # `install()` also reaches sessions of third parties: one that has keys goes on with them.
        _log.warning("a session of aiobotocore is left alone: %s", error)
        return None
    return AioGoogleWebIdentityProvider


# One message of each kind for a process: a forked child is another one.
_said: PerProcess[dict[str, object]] = PerProcess(dict)
_NO_ROLE = (
    "no role is configured for a session, whose AWS credentials come from botocore's own "
    "providers: %s"
)
_KEYS_FIRST = (
    "AWS_ACCESS_KEY_ID is set: botocore takes the keys in the environment before the configured "
    "role. To use the role, unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
)


def _say_once(what: str, say: Callable[[], None]) -> None:
    """Call *say* unless this process has said *what* already."""
    mine = object()
    if _said.get().setdefault(what, mine) is mine:
        say()


def _where_roles_are(session: Session) -> str:
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
    # A new list, assigned at once: another thread may be walking the old one, or be here too.
    providers = [other for other in resolver.providers if other.METHOD != METHOD]
    # botocore leaves `env` out where a profile was named, and a named profile comes first.
    after_env = [at + 1 for at, other in enumerate(providers) if other.METHOD == "env"]
    at = after_env[0] if after_env else 0
    resolver.providers = [*providers[:at], provider, *providers[at:]]
