"""What is read from a botocore session, and the one thing that is changed in it."""

from __future__ import annotations

import inspect
import os
from typing import Any

from botocore.exceptions import ProfileNotFound
from botocore.session import Session

from gcp_aws_bridge._settings import resolve
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError


def botocore_session_of(session: Any) -> Session:
    """The botocore session inside a boto3 one."""
    inner = getattr(session, "_session", session)  # boto3 gives it no public name
    if not isinstance(inner, Session):
        raise ConfigError(
            f"{type(session).__name__} is no boto3 or botocore session.",
            fix="pass a boto3.Session() or botocore.session.Session().",
            error_id="config/session",
        )
    if inspect.iscoroutinefunction(inner.get_credentials):
        raise ConfigError(
            f"{type(session).__name__} is asynchronous.",
            fix="use a boto3 or botocore session here.",
            error_id="config/session",
        )
    return inner


def forget_resolved(session: Session, *, given_too: bool = False) -> None:
    """Have the session walk its chain again; keys that it was given stay, unless *given_too*."""
    resolved = getattr(session, "_credentials", None)  # botocore has no public way to ask
    if resolved is not None and (given_too or resolved.method != "explicit"):
        vars(session)["_credentials"] = None


def role_for(session: Session, role: Role | str | None, **arguments: Any) -> Role | None:
    """The role that arguments, environment and the session's profile ask for together."""
    if isinstance(role, Role):
        return role
    named_profile = session.instance_variables().get("profile") is not None
    return resolve(
        {"arn": role, **arguments},
        environ=os.environ,
        profile=_profile(session),
        named_profile=named_profile,
    )


def _profile(session: Session) -> dict[str, Any]:
    try:
        return dict(session.get_scoped_config())
    except ProfileNotFound:
        if session.instance_variables().get("profile") is not None:
            raise
        return {}
