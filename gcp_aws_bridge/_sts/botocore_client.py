"""Sends requests to STS by botocore's client, for sessions with hooks or tracers.

It has the interface of `Requests`. Its client reads the environment each time that it is created,
so a client that would reach another server than the first one is an error.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import botocore.exceptions
import botocore.parsers
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session

from gcp_aws_bridge._cache.fork import PerProcess, process_lock
from gcp_aws_bridge._sts.answer import Answer, Refused, Unusable, network_errors
from gcp_aws_bridge._sts.client_key import StsKey, environment_changed, way_of
from gcp_aws_bridge._sts.connection import keep_confidential, proxy_for
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.unreadable_answer import known_form
from gcp_aws_bridge._tokens.http import http_date

_VERSION = "2011-06-15"  # the only API version (AWS STS API reference); saves a search
_METHODS = {
    "AssumeRole": "assume_role",
    "AssumeRoleWithWebIdentity": "assume_role_with_web_identity",
    "GetCallerIdentity": "get_caller_identity",
}
# Errors of botocore's parser, and of its hooks, for answers that it cannot read.
_UNREADABLE = (
    botocore.exceptions.BotoCoreError,
    botocore.parsers.ResponseParserError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
# `botocore.utils.parse_timestamp`, a RuntimeError
_UNPARSED_TIME = "Unable to calculate correct timezone offset"


class _LastAnswer(threading.local):
    """Status and headers of the last answer in this thread, even if it cannot be parsed."""

    status = 0
    date: datetime | None = None
    form = ""

    def forget(self) -> None:
        self.status, self.date, self.form = 0, None, ""

    def note(self, response_dict: Mapping[str, Any], **_: Any) -> None:
        headers = response_dict["headers"]
        self.status = response_dict["status_code"]
        self.date = http_date(headers.get("Date"))
        self.form = known_form(headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))


class BotocoreClient:
    """botocore's STS client in one region, with the settings of a session. Thread-safe.

    Raises:
        ConfigError: The network or a proxy could read the requests.
        BotoCoreError, ValueError: botocore cannot create the client.
    """

    def __init__(self, session: Session, region_name: str, config: Config) -> None:
        self._session = session
        self._region_name = region_name
        self._config = config
        self._way: StsKey | None = None
        self._last = _LastAnswer()
        self._lock = process_lock()  # client creation is not thread-safe
        # The parent continues to use its sockets; two processes on one TLS connection break both.
        self._clients = PerProcess(
            lambda: self._client(config.merge(Config(signature_version=UNSIGNED)))
        )
        # Create a client now, in the caller's thread, before other threads share the session: a
        # wrong endpoint is then an error on the line that creates the session.
        self._clients.get()

    @property
    def _unsigned(self) -> Any:
        """The client for unsigned requests of this process."""
        with self._lock.get():
            return self._clients.get()

    @property
    def url(self) -> str:
        """The endpoint."""
        return str(self._unsigned.meta.endpoint_url)

    @property
    def proxy(self) -> str:
        """URL of the proxy that requests go through; empty for none."""
        return proxy_for(self.url, self._unsigned.meta.config.proxies)

    def send(
        self, operation: str, parameters: Mapping[str, Any], keys: AwsCredentials | None
    ) -> Answer:
        """Send one request, and return its result, like `Requests.send`."""
        if keys is None:
            return self._call(self._unsigned, operation, parameters)
        with self._lock.get():
            client = self._client(
                self._config,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
            )
        with contextlib.closing(client):
            return self._call(client, operation, parameters)

    def _client(self, config: Config, **keys: Any) -> Any:
        client = self._session.create_client(
            "sts", api_version=_VERSION, region_name=self._region_name, config=config, **keys
        )
        keep_confidential(client)  # each client: botocore reads the environment each time
        way = way_of(client, self._session)
        self._way = self._way or way
        if way != self._way:
            raise environment_changed(self._way, way)
        # botocore's error for an answer that it cannot parse has no status.
        client.meta.events.register("before-parse.sts", self._last.note)
        return client

    def _call(self, client: Any, operation: str, parameters: Mapping[str, Any]) -> Answer:
        last = self._last
        last.forget()
        try:
            return Answer(getattr(client, _METHODS[operation])(**parameters), last.date)
        except botocore.exceptions.ClientError as error:
            code, message, request_id = _parts_of(error)
            if not code[:1].isalpha():  # a status, or nothing: the page of another server
                raise self._unusable(error) from None
            # From None: its __cause__ would hold the request, token included.
            raise Refused(code, message, request_id, last.status, last.date) from None
        except network_errors():
            raise
        except (*_UNREADABLE, RuntimeError) as error:
            # Hooks of botocore raise RuntimeError, too.
            if isinstance(error, RuntimeError) and not str(error).startswith(_UNPARSED_TIME):
                raise
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> Unusable:
        return Unusable(type(error).__name__, self._last.status, self._last.form, self._last.date)


def _parts_of(error: botocore.exceptions.ClientError) -> tuple[str, str, str]:
    """Return code, message and request id of an error answer; "" for each that is missing.

    AWS wraps `Error` into `ErrorResponse`, and botocore returns its members as `Error`. Ceph sends
    only `Error` (its S3 format); botocore then returns the members at the top level.
    """
    found = error.response
    fields = found.get("Error") or found
    parts = fields.get("Code"), fields.get("Message"), found["ResponseMetadata"].get("RequestId")
    code, message, request_id = (part if isinstance(part, str) else "" for part in parts)
    return code.strip(), message.strip(), request_id
