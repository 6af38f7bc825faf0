"""Where a role's settings come from: each row of the table in `_settings.py`."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from unit.servers import ROLE_ARN, failure, id_token

from gcp_aws_bridge import _settings
from gcp_aws_bridge._settings import METADATA_DEADLINE, given, metadata_deadline_s, resolve
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.exceptions import ConfigError

CHAINED_ARN = "arn:aws:iam::210987654321:role/chained"
TOKEN_FILE = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token"}

# setting, its variables in order, its profile key, and values that differ: as text, as a field.
TABLE: list[tuple[str, tuple[str, ...], str, list[tuple[str, Any]]]] = [
    (
        "arn",
        ("GCP_AWS_BRIDGE_ROLE_ARN", "AWS_ROLE_ARN"),
        "gcp_role_arn",
        [(arn, arn) for arn in (f"arn:aws:iam::123456789012:role/{c}" for c in "abcd")],
    ),
    (
        "audience",
        ("GCP_AWS_BRIDGE_AUDIENCE", "GCP_OAUTH_AUD"),
        "gcp_audience",
        [(text, text) for text in ("one", "two", "three", "four")],
    ),
    (
        "role_session_name",
        ("GCP_AWS_BRIDGE_ROLE_SESSION_NAME", "AWS_ROLE_SESSION_NAME"),
        "gcp_role_session_name",
        [(text, text) for text in ("one", "two", "three", "four")],
    ),
    (
        "duration_seconds",
        ("GCP_AWS_BRIDGE_DURATION_SECONDS",),
        "gcp_duration_seconds",
        [(text, int(text)) for text in ("901", "902", "903")],
    ),
    (
        "chain",
        ("GCP_AWS_BRIDGE_CHAIN",),
        "gcp_chain",
        [(f"{CHAINED_ARN}/{c}", (f"{CHAINED_ARN}/{c}",)) for c in "abc"],
    ),
    (
        "sts_regions",
        ("GCP_AWS_BRIDGE_STS_REGIONS",),
        "gcp_sts_regions",
        [(f"eu-west-{n}, us-east-1", (f"eu-west-{n}", "us-east-1")) for n in "123"],
    ),
]
SETTINGS = [row[0] for row in TABLE]


def role(
    arguments: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    profile: Mapping[str, Any] | None = None,
    named: bool = False,
) -> Role | None:
    return resolve(
        arguments or {}, environ=environ or {}, profile=profile or {}, named_profile=named
    )


def test_table_of_this_test_is_complete() -> None:
    assert [(name, variables, key) for name, variables, key, _ in TABLE] == [
        (name, *found) for name, found in _settings._SETTINGS.items()
    ]


def test_module_documents_the_table() -> None:
    rows = re.findall(r"^\| .*\| (.*?) +\| `(gcp_\w+)` +\|$", _settings.__doc__ or "", re.M)
    documented = [
        (
            tuple(name.replace("…", "GCP_AWS_BRIDGE_") for name in re.findall(r"`(.*?)`", names)),
            key,
        )
        for names, key in rows
    ]
    assert [(variables, key) for _, variables, key, _ in TABLE] == documented


def precedence() -> list[Any]:
    """Return each combination of places that have a setting, and the value that must win."""
    cases = []
    for name, variables, key, values in TABLE:
        places = ["argument", *variables, key]
        for count in range(1, len(places) + 1):
            for chosen in itertools.combinations(places, count):
                sources: dict[str, dict[str, Any]] = {"argument": {}, "environ": {}, "profile": {}}
                for place, (text, field) in zip(places, values, strict=True):
                    if place in chosen:
                        kind = {"argument": "argument", key: "profile"}.get(place, "environ")
                        sources[kind][name if place == "argument" else place] = (
                            field if place == "argument" else text
                        )
                winner = values[places.index(chosen[0])][1]
                cases.append(pytest.param(name, sources, winner, id=f"{name}-{'+'.join(chosen)}"))
    return cases


@pytest.mark.parametrize(("name", "sources", "winner"), precedence())
def test_argument_before_variables_before_profile(
    name: str, sources: dict[str, dict[str, Any]], winner: object
) -> None:
    arguments = sources["argument"] if name == "arn" else {"arn": ROLE_ARN, **sources["argument"]}
    found = role(arguments, environ=sources["environ"], profile=sources["profile"])
    assert Role(**{"arn": ROLE_ARN, name: winner}) == found


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_gives_an_equal_role_from_each_place(name: str) -> None:
    variables, key, (text, field) = next(
        (variables, key, values[0]) for n, variables, key, values in TABLE if n == name
    )
    base = {} if name == "arn" else {"arn": ROLE_ARN}
    roles = {
        role({**base, name: field}),
        *(role(base, environ={variable: f"  {text}\n"}) for variable in variables),
        role(base, profile={key: f" {text} "}),
        role(base, profile={key: text}, named=True),
    }
    assert {Role(**{"arn": ROLE_ARN, name: field})} == roles


def test_settings_from_several_places_are_combined() -> None:
    found = role(
        {"audience": "mine"},
        environ={"AWS_ROLE_ARN": ROLE_ARN, "GCP_AWS_BRIDGE_DURATION_SECONDS": "1800"},
        profile={"gcp_chain": CHAINED_ARN, "gcp_audience": "profile", "region": "eu-west-1"},
    )
    assert Role(ROLE_ARN, audience="mine", duration_seconds=1800, chain=(CHAINED_ARN,)) == found


def test_settings_that_only_arguments_have() -> None:
    policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    settings = {"policy": {"a": 1}, "policy_arns": [policy_arn], "region_name": "eu-west-1"}
    assert Role(ROLE_ARN, **settings) == role({"arn": ROLE_ARN, **settings})


@pytest.mark.parametrize(
    "elsewhere", [{}, {"GCP_AWS_BRIDGE_AUDIENCE": "a"}, {"GCP_AWS_BRIDGE_CHAIN": CHAINED_ARN}]
)
def test_settings_without_a_role_give_none(elsewhere: dict[str, str]) -> None:
    assert role(environ=elsewhere) is None


@pytest.mark.parametrize(
    "where",
    [
        {"environ": {"GCP_AWS_BRIDGE_DURATION_SECONDS": "an hour"}},
        {"profile": {"gcp_duration_seconds": "an hour"}},
    ],
    ids=["environment", "profile"],
)
def test_malformed_settings_without_a_role_give_none(where: dict[str, Any]) -> None:
    assert role(**where) is None


# -- blank -------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
@pytest.mark.parametrize("name", SETTINGS)
def test_blank_variable_or_key_counts_as_unset(name: str, blank: str) -> None:
    _, variables, key, values = next(row for row in TABLE if row[0] == name)
    base = {} if name == "arn" else {"arn": ROLE_ARN}
    text, field = values[0]
    everywhere = dict.fromkeys(variables, blank)
    wanted = Role(**{"arn": ROLE_ARN, name: field})
    assert wanted == role(base, environ=everywhere, profile={key: text})
    last = variables[-1]
    assert wanted == role(base, environ={**everywhere, last: text}, profile={key: blank})


@pytest.mark.parametrize("value", [None, {"nested": "section"}, 5, ["x"]], ids=str)
@pytest.mark.parametrize("name", SETTINGS)
def test_profile_key_that_is_no_string_counts_as_unset(name: str, value: object) -> None:
    key = next(row[2] for row in TABLE if row[0] == name)
    assert Role(ROLE_ARN) == role(
        {}, profile={"gcp_role_arn": ROLE_ARN, key: value}, environ={"AWS_ROLE_ARN": ROLE_ARN}
    )


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ({"audience": None, "chain": (), "policy_arns": []}, {}),
        ({"audience": "", "policy": {}}, {"audience": "", "policy": {}}),
        ({"duration_seconds": 0}, {"duration_seconds": 0}),
        ({"chain": [CHAINED_ARN]}, {"chain": [CHAINED_ARN]}),
    ],
)
def test_given_omits_only_none_and_empty_lists(
    arguments: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert kept == given(arguments)


@pytest.mark.parametrize(
    ("name", "error_id"),
    [
        ("arn", "config/role-arn"),
        ("audience", "config/audience"),
        ("role_session_name", "config/session-name"),
    ],
)
def test_empty_argument_is_an_error_although_other_places_have_a_value(
    name: str, error_id: str
) -> None:
    _, variables, key, values = next(row for row in TABLE if row[0] == name)
    elsewhere = {variables[0]: values[0][0]}
    failure(
        ConfigError,
        error_id,
        lambda: role({"arn": ROLE_ARN, name: ""}, environ=elsewhere, profile={key: values[1][0]}),
        seen=['""'],
    )


# -- AWS_ROLE_ARN, a variable of botocore too --------------------------------------------------


def test_aws_role_arn_with_a_token_file_is_left_to_botocore() -> None:
    assert role(environ={"AWS_ROLE_ARN": ROLE_ARN, **TOKEN_FILE}) is None


@pytest.mark.parametrize("other", ["argument", "GCP_AWS_BRIDGE_ROLE_ARN", "gcp_role_arn"])
def test_a_token_file_does_not_hide_our_own_settings(other: str) -> None:
    places: dict[str, Any] = {
        "argument": {"arguments": {"arn": ROLE_ARN}},
        "GCP_AWS_BRIDGE_ROLE_ARN": {"environ": {"GCP_AWS_BRIDGE_ROLE_ARN": ROLE_ARN}},
        "gcp_role_arn": {"profile": {"gcp_role_arn": ROLE_ARN}},
    }
    chosen = places[other]
    environ = {"AWS_ROLE_ARN": CHAINED_ARN, **TOKEN_FILE, **chosen.get("environ", {})}
    assert Role(ROLE_ARN) == role(**{**chosen, "environ": environ})


def test_blank_token_file_counts_as_unset() -> None:
    environ = {"AWS_ROLE_ARN": ROLE_ARN, "AWS_WEB_IDENTITY_TOKEN_FILE": ""}
    assert Role(ROLE_ARN) == role(environ=environ)


# -- a named profile ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_a_named_profile_does_not_read_the_environment(name: str) -> None:
    _, variables, _, values = next(row for row in TABLE if row[0] == name)
    environ = dict.fromkeys(variables, values[0][0])
    profile = {} if name == "arn" else {"gcp_role_arn": ROLE_ARN}
    wanted = None if name == "arn" else Role(ROLE_ARN)
    assert wanted == role(environ=environ, profile=profile, named=True)


def test_arguments_take_precedence_over_a_named_profile() -> None:
    profile = {"gcp_role_arn": CHAINED_ARN, "gcp_audience": "profile"}
    found = role({"arn": ROLE_ARN}, environ={"GCP_OAUTH_AUD": "no"}, profile=profile, named=True)
    assert Role(ROLE_ARN, audience="profile") == found


# -- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        (CHAINED_ARN, (CHAINED_ARN,)),
        (f"{CHAINED_ARN},{CHAINED_ARN}", (CHAINED_ARN, CHAINED_ARN)),
        (f" {CHAINED_ARN} , {CHAINED_ARN}/x ,", (CHAINED_ARN, CHAINED_ARN + "/x")),
        (f",,{CHAINED_ARN}", (CHAINED_ARN,)),
        (
            f"{CHAINED_ARN},a,b,{CHAINED_ARN}",
            (CHAINED_ARN + ",a,b", CHAINED_ARN),
        ),  # a role may have commas in its name
        (",", ()),
    ],
)
@pytest.mark.parametrize("where", ["environ", "profile"])
def test_chain_is_a_list_of_arns_separated_by_commas(
    where: str, text: str, chain: tuple[str, ...]
) -> None:
    name = {"environ": "GCP_AWS_BRIDGE_CHAIN", "profile": "gcp_chain"}[where]
    found = role({"arn": ROLE_ARN}, **{where: {name: text}})  # type: ignore[arg-type]
    assert Role(ROLE_ARN, chain=chain) == found


EXTERNAL = ChainedRole(CHAINED_ARN, external_id="acme", tags={"tenant": "acme"})
CHAIN_PLACES = pytest.mark.parametrize(
    ("where", "name"), [("environ", "GCP_AWS_BRIDGE_CHAIN"), ("profile", "gcp_chain")]
)


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        (json.dumps([CHAINED_ARN]), (CHAINED_ARN,)),
        (json.dumps({"arn": CHAINED_ARN, "external_id": "acme", "tags": {"tenant": "acme"}}), None),
        (
            json.dumps(
                [CHAINED_ARN, {"arn": CHAINED_ARN, "external_id": "acme", "tags": EXTERNAL.tags}],
                default=dict,
                indent=2,
            ),
            (CHAINED_ARN, EXTERNAL),
        ),
        ("[]", ()),
    ],
)
@CHAIN_PLACES
def test_chain_with_settings_is_json(
    where: str, name: str, text: str, chain: tuple[str | ChainedRole, ...] | None
) -> None:
    found = role({"arn": ROLE_ARN}, **{where: {name: f" {text}\n"}})  # type: ignore[arg-type]
    assert Role(ROLE_ARN, chain=(EXTERNAL,) if chain is None else chain) == found


@pytest.mark.parametrize(
    ("text", "error_id", "seen"),
    [
        ("[", "config/chain", "not JSON (Expecting value"),
        ("{'arn': 1}", "config/chain", "not JSON (Expecting property name"),
        (f"[{CHAINED_ARN}]", "config/chain", "not JSON"),
        ("[" * 100_000, "config/chain", "not JSON"),
        ('[{"arn": "a", "arn": "b"}]', "config/chain", '"arn" is there twice'),
        ('[{"tags": {"k": "1", "k": "2"}}]', "config/chain", '"k" is there twice'),
        (json.dumps([{"arn": CHAINED_ARN, "id": "acme"}]), "config/chain", '"id" is no setting'),
        ('[{"external_id": "acme"}]', "config/chain", "the ARN of a role is missing"),
        (json.dumps([{"arn": CHAINED_ARN, "external_id": "x"}]), "config/external-id", '"x"'),
        (json.dumps([{"arn": CHAINED_ARN, "tags": {"k": 5}}]), "config/tags", '"5" (int)'),
        (json.dumps([CHAINED_ARN, 5]), "config/role-arn", '"5"'),
        ("[null]", "config/role-arn", '"None"'),
    ],
    ids=lambda value: value[:30],
)
@CHAIN_PLACES
def test_error_for_a_malformed_chain_names_its_place(
    where: str, name: str, text: str, error_id: str, seen: str
) -> None:
    failure(
        ConfigError,
        error_id,
        lambda: role({"arn": ROLE_ARN}, **{where: {name: text}}),  # type: ignore[arg-type]
        seen=[name, seen],
    )


@pytest.mark.parametrize("layout", ["{}", "[{},\n    {}]", "[\n    {},\n    {}\n  ]"], ids=repr)
def test_chain_in_a_config_file_is_read_by_botocore(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chained = ChainedRole(CHAINED_ARN, external_id="acme=1:2", tags={"k 1": "a = b"})
    fields = {"arn": CHAINED_ARN, "external_id": "acme=1:2", "tags": {"k 1": "a = b"}}
    text = layout.replace("{}", json.dumps(fields))
    (tmp_path / "config").write_text(
        f"[profile etl]\ngcp_chain = {text}\ngcp_role_arn = {ROLE_ARN}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    profile = botocore.session.Session(profile="etl").get_scoped_config()
    found = role(profile=profile, named=True)
    assert Role(ROLE_ARN, chain=[chained] * layout.count("{}")) == found


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("eu-west-1", ("eu-west-1",)),
        (" eu-west-1 ,eu-central-1,", ("eu-west-1", "eu-central-1")),
        ("eu-west-1 eu-central-1", ("eu-west-1", "eu-central-1")),
        (",", ()),
    ],
)
def test_sts_regions_are_separated_by_commas(text: str, regions: tuple[str, ...]) -> None:
    found = role({"arn": ROLE_ARN}, environ={"GCP_AWS_BRIDGE_STS_REGIONS": text})
    assert Role(ROLE_ARN, sts_regions=regions) == found


PLACES = [
    ("environ", "GCP_AWS_BRIDGE_DURATION_SECONDS"),
    ("profile", "gcp_duration_seconds"),
]


@pytest.mark.parametrize(("where", "name"), PLACES)
@pytest.mark.parametrize("text", ["an hour", "3600.0", "1h", "0x384", "9" * 5000])
def test_error_for_a_duration_that_is_no_number_names_its_place(
    where: str, name: str, text: str
) -> None:
    error = failure(
        ConfigError,
        "config/duration",
        lambda: role({"arn": ROLE_ARN}, **{where: {name: text}}),  # type: ignore[arg-type]
        seen=[name, text if len(text) < 100 else "[redacted]"],
    )
    assert name in error.fix


@pytest.mark.parametrize(("where", "name"), PLACES)
@pytest.mark.parametrize("text", ["899", "43201", "-900", "0"])
def test_error_for_a_duration_out_of_bounds_names_its_place(
    where: str, name: str, text: str
) -> None:
    failure(
        ConfigError,
        "config/duration",
        lambda: role({"arn": ROLE_ARN}, **{where: {name: text}}),  # type: ignore[arg-type]
        seen=[name, text, "900 to 43200"],
    )


@pytest.mark.parametrize(
    ("error_id", "name", "text"),
    [
        ("config/role-arn", "GCP_AWS_BRIDGE_ROLE_ARN", "etl"),
        ("config/role-arn", "AWS_ROLE_ARN", "etl"),
        ("config/role-arn", "GCP_AWS_BRIDGE_CHAIN", "chained"),
        ("config/audience", "GCP_OAUTH_AUD", "a\x00b"),
        ("config/session-name", "AWS_ROLE_SESSION_NAME", "a b"),
        ("config/role-arn", "gcp_role_arn", "etl"),
        ("config/role-arn", "gcp_chain", "chained"),
        ("config/audience", "gcp_audience", "a\x00b"),
        ("config/session-name", "gcp_role_session_name", "a b"),
        ("config/region", "GCP_AWS_BRIDGE_STS_REGIONS", "EU"),
        ("config/sts-regions", "GCP_AWS_BRIDGE_STS_REGIONS", "cn-north-1"),
        ("config/sts-regions", "gcp_sts_regions", "us-gov-west-1"),
    ],
)
def test_error_for_a_malformed_setting_names_its_place(error_id: str, name: str, text: str) -> None:
    where = "profile" if name.startswith("gcp_") else "environ"
    settings: dict[str, Any] = {} if name.upper().endswith("ROLE_ARN") else {"arn": ROLE_ARN}
    failure(
        ConfigError,
        error_id,
        lambda: role(settings, **{where: {name: text}}),  # type: ignore[arg-type]
        seen=[name, text.replace("\x00", "?")],
    )


def test_error_for_a_malformed_argument_names_no_variable() -> None:
    error = failure(
        ConfigError,
        "config/duration",
        lambda: role({"arn": ROLE_ARN, "duration_seconds": 5}),
        seen=["5"],
    )
    assert "Settings in use" not in str(error)


def test_duration_too_long_for_a_chain_from_another_place_is_an_error() -> None:
    failure(
        ConfigError,
        "config/chain-duration",
        lambda: role(
            {"arn": ROLE_ARN, "duration_seconds": 7200}, profile={"gcp_chain": CHAINED_ARN}
        ),
        seen=["7200", "chain from profile key gcp_chain"],
    )


@pytest.mark.parametrize("name", ["GCP_AWS_BRIDGE_ROLE_ARN", "GCP_AWS_BRIDGE_DURATION_SECONDS"])
def test_a_token_in_the_wrong_variable_is_not_shown(name: str) -> None:
    token = id_token()
    environ = {"AWS_ROLE_ARN": ROLE_ARN, name: token}
    error_id = "config/role-arn" if name.endswith("ARN") else "config/duration"
    failure(
        ConfigError,
        error_id,
        lambda: role(environ=environ),
        seen=[name],
        secrets=token.split("."),
    )


# -- the wait for a metadata server ------------------------------------------------------------

VARIABLE, PROFILE_KEY = METADATA_DEADLINE


@pytest.mark.parametrize(
    ("environ", "profile", "named", "seconds"),
    [
        ({}, {}, False, None),
        ({VARIABLE: "30"}, {PROFILE_KEY: "40"}, False, 30.0),
        ({VARIABLE: " 1.5 "}, {}, False, 1.5),
        ({VARIABLE: ""}, {PROFILE_KEY: "60"}, False, 60.0),
        ({VARIABLE: "30"}, {PROFILE_KEY: "40"}, True, 40.0),
        ({VARIABLE: "30"}, {}, True, None),
        ({}, {PROFILE_KEY: {"nested": "x"}}, False, None),
    ],
)
def test_metadata_deadline_is_read_from_the_same_places_as_other_settings(
    environ: dict[str, str], profile: dict[str, Any], named: bool, seconds: float | None
) -> None:
    assert seconds == metadata_deadline_s(environ, profile, named_profile=named)


@pytest.mark.parametrize(
    "text", ["0", "0.9", "60.1", "-5", "nan", "inf", "1h", "20s", "1e9", "0x10"]
)
@pytest.mark.parametrize("place", ["environment", "profile"])
def test_error_for_a_metadata_deadline_out_of_bounds_names_its_place(text: str, place: str) -> None:
    environ = {VARIABLE: text} if place == "environment" else {}
    profile = {PROFILE_KEY: text} if place == "profile" else {}
    where = VARIABLE if place == "environment" else f"profile key {PROFILE_KEY}"
    failure(
        ConfigError,
        "config/metadata-deadline",
        lambda: metadata_deadline_s(environ, profile),
        seen=[f'in {where} is "{text}"', "from 1 to 60"],
    )
