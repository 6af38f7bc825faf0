"""Errors that leave the library keep type and text, and lose all that may hold a secret."""

from __future__ import annotations

import asyncio
import builtins
import json
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

import botocore.exceptions
import pytest
from crash_reports import chain, frames, raised, reachable

from gcp_aws_bridge._traceback import without_frames, without_inner_frames
from gcp_aws_bridge.exceptions import ExchangeError, TokenError

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

needs_groups = pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are of Python 3.11")


class Response:
    """The answer that an HTTP library's error refers to."""

    def __init__(self) -> None:
        self.text = TOKEN


class WithResponse(Exception):
    def __init__(self, text: str, *, response: Response, status: int) -> None:
        super().__init__(text)
        self.response = response
        self.status = status


class WithSlots(Exception):
    __slots__ = ("held",)


class Meta(type):
    pass


class OfAMeta(ValueError, metaclass=Meta):
    pass


class Registered(Exception):
    found: ClassVar[list[type]] = []

    def __init_subclass__(cls) -> None:
        Registered.found.append(cls)


class Picky(Exception):
    def __new__(cls, one: int, two: int) -> Any:
        return super().__new__(cls, one, two)

    def __init__(self, one: int, two: int) -> None:
        self.two = [two, Response()]


class Unreadable(Exception):
    def __str__(self) -> str:
        raise ValueError(TOKEN)


class Computed(Exception):
    def __str__(self) -> str:
        return f"it was {TOKEN}"


def with_slots() -> Exception:
    made = WithSlots("x")
    made.held = TOKEN
    return made


def caught(call: Callable[[], object]) -> BaseException:
    found = raised(call)
    assert found is not None
    return found


def attribute_of_response() -> BaseException:
    return caught(lambda: Response().missing)  # type: ignore[attr-defined]


ERRORS: list[Callable[[], BaseException]] = [
    lambda: RuntimeError(f"bad {TOKEN}"),
    lambda: KeyError(TOKEN),
    lambda: KeyError(KEY),
    lambda: OSError(2, "no such file", TOKEN),
    lambda: ValueError(TOKEN.encode()),
    lambda: ValueError({"keys": [KEY]}),
    lambda: ValueError(Response()),
    lambda: StopIteration(TOKEN),
    lambda: SyntaxError("x", ("f", 1, 1, TOKEN)),
    lambda: ImportError(TOKEN, name=TOKEN, path=TOKEN),
    lambda: caught(lambda: json.loads('{"secret": nothing}')),
    lambda: caught(lambda: f"{TOKEN}\udc00".encode()),
    lambda: caught(lambda: (TOKEN.encode() + b"\xff").decode()),
    attribute_of_response,
    lambda: WithResponse("it failed", response=Response(), status=403),
    with_slots,
    lambda: OfAMeta(TOKEN),
    lambda: Registered(TOKEN),
    lambda: Picky(1, 2),
    Unreadable,
    Computed,
    lambda: botocore.exceptions.ClientError(
        {"Error": {"Code": "AccessDenied", "Message": TOKEN}}, "AssumeRole"
    ),
    lambda: botocore.exceptions.HTTPClientError(request=Response(), error=ValueError("q")),
    lambda: TokenError(f"got {TOKEN}", fix="f"),
    lambda: ExchangeError("no", request_id=TOKEN),
]


def leads_to_a_secret(error: BaseException) -> bool:
    found = reachable(*chain(error))
    texts = [str(one) for one in found if isinstance(one, (str, bytes))]
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    texts += [*shown.format(), repr(error), str(error)]
    return any(TOKEN in text or KEY in text or "nothing}" in text for text in texts)


@pytest.mark.parametrize("make", ERRORS)
def test_error_keeps_type_and_text_and_no_secret(make: Callable[[], BaseException]) -> None:
    before = make()
    text = "a Unreadable" if isinstance(before, Unreadable) else str(before)
    text = text.replace(TOKEN, "[redacted]").replace(KEY, "[redacted]")
    after = without_frames(before)
    assert isinstance(after, type(before))
    assert (type(before).__name__, type(before).__module__) == (
        type(after).__name__,
        type(after).__module__,
    )
    assert not leads_to_a_secret(after)
    assert text == str(after)
    # The same at each later boundary, and in another process.
    again = without_frames(without_frames(after, kept=True))
    carried = pickle.loads(pickle.dumps(again))
    assert type(after).__name__ == type(again).__name__ == type(carried).__name__
    assert str(after) == str(again) == str(carried)


