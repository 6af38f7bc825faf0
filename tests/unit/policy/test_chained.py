"""Trust policies of chained roles: what is written, what is evaluated, what is found wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from gcp_aws_bridge import policy
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.policy import AssumeRoleRequest

VENDOR = "arn:aws:iam::123456789012:role/team/vendor"
TENANT = "arn:aws:iam::210987654321:role/tenant"
USUAL: dict[str, Any] = {
    "caller": VENDOR,
    "external_id": "tenant-7",
    "tags": {"tenant": "seven", "Job": "*"},
    "transitive_tag_keys": ["tenant"],
    "source_identity": "nightly",
    "role_session_name": "pod-1",
}
SENT = {**USUAL, "tags": {"tenant": "seven", "Job": "42"}}


def asked(**changes: Any) -> AssumeRoleRequest:
    return AssumeRoleRequest(**{**SENT, **changes})


def statement(condition: Any = None, **members: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole"}
    return {**found, **({"Condition": condition} if condition else {}), **members}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [*statements]}


class TestBuild:
    def test_everything_that_the_request_has_is_pinned(self) -> None:
        assert policy.build_chained(AssumeRoleRequest(**USUAL)) == document(
            {
                "Effect": "Allow",
                "Principal": {"AWS": VENDOR},
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                "Condition": {
                    "StringEquals": {
                        "sts:ExternalId": "tenant-7",
                        "aws:RequestTag/tenant": "seven",
                        "sts:SourceIdentity": "nightly",
                    },
                    "StringLike": {"aws:RequestTag/Job": "*"},
                    "ForAllValues:StringEquals": {
                        "aws:TagKeys": ["tenant", "Job"],
                        "sts:TransitiveTagKeys": "tenant",
                    },
                },
            }
        )

    def test_plain_role_needs_no_condition(self) -> None:
        assert policy.build_chained(AssumeRoleRequest(caller=VENDOR)) == document(statement())

    @pytest.mark.parametrize(
        ("changes", "actions"),
        [
            ({"tags": {}, "transitive_tag_keys": []}, ["sts:AssumeRole", "sts:SetSourceIdentity"]),
            ({"source_identity": None}, ["sts:AssumeRole", "sts:TagSession"]),
            (
                {"tags": {}, "transitive_tag_keys": [], "inherited_tags": {"a": "1"}},
                ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            ),
        ],
    )
    def test_only_required_actions_are_allowed_on_both_sides(
        self, changes: Any, actions: list[str]
    ) -> None:
        request = asked(**changes)
        assert actions == policy.build_chained(request)["Statement"][0]["Action"]
        allowed = {"Effect": "Allow", "Action": actions, "Resource": TENANT}
        assert policy.permissions_for([TENANT], request) == document(allowed)

    def test_inherited_tag_is_a_tag_of_the_caller(self) -> None:
        request = asked(tags={}, transitive_tag_keys=[], inherited_tags={"tenant": "seven"})
        [made] = policy.build_chained(request)["Statement"]
        assert "seven" == made["Condition"]["StringEquals"]["aws:PrincipalTag/tenant"]
        assert "tenant" == made["Condition"]["ForAllValues:StringEquals"]["sts:TransitiveTagKeys"]

    def test_what_is_written_admits_the_request_and_has_no_findings(self) -> None:
        made = policy.build_chained(AssumeRoleRequest(**USUAL))
        assert [] == policy.lint(made)
        assert policy.evaluate_chained(made, asked()).allowed

    @pytest.mark.parametrize("form", ["json", "terraform", "cloudformation"])
    def test_every_format_has_both_policies(self, form: str) -> None:
        request = asked()
        trust = policy.render(policy.build_chained(request), form, name="tenant")
        permissions = policy.render_permissions(
            policy.permissions_for([TENANT], request), form, name="vendor"
        )
        assert "sts:ExternalId" in trust
        assert TENANT in permissions
        if form == "cloudformation":
            [role] = yaml.safe_load(trust)["Resources"].values()
            wanted = policy.build_chained(request)
            assert wanted == role["Properties"]["AssumeRolePolicyDocument"]
            [inline] = yaml.safe_load(permissions)["Resources"].values()
            assert ("AWS::IAM::RolePolicy", "vendor") == (
                inline["Type"],
                inline["Properties"]["RoleName"],
            )

    def test_text_that_a_policy_cannot_contain_is_rejected(self) -> None:
        with pytest.raises(ConfigError) as caught:
            policy.build_chained(asked(tags={"city": "東京"}, transitive_tag_keys=[]))
        assert caught.value.error_id == "config/trust-policy-value"

    def test_policy_beyond_the_quota_is_rejected(self) -> None:
        tags = {f"key{number}": "x" * 200 for number in range(10)}
        with pytest.raises(ConfigError, match="2,048"):
            policy.build_chained(asked(tags=tags, transitive_tag_keys=[]))

    @pytest.mark.parametrize(
        "roles", [[], TENANT, ["tenant"], ["arn:aws:iam::*:user/x"], [f"{TENANT}/*"], [None]]
    )
    def test_permissions_are_for_roles(self, roles: Any) -> None:
        with pytest.raises(ConfigError) as caught:
            policy.permissions_for(roles, asked())
        assert caught.value.error_id == "config/trust-policy-value"

    def test_permissions_may_be_for_all_accounts(self) -> None:
        arn = "arn:aws:iam::*:role/tenant"
        made = policy.permissions_for([arn, TENANT], asked())
        assert [arn, TENANT] == made["Statement"][0]["Resource"]


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": "123456789012"},
        {"caller": "arn:aws:sts::123456789012:assumed-role/vendor/pod-1"},
        {"external_id": "a"},
        {"external_id": "a b"},
        {"external_id": "*"},
        {"external_id": ""},
        {"source_identity": "x"},
        {"source_identity": "aws:x"},
        {"role_session_name": "a/b"},
        {"tags": {"": "1"}},
        {"tags": {"a" * 129: "1"}},
        {"tags": {"a": "1" * 257}},
        {"tags": {"aws:a": "1"}},
        {"tags": {"AWS:a": "1"}},
        {"tags": {"a\n": "1"}},
        {"tags": {"a": 1}},
        {"tags": {"a": "1", "A": "2"}},
        {"tags": [("a", "1")]},
        {"tags": {f"k{number}": "" for number in range(51)}},
        {"tags": {"a": "**"}},
        {"transitive_tag_keys": ["team"]},
        {"transitive_tag_keys": "tenant"},
        {"inherited_tags": {"TENANT": "eight"}},
    ],
)
def test_requests_that_sts_rejects_are_rejected(changes: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        asked(**changes)
    names = "(role-arn|external-id|source-identity|session-name|tags|transitive-tags|list)"
    assert re.fullmatch(f"config/{names}", caught.value.error_id)


class TestEvaluate:
    WANTED = policy.build_chained(AssumeRoleRequest(**USUAL))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"external_id": None}, "sts:ExternalId: the request has no such key"),
            (
                {"external_id": "tenant-8"},
                'ExternalId is "tenant-8"; the policy requires "tenant-7"',
            ),
            (
                {"tags": {"tenant": "8", "Job": "1"}},
                'aws:RequestTag/tenant: the request\'s tag tenant is "8"',
            ),
            (
                {"tags": {"tenant": "seven"}},
                "StringLike aws:RequestTag/Job: the request has no such key",
            ),
            (
                {"tags": {"tenant": "seven", "Job": "1", "x": "y"}},
                'aws:TagKeys: the request\'s TagKeys is "tenant" or "Job" or "x"',
            ),
            (
                {"transitive_tag_keys": ["tenant", "Job"]},
                "sts:TransitiveTagKeys: the request's TransitiveTagKeys is",
            ),
            ({"source_identity": "other"}, "sts:SourceIdentity: the request's SourceIdentity is"),
            (
                {"caller": VENDOR.replace("vendor", "other")},
                'Principal does not name "arn:aws:iam::123456789012:role/team/other"',
            ),
        ],
    )
    def test_explanation_names_what_differs(self, changes: Any, reason: str) -> None:
        decision = policy.evaluate_chained(self.WANTED, asked(**changes))
        assert (False, False) == (decision.allowed, decision.undetermined)
        [fails] = [one for one in str(decision).splitlines() if "  fails: " in one]
        assert reason in fails

    def test_value_in_the_wrong_place_is_named(self) -> None:
        decision = policy.evaluate_chained(
            self.WANTED, asked(external_id="nightly", source_identity="tenant-7")
        )
        assert "which is its SourceIdentity: AWS compares that as sts:sourceidentity" in str(
            decision
        )

    @pytest.mark.parametrize(
        ("actions", "denied"),
        [
            (["sts:AssumeRole"], ["sts:TagSession", "sts:SetSourceIdentity"]),
            (["sts:AssumeRole", "sts:TagSession"], ["sts:SetSourceIdentity"]),
            (["sts:AssumeRole", "sts:Set*"], ["sts:TagSession"]),
            (["sts:TagSession", "sts:SetSourceIdentity"], ["sts:AssumeRole"]),
            (["sts:*"], []),
        ],
    )
    def test_every_action_must_be_allowed(self, actions: list[str], denied: list[str]) -> None:
        decision = policy.evaluate_chained(document(statement(Action=actions)), asked())
        assert denied == [*decision.denied_actions]
        assert decision.allowed is not bool(denied)
        if denied:
            summary = str(decision).splitlines()[0]
            assert f"Denied: no statement allows {' and '.join(denied)}." == summary

    def test_actions_may_be_allowed_by_several_statements(self) -> None:
        """The user guide's "Example role trust policy for session tags"."""
        tags = {"aws:RequestTag/Project": "*", "aws:RequestTag/CostCenter": "*"}
        transitive = {"sts:TransitiveTagKeys": ["Project", "Department"]}
        first = statement(
            {
                "StringLike": {**tags, "aws:RequestTag/Department": "*"},
                "StringEquals": {"sts:ExternalId": "Example987"},
            }
        )
        second = statement(
            {
                "StringLike": tags,
                "StringEquals": {"aws:RequestTag/Department": ["Engineering", "Marketing"]},
                "ForAllValues:StringEquals": transitive,
            },
            Action="sts:TagSession",
        )
        passed = {"Project": "Automation", "CostCenter": "12345", "Department": "Engineering"}
        keys = ["Project", "Department"]
        request = AssumeRoleRequest(
            caller=VENDOR, external_id="Example987", tags=passed, transitive_tag_keys=keys
        )
        assert policy.evaluate_chained(document(first, second), request).allowed
        assert policy.evaluate_chained(document(first), request).denied_actions == (
            "sts:TagSession",
        )
        assert [] == policy.lint(document(first, second))
        rules = {one.rule for one in policy.lint(document(first))}
        assert {"missing-tag-session"} == rules

    @pytest.mark.parametrize(
        ("deny", "admitted"),
        [
            ({"Action": "sts:TagSession"}, False),
            ({"Action": "sts:TagSession", "Principal": {"AWS": TENANT}}, True),
            ({"Condition": {"StringNotEquals": {"sts:ExternalId": "tenant-7"}}}, True),
            ({"Condition": {"StringEquals": {"aws:RequestTag/tenant": "seven"}}}, False),
            ({"Action": "sts:AssumeRoleWithWebIdentity"}, True),
        ],
    )
    def test_deny_takes_precedence_for_each_action(self, deny: Any, admitted: bool) -> None:
        allow = statement(Action="sts:*")
        denying = {**statement(), "Effect": "Deny", **deny}
        decision = policy.evaluate_chained(document(allow, denying), asked())
        assert admitted is decision.allowed
        assert not decision.undetermined

    @pytest.mark.parametrize(
        ("principal", "admitted"),
        [
            (VENDOR, True),
            ("123456789012", True),
            ("arn:aws:iam::123456789012:root", True),
            ("*", True),
            ([TENANT, VENDOR], True),
            ("arn:aws:iam::123456789012:role/vendor", False),
            (VENDOR.upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace("ROLE", "role"), False),
            ("210987654321", False),
            ("arn:aws-cn:iam::123456789012:root", False),
            ("arn:aws:iam::123456789012:user/vendor", False),
            ("arn:aws:sts::123456789012:assumed-role/vendor/pod-1", None),
            ("arn:aws:sts::123456789012:assumed-role/vendor-2/pod-1", False),
        ],
    )
    def test_principals(self, principal: Any, admitted: bool | None) -> None:
        made = document(statement(Principal={"AWS": principal}))
        decision = policy.evaluate_chained(made, AssumeRoleRequest(caller=VENDOR))
        assert (admitted is True, admitted is None) == (decision.allowed, decision.undetermined)

    def test_role_for_tokens_admits_no_role(self) -> None:
        made = policy.build(audience="x", service_accounts=["104203741234567890123"])
        assert not policy.evaluate_chained(made, asked()).allowed

    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/team/*"}}, True),
            ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/vendor"}}, False),
            ({"ArnLike": {"aws:PrincipalArn": "arn:aws:*"}}, False),
            ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x*"}}, True),
            ({"StringLike": {"aws:PrincipalArn": "*:role/team/*"}}, True),
            ({"StringEquals": {"aws:PrincipalAccount": "123456789012"}}, True),
            ({"StringEquals": {"STS:externalid": "tenant-7"}}, True),
            ({"StringLike": {"sts:RoleSessionName": "pod-*"}}, True),
            ({"Null": {"aws:RequestTag/tenant": "false"}}, True),
            ({"Null": {"aws:RequestTag/team": "true"}}, True),
            ({"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["tenant", "x"]}}, True),
            ({"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": "Tenant"}}, False),
            ({"ForAnyValue:StringEquals": {"aws:TagKeys": "tenant"}}, True),
            # Not determined by the parameters of the request.
            ({"StringEquals": {"aws:TagKeys": "tenant"}}, None),
            ({"ArnLike": {"sts:ExternalId": "arn:*"}}, None),
            ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, None),
            ({"StringEquals": {"aws:PrincipalTag/team": "x"}}, None),
            ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, None),
            ({"StringEquals": {"accounts.google.com:sub": "1"}}, None),
            ({"StringEquals": {"sts:ExternalId": "${aws:PrincipalTag/tenant}"}}, None),
            ({"StringEquals": {"aws:SourceIdentity": "nightly"}}, None),
            ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, None),
        ],
    )
    def test_keys_of_the_request(self, condition: Any, holds: bool | None) -> None:
        made = document(statement(condition, Action="sts:*"))
        decision = policy.evaluate_chained(made, asked())
        assert (holds is True, holds is None) == (decision.allowed, decision.undetermined)

    @pytest.mark.parametrize(
        ("changes", "condition"),
        [
            ({"role_session_name": None}, {"StringEquals": {"sts:RoleSessionName": "pod-1"}}),
            ({"tags": {"x": "*"}}, {"StringEquals": {"aws:RequestTag/x": "y"}}),
            ({"source_identity": "*"}, {"StringEquals": {"sts:SourceIdentity": "y"}}),
            ({"inherited_tags": {"x": "y"}}, {"StringEquals": {"aws:RequestTag/x": "y"}}),
            (
                {"inherited_tags": {"x": "y"}},
                {"ForAllValues:StringEquals": {"aws:TagKeys": ["tenant", "Job"]}},
            ),
        ],
    )
    def test_what_is_not_known_is_not_determined(self, changes: Any, condition: Any) -> None:
        request = asked(transitive_tag_keys=[], **changes)
        made = document(statement(condition, Action="sts:*"))
        assert policy.evaluate_chained(made, request).undetermined

    def test_inherited_tag_is_compared_as_the_callers(self) -> None:
        for value, admitted in (("y", True), ("z", False)):
            condition = {"StringEquals": {"aws:PrincipalTag/X": value}}
            made = document(statement(condition, Action="sts:*"))
            request = asked(inherited_tags={"x": "y"})
            assert admitted is policy.evaluate_chained(made, request).allowed

    def test_policy_that_iam_rejects_admits_nothing(self) -> None:
        made = document(statement({"StringContains": {"sts:ExternalId": "x"}}), statement())
        decision = policy.evaluate_chained(made, AssumeRoleRequest(caller=VENDOR))
        assert str(decision).startswith("Denied: IAM rejects a role with this policy: ")


EXTERNAL = {"StringEquals": {"sts:ExternalId": "tenant-7"}}


def rules(*statements: dict[str, Any], **options: Any) -> list[str]:
    found = policy.lint(document(*statements), **options)
    for finding in found:
        assert str(finding).startswith(f"{finding.severity}[{finding.rule}] Statement[")
    return sorted(finding.rule for finding in found)


class TestLint:
    @pytest.mark.parametrize(
        "condition",
        [
            None,
            {"StringEqualsIfExists": {"sts:ExternalId": "tenant-7"}},
            {"ForAllValues:StringEquals": {"sts:ExternalId": "tenant-7"}},
            {"StringNotEquals": {"sts:ExternalId": "tenant-8"}},
            {"Null": {"sts:ExternalId": "false"}},
            {"StringEquals": {"sts:RoleSessionName": "tenant-7"}},
        ],
    )
    def test_confused_deputy_is_found(self, condition: Any) -> None:
        assert ["missing-external-id"] == rules(statement(condition))
        [finding] = policy.lint(document(statement(condition)), account_id="210987654321")
        assert ("error", "account 123456789012 may be made") == (
            finding.severity,
            finding.message.partition(": ")[2][:32],
        )
        assert [] == rules(statement(condition), account_id="123456789012")

    @pytest.mark.parametrize(
        "condition",
        [
            EXTERNAL,
            {"StringEquals": {"STS:EXTERNALID": ["tenant-7", "tenant-8"]}},
            {"StringLike": {"sts:ExternalId": "tenant-7"}},
            {"ForAnyValue:StringEquals": {"sts:ExternalId": "tenant-7"}},
            {
                "StringEqualsIfExists": {"sts:ExternalId": "tenant-7"},
                "Null": {"sts:ExternalId": "false"},
            },
        ],
    )
    def test_external_id_that_must_match_is_enough(self, condition: Any) -> None:
        assert [] == rules(statement(condition), account_id="210987654321")

    @pytest.mark.parametrize(
        ("condition", "found"),
        [
            ({"StringLike": {"sts:ExternalId": "*"}}, ["external-id-wildcard"]),
            ({"StringLike": {"sts:ExternalId": "tenant-*"}}, ["external-id-wildcard"]),
            ({"StringLike": {"sts:ExternalId": ["tenant-7", "??*"]}}, ["external-id-wildcard"]),
            ({"StringEquals": {"sts:ExternalId": "*"}}, ["impossible-value"]),
            ({"StringEquals": {"sts:ExternalId": "tenant 7"}}, ["impossible-value"]),
            (
                {"StringEquals": {**EXTERNAL["StringEquals"], "sts:RoleSessionName": "a/b"}},
                ["impossible-value"],
            ),
            ({**EXTERNAL, "StringLike": {"sts:RoleSessionName": "pod-*"}}, []),
            # A tag or a source identity cannot be met by AssumeRole alone.
            ({**EXTERNAL, "StringLike": {"aws:RequestTag/tenant": "*"}}, ["missing-tag-session"]),
            ({**EXTERNAL, "Null": {"aws:RequestTag/tenant": "false"}}, ["missing-tag-session"]),
            (
                {**EXTERNAL, "ForAnyValue:StringEquals": {"aws:TagKeys": "tenant"}},
                ["missing-tag-session"],
            ),
            ({**EXTERNAL, "ForAllValues:StringEquals": {"aws:TagKeys": "tenant"}}, []),
            ({**EXTERNAL, "StringEqualsIfExists": {"aws:RequestTag/tenant": "seven"}}, []),
            ({**EXTERNAL, "Null": {"aws:RequestTag/tenant": "true"}}, []),
            (
                {**EXTERNAL, "StringLike": {"sts:SourceIdentity": "*"}},
                ["missing-set-source-identity"],
            ),
            (
                {**EXTERNAL, "StringLike": {"aws:SourceIdentity": "*"}},
                ["missing-set-source-identity"],
            ),
            (
                {"StringEquals": {"sts:ExternalId": "tenant-7", "sts:TransitiveTagKeys": "x"}},
                ["missing-tag-session", "set-operator"],
            ),
        ],
    )
    def test_conditions(self, condition: Any, found: list[str]) -> None:
        assert found == rules(statement(condition))

    @pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "StringEqualsIfExists"])
    @pytest.mark.parametrize("key", ["sts:TransitiveTagKeys", "aws:TagKeys"])
    def test_key_with_several_values_needs_a_set_operator(self, operator: str, key: str) -> None:
        actions = ["sts:AssumeRole", "sts:TagSession"]
        condition = {**EXTERNAL, operator: {**EXTERNAL.get(operator, {}), key: "tenant"}}
        assert ["set-operator"] == rules(statement(condition, Action=actions))
        good = {**EXTERNAL, "ForAllValues:StringEquals": {key: "tenant"}}
        assert [] == rules(statement(good, Action=actions))

    @pytest.mark.parametrize(
        ("principal", "found"),
        [
            ({"AWS": "123456789012"}, ["account-principal"]),
            ({"AWS": "arn:aws:iam::123456789012:root"}, ["account-principal"]),
            ({"AWS": "*"}, ["principal-anyone"]),
            ("*", ["principal-anyone"]),
            ({"AWS": "arn:aws:iam::123456789012:role/*"}, ["principal"]),
        ],
    )
    def test_principals(self, principal: Any, found: list[str]) -> None:
        assert found == rules(statement(EXTERNAL, Principal=principal))

    def test_account_with_the_arn_of_the_role_is_that_role(self) -> None:
        condition = {**EXTERNAL, "ArnEquals": {"aws:PrincipalArn": VENDOR}}
        assert [] == rules(statement(condition, Principal={"AWS": "123456789012"}))

    def test_action_of_another_principals_statement_does_not_count(self) -> None:
        tagged = statement({**EXTERNAL, "StringLike": {"aws:RequestTag/tenant": "*"}})
        other = statement(Principal={"AWS": TENANT}, Action="sts:TagSession")
        assert ["missing-tag-session"] == rules(tagged, other)
        assert [] == rules(tagged, statement(Action="sts:TagSession"))

    @pytest.mark.parametrize("account_id", ["", "etl", "12345678901", 210987654321])
    def test_other_text_than_an_account_is_rejected(self, account_id: Any) -> None:
        with pytest.raises(ConfigError) as caught:
            policy.lint(document(statement(EXTERNAL)), account_id=account_id)
        assert caught.value.error_id == "config/trust-policy-value"

    def test_tokens_with_tags_need_the_action_too(self) -> None:
        made = policy.build(audience="x", service_accounts=["104203741234567890123"])
        made["Statement"][0]["Condition"]["StringLike"] = {"aws:RequestTag/team": "*"}
        assert ["missing-tag-session"] == rules(*made["Statement"])
