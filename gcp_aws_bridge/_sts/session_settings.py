"""What is read from a botocore session, and the one thing that is changed in it."""

from __future__ import annotations

import inspect
import os
from typing import Any

from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ProfileNotFound
from botocore.handlers import BUILTIN_HANDLERS
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

_PLAIN = Config()
_IMPORTED_IN = os.getpid()
_REFRESH_S = 5.0  # longer than a refresh of botocore's takes


def is_asynchronous(session: Session) -> bool:
    """Return whether *session* is aiobotocore's."""
    return inspect.iscoroutinefunction(session.get_credentials)


def synchronous(session: Session) -> Session:
    """Return *session*; for aiobotocore's, a botocore session that reaches STS in the same way."""
    if not is_asynchronous(session):
        return session
    twin = _Twin(session)
    for event, handler, *_ in BUILTIN_HANDLERS:  # all hundred would take as long as the exchange
        if "." not in event or event.split(".")[1] == "sts":
            twin.register(event, handler)
    for name, value in session.instance_variables().items():
        twin.set_config_variable(name, value)
    # It remembers what it has read, 2 MB of endpoints among it.
    twin.register_component("data_loader", session.get_component("data_loader"))
    if given := client_options(session):
        twin.set_default_client_config(Config(**given))
    return twin


class _Twin(Session):
    """A session of botocore with the profiles that *original* has read, whatever is read now."""

    def __init__(self, original: Session) -> None:
        profile = original.instance_variables().get("profile")
        super().__init__(include_builtin_handlers=False, profile=profile)
        self._original = original

    @property
    def full_config(self) -> dict[str, Any]:
        found: dict[str, Any] = self._original.full_config
        return found


def client_options(session: Session) -> dict[str, Any]:
    """Return the options of the session's default client config, without aiobotocore's own."""
    config = session.get_default_client_config()
    if config is None:
        return {}
    options = {name: getattr(config, name) for name in Config.OPTION_DEFAULTS}
    return {name: it for name, it in options.items() if it != getattr(_PLAIN, name)}


def botocore_session_of(session: Any, *, asynchronous: bool = False) -> Session:
    """Return a boto3 session's botocore session; if *asynchronous*, aioboto3's aiobotocore one."""
    inner = botocore_session_in(session)
    if isinstance(inner, Session) and is_asynchronous(inner) is asynchronous:
        return inner
    wanted, elsewhere = (
        ("aiobotocore or aioboto3", "gcp_aws_bridge.register and .session are for the others")
        if asynchronous
        else ("boto3 or botocore", "gcp_aws_bridge.aio has the same for aiobotocore and aioboto3")
    )
    raise ConfigError(
        f"{type(session).__module__}.{type(session).__qualname__} is no {wanted} session.",
        fix=f"pass a session of {wanted}; {elsewhere}.",
        error_id="config/session",
    )


def found_anew(session: Session) -> Any:
    """What the session's chain finds, walked again where it was keys that botocore cannot refresh.

    botocore would keep those for ever. Nothing is taken from a session that other threads use.
    """
    found = resolved_credentials(session)
    if found is None:
        found = session.get_component("credential_provider").load_credentials()
        if isinstance(found, RefreshableCredentials):
            set_resolved_credentials(session, found)
    return found


def forget_resolved(session: Session, *, given_too: bool = False) -> None:
    """Have the session walk its chain again; keys that it was given stay, unless *given_too*."""
    if given_too or has_resolved(session):
        set_resolved_credentials(session, None)


def has_resolved(session: Session) -> bool:
    """Return whether the session holds credentials that its chain found."""
    resolved = resolved_credentials(session)
    return resolved is not None and resolved.method != "explicit"


@without_inner_frames  # the environment and the profile may hold keys
def role_for(session: Session, role: Role | str | None, **arguments: Any) -> Role | None:
    """The role that arguments, environment and the session's profile ask for together."""
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
    """Return the setting of the environment or of the session's profile, or None."""
    return _settings.metadata_deadline_s(
        os.environ, _profile(session), named_profile=_is_named(session)
    )


def _is_named(session: Session) -> bool:
    return session.instance_variables().get("profile") is not None


def no_profile(error: ProfileNotFound) -> ConfigError:
    """In our words, for a command line."""
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
    """Frees the locks of a session's credentials in a forked child.

    botocore holds a lock while it refreshes credentials. A child that is forked then inherits the
    lock without the thread that would release it.

    Args:
        session: boto3's or botocore's.
    """

    def __init__(self, session: Any) -> None:
        self._session = botocore_session_in(session)
        self._process = _IMPORTED_IN
        reset_after_fork(self)

    def after_fork_in_child(self) -> None:
        """Replace the locks: no other thread is there that could hold one."""
        self._replace(wait_s=0)

    def ensure(self) -> None:
        """Do the same in a child whose fork ran no hooks, or that was given a parent's session.

        Another thread may hold a lock there, so that it is given a few seconds.
        """
        if self._process != os.getpid():
            self._replace(wait_s=_REFRESH_S)

    def _replace(self, wait_s: float) -> None:
        self._process = os.getpid()
        if isinstance(self._session, Session):
            unlock(resolved_credentials(self._session), wait_s)
