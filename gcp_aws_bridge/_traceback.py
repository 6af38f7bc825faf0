"""Removal of traceback frames, whose local variables contain tokens and keys.

Crash reporters read local variables from the frames of a traceback: Sentry by default, `pytest -l`,
rich and `traceback.TracebackException` as an option. Therefore no error leaves the library with
frames that handled a secret, or with an attribute that leads to one, at any depth of `__cause__`,
`__context__` and exception groups. Each error keeps its type, its text (redacted as by
`exceptions.quoted`) and, as a note, the names of the functions that raised it.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta, tzinfo
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from gcp_aws_bridge.exceptions import BridgeError, quoted, redacted

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NOTE = "Raised here (without local variables, which may hold secrets):"
_FRAMES = 10  # number of innermost frames in the note
_LINKS = 200  # errors of one chain; further errors are dropped
_TEXT = 500  # characters of an error's text
_LONGEST = 10_000  # characters of an attribute; longer attributes are dropped
_ATOMS = (type(None), bool, int, float, complex)
_SIZED = (str, bytes, tuple, list, set, frozenset, dict)
_GROUPS = ("ExceptionGroup", "BaseExceptionGroup")


def without_inner_frames(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Raise the errors of *function* from a frame without secrets.

    `KeyboardInterrupt`, `SystemExit` and other errors that are not an `Exception` stay the same
    object: the code that raised them may compare by identity.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        outer = sys.exc_info()[1]
        try:
            try:
                return function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised below
                failure = without_frames(error, outer)
        except BaseException as error:  # noqa: BLE001 - an interrupt meanwhile
            failure = without_frames(error, outer)
        del args, kwargs, outer
        context = failure.__context__
        try:
            raise failure
        finally:
            failure.__context__ = context  # `raise` sets it where an error is being handled
            del failure, context

    return call


def without_frames(
    error: BaseException, outer: BaseException | None = None, *, kept: bool = False
) -> BaseException:
    """Return *error*, or an error of its type and text, without frames and secrets.

    Args:
        error: Returned itself, without its traceback, if it contains only plain text and numbers.
            An error with other attributes (a request, a response, a document), or with text that
            looks like a secret, is replaced by a stand-in.
        outer: Error that the caller is handling, which is not changed.
        kept: Whether the result is stored instead of raised. A `KeyboardInterrupt` is then
            replaced as well, since it would collect further frames.
    """
    try:
        return _Chain(None if error is outer else outer, kept).cleaned(error)
    except BaseException as fault:  # noqa: BLE001 - an interrupt, no memory, too deep a recursion
        if not isinstance(fault, Exception):
            error = fault
        elif isinstance(error, Exception):
            error = _nameless(error)
    return _unlinked(error)


class _Chain:
    """Errors that are linked by cause, context or group, and their replacements."""

    def __init__(self, outer: BaseException | None, kept: bool) -> None:
        self._outer = outer
        self._kept = kept
        self._made: dict[int, BaseException] = {} if outer is None else {id(outer): outer}

    def cleaned(self, error: BaseException) -> BaseException:
        found = list(islice(self._reachable(error), _LINKS))
        # Read all links before changing any.
        links = [(*_links(one), one.__suppress_context__, _note(one)) for one in found]
        made = [self._replacement(one) for one in found]
        for one, (cause, context, suppress, note) in zip(made, links, strict=True):
            one.__cause__ = self._made.get(id(cause))
            one.__context__ = self._made.get(id(context))
            one.__suppress_context__ = suppress
            _add_note(one, note)
        return made[0]

    def _reachable(self, error: BaseException) -> Iterator[BaseException]:
        """Yield every error of the chain once, *error* first. Iterative: the chain may be long."""
        waiting, seen = [error], {id(self._outer)}
        while waiting:
            one = waiting.pop()
            if id(one) not in seen:
                seen.add(id(one))
                yield one
                waiting += [link for link in (*_members(one), *_links(one)) if link is not None]

    def _replacement(self, error: BaseException) -> BaseException:
        made = self._made.get(id(error))
        if made is None:
            made = self._made[id(error)] = _unlinked(self._without_secrets(error))
        return made

    def _without_secrets(self, error: BaseException) -> BaseException:
        members = [self._replacement(one) for one in _members(error)]
        is_ordinary = isinstance(error, Exception)
        if is_ordinary and not members and _is_plain(error):
            return error
        if is_ordinary or members or self._kept:
            return _made_like(error, members)
        error.args = tuple(map(_printable, error.args))
        vars(error).update(_cleaned(vars(error)))
        if isinstance(error, SystemExit):
            error.code = _printable(error.code)
        return error


def _members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the errors inside an exception group (Python 3.11, or the package exceptiongroup)."""
    found = error.exceptions if _plain_group(type(error)) else ()  # type: ignore[attr-defined]
    return tuple(one for one in found if isinstance(one, BaseException))


