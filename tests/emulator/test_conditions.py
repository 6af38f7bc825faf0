"""Condition operators, by the tables of the IAM user guide."""

from __future__ import annotations

import pytest

from gcp_aws_bridge.emulator.conditions import parse_conditions

KEY = "accounts.google.com:aud"
ARN = "arn:aws:iam::123456789012:role/etl"


def holds(operator: str, wanted: object, *present: str, key: str = KEY) -> bool:
    [condition] = parse_conditions({operator: {key: wanted}})
    return condition.holds({KEY: present} if present else {})


@pytest.mark.parametrize(
    ("operator", "wanted", "present", "expected"),
    [
        ("StringEquals", "abc", "abc", True),
        ("StringEquals", "abc", "ABC", False),
        ("StringEquals", "a*", "abc", False),
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", ["x", "abc"], "abc", True),
        ("StringEquals", [], "abc", False),
        ("StringNotEquals", "abc", "abc", False),
        ("StringNotEquals", "abc", "abd", True),
        ("StringNotEquals", ["abc", "x"], "abc", False),
        ("StringNotEquals", ["abc", "x"], "y", True),
        ("StringEqualsIgnoreCase", "aBc", "AbC", True),
        ("StringNotEqualsIgnoreCase", "aBc", "AbC", False),
        ("StringLike", "a*", "abc", True),
        ("StringLike", "a*", "a", True),
        ("StringLike", "a?c", "abc", True),
        ("StringLike", "a?", "abc", False),
        ("StringLike", "*", "any\nthing", True),
        ("StringLike", "*b", "abc", False),
        ("StringLike", "A*", "abc", False),
        ("StringLike", "a.c", "abc", False),
        ("StringLike", "[a]*", "abc", False),
        ("StringNotLike", "a*", "abc", False),
        ("StringNotLike", ["x*", "y*"], "abc", True),
        ("NumericEquals", "12", "12.0", True),
        ("NumericNotEquals", 12, "13", True),
        ("NumericLessThan", "12", "11", True),
        ("NumericLessThan", "12", "12", False),
        ("NumericLessThanEquals", "12", "12", True),
        ("NumericGreaterThan", "12", "9", False),
        ("NumericGreaterThanEquals", "9", "12", True),
        ("NumericEquals", "12", "twelve", False),
        # Exact: as floats, these are one number.
        ("NumericEquals", "104203741234567890123", "104203741234567890124", False),
        ("StringEqualsIgnoreCase", "stra\u00dfe", "STRASSE", False),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("ArnEquals", ARN, ARN, True),
        ("ArnLike", "arn:aws:iam::*:role/*", ARN, True),
        ("ArnLike", "arn:*:role/etl", ARN, False),
        ("ArnLike", "arn:aws:iam::123456789012:role/e?l", ARN, True),
        ("ArnNotLike", "arn:aws:iam::*:role/*", ARN, False),
        ("ArnNotEquals", "arn:aws:iam::*:user/*", ARN, True),
    ],
)
def test_one_value(operator, wanted, present, expected):
    assert holds(operator, wanted, present) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("NumericEquals", False),
        ("ArnLike", False),
        ("Bool", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("ArnNotLike", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("StringLikeIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
def test_a_key_that_is_not_there(operator, expected):
    assert holds(operator, "true") is expected


def test_if_exists_still_compares_what_exists():
    assert holds("StringEqualsIfExists", "a", "a")
    assert not holds("StringEqualsIfExists", "a", "b")


@pytest.mark.parametrize(
    ("operator", "wanted", "present", "expected"),
    [
        ("ForAnyValue:StringEquals", ["a", "b"], ("x", "b"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], ("x", "y"), False),
        ("ForAnyValue:StringLike", "a*", ("x", "ab"), True),
        ("ForAnyValue:StringNotEquals", "a", ("a", "b"), True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b", "a"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringNotEquals", "a", ("b", "c"), True),
        ("ForAllValues:StringNotEquals", "a", ("a", "b"), False),
        ("StringEquals", "b", ("a", "b"), True),
        ("StringNotEquals", "b", ("a", "b"), False),
    ],
)
def test_several_values(operator, wanted, present, expected):
    assert holds(operator, wanted, *present) is expected


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [("true", (), True), ("true", ("a",), False), (False, ("a",), True), ("false", (), False)],
)
def test_null(wanted, present, expected):
    assert holds("Null", wanted, *present) is expected


def test_keys_have_no_case():
    assert holds("StringEquals", "a", "a", key="Accounts.Google.com:AUD")


def test_every_member_is_a_condition():
    block = {"StringEquals": {"k:a": "1", "k:b": "2"}, "StringLike": {"k:c": "3*"}}
    conditions = parse_conditions(block)
    assert len(conditions) == 3
    context = {"k:a": ("1",), "k:b": ("2",), "k:c": ("34",)}
    assert [condition.holds(context) for condition in conditions] == [True] * 3
    assert [c.holds({**context, "k:b": ("x",)}) for c in conditions] == [True, False, True]


@pytest.mark.parametrize(
    "block",
    [
        {"StringEqual": {KEY: "a"}},
        {"stringequals": {KEY: "a"}},
        {"DateLessThan": {KEY: "2030-01-01T00:00:00Z"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"ForSomeValues:StringEquals": {KEY: "a"}},
        {"StringEquals": "a"},
        {"StringEquals": {}},
        {"StringEquals": {KEY: {"a": "b"}}},
        {"StringEquals": {KEY: None}},
        {"StringEquals": {KEY: "${aws:username}"}},
        {"Null": {KEY: "maybe"}},
        {"StringEquals": {"sub": "a"}},
        {"StringEquals": {":sub": "a"}},
        {"StringEquals": {"accounts.google.com:": "a"}},
        {"StringEquals": {KEY: "a", KEY.upper(): "a"}},
        {"Null": {KEY: ["true", "false"]}},
        ["StringEquals"],
    ],
)
def test_what_cannot_be_evaluated_is_refused(block):
    with pytest.raises(ValueError, match=r"Condition|Null"):
        parse_conditions(block)


def test_a_variable_is_text_in_a_policy_of_the_old_version():
    block = {"StringEquals": {KEY: "${aws:username}"}}
    [condition] = parse_conditions(block, variables=False)
    assert condition.holds({KEY: ("${aws:username}",)})
    assert not condition.holds({KEY: ("etl",)})
