"""Parameters of AssumeRole: external ID, session tags, source identity, session policies.

The rules are those of the IAM user guide, "Pass session tags in AWS STS", "Monitor and control
actions taken with assumed roles" and "Access to AWS accounts owned by third parties", and of the
AWS STS API reference, AssumeRole.
"""

from __future__ import annotations

import botocore.exceptions
import pytest

from .conftest import ROLE

NEXT = "arn:aws:iam::123456789012:role/next"
LAST = "arn:aws:iam::123456789012:role/last"
TENANT = "arn:aws:iam::210987654321:role/tenant"
ALL_ACTIONS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


def statement(principal: str, *actions: str, **condition: object) -> dict:
    found = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions)}
    return {**found, **({"Condition": condition} if condition else {})}


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def assume(client, role: str, **kwargs):
    return client.assume_role(**{"RoleArn": role, "RoleSessionName": "job", **kwargs})


def error_of(client, role: str, **kwargs) -> tuple[str, str]:
    """The code and the message of the error, or nothing."""
    try:
        assume(client, role, **kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


def denied(action: str, role: str, caller: str = "etl/pod-1") -> tuple[str, str]:
    session = f"arn:aws:sts::123456789012:assumed-role/{caller}"
    words = f"User: {session} is not authorized to perform: {action} on resource: {role}"
    return "AccessDenied", words


@pytest.fixture
def caller(sts_client, credentials):
    """A client with the credentials of the first role."""
    return sts_client(credentials)


class TestExternalId:
    @pytest.fixture
    def tenant(self, emulator, credentials):
        condition = {"StringEquals": {"sts:ExternalId": "tenant:7"}}
        emulator.add_role(TENANT, policy(statement(ROLE, "sts:AssumeRole", **condition)))
        emulator.allow(ROLE, "sts:AssumeRole", on=TENANT)
        return TENANT

    def test_only_the_tenants_own_is_accepted(self, caller, tenant):
        assert error_of(caller, tenant, ExternalId="tenant:7") == ("", "")
        for wrong in ({}, {"ExternalId": "tenant:8"}, {"ExternalId": "Tenant:7"}):
            assert error_of(caller, tenant, **wrong) == denied("sts:AssumeRole", tenant)

    @pytest.mark.parametrize("text", ["a", "a" * 1225, "a b", "a;b", "ä1", "a\n"])
    def test_malformed_external_id_is_rejected(self, caller, tenant, text):
        code, message = error_of(caller, tenant, ExternalId=text)
        assert code == "ValidationError"
        assert "at 'externalId' failed to satisfy constraint" in message

    @pytest.mark.parametrize("text", ["ab", "a" * 1224, "a+=,.@:/-_1"])
    def test_every_documented_external_id_is_compared(self, caller, tenant, text):
        assert error_of(caller, tenant, ExternalId=text) == denied("sts:AssumeRole", tenant)

    def test_a_role_that_requires_none_accepts_any(self, emulator, caller, credentials):
        emulator.add_role(NEXT, policy(statement(ROLE, "sts:AssumeRole")))
        assert assume(caller, NEXT, ExternalId="tenant:7")


# The guide's "Example AssumeRole CLI request".
EXAMPLE = {
    "ExternalId": "Example987",
    "Tags": tags(Project="Automation", CostCenter="12345", Department="Engineering"),
    "TransitiveTagKeys": ["Project", "Department"],
}


class TestTags:
    @pytest.fixture
    def documented(self, emulator, credentials):
        """The guide's "Example role trust policy for session tags"."""
        every = {"aws:RequestTag/Project": "*", "aws:RequestTag/CostCenter": "*"}
        first = statement(
            ROLE,
            "sts:AssumeRole",
            StringLike={**every, "aws:RequestTag/Department": "*"},
            StringEquals={"sts:ExternalId": "Example987"},
        )
        second = statement(
            ROLE,
            "sts:TagSession",
            StringLike=every,
            StringEquals={"aws:RequestTag/Department": ["Engineering", "Marketing"]},
            **{"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Project", "Department"]}},
        )
        emulator.add_role(NEXT, policy(first, second))
        return NEXT

    @pytest.mark.parametrize(
        ("changes", "action"),
        [
            ({}, ""),
            ({"TransitiveTagKeys": ["Project"]}, ""),
            ({"TransitiveTagKeys": []}, ""),
            ({"TransitiveTagKeys": ["CostCenter"]}, "sts:TagSession"),
            ({"Tags": tags(Project="a", Department="Engineering")}, "sts:AssumeRole"),
            ({"Tags": tags(Project="a", CostCenter="b", Department="Sales")}, "sts:TagSession"),
            ({"ExternalId": "Example988"}, "sts:AssumeRole"),
        ],
    )
    def test_the_guides_example_admits_what_the_guide_says(
        self, caller, documented, changes, action
    ):
        expected = denied(action, documented) if action else ("", "")
        assert error_of(caller, documented, **{**EXAMPLE, **changes}) == expected

    def test_a_trust_policy_without_the_second_statement_admits_no_tags(self, emulator, caller):
        """ "If your policy includes the first statement without the second statement ..."."""
        condition = {"StringLike": {"aws:RequestTag/Project": "*"}}
        emulator.add_role(NEXT, policy(statement(ROLE, "sts:AssumeRole", **condition)))
        assert error_of(caller, NEXT, **EXAMPLE) == denied("sts:TagSession", NEXT)

    def test_another_account_needs_both_sides(self, emulator, caller, credentials):
        emulator.add_role(TENANT, policy(statement(ROLE, "sts:AssumeRole", "sts:TagSession")))
        emulator.allow(ROLE, "sts:AssumeRole", on=TENANT)
        assert error_of(caller, TENANT, Tags=tags(team="a")) == denied("sts:TagSession", TENANT)
        emulator.allow(ROLE, "sts:TagSession", on=TENANT)
        assert assume(caller, TENANT, Tags=tags(team="a"))

    def test_a_permission_may_limit_the_tags(self, emulator, caller, credentials):
        emulator.add_role(TENANT, policy(statement(ROLE, "sts:AssumeRole", "sts:TagSession")))
        allowed = {"Effect": "Allow", "Action": "sts:*", "Resource": TENANT}
        condition = {"StringEquals": {"aws:RequestTag/tenant": "seven"}}
        emulator.attach_policy(ROLE, policy({**allowed, "Condition": condition}))
        assert assume(caller, TENANT, Tags=tags(tenant="seven"))
        assert error_of(caller, TENANT, Tags=tags(tenant="8"))[0] == "AccessDenied"

    def test_transitive_tags_are_inherited_and_others_are_not(self, emulator, caller, sts_client):
        emulator.add_role(NEXT, policy(statement(ROLE, *ALL_ACTIONS)))
        conditions = {
            "StringEquals": {"aws:PrincipalTag/team": "lake"},
            "Null": {"aws:PrincipalTag/job": "true", "aws:RequestTag/team": "true"},
            "ForAllValues:StringEquals": {"sts:TransitiveTagKeys": "Team"},
        }
        emulator.add_role(LAST, policy(statement(NEXT, *ALL_ACTIONS)))
        made = assume(caller, NEXT, Tags=tags(Team="lake", job="1"), TransitiveTagKeys=["team"])
        second = sts_client(made["Credentials"])
        third = sts_client(assume(second, LAST)["Credentials"])
        end = NEXT.replace("next", "end")
        emulator.add_role(end, policy(statement(LAST, *ALL_ACTIONS, **conditions)))
        # The key is compared as it was passed.
        assert error_of(third, end)[0] == "AccessDenied"
        conditions["ForAllValues:StringEquals"] = {"sts:TransitiveTagKeys": "team"}
        emulator.add_role(end, policy(statement(LAST, *ALL_ACTIONS, **conditions)))
        assert assume(third, end)

    def test_an_inherited_tag_cannot_be_passed_again(self, emulator, caller, sts_client):
        for role, trusted in ((NEXT, ROLE), (LAST, NEXT)):
            emulator.add_role(role, policy(statement(trusted, *ALL_ACTIONS)))
        made = assume(caller, NEXT, Tags=tags(Team="lake"), TransitiveTagKeys=["Team"])
        second = sts_client(made["Credentials"])
        for value in ("lake", "sea"):
            code, message = error_of(second, LAST, Tags=tags(team=value))
            assert code == "InvalidParameterValue"
            assert "conflicts with a transitive tag key from the calling session" in message
        assert assume(second, LAST, Tags=tags(job="1"))

    def test_inherited_tags_need_the_permission_too(self, emulator, caller, sts_client):
        emulator.add_role(NEXT, policy(statement(ROLE, *ALL_ACTIONS)))
        emulator.add_role(LAST, policy(statement(NEXT, "sts:AssumeRole")))
        made = assume(caller, NEXT, Tags=tags(a="1", b="2"), TransitiveTagKeys=["a"])
        expected = denied("sts:TagSession", LAST, "next/job")
        assert error_of(sts_client(made["Credentials"]), LAST) == expected
        not_transitive = assume(caller, NEXT, Tags=tags(a="1"))
        assert assume(sts_client(not_transitive["Credentials"]), LAST)

    @pytest.mark.parametrize(
        ("key", "value", "member"),
        [
            ("", "1", "key"),
            ("a" * 129, "1", "key"),
            ("a;", "1", "key"),
            ("a\tb", "1", "key"),
            ("a", "1\n", "value"),
            ("a", "1" * 257, "value"),
            ("a", "#", "value"),
        ],
    )
    def test_malformed_tag_is_rejected_by_its_place(self, caller, key, value, member):
        second = {"Key": key, "Value": value}
        code, message = error_of(caller, NEXT, Tags=[*tags(first="1"), second])
        assert code == "ValidationError"
        assert f"at 'tags.2.member.{member}' failed to satisfy constraint" in message

    def test_key_without_value_is_not_completed_from_another_tag(self, caller):
        code, message = error_of(caller, NEXT, Tags=[{"Key": "a"}, {"Value": "b"}])
        assert code == "ValidationError"
        assert message.startswith("2 validation errors detected")
        assert "null at 'tags.1.member.value'" in message
        assert "null at 'tags.2.member.key'" in message

    @pytest.mark.parametrize(
        ("keys", "code"),
        [
            (["b"], "InvalidParameterValue"),
            (["a" * 129], "ValidationError"),
            ([""], "ValidationError"),
            (["a"] * 51, "ValidationError"),
        ],
    )
    def test_malformed_transitive_keys_are_rejected(self, caller, keys, code):
        assert error_of(caller, NEXT, Tags=tags(a="1"), TransitiveTagKeys=keys)[0] == code

    def test_letters_of_all_languages_are_accepted(self, emulator, caller, credentials):
        emulator.add_role(NEXT, policy(statement(ROLE, *ALL_ACTIONS)))
        passed = [{"Key": "Größe 1", "Value": "東京\u00a0_.:/=+-@"}, {"Key": "x", "Value": ""}]
        assert assume(caller, NEXT, Tags=passed)

    def test_tags_count_towards_the_packed_size(self, emulator, caller, credentials):
        emulator.add_role(NEXT, policy(statement(ROLE, *ALL_ACTIONS)))
        assert assume(caller, NEXT, Tags=tags(a="x" * 204))["PackedPolicySize"] == 10
        many = tags(**{f"key{number}": "x" * 256 for number in range(8)})
        code, message = error_of(caller, NEXT, Tags=many)
        assert code == "PackedPolicyTooLarge"
        assert message == "Packed size of session tags consumes 101% of allotted space."


