"""STS in one region, with the settings of a botocore session.

Invariant: tokens and keys reach no log, at any level.
"""

from __future__ import annotations

import logging
from threading import RLock
from typing import TYPE_CHECKING, Any

import botocore.exceptions
from botocore.config import Config
from botocore.session import Session

from gcp_aws_bridge._cache.fork import PerProcess, process_lock
from gcp_aws_bridge._sts.answer import Answer
from gcp_aws_bridge._sts.calls import StsCalls
from gcp_aws_bridge._sts.client_key import StsKey, environment_changed, sts_key, variables_now
from gcp_aws_bridge._sts.customized import is_patched
from gcp_aws_bridge._sts.endpoint import Unproven
from gcp_aws_bridge._sts.request import Requests
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from gcp_aws_bridge._sts.calls import Transport

# STS answers in tenths of a second; botocore's default of 60 s would block all waiting callers.
# Only the credential cache makes several attempts, since it knows whether a caller waits.
CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=32,  # refreshes in the background have 16 threads, and callers their own
    retries={"total_max_attempts": 1, "mode": "standard"},
    user_agent_extra=f"gcp-aws-bridge/{__version__}",
)
_log = logging.getLogger("gcp_aws_bridge")


class Sts(StsCalls):
    """STS in one region, with the settings of a botocore session. Thread-safe; see `sts_for`."""

    def __init__(
        self,
        session: Session,
        region_name: str,
        config: Config = CONFIG,
        key: StsKey | None = None,
    ) -> None:
        # Equal if the same server is reached in the same way.
        self.key: StsKey = key or sts_key(session, region_name)
        self._session: Session = session
        self._config: Config = config
        self._lock: PerProcess[RLock] = process_lock()  # client creation is not thread-safe
        super().__init__(
            region_name, _transport(session, region_name, config, self.key.customization)
        )
        now = self.key._replace(variables=variables_now())
        if now != self.key:  # another thread has changed the environment
            raise environment_changed(self.key, now)

    def _sent(self, *request: Any) -> Answer:
        if isinstance(self.transport, Requests) and is_patched(self._session):
            self._use_botocores_client()
        with wire_logs_silenced():
            return super()._sent(*request)

    @without_inner_frames
    def _use_botocores_client(self) -> None:
        """Let a tracer or a mock that came after this object see its requests, too."""
        with self._lock.get():
            if isinstance(self.transport, Requests):
                self.transport: Transport = _transport(
                    self._session, self.region_name, self._config, "its methods are patched"
                )


@without_inner_frames
def _transport(session: Session, region_name: str, config: Config, reason: str) -> Transport:
    """Return what sends requests with the settings of *session*.

    Args:
        reason: Why botocore's client is needed; empty if it is not.

    Raises:
        ConfigError: A setting is malformed, or the endpoint is plain HTTP on another machine.
    """
    try:
        if not reason:
            try:
                return Requests(session, region_name, config)
            except Unproven as error:
                reason = str(error)
        _log.debug("botocore's client sends the requests to STS, since %s", reason)
        from gcp_aws_bridge._sts.botocore_client import BotocoreClient

        return BotocoreClient(session, region_name, config)
    except RecursionError:
        from gcp_aws_bridge._cache.late_patch import of_late_patch, patched_late

        if not of_late_patch():
            raise
        raise patched_late(f"STS in {region_name}") from None
    except ConfigError:  # a ValueError, too
        raise
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        from gcp_aws_bridge._sts.errors import no_client

        raise no_client(error) from None
