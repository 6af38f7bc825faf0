"""Who may assume a role: trust, identity-based and session policies together."""

from __future__ import annotations

import json

import botocore.exceptions
import pytest

ROLE = "arn:aws:iam::123456789012:role/etl"
SESSION = "arn:aws:sts::123456789012:assumed-role/etl/pod-1"
NEAR = "arn:aws:iam::123456789012:role/near"
FAR = "arn:aws:iam::210987654321:role/far"
ROOT = "arn:aws:iam::123456789012:root"


def policy(*statements: dict, **changes: object) -> dict:
    usual = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    return {
        "Version": "2012-10-17",
        "Statement": [{**usual, **statement} for statement in statements or ({},)],
        **changes,
    }


def trusting(principal: object, **changes: object) -> dict:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**statement, **changes}]}


def code(call, **kwargs) -> str:
    """The error code of a call, or nothing."""
    try:
        call(**kwargs)
    except botocore.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.fixture
def session_of(emulator, sts_client):
    """A client with credentials of the role, which may be narrowed."""

    def make(session_policy: object = None, **kwargs):
        if session_policy is not None:
            kwargs["Policy"] = json.dumps(session_policy)
        answer = sts_client().assume_role_with_web_identity(
            RoleArn=ROLE, RoleSessionName="pod-1", WebIdentityToken=emulator.mint(), **kwargs
        )
        return sts_client(answer["Credentials"])

    emulator.add_role(ROLE)
    return make


@pytest.fixture
def assume(session_of):
    """Assume a role with a session of the first; the error code, or nothing."""

    def call(target: str, session_policy: object = None, **kwargs) -> str:
        client = session_of(session_policy, **kwargs)
        return code(client.assume_role, RoleArn=target, RoleSessionName="chained")

    return call


class TestAcrossAccounts:
    @pytest.mark.parametrize("principal", [ROLE, SESSION, ROOT, "123456789012", "*"])
    def test_trust_without_a_permission_is_not_enough(self, emulator, assume, principal):
        emulator.add_role(FAR, trusting(principal))
        assert assume(FAR) == "AccessDenied"
        emulator.allow(ROLE, "sts:AssumeRole", on=FAR)
        assert assume(FAR) == ""

    def test_a_permission_without_trust_is_not_enough(self, emulator, assume):
        emulator.add_role(FAR)
        emulator.allow(ROLE, "*")
        assert assume(FAR) == "AccessDenied"

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [
            ({"Action": "STS:assumeROLE"}, ""),
            ({"Action": ["s3:Get*", "sts:Assume*"]}, ""),
            ({"Action": "*"}, ""),
            ({"Action": "sts:TagSession"}, "AccessDenied"),
            ({"Action": "s3:*"}, "AccessDenied"),
            ({"Action": None, "NotAction": "s3:*"}, ""),
            ({"Action": None, "NotAction": "sts:*"}, "AccessDenied"),
            ({"Resource": FAR}, ""),
            ({"Resource": [NEAR, FAR]}, ""),
            ({"Resource": NEAR}, "AccessDenied"),
            ({"Resource": "arn:aws:iam::210987654321:role/f*"}, ""),
            ({"Resource": "arn:aws:iam::*:role/far"}, ""),
            ({"Resource": "arn:*:iam::210987654321:role/?ar"}, ""),
            ({"Resource": "arn:aws:iam::210987654321:role/FAR"}, "AccessDenied"),
            # A `*` at the end of a segment reaches beyond the colon, any other does not.
            ({"Resource": "arn:aws:iam:*:role/far"}, ""),
            ({"Resource": "arn:aws:iam:*r"}, "AccessDenied"),
            ({"Resource": "arn:aws:iam::*2:role/far"}, "AccessDenied"),
            ({"Resource": "arn:aws:iam::*1:role/far"}, ""),
            ({"Resource": "arn:aws:iam:*"}, ""),
            ({"Resource": "arn:aws:iam"}, "AccessDenied"),
            ({"Resource": "arn:aws:sts::210987654321:role/far"}, "AccessDenied"),
            ({"Resource": None, "NotResource": NEAR}, ""),
            ({"Resource": None, "NotResource": FAR}, "AccessDenied"),
            ({"Resource": "arn:aws:iam::210987654321:role/${aws:PrincipalTag/x}"}, "AccessDenied"),
            ({"Resource": "arn:aws:iam::210987654321:role/${aws:x, 'far'}"}, ""),
            ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, ""),
            ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "AccessDenied"),
            ({"Condition": {"StringEquals": {"aws:ResourceAccount": "210987654321"}}}, ""),
            ({"Condition": {"StringEquals": {"sts:RoleSessionName": "chained"}}}, ""),
        ],
    )
    def test_the_permission_must_cover_the_role(self, emulator, assume, statement, expected):
        emulator.add_role(FAR, trusting(ROLE))
        document = policy(statement)
        [made] = document["Statement"]
        document["Statement"] = {name: value for name, value in made.items() if value is not None}
        emulator.attach_policy(ROLE, document)
        assert assume(FAR) == expected

    def test_a_denial_overrides_a_permission(self, emulator, assume):
        emulator.add_role(FAR, trusting(ROLE))
        emulator.allow(ROLE, "sts:*")
        assert assume(FAR) == ""
        emulator.attach_policy(ROLE, policy({"Effect": "Deny", "Resource": FAR}))
        assert assume(FAR) == "AccessDenied"

    def test_permissions_end_with_the_role(self, emulator, assume):
        emulator.allow(ROLE, "sts:AssumeRole")
        emulator.add_role(FAR, trusting(ROOT))
        assert assume(FAR) == ""
        emulator.add_role(ROLE)  # another trust policy is no other role
        assert assume(FAR) == ""
        emulator.remove_role(ROLE)
        emulator.add_role(ROLE)
        assert assume(FAR) == "AccessDenied"

    def test_policy_needs_an_existing_user_or_role(self, emulator):
        with pytest.raises(ValueError, match=r"^NoSuchEntity"):
            emulator.allow(FAR, "sts:AssumeRole")


