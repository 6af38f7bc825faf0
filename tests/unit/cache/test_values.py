"""Values that hold a secret show none to whatever serializes them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import json
import pickle
import pprint
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
import yaml

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.credentials import FrozenCredentials, _View
from gcp_aws_bridge._cache.policy import POLICY, Memory
from gcp_aws_bridge._cache.values import SecretValue
from gcp_aws_bridge._tokens import http
from gcp_aws_bridge._tokens.id_token import IdToken
from gcp_aws_bridge.google._exchange import GoogleToken
from gcp_aws_bridge.google._subject_tokens import SubjectToken
from gcp_aws_bridge.server import asgi
from gcp_aws_bridge.webhook.review import Review

SECRET = "hunter2-is-a-secret"
END = datetime(2026, 1, 1, 13, tzinfo=timezone.utc)
CREDENTIALS = bridge.AwsCredentials("ASIAEXAMPLE", SECRET, SECRET, END, "123456789012")
VALUES: list[SecretValue] = [
    CREDENTIALS,
    IdToken(SECRET, "iss", ("aud",), "sub", None, None, END),
    GoogleToken(SECRET, END),
    SubjectToken(SECRET, "urn:jwt"),
    http.Answer(200, {"x": SECRET}, SECRET),
    asgi.Request("GET", "/", {b"authorization": SECRET.encode()}, SECRET.encode()),
    asgi.Answer(200, SECRET.encode()),
    Review("uid", "data", {"spec": {"containers": [{"env": [{"value": SECRET}]}]}}, False),
    _View(CREDENTIALS, FrozenCredentials("ASIAEXAMPLE", SECRET, SECRET)),
]
HOLDERS = [
    *VALUES,
    Memory(POLICY.keep(CREDENTIALS, END, 0.0, 0.0)),
    POLICY.keep(CREDENTIALS, END, 0.0, 0.0),
]


@dataclasses.dataclass
class OfAUser:
    """What a program may put a value into."""

    value: object


def sentry(value: object) -> object:
    serializer = pytest.importorskip("sentry_sdk.serializer")
    return serializer.serialize({"x": value}, is_vars=True), serializer.serialize({"x": value})


def rich(value: object) -> object:
    console_module = pytest.importorskip("rich.console")
    pretty = pytest.importorskip("rich.pretty")
    console = console_module.Console(file=io.StringIO(), width=9999)
    console.print({"x": value}, OfAUser(value))
    return console.file.getvalue() + pretty.pretty_repr(value)


def structlog_of(value: object) -> object:
    structlog = pytest.importorskip("structlog")
    event = {"event": "e", "x": value}
    shown = [
        structlog.processors.JSONRenderer()(None, "info", dict(event)),
        structlog.processors.KeyValueRenderer()(None, "info", dict(event)),
        structlog.dev.ConsoleRenderer(colors=False)(None, "info", dict(event)),
    ]
    error: Any = None
    try:
        raise LookupError("anything")
    except LookupError as raised:
        error = raised
    shown.append(
        str(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=True)(
                (type(error), error, error.__traceback__)
            )
        )
    )
    return shown


def with_dataclass(value: object) -> object:
    return dataclasses.asdict(OfAUser(value)), dataclasses.astuple(OfAUser(value))


SERIALIZERS: list[Callable[[Any], object]] = [
    repr,
    str,
    lambda value: f"{value}",
    lambda value: f"{value!r:>100} {[value]} { {'x': value} }",
    lambda value: json.dumps({"x": value}, default=str),
    lambda value: json.dumps({"x": value}, default=repr),
    pprint.pformat,
    with_dataclass,
    sentry,
    rich,
    structlog_of,
    copy.copy,
    copy.deepcopy,
]


@pytest.mark.parametrize("value", HOLDERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("serialize", SERIALIZERS)
def test_no_serializer_finds_a_secret(value: object, serialize: Callable[[Any], object]) -> None:
    assert SECRET not in str(serialize(value))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("looks_into", "error"),
    [
        (iter, TypeError),
        (len, TypeError),
        (dict, TypeError),
        (vars, TypeError),
        (lambda value: value[0], TypeError),
        (lambda value: value.__dict__, AttributeError),
        (lambda value: value._asdict(), AttributeError),
        (dataclasses.asdict, TypeError),
        (dataclasses.fields, TypeError),
        (json.dumps, TypeError),
        (lambda value: json.dumps(value, default=vars), TypeError),
        (yaml.safe_dump, yaml.YAMLError),
    ],
)
def test_what_looks_for_items_or_fields_finds_none(
    value: SecretValue, looks_into: Callable[[Any], object], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        looks_into(value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_stays_as_it_was_made(value: SecretValue) -> None:
    for name in type(value).__slots__:
        with pytest.raises(AttributeError, match="cannot be changed") as caught:
            setattr(value, name, SECRET)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(value, name)
        assert SECRET not in str(caught.value)
    with pytest.raises(AttributeError):
        value.other = 1  # type: ignore[attr-defined]
    assert value is copy.copy(value) is copy.deepcopy(value)


def made_again(value: SecretValue) -> Iterator[SecretValue]:
    if not isinstance(value, (asgi.Answer, _View)) and type(value).__name__ != "SubjectToken":
        yield pickle.loads(pickle.dumps(value))  # tests/secrecy.py stands where those classes were
    yield value.__replace__()
    if hasattr(copy, "replace"):  # Python 3.13
        yield copy.replace(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_equal_attributes_make_equal_values(value: SecretValue) -> None:
    for other in made_again(value):
        assert value is not other
        assert value == other
        if isinstance(value, (http.Answer, asgi.Request, Review)):  # which have a dict
            continue
        assert hash(value) == hash(other)
    assert value != tuple(getattr(value, name) for name in type(value).__slots__)
    assert value not in [other for other in VALUES if other is not value]


def test_another_attribute_is_another_value() -> None:
    other = CREDENTIALS.__replace__(session_token="another")
    assert "another" == other.session_token
    assert CREDENTIALS != other
    assert 2 == len({CREDENTIALS, other})


def test_every_class_with_secrets_is_among_those_that_are_tried() -> None:
    def below(kind: type[SecretValue]) -> Iterator[type[SecretValue]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    ours = {one for one in below(SecretValue) if one.__module__.startswith("gcp_aws_bridge")}
    assert ours == {type(value) for value in VALUES}
    assert all("__repr__" in vars(one) or one is _View for one in ours)


def test_frozen_credentials_are_a_tuple_as_botocore_needs_them() -> None:
    frozen = FrozenCredentials("ASIAEXAMPLE", SECRET, SECRET)
    assert ("ASIAEXAMPLE", SECRET, SECRET) == tuple(frozen)[:3]
    assert SECRET not in repr(frozen)
    assert SECRET not in str(sentry(frozen))  # by `__sentry_repr__`
    assert SECRET not in str(rich(frozen))
    assert SECRET in json.dumps(frozen)  # as docs/explanation/security.md says of a tuple


def test_constructors_name_what_they_take() -> None:
    names = ["access_key_id", "secret_access_key", "session_token", "expiration", "account_id"]
    assert [*names, "region"] == [*inspect.signature(bridge.AwsCredentials).parameters]
