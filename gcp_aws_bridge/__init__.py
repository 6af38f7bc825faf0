"""Exchange a Google identity for AWS credentials, always fresh, refreshed in the background.

    import gcp_aws_bridge as bridge

    session = bridge.session("arn:aws:iam::123456789012:role/etl")  # a boto3.Session

Names are imported when first used (PEP 562), so that commands without botocore start quickly.
Names in `__all__` are public; modules with a leading underscore are private.
"""

from __future__ import annotations

from gcp_aws_bridge._version import __version__ as __version__

TYPE_CHECKING = False  # understood by type checkers; without the cost of importing typing

__all__ = [
    "AwsCredentials",
    "ChainedRole",
    "DefaultSource",
    "Event",
    "GoogleCredentials",
    "MetadataServer",
    "Role",
    "TokenFile",
    "TokenSource",
    "credentials",
    "exceptions",
    "install",
    "on_event",
    "register",
    "session",
    "signer",
    "uninstall",
]

if TYPE_CHECKING:
    from typing import Any

    from gcp_aws_bridge import exceptions
    from gcp_aws_bridge._botocore.install import install, register, uninstall
    from gcp_aws_bridge._botocore.session import credentials, session
    from gcp_aws_bridge._botocore.signer import signer
    from gcp_aws_bridge._cache.events import Event, on_event
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge.config import ChainedRole, Role
    from gcp_aws_bridge.tokens import (
        DefaultSource,
        GoogleCredentials,
        MetadataServer,
        TokenFile,
        TokenSource,
    )

_HOME = {
    "AwsCredentials": "_sts.credentials",
    "ChainedRole": "config",
    "DefaultSource": "_tokens.default",
    "Event": "_cache.events",
    "GoogleCredentials": "_tokens.google_auth",
    "MetadataServer": "_tokens.metadata_server",
    "Role": "config",
    "TokenFile": "_tokens.token_file",
    "TokenSource": "_tokens.default",
    "credentials": "_botocore.session",
    "install": "_botocore.install",
    "on_event": "_cache.events",
    "register": "_botocore.install",
    "session": "_botocore.session",
    "signer": "_botocore.signer",
    "uninstall": "_botocore.install",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "exceptions":
        return importlib.import_module("gcp_aws_bridge.exceptions")
    if name not in _HOME:
        raise AttributeError(f"module 'gcp_aws_bridge' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gcp_aws_bridge.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
