"""Trust policies against a service account's token, by way of real exchanges."""

from __future__ import annotations

import json

import pytest

from gcp_aws_bridge.emulator import ServiceAccount

ROLE = "arn:aws:iam::123456789012:role/etl"
NUMBER = "104203741234567890123"
GOOGLE = "accounts.google.com"
AUDIENCE = "sts.amazonaws.com"
OTHER = ServiceAccount.named("other@demo-project.iam.gserviceaccount.com")


def policy(condition: dict | None = None, **changes: object) -> dict:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": GOOGLE},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **({} if condition is None else {"Condition": condition}),
        **changes,
    }
    kept = {name: value for name, value in statement.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [kept]}


def equals(**keys: object) -> dict:
    return {"StringEquals": {f"{GOOGLE}:{key}": value for key, value in keys.items()}}


@pytest.fixture
def admits(emulator, exchange):
    """Tell whether a role with this policy admits a token with these claims."""

    def ask(document, audience=AUDIENCE, **claims) -> bool:
        emulator.add_role(ROLE, document)
        answer = exchange(emulator.mint(audience, **claims))
        if answer.status == 200:
            return True
        assert (answer.status, answer.code) == (403, "AccessDenied")
        assert answer.message == "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        return False

    return ask


class TestDefault:
    def test_admits_this_pod_for_this_audience(self, admits):
        assert admits(None)

    @pytest.mark.parametrize(
        "claims", [{"azp": OTHER.unique_id}, {"sub": OTHER.unique_id}, {"azp": None}]
    )
    def test_refuses_each_single_change(self, admits, claims):
        assert not admits(None, **claims)

    @pytest.mark.parametrize(
        "audience", ["other", "STS.amazonaws.com", "sts.amazonaws.com/", NUMBER]
    )
    def test_refuses_another_audience(self, admits, audience):
        assert not admits(None, audience)

    def test_for_an_audience_of_ones_own(self, emulator, exchange):
        emulator.add_role(ROLE, audience="aws:123456789012:etl")
        assert exchange(emulator.mint("aws:123456789012:etl")).status == 200
        assert exchange(emulator.mint()).code == "AccessDenied"

    def test_for_another_account(self, emulator, admits):
        document = emulator.trust_policy_for(service_account=OTHER)
        assert not admits(document)
        assert admits(document, azp=OTHER.unique_id, sub=OTHER.unique_id)

    def test_a_role_that_does_not_exist_is_refused_alike(self, emulator, exchange):
        answer = exchange(emulator.mint())
        assert (answer.status, answer.code, answer.message) == (
            403,
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        )

    def test_a_removed_role_is_gone(self, emulator, exchange):
        emulator.add_role(ROLE)
        assert exchange(emulator.mint()).status == 200
        emulator.remove_role(ROLE)
        assert exchange(emulator.mint()).code == "AccessDenied"
        with pytest.raises(KeyError):
            emulator.remove_role(ROLE)


