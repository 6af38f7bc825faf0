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
        kind: `exchanged`: there are fresh credentials. `failed`: an exchange failed; the current
            credentials, if any, stay in use. `rejected`: a service rejected the current credentials
            as expired or invalid, and they are replaced.
        label: Names the credentials: the role's ARN.
        session_name: The role session's name.
        attempts: Number of requests that the exchange took; 0 for a rejection.
        failures: Number of exchanges that failed in a row, this one included.
        retry_in_s: Seconds until the next exchange may start, after a failure.
        seconds: Duration of the exchange, pauses between requests included.
        remaining_s: Seconds for which the current credentials stay valid; 0.0 without any.
        expiration: Expiration of the current credentials, aware UTC.
        error: The reason of a failure; `error.error_id` and `getattr(error, "code", "")` make good
            labels.
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

    It is called in the thread that made the exchange, after all waiters have been served; it should
    be quick. An exception that it raises is logged and not propagated. A forked child keeps its
    listeners.

    Returns:
        A function that removes the listener.
    """
    registration = object()  # one for each call, also with the same listener
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
        # WARNING once for each outage: no caller has noticed it. A caller that has gets the error.
        _log.log(
            logging.WARNING if event.failures == 1 else logging.DEBUG,
            "%s: refresh failed; current credentials valid for %.0f s, next attempt in %.0f s: %s",
            event.label,
            event.remaining_s,
            event.retry_in_s,
            event.error,
        )
    elif event.kind == "rejected":
        _log.warning(
            "%s: a service rejected these credentials as expired or invalid; getting new ones",
            event.label,
        )
    for listener in [*_listeners.values()]:
        try:
            listener(event)
        except Exception:  # noqa: BLE001, PERF203 - one listener must not affect another
            _log.exception("A listener of gcp_aws_bridge.on_event raised")
