"""The one attribute of boto3 that is used here and is not public; see `_botocore_internals`."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge._extra import internal


def botocore_session_in(session: object) -> Any:
    """Return the botocore session in a boto3 session, and anything else as it is.

    boto3 is not imported: a session that is none of its own needs it not.

    Raises:
        ConfigError: This release of boto3 has another name for it.
    """
    if any(kind.__module__ == "boto3.session" for kind in type(session).__mro__):
        return internal("boto3", session, "_session")
    return session
