"""Frozen dataclasses that are cheap to define, and that pickle as their settings.

`dataclass(frozen=True)` writes and compiles six methods for each class when its module is imported:
4 million instructions, as many as a request to the metadata server. These classes share their
methods. `dataclasses.fields` and `dataclasses.replace` work as usual. Pickles are small, contain no
secret, and are checked when they are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.exceptions import ConfigError

__all__ = ["Value", "as_settings", "not_pickled", "value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value  # type checkers treat them as ordinary ones
    from inspect import Signature
else:

    def value(*, frozen: bool) -> Any:
        """Decorate a subclass of `Value`. *frozen* is always True, as type checkers expect."""

        def decorate(kind: Any) -> Any:
            made = dataclass(init=False, repr=False, eq=False)(kind)
            # Only frozen dataclasses may inherit from it.
            made.__dataclass_params__.frozen = frozen
            return made

        return decorate


class _Signature:
    """Signature of a class, for `help` and documentation, made when it is read."""

    def __get__(self, _: object, owner: type[Any]) -> Signature:
        if not is_dataclass(owner) or owner.__init__ is not Value.__init__:
            raise AttributeError("__signature__")  # `inspect` then looks at the constructor
        from inspect import Parameter, Signature

        return Signature(
            [
                Parameter(
                    one.name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if one.default is MISSING else one.default,
                    annotation=one.type,
                )
                for one in fields(owner)
                if one.init
            ]
        )


class Value:
    """Base class of frozen dataclasses, decorated with `value`."""

    __signature__: ClassVar[Any] = _Signature()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        all_fields = fields(self)  # type: ignore[arg-type]
        names = [one.name for one in all_fields if one.init]
        given = dict(zip(names, args))  # noqa: B905 - too many are an error below
        if len(args) > len(names) or given.keys() & kwargs or kwargs.keys() - {*names}:
            type(self).__signature__.bind(*args, **kwargs)  # raises the usual TypeError
        given.update(kwargs)
        state = vars(self)
        for one in all_fields:
            found = given.get(one.name, one.default)
            if found is MISSING:
                type(self).__signature__.bind(*args, **kwargs)
            state[one.name] = found
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields."""

    def __setattr__(self, name: str, _: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        shown = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr]  # type: ignore[arg-type]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_settings(self)

    def _compared(self) -> tuple[Any, ...]:
        return tuple(getattr(self, one.name) for one in fields(self) if one.compare)  # type: ignore[arg-type]


def as_settings(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return what `__reduce__` of a dataclass returns: the settings that are not the default.

    An older version, which knows fewer settings, can then unpickle values that use none of the
    newer ones.
    """
    settings = {
        one.name: found
        for one in fields(value)
        if one.init and one.compare and (found := getattr(value, one.name)) != one.default
    }
    return made_of, (type(value), __version__, settings)


def made_of(kind: type[Any], version: str, settings: dict[str, Any]) -> Any:
    """Create the value of class *kind* that *version* of this library pickled.

    Raises:
        ConfigError: It has settings that this version does not know, or that are invalid.
    """
    if unknown := settings.keys() - {one.name for one in fields(kind)}:
        raise ConfigError(
            f"A {kind.__name__} was pickled by gcp-aws-bridge {version} with "
            f"{', '.join(sorted(unknown))}, which {__version__} does not know.",
            fix="install the same version of gcp-aws-bridge for every process.",
            error_id="config/pickle",
        )
    return kind(**settings)


def not_pickled(what: str, instead: str) -> ConfigError:
    """Return the error for a value that is secret, or cannot be recreated in another process."""
    return ConfigError(f"{what} does not pickle.", fix=instead, error_id="config/pickle")
