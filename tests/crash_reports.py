"""What a crash reporter shows of an error, and errors raised at every step of a call.

Secrets are recorded where the emulated clouds make them, so that the library's code does not decide
what is secret.
"""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import gc
import io
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import gcp_aws_bridge
from gcp_aws_bridge.emulator.accounts import Accounts
from gcp_aws_bridge.emulator.googleiam import GoogleIam
from gcp_aws_bridge.emulator.issuer import Issuer

PACKAGE = Path(gcp_aws_bridge.__file__).parent
_EMULATOR = f"{PACKAGE / 'emulator'}"
TESTS = str(Path(__file__).parent)

KINDS: list[Callable[[], BaseException]] = [
    RuntimeError,
    MemoryError,
    IndexError,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
]
if hasattr(builtins, "ExceptionGroup"):  # Python 3.11
    _group: Any = builtins.ExceptionGroup

    def GroupOfErrors() -> BaseException:
        made: BaseException = _group("two", [ValueError("one"), _group("in", [OSError(2, "x")])])
        return made

    KINDS.append(GroupOfErrors)


class Secrets:
    """Tokens and keys that the emulated clouds made."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def in_text(self, text: str) -> bool:
        return any(secret in text for secret in self.texts)

    def __repr__(self) -> str:
        return f"<{len(self.texts)} secrets>"


@contextmanager
def written_down() -> Iterator[Secrets]:
    """Record every secret that is made from now on."""
    found = Secrets()

    # Prefixes too: reporters cut long texts.
    def jwt(token: str) -> list[str]:
        return [token[:200], token.rsplit(".", 1)[1]]

    def key(made: Any) -> list[str]:
        return [made.secret_access_key, made.session_token[:100]]

    with pytest.MonkeyPatch.context() as patch:
        for kind, name, texts in (
            (Issuer, "sign", jwt),
            (Accounts, "issue", key),
            (GoogleIam, "issue", lambda token: [token[:60]]),
        ):
            patch.setattr(kind, name, _noting(getattr(kind, name), found.texts, texts))
        yield found


def _noting(
    make: Callable[..., Any], found: list[str], texts: Callable[[Any], list[str]]
) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        made = make(*args, **kwargs)
        found.extend(texts(made))
        return made

    return noting


def raised(call: Callable[[], object]) -> BaseException | None:
    """Return the error of *call*; its traceback begins in this frame, which holds no secret."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - any error is examined
        return error
    return None


def leaks(error: BaseException, secrets: Secrets) -> list[str]:
    """Return the ways in which a crash reporter finds a secret in *error*."""
    found = []
    if secrets.in_text(_traceback(error)):
        found.append("traceback with locals")
    for frame in frames(error):
        code = frame.f_code
        if not code.co_filename.startswith(TESTS) and secrets.in_text(_walked(frame.f_locals)):
            found.append(f"{Path(code.co_filename).name}:{code.co_name}")
    # Not through frames: each `self` in them leads to the cache.
    if secrets.in_text(" ".join(_texts(reachable(*chain(error), through_frames=False)))):
        found.append("objects reachable from the error")
    return found


def _traceback(error: BaseException) -> str:
    try:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    except AttributeError:  # the repr of an incomplete object; Python 3.13 continues
        return ""
    return "".join(shown.format())


def reports(error: BaseException, secrets: Secrets) -> list[str]:
    """Return the same for rich, structlog and sentry_sdk, with their defaults and with locals."""
    found = []
    for name, report in (("rich", _rich), ("structlog", _structlog), ("sentry", _sentry)):
        if secrets.in_text(report(error)):
            found.append(name)
    return found


def _rich(error: BaseException) -> str:
    console_module = pytest.importorskip("rich.console")
    rich_traceback = pytest.importorskip("rich.traceback")
    shown = rich_traceback.Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_string=None,
        width=9999,
    )
    console = console_module.Console(file=io.StringIO(), width=9999)
    console.print(shown)
    return str(console.file.getvalue())


def _structlog(error: BaseException) -> str:
    tracebacks = pytest.importorskip("structlog.tracebacks")
    shown = tracebacks.ExceptionDictTransformer(show_locals=True, locals_max_string=9999)
    return str(shown((type(error), error, error.__traceback__)))


