"""A reference that threads replace without a lock.

A lock could deadlock. While a thread holds it, the garbage collector or a signal may run finalizers
or signal handlers in the same thread; if these sign a request, they wait for the lock for ever. A
forked child may inherit a lock that none of its threads holds. A call of `dict.setdefault` has
neither problem.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar


class Version:
    """Base class of the values of an `Atomic`: a value that knows its replacement."""

    __slots__ = ("_replaced_by",)
    _replaced_by: dict[None, Any]


V = TypeVar("V", bound=Version)


class Atomic(Generic[V]):
    """The newest of a series of versions.

    Attributes:
        newest: The newest version, or for an instant the version before it; see `read`.
    """

    __slots__ = ("newest",)

    def __init__(self, first: V) -> None:
        first._replaced_by = {}
        self.newest = first

    def read(self) -> V:
        """Return the newest version."""
        newest = self.newest
        while (newer := newest._replaced_by.get(None)) is not None:
            newest = newer
        return newest

    def replace(self, old: V, new: V) -> bool:
        """Replace *old* by *new* if *old* is still the newest version; return whether it was."""
        new._replaced_by = {}
        if old._replaced_by.setdefault(None, new) is not new:  # atomic: one call of C code
            return False
        # Other threads may replace *new* before this thread stores it. Then store the newer one.
        while True:
            self.newest = new
            newer = new._replaced_by.get(None)
            if newer is None:
                return True
            new = newer