class TestWithinAnAccount:
    @pytest.mark.parametrize("principal", [ROLE, SESSION, "*"])
    def test_trust_in_the_caller_itself_is_enough(self, emulator, assume, principal):
        emulator.add_role(NEAR, trusting(principal))
        assert assume(NEAR) == ""

    @pytest.mark.parametrize("principal", [ROOT, "123456789012"])
    def test_trust_in_the_account_needs_a_permission(self, emulator, assume, principal):
        emulator.add_role(NEAR, trusting(principal))
        assert assume(NEAR) == "AccessDenied"
        emulator.allow(ROLE, "sts:AssumeRole", on=NEAR)
        assert assume(NEAR) == ""

    def test_a_user_is_a_caller_as_well(self, emulator, sts_client):
        key = emulator.add_user("dev")
        client = sts_client(
            {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
        )
        ask = {"RoleArn": NEAR, "RoleSessionName": "dev"}
        emulator.add_role(NEAR, trusting(ROOT))
        assert code(client.assume_role, **ask) == "AccessDenied"
        emulator.allow(key.caller.arn, "sts:AssumeRole")
        assert code(client.assume_role, **ask) == ""
        emulator.add_role(NEAR, trusting(key.caller.arn))
        emulator.attach_policy(key.caller.arn, policy({"Effect": "Deny"}))
        assert code(client.assume_role, **ask) == "AccessDenied"

    def test_a_denial_overrides_trust(self, emulator, assume):
        emulator.add_role(NEAR, trusting(ROLE))
        emulator.attach_policy(ROLE, policy({"Effect": "Deny"}))
        assert assume(NEAR) == "AccessDenied"

    def test_a_role_that_was_made_again_is_another(self, emulator, assume):
        """IAM keeps the unique id of a role that a trust policy names."""
        emulator.add_role(NEAR, trusting(ROLE))
        emulator.remove_role(ROLE)
        emulator.add_role(ROLE)
        assert assume(NEAR) == "AccessDenied"
        emulator.add_role(NEAR, trusting(ROLE))
        assert assume(NEAR) == ""


class TestSessionPolicies:
    OTHER = policy({"Action": "s3:*"})

    @pytest.mark.parametrize(
        ("principal", "narrowed"),
        # "Permissions granted directly to a session are not limited by ... session policy."
        [(ROLE, "AccessDenied"), (ROOT, "AccessDenied"), (SESSION, ""), ("*", "")],
    )
    def test_they_narrow_what_trust_in_the_role_allows(self, emulator, assume, principal, narrowed):
        emulator.allow(ROLE, "sts:AssumeRole")
        emulator.add_role(NEAR, trusting(principal))
        assert assume(NEAR) == ""
        assert assume(NEAR, policy()) == ""
        assert assume(NEAR, self.OTHER) == narrowed
        assert assume(NEAR, policy({"Effect": "Deny"})) == "AccessDenied"

    def test_they_narrow_a_permission(self, emulator, assume):
        emulator.allow(ROLE, "sts:AssumeRole")
        emulator.add_role(FAR, trusting(SESSION))
        assert assume(FAR, policy({"Resource": FAR})) == ""
        assert assume(FAR, policy({"Resource": NEAR})) == "AccessDenied"
        assert assume(FAR, self.OTHER) == "AccessDenied"

    def test_they_give_no_permission(self, emulator, assume):
        emulator.add_role(FAR, trusting(ROLE))
        assert assume(FAR, policy({"Action": "*"})) == "AccessDenied"

    @pytest.mark.parametrize(
        ("arns", "expected"),
        [
            (["arn:aws:iam::aws:policy/AdministratorAccess"], ""),
            (["arn:aws:iam::aws:policy/ReadOnlyAccess"], "AccessDenied"),
            ([f"arn:aws:iam::aws:policy/{kind}Access" for kind in ("S3Full", "Administrator")], ""),
        ],
    )
    def test_managed_policies_narrow_as_well(self, emulator, assume, arns, expected):
        emulator.add_role(NEAR, trusting(ROLE))
        assert assume(NEAR, PolicyArns=[{"arn": arn} for arn in arns]) == expected


MALFORMED = [
    "",
    "[]",
    "{}",
    {"Version": "2012-10-17"},
    policy(Version="2012-10-18"),
    policy(Version="2008-10-17x"),
    policy(Statement=[]),
    policy(Statement="Allow"),
    policy(Statements=[]),
    policy({"Action": "GetObject"}),
    policy({"Action": "s3:Get:Object"}),
    policy({"Action": "s3:"}),
    policy({"Action": ":Get"}),
    policy({"Action": ["s3:Get*", "Put"]}),
    policy({"Action": "s*:Get"}),
    policy({"Action": []}),
    policy({"Action": 1}),
    policy({"Resource": "bucket"}),
    policy({"Resource": "arn:s3:::bucket"}),
    policy({"Resource": "arn:aws"}),
    policy({"Resource": "arn:other:s3:::bucket"}),
    policy({"Resource": "arn:aws:*:::bucket"}),
    policy({"Resource": "arn:aws:s?:::bucket"}),
    policy({"Resource": ["*", "s3://bucket"]}),
    policy({"Resource": []}),
    policy({"Effect": "allow"}),
    policy({"Effect": "Maybe"}),
    policy({"NotAction": "s3:*"}),
    policy({"NotResource": "*"}),
    policy({"Principal": "*"}),
    policy({"NotPrincipal": {"AWS": "123456789012"}}),
    policy({"Sids": "a"}),
    policy({"Sid": "with space"}),
    policy({"Sid": 1}),
    policy({"Sid": "a"}, {"Sid": "a"}),
    policy({"Condition": {"StringEqual": {"aws:x": "y"}}}),
    policy({"Condition": {"ForSome:StringEquals": {"aws:x": "y"}}}),
    policy({"Condition": {"StringEquals": {"x": "y"}}}),
    policy({"Condition": {"StringEquals": {"aws:x": {"y": "z"}}}}),
    policy({"Condition": ["StringEquals"]}),
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]',
]


