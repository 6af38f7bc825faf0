"""A check in all tests: no ID token, secret key or session token where others can read it.

A pytest plugin. It records every secret that the library handles in a test, and fails the test if
one of them is found in a log record of any level, enabled or not, in one of the library's errors,
in the arguments of a process, in the `repr` of its owner, or in a file that the library wrote and
that others may read. Warnings are errors here (`filterwarnings` in pyproject.toml), and a pickle
contains what an error contains.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gcp_aws_bridge
from gcp_aws_bridge import exceptions
from gcp_aws_bridge._botocore import credentials as _botocore_credentials
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._sts import calls
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge.google import _exchange, _subject_tokens
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._subject_tokens import SubjectToken

PACKAGE = Path(gcp_aws_bridge.__file__).parent
_EMULATOR = PACKAGE / "emulator"
# Enough for any one test; with a simulated day of refreshes, every search would be slow.
_REMEMBERED = 200


class Watch:
    """The secrets, where they were found, and the files that the library wrote."""

    def __init__(self) -> None:
        self.keys: list[str] = []  # ID tokens, their signatures, secret keys
        self.session_tokens: list[str] = []
        self.written: set[Path] = set()
        self.leaks: list[str] = []

    def forget(self) -> None:
        for seen in (self.keys, self.session_tokens, self.written, self.leaks):
            seen.clear()

    def search(self, text: str, where: str, *, session_tokens: bool = True) -> None:
        secrets = self.keys[-_REMEMBERED:]
        if session_tokens:
            secrets = secrets + self.session_tokens[-_REMEMBERED:]
        if any(secret in text for secret in secrets):
            self.leaks.append(where)

    def search_files(self) -> None:
        for path in self.written:
            if path.is_file() and path.stat().st_mode & 0o077:
                self.search(
                    path.read_text(encoding="latin-1"), f"file {path.name}, readable by all"
                )


watch = Watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    watch.forget()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    result = yield
    watch.search_files()
    for cache in list(registry._alive.values()):
        watch.search(f"{cache!r} {vars(cache)!r} {cache.snapshot!r}", "repr of a credential cache")
    if watch.leaks:
        pytest.fail(f"A secret was found in: {', '.join(sorted(set(watch.leaks)))}")
    return result


def pytest_configure() -> None:
    _record_secrets()
    _watch_logs()
    _watch_errors()
    sys.addaudithook(_audit)


def _record_secrets() -> None:
    """Record secrets where they are made; no `repr` of their owners shows them."""

    def parsed(token: id_token.IdToken) -> None:
        watch.keys += [token.raw, token.raw.rsplit(".", 1)[1]]

    def read(credentials: AwsCredentials) -> None:
        watch.keys.append(credentials.secret_access_key)
        watch.session_tokens.append(credentials.session_token)

    def google(token: GoogleToken) -> None:
        watch.session_tokens.append(token.token)

    def subject(token: SubjectToken) -> None:
        watch.keys.append(token.value)

    for module, name, record in (
        (id_token, "parse", parsed),
        (_exchange, "_lasting", google),
        (_subject_tokens, "SubjectToken", subject),
        (calls, "credentials_in", read),
        (_botocore_credentials, "FrozenCredentials", lambda frozen: None),
    ):
        setattr(module, name, _seen(getattr(module, name), record))


def _seen(make: Callable[..., Any], record: Callable[[Any], None]) -> Callable[..., Any]:
    def made(*args: Any, **kwargs: Any) -> Any:
        value = make(*args, **kwargs)
        record(value)
        watch.search(f"{value!r} {value}", f"repr of {type(value).__name__}")
        return value

    return made


def _watch_logs() -> None:
    """Search every record, enabled or not; records that are not enabled go no further."""
    logger = logging.Logger
    enabled, hand_on = logger.isEnabledFor, logger.callHandlers

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        text = f"{record.getMessage()} {vars(record)}"
        if record.exc_info and record.exc_info[1] is not None:
            text += logging.Formatter().formatException(record.exc_info)
        # SDKs log a user's requests with the session token that signs them. An answer of STS, which
        # must not be in a log, also contains the secret key.
        ours = not record.name.startswith(("botocore", "aiobotocore", "google", "smithy_core"))
        if not record.name.startswith("moto."):  # a server, which may know them
            watch.search(text, f"log of {record.name}", session_tokens=ours)
        if enabled(self, record.levelno):
            hand_on(self, record)

    logger.isEnabledFor = lambda self, level: True  # type: ignore[method-assign]
    logger.callHandlers = call_handlers  # type: ignore[method-assign]


def _watch_errors() -> None:
    def watched(init: Callable[..., None]) -> Callable[..., None]:
        def initialise(self: BaseException, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            watch.search(f"{self} {self!r} {vars(self)}", f"a {type(self).__name__}")

        return initialise

    for kind in (exceptions.BridgeError, exceptions.ExchangeError):
        kind.__init__ = watched(kind.__init__)  # type: ignore[method-assign]


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"}:
        watch.search(str(args[:2]), "arguments of a process")
    elif event == "open" and _writes(*args) and _from_the_library():
        watch.written.add(Path(os.fsdecode(args[0])))
    elif event == "os.rename" and _from_the_library():
        watch.written.add(Path(os.fsdecode(args[1])))  # written beside the target, then renamed


def _writes(path: object, mode: str | None, flags: int) -> bool:
    return isinstance(path, (str, bytes)) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _from_the_library() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents:
            return _EMULATOR not in path.parents
        frame = frame.f_back  # type: ignore[assignment]
    return False
