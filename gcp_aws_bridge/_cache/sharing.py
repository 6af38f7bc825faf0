"""Sharing: equal requests have one `CredentialCache` in a process.

Bounded: the registry keeps the 1,024 caches used last (a few kilobytes each). One that is dropped
goes on working for its holders; the next equal request gets a new one.
"""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable, Hashable
from typing import Any

from gcp_aws_bridge._cache.cache import CredentialCache
from gcp_aws_bridge._cache.clock import REAL, World
from gcp_aws_bridge._cache.recently_used import RecentlyUsed

MAX_CACHES = 1024


class Registry:
    """The credential caches of a process, by what they are for."""

    def __init__(self) -> None:
        self.world = REAL  # of caches yet to be made: a demonstration or a test moves its clock
        self._caches: RecentlyUsed[CredentialCache[Any]] = RecentlyUsed(MAX_CACHES)
        # Dropped ones as well, while somebody holds them.
        self._alive: weakref.WeakValueDictionary[int, CredentialCache[Any]]
        self._alive = weakref.WeakValueDictionary()
        self.clear = self._caches.clear

    def cache_for(
        self, key: Hashable, make: Callable[[World], CredentialCache[Any]]
    ) -> CredentialCache[Any]:
        """Return the cache for *key*, which *make* makes where there is none.

        Args:
            key: All that decides which credentials these are, their kind included.
        """
        cache = self._caches.get_or_make(key, lambda: make(self.world))
        self._alive[id(cache)] = cache
        return cache

    def reject(self, public_id: str) -> bool:
        """Report that a service rejected what has this id: see `CredentialCache.reject`."""
        found = [reference() for reference in self._alive.valuerefs()]
        return any([cache.reject(public_id) for cache in found if cache is not None])


def identity_of(source: object) -> Hashable:
    """Return what makes two sources equal: their settings, or for lack of a hash the object."""
    try:
        hash(source)
    except TypeError:
        return id(source)  # its cache keeps it alive, so no other object can get this id
    return source


registry = Registry()
# Behind each cache is a session with all that botocore has read of its services, megabytes. Without
# them the interpreter's last collections take less: 2 % of a short program.
atexit.register(registry.clear)
