"""Requests to Google's token endpoints: HTTPS, no redirects, time limits, no logs.

Uses google-auth's transport with requests, which all Python clients of Google Cloud have, and its
proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificates (`REQUESTS_CA_BUNDLE`). `google_connection`
keeps requests confidential.
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

# The endpoints answer in tenths of a second. Only the credential cache makes several attempts.
_TIMEOUT_S = 10.0


def _own() -> Request:
    """Return a transport for one exchange, with the shared TLS context."""
    return Request(bounded_session(adapter()))


class Transport:
    """google-auth's `Request` for one exchange. Stores status and date of the last answer.

    Args:
        request: The user's `google.auth.transport.Request`, with its own proxies and time limit.
        timeout_s: Time-out for connecting and for each read, in seconds.

    Attributes:
        status: HTTP status of the last answer, or 0.
        date: `Date` header of the last answer, aware UTC, or None.
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
        """`Date` header of the last answer, aware UTC, or None."""
        from gcp_aws_bridge._tokens.http import http_date  # only for errors and the doctor

        return http_date(self._date)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._ours.session.close()

    def proxy(self, url: str) -> str:
        """Return the default proxy for *url*, or ""."""
        return proxy_of(self._ours.session, url) if self._ours else ""

    def __call__(self, url: str, method: str = "GET", **options: Any) -> Any:
        """Send a request. google-auth's classes call this method.

        Raises:
            ConfigError: The request could be read on the network or by a proxy.
            google.auth.exceptions.TransportError: There was no answer.
        """
        self.status, self._date = 0, None
        options.setdefault("timeout", self._timeout_s)
        with wire_logs_silenced():
            try:
                answer = send(self._request, url, method, **options)
            except OSError as error:  # requests raises it for an invalid certificate file
                raise TransportError(error) from error
        self.status = answer.status
        self._date = answer.headers.get("date")
        return answer

    def post(self, url: str, bearer: str, body: Mapping[str, Any]) -> Any:
        """Send *body* as JSON; return the answer, parsed from JSON.

        Raises:
            ValueError: The answer is not JSON.
            google.auth.exceptions.TransportError: There was no answer.
        """
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        answer = self(url, "POST", headers=headers, body=json.dumps(body).encode())
        return json.loads(answer.data)
