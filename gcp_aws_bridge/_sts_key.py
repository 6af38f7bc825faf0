"""A name for how a botocore session reaches STS: equal where the same server is reached alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError
from botocore.session import Session

from gcp_aws_bridge._botocore_session import client_options
from gcp_aws_bridge._environment import digest, sts_variables
from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from gcp_aws_bridge._environment import Variables

# Keys of a profile that the way to STS does not depend on, and which are secret.
_SECRET = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class StsKey(NamedTuple):
    """Everything that decides which server is asked, and how; digests, since proxies have passwords.

    Args:
        session: Of what the program set in the session, and of the session's profile.
        variables: Of each variable of the environment.
    """

    region_name: str
    session: str
    variables: Variables


def sts_key(session: Session, region_name: str) -> StsKey:
    """Return the name for *session* as it is now, in the environment as it is now."""
    variables = tuple((name, digest(value)) for name, value in sts_variables(os.environ))
    return StsKey(region_name, digest(_settings(session), _profile(session)), variables)


def environment_changed(before: StsKey, now: StsKey) -> ConfigError:
    """Return the error for a client that would be made in another way than the first."""
    names = {name for name, _ in {*before.variables} ^ {*now.variables}}
    said = ", ".join(sorted(name or "the working directory" for name in names))
    return ConfigError(
        "Another STS could be asked than when this session was made, since the environment has "
        f"changed: {said or 'the profile or the session'}.",
        fix="make the session again; or change the environment before the first session is made.",
        error_id="config/environment-changed",
    )


def _settings(session: Session) -> tuple[Any, ...]:
    """Return what the program set in the session itself: a CA bundle, proxies and the like."""
    given = session.instance_variables().items()
    variables = [one for one in given if one[0] not in ("region", "profile")]
    return sorted(variables), client_options(session)


def _profile(session: Session) -> tuple[Any, ...]:
    """Return what the session has read of its profile, with the services section that it names.

    Not the names of profile and file: a session that has read them keeps what it read, whatever the
    environment names later.
    """
    try:
        profile = {
            name: value
            for name, value in session.get_scoped_config().items()
            if name not in _SECRET
        }
        services = session.full_config.get("services", {}).get(profile.get("services"))
    except BotoCoreError:  # making the client says so
        return ()
    return sorted(profile.items()), services
