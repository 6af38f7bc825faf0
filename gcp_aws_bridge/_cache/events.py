"""What happens to credentials, for logs and metrics: one event for each exchange and rejection.

    stop = bridge.on_event(lambda event: counter.labels(event.kind, event.label).inc())

Every event is also a line under the logger `gcp_aws_bridge`: INFO for fresh credentials, WARNING
for a rejection and for the first failure of an outage, DEBUG for those that follow.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple

from gcp_aws_bridge.exceptions import BridgeError

__all__ = ["Event", "on_event"]

_log = logging.getLogger("gcp_aws_bridge")


Kind = Literal["exchanged", "failed", "rejected"]


class Event(NamedTuple):
    """Something that happened to one set of credentials. Holds no secret.

    Attributes:
        kind: `exchanged`: fresh credentials are there. `failed`: an exchange ended without; the
            ones in use, if any, stay. `rejected`: a service refused those in use as expired or
            invalid, and was believed.
        label: Which credentials: the role's ARN.
        session_name: The role session's name.
        attempts: How many requests the exchange took; 0 for a rejection.
        failures: How many exchanges failed in a row, this one included.
        retry_in_s: Seconds until the next one may start, where this one failed.
        seconds: How long the exchange took, pauses between attempts included.
        remaining_s: Seconds for which what is now in use stays good; 0.0 where there is nothing.
        expiration: The end of what is now in use, aware UTC.
        error: Why it failed; `error.error_id` and `getattr(error, "code", "")` make good labels.
    """

    kind: Kind
    label: str
    session_name: str
    attempts: int = 0
    seconds: float = 0.0
    remaining_s: float = 0.0
    expiration: datetime | None = None
    error: BridgeError | None = None
    failures: int = 0
    retry_in_s: float = 0.0


Listener = Callable[[Event], object]

# Added and removed in one call each, without a lock: see `atomic`.
_listeners: dict[object, Listener] = {}


def on_event(listener: Listener) -> Callable[[], None]:
    """Call *listener* with each `Event` of this process from now on.

    It is called in the thread that made the exchange, after all waiters were served; it should be
    quick. An exception that it raises is logged and goes no further. A forked child keeps its
    listeners.

    Returns:
        A function that ends it.
    """
    registration = object()  # its own, however often a listener is given
    _listeners[registration] = listener

    def stop() -> None:
        _listeners.pop(registration, None)

    return stop


def emit(event: Event) -> None:
    """Log *event* and tell every listener."""
    if event.kind == "exchanged":
        _log.info(
            "%s: fresh until %s (%sattempt %d, %.0f ms)",
            event.label,
            event.expiration and event.expiration.isoformat(timespec="seconds"),
            f"session {event.session_name}, " if event.session_name else "",
            event.attempts,
            event.seconds * 1000,
        )
    elif event.kind == "failed" and event.remaining_s > 0:
        # At WARNING once an outage: nobody has noticed. Where somebody has, the error tells them.
        _log.log(
            logging.WARNING if event.failures == 1 else logging.DEBUG,
            "%s: refresh failed; those in use are good for %.0f s more, next try in %.0f s: %s",
            event.label,
            event.remaining_s,
            event.retry_in_s,
            event.error,
        )
    elif event.kind == "rejected":
        _log.warning(
            "%s: a service refused these credentials as expired or invalid; asking for others",
            event.label,
        )
    for listener in [*_listeners.values()]:
        try:
            listener(event)
        except Exception:  # noqa: BLE001, PERF203 - one listener's fault is not another's
            _log.exception("A listener of gcp_aws_bridge.on_event raised")
