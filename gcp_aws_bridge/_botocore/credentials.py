"""A credential cache as botocore's `RefreshableCredentials`, without botocore's refreshing."""

from __future__ import annotations

import copy
import sys
import weakref
from contextvars import ContextVar
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from gcp_aws_bridge._botocore.request import Request
from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge._sts.botocore_internals import set_expiration
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError, as_cause

if TYPE_CHECKING:
    from typing_extensions import Self

    from gcp_aws_bridge._cache.cache import CredentialCache
    from gcp_aws_bridge._cache.policy import Kept
    from gcp_aws_bridge._sts.credentials import AwsCredentials
    from gcp_aws_bridge._tokens.default import TokenSource

METHOD = "google-web-identity"
_PARTS = 3  # access key, secret key, session token
# Code that has read all parts of a set, and then pauses for this long, signs another request. After
# the long pause this is also assumed of code that reads at the same place again.
_PAUSE_S, _LONG_PAUSE_S = 1.0, 60.0
# Bounds on what a thread or task remembers: sets that it reads in turn, and places of one signer.
_MAX_READINGS, _MAX_PLACES = 8, 32
_MAX_REPEATS = 8  # in a row at one place: this is a loop that waits for another key, not a signer
_UNKNOWN: Any = None  # the expiration before the first exchange


def for_botocore(error: BridgeError) -> CredentialRetrievalError:
    """Return the error that boto3 raises without credentials, with the whole message of *error*."""
    return CredentialRetrievalError(provider=METHOD, error_msg=error.message)


class FrozenCredentials(ReadOnlyCredentials):
    """botocore's own value, with a `repr` that shows no secret.

    botocore unpacks it, so it must stay a tuple: code that walks its items finds the secrets.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"FrozenCredentials(access_key={self.access_key!r}, …)"

    __sentry_repr__ = __repr__  # sentry_sdk calls it instead of walking the items


class _View(SecretValue):
    """One set of credentials in both forms. No tuple: crash reporters show the items of one."""

    __slots__ = ("frozen", "of")

    of: AwsCredentials | None
    frozen: Any

    def __init__(self, of: AwsCredentials | None, frozen: FrozenCredentials | None) -> None:
        self._set(of=of, frozen=frozen)


class Read(NamedTuple):
    """One read of one part, and the place in the code that read it."""

    code: CodeType
    instruction: int
    part: str


class Reading:
    """How far a thread or task has read the parts of one set of credentials. Immutable."""

    __slots__ = ("at_s", "kept", "last", "of", "places", "repeats", "view")

    def __init__(self, cache: CredentialCache[Any], kept: Kept, view: _View, read: Read) -> None:
        self.of = weakref.ref(cache)
        self.kept, self.view = kept, view
        self.places: tuple[Read, ...] = (read,)
        self.last, self.repeats, self.at_s = read, 0, cache.monotonic()

    def after(self, read: Read, now_s: float) -> Reading:
        """Return a reading with one more read of the same set."""
        after = copy.copy(self)
        if self._is_whole() and now_s - self.at_s >= _LONG_PAUSE_S:
            after.places = (read,)  # perhaps the next request, which can use this set as well
        elif read not in self.places:
            after.places = (*self.places, read)[-_MAX_PLACES:]
        after.repeats = self.repeats + 1 if read == self.last else 0
        after.last, after.at_s = read, now_s
        return after

    def is_over(self, read: Read, now_s: float) -> bool:
        """Return whether *read* belongs to the next request.

        Signers read the parts in any order, and some parts twice (to check, then to use them). The
        next request begins when all parts have been read and the code is at a place where it read
        before, or continues after a pause.
        """
        is_back, pause_s = read in self.places, now_s - self.at_s
        if read == self.last:  # also in code that reads a single part, for a log
            long_ago = pause_s >= _LONG_PAUSE_S
            return self.repeats >= _MAX_REPEATS or (
                long_ago and (self._is_whole() or self.places == (read,))
            )
        if read.part == self.last.part and not is_back:
            return False
        return self._is_whole() and (is_back or pause_s >= _PAUSE_S)

    def _is_whole(self) -> bool:
        return len({place.part for place in self.places}) == _PARTS


# Immutable, so that a task that inherits its parent's context does not share the parent's readings.
_readings: ContextVar[tuple[Reading, ...]] = ContextVar("gcp_aws_bridge_readings", default=())


class CachedCredentials(RefreshableCredentials):
    """What the credentials for botocore and for aiobotocore share: everything but the waiting.

    A `RefreshableCredentials` for code that checks with `isinstance`. Nothing of its machinery is
    used: neither its refresh windows nor its lock, and no refresh in the caller's thread.
    """

    def __init__(self, request: Request) -> None:
        account_id = request.role.account_id
        super().__init__("", "", "", _UNKNOWN, self._never, METHOD, account_id=account_id)
        self._request = request
        self._cache = request.cache()
        self._at_least_s = request.at_least_s
        self._view = _View(None, None)

    @classmethod
    def wanted(
        cls,
        role_arn: str | Role | None = None,
        *,
        token_source: TokenSource | None = None,
        **settings: Any,
    ) -> Self:
        """Make credentials for a role, with an STS client of the session that all calls share."""
        return cls(Request.of(role_arn, token_source, **settings))

    def __reduce__(self) -> tuple[Any, ...]:
        return self._request.pickled(self.wanted)

    def __copy__(self) -> Self:
        return self  # it is immutable for its users

    @staticmethod
    def _never() -> dict[str, Any]:
        raise NotImplementedError("the credential cache refreshes, not botocore")

    def warm_up(self) -> None:
        """Start fetching credentials in the background. Never blocks or raises."""
        self._cache.warm_up()

    def _frozen(self, current: AwsCredentials) -> FrozenCredentials:
        view = self._view
        if view.of is not current:
            view = self._view_of(current)
        return view.frozen  # type: ignore[no-any-return]

    def _view_of(self, current: AwsCredentials) -> _View:
        # No local variable holds the frozen set, here and in what handles readings: crash reporters
        # look into tuples.
        view = self._view
        if view.of is not current:
            view = self._view = self._viewed(current)
            set_expiration(self, current.expiration)
        return view

    @without_inner_frames
    def _viewed(self, current: AwsCredentials) -> _View:
        frozen = FrozenCredentials(
            current.access_key_id,
            current.secret_access_key,
            current.session_token,
            self._request.role.account_id,
        )
        return _View(current, frozen)

    def reject(self, access_key: str) -> bool:
        """Report that a service rejected *access_key* (`ExpiredToken`, `InvalidToken`…).

        Clients of a session do this by themselves; call it from a signer of your own. The next
        caller gets other credentials, if there are any.

        Returns:
            Whether it is worth signing the request again.
        """
        _readings.set(self._other_readings())  # this thread or task does not continue to read it
        return self._cache.reject(access_key)

    def _set_for(self, read: Read) -> _View | None:
        """Return the set that *read* belongs to, or None if the caller must wait."""
        cache = self._cache
        kept, now_s = cache.memory.kept, cache.monotonic()
        cache.peek()  # starts a refresh that is due
        reading = next((one for one in _readings.get() if one.of() is cache), None)
        if reading and not reading.is_over(read, now_s) and cache.is_valid(reading.kept):
            return self._remember(reading.after(read, now_s))
        enough = kept is not None and cache.is_valid(kept, self._at_least_s)
        return self._begin(read, kept) if enough else None

    def _begin(self, read: Read, kept: Kept | None) -> _View:
        assert kept is not None  # noqa: S101 - for the type checker: the caller has waited for it
        return self._remember(Reading(self._cache, kept, self._view_of(kept.credentials), read))

    def _remember(self, reading: Reading) -> _View:
        _readings.set((reading, *self._other_readings()))
        return reading.view

    def _other_readings(self) -> tuple[Reading, ...]:
        others = [one for one in _readings.get() if one.of() not in (None, self._cache)]
        return tuple(others[: _MAX_READINGS - 1])

    # Known from the ARN, so that endpoint rules, which read it first, need no exchange.
    account_id: Any = property(lambda self: self._request.role.account_id)

    def refresh_needed(self, refresh_in: float | None = None) -> bool:
        """Return False: the credential cache refreshes, not botocore."""
        return False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._cache.label}>"


def read_of(part: str) -> Read:
    """Return the read of *part* by the caller of this function's caller."""
    frame = sys._getframe(2)
    return Read(frame.f_code, frame.f_lasti, part)


