"""How Google's token endpoints are asked: HTTPS, no redirect, bounded in time, nothing logged.

requests, through google-auth's own transport: what every client of Google Cloud in Python brings,
with its proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificates (`REQUESTS_CA_BUNDLE`). What keeps a
request confidential is in `_google_connection`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge.google._certificates import adapter

with extra("google", "requests", "2.20"):
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    from gcp_aws_bridge._tokens.google_connection import bounded_session, proxy_of, send

# The endpoints answer in tenths of a second. Attempts are counted in one place, the cache.
_TIMEOUT_S = 10.0


def _own() -> Request:
    """Return a transport for one exchange, which reads no certificates again."""
    return Request(bounded_session(adapter()))


class Transport:
    """google-auth's `Request`, for one exchange; remembers of an answer what errors leave out.

    Args:
        request: The user's own `google.auth.transport.Request`, which knows how Google is reached
            and for how long a whole answer may take.
        timeout_s: Seconds that connecting may take, and each wait for more of an answer.

    Attributes:
        status: HTTP status of the last answer, or 0.
        date: The clock of who answered, aware UTC, where it told.
    """

    def __init__(
        self, request: Callable[..., Any] | None = None, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._timeout_s = timeout_s
        self._ours = _own() if request is None else None
        self._request: Any = request or self._ours
        self.status = 0
        self._date: str | None = None

    @property
    def date(self) -> datetime | None:
        """See above."""
        from gcp_aws_bridge._tokens.http import (
            http_date,  # where Google says no, or the doctor looks
        )

        return http_date(self._date)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._ours.session.close()

    def proxy(self, url: str) -> str:
        """Return the proxy that *url* is reached through by default; empty for none."""
        return proxy_of(self._ours.session, url) if self._ours else ""

    def __call__(self, url: str, method: str = "GET", **asked: Any) -> Any:
        """Send a request, as google-auth's classes call it.

        Raises:
            ConfigError: The request could be read on the network or by a proxy.
            google.auth.exceptions.TransportError: There was no answer.
        """
        self.status, self._date = 0, None
        asked.setdefault("timeout", self._timeout_s)
        with wire_logs_silenced():
            try:
                answer = send(self._request, url, method, **asked)
            except OSError as error:  # requests' own, bare: a file of certificates that is none
                raise TransportError(error) from error
        self.status = answer.status
        self._date = answer.headers.get("date")
        return answer

    def post(self, url: str, bearer: str, body: Mapping[str, Any]) -> Any:
        """The JSON that is answered to *body*.

        Raises:
            ValueError: It is no JSON.
            google.auth.exceptions.TransportError: Nothing was answered.
        """
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        answer = self(url, "POST", headers=headers, body=json.dumps(body).encode())
        return json.loads(answer.data)
