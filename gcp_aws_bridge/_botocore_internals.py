"""Every attribute of botocore's objects that is used here and is not public.

botocore may rename one in any release. Each is read in this module only, so that a rename is one
error that names the attribute, and a test finds it before a release is supported.
"""

from __future__ import annotations

from typing import Any

import botocore
from botocore.session import Session

from gcp_aws_bridge.exceptions import ConfigError


def components(session: Session) -> Any:
    """Return the locator from which *session* and its methods get their components.

    `Session.get_component` is public, but `Session.get_credentials` does not call it.

    Raises:
        ConfigError: This release of botocore has no such attribute.
    """
    return _attribute(session, "_components")


def resolved_credentials(session: Session) -> Any:
    """Return the credentials that *session* holds, or None if its chain was not walked yet.

    `Session.get_credentials` is public, but it walks the chain.

    Raises:
        ConfigError: This release of botocore has no such attribute.
    """
    return _attribute(session, "_credentials")


def set_resolved_credentials(session: Session, credentials: Any) -> None:
    """Have *session* hold *credentials*; with None, it walks its chain again when asked for them.

    `Session.set_credentials` is public, but it takes only keys that do not expire.

    Raises:
        ConfigError: This release of botocore has no such attribute.
    """
    resolved_credentials(session)
    vars(session)["_credentials"] = credentials


def _attribute(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name)
    except AttributeError:
        raise ConfigError(
            f"botocore {botocore.__version__} has no {type(thing).__name__}.{name}, which this "
            "release of gcp-aws-bridge uses.",
            fix="upgrade gcp-aws-bridge, or install an older botocore.",
            error_id="config/internals",
        ) from None
