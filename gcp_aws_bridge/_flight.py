"""One exchange under way: who flies it, how often it tried, and how it can go wrong."""

from __future__ import annotations

from concurrent.futures import Future

from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError


class Flight(Future[AwsCredentials]):
    """One exchange under way, its attempts included, and all who wait for it."""

    def __init__(self, started_s: float) -> None:
        super().__init__()
        self.started_s = started_s  # of the monotonic clock
        self.runner: int | None = None  # its thread
        self.attempts = 0
        self.set_running_or_notify_cancel()  # nobody who waits can cancel it for the others


def too_slow(label: str, waited_s: float) -> ExchangeError:
    """A caller gave up; the flight may still land."""
    return ExchangeError(
        f"{label}: no answer within {waited_s:.0f} s.",
        fix="look at what the token source waits for; the metadata server and STS have "
        "time-outs of their own.",
        error_id="exchange/timeout",
        code="Timeout",
        retryable=True,
    )


def needs_itself(label: str) -> ConfigError:
    """The thread of a flight would wait for itself."""
    return ConfigError(
        f"The token source for {label} uses these very credentials.",
        fix="give the session that the token source uses credentials of its own.",
        error_id="config/circular",
    )


def unexpected(label: str, error: BaseException) -> ExchangeError:
    """A fault of ours or an interrupt in the refresh: those who wait get an error, not silence."""
    made = ExchangeError(
        f"{label}: the exchange ended in {type(error).__name__}.",
        fix="see the cause below it in the traceback, and report it.",
        error_id="exchange/unexpected",
        code=type(error).__name__,
        retryable=True,
    )
    made.__cause__ = error
    return made
