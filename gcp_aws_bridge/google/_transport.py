"""How Google's token endpoints are asked: HTTPS, no redirect, bounded in time, nothing logged.

requests, through google-auth's own transport: what every client of Google Cloud in Python brings,
with its proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificates (`REQUESTS_CA_BUNDLE`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge._wire_logs import wire_logs_silenced
from gcp_aws_bridge.google._certificates import adapter

with extra("google", "requests", "2.20"):
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

# The endpoints answer in tenths of a second. Attempts are counted in one place, the cell.
_TIMEOUT_S = 10.0
# A redirect would have the token sent to wherever it points.
_OF_REQUESTS = {"allow_redirects": False}


def _as_it_is(request: Any) -> Any:
    """requests' hook of authentication: without one, ~/.netrc has its password for the bearer."""
    return request


def _of_ours() -> Mapping[str, Any]:
    # Plain HTTP is to this machine alone (`Federation`), which no proxy is asked for. Made anew:
    # requests adds to it what the environment says.
    return {**_OF_REQUESTS, "auth": _as_it_is, "proxies": {"http": ""}}


def _own() -> Request:
    """Return a transport for one exchange, which reads no certificates again."""
    made = Request()
    if (mounted := adapter()) is not None:
        made.session.mount("https://", mounted)
    return made


class Transport:
    """google-auth's `Request`, for one exchange; remembers of an answer what errors leave out.

    Args:
        request: The user's own `google.auth.transport.Request`, which knows how Google is reached.
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
        self._options = _of_ours() if self._ours else _options_of(request)
        self.status = 0
        self._date: str | None = None

    @property
    def date(self) -> datetime | None:
        """See above."""
        from gcp_aws_bridge._http import http_date  # where Google says no, or the doctor looks

        return http_date(self._date)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._ours.session.close()

    def __call__(self, url: str, method: str = "GET", **asked: Any) -> Any:
        """As google-auth's classes call it; every network fault is google-auth's."""
        self.status, self._date = 0, None
        asked.setdefault("timeout", self._timeout_s)
        with wire_logs_silenced():
            try:
                answer = self._request(url=url, method=method, **asked, **self._options)
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


def _options_of(request: object) -> Mapping[str, Any]:
    """What has google-auth's own transports do as ours in this; others do as they do."""
    if isinstance(request, Request):
        return {**_OF_REQUESTS, "auth": request.session.auth or _as_it_is}
    of_urllib3 = sys.modules.get("google.auth.transport.urllib3")
    is_urllib3 = of_urllib3 is not None and isinstance(request, of_urllib3.Request)
    return {"redirect": False} if is_urllib3 else {}
