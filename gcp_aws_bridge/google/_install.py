"""`google.auth.default` returns the credentials of this machine's AWS identity.

Like the provider in botocore's chain, they come after credentials that the environment names, which
is a file in `GOOGLE_APPLICATION_CREDENTIALS`, and before all others.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from google.auth.exceptions import DefaultCredentialsError

from gcp_aws_bridge._cache.fork import once_per_process, process_lock
from gcp_aws_bridge._tokens.google_auth_internals import first_step, set_first_step
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, TokenUnavailable, as_cause
from gcp_aws_bridge.google import _federation
from gcp_aws_bridge.google._credentials import Credentials, SigningCredentials
from gcp_aws_bridge.google._environment import AwsEnvironment
from gcp_aws_bridge.google._federated_identity import Identity
from gcp_aws_bridge.google._federation import CLOUD_PLATFORM
from gcp_aws_bridge.google._settings import identity_of
from gcp_aws_bridge.google._subject_tokens import OfAws

if TYPE_CHECKING:
    Answer = tuple[Any, str | None]  # credentials and project; None, None: ask the next step
    # Creates the identity from the settings and the current environment.
    Identify = Callable[[], tuple[Identity, str | None]]

_log = logging.getLogger("gcp_aws_bridge")
_lock = process_lock()
_installed: list[Identify] = []  # at most one
# Set if the program calls `install` or `uninstall`, which replace what `gcp-aws-bridge run` does.
changed_by_program = threading.Event()
# A credential configuration that only google-auth can read.
_NOT_OURS = ("config/google-file", "config/google-source")


def install(identify: Identify) -> None:
    """Let `google.auth.default` return credentials of the identity; raises as `first_step` does."""
    with _lock.get():
        step = first_step()
        if not isinstance(step, _Step):
            set_first_step(_Step(step))
        _installed[:] = [identify]


def uninstall() -> None:
    """Let `google.auth.default` return what google-auth finds itself."""
    with _lock.get():
        _installed.clear()
        step = first_step()
        if isinstance(step, _Step):  # otherwise a program has wrapped it, and it stays, idle
            set_first_step(step.original)


def install_by_run() -> None:
    """Install what `gcp-aws-bridge run --google` requests, unless the program decides itself."""
    if not changed_by_program.is_set():
        install(lambda: identity_of(None))
        once_per_process("google run", _log_installed)


def _log_installed() -> None:
    _log.info(
        "gcp-aws-bridge run: google.auth.default() returns credentials of %s",
        os.environ.get("GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT") or "the federated identity",
    )


class _Step:
    """The first step of `google.auth.default`: the AWS identity, else the original step."""

    def __init__(self, original: Callable[..., Answer]) -> None:
        self.original = original

    def __call__(self, quota_project_id: str | None = None) -> Answer:
        installed = _installed[:]  # another thread may uninstall
        ours = _answer(installed[0]) if installed else None
        return ours or self.original(quota_project_id=quota_project_id)


@without_inner_frames  # the environment may hold keys
def _answer(identify: Identify) -> Answer | None:
    """Return the credentials and their project, or None if the original step comes first.

    Raises:
        DefaultCredentialsError: A setting is malformed.
    """
    file = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if file and not _is_configuration(file):
        once_per_process("google file first", lambda: _log.info(_FILE_FIRST))
        return None
    try:
        identity, quota_project_id = identify()
    except ConfigError as error:
        if error.error_id == "config/google-none":
            once_per_process("google none", lambda: _log.warning(_NO_PROVIDER))
        elif error.error_id not in _NOT_OURS:
            raise DefaultCredentialsError(str(error)) from as_cause(error)
        return None
    return _made(identity, quota_project_id) if _is_here(identity) else None


def _is_here(identity: Identity) -> bool:
    """Return whether this machine has the identity, even if botocore cannot get its keys now."""
    if isinstance(identity.source, OfAws):
        try:
            _require_keys(os.getpid(), identity.source, AwsEnvironment.now())
        except TokenUnavailable as error:
            _log.debug("no AWS identity here: google-auth's own credentials. %s", error)
            return False
        except BridgeError as error:  # the request that needs a token has it, or a retry works
            _log.debug("google.auth.default returns credentials without AWS keys. %s", error)
    return True


def _made(identity: Identity, quota_project_id: str | None) -> Answer:
    federation = identity.federation
    kind = Credentials if federation.service_account is None else SigningCredentials
    made = kind(identity, (), quota_project_id, default_scopes=(CLOUD_PLATFORM,))
    if not quota_project_id:
        made = made.with_quota_project_from_environment()
    return made, federation.project


@lru_cache(maxsize=8)  # no exceptions
def _require_keys(process: int, source: OfAws, environment: AwsEnvironment) -> None:
    """Check that this machine has the AWS identity; libraries call `default` for each client.

    Raises:
        TokenUnavailable: It has none.
        TokenError: botocore could not get the keys of the identity.
    """
    source._identity(environment).frozen()


def _is_configuration(path: str) -> bool:
    """Return whether *path* is a credential configuration for workload identity federation."""
    try:
        _federation.read(path)
    except ConfigError:
        return False
    return True


_FILE_FIRST = (
    "GOOGLE_APPLICATION_CREDENTIALS names credentials of its own, which google.auth.default() "
    "returns before those of the AWS identity. To use the AWS identity, unset it."
)
_NO_PROVIDER = (
    "no workload identity provider is configured, so google.auth.default() returns google-auth's "
    "own credentials: set GCP_AWS_BRIDGE_GOOGLE_AUDIENCE, or pass an audience to install()."
)
