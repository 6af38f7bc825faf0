"""Settings of a botocore session that the library reads, and its resolved credentials."""

from __future__ import annotations

import inspect
import os
from typing import Any

from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ProfileNotFound
from botocore.session import Session

from gcp_aws_bridge import _settings
from gcp_aws_bridge._cache.fork_hook import reset_after_fork
from gcp_aws_bridge._sts.boto3_internals import botocore_session_in
from gcp_aws_bridge._sts.botocore_internals import (
    resolved_credentials,
    set_resolved_credentials,
    unlock,
)
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, quoted

_IMPORTED_IN = os.getpid()
_REFRESH_S = 5.0  # longer than a refresh by botocore


def is_asynchronous(session: Session) -> bool:
    """Return whether *session* is a session of aiobotocore."""
    return inspect.iscoroutinefunction(session.get_credentials)


def client_options(session: Session) -> dict[str, Any]:
    """Return the options of the session's default client config, except aiobotocore's."""
    config = session.get_default_client_config()
    if config is None:
        return {}
    plain = Config()
    options = {name: getattr(config, name) for name in Config.OPTION_DEFAULTS}
    return {name: value for name, value in options.items() if value != getattr(plain, name)}


def botocore_session_of(session: Any, *, asynchronous: bool = False) -> Session:
    """Return the botocore session of a boto3 session, or the aiobotocore session of aioboto3.

    Raises:
        ConfigError: This is a session of another library.
    """
    inner = botocore_session_in(session)
    if isinstance(inner, Session) and is_asynchronous(inner) is asynchronous:
        return inner
    expected, elsewhere = (
        ("aiobotocore or aioboto3", "gcp_aws_bridge.register and .session are for the others")
        if asynchronous
        else ("boto3 or botocore", "gcp_aws_bridge.aio has the same for aiobotocore and aioboto3")
    )
    raise ConfigError(
        f"{type(session).__module__}.{type(session).__qualname__} is no {expected} session.",
        fix=f"pass a session of {expected}; {elsewhere}.",
        error_id="config/session",
    )


def current_credentials(session: Session) -> Any:
    """Return the session's credentials; call its providers again if botocore cannot refresh them.

    botocore would keep those credentials for ever. For sessions that no other thread uses.
    """
    found = resolved_credentials(session)
    if found is None:
        found = session.get_component("credential_provider").load_credentials()
        if isinstance(found, RefreshableCredentials):
            set_resolved_credentials(session, found)
    return found


def forget_resolved(session: Session, *, explicit_too: bool = False) -> None:
    """Delete the session's resolved credentials, so that it calls its providers again.

    Args:
        session: The session.
        explicit_too: Also delete keys that the program set.
    """
    if explicit_too or has_resolved(session):
        set_resolved_credentials(session, None)


def has_resolved(session: Session) -> bool:
    """Return whether the session has credentials from one of its providers."""
    resolved = resolved_credentials(session)
    return resolved is not None and resolved.method != "explicit"


@without_inner_frames  # the environment and the profile may hold keys
def role_for(session: Session, role: Role | str | None, **arguments: Any) -> Role | None:
    """Return the role from arguments, environment and the session's profile, or None."""
    if isinstance(role, Role):
        return role
    return _settings.resolve(
        {"arn": role, **arguments},
        environ=os.environ,
        profile=_profile(session),
        named_profile=_is_named(session),
    )


@without_inner_frames
def metadata_deadline_s(session: Session) -> float | None:
    """Return the metadata deadline from the environment or the session's profile, or None."""
    return _settings.metadata_deadline_s(
        os.environ, _profile(session), named_profile=_is_named(session)
    )


def _is_named(session: Session) -> bool:
    return session.instance_variables().get("profile") is not None


def no_profile(error: ProfileNotFound) -> ConfigError:
    """Return the error for a missing profile, for a command line."""
    return ConfigError(
        f"{quoted(str(error))}.",
        fix="look at --profile, AWS_PROFILE and the files in ~/.aws.",
        error_id="config/profile",
    )


def _profile(session: Session) -> dict[str, Any]:
    try:
        return dict(session.get_scoped_config())
    except ProfileNotFound:
        if session.instance_variables().get("profile") is not None:
            raise
        return {}


class UnlockedAfterFork:
    """Replaces the locks of a session's credentials in a forked child.

    botocore holds a lock while it refreshes credentials. A child process forked during a refresh
    inherits the lock, but not the thread that would release it.

    Args:
        session: A session of boto3 or botocore.
    """

    def __init__(self, session: Any) -> None:
        self._session = botocore_session_in(session)
        self._process = _IMPORTED_IN
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        """Replace the locks. The child has no other thread that could hold one."""
        self._replace(wait_s=0)

    def ensure(self) -> None:
        """Replace the locks in a child whose fork ran no hooks, or that got its parent's session.

        Waits up to 5 s for each lock, since another thread of the child may hold it.
        """
        if self._process != os.getpid():
            self._replace(wait_s=_REFRESH_S)

    def _replace(self, wait_s: float) -> None:
        self._process = os.getpid()
        if isinstance(self._session, Session):
            unlock(resolved_credentials(self._session), wait_s)
