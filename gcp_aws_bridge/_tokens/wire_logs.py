"""Keeping the exchange out of the logs below it, which show whole requests and answers.

`boto3.set_stream_logger("")` prints what goes over the wire: in an exchange that is the ID token
and the credentials. Filters drop those records, and only those; a user's own calls log as ever.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_silenced: ContextVar[bool] = ContextVar("gcp_aws_bridge_silenced", default=False)
# A filter applies to records logged to that very logger, so each one is named: those of botocore
# that log parameters, signatures, requests or answers, and urllib3's, which quotes an answer whose
# headers it cannot read.
_BOTOCORE = ("auth", "client", "endpoint", "hooks", "httpsession", "parsers", "retryhandler")
# google-auth's transport logs the headers, and so a bearer's token, as they are.
_GOOGLE = ("google.auth.transport.requests", "google.auth.transport.urllib3")
_LOGGERS = (*(f"botocore.{name}" for name in _BOTOCORE), *_GOOGLE, "urllib3.connection")


def _outside_exchange(record: logging.LogRecord) -> bool:
    return not _silenced.get()


for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_outside_exchange)


@contextlib.contextmanager
def wire_logs_silenced() -> Iterator[None]:
    """While inside, what this thread (or task) asks of a cloud is not logged."""
    before = _silenced.set(True)
    try:
        yield
    finally:
        _silenced.reset(before)
