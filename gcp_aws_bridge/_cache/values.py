"""Immutable values that contain a secret, which only their attributes show.

They are not tuples, dataclasses or attrs classes: without calling `repr`, Sentry shows the items of
sequences, rich shows the fields of dataclasses, and `dataclasses.asdict` copies them. These values
have no items, no fields and no `__dict__`.

A pickle contains the secret: callers pickle a value to send it to another process.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from typing_extensions import Self


class SecretValue:
    """Base class. Values are equal if their types and attributes are equal.

    A subclass defines `__repr__`, and `__slots__` with the names of the constructor's arguments.
    """

    __slots__: tuple[str, ...] = ()

    def _set(self, **attributes: object) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def _attributes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).__slots__}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._attributes() == other._attributes()

    def __hash__(self) -> int:
        return hash((type(self), *self._attributes().values()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __replace__(self, **changes: Any) -> Self:
        """Return a copy with other attributes; `copy.replace` calls it (Python 3.13)."""
        return type(self)(**{**self._attributes(), **changes})

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._attributes()), ()
