"""Registry of credential caches: equal requests in a process share one `CredentialCache`.

The registry keeps the 1,024 most recently used caches (a few kilobytes each). An evicted cache
continues to work for its holders; the next equal request gets a new cache.
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
    """The credential caches of a process, by the key of their request."""

    def __init__(self) -> None:
        self.world = REAL  # for new caches; demonstrations and tests replace it
        self._caches: RecentlyUsed[CredentialCache[Any]] = RecentlyUsed(MAX_CACHES)
        # Includes evicted caches that are still in use.
        self._alive: weakref.WeakValueDictionary[int, CredentialCache[Any]]
        self._alive = weakref.WeakValueDictionary()
        self.clear = self._caches.clear

    def cache_for(
        self, key: Hashable, make: Callable[[World], CredentialCache[Any]]
    ) -> CredentialCache[Any]:
        """Return the cache for *key*. Create it by *make* if it is missing.

        Args:
            key: Everything that determines the credentials, including their kind.
            make: Creates the cache.
        """
        cache = self._caches.get_or_make(key, lambda: make(self.world))
        self._alive[id(cache)] = cache
        return cache

    def reject(self, public_id: str) -> bool:
        """Report that a service rejected the credentials with this id; see `Refresher.reject`."""
        found = [reference() for reference in self._alive.valuerefs()]
        return any([cache.reject(public_id) for cache in found if cache is not None])


def identity_of(source: object) -> Hashable:
    """Return the identity of a source for a key: the source, or its `id` if it has no hash."""
    try:
        hash(source)
    except TypeError:
        return id(source)  # its cache keeps it alive, so no other object can get this id
    return source


registry = Registry()
# Each cache refers to a session with megabytes of botocore's service data. Releasing them at exit
# makes the interpreter's final garbage collections faster: 2 % of a short program.
atexit.register(registry.clear)
