"""Installation by `gcp-aws-bridge run`: the role of new sessions in a program that was not changed.

Reads `GCP_AWS_BRIDGE_ID_TOKEN_FILE` and `GCP_AWS_BRIDGE_IMPERSONATE`, which the command sets.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from botocore.session import Session

from gcp_aws_bridge._botocore import install
from gcp_aws_bridge._cache.fork import once_per_process

if TYPE_CHECKING:
    from gcp_aws_bridge._tokens.default import TokenSource

ID_TOKEN_FILE = "GCP_AWS_BRIDGE_ID_TOKEN_FILE"
IMPERSONATE = "GCP_AWS_BRIDGE_IMPERSONATE"
_log = logging.getLogger("gcp_aws_bridge")


def attach(session: Session) -> None:
    """Register on a new session, unless the program has called `install` or `uninstall`."""
    if install.changed_by_program.is_set():
        return
    install.attach(session, None, _source())
    once_per_process("run", _log_installed)


def _source() -> TokenSource | None:
    """Return the token source that the command line of `run` named, or None."""
    environ = os.environ
    if path := environ.get(ID_TOKEN_FILE):
        from gcp_aws_bridge._tokens.token_file import TokenFile

        return TokenFile(path)
    if account := environ.get(IMPERSONATE):
        from gcp_aws_bridge._tokens.google_auth import GoogleCredentials

        return GoogleCredentials(impersonate=account)
    return None


def _log_installed() -> None:
    role = os.environ.get("GCP_AWS_BRIDGE_ROLE_ARN") or os.environ.get("AWS_ROLE_ARN")
    _log.info(
        "gcp-aws-bridge run: new sessions of boto3, botocore and aiobotocore use the role %s",
        role or "of their AWS profile",
    )
