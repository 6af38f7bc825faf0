"""The only module that speaks to AWS STS, through botocore's own client.

Invariants: every foreign error leaves as an `ExchangeError`; the token and the keys that come back
reach no log, at any level; HTTPS only, or plain HTTP to loopback (an emulator) without a proxy.
Endpoint, partition, FIPS, proxy and CA settings are botocore's, from its variables and profile.
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
from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._sts.session_settings import synchronous
from gcp_aws_bridge._tokens.http import http_date
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError

_VERSION = "2011-06-15"  # the only one there is (AWS STS API reference); naming it saves a search
# STS answers in tenths of a second; botocore's own 60 s would keep every waiting caller. Attempts
# are counted in one place, the credential cache, which knows whether a caller waits.
CONFIG = Config(
    connect_timeout=5,
    read_timeout=10,
    max_pool_connections=32,  # refreshes in the background have 16 threads, and callers their own
    retries={"total_max_attempts": 1, "mode": "standard"},
    user_agent_extra=f"gcp-aws-bridge/{__version__}",
)
# botocore's network errors have two roots, and its parser's error none of them.
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
    """What is known of the last answer to this thread, even if it cannot be parsed."""

    status = 0
    date: datetime | None = None
    form = ("", "")  # its Content-Type and Content-Encoding, which may be anything

    def forget(self) -> None:
        self.status, self.date, self.form = 0, None, ("", "")

    def note(self, response_dict: Mapping[str, Any], **_: Any) -> None:
        headers = response_dict["headers"]
        self.status = response_dict["status_code"]
        self.date = http_date(headers.get("Date"))
        self.form = (headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))


class Sts:
    """STS of one region, reached as one botocore session does. Thread-safe; made by `sts_for`."""

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
        # Made at once, in the caller's thread and before other threads share the session, so that a
        # wrong endpoint is an error where the session is made, not in the first request.
        self._clients.get()
        now = sts_key(session, region_name)
        if now != self.key:  # by another thread, meanwhile
            raise environment_changed(self.key, now)

    @property
    def _unsigned(self) -> Any:
        """The client of this process for requests that are not signed."""
        with self._lock.get():
            return self._clients.get()

    def assume_role_with_web_identity(self, token: IdToken, role: Role) -> AwsCredentials:
        """Assume the first role. Sends one request, unsigned, without retries.

        Raises:
            ExchangeError: STS denied it, was not reached, or sent an unusable answer.
        """
        client = self._unsigned

        def refusal(**seen: Any) -> ExchangeError:
            from gcp_aws_bridge._sts.errors import refused_token  # loaded only for an error

            return refused_token(token, role, **seen)

        return self._call(
            lambda: client.assume_role_with_web_identity(
                RoleArn=role.arn,
                RoleSessionName=role.session_name,
                WebIdentityToken=token.raw,
                DurationSeconds=role.duration_seconds,
                **_narrowing(role, last=not role.chain),
            ),
            role.arn,
            refusal,
        )

    def assume_role(self, credentials: AwsCredentials, role: Role, position: int) -> AwsCredentials:
        """Assume the chained role `role.chain[position]` with the credentials of the one before it.

        Raises:
            ExchangeError: As above.
        """
        arn = role.chain[position]
        client = self._signing(credentials)

        def refusal(**seen: Any) -> ExchangeError:
            from gcp_aws_bridge._sts.errors import refused_chained_role

            return refused_chained_role(role, position, **seen)

        with contextlib.closing(client):
            return self._call(
                lambda: client.assume_role(
                    RoleArn=arn,
                    RoleSessionName=role.session_name,
                    DurationSeconds=role.duration_seconds,
                    **_narrowing(role, last=position == len(role.chain) - 1),
                ),
                arn,
                refusal,
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
        """Make a client for the same server as the first client.

        Raises:
            ConfigError: botocore cannot make it, the endpoint is plain HTTP on another machine, or
                the endpoint has changed: botocore reads the environment each time.
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
        # An answer that botocore cannot parse is an error without the status.
        client.meta.events.register("before-parse.sts", self._answer.note)
        return client

    def _call(
        self,
        request: Callable[[], Mapping[str, Any]],
        arn: str,
        refusal: Callable[..., ExchangeError],
    ) -> AwsCredentials:
        return self._asked(lambda: _read(request(), arn), arn, refusal)

    def _asked(self, ask: Callable[[], _T], arn: str, refusal: Callable[..., ExchangeError]) -> _T:
        self._answer.forget()
        try:
            with wire_logs_silenced():
                return _awake(ask)
        except botocore.exceptions.ClientError as error:
            from gcp_aws_bridge._sts.errors import said_by  # only for an error

            code, message, request_id = said_by(error)
            if not code[:1].isalpha():  # a status, or nothing: a page that is not from STS
                raise self._unusable(error, arn) from None
            refused = refusal(
                code=code, message=message, status=self._answer.status, request_id=request_id
            )
            refused.date = self._answer.date
            raise refused from None  # its __cause__ would hold the request, token included
        except ConfigError:  # a ValueError, too
            raise
        except (*_UNUSABLE, RuntimeError) as error:
            # Hooks of botocore raise RuntimeError, too.
            if isinstance(error, RuntimeError) and not str(error).startswith(_UNPARSED_TIME):
                raise
            raise self._unusable(error, arn) from None

    def _unusable(self, error: Exception, arn: str) -> ExchangeError:
        """Return the error for a network fault, or for an answer that is not from STS."""
        from gcp_aws_bridge._sts.errors import known_form, not_from_sts, not_reached

        if isinstance(error, _NETWORK):
            return not_reached(self.region_name, arn, error)
        seen = self._answer
        form = known_form(*seen.form)
        return not_from_sts(self.region_name, arn, error, seen.status, form)


def _awake(ask: Callable[[], _T]) -> _T:
    """Call *ask*, and once more where the network failed while this process was frozen or asleep.

    STS closes a connection that is silent for some seconds, and so the failure says nothing of the
    network. A machine that sleeps stops the monotonic clock of most systems, and not the other.
    """
    begun_s, begun = REAL.monotonic(), REAL.clock()
    try:
        return ask()
    except _NETWORK:
        waited_s = max(REAL.monotonic() - begun_s, (REAL.clock() - begun).total_seconds())
        if waited_s < _LONGEST_S:
            raise
    return ask()


def _narrowing(role: Role, *, last: bool) -> dict[str, Any]:
    """Return the session policies for the last role: they do not carry over to the next one."""
    if not last:
        return {}
    narrowing: dict[str, Any] = {}
    if role.policy is not None:
        narrowing["Policy"] = role.policy
    if role.policy_arns:
        narrowing["PolicyArns"] = [{"arn": arn} for arn in role.policy_arns]
    return narrowing


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
atexit.register(_clients.clear)  # as the caches that hold them (`_caches`)
_clients_lock = process_lock()  # client creation is not thread-safe, and sessions are shared


@without_inner_frames  # the key may hold the password of a proxy
def sts_for(session: Session, role: Role) -> Sts:
    """Return STS for *role* as *session* reaches it; sessions that reach it alike share one."""
    region = sts_region(session, role)
    key = sts_key(session, region)
    with _clients_lock.get():
        return _clients.get_or_make(key, lambda: Sts(synchronous(session), region))
