"""A pickle contains settings, which are checked when it is loaded, by any version."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import pydoc
from dataclasses import field
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import gcp_aws_bridge as bridge
from gcp_aws_bridge import _value
from gcp_aws_bridge._botocore.request import Adapter, Request
from gcp_aws_bridge._value import Value, value
from gcp_aws_bridge.exceptions import ConfigError

ARN = "arn:aws:iam::123456789012:role/etl"


def pickled_and_loaded(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_pickle_contains_only_settings_that_are_no_defaults() -> None:
    _, (kind, _, settings) = bridge.Role(ARN, duration_seconds=900).__reduce__()
    assert (bridge.Role, {"arn": ARN, "duration_seconds": 900}) == (kind, settings)


def test_unknown_setting_of_another_version_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Role was pickled by gcp-aws-bridge 9\.0 with zone"):
        _value.made_of(bridge.Role, "9.0", {"arn": ARN, "zone": "a"})


def test_unpickled_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"config/role-arn"):
        _value.made_of(bridge.Role, "9.0", {"arn": "etl"})


@pytest.mark.parametrize(
    "made",
    [
        lambda **more: bridge.session(ARN, region_name="eu-west-1", **more),
        lambda **more: bridge.credentials(ARN, **more),
        lambda **more: Adapter(ARN, **more),
    ],
)
def test_objects_made_for_a_role_pickle_with_the_role(made: Any) -> None:
    source = bridge.TokenFile("token")
    sent = made(token_source=source, duration_seconds=900)
    pickled = pickle.dumps(sent)
    arrived = pickle.loads(pickled)
    assert type(sent) is type(arrived)
    request = arrived._request
    assert (sent._request.role, source) == (request.role, request.token_source)
    assert repr(sent) == repr(arrived)
    assert len(pickled) < 600


def test_session_pickles_with_its_region() -> None:
    assert (
        "eu-west-1" == pickled_and_loaded(bridge.session(ARN, region_name="eu-west-1")).region_name
    )


@pytest.mark.parametrize("make", [bridge.session, bridge.credentials])
def test_objects_with_a_session_of_the_users_own_do_not_pickle(make: Any) -> None:
    made = make(ARN, botocore_session=botocore.session.get_session())
    with pytest.raises(ConfigError, match=r"botocore_session of your own .* \[config/pickle\]"):
        pickle.dumps(made)


def test_adapters_with_equal_settings_print_the_same() -> None:
    one, other = (Adapter(ARN, token_source=bridge.TokenFile("token")) for _ in range(2))
    assert repr(one) == repr(other) != repr(Adapter(ARN))


def test_repr_does_not_show_a_custom_source() -> None:
    class Source:
        def __repr__(self) -> str:
            return "hush"

        def __call__(self) -> str:
            return "hush"

    assert "hush" not in repr(Request.of(ARN, Source()))


def test_google_credentials_that_differ_print_differently() -> None:
    """Otherwise fsspec would give one team the file system of another."""

    class Held:
        def __repr__(self) -> str:
            return "hush"

    one, other = Held(), Held()
    printed = [repr(Request.of(ARN, bridge.GoogleCredentials(held))) for held in (one, one, other)]
    assert printed[0] == printed[1] != printed[2]
    assert "hush" not in "".join(printed)


@pytest.mark.parametrize("make", [bridge.session, bridge.credentials])
def test_objects_with_a_session_of_the_users_own_can_be_copied(make: Any) -> None:
    made = make(ARN, botocore_session=botocore.session.get_session())
    found = copy.copy(made)
    assert (type(made), vars(made)) == (type(found), vars(found))


def test_shared_session_reads_the_named_credentials_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        arn = f"arn:aws:iam::123456789012:role/{name}"
        (tmp_path / name).write_text(f"[default]\ngcp_role_arn = {arn}\n", encoding="utf-8")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / name))
        assert arn == Request.of(None).role.arn


@value(frozen=True)
class Point(Value):
    """A value with a field that does not count."""

    x: int
    y: int = 0
    note: str = field(default="", repr=False, compare=False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), {}), ((1, 2, "", 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})],
)
def test_wrong_arguments_raise_the_error_of_any_function(
    arguments: tuple[int, ...], named: dict[str, int]
) -> None:
    with pytest.raises(TypeError):
        Point(*arguments, **named)  # type: ignore[arg-type]


def test_value_is_a_frozen_dataclass() -> None:
    one = Point(1, y=2, note="n")
    assert (1, 2, "n") == (one.x, one.y, one.note)
    assert "Point(x=1, y=2)" == repr(one)
    assert one == Point(1, 2)
    assert hash(one) == hash(Point(1, 2))
    assert one not in (Point(1), (1, 2), None)
    assert Point(1, 5) == dataclasses.replace(one, y=5)
    assert "(x: 'int', y: 'int' = 0, note: 'str' = '')" == str(inspect.signature(Point))
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.x


def test_users_can_subclass_a_role_and_read_its_help() -> None:
    @dataclasses.dataclass(frozen=True)
    class Tagged(bridge.Role):
        team: str = ""

    class Etl(bridge.Role):
        def __init__(self, name: str) -> None:
            super().__init__(f"arn:aws:iam::123456789012:role/{name}")

    one = Tagged(ARN, team="data")
    assert (ARN, "data", "123456789012") == (one.arn, one.team, one.account_id)
    assert Etl("etl").arn.endswith("role/etl")
    assert "(name: 'str') -> 'None'" == str(inspect.signature(Etl))
    assert "audience" in pydoc.render_doc(bridge.Role)
    assert ARN == dataclasses.asdict(bridge.Role(ARN))["arn"]
    with pytest.raises(ConfigError):
        Tagged("etl")