def _links(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Return cause and context, without a context that tracebacks suppress."""
    return error.__cause__, None if error.__suppress_context__ else error.__context__


def _unlinked(error: BaseException) -> BaseException:
    error.__cause__ = error.__context__ = None
    return BaseException.with_traceback(error, None)  # subclasses may override it


def _is_plain(error: BaseException) -> bool:
    """Return whether *error* contains only text and numbers, none of which looks like a secret."""
    if isinstance(error, _StandIn):
        return True
    # Undecodable input may be the secret itself: `UnicodeError.object`, `JSONDecodeError.doc`.
    if isinstance(error, UnicodeError) or "doc" in vars(error):
        return False
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__
        return False
    links = (error.__traceback__, error.__cause__, error.__context__, type(error))
    parts = [part for part in gc.get_referents(error) if not any(part is one for one in links)]
    return text == redacted(text) and _cleaned(parts) == parts


class _Dropped:
    """Marker for a value that may lead to a secret."""


def _cleaned(value: Any, depth: int = 6) -> Any:
    """Return a copy of *value* that keeps only redacted text, numbers and dates."""
    kind = type(value)
    if kind in _ATOMS or isinstance(value, (date, timedelta, tzinfo)):
        return value
    if kind not in _SIZED or not depth or len(value) > _LONGEST:
        return _Dropped
    if kind is str:
        return redacted(value)
    if kind is bytes:
        return value if redacted(text := value.decode("latin-1")) == text else _Dropped
    if kind is dict:
        cleaned = ((_cleaned(key, 1), _cleaned(part, depth - 1)) for key, part in value.items())
        return {key: part for key, part in cleaned if key is not _Dropped and part is not _Dropped}
    return kind([one for part in value if (one := _cleaned(part, depth - 1)) is not _Dropped])


def _printable(value: Any) -> Any:
    found = _cleaned(value)
    return _text(value) if found is _Dropped else found


def _text(value: object) -> str:
    return quoted(value, _TEXT)[1:-1]


class _StandIn:
    """First base class of a replaced error, before the original class; holds only text."""

    args: tuple[Any, ...]

    def __init_subclass__(cls, **_: Any) -> None:
        """Skip the hook of the original class, which may keep a list of subclasses."""

    def __str__(self) -> str:
        return str(self.args[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        members = getattr(self, "exceptions", ())
        return _made_of, (type(self).__mro__[2], str(self), members), vars(self)


def _made_like(error: BaseException, members: Sequence[BaseException]) -> BaseException:
    """Return an error with the type, text and plain attributes of *error*."""
    try:
        text = _text(getattr(error, "message", "") if members else error)
        made = _made_of(type(error), text, members)
    except Exception:  # noqa: BLE001 - a class that cannot be subclassed
        return _nameless(error)
    found = {name: one for name, one in vars(error).items() if name != "doc"}
    vars(made).update({**_cleaned(found), **vars(made)})
    return made


def _nameless(error: BaseException) -> BaseException:
    return RuntimeError(f"{type(error).__name__}: {_text(error)}")


def _made_of(kind: Any, text: str, members: Sequence[BaseException]) -> BaseException:
    own = _stand_in_class(kind)
    made: BaseException
    # Use the constructor of a built-in class: that of the original may need other arguments.
    if members:
        plain = _plain_group(kind)
        made = plain.__new__(plain if kind is plain else own, text, members)
    else:
        builtin = next(one for one in kind.__mro__ if one.__module__ == "builtins")
        made = builtin.__new__(own, text)
        made.args = (text,)
        if isinstance(made, SyntaxError):
            made.msg = text  # tracebacks print it instead of the text
    return made


def _plain_group(kind: type[BaseException]) -> Any:
    return next((one for one in kind.__mro__ if one.__name__ in _GROUPS), None)


@functools.lru_cache(maxsize=64)
def _stand_in_class(kind: Any) -> Any:
    if issubclass(kind, _StandIn):
        return kind
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    if plain := _plain_group(kind):
        names["derive"] = plain.derive  # needed by `except*`
    return type(kind.__name__, (_StandIn, kind), names)


def _note(error: BaseException) -> str:
    """Return where *error* was raised, in the format of a traceback, without source lines."""
    lines = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename != __file__:
            lines.append(
                f'  File "{code.co_filename}", line {traceback.tb_lineno}, in {code.co_name}'
            )
        traceback = traceback.tb_next
    return "\n".join([_NOTE, *lines[-_FRAMES:]]) if lines else ""


def _add_note(error: BaseException, note: str) -> None:
    """Add a note, which Python 3.11 and later print."""
    if not note or isinstance(error, BridgeError) or not isinstance(error, Exception):
        return
    notes: Any = getattr(error, "__notes__", None) or []
    if not any(str(one).startswith(_NOTE) for one in notes):
        vars(error)["__notes__"] = [*notes, note]
