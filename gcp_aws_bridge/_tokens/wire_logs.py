"""Keeps the exchange out of the DEBUG logs of botocore and google-auth.

`boto3.set_stream_logger("")` logs whole requests and answers, which in an exchange contain the ID
token and the credentials. Filters drop these records, but not those of a user's requests.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_silenced: ContextVar[bool] = ContextVar("gcp_aws_bridge_silenced", default=False)
# A filter applies only to records of its own logger, so all are listed: loggers of botocore for
# parameters, signatures, requests or answers, and of urllib3, which quotes malformed answers.
_BOTOCORE = ("auth", "client", "endpoint", "hooks", "httpsession", "parsers", "retryhandler")
# google-auth's transports log headers, including bearer tokens.
_GOOGLE = ("google.auth.transport.requests", "google.auth.transport.urllib3")
_LOGGERS = (*(f"botocore.{name}" for name in _BOTOCORE), *_GOOGLE, "urllib3.connection")


def _outside_exchange(record: logging.LogRecord) -> bool:
    return not _silenced.get()


for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_outside_exchange)


@contextlib.contextmanager
def wire_logs_silenced() -> Iterator[None]:
    """Do not log requests of this thread or task within the `with` block."""
    before = _silenced.set(True)
    try:
        yield
    finally:
        _silenced.reset(before)