@pytest.mark.parametrize("document", MALFORMED[1:])
def test_malformed_session_policies_are_refused(emulator, exchange, document):
    text = document if isinstance(document, str) else json.dumps(document)
    answer = exchange("a.b.c", Policy=text)  # before anything is said of token and role
    assert (answer.status, answer.code) == (400, "MalformedPolicyDocument")


def test_malformed_session_policies_are_refused_in_a_chain(session_of):
    ask = {"RoleArn": FAR, "RoleSessionName": "chained", "Policy": "{}"}
    assert code(session_of().assume_role, **ask) == "MalformedPolicyDocument"


@pytest.mark.parametrize("document", MALFORMED)
def test_malformed_identity_policies_are_refused(emulator, document):
    emulator.add_role(ROLE)
    with pytest.raises(ValueError, match=r"^MalformedPolicyDocument: "):
        emulator.attach_policy(ROLE, document)


@pytest.mark.parametrize(
    "document",
    [
        policy(),
        policy(Version="2008-10-17"),
        policy({"Sid": ""}, {"Sid": ""}),
        policy({"Sid": "a"}, {"Sid": "b"}),
        policy({"Resource": "arn:aws:s3:::*"}),
        policy({"Resource": "arn:*:s3:::bucket/${aws:username}"}),
        policy({"Resource": "arn:aws-cn:s3:::bucket"}),
        policy({"Action": ["execute-api:Invoke", "*:*", "s3:Get_Object"]}),
        policy({"Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}}),
    ],
)
def test_session_policies_that_are_well_formed(session_of, document):
    assert session_of(document).get_caller_identity()["Arn"] == SESSION
