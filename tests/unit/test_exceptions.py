"""The tree of errors, their messages, and foreign text in a message."""

from __future__ import annotations

import ast
import copy
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.servers import id_token

from gcp_aws_bridge import exceptions
from gcp_aws_bridge.exceptions import (
    BridgeError,
    ConfigError,
    ExchangeError,
    TokenError,
    TokenUnavailable,
    as_cause,
    quoted,
)

KINDS = [BridgeError, ConfigError, TokenError, TokenUnavailable, ExchangeError]


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (BridgeError, (Exception,)),
        (ConfigError, (BridgeError, ValueError)),
        (TokenError, (BridgeError,)),
        (TokenUnavailable, (TokenError,)),
        (ExchangeError, (BridgeError,)),
    ],
)
def test_each_error_has_its_base_classes(
    kind: type[BridgeError], parents: tuple[type, ...]
) -> None:
    assert parents == kind.__bases__


def test_all_names_every_error() -> None:
    public = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert sorted(public) == exceptions.__all__


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "It failed."),
        ({"fix": "fix it."}, "It failed. Fix: fix it."),
        ({"error_id": "config/x"}, "It failed. [config/x]"),
        ({"fix": "fix it.", "error_id": "config/x"}, "It failed. Fix: fix it. [config/x]"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_text_is_summary_fix_and_id(
    kind: type[BridgeError], settings: dict[str, str], text: str
) -> None:
    error = kind("It failed.", **settings)
    assert text == str(error)
    assert ("It failed.",) == error.args


@pytest.mark.parametrize(
    "carry", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy]
)
@pytest.mark.parametrize(
    "error",
    [
        *(kind("It failed.", fix="fix it.", error_id="a/b") for kind in KINDS),
        ExchangeError("No.", fix="f", error_id="e/f", code="C", request_id="r", retryable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_keeps_its_attributes_when_it_is_copied_or_pickled(error: BridgeError, carry) -> None:  # type: ignore[no-untyped-def]
    arrived = carry(error)
    assert (type(error), error.args, vars(error), str(error)) == (
        type(arrived),
        arrived.args,
        vars(arrived),
        str(arrived),
    )


def test_an_exchange_error_is_final_unless_it_says_otherwise() -> None:
    error = ExchangeError("No.")
    assert ("", "", False) == (error.code, error.request_id, error.retryable)


def test_config_error_is_caught_as_a_value_error() -> None:
    with pytest.raises(ValueError, match="No"):
        raise ConfigError("No.")


# -- the cause of another error, and lengths ---------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_error_that_is_the_cause_of_another_is_short_and_keeps_its_attributes(
    kind: type[BridgeError],
) -> None:
    error = kind("It failed.", fix="correct it.", error_id="a/b", details="A thing.")
    error.__cause__ = ZeroDivisionError("of another library")
    cause = as_cause(error)
    assert "[a/b] To read more: gcp-aws-bridge explain a/b" == str(cause)
    assert str(error) == error.message == cause.message
    assert "It failed. Fix: correct it. Details: A thing. [a/b]" == str(error)
    assert (error.args, error.fix, error.details) == (cause.args, cause.fix, cause.details)
    assert (type(error), error.__cause__) == (type(cause), cause.__cause__)
    assert str(cause) == str(pickle.loads(pickle.dumps(cause)))
    try:
        raise RuntimeError(error.message) from cause
    except RuntimeError as wrapper:
        shown = "".join(traceback.format_exception(wrapper))
    assert (1, 1) == (shown.count("It failed."), shown.count("of another library"))


PACKAGE = Path(exceptions.__file__).parent
_LONGEST = 320  # "about 300"
_PLACEHOLDER = 25  # a name, a number, an address


def _length(node: ast.AST) -> int:
    """Return the length of a message in the code, with typical values in the placeholders."""
    if isinstance(node, ast.Constant):
        return len(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return sum(map(_length, node.values))
    if isinstance(node, ast.BinOp):
        return _length(node.left) + _length(node.right)
    if isinstance(node, ast.IfExp):
        return max(_length(node.body), _length(node.orelse))
    return _PLACEHOLDER


def _raised() -> Iterator[Any]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in exceptions.__all__:
                yield pytest.param(node, id=f"{path.relative_to(PACKAGE)}:{node.lineno}")


@pytest.mark.parametrize("call", [*_raised()])
def test_message_is_short_before_its_details(call: ast.Call) -> None:
    fix = [one.value for one in call.keywords if one.arg == "fix"]
    assert _LONGEST >= sum(map(_length, [*call.args, *fix])) + len(" Fix: ")


# -- quoted ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ("plain", '"plain"'),
        ("\none\n two\r\n\tthree\n", '"one two three"'),
        ("space at the end ", '"space at the end "'),
        ("bell\x07 escape\x1b[31m", '"bell? escape?[31m"'),
        ("right\u202eto left", '"right?to left"'),
        ("ünïcödé", '"ünïcödé"'),
        ("lone \ud800 surrogate", '"lone ? surrogate"'),
        ("x" * 99, f'"{"x" * 99}"'),
        ("a " * 100, f'"{"a " * 100}"'),
        ("a " * 101, f'"{("a " * 101)[:199]}…"'),
    ],
)
def test_foreign_text_is_one_printable_line_of_bounded_length(text: str, shown: str) -> None:
    assert shown == quoted(text)


def test_limit_counts_characters_between_the_quotes() -> None:
    assert '"abcdefghi…"' == quoted("abcdefghijk", 10)
    assert '"abcdefghij"' == quoted("abcdefghij", 10)


TOKEN = id_token()
HEADER, CLAIMS, SIGNATURE = TOKEN.split(".")
SESSION_TOKEN = "IQoJb3JpZ2luX2VjEJ3//////////wEaCXVzLWVhc3QtMSJHMEUC" * 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TOKEN, '"[redacted]"'),
        (f"Value '{TOKEN}' at 'webIdentityToken'", "\"Value '[redacted]' at 'webIdentityToken'\""),
        (f"{HEADER}.{CLAIMS}", '"[redacted]"'),
        (TOKEN[:200], '"[redacted]"'),
        (f"two {TOKEN} {TOKEN}", '"two [redacted] [redacted]"'),
        (f"{HEADER}.\n{CLAIMS}.\n{SIGNATURE}", '"[redacted] [redacted] [redacted]"'),
        (SESSION_TOKEN, '"[redacted]"'),
        (SIGNATURE, '"[redacted]"'),
        (f"token={TOKEN}&role=x", '"token=[redacted]&role=x"'),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END", '"[redacted]-----END"'),
        (
            '{"k": "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n", "b": 1}',
            '"{"k": "[redacted]", "b": 1}"',
        ),
    ],
    ids=lambda value: value[:20],
)
def test_token_in_foreign_text_is_redacted(text: str, shown: str) -> None:
    assert shown == quoted(text)


def test_token_is_redacted_before_text_is_cut() -> None:
    assert '"' + "a " * 9 + '[…"' == quoted("a " * 9 + TOKEN, 20)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::123456789012:role/some/path/that-is-long/etl",
        "https://container.googleapis.com/v1/projects/p/locations/europe-west4/clusters/c",
        "104290317465817263541",
        "eyJ",
    ],
)
def test_text_that_is_no_token_is_unchanged(text: str) -> None:
    assert f'"{text}"' == quoted(text)


def test_quoting_a_large_page_is_not_quadratic() -> None:
    # Long runs that almost match would make a backtracking pattern quadratic, which takes
    # minutes here and exceeds the suite's time-out.
    page = ("eyJ" * 20 + "." + "A" * 99 + " ") * 5000
    assert 202 == len(quoted(page))
