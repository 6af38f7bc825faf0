"""The search for secrets in the output of the tests finds each kind of leak."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import START
from unit.servers import id_token

from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge.exceptions import ExchangeError, TokenError

watch = pytest.importorskip("secrecy").watch


@pytest.fixture
def token() -> str:
    return _id_token.parse(id_token(now=START), origin="A test").raw


@pytest.fixture(autouse=True)
def leaks_are_expected() -> Iterator[None]:
    yield
    watch.forget()


def log(secret: str) -> None:
    logging.getLogger("gcp_aws_bridge").debug("requested with %s", secret)


def log_with_traceback(secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError:
        logging.getLogger("urllib3").debug("it failed", exc_info=True)


def raise_it(secret: str) -> None:
    TokenError("The token is not valid.", fix=f"look at {secret}")


def keep_it_in_an_attribute(secret: str) -> None:
    ExchangeError("STS denied access.", request_id=secret)


def start_a_process(secret: str) -> None:
    subprocess.run([sys.executable, "-c", "", secret], check=True)


@pytest.mark.parametrize(
    "leak", [log, log_with_traceback, raise_it, keep_it_in_an_attribute, start_a_process]
)
@pytest.mark.parametrize("part", ["token", "signature"])
def test_leak_is_found(token: str, leak: Callable[[str], None], part: str) -> None:
    leak(token if part == "token" else token.rsplit(".", 1)[1])
    found, watch.leaks[:] = list(watch.leaks), []
    assert found


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
@pytest.mark.parametrize(("mode", "seen"), [(0o600, 0), (0o640, 1), (0o604, 1)])
def test_secret_file_that_others_may_read_is_found(
    token: str, tmp_path: Path, mode: int, seen: int
) -> None:
    path = tmp_path / "cache"
    path.write_text(token)
    path.chmod(mode)
    watch.written.add(path)
    watch.search_files()
    watch.written.clear()
    found, watch.leaks[:] = list(watch.leaks), []
    assert seen == len(found)


def test_text_that_is_no_secret_is_allowed(token: str) -> None:
    log(token.split(".")[0])
    assert [] == watch.leaks