def test_traceback_of_a_syntax_error_shows_its_text() -> None:
    after = without_frames(SyntaxError(f"invalid {TOKEN}", ("plugin.py", 1, 1, TOKEN, 1, 2)))
    shown = traceback.format_exception_only(type(after), after)[-1]
    assert "SyntaxError: invalid [redacted] (plugin.py, line 1)\n" == shown


class KeepsItsTraceback(Exception):
    def with_traceback(self, _: object) -> KeepsItsTraceback:
        return self


def test_a_class_that_overrides_with_traceback_keeps_no_frames() -> None:
    def with_a_token() -> None:
        token = TOKEN
        raise KeepsItsTraceback(len(token))

    after = without_frames(caught(with_a_token))
    assert isinstance(after, KeepsItsTraceback)
    assert after.__traceback__ is None


def test_init_subclass_of_a_users_class_is_not_called() -> None:
    without_frames(Registered(TOKEN))
    assert [] == Registered.found


def test_error_keeps_plain_attributes() -> None:
    after: Any = without_frames(WithResponse("it failed", response=Response(), status=403))
    assert (403, "it failed") == (after.status, str(after))
    assert not hasattr(after, "response")
    shown: Any = without_frames(
        botocore.exceptions.ClientError(
            {"Error": {"Code": "AccessDenied", "Message": TOKEN}}, "AssumeRole"
        )
    )
    assert {"Code": "AccessDenied", "Message": "[redacted]"} == shown.response["Error"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("apm"),
        MemoryError(),
        FileNotFoundError(2, "no such file", "/x"),
        KeyError("x"),
        ExchangeError("no", code="AccessDenied"),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_an_error_with_nothing_to_hide_is_the_same_object(error: BaseException) -> None:
    found = caught(lambda: raise_(error))
    assert found.__traceback__ is not None
    assert found is without_frames(found)
    assert found.__traceback__ is None


def raise_(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interrupt_stays_the_same_object_unless_it_is_kept(kind: type[BaseException]) -> None:
    error = kind(f"with {TOKEN}")
    assert error is without_frames(error)
    assert not leads_to_a_secret(error)
    kept = without_frames(error, kept=True)
    assert kept is not error
    assert isinstance(kept, kind)


def test_notes_show_where_an_error_was_raised_without_its_locals() -> None:
    def users_hook(secret: str) -> None:
        raise RuntimeError("apm")

    after: Any = without_frames(caught(lambda: users_hook(TOKEN)))
    assert 1 == len(after.__notes__)
    assert f'File "{__file__}", line ' in after.__notes__[0]
    assert "in users_hook" in after.__notes__[0]
    assert TOKEN not in after.__notes__[0]
    again: Any = without_frames(caught(lambda: raise_(after)))
    assert 1 == len(again.__notes__)


def test_notes_of_the_user_are_redacted() -> None:
    error = RuntimeError("apm")
    error.__notes__ = [f"token {TOKEN}", "and more"]  # type: ignore[attr-defined]
    after: Any = without_frames(error)
    assert ["token [redacted]", "and more"] == after.__notes__


# -- chains ------------------------------------------------------------------------------------


def linked(depth: int, *, by: str) -> BaseException:
    error: BaseException = ValueError(TOKEN)
    for number in range(depth):
        outer = caught(lambda number=number: raise_(RuntimeError(number)))  # type: ignore[misc]
        setattr(outer, by, error)
        error = outer
    return error


@pytest.mark.parametrize("by", ["__cause__", "__context__"])
@pytest.mark.parametrize("depth", [1, 2, 100, 5000])
def test_causes_of_any_depth_are_cleaned(by: str, depth: int) -> None:
    after = without_frames(linked(depth, by=by))
    found = chain(after)
    assert min(depth + 1, 200) == len(found)
    assert [] == frames(after)
    assert not leads_to_a_secret(after)


def test_cyclic_causes_are_cleaned() -> None:
    one, two = RuntimeError("one"), RuntimeError(TOKEN)
    one.__cause__, two.__cause__, two.__context__ = two, one, two
    after = without_frames(one)
    assert [after, after.__cause__] == chain(after)
    assert after.__cause__ is not None
    assert after is after.__cause__.__cause__


def test_a_context_that_no_traceback_shows_is_dropped() -> None:
    def fails() -> None:
        try:
            raise ValueError(TOKEN)
        except ValueError:
            raise RuntimeError("shown") from None

    after = without_frames(caught(fails))
    assert after.__context__ is None
    assert after.__suppress_context__


@needs_groups
@pytest.mark.parametrize("kind", ["ExceptionGroup", "BaseExceptionGroup"])
def test_nested_exception_groups_are_cleaned(kind: str) -> None:
    group: Any = getattr(builtins, kind)
    own: Any = type("Own", (group,), {"derive": lambda self, found: 1 / 0})
    members: list[BaseException] = [caught(lambda: raise_(ValueError(TOKEN)))]
    if kind == "BaseExceptionGroup":
        members.append(KeyboardInterrupt())
    inner = own("inner", members)
    inner.__cause__ = linked(2, by="__context__")
    before = caught(lambda: raise_(group(f"outer {TOKEN}", [inner, OSError("x")])))
    after: Any = without_frames(before)
    assert type(before) is type(after)
    assert "outer [redacted]" == after.message
    assert "Own" == type(after.exceptions[0]).__name__
    assert isinstance(after.exceptions[0], own)
    assert isinstance(after.exceptions[0].exceptions[0], ValueError)
    assert [] == frames(after)
    assert not leads_to_a_secret(after)
    matched, rest = after.split(ValueError)
    assert "[redacted]" == str(matched.exceptions[0].exceptions[0])
    assert rest is not None
    assert not leads_to_a_secret(without_frames(after))


# -- the boundary ------------------------------------------------------------------------------


def fails(secret: str, make: Callable[[], BaseException]) -> None:
    raise make()


@pytest.mark.parametrize("make", [RuntimeError, KeyboardInterrupt, lambda: KeyError(TOKEN)])
def test_frame_that_raises_holds_no_secret(make: Callable[[], BaseException]) -> None:
    error = caught(lambda: without_inner_frames(fails)(TOKEN, make))
    names = [frame.f_code.co_name for frame in frames(error)]
    assert "call" == names[-1]
    assert {"function"} == set(frames(error)[-1].f_locals)
    assert "fails" not in names


def test_error_that_the_caller_handles_is_unchanged() -> None:
    users = WithResponse("users", response=Response(), status=1)
    found: BaseException | None = None
    try:
        raise users
    except WithResponse:
        before = users.__traceback__
        found = caught(lambda: without_inner_frames(fails)(TOKEN, lambda: KeyError(TOKEN)))
    assert users is found.__context__
    assert (before, Response) == (users.__traceback__, type(users.response))
    assert [error for error in chain(found) if error is not users] == [found]


def test_context_of_an_error_is_kept() -> None:
    def handles() -> None:
        try:
            raise ValueError("first")
        except ValueError:
            raise KeyError("second")  # noqa: B904 - a context, not a cause

    found: BaseException | None = None
    try:
        raise RuntimeError("users")
    except RuntimeError:
        found = caught(without_inner_frames(handles))
    assert ["'second'", "first", "users"] == [str(error) for error in chain(found)]


def test_interrupt_during_the_cleaning_is_raised_without_context() -> None:
    class Interrupting(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    error = caught(lambda: without_inner_frames(fails)(TOKEN, Interrupting))
    assert KeyboardInterrupt is type(error)
    assert [error] == chain(error)
    assert not leads_to_a_secret(error)


def test_error_of_a_final_class_has_the_class_name_in_its_text() -> None:
    class Final(Exception):
        def __init__(self) -> None:
            self.held = Response()

    class Sealed(type):
        def __new__(cls, name: str, bases: tuple[type, ...], found: dict[str, Any]) -> Any:
            if bases[0] is not Exception:
                raise TypeError("sealed")
            return super().__new__(cls, name, bases, found)

    sealed: Any = Sealed("Sealed", (Exception,), {"__init__": Final.__init__})
    after = without_frames(sealed())
    assert (RuntimeError, "Sealed: ") == (type(after), str(after))