class TestWidelyCopied:
    """What is found on the web, and what it does: see the IAM user guide on `azp`."""

    def test_the_number_in_aud_alone_admits_a_token_for_anybody(self, admits):
        document = policy(equals(aud=NUMBER))
        assert admits(document)
        assert admits(document, "https://another-service.example")
        assert not admits(document, azp=OTHER.unique_id, sub=OTHER.unique_id)

    def test_sub_alone_admits_a_token_for_anybody(self, admits):
        document = policy(equals(sub=NUMBER))
        assert admits(document, "https://another-service.example")
        assert not admits(document, sub=OTHER.unique_id)

    def test_oaud_alone_admits_everybodys_token(self, admits):
        document = policy(equals(oaud=AUDIENCE))
        assert admits(document, azp=OTHER.unique_id, sub=OTHER.unique_id)
        assert not admits(document, "https://another-service.example")

    def test_the_audience_in_aud_never_matches_a_service_account(self, admits):
        assert not admits(policy(equals(aud=AUDIENCE)))

    def test_the_audience_in_aud_matches_a_token_without_azp(self, admits):
        assert admits(policy(equals(aud=AUDIENCE, oaud=AUDIENCE)), azp=None)

    @pytest.mark.parametrize("key", ["aud", "sub"])
    def test_an_email_never_matches(self, admits, key):
        email = "etl@demo-project.iam.gserviceaccount.com"
        assert not admits(policy(equals(**{key: email})), email=email, email_verified=True)

    def test_email_is_no_condition_key(self, admits):
        email = "etl@demo-project.iam.gserviceaccount.com"
        assert not admits(policy(equals(email=email)), email=email)

    def test_a_provider_arn_for_google_does_not_match_the_built_in(self, admits):
        arn = f"arn:aws:iam::123456789012:oidc-provider/{GOOGLE}"
        assert not admits(policy(equals(sub=NUMBER), Principal={"Federated": arn}))

    def test_a_provider_arn_for_google_matches_once_it_exists(self, emulator, admits):
        provider = emulator.add_oidc_provider(f"https://{GOOGLE}", client_ids=(NUMBER,))
        document = policy(equals(sub=NUMBER), Principal={"Federated": provider.arn})
        assert admits(document)

    def test_a_wildcard_admits_every_number(self, admits):
        document = policy({"StringLike": {f"{GOOGLE}:sub": "1*"}})
        assert admits(document, sub=OTHER.unique_id)
        assert not admits(document, sub="204203741234567890123")

    def test_no_condition_admits_every_google_account(self, admits):
        assert admits(policy(), "anything", azp="32555940559.apps", sub="110000000000000000000")


class TestEvaluation:
    def test_deny_wins_wherever_it_stands(self, admits):
        allow = policy(equals(sub=NUMBER))["Statement"][0]
        deny = {**allow, "Effect": "Deny", "Condition": equals(oaud="bad")}
        for statements in ([allow, deny], [deny, allow]):
            document = {"Version": "2012-10-17", "Statement": statements}
            assert admits(document, "good")
            assert not admits(document, "bad")

    def test_deny_alone_allows_no_principal(self, admits):
        assert not admits(policy(equals(sub=OTHER.unique_id), Effect="Deny"))

    def test_one_statement_that_matches_is_enough(self, admits):
        first = policy(equals(sub=OTHER.unique_id))["Statement"][0]
        second = policy(equals(sub=NUMBER))["Statement"][0]
        assert admits({"Version": "2012-10-17", "Statement": [first, second]})

    def test_a_statement_need_not_be_a_list(self, admits):
        document = policy(equals(sub=NUMBER))
        assert admits({**document, "Statement": document["Statement"][0]})

    def test_lists_are_alternatives(self, admits):
        assert admits(policy(equals(sub=[OTHER.unique_id, NUMBER])))
        assert not admits(policy(equals(sub=[OTHER.unique_id])))

    @pytest.mark.parametrize(
        ("action", "expected"),
        [
            ("sts:AssumeRoleWithWebIdentity", True),
            ("STS:assumerolewithwebidentity", True),
            ("sts:*", True),
            ("*", True),
            ("sts:AssumeRoleWith*", True),
            ("sts:AssumeRole?ithWebIdentity", True),
            (["sts:TagSession", "sts:AssumeRoleWithWebIdentity"], True),
            ("sts:AssumeRole", False),
            ("sts:TagSession", False),
            ("sts:AssumeRoleWithSAML", False),
        ],
    )
    def test_actions(self, admits, action, expected):
        assert admits(policy(equals(sub=NUMBER), Action=action)) is expected

    @pytest.mark.parametrize(
        ("principal", "expected"),
        [
            ({"Federated": [GOOGLE, "cognito-identity.amazonaws.com"]}, True),
            ("*", True),
            ({"AWS": "*"}, False),
            ({"Federated": "cognito-identity.amazonaws.com"}, False),
            ({"AWS": "123456789012"}, False),
            ({"Service": "ec2.amazonaws.com"}, False),
            ({"AWS": "123456789012", "Federated": GOOGLE}, True),
        ],
    )
    def test_principals(self, admits, principal, expected):
        assert admits(policy(equals(sub=NUMBER), Principal=principal)) is expected

    def test_condition_keys_have_no_case(self, admits):
        assert admits(policy({"StringEquals": {"Accounts.Google.Com:SUB": NUMBER}}))

    def test_the_session_name_is_a_key(self, admits):
        assert admits(policy({"StringLike": {"sts:RoleSessionName": "pod-*"}}))
        assert not admits(policy({"StringLike": {"sts:RoleSessionName": "job-*"}}))

    @pytest.mark.parametrize(
        ("operator", "key", "value"),
        [
            ("StringEquals", "sts:ExternalId", "tenant:7"),
            ("Bool", "aws:MultiFactorAuthPresent", "true"),
            ("StringLike", "aws:username", "*"),
            ("Null", "aws:TokenIssueTime", "false"),
        ],
    )
    def test_some_keys_are_never_in_a_request_with_a_token(
        self, emulator, exchange, operator, key, value
    ):
        emulator.add_role(ROLE, policy({operator: {key: value}}))
        token = emulator.mint()
        asked = {"ExternalId": "tenant:7", "SerialNumber": "123456789", "TokenCode": "123456"}
        assert "AccessDenied" == exchange(token, **asked).code

    def test_the_provider_is_a_key(self, admits):
        assert admits(policy({"StringEquals": {"aws:FederatedProvider": GOOGLE}}))

    def test_the_organization_is_a_key(self, admits):
        document = policy({"NumericEquals": {f"{GOOGLE}:google/organization_number": "77"}})
        assert admits(document, google={"organization_number": 77})
        assert not admits(document, google={"organization_number": 78})
        assert not admits(document)

    def test_several_audiences_in_one_token(self, admits):
        document = policy({"ForAnyValue:StringEquals": {f"{GOOGLE}:oaud": "b"}})
        assert admits(document, ["a", "b"])
        every = policy({"ForAllValues:StringEquals": {f"{GOOGLE}:oaud": ["b", "c"]}})
        assert not admits(every, ["a", "b"])


