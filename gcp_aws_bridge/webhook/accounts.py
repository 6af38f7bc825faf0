"""Cache of the annotations of service accounts, for one second.

The annotations that a pod gets were read at most one second before. After half a second, the next
pod starts a refresh in the background, so that only the first pods of a burst wait for the API
server. An account is read again for each pod while its user is probably still changing it: if it
does not exist, has no annotation for this webhook, or its annotations are malformed. So the first
pod after `kubectl annotate` gets what the new annotation requests.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

Annotations = Mapping[str, str]
_Account = tuple[str, str]  # namespace and name

_KEPT_S, _REFRESHED_AFTER_S = 1.0, 0.5


class _Reading(NamedTuple):
    number: int
    began_s: float
    task: asyncio.Task[Annotations]


class Accounts:
    """Annotations by service account.

    The cache needs no size limit: it contains only the accounts that were read in the last second.

    Args:
        read: Reads the annotations of an account: namespace, name.
        prefixes: Prefixes of annotations for this webhook.
        monotonic: The clock, in seconds.
    """

    def __init__(
        self,
        read: Callable[[str, str], Awaitable[Annotations]],
        prefixes: tuple[str, ...],
        monotonic: Callable[[], float],
    ) -> None:
        self._read = read
        self._ours = tuple(f"{prefix}/" for prefix in prefixes)
        self._monotonic = monotonic
        self._readings: dict[_Account, _Reading] = {}  # in the order in which they began
        self._refreshes: dict[_Account, _Reading] = {}  # pending
        self._numbers = itertools.count()

    async def annotations(self, namespace: str, name: str, *, latest: bool = False) -> Annotations:
        """Return the annotations of an account.

        Args:
            namespace: Namespace of the account.
            name: Name of the account.
            latest: Whether to ignore annotations that were read before this call.

        Raises:
            ConfigError: The account does not exist, or cannot be read.
        """
        account = (namespace, name)
        called = next(self._numbers)
        now_s = self._monotonic()
        while True:
            reading = self._usable(account, now_s - _KEPT_S, called if latest else -1)
            if reading is None:
                reading = self._begin(account)
            elif reading.began_s < now_s - _REFRESHED_AFTER_S and account not in self._refreshes:
                self._refresh(account)
            if not reading.task.done():
                # Do not await the task: a cancelled request would cancel it for the other pods.
                await asyncio.wait([reading.task])
            if reading.number > called or self._has_ours(reading.task):
                return reading.task.result()
            latest = True

    def _usable(self, account: _Account, oldest_s: float, after: int) -> _Reading | None:
        for readings in (self._readings, self._refreshes):
            reading = readings.get(account)
            if reading and reading.began_s >= oldest_s and reading.number > after:
                return reading
        return None

    def _begin(self, account: _Account) -> _Reading:
        oldest_s = self._monotonic() - _KEPT_S
        for other, reading in list(self._readings.items()):
            if reading.began_s >= oldest_s or not reading.task.done():
                break
            del self._readings[other]
        self._readings.pop(account, None)
        self._readings[account] = made = self._new(account)
        return made

    def _refresh(self, account: _Account) -> None:
        """Read an account in the background, before its cached annotations expire."""

        def publish(task: asyncio.Task[Annotations]) -> None:
            self._readings.pop(account, None)
            self._readings[account] = self._refreshes.pop(account)
            if not task.cancelled():
                task.exception()  # otherwise asyncio logs it; the next pod reads the account again

        self._refreshes[account] = made = self._new(account)
        made.task.add_done_callback(publish)

    def _new(self, account: _Account) -> _Reading:
        task = asyncio.ensure_future(self._read(*account))
        return _Reading(next(self._numbers), self._monotonic(), task)

    def _has_ours(self, task: asyncio.Task[Annotations]) -> bool:
        if task.exception() is not None:
            return False
        return any(key.startswith(self._ours) for key in task.result())
