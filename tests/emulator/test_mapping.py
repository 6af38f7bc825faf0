"""Attribute mappings and conditions: what Google makes of who AWS says it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gcp_aws_bridge.emulator.mapping import AWS_DEFAULT, AttributeMapping

ACCOUNT = "123456789012"
SUBJECT = {"google.subject": "assertion.arn"}


def session(role: str = "etl", name: str = "run", account: str = ACCOUNT) -> dict[str, str]:
    return {
        "account": account,
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "userid": f"AROAEXAMPLE:{name}",
    }


def aws_role(assertion: dict[str, str]) -> str:
    return AttributeMapping(AWS_DEFAULT).attributes(assertion)["attribute.aws_role"]


# The default once more, so that it is not the text which is known without CEL.
BY_CEL = {name: f"({text})" for name, text in AWS_DEFAULT.items()}


@pytest.mark.parametrize("mapping", [AWS_DEFAULT, BY_CEL], ids=["built in", "by CEL"])
class TestDefault:
    @pytest.mark.parametrize(
        ("arn", "role"),
        [
            (session()["arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/etl"),
            (f"arn:aws:iam::{ACCOUNT}:user/bob", f"arn:aws:iam::{ACCOUNT}:user/bob"),
            (
                f"arn:aws:iam::{ACCOUNT}:user/assumed-role/etl/bob",
                f"arn:aws:iam::{ACCOUNT}:user/assumed-role/etl",
            ),
            (
                f"arn:aws:iam::{ACCOUNT}:user/assumed-role/bob",
                f"arn:aws:iam::{ACCOUNT}:user/assumed-role/",
            ),
            (
                f"arn:aws:iam::{ACCOUNT}:user/assumed-role",
                "assumed-role/",
            ),
            (
                f"arn:aws:sts::{ACCOUNT}:assumed-role/assumed-role/run",
                f"arn:aws:sts::{ACCOUNT}:assumed-role/assumed-role",
            ),
        ],
    )
    def test_is_the_role_without_its_session(self, mapping, arn, role):
        found = AttributeMapping(mapping).attributes({"arn": arn})
        assert {"google.subject": arn, "attribute.aws_role": role} == found

    def test_tells_accounts_roles_and_prefixes_apart(self, mapping):
        attributes = AttributeMapping(mapping).attributes
        sessions = [
            session(),
            session("etl-admin"),
            session("et"),
            session(account="210987654321"),
            session("run", "etl"),
            session("a", "etl"),
        ]
        roles = {attributes(assertion)["attribute.aws_role"] for assertion in sessions}
        assert len(sessions) == len(roles)

    @pytest.mark.parametrize(
        "name", ["assumed-role", "etl", "a=b,c@d.e", "arn-aws-sts", "{account_arn}"]
    )
    def test_is_not_moved_by_a_sessions_name(self, mapping, name):
        attributes = AttributeMapping(mapping).attributes
        same = attributes(session())["attribute.aws_role"]
        assert same == attributes(session(name=name))["attribute.aws_role"]


class TestExpressions:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("assertion.arn.extract('assumed-role/{role}/')", "etl"),
            ("assertion.arn.extract('assumed-role/{a}').extract('/{b}')", "run"),
            ("assertion.arn.extract('{whole}')", session()["arn"]),
            ("assertion.arn.extract(':{account}:')", "aws"),
            ("assertion.arn.extract('nowhere/{x}') + 'x'", "x"),
            ("assertion.arn.extract('assumed-role/{x}nowhere') + 'x'", "x"),
            ("assertion.arn.extract('no braces') + 'x'", "x"),
            ("assertion.arn.split('/')[1]", "etl"),
            ("assertion.arn.split(':').join('|')", session()["arn"].replace(":", "|")),
            ("assertion.userid.lowerAscii()", "aroaexample:run"),
            ("assertion.account.replace('1', 'x')", "x234567890x2"),
            ("assertion['account']", ACCOUNT),
            ("has(assertion.nothing) ? 'a' : 'b'", "b"),
            ("assertion.arn.startsWith('arn:aws:sts') ? 'role' : 'user'", "role"),
            ("assertion.arn.matches('^arn:aws:sts::[0-9]{12}:') ? 'yes' : 'no'", "yes"),
            ("['a', 'b'].exists(x, x == 'b') ? 'yes' : 'no'", "yes"),
        ],
    )
    def test_are_evaluated(self, text, value):
        found = AttributeMapping({**SUBJECT, "attribute.x": text}).attributes(session())
        assert value == found["attribute.x"]

    @pytest.mark.parametrize(
        "text",
        [
            "assertion.nothing",
            "assertion.nothing + 'x'",
            "assertion.arn.extract('nowhere/{x}')",
            "assertion.arn + 1",
            "size(assertion.arn)",
            "assertion.arn.contains('etl')",
            "assertion.arn.split(':')",
            "assertion.arn.matches('a{2,1}')",
        ],
    )
    def test_that_give_no_text_map_nothing(self, text):
        found = AttributeMapping({**SUBJECT, "attribute.x": text}).attributes(session())
        assert ["google.subject"] == list(found)

    @pytest.mark.parametrize("number", [2**70, 1e400, 1.5, None, {"a": [None, True]}])
    def test_bear_whatever_json_holds(self, number):
        mapping = AttributeMapping({**SUBJECT, "attribute.x": "'a' + 'b'"}, "assertion.n == 1")
        assertion = {**session(), "n": number}
        assert mapping.attributes(assertion)["google.subject"] == assertion["arn"]
        assert not mapping.admits(assertion, {})

    def test_of_groups_give_a_list(self):
        mapping = AttributeMapping({**SUBJECT, "google.groups": "assertion.groups"})
        found = mapping.attributes({**session(), "groups": ["a", "b"]})
        assert ("a", "b") == found["google.groups"]
        assert "google.groups" not in mapping.attributes({**session(), "groups": "a"})

    @pytest.mark.parametrize(
        ("mapping", "words"),
        [
            ({}, "needs google.subject"),
            ({"attribute.x": "assertion.arn"}, "needs google.subject"),
            ({**SUBJECT, "attribute.X": "assertion.arn"}, "is not a valid attribute name"),
            ({**SUBJECT, "google.name": "assertion.arn"}, "is not a valid attribute name"),
            ({**SUBJECT, "attribute.x-y": "assertion.arn"}, "is not a valid attribute name"),
            ({**SUBJECT, **{f"attribute.a{n}": "assertion.arn" for n in range(51)}}, "at most 50"),
            ({**SUBJECT, "attribute.x": f"'{'a' * 2048}'"}, "the limit is 2048"),
            ({**SUBJECT, "attribute.x": "assertion.arn +"}, "is not CEL"),
            ({**SUBJECT, "attribute.x": ""}, "is not CEL"),
            ({**SUBJECT, "attribute.x": "asertion.arn"}, "there is no variable asertion"),
            ({**SUBJECT, "attribute.x": "google.subject"}, "there is no variable google"),
            ({**SUBJECT, "attribute.x": "assertion.arn.extrct('{a}')"}, "no function extrct"),
            ({**SUBJECT, "attribute.x": "shout(assertion.arn)"}, "no function shout"),
        ],
    )
    def test_that_google_would_not_take_are_refused_at_once(self, mapping, words):
        with pytest.raises(ValueError, match=words):
            AttributeMapping(mapping)


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "admitted"),
        [
            ("true", True),
            ("false", False),
            ("assertion.arn.startsWith('arn:aws:sts::123456789012:assumed-role/etl/')", True),
            ("assertion.arn.startsWith('arn:aws:sts::123456789012:assumed-role/e/')", False),
            ("attribute.aws_role == 'arn:aws:sts::123456789012:assumed-role/etl'", True),
            ("google.subject == assertion.arn", True),
            ("'admins' in google.groups", False),
            ("assertion.nothing == 'x'", False),
            ("assertion.nothing == 'x' || true", True),
            ("!has(assertion.nothing) && attribute.aws_role.endsWith('/etl')", True),
            ("assertion.account in ['123456789012', '210987654321']", True),
            ("'yes'", False),
            ("1", False),
        ],
    )
    def test_admit_only_what_they_are_true_of(self, condition, admitted):
        mapping = AttributeMapping(AWS_DEFAULT, condition)
        assertion = session()
        assert admitted is mapping.admits(assertion, mapping.attributes(assertion))

    def test_see_groups(self):
        mapping = AttributeMapping(
            {**SUBJECT, "google.groups": "assertion.groups"}, "'admins' in google.groups"
        )
        for groups, admitted in ((["admins"], True), (["others"], False), ([], False)):
            assertion = {**session(), "groups": groups}
            assert admitted is mapping.admits(assertion, mapping.attributes(assertion))

    @pytest.mark.parametrize(
        ("condition", "words"),
        [
            ("attributes.x == 'y'", "there is no variable attributes"),
            ("true &&", "is not CEL"),
            (f"'{'a' * 4096}' == ''", "the limit is 4096"),
            ("", "is not CEL"),
        ],
    )
    def test_that_google_would_not_take_are_refused_at_once(self, condition, words):
        with pytest.raises(ValueError, match=words):
            AttributeMapping(SUBJECT, condition)


WITHOUT = """
import sys
sys.modules["celpy"] = None
from gcp_aws_bridge.emulator import Emulator
cloud = Emulator()
cloud.add_aws_provider()
cloud.add_google_provider_for_oidc("https://cluster.example")
try:
    cloud.add_aws_provider(attribute_condition="assertion.arn == 'x'")
except ValueError as error:
    print(error)
"""


def test_without_cel_python_the_defaults_work_and_the_rest_says_what_to_install(python_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={"PYTHONPATH": python_path, "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "needs cel-python: pip install 'gcp-aws-bridge[emulator]'." in done.stdout