class TestSourceIdentity:
    def chain(self, emulator, *, trust: list[str], permission: list[str]) -> None:
        emulator.add_role(NEXT, policy(statement(ROLE, "sts:AssumeRole", *trust)))
        if permission:
            emulator.allow(ROLE, *permission, on=NEXT)

    @pytest.mark.parametrize(
        ("trust", "permission", "admitted"),
        [
            (["sts:SetSourceIdentity"], ["sts:SetSourceIdentity"], True),
            (["sts:SetSourceIdentity"], [], False),
            ([], ["sts:SetSourceIdentity"], False),
        ],
    )
    def test_a_chained_role_needs_both_sides(
        self, emulator, caller, credentials, trust, permission, admitted
    ):
        self.chain(emulator, trust=trust, permission=permission)
        expected = ("", "") if admitted else denied("sts:SetSourceIdentity", NEXT)
        assert error_of(caller, NEXT, SourceIdentity="alice") == expected
        assert error_of(caller, NEXT) == ("", "")

    def test_a_user_in_the_trust_policy_needs_no_permission(self, emulator, sts_client):
        key = emulator.add_user("dev")
        emulator.add_role(NEXT, policy(statement(key.caller.arn, *ALL_ACTIONS)))
        client = sts_client(
            {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
        )
        assert assume(client, NEXT, SourceIdentity="dev")["SourceIdentity"] == "dev"

    def test_it_is_inherited_and_cannot_be_changed(self, emulator, caller, sts_client):
        self.chain(emulator, trust=ALL_ACTIONS[2:], permission=ALL_ACTIONS[2:])
        condition = {"StringEquals": {"sts:SourceIdentity": "alice", "aws:SourceIdentity": "alice"}}
        emulator.add_role(LAST, policy(statement(NEXT, *ALL_ACTIONS, **condition)))
        made = assume(caller, NEXT, SourceIdentity="alice")
        second = sts_client(made["Credentials"])
        assert error_of(second, LAST) == denied("sts:SetSourceIdentity", LAST, "next/job")
        emulator.allow(NEXT, "sts:SetSourceIdentity", on=LAST)
        for same in ({}, {"SourceIdentity": "alice"}):
            assert assume(second, LAST, **same)["SourceIdentity"] == "alice"
        code, message = error_of(second, LAST, SourceIdentity="bob")
        assert code == "ValidationError"
        assert message == "The source identity is already set for this assume role session"

    @pytest.mark.parametrize("text", ["a", "a" * 65, "a b", "aws:etl", "a/b"])
    def test_malformed_source_identity_is_rejected(self, caller, text):
        code, message = error_of(caller, NEXT, SourceIdentity=text)
        assert code == "ValidationError"
        assert "at 'sourceIdentity' failed to satisfy constraint" in message

    def test_the_trust_policy_may_require_one(self, emulator, caller, credentials):
        condition = {"StringLike": {"sts:SourceIdentity": "al*"}}
        emulator.add_role(NEXT, policy(statement(ROLE, *ALL_ACTIONS, **condition)))
        emulator.allow(ROLE, "sts:SetSourceIdentity", on=NEXT)
        assert assume(caller, NEXT, SourceIdentity="alice")
        assert error_of(caller, NEXT, SourceIdentity="bob")[0] == "AccessDenied"
        assert error_of(caller, NEXT)[0] == "AccessDenied"


class TestSessionPolicies:
    def test_managed_policies_are_of_the_roles_account(self, emulator, caller, credentials):
        emulator.add_role(TENANT, policy(statement(ROLE, "sts:AssumeRole")))
        emulator.allow(ROLE, "sts:AssumeRole", on=TENANT)
        for account, code in (
            ("210987654321", ""),
            ("aws", ""),
            ("123456789012", "ValidationError"),
        ):
            arns = [{"arn": f"arn:aws:iam::{account}:policy/reader"}]
            assert error_of(caller, TENANT, PolicyArns=arns)[0] == code
