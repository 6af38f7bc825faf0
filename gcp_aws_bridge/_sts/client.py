"""The only module that sends requests to AWS STS, by botocore's client.

Invariants: all errors of botocore become an `ExchangeError`; tokens and keys reach no log, at any
level; only HTTPS, or plain HTTP to loopback (an emulator) without a proxy. Endpoint, partition,
FIPS, proxy and CA settings are botocore's, from its variables and profile.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import botocore.exceptions
import botocore.parsers
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session

from gcp_aws_bridge._cache.clock import REAL
from gcp_aws_bridge._cache.fork import PerProcess, process_lock
from gcp_aws_bridge._cache.late_patch import of_late_patch, patched_late
from gcp_aws_bridge._cache.recently_used import RecentlyUsed
from gcp_aws_bridge._sts.client_key import StsKey, environment_changed, sts_key, way_of
from gcp_aws_bridge._sts.connection import keep_confidential
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.parameters import chained_parameters, web_identity_parameters
from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._sts.session_settings import synchronous
from gcp_aws_bridge._sts.unreadable_answer import known_form
from gcp_aws_bridge._tokens.http import http_date
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError

_VERSION = "2011-06-15"  # the only API version (AWS STS API reference); saves a search
# STS answers in tenths of a second; botocore's default of 60 s would block all waiting callers.
# Only the credential cache makes several attempts, since it knows whether a caller waits.
CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=32,  # refreshes in the background have 16 threads, and callers their own
    retries={"total_max_attempts": 1, "mode": "standard"},
    user_agent_extra=f"gcp-aws-bridge/{__version__}",
)
# botocore's network errors have two base classes; the error of its parser has another one.
_NETWORK = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)
_UNUSABLE = (
    botocore.exceptions.BotoCoreError,
    botocore.parsers.ResponseParserError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
# `botocore.utils.parse_timestamp`, a RuntimeError
_UNPARSED_TIME = "Unable to calculate correct timezone offset"
_T = TypeVar("_T")
# Longer than the time-outs of one request: 5 s for each of a few addresses, 20 s for the answer.
_LONGEST_S = 45.0
_UNSIGNED = Config(signature_version=UNSIGNED)


class _Answer(threading.local):
    """Status and headers of the last answer in this thread, even if it cannot be parsed."""

    status = 0
    date: datetime | None = None
    form = ("", "")  # its Content-Type and Content-Encoding, which can be any text

    def forget(self) -> None:
        self.status, self.date, self.form = 0, None, ("", "")

    def note(self, response_dict: Mapping[str, Any], **_: Any) -> None:
        headers = response_dict["headers"]
        self.status = response_dict["status_code"]
        self.date = http_date(headers.get("Date"))
        self.form = (headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))


class Sts:
    """STS in one region, with the settings of a botocore session. Thread-safe; see `sts_for`."""

    def __init__(self, session: Session, region_name: str, config: Config = CONFIG) -> None:
        self.region_name = region_name
        # Equal if the same server is reached in the same way.
        self.key: StsKey = sts_key(session, region_name)
        self._way: StsKey | None = None
        self._session = session
        self._config = config
        self._answer = _Answer()
        self._lock = process_lock()  # client creation is not thread-safe
        # The parent continues to use its sockets; two processes on one TLS connection break both.
        self._clients = PerProcess(lambda: self._client(config.merge(_UNSIGNED)))
        # Create a client now, in the caller's thread, before other threads share the session: a
        # wrong endpoint is then an error on the line that creates the session.
        self._clients.get()
        now = sts_key(session, region_name)
        if now != self.key:  # another thread has changed the environment
            raise environment_changed(self.key, now)

    @property
    def _unsigned(self) -> Any:
        """The client for unsigned requests of this process."""
        with self._lock.get():
            return self._clients.get()

    def assume_role_with_web_identity(self, token: IdToken, role: Role) -> AwsCredentials:
        """Assume the first role. Sends one request, unsigned, without retries.

        Raises:
            ExchangeError: STS denied it, was not reached, or sent an unusable answer.
        """
        client = self._unsigned

        def denied(**seen: Any) -> ExchangeError:
            from gcp_aws_bridge._sts.errors import refused_token  # loaded only for an error

            return refused_token(token, role, **seen)

        return self._call(
            lambda: client.assume_role_with_web_identity(**web_identity_parameters(token, role)),
            role.arn,
            denied,
        )

    def assume_role(self, credentials: AwsCredentials, role: Role, position: int) -> AwsCredentials:
        """Assume the chained role `role.chain[position]` with credentials of the previous role.

        Raises:
            ExchangeError: STS denied it, was not reached, or sent an unusable answer.
        """
        client = self._signing(credentials)

        def denied(**seen: Any) -> ExchangeError:
            from gcp_aws_bridge._sts.errors import refused_chained_role

            return refused_chained_role(role, position, **seen)

        with contextlib.closing(client):
            return self._call(
                lambda: client.assume_role(**chained_parameters(role, position)),
                role.arns[position + 1],
                denied,
            )

    def _signing(self, credentials: AwsCredentials) -> Any:
        with self._lock.get():
            return self._client(
                self._config,
                aws_access_key_id=credentials.access_key_id,
                aws_secret_access_key=credentials.secret_access_key,
                aws_session_token=credentials.session_token,
            )

    @without_inner_frames
    def _client(self, config: Config, **keys: Any) -> Any:
        """Create a client for the same server as the first client.

        Raises:
            ConfigError: botocore cannot create it, the endpoint is plain HTTP on another machine,
                or the endpoint has changed: botocore reads the environment each time.
        """
        try:
            client = self._session.create_client(
                "sts", api_version=_VERSION, region_name=self.region_name, config=config, **keys
            )
        except of_late_patch():
            raise patched_late(f"STS in {self.region_name}") from None
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            from gcp_aws_bridge._sts.errors import no_client

            raise no_client(error) from None
        keep_confidential(client)  # each client: botocore reads the environment each time
        way = way_of(client, self._session)
        self._way = self._way or way
        if way != self._way:
            raise environment_changed(self._way, way)
        # botocore's error for an answer that it cannot parse has no status.
        client.meta.events.register("before-parse.sts", self._answer.note)
        return client

    def _call(
        self,
        request: Callable[[], Mapping[str, Any]],
        arn: str,
        denied: Callable[..., ExchangeError],
    ) -> AwsCredentials:
        return self._send(lambda: _read(request(), arn), arn, denied)

    def _send(self, send: Callable[[], _T], arn: str, denied: Callable[..., ExchangeError]) -> _T:
        self._answer.forget()
        try:
            with wire_logs_silenced():
                return _awake(send)
        except botocore.exceptions.ClientError as error:
            from gcp_aws_bridge._sts.errors import parts_of  # only for an error

            code, message, request_id = parts_of(error)
            if not code[:1].isalpha():  # a status, or nothing: the page of another server
                raise self._unusable(error, arn) from None
            made = denied(
                code=code, message=message, status=self._answer.status, request_id=request_id
            )
            made.date = self._answer.date
            raise made from None  # its __cause__ would hold the request, token included
        except ConfigError:  # a ValueError, too
            raise
        except (*_UNUSABLE, RuntimeError) as error:
            # Hooks of botocore raise RuntimeError, too.
            if isinstance(error, RuntimeError) and not str(error).startswith(_UNPARSED_TIME):
                raise
            raise self._unusable(error, arn) from None

    def _unusable(self, error: Exception, arn: str) -> ExchangeError:
        """Return the error for a network fault, or for an answer that is not from STS."""
        from gcp_aws_bridge._sts.errors import not_from_sts, not_reached

        if isinstance(error, _NETWORK):
            return not_reached(self.region_name, arn, error)
        seen = self._answer
        return not_from_sts(self.region_name, arn, error, seen.status, known_form(*seen.form))


def _awake(send: Callable[[], _T]) -> _T:
    """Call *send*, and again if the network failed while this process was frozen or asleep.

    STS closes a connection that is silent for some seconds, so such a failure is no outage. Uses
    the real clocks, as sockets do: on most systems only the wall clock runs while a machine sleeps.
    """
    begun_s, begun = REAL.monotonic(), REAL.clock()
    try:
        return send()
    except _NETWORK:
        waited_s = max(REAL.monotonic() - begun_s, (REAL.clock() - begun).total_seconds())
        if waited_s < _LONGEST_S:
            raise
    return send()


def _read(answer: Mapping[str, Any], arn: str) -> AwsCredentials:
    keys = answer["Credentials"]
    expiration = keys["Expiration"]
    if not isinstance(expiration, datetime) or expiration.tzinfo is None:
        raise ValueError("no expiration")
    credentials = AwsCredentials(
        access_key_id=keys["AccessKeyId"],
        secret_access_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
        expiration=expiration,
        account_id=arn.split(":")[4],
    )
    if not (
        credentials.access_key_id and credentials.secret_access_key and credentials.session_token
    ):
        raise ValueError("empty credentials")
    return credentials


_clients: RecentlyUsed[Sts] = RecentlyUsed(64)
atexit.register(_clients.clear)  # like the caches that hold them, see `sharing`
_clients_lock = process_lock()  # client creation is not thread-safe, and sessions are shared


@without_inner_frames  # the key may hold the password of a proxy
def sts_for(session: Session, role: Role) -> Sts:
    """Return STS for *role* with the settings of *session*; equal settings share one `Sts`."""
    region = sts_region(session, role)
    key = sts_key(session, region)
    with _clients_lock.get():
        return _clients.get_or_make(key, lambda: Sts(synchronous(session), region))