def _part(name: str) -> property:
    def get(view: BridgeCredentials) -> Any:
        return view._read(read_of(name))

    return property(get)


class BridgeCredentials(CachedCredentials):
    """botocore credentials that are always valid and consistent.

    Pass `get_frozen_credentials()` to code that signs, where you can: it is one consistent set.

    Code that reads `access_key`, `secret_key` and `token` one by one, as botocore's signers do,
    gets parts of one set for each request, in any order, with pauses of up to a minute. Each thread
    and each asyncio task reads its own set. Where a set expires or is rejected between two reads,
    the next read returns a part of another set.
    """

    def get_frozen_credentials(self, at_least: float = 0.0) -> ReadOnlyCredentials:
        """Return one complete, immutable set of credentials.

        Args:
            at_least: Seconds for which the caller needs them: for a presigned URL, or other things
                that outlive a request. Counts as 90 % of the session's life at most. 0: the value
                that `credentials` was given.

        Raises:
            CredentialRetrievalError: No credentials are valid, and the exchange failed. Its
                `__cause__` is the `BridgeError`.
        """
        try:
            return self._frozen(self._cache.get(at_least or self._at_least_s))
        except BridgeError as error:
            raise for_botocore(error) from as_cause(error)

    def _read(self, read: Read) -> Any:
        view = self._set_for(read)
        if view is None:
            self.get_frozen_credentials()
            view = self._begin(read, self._cache.memory.kept)
        return getattr(view.frozen, read.part)

    # Read-only: botocore's own attributes can be set.
    access_key: Any = _part("access_key")
    secret_key: Any = _part("secret_key")
    token: Any = _part("token")
