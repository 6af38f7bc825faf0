"""Events for logs and metrics: one for each exchange and for each rejection of credentials.

    stop = bridge.on_event(lambda event: counter.labels(event.kind, event.label).inc())

The logger `gcp_aws_bridge` logs each event: INFO for fresh credentials, WARNING for a rejection and
for the first failure of an outage, DEBUG for further failures.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple

from gcp_aws_bridge._cache.logger import log
from gcp_aws_bridge.exceptions import BridgeError

__all__ = ["Event", "on_event"]


Kind = Literal["exchanged", "failed", "rejected"]


class Event(NamedTuple):
    """An exchange or a rejection of credentials. Contains no secret.

    Attributes:
        kind: `exchanged`: there are fresh credentials. `failed`: an exchange failed; the current
            credentials, if any, stay in use. `rejected`: a service rejected the current credentials
            as expired or invalid, and they are replaced.
        label: Name of the credentials: the role's ARN.
        session_name: Role session name.
        attempts: Number of requests that the exchange took, each of them to several regions of STS
            if the first has an outage; 0 for a rejection.
        failures: Number of failed exchanges in a row, including this one.
        retry_in_s: Seconds until the next exchange may start, after a failure.
        seconds: Duration of the exchange, including pauses between requests.
        remaining_s: Seconds for which the current credentials stay valid; 0.0: there are none.
        expiration: Expiration of the current credentials, aware UTC.
        error: The reason of a failure; `error.error_id` and `getattr(error, "code", "")` make good
            labels.
        region: Region of the STS that issued the fresh credentials; empty for other events, and for
            Google's tokens. With several regions, it shows which of them is in use.
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
    region: str = ""


Listener = Callable[[Event], object]

# Added and removed by single calls, without a lock: see `atomic`.
_listeners: dict[object, Listener] = {}


def on_event(listener: Listener) -> Callable[[], None]:
    """Call *listener* with each `Event` of this process from now on.

    The thread that ran the exchange calls it, after all waiters have their credentials. It should
    return quickly. An exception that it raises is logged and not propagated. A forked child keeps
    the listeners.

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
        log.info(
            "%s: fresh until %s (%sattempt %d, %.0f ms)",
            event.label,
            event.expiration and event.expiration.isoformat(timespec="seconds"),
            f"session {event.session_name}, " if event.session_name else "",
            event.attempts,
            event.seconds * 1000,
        )
    elif event.kind == "failed" and event.remaining_s > 0:
        # WARNING once for each outage, of which callers do not notice while credentials are valid.
        write = log.warning if event.failures == 1 else log.debug
        write(
            "%s: refresh failed; current credentials valid for %.0f s, next attempt in %.0f s: %s",
            event.label,
            event.remaining_s,
            event.retry_in_s,
            event.error,
        )
    elif event.kind == "rejected":
        log.warning(
            "%s: a service rejected these credentials as expired or invalid; getting new ones",
            event.label,
        )
    for listener in [*_listeners.values()]:
        try:
            listener(event)
        except Exception:  # noqa: BLE001, PERF203 - one listener must not affect another
            log.exception("A listener of gcp_aws_bridge.on_event raised")