@pytest.mark.parametrize(
    "document",
    [
        "not json",
        "[]",
        {},
        {"Version": "2012-10-17", "Statement": []},
        {"Version": "2012-10-18", "Statement": policy()["Statement"]},
        {"Version": "2012-10-17", "Statements": policy()["Statement"]},
        {"Version": "2012-10-17", "Statement": ["Allow"]},
        policy(Effect="allow"),
        policy(Effect=None),
        policy(Principal=None),
        policy(Principal={}),
        policy(Principal=GOOGLE),
        policy(Principal={"federated": GOOGLE}),
        policy(Principal={"Federated": "*"}),
        policy(Principal={"Federated": f"https://{GOOGLE}"}),
        policy(Principal={"Federated": f"{GOOGLE}/"}),
        policy(Principal={"Federated": GOOGLE.upper()}),
        policy(Principal={"Federated": "accounts.google.co"}),
        policy(Principal={"Federated": "container.googleapis.com/v1/projects/p"}),
        policy(Principal={"Federated": "arn:aws:iam::123456789012:oidc-provider/x.example?"}),
        policy(Principal={"Federated": "arn:aws:iam::123456789012:oidc-provider/"}),
        policy(Principal={"Federated": "arn:aws:iam::12345:oidc-provider/x.example"}),
        policy({"StringEquals": {"sub": NUMBER}}),
        policy({"StringEquals": {f"{GOOGLE}:sub": NUMBER, f"{GOOGLE}:SUB": NUMBER}}),
        policy(Principal={"Federated": 7}),
        policy(Principal={"AWS": "arn:aws:iam::123456789012:role/*"}),
        policy(Principal={"AWS": "12345"}),
        policy(Principal={"AWS": "arn:aws:sts::123456789012:assumed-role/etl/*"}),
        policy(Action=None),
        policy(Action=[]),
        policy(Action="s3:GetObject"),
        policy(Action=7),
        policy(Resource="*"),
        policy(NotPrincipal={"AWS": "123456789012"}),
        policy(NotPrincipal={"AWS": "123456789012"}, Principal=None, Effect="Deny"),
        policy({"StringEqualz": {"a": "b"}}),
        policy({"NullIfExists": {f"{GOOGLE}:sub": "true"}}),
        policy(Principal={"AWS": "arn:aws:iam::123456789012:role/missing"}),
        policy(Principal={"AWS": "arn:aws:iam::123456789012:user/missing"}),
        policy(Principal={"AWS": ["123456789012", ROLE]}),  # which is about to be made
        policy(Principal={"AWS": []}),
        policy(Action="sts:GetCallerIdentity"),
        policy(Action="sts:AssumeRoleWithWebIdenity"),
        policy(Action=["sts:AssumeRole", "sts:Get*"]),
        policy(Action="*:AssumeRole?"),
        policy(NotAction="sts:TagSession"),  # with Action
        '{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}',
        {"Version": "2012-10-17", "Statement": [policy(Sid="a")["Statement"][0]] * 2},
    ],
)
def test_what_iam_would_refuse_is_refused_when_the_role_is_made(emulator, document):
    with pytest.raises(ValueError, match=r"^MalformedPolicyDocument: \w+"):
        emulator.add_role(ROLE, document)
    with pytest.raises(KeyError):
        emulator.remove_role(ROLE)


