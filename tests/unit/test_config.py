"""`Role`: settings that STS would call malformed raise an error before anything is sent."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import socket
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.servers import ROLE_ARN, failure, id_token

from gcp_aws_bridge import config
from gcp_aws_bridge.config import DEFAULT_AUDIENCE, Role
from gcp_aws_bridge.config._first_role import FirstRole, default_session_name
from gcp_aws_bridge.exceptions import ConfigError

OTHER_ARN = "arn:aws:iam::210987654321:role/other"
POLICY_ARN = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
TOKEN = id_token()


def error_of(error_id: str, *seen: str, **settings: Any) -> ConfigError:
    """Return the error of a `Role` with these settings."""
    settings.setdefault("arn", ROLE_ARN)
    error = failure(ConfigError, error_id, lambda: Role(**settings), seen=seen)
    assert isinstance(error, ConfigError)
    return error


# -- equality and immutability -----------------------------------------------------------------


def test_an_arn_is_enough() -> None:
    role = Role(ROLE_ARN)
    assert {
        "arn": ROLE_ARN,
        "audience": "sts.amazonaws.com",
        "role_session_name": None,
        "duration_seconds": 3600,
        "region_name": None,
        "chain": (),
        "policy": None,
        "policy_arns": (),
        "sts_regions": (),
    } == dataclasses.asdict(role)


FULL = {
    "audience": "aws:123456789012:etl",
    "role_session_name": "me@example.com",
    "duration_seconds": 900,
    "region_name": "eu-west-1",
    "chain": [OTHER_ARN],
    "policy": {"Version": "2012-10-17", "Statement": []},
    "policy_arns": [POLICY_ARN],
}  # without sts_regions, which excludes region_name


@pytest.mark.parametrize(
    "spelling",
    [
        {"chain": (OTHER_ARN,)},
        {"policy_arns": (POLICY_ARN,)},
        {"policy": '{"Version":"2012-10-17","Statement":[]}'},
        {"policy": ' {\n "Version": "2012-10-17",\t"Statement": [ ] } '},
    ],
    ids=lambda spelling: next(iter(spelling)),
)
def test_spellings_of_the_same_request_are_equal(spelling: dict[str, Any]) -> None:
    one, other = Role(ROLE_ARN, **FULL), Role(ROLE_ARN, **{**FULL, **spelling})
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("name", ["arn", *FULL])
def test_roles_with_different_settings_are_not_equal(name: str) -> None:
    full = {"arn": ROLE_ARN, **FULL}
    plain = {"arn": OTHER_ARN}.get(name, Role.__dataclass_fields__[name].default)
    assert Role(**full) != Role(**{**full, name: plain})


def test_a_role_survives_pickling() -> None:
    role = Role(ROLE_ARN, **FULL)
    copy = pickle.loads(pickle.dumps(role))
    assert (role, hash(role), repr(role)) == (copy, hash(copy), repr(copy))


def test_a_role_is_immutable_and_can_be_replaced() -> None:
    role = Role(ROLE_ARN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        role.duration_seconds = 900  # type: ignore[misc]
    assert 900 == dataclasses.replace(role, duration_seconds=900).duration_seconds
    failure(
        ConfigError,
        "config/duration",
        lambda: dataclasses.replace(role, duration_seconds=899),
        seen=["899"],
    )


def test_a_list_that_is_changed_later_does_not_change_the_role() -> None:
    chain = [OTHER_ARN]
    role = Role(ROLE_ARN, chain=chain)
    chain.append("nonsense")
    assert (OTHER_ARN,) == role.chain


@pytest.mark.parametrize(
    ("arn", "chain", "partition", "account_id"),
    [
        (ROLE_ARN, (), "aws", "123456789012"),
        (ROLE_ARN, (OTHER_ARN,), "aws", "210987654321"),
        ("arn:aws-cn:iam::000000000001:role/r", (), "aws-cn", "000000000001"),
        ("arn:aws-us-gov:iam::123456789012:role/a/b/c", (), "aws-us-gov", "123456789012"),
    ],
)
def test_partition_is_of_the_first_role_and_account_of_the_last(
    arn: str, chain: tuple[str, ...], partition: str, account_id: str
) -> None:
    role = Role(arn, chain=chain)
    assert (partition, account_id) == (role.partition, role.account_id)


# -- role ARN ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:role/r",
        "arn:aws:iam::123456789012:role/path/to/etl",
        "arn:aws:iam::123456789012:role/a+b=c,d.e@f-g_h",
        "arn:aws-iso-b:iam::123456789012:role/etl",
        "arn:aws:iam::123456789012:role/" + "r" * 64,
        "arn:aws:iam::123456789012:role/team:data!/etl",
    ],
)
def test_valid_role_arn_is_kept(arn: str) -> None:
    assert arn == Role(arn).arn


@pytest.mark.parametrize(
    "arn",
    [
        "",
        " ",
        "etl",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/etl/",
        "arn:aws:iam::123456789012:user/etl",
        "arn:aws:iam::12345678901:role/etl",
        "arn:aws:iam::1234567890123:role/etl",
        "arn:aws:iam::12345678901a:role/etl",
        "arn:aws:iam:us-east-1:123456789012:role/etl",
        "arn:aws:sts::123456789012:assumed-role/etl/session",
        "arn:gcp:iam::123456789012:role/etl",
        "arn:aws:iam::123456789012:role/with space",
        "arn:aws:iam::123456789012:role/ëtl",
        "arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:role/etl",
        " arn:aws:iam::123456789012:role/etl",
        None,
        5,
        b"arn:aws:iam::123456789012:role/etl",
        ["arn:aws:iam::123456789012:role/etl"],
    ],
)
@pytest.mark.parametrize("chained", [False, True], ids=["first", "chained"])
def test_invalid_role_arn_is_an_error(arn: object, chained: bool) -> None:
    settings: dict[str, Any] = {"chain": (OTHER_ARN, arn)} if chained else {"arn": arn}
    error = error_of("config/role-arn", " ".join(str(arn).split()), **settings)
    assert "arn:aws:iam::123456789012:role/etl" in error.fix
    assert "GCP_AWS_BRIDGE_ROLE_ARN" in error.fix


def test_newline_after_a_role_arn_is_an_error() -> None:
    error_of("config/role-arn", ROLE_ARN, arn=ROLE_ARN + "\n")


@pytest.mark.parametrize(("length", "taken"), [(2048, True), (2049, False)])
def test_an_arn_has_at_most_2048_characters(length: int, taken: bool) -> None:
    start = "arn:aws:iam::123456789012:role/"
    arn = start + "/r" * ((length - len(start)) // 2) + "r" * ((length - len(start)) % 2)
    assert length == len(arn)
    if taken:
        assert arn == Role(arn).arn
    else:
        error = error_of("config/role-arn", "arn:aws:iam::123456789012:", arn=arn)
        assert len(str(error)) < 600


def test_token_given_as_role_arn_is_not_shown() -> None:
    failure(ConfigError, "config/role-arn", lambda: Role(TOKEN), secrets=TOKEN.split("."))


# -- audience ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "audience", [DEFAULT_AUDIENCE, "aws:123456789012:etl", "https://example.com/ü?a=b&c", "x" * 500]
)
def test_valid_audience_is_kept(audience: str) -> None:
    assert audience == Role(ROLE_ARN, audience=audience).audience


@pytest.mark.parametrize(
    ("audience", "seen"),
    [
        ("", '""'),
        ("a\nb", '"a b"'),
        ("a\x00b", '"a?b"'),
        (None, '"None"'),
        (7, '"7"'),
        (b"x", "b'x'"),
        (["x"], "['x']"),
        (" ", '" "'),
    ],
)
def test_invalid_audience_is_an_error(audience: object, seen: str) -> None:
    error = error_of("config/audience", seen, audience=audience)
    assert DEFAULT_AUDIENCE in error.fix


# -- session name ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["me", "x" * 64, "Az09_+=,.@-", "sa@project.iam"])
def test_valid_session_name_is_kept(name: str) -> None:
    role = Role(ROLE_ARN, role_session_name=name)
    assert (name, name) == (role.role_session_name, role.session_name)


@pytest.mark.parametrize(
    "name",
    ["", "x", "x" * 65, "with space", "a/b", "a:b", "naïve", "new\nline", "me\n", 12, True, b"me"],
)
def test_invalid_session_name_is_an_error(name: object) -> None:
    error = error_of("config/session-name", " ".join(str(name).split()), role_session_name=name)
    assert "2 to 64" in error.args[0]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("etl-7d9f8b6c5-x2v4q", "etl-7d9f8b6c5-x2v4q"),
        ("host.example.com", "host.example.com"),
        ("Büro PC", "B-ro-PC"),
        ("a/b//c", "a-b-c"),
        ("--edge--", "edge"),
        ("/edge/", "edge"),
        ("x" * 70, "x" * 64),
        ("", "gcp-aws-bridge"),
        ("x", "gcp-aws-bridge"),
        ("主机", "gcp-aws-bridge"),
    ],
)
def test_default_session_name_is_the_host_name_without_forbidden_characters(
    monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert name == default_session_name() == Role(ROLE_ARN).session_name


@settings(max_examples=50, deadline=None)
@given(host=st.text(max_size=80))
def test_every_host_name_gives_a_valid_session_name(host: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: host)
        assert re.fullmatch(r"[\w+=,.@-]{2,64}", default_session_name(), re.ASCII)


def test_host_name_is_read_when_the_session_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    role = Role(ROLE_ARN)  # for example, made on import and pickled to another pod
    monkeypatch.setattr(socket, "gethostname", lambda: "another-pod")
    assert "another-pod" == role.session_name


# -- duration ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [900, 901, 3600, 43_199, 43_200])
def test_valid_duration_is_kept(seconds: int) -> None:
    assert seconds == Role(ROLE_ARN, duration_seconds=seconds).duration_seconds


@pytest.mark.parametrize(
    "seconds", [899, 43_201, 0, -1, True, False, 3600.0, "3600", None, Decimal(3600), 10**50]
)
def test_invalid_duration_is_an_error(seconds: object) -> None:
    seen = f"({type(seconds).__name__})"
    error = error_of("config/duration", str(seconds)[:99], seen, duration_seconds=seconds)
    assert "900 to 43200" in error.args[0]


def test_huge_duration_is_a_config_error() -> None:
    error_of("config/duration", "duration_seconds", duration_seconds=10**5000)


def test_token_given_as_duration_is_not_shown() -> None:
    failure(
        ConfigError,
        "config/duration",
        lambda: Role(ROLE_ARN, duration_seconds=TOKEN),  # type: ignore[arg-type]
        secrets=TOKEN.split("."),
    )


@pytest.mark.parametrize("seconds", [900, 3600])
def test_role_chaining_allows_one_hour(seconds: int) -> None:
    role = Role(ROLE_ARN, duration_seconds=seconds, chain=(OTHER_ARN,))
    assert seconds == role.duration_seconds


@pytest.mark.parametrize("seconds", [3601, 43_200])
def test_role_chaining_allows_no_more_than_one_hour(seconds: int) -> None:
    error = error_of(
        "config/chain-duration", str(seconds), duration_seconds=seconds, chain=(OTHER_ARN,)
    )
    assert "one hour" in error.args[0]
    assert "3600" in error.fix


# -- region ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "region",
    [None, "eu-west-1", "us-gov-west-1", "ap-southeast-7", "us-isob-east-1", "eusc-de-east-1"],
)
def test_valid_region_is_kept(region: str | None) -> None:
    assert region == Role(ROLE_ARN, region_name=region).region_name


@pytest.mark.parametrize(
    "region",
    ["", " ", "EU-WEST-1", "eu-west-1a", "eu-west", "west", "eu_west_1", "eu-west-1\n", "x/y-1", 3],
)
def test_invalid_region_is_an_error(region: object) -> None:
    error_of("config/region", " ".join(str(region).split()), region_name=region)


# -- lists -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chain", "policy_arns"])
def test_string_given_as_list_is_an_error(name: str) -> None:
    error = error_of("config/list", f'{name} is "{OTHER_ARN}" (str)', **{name: OTHER_ARN})
    assert f"{name}=[…]" in error.fix


@pytest.mark.parametrize("name", ["chain", "policy_arns"])
def test_long_string_given_as_list_is_shortened(name: str) -> None:
    error = error_of("config/list", name, **{name: OTHER_ARN * 50})
    assert len(str(error)) < 500


@pytest.mark.parametrize("name", ["chain", "policy_arns"])
def test_token_given_as_list_is_not_shown(name: str) -> None:
    short = ".".join(TOKEN.split(".")[:2])[:190]
    failure(
        ConfigError,
        "config/list",
        lambda: Role(ROLE_ARN, **{name: short}),
        secrets=[short],
    )


@pytest.mark.parametrize("value", [None, 5, True])
@pytest.mark.parametrize("name", ["chain", "policy_arns"])
def test_other_type_given_as_list_is_an_error(name: str, value: object) -> None:
    error_of("config/list", name, **{name: value})


def test_chain_has_any_number_of_roles() -> None:
    chain = tuple(f"arn:aws:iam::{number:012d}:role/chained" for number in range(40))
    assert chain == Role(ROLE_ARN, chain=chain).chain


# -- regions of STS ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arn", "regions"),
    [
        (ROLE_ARN, []),
        (ROLE_ARN, ["eu-west-1"]),
        (ROLE_ARN, ["eu-west-1", "eu-central-1", "us-east-1"]),
        ("arn:aws-cn:iam::123456789012:role/etl", ["cn-north-1", "cn-northwest-1"]),
        ("arn:aws-eusc:iam::123456789012:role/etl", ["eusc-de-east-1"]),
    ],
)
def test_valid_sts_regions_are_kept_in_their_order(arn: str, regions: list[str]) -> None:
    role = Role(arn, sts_regions=regions)
    assert tuple(regions) == role.sts_regions
    assert role == pickle.loads(pickle.dumps(role))


@pytest.mark.parametrize(
    ("settings", "error_id", "seen"),
    [
        ({"sts_regions": "eu-west-1"}, "config/list", "regions"),
        ({"sts_regions": None}, "config/list", "regions"),
        ({"sts_regions": ["eu-west-1", "EU-WEST-2"]}, "config/region", "EU-WEST-2"),
        ({"sts_regions": ["eu-west-1", ""]}, "config/region", '""'),
        ({"sts_regions": ["eu-west-1", None]}, "config/region", "None"),
        ({"sts_regions": ["eu-west-1", 5]}, "config/region", "5"),
        ({"sts_regions": ["eu-west-1", "us-east-1", "eu-west-1"]}, "config/sts-regions", "twice"),
        ({"sts_regions": ["eu-west-1", "cn-north-1"]}, "config/sts-regions", "aws-cn"),
        ({"sts_regions": ["us-gov-west-1"]}, "config/sts-regions", "aws-us-gov"),
        (
            {"sts_regions": ["eu-west-1"], "region_name": "eu-west-1"},
            "config/sts-regions",
            "both select",
        ),
    ],
    ids=str,
)
def test_invalid_sts_regions_are_an_error(
    settings: dict[str, Any], error_id: str, seen: str
) -> None:
    error_of(error_id, seen, **settings)


# -- session policy ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ({"Version": "2012-10-17"}, '{"Version":"2012-10-17"}'),
        ('{"b": [1, {"c": null}], "a": true}', '{"b":[1,{"c":null}],"a":true}'),
        ({"a": "two words"}, '{"a":"two words"}'),
        ({}, "{}"),
    ],
)
def test_a_policy_is_kept_as_compact_text_in_the_authors_order(policy: Any, text: str) -> None:
    assert text == Role(ROLE_ARN, policy=policy).policy


# AWS STS API reference, Policy: [\u0009\u000A\u000D\u0020-\u00FF]+
@pytest.mark.parametrize("character", ["é", "€", "\U0001f512", "\x01", "\u2028", "\ud800"])
def test_policy_is_sent_in_characters_that_sts_accepts(character: str) -> None:
    policy = Role(ROLE_ARN, policy={"Sid": character}).policy
    assert isinstance(policy, str)
    assert re.fullmatch(r"[\t\n\r\x20-\xff]+", policy)
    assert {"Sid": character} == json.loads(policy)


@pytest.mark.parametrize(("length", "taken"), [(2048, True), (2049, False)])
@pytest.mark.parametrize("spaces", ["", " " * 3000], ids=["compact", "spaced"])
def test_a_policy_has_at_most_2048_characters_not_counting_space(
    length: int, taken: bool, spaces: str
) -> None:
    text = f'{{"Sid":{spaces}"{"x" * (length - 10)}"}}'
    if taken:
        assert length == len(Role(ROLE_ARN, policy=text).policy or "")
    else:
        error = error_of("config/policy", "2049", "2048", policy=text)
        assert "policy_arns" in error.fix


def test_letter_that_sts_accepts_counts_as_one_character() -> None:
    assert Role(ROLE_ARN, policy={"Sid": "é" * 400}).policy


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        ("", "not JSON (Expecting value"),
        ("{'Version': 1}", "not JSON (Expecting property name"),
        ('{"a": 1', "not JSON"),
        ('{"a": 1} trailing', "not JSON (Extra data"),
        ("\ufeff{}", "not JSON"),
        ("[]", "JSON, but not an object"),
        ('"text"', "JSON, but not an object"),
        ("null", "JSON, but not an object"),
        ("5", "JSON, but not an object"),
        (5, "JSON, but not an object"),
        ([], "JSON, but not an object"),
        ({"a": object()}, "not JSON (Object of type object"),
        ({"a": {1, 2}}, "not JSON (Object of type set"),
        ({b"a": 1}, "not JSON (keys must be str"),
        (b"{}", "not JSON (Object of type bytes"),
    ],
)
def test_invalid_policy_is_an_error(policy: object, seen: str) -> None:
    error_of("config/policy", seen, policy=policy)


def test_policy_that_contains_itself_is_an_error() -> None:
    policy: dict[str, Any] = {}
    policy["Statement"] = policy
    error_of("config/policy", "Circular reference", policy=policy)


NAN = "json takes and writes NaN and Infinity, which are not JSON"


@pytest.mark.parametrize(
    "policy", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e400}', {"a": float("nan")}], ids=str
)
def test_number_that_json_lacks_is_an_error(policy: Any) -> None:
    error_of("config/policy", "not JSON", policy=policy)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "policy", ['{"a":' * 100_000, "[" * 100_000, nested(50_000)], ids=["text", "list", "mapping"]
)
def test_policy_nested_too_deeply_is_an_error(policy: Any) -> None:
    error_of("config/policy", "policy", policy=policy)


def test_policy_in_a_mapping_is_accepted() -> None:
    assert '{"a":1}' == Role(ROLE_ARN, policy=MappingProxyType({"a": 1})).policy


# -- managed policies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arn",
    [
        POLICY_ARN,
        "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
        "arn:aws:iam::123456789012:policy/own",
        "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess",
    ],
)
def test_valid_managed_policy_is_kept(arn: str) -> None:
    assert (arn,) * 10 == Role(ROLE_ARN, policy_arns=[arn] * 10).policy_arns


def test_more_than_ten_managed_policies_are_an_error() -> None:
    error_of("config/policy-arns", "11 are given", "10", policy_arns=[POLICY_ARN] * 11)


@pytest.mark.parametrize(
    "arn",
    ["", "ReadOnlyAccess", ROLE_ARN, "arn:aws:iam::azure:policy/x", POLICY_ARN + "\n", None, 5],
)
def test_invalid_managed_policy_is_an_error(arn: object) -> None:
    seen = " ".join(str(arn).split())
    error_of("config/policy-arns", f'"{seen}"', policy_arns=[POLICY_ARN, arn])


def test_invalid_managed_policy_is_named_even_if_there_are_too_many() -> None:
    error_of("config/policy-arns", '"wrong"', policy_arns=[POLICY_ARN] * 11 + ["wrong"])


def test_all_is_sorted_and_there() -> None:
    assert sorted(config.__all__) == config.__all__
    assert all(hasattr(config, name) for name in config.__all__)


# -- short commands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"arn": "etl"},
        {"arn": "arn:aws:iam::1:role/x"},
        {"audience": " "},
        {"audience": "a"},
        {"role_session_name": "x"},
        {"role_session_name": "a/b"},
        {"duration_seconds": 899},
        {"duration_seconds": 43_200},
        {"duration_seconds": True},
        {"sts_regions": "eu-west-1"},
        {"sts_regions": ["eu-west-1", "eu-central-1"]},
        {"sts_regions": ["eu-west-1", "eu-west-1"]},
        {"sts_regions": ["cn-north-1"]},
        {"sts_regions": ["x"]},
    ],
    ids=str,
)
def test_role_of_a_short_command_is_checked_like_any_other(fields: dict[str, Any]) -> None:
    fields = {"arn": ROLE_ARN, **fields}
    roles, errors = [], []
    for kind in (Role, FirstRole):
        try:
            roles.append(kind(**fields))
        except ConfigError as error:  # noqa: PERF203 - two iterations
            errors.append((str(error), error.error_id))
    if errors:
        assert errors[0] == errors[1]
        return
    names = [field.name for field in dataclasses.fields(Role)]
    for name in (*names, "session_name", "partition", "arns", "account_id"):
        assert getattr(roles[0], name) == getattr(roles[1], name), name