def _sentry(error: BaseException) -> str:
    sentry_sdk = pytest.importorskip("sentry_sdk")
    events: list[Any] = []
    client = sentry_sdk.Client(
        dsn="http://k@127.0.0.1:9/1",
        default_integrations=False,  # integrations change the process; another program tests them
        before_send=lambda event, hint: events.append(event),
    )
    event, hint = sentry_sdk.utils.event_from_exception(error, client_options=client.options)
    client.capture_event(event, hint=hint)
    client.close(timeout=0)
    assert events
    return str(events)


def chain(error: BaseException | None) -> list[BaseException]:
    """Return *error* and all its causes and contexts."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and not any(one is other for other in found):
            found.append(one)
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


def frames(error: BaseException) -> list[types.FrameType]:
    return [frame for one in chain(error) for frame, _ in traceback.walk_tb(one.__traceback__)]


def _walked(value: Any, depth: int = 5) -> str:
    """Serialize *value* as reporters do: containers by their items, other objects by their repr."""
    if isinstance(value, dict) and depth:
        return " ".join(f"{key} {_walked(one, depth - 1)}" for key, one in list(value.items()))
    if isinstance(value, (tuple, list, set, frozenset)) and depth:
        return " ".join(_walked(one, depth - 1) for one in list(value))
    try:
        return repr(value)
    except AttributeError:  # as in `_traceback`
        return ""


def reachable(*roots: object, through_frames: bool = True) -> list[object]:
    """Return every object reachable from *roots*, except modules and classes."""
    passed_by: tuple[Any, ...] = (types.ModuleType, type)
    if not through_frames:
        passed_by += (types.TracebackType, types.FrameType)
    seen: set[int] = set()
    found: list[object] = []
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, passed_by):
            continue
        seen.add(id(one))
        found.append(one)
        if isinstance(one, types.FunctionType):
            waiting += [one.__closure__, one.__defaults__]
        elif isinstance(one, types.FrameType):
            if not one.f_code.co_filename.startswith(TESTS):
                waiting += one.f_locals.values()
        else:
            waiting += gc.get_referents(one)
    return found


def _texts(found: list[object]) -> list[str]:
    return [
        one if isinstance(one, str) else one.decode("latin-1")
        for one in found
        if isinstance(one, (str, bytes))
    ]


def remembered(cache: Any, secrets: Secrets) -> bool:
    """Return whether a cache without valid credentials holds a secret outside of its source."""
    if cache.peek() is not None:
        return False
    state = {name: value for name, value in vars(cache).items() if name != "_fetch"}
    return secrets.in_text(" ".join(_texts(reachable(*state.values()))))


# -- every step --------------------------------------------------------------------------------


class Step(NamedTuple):
    """The beginning ("call") or the end ("return") of a function."""

    code: types.CodeType
    moment: str

    def __repr__(self) -> str:
        return f"{self.moment} of {Path(self.code.co_filename).name}:{self.code.co_name}"


def of_the_exchange(path: str) -> bool:
    """Return whether a file belongs to the library and takes part in an exchange."""
    return path.startswith(str(PACKAGE)) and not path.startswith(_EMULATOR)


def steps(
    call: Callable[[], object], chosen: Callable[[str], bool] = of_the_exchange
) -> list[Step]:
    """Return the beginning and the end of each function that *call* runs in this thread."""
    codes: dict[types.CodeType, None] = {}

    def trace(frame: types.FrameType, event: str, _: object) -> None:
        codes[frame.f_code] = None

    with _traced(trace):
        call()
    found = [code for code in codes if chosen(code.co_filename) and not _holds_a_socket(code)]
    return [Step(code, moment) for code in found for moment in ("call", "return")]


def _holds_a_socket(code: types.CodeType) -> bool:
    """Return whether a failure at the function's entry leaves a socket open, which pytest reports.

    These functions have not read any part of an answer.
    """
    of_answers = code.co_filename.endswith(("bounded_answer.py", "bounded_reader.py"))
    return of_answers and code.co_name in ("__init__", "close", "readable")


def failing_at(
    step: Step, kind: Callable[[], BaseException], call: Callable[[], object]
) -> BaseException | None:
    """Return the error of *call* if *step* raises *kind*, the first time that it is reached."""
    code, moment = step

    def trace(frame: types.FrameType, event: str, returned: object) -> Any:
        del returned  # otherwise this frame would show it
        if frame.f_code is not code:
            return None
        frame.f_trace_lines = False
        if event == moment:
            raise kind()  # this ends the tracing
        return trace

    # In a context of its own: a step that fails may leave logs silenced (`wire_logs_silenced`).
    context = contextvars.copy_context()
    with _traced(trace):
        return context.run(raised, call)


@contextmanager
def _traced(trace: Any) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
