"""A bounded mapping that threads share without a lock."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class RecentlyUsed(Generic[T]):
    """The most recently used values, by key. Thread-safe without a lock, see `atomic`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get_or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of *key*. Create it by *make* if it is missing.

        Two threads may both call *make*; both then get the same value.
        """
        found = self._values.get(key)
        if found is None:
            found = self._values.setdefault(key, make())
            while len(self._values) > self._most:
                with contextlib.suppress(KeyError):  # another thread removed the last value
                    self._values.popitem(last=False)
        else:
            with contextlib.suppress(KeyError):  # another thread removed this value
                self._values.move_to_end(key)
        return found

    def clear(self) -> None:
        """Remove all values."""
        self._values.clear()

    def values(self) -> list[T]:
        """Return all values, the most recently used last."""
        return list(self._values.values())