def of_size(size: int, **dumps: object) -> str:
    """The JSON of a trust policy that has this many characters without white space."""
    document = policy(equals(aud=[NUMBER], sub=""))
    rest = size - len(json.dumps(document, separators=(",", ":")))
    document["Statement"][0]["Condition"]["StringEquals"][f"{GOOGLE}:sub"] = "1" * rest
    return json.dumps(document, **dumps)


def test_trust_policy_has_a_quota_that_counts_no_white_space(emulator):
    emulator.add_role(ROLE, of_size(2048, indent=8))
    with pytest.raises(ValueError, match=r"^LimitExceeded: .*ACLSizePerRole: 2048$"):
        emulator.add_role(ROLE, of_size(2049))


def test_role_names_are_unique_in_an_account_whatever_their_case_and_path(emulator):
    emulator.add_role(ROLE)
    for arn in (ROLE.replace("role/", "role/team/"), ROLE.replace("etl", "ETL")):
        with pytest.raises(ValueError, match=r"^EntityAlreadyExists"):
            emulator.add_role(arn)
    emulator.add_role(ROLE.replace("123456789012", "210987654321"))


def test_actions_that_are_excepted(emulator, exchange):
    for excepted, status in (("sts:TagSession", 200), ("sts:AssumeRole*", 403)):
        emulator.add_role(ROLE, policy(equals(sub=NUMBER), Action=None, NotAction=excepted))
        assert exchange(emulator.mint()).status == status


def test_a_policy_may_be_json_text(emulator, exchange):
    emulator.add_role(ROLE, json.dumps(policy(equals(sub=NUMBER))))
    assert exchange(emulator.mint()).status == 200


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "etl",
        "arn:aws:iam::12345:role/etl",
        "arn:aws:iam::123456789012:user/etl",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a b",
        "arn:aws:sts::123456789012:assumed-role/etl/x",
    ],
)
def test_a_role_needs_a_roles_arn(emulator, arn):
    with pytest.raises(ValueError, match="not the ARN of an IAM role"):
        emulator.add_role(arn)


@pytest.mark.parametrize("seconds", [3599, 43201, 0])
def test_a_role_has_bounds_for_its_sessions(emulator, seconds):
    with pytest.raises(ValueError, match="3600 to 43200"):
        emulator.add_role(ROLE, max_session_duration=seconds)


def test_a_description_has_a_limit(emulator):
    emulator.add_role(ROLE, description="x" * 1000)
    with pytest.raises(ValueError, match="1000 characters"):
        emulator.add_role(ROLE, description="x" * 1001)


@pytest.mark.parametrize(
    ("url", "client_ids"),
    [
        ("http://cluster.example", ("a",)),
        ("https://", ("a",)),
        ("https://cluster.example?a=b", ("a",)),
        ("https://cluster.example/" + "x" * 232, ("a",)),
        ("https://cluster.example", ()),
        ("https://cluster.example", ("",)),
        ("https://cluster.example", ("a" * 256,)),
        ("https://cluster.example", tuple(f"id-{n}" for n in range(101))),
    ],
)
def test_oidc_providers_that_iam_would_refuse(emulator, url, client_ids):
    with pytest.raises(ValueError, match=r"OIDC provider|client id"):
        emulator.add_oidc_provider(url, client_ids=client_ids)
