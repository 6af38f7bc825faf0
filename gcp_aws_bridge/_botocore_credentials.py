"""A cell as botocore sees it: its own types, its own errors, none of its refreshing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from gcp_aws_bridge._credentials import AwsCredentials
from gcp_aws_bridge._default_source import TokenSource
from gcp_aws_bridge._request import Request
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import BridgeError

if TYPE_CHECKING:
    from typing_extensions import Self

METHOD = "google-web-identity"
# Signing takes less by far; what is given out is good for ten at least (`RefreshPolicy`).
_STEADY_S = 1.0
_UNKNOWN: Any = None  # the expiration before the first exchange


def for_botocore(error: BridgeError) -> CredentialRetrievalError:
    """What boto3 users catch already, with our message."""
    return CredentialRetrievalError(provider=METHOD, error_msg=str(error))


class FrozenCredentials(ReadOnlyCredentials):
    """botocore's own value, but that its `repr` shows no secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"FrozenCredentials(access_key={self.access_key!r}, …)"


class CellView(RefreshableCredentials):
    """What botocore's view of a cell and aiobotocore's have in common: all but the waiting.

    A `RefreshableCredentials` for whoever asks with `isinstance`; of its machinery (windows, lock,
    refresh in the caller's thread) nothing is used.
    """

    def __init__(self, request: Request) -> None:
        account_id = request.role.account_id
        super().__init__("", "", "", _UNKNOWN, self._never, METHOD, account_id=account_id)
        self._request = request
        self._cell = request.cell()
        self._view: tuple[AwsCredentials | None, FrozenCredentials | None] = (None, None)

    @classmethod
    def wanted(
        cls,
        role_arn: str | Role | None = None,
        *,
        token_source: TokenSource | None = None,
        **settings: Any,
    ) -> Self:
        """Make those of a role, reached as a session without settings of its own does."""
        return cls(Request.of(role_arn, token_source, **settings))

    def __reduce__(self) -> tuple[Any, ...]:
        return self._request.pickled(self.wanted)

    def __copy__(self) -> Self:
        return self  # a view, which is not written to

    @staticmethod
    def _never() -> dict[str, Any]:
        raise NotImplementedError("the cell refreshes, not botocore")

    def warm_up(self) -> None:
        """Have the first credentials on their way; neither waits nor raises."""
        self._cell.warm_up()

    def _frozen(self, current: AwsCredentials) -> FrozenCredentials:
        held, frozen = self._view
        if held is not current or frozen is None:
            frozen = FrozenCredentials(
                current.access_key_id,
                current.secret_access_key,
                current.session_token,
                self._request.role.account_id,
            )
            self._view = (current, frozen)
            self._expiry_time = current.expiration  # read by many, though it is not public
        return frozen

    def reject(self, access_key: str) -> bool:
        """Tell that a service refused *access_key* (`ExpiredToken`, `InvalidToken`…).

        Clients of a session tell by themselves; this is for signers of one's own. Whoever asks
        next gets other credentials, unless none are to be had.

        Returns:
            Whether signing again is worth while.
        """
        return self._cell.reject(access_key)

    # Known from the ARN: endpoint rules, which ask for it first, need no exchange.
    account_id: Any = property(lambda self: self._request.role.account_id)

    def refresh_needed(self, refresh_in: float | None = None) -> bool:
        """Never by botocore."""
        return False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._cell.label}>"


def _part(name: str) -> property:
    return property(lambda self: getattr(self._steady(), name))


class BridgeCredentials(CellView):
    """botocore credentials that are a view of a cell: each read is of one whole, valid set.

    Signers that were not given a frozen set read its parts one by one, and botocore's own would
    give them parts of two where a refresh comes between: a thread that reads parts goes on with
    one set for a second.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._reading = threading.local()

    def get_frozen_credentials(self, at_least: float = 0.0) -> ReadOnlyCredentials:
        """Return one whole, immutable set.

        Args:
            at_least: For how many seconds the caller needs them, for what outlives a request. At
                most 90 % of the session's life are asked for.

        Raises:
            CredentialRetrievalError: There is none; the `BridgeError` is its `__cause__`.
        """
        try:
            return self._frozen(self._cell.get(at_least))
        except BridgeError as error:
            raise for_botocore(error) from error

    def reject(self, access_key: str) -> bool:
        vars(self._reading).clear()  # or this thread would go on with it for a moment
        return super().reject(access_key)

    def _steady(self) -> ReadOnlyCredentials:
        """What this thread began to read a moment ago, else what is best now."""
        mine, now_s = vars(self._reading), self._cell.monotonic()
        if now_s >= mine.get("until_s", now_s) or self._cell.peek() is None:
            mine.update(whole=self.get_frozen_credentials(), until_s=now_s + _STEADY_S)
        whole: ReadOnlyCredentials = mine["whole"]
        return whole

    # Read-only, where botocore's can be set: a view is not written to.
    access_key: Any = _part("access_key")
    secret_key: Any = _part("secret_key")
    token: Any = _part("token")
