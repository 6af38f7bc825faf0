"""`ChainedRole`: settings that STS would call malformed raise an error before anything is sent."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
from types import MappingProxyType
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.servers import ROLE_ARN, failure

from gcp_aws_bridge._sts.parameters import chained_parameters
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.exceptions import ConfigError

ARN = "arn:aws:iam::210987654321:role/reader"
THIRD_ARN = "arn:aws:iam::333333333333:role/third"
POLICY_ARN = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
_INPUT = (
    botocore.session.Session()
    .get_service_model("sts", api_version="2011-06-15")
    .operation_model("AssumeRole")
    .input_shape
)


def error_of(error_id: str, *seen: str, **fields: Any) -> ConfigError:
    """Return the error of a `ChainedRole` with these settings."""
    fields.setdefault("arn", ARN)
    error = failure(ConfigError, error_id, lambda: ChainedRole(**fields), seen=seen)
    assert isinstance(error, ConfigError)
    return error


def error_of_chain(error_id: str, *seen: str, chain: list[Any], **fields: Any) -> ConfigError:
    """Return the error of a `Role` with this chain."""
    error = failure(ConfigError, error_id, lambda: Role(ROLE_ARN, chain=chain, **fields), seen=seen)
    assert isinstance(error, ConfigError)
    return error


# -- equality and immutability -----------------------------------------------------------------

FULL: dict[str, Any] = {
    "external_id": "acme:42",
    "tags": {"tenant": "acme", "stage": "prod"},
    "transitive_tag_keys": ["tenant"],
    "source_identity": "etl",
    "role_session_name": "reader-of-acme",
    "duration_seconds": 900,
    "policy": {"Version": "2012-10-17", "Statement": []},
    "policy_arns": [POLICY_ARN],
}


@pytest.mark.parametrize(
    "spelling",
    [
        {"tags": {"stage": "prod", "tenant": "acme"}},
        {"tags": MappingProxyType(FULL["tags"])},
        {"transitive_tag_keys": ("TENANT", "tenant")},
        {"policy_arns": (POLICY_ARN,)},
        {"policy": '{"Version": "2012-10-17", "Statement": []}'},
    ],
    ids=str,
)
def test_spellings_of_the_same_chained_role_are_equal(spelling: dict[str, Any]) -> None:
    one, other = ChainedRole(ARN, **FULL), ChainedRole(ARN, **{**FULL, **spelling})
    assert (one, hash(one), repr(one)) == (other, hash(other), repr(other))


@pytest.mark.parametrize("name", sorted({*FULL} - {"tags"}))
def test_chained_roles_with_different_settings_are_not_equal(name: str) -> None:
    without = {key: value for key, value in FULL.items() if key != name}
    assert ChainedRole(ARN, **FULL) != ChainedRole(ARN, **without)


def test_tags_with_another_value_or_key_are_not_equal() -> None:
    tags = [{"a": "1"}, {"a": "2"}, {"A": "1"}, {"a": "1", "b": ""}, None]
    assert len(tags) == len({ChainedRole(ARN, tags=one) for one in tags})


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_chained_role_survives_pickling_by_its_public_name(protocol: int) -> None:
    role = Role(ROLE_ARN, chain=[ChainedRole(ARN, **FULL)])
    pickled = pickle.dumps(role, protocol)
    copy = pickle.loads(pickled)
    assert (role, hash(role), repr(role)) == (copy, hash(copy), repr(copy))
    assert b"chained_role" not in pickled


def test_repr_shows_every_setting() -> None:
    shown = repr(ChainedRole(ARN, **FULL))
    for value in ("acme:42", "'tenant': 'acme'", "('tenant',)", "source_identity='etl'", "900"):
        assert value in shown


def test_a_chained_role_is_immutable_and_can_be_replaced() -> None:
    role = ChainedRole(ARN, **FULL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        role.external_id = "other"  # type: ignore[misc]
    assert "other" == dataclasses.replace(role, external_id="other").external_id
    failure(
        ConfigError,
        "config/transitive-tags",
        lambda: dataclasses.replace(role, tags={"stage": "prod"}),
        seen=["tenant"],
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda tags: tags.__setitem__("tenant", "other"),
        lambda tags: tags.__delitem__("tenant"),
        lambda tags: tags.__ior__({"tenant": "other"}),
        lambda tags: tags.update(tenant="other"),
        lambda tags: tags.setdefault("new", "other"),
        lambda tags: tags.pop("tenant"),
        lambda tags: tags.popitem(),
        lambda tags: tags.clear(),
    ],
)
def test_tags_cannot_be_changed(change: Any) -> None:
    role = ChainedRole(ARN, **FULL)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(role.tags)
    assert FULL["tags"] == role.tags


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, dataclasses.replace])
def test_a_copy_is_equal(copied: Any) -> None:
    role = ChainedRole(ARN, **FULL)
    assert (role, hash(role), repr(role)) == (copied(role), hash(copied(role)), repr(copied(role)))


def test_a_chain_survives_json() -> None:
    role = Role(ROLE_ARN, chain=[ChainedRole(ARN, **FULL), THIRD_ARN])
    assert role == Role(**json.loads(json.dumps(dataclasses.asdict(role))))


def test_values_that_are_changed_later_do_not_change_the_role() -> None:
    tags, keys = {"tenant": "acme"}, ["tenant"]
    role = ChainedRole(ARN, tags=tags, transitive_tag_keys=keys)
    tags["tenant"] = "other"
    keys.append("nonsense")
    assert ({"tenant": "acme"}, ("tenant",)) == (role.tags, role.transitive_tag_keys)


# -- in a chain --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nothing", [{}, {"tags": {}}, {"tags": None, "policy_arns": [], "transitive_tag_keys": ()}]
)
def test_a_chained_role_without_settings_is_its_arn(nothing: dict[str, Any]) -> None:
    plain, made = Role(ROLE_ARN, chain=[ARN]), Role(ROLE_ARN, chain=[ChainedRole(ARN, **nothing)])
    assert (plain, hash(plain), (ARN,)) == (made, hash(made), made.chain)


def test_arns_and_chained_roles_can_be_mixed() -> None:
    own = ChainedRole(ARN, external_id="acme")
    role = Role(ROLE_ARN, chain=(own, THIRD_ARN))
    assert (own, THIRD_ARN) == role.chain
    assert (ROLE_ARN, ARN, THIRD_ARN) == role.arns
    assert "333333333333" == role.account_id


def test_a_mapping_of_fields_is_a_chained_role() -> None:
    text = json.dumps({"arn": ARN, **FULL})
    assert (ChainedRole(ARN, **FULL),) == Role(ROLE_ARN, chain=[json.loads(text)]).chain
    assert (ARN,) == Role(ROLE_ARN, chain=[{"arn": ARN, "external_id": None}]).chain


@pytest.mark.parametrize(
    ("item", "error_id", "seen"),
    [
        ({"arn": ARN, "externalId": "acme"}, "config/chain", '"externalId" is no setting'),
        ({"arn": ARN, 5: "acme"}, "config/chain", '"5" is no setting'),
        ({"external_id": "acme"}, "config/chain", "the ARN of a role is missing"),
        ({}, "config/chain", "the ARN of a role is missing"),
        ({"arn": ARN, "external_id": "x"}, "config/external-id", '"x"'),
        ({"arn": ARN, "duration_seconds": "900"}, "config/duration", "(str)"),
        ({"arn": "reader"}, "config/role-arn", '"reader"'),
        (Role(ARN), "config/role-arn", "Role("),
        ([ARN], "config/role-arn", ARN),
        (None, "config/role-arn", '"None"'),
    ],
    ids=str,
)
def test_item_that_is_no_chained_role_is_an_error(item: Any, error_id: str, seen: str) -> None:
    error_of_chain(error_id, seen, chain=[THIRD_ARN, item])


@pytest.mark.parametrize("chain", [ChainedRole(ARN, external_id="acme"), {"arn": ARN}, ARN])
def test_chain_that_is_one_role_instead_of_a_list_is_an_error(chain: Any) -> None:
    error = error_of_chain("config/list", ARN, chain=chain)
    assert "chain=[…]" in error.fix


# -- external ID, source identity, names, durations --------------------------------------------


@pytest.mark.parametrize("external_id", ["ab", "x" * 1224, "Az09_+=,.@:/-", "12"])
def test_valid_external_id_is_kept(external_id: str) -> None:
    assert external_id == ChainedRole(ARN, external_id=external_id).external_id


@pytest.mark.parametrize(
    "external_id", ["", "x", "x" * 1225, "with space", "naïve", "a\\b", "ab\n", 42, True, b"ab"]
)
def test_invalid_external_id_is_an_error(external_id: object) -> None:
    error = error_of("config/external-id", "2 to 1224", ARN, external_id=external_id)
    assert "sts:ExternalId" in error.fix


@pytest.mark.parametrize("identity", ["ab", "x" * 64, "me@example.com", "Az09_+=,.@-"])
def test_valid_source_identity_is_kept(identity: str) -> None:
    assert identity == ChainedRole(ARN, source_identity=identity).source_identity


@pytest.mark.parametrize(
    "identity", ["", "x", "x" * 65, "aws:me", "a/b", "with space", "naïve", "me\n", 42, b"me"]
)
def test_invalid_source_identity_is_an_error(identity: object) -> None:
    error_of("config/source-identity", "2 to 64", ARN, source_identity=identity)


@pytest.mark.parametrize("seconds", [900, 3600])
def test_valid_duration_is_kept(seconds: int) -> None:
    assert seconds == ChainedRole(ARN, duration_seconds=seconds).duration_seconds


@pytest.mark.parametrize(
    ("seconds", "error_id"),
    [
        *((seconds, "config/duration") for seconds in (899, 0, True, "900", 900.0, 43_201)),
        (3601, "config/chain-duration"),
    ],
)
def test_invalid_duration_is_an_error(seconds: object, error_id: str) -> None:
    error_of(error_id, str(seconds), duration_seconds=seconds)


@pytest.mark.parametrize(
    ("fields", "error_id"),
    [
        ({"arn": "reader"}, "config/role-arn"),
        ({"role_session_name": "x"}, "config/session-name"),
        ({"role_session_name": ""}, "config/session-name"),
        ({"policy": "{"}, "config/policy"),
        ({"policy": {"Sid": "x" * 2048}}, "config/policy"),
        ({"policy_arns": ["ReadOnlyAccess"]}, "config/policy-arns"),
        ({"policy_arns": [POLICY_ARN] * 11}, "config/policy-arns"),
        ({"policy_arns": POLICY_ARN}, "config/list"),
        ({"transitive_tag_keys": "tenant"}, "config/list"),
        ({"transitive_tag_keys": None}, "config/list"),
    ],
    ids=str,
)
def test_settings_that_a_role_has_too_have_the_same_checks(
    fields: dict[str, Any], error_id: str
) -> None:
    error_of(error_id, **fields)


# -- tags --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    [
        {"k": ""},
        {"x" * 128: "x" * 256},
        {"Az09 _.:/=+-@": "Az09 _.:/=+-@"},
        {"Größe": "naïve"},
        {"名前": "東京\u3000①"},
        {"laws:1": "laws:1"},
        {f"key-{number}": "" for number in range(50)},
    ],
    ids=lambda tags: str(tags)[:20],
)
def test_valid_tags_are_kept(tags: dict[str, str]) -> None:
    assert tags == ChainedRole(ARN, tags=tags).tags


@pytest.mark.parametrize(
    ("tags", "seen"),
    [
        ({"": "x"}, '""'),
        ({"x y " * 32 + "z": "x"}, "as the key of a tag"),
        ({"k": "x y " * 64 + "z"}, "as the value of the tag"),
        ({"aws:k": "x"}, '"aws:k"'),
        ({"AWS:k": "x"}, '"AWS:k"'),
        ({"k": "aws:x"}, '"aws:x"'),
        ({"k!": "x"}, '"k!"'),
        ({"k": "x*"}, '"x*"'),
        ({"k": "a\nb"}, '"a b"'),
        ({"k\n": "x"}, "key"),
        ({"k": "smile ☺"}, "☺"),
        ({"k": "\u0301"}, "value"),
        ({"k": "\ud800"}, "value"),
        ({5: "x"}, '"5"'),
        ({"k": 5}, '"5" (int)'),
        ({"k": None}, '"None" (NoneType)'),
        ({"k": ["x"]}, "(list)"),
        ({"Tenant": "a", "tenant": "b"}, '"Tenant" and "tenant"'),
        ({f"key-{number}": "" for number in range(51)}, "51 tags"),
        ([{"Key": "k", "Value": "x"}], "(list)"),
        ("k=x", "(str)"),
        (5, "(int)"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_invalid_tags_are_an_error(tags: object, seen: str) -> None:
    error_of("config/tags", seen, tags=tags)


@pytest.mark.parametrize("keys", [["other"], ["tenant", "other"], [5], [None]])
def test_transitive_key_without_a_tag_is_an_error(keys: list[Any]) -> None:
    seen = str(keys[-1])
    error_of("config/transitive-tags", seen, tags={"tenant": "acme"}, transitive_tag_keys=keys)
    error_of("config/transitive-tags", transitive_tag_keys=keys)


# -- contradictions ----------------------------------------------------------------------------

TENANT = ChainedRole(ARN, tags={"tenant": "acme"}, transitive_tag_keys=["tenant"])


@pytest.mark.parametrize("key", ["tenant", "Tenant"])
@pytest.mark.parametrize("between", [[], [THIRD_ARN]], ids=["next", "later"])
def test_tag_that_a_role_inherits_is_an_error(key: str, between: list[str]) -> None:
    later = ChainedRole(THIRD_ARN, tags={key: "acme"})
    error = error_of_chain(
        "config/transitive-tags", f'"{key}"', ARN, THIRD_ARN, chain=[TENANT, *between, later]
    )
    assert f"omit the tag for {THIRD_ARN}" in error.fix


def test_tag_that_is_not_transitive_can_be_set_again() -> None:
    plain = dataclasses.replace(TENANT, transitive_tag_keys=())
    assert (plain, TENANT) == Role(ROLE_ARN, chain=[plain, TENANT]).chain


def test_second_source_identity_is_an_error_unless_it_is_the_same() -> None:
    one, same, other = (
        ChainedRole(arn, source_identity=identity)
        for arn, identity in [(ARN, "me"), (THIRD_ARN, "me"), (THIRD_ARN, "you")]
    )
    assert (one, same) == Role(ROLE_ARN, chain=[one, same]).chain
    error_of_chain("config/source-identity", '"me"', '"you"', chain=[one, other])


@pytest.mark.parametrize("own", ["policy", "policy_arns"])
@pytest.mark.parametrize("name", ["policy", "policy_arns"])
def test_session_policies_of_both_the_last_role_and_the_role_are_an_error(
    own: str, name: str
) -> None:
    last = ChainedRole(ARN, **{own: FULL[own]})
    error = error_of_chain("config/chain-policy", ARN, chain=[last], **{name: FULL[name]})
    assert "ChainedRole" in error.fix
    assert Role(ROLE_ARN, chain=[last, THIRD_ARN], **{name: FULL[name]})


# -- what is sent ------------------------------------------------------------------------------

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "external_id": st.text("aZ09_+=,.@:/- \\", max_size=8) | _TEXT,
        "tags": st.dictionaries(_TEXT, _TEXT, max_size=4),
        "source_identity": _TEXT,
        "role_session_name": _TEXT,
        "duration_seconds": st.integers(800, 3700),
        "policy": st.dictionaries(_TEXT, _TEXT, max_size=2),
    },
)


@settings(max_examples=60, deadline=None)
@given(fields=_FIELDS, transitive=st.booleans())
def test_chained_role_is_valid_for_sts_or_an_error(
    fields: dict[str, Any], transitive: bool
) -> None:
    if transitive and "tags" in fields:
        fields["transitive_tag_keys"] = [*fields["tags"]]
    try:
        role = Role(ROLE_ARN, chain=[ChainedRole(ARN, **fields)])
    except ConfigError:
        return
    parameters = chained_parameters(role, 0)
    validate_parameters(parameters, _INPUT)
    for name, pattern in [
        ("ExternalId", r"[\w+=,.@:/-]{2,1224}"),
        ("SourceIdentity", r"[\w+=,.@-]{2,64}"),
        ("RoleSessionName", r"[\w+=,.@-]{2,64}"),
    ]:
        assert re.fullmatch(pattern, parameters.get(name, "ok"), re.ASCII)
    assert (fields.get("tags") or {}) == {
        tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())
    }
    assert role == pickle.loads(pickle.dumps(role))
