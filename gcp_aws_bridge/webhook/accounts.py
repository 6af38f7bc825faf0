"""Annotations of service accounts, kept for a second.

A pod gets annotations that are at most a second older than its creation, so that a burst of pods
costs one request for each account and second. What a user may be changing at the moment is read
again: an account that does not exist, that has no annotation for this webhook, or whose annotations
are malformed. After `kubectl annotate`, the next pod gets what it requests.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

Annotations = Mapping[str, str]
_Account = tuple[str, str]  # namespace and name

_KEPT_S = 1.0


class _Reading(NamedTuple):
    number: int
    began_s: float
    task: asyncio.Task[Annotations]


class Accounts:
    """Annotations by account; at most one request for an account at a time.

    Needs no limit: it contains the accounts that were read in the last second.

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
        self._numbers = itertools.count()

    async def annotations(self, namespace: str, name: str, *, latest: bool = False) -> Annotations:
        """Return the annotations of an account.

        Args:
            namespace: Its namespace.
            name: Its name.
            latest: Whether they must be read after this call.

        Raises:
            ConfigError: It does not exist, or cannot be read.
        """
        account = (namespace, name)
        called = next(self._numbers)
        oldest_s = self._monotonic() - _KEPT_S
        while True:
            reading = self._readings.get(account)
            if reading is not None and latest and reading.number < called:
                reading = None
            if reading is None or reading.began_s < oldest_s:
                reading = self._begin(account)
            if not reading.task.done():
                # Unlike an await, a cancelled wait does not cancel the task, for which others wait.
                await asyncio.wait([reading.task])
            if reading.number > called or self._has_ours(reading.task):
                return reading.task.result()
            latest = True

    def _begin(self, account: _Account) -> _Reading:
        now_s = self._monotonic()
        for other, reading in list(self._readings.items()):
            if reading.began_s >= now_s - _KEPT_S or not reading.task.done():
                break
            del self._readings[other]
        self._readings.pop(account, None)
        task = asyncio.ensure_future(self._read(*account))
        reading = _Reading(next(self._numbers), now_s, task)
        self._readings[account] = reading
        return reading

    def _has_ours(self, task: asyncio.Task[Annotations]) -> bool:
        if task.exception() is not None:
            return False
        return any(key.startswith(self._ours) for key in task.result())
