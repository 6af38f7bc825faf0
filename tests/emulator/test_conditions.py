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
        ("NumericEquals", "1_0", "10", False),
        ("NumericLessThan", "-1", "-2.5", True),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2029-12-31T23:59:59Z", True),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", False),
        ("DateLessThanEquals", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", True),
        ("DateGreaterThan", "2030", "2030-01-01T00:00:01Z", True),
        ("DateGreaterThan", "2030-01", "2029-12-31T23:59:59Z", False),
        ("DateGreaterThanEquals", "2030-01-01", "2030-01-01T00:00:00Z", True),
        ("DateEquals", "1893456000", "2030-01-01T00:00:00Z", True),
        ("DateEquals", "2030-01-01T01:30+01:30", "2030-01-01T00:00:00Z", True),
        ("DateEquals", "2029-12-31T23:00:00-01:00", "2030-01-01T00:00:00Z", True),
        ("DateEquals", "2030-01-01T00:00:00.5Z", "2030-01-01T00:00:00Z", False),
        ("DateNotEquals", "2030-01-01", "2030-01-02T00:00:00Z", True),
        ("DateLessThan", "2030-*", "2029-12-31T23:59:59Z", False),
        ("DateLessThan", "2030-13-01", "2029-12-31T23:59:59Z", False),
        ("DateNotEquals", "never", "2029-12-31T23:59:59Z", True),
        ("IpAddress", "203.0.113.0/24", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7/24", "203.0.113.250", True),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.8", False),
        ("IpAddress", ["10.0.0.0/8", "2001:DB8::/32"], "2001:db8::1", True),
        ("IpAddress", "203.0.113.*", "203.0.113.7", False),
        ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
        ("NotIpAddress", "203.0.113.0/24", "2001:db8::1", True),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "BinaryValueInBase64", True),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "binaryvalueinbase64", False),
        ("BinaryEquals", "not base64!", "not base64!", False),
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
        {"NullIfExists": {KEY: "true"}},
        {"DateNotLessThan": {KEY: "2030-01-01T00:00:00Z"}},
        {"NotBinaryEquals": {KEY: "YQ=="}},
        {"ForSomeValues:StringEquals": {KEY: "a"}},
        {"StringEquals": "a"},
        {"StringEquals": {}},
        {"StringEquals": {KEY: {"a": "b"}}},
        {"StringEquals": {KEY: None}},
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


CONTEXT = {
    KEY: ("etl",),
    "aws:username": ("etl",),
    "aws:principaltag/team": ("a*",),
    "aws:tagkeys": ("a", "b"),
}


@pytest.mark.parametrize(
    ("operator", "wanted", "present", "expected"),
    [
        ("StringEquals", "${aws:username}", "etl", True),
        ("StringEquals", "${AWS:UserName}", "etl", True),
        ("StringEquals", "x-${aws:username}-y", "x-etl-y", True),
        ("StringEquals", "${aws:username}", "ETL", False),
        ("StringEqualsIgnoreCase", "${aws:username}", "ETL", True),
        ("StringNotEquals", "${aws:username}", "etl", False),
        ("StringLike", "${aws:username}-*", "etl-7", True),
        # What a value holds stands for itself.
        ("StringLike", "${aws:PrincipalTag/team}", "a*", True),
        ("StringLike", "${aws:PrincipalTag/team}", "abc", False),
        ("ArnLike", "arn:aws:iam::*:role/${aws:username}", ARN, True),
        ("StringLike", "a${*}${?}${$}", "a*?$", True),
        ("StringLike", "a${*}", "abc", False),
        ("StringEquals", "a${*}${?}${$}", "a*?$", True),
        ("StringEquals", "${aws:userid, 'anonymous'}", "anonymous", True),
        ("StringEquals", "${aws:username, 'anonymous'}", "etl", True),
        # A variable without a value, or with several, makes the statement one that never applies.
        ("StringEquals", "${aws:userid}", "", False),
        ("StringNotEquals", "${aws:userid}", "etl", False),
        ("StringEquals", ["${aws:userid}", "etl"], "etl", False),
        ("StringEquals", "${aws:TagKeys}", "a", False),
        ("StringEquals", "${aws:username", "${aws:username", True),
        # "You can't use a policy variable with other operators".
        ("NumericEquals", "${aws:username}", "etl", False),
        ("Bool", "${aws:username}", "etl", False),
    ],
)
def test_policy_variables(operator, wanted, present, expected):
    [condition] = parse_conditions({operator: {"k:a": wanted}})
    assert condition.holds({**CONTEXT, "k:a": (present,)}) is expected


def test_variable_without_a_value_is_ignored_where_the_key_may_be_absent():
    [condition] = parse_conditions({"StringEqualsIfExists": {"k:a": "${aws:userid}"}})
    assert condition.holds({})
    [condition] = parse_conditions({"StringNotEquals": {"k:a": "${aws:userid}"}})
    assert not condition.holds({})


@pytest.mark.parametrize(
    ("operator", "wanted", "present", "expected"),
    [
        ("StringEquals", "${aws:username}", "${aws:username}", True),
        ("StringEquals", "${aws:username}", "etl", False),
        ("StringLike", "${aws:user*", "${aws:username}", True),
        ("StringLike", "${*}", "${anything}", True),
        ("StringLike", "${*}", "*", False),
    ],
)
def test_a_variable_is_text_in_a_policy_of_the_old_version(operator, wanted, present, expected):
    [condition] = parse_conditions({operator: {"k:a": wanted}}, variables=False)
    assert condition.holds({**CONTEXT, "k:a": (present,)}) is expected
