"""A reference that threads replace without a lock.

A lock would be a trap here. While it is held, an allocation may start the garbage collector, or a
signal may arrive: finalizers and signal handlers run in the thread that holds the lock, may sign a
request, and would wait for that lock for ever. A forked child may inherit a lock that no thread of
it holds. A single call of `dict.setdefault` has neither problem.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar


class Version:
    """A value that knows which value replaced it. Base class of what an `Atomic` holds."""

    __slots__ = ("_replaced_by",)
    _replaced_by: dict[None, Any]


V = TypeVar("V", bound=Version)


class Atomic(Generic[V]):
    """The newest of a series of versions.

    Attributes:
        newest: The newest version, for readers who can do with one that was replaced just now.
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
        # This thread may be stopped before any line, and others may go on meanwhile: what it
        # stores is corrected here if it is not the newest any more.
        while True:
            self.newest = new
            newer = new._replaced_by.get(None)
            if newer is None:
                return True
            new = newer
