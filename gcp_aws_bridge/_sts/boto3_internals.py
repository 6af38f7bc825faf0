"""The private attribute of boto3 that the library uses; see `botocore_internals`."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge._extra import internal


def botocore_session_in(session: object) -> Any:
    """Return the botocore session in a boto3 session; return any other object unchanged.

    Does not import boto3.

    Raises:
        ConfigError: This release of boto3 has another name for the attribute.
    """
    if any(kind.__module__ == "boto3.session" for kind in type(session).__mro__):
        return internal("boto3", session, "_session")
    return session
