"""STS as botocore sees it: answers with every field, parameters, chains, sessions."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone

import botocore.exceptions
import pytest

from gcp_aws_bridge.emulator import ManualClock

ROLE = "arn:aws:iam::123456789012:role/etl"
SESSION = "arn:aws:sts::123456789012:assumed-role/etl/pod-1"
CHAIN_LIMIT = "1 hour session limit for roles assumed by role chaining."
TARGET = "arn:aws:iam::222222222222:role/team/lake"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


def trusting(principal: object, condition: dict | None = None, action: object = "sts:AssumeRole"):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def error_of(call, **kwargs) -> tuple[int, str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**kwargs)
    error = caught.value.response
    assert error["ResponseMetadata"]["RequestId"]
    assert error["Error"]["Type"] == "Sender"
    return (
        error["ResponseMetadata"]["HTTPStatusCode"],
        error["Error"]["Code"],
        error["Error"].get("Message", ""),
    )


class TestWebIdentity:
    @pytest.fixture
    def assume(self, emulator, sts_client):
        emulator.add_role(ROLE, max_session_duration=7200)

        def call(**kwargs):
            return sts_client().assume_role_with_web_identity(
                **{
                    "RoleArn": ROLE,
                    "RoleSessionName": "pod-1",
                    "WebIdentityToken": emulator.mint(),
                    **kwargs,
                }
            )

        return call

    def test_every_field_of_the_answer(self, emulator, assume):
        emulator.clock = ManualClock()
        answer = assume(Policy=POLICY)
        number = emulator.service_account.unique_id
        keys = answer["Credentials"]
        assert re.fullmatch(r"ASIA[A-Z2-7]{16}", keys["AccessKeyId"])
        assert re.fullmatch(r"[A-Za-z0-9+/]{40}", keys["SecretAccessKey"])
        assert len(keys["SessionToken"]) > 300
        assert keys["Expiration"] == emulator.clock() + timedelta(hours=1)
        assert answer["SubjectFromWebIdentityToken"] == number
        assert answer["Audience"] == number
        assert answer["Provider"] == "accounts.google.com"
        user = answer["AssumedRoleUser"]
        assert user["Arn"] == "arn:aws:sts::123456789012:assumed-role/etl/pod-1"
        assert re.fullmatch(r"AROA[A-Z2-7]{17}:pod-1", user["AssumedRoleId"])
        assert 0 < answer["PackedPolicySize"] <= 100
        metadata = answer["ResponseMetadata"]
        assert metadata["HTTPHeaders"]["x-amzn-requestid"] == metadata["RequestId"]
        assert metadata["HTTPHeaders"]["content-type"] == "text/xml"

    def test_no_policy_no_packed_size_and_no_source_identity(self, assume):
        answer = assume()
        assert "PackedPolicySize" not in answer
        assert "SourceIdentity" not in answer

    def test_every_exchange_gives_other_keys(self, assume):
        first, second = assume(), assume()
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
            assert first["Credentials"][name] != second["Credentials"][name]
        assert first["AssumedRoleUser"] == second["AssumedRoleUser"]

    def test_the_token_without_azp_has_its_aud_for_audience(self, emulator, assume):
        document = emulator.trust_policy_for()
        condition = document["Statement"][0]["Condition"]["StringEquals"]
        condition["accounts.google.com:aud"] = "sts.amazonaws.com"
        emulator.add_role(ROLE, document)
        assert assume(WebIdentityToken=emulator.mint(azp=None))["Audience"] == "sts.amazonaws.com"

    @pytest.mark.parametrize("seconds", [900, 7200])
    def test_duration_within_bounds(self, emulator, assume, seconds):
        emulator.clock = ManualClock()
        expiration = assume(DurationSeconds=seconds)["Credentials"]["Expiration"]
        assert expiration == emulator.clock() + timedelta(seconds=seconds)

    def test_duration_over_the_roles_own(self, assume):
        assert error_of(assume, DurationSeconds=7201) == (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )

    @pytest.mark.parametrize(
        ("name", "value", "member", "constraint"),
        [
            (
                "RoleArn",
                "arn:aws:iam",
                "'arn:aws:iam' at 'roleArn'",
                "length greater than or equal to 20",
            ),
            ("RoleArn", "a" * 2049, "at 'roleArn'", "length less than or equal to 2048"),
            (
                "RoleSessionName",
                "a",
                "'a' at 'roleSessionName'",
                "length greater than or equal to 2",
            ),
            (
                "RoleSessionName",
                "a" * 65,
                "at 'roleSessionName'",
                "length less than or equal to 64",
            ),
            (
                "RoleSessionName",
                "a b",
                "'a b' at 'roleSessionName'",
                r"satisfy regular expression pattern: [\w+=,.@-]*",
            ),
            (
                "RoleSessionName",
                "p\N{LATIN SMALL LETTER O WITH DIAERESIS}d",
                "at 'roleSessionName'",
                "regular expression pattern",
            ),
            (
                "DurationSeconds",
                899,
                "'899' at 'durationSeconds'",
                "value greater than or equal to 900",
            ),
            (
                "DurationSeconds",
                43201,
                "'43201' at 'durationSeconds'",
                "value less than or equal to 43200",
            ),
            (
                "WebIdentityToken",
                "abc",
                "Value at 'webIdentityToken'",
                "length greater than or equal to 4",
            ),
            (
                "WebIdentityToken",
                "a" * 20001,
                "Value at 'webIdentityToken'",
                "less than or equal to 20000",
            ),
            ("Policy", " " * 2049, "at 'policy'", "length less than or equal to 2048"),
            ("RoleSessionName", "a\x00", "at 'roleSessionName'", "regular expression pattern"),
        ],
    )
    def test_parameters_out_of_bounds(self, assume, name, value, member, constraint):
        status, code, message = error_of(assume, **{name: value})
        assert (status, code) == (400, "ValidationError")
        assert message.startswith("1 validation error detected: Value ")
        assert f"{member} failed to satisfy constraint: Member must" in message
        assert constraint in message

    def test_several_failures_are_told_at_once(self, assume):
        message = error_of(assume, RoleSessionName="?", DurationSeconds=1)[2]
        assert message.startswith("3 validation errors detected: ")

    @pytest.mark.parametrize("name", ["RoleArn", "RoleSessionName", "WebIdentityToken"])
    def test_required_parameters(self, emulator, exchange, name):
        params = {"token": emulator.mint()} if name != "WebIdentityToken" else {"token": None}
        answer = exchange(**params, **({} if name == "WebIdentityToken" else {name: None}))
        member = name[0].lower() + name[1:]
        assert answer.message == (
            f"1 validation error detected: Value null at '{member}' failed to satisfy "
            "constraint: Member must not be null"
        )

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:iam::123456789012:user/etl",
            "arn:aws:sts::123456789012:assumed-role/etl/x",
            "arn:aws:iam::12345:role/etl-long-enough",
        ],
    )
    def test_an_arn_of_something_else(self, assume, arn):
        assert error_of(assume, RoleArn=arn) == (400, "ValidationError", "Request ARN is invalid")

    def test_a_duration_that_is_no_number(self, emulator, exchange):
        answer = exchange(emulator.mint(), DurationSeconds="an hour")
        assert (answer.status, answer.code) == (400, "MalformedInput")

    @pytest.mark.parametrize(
        "policy",
        [
            "{",
            "[]",
            "{}",
            '{"Statement":[]}',
            '{"Statement":{"Effect":"Allow","Action":"s3:*"}}',
            '{"Statement":{"Effect":"Allow","Resource":"*"}}',
            '{"Statement":{"Effect":"Permit","Action":"s3:*","Resource":"*"}}',
            '{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}',
        ],
    )
    def test_a_session_policy_that_is_none(self, assume, policy):
        assert error_of(assume, Policy=policy)[:2] == (400, "MalformedPolicyDocument")

    def test_managed_session_policies(self, assume):
        arns = [{"arn": f"arn:aws:iam::123456789012:policy/p{n}"} for n in range(11)]
        assert assume(PolicyArns=arns[:10])["PackedPolicySize"] > 0
        assert error_of(assume, PolicyArns=arns)[1] == "ValidationError"
        for other in ("arn:aws:s3:::bucket/long", "arn:aws:iam::210987654321:policy/of-another"):
            assert error_of(assume, PolicyArns=[{"arn": other}])[1] == "ValidationError"

    def test_policies_that_are_too_large_together(self, assume):
        arns = [{"arn": f"arn:aws:iam::123456789012:policy/{'p' * 100}{n}"} for n in range(5)]
        large = json.dumps({**json.loads(POLICY), "Id": "x" * 1700})
        assert error_of(assume, Policy=large, PolicyArns=arns)[:2] == (400, "PackedPolicyTooLarge")

    def test_a_provider_id_is_for_other_tokens(self, assume):
        assert error_of(assume, ProviderId="www.amazon.com")[1] == "ValidationError"

    def test_source_identity_and_tags_need_their_own_leave(self, emulator, assume):
        claims = {
            "https://aws.amazon.com/source_identity": "alice",
            "https://aws.amazon.com/tags": {"principal_tags": {"a": ["b"]}},
        }
        token = emulator.mint(**claims)
        assert error_of(assume, WebIdentityToken=token) == (
            403,
            "AccessDenied",
            "Not authorized to perform sts:SetSourceIdentity",
        )
        document = emulator.trust_policy_for()
        document["Statement"][0]["Action"] = ["sts:AssumeRoleWithWebIdentity", "sts:Set*"]
        emulator.add_role(ROLE, document)
        assert (
            error_of(assume, WebIdentityToken=token)[2]
            == "Not authorized to perform sts:TagSession"
        )
        document["Statement"][0]["Action"] = "sts:*"
        emulator.add_role(ROLE, document)
        assert assume(WebIdentityToken=token)["SourceIdentity"] == "alice"

    def test_by_get(self, emulator, raw, assume):
        path = (
            "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=pod-1"
            f"&RoleArn={ROLE}&WebIdentityToken={emulator.mint()}"
        )
        assert raw(emulator.sts, path).status == 200

    @pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
    def test_other_partitions(self, emulator, assume, partition):
        arn = f"arn:{partition}:iam::123456789012:role/etl"
        emulator.add_role(arn)
        assert assume(RoleArn=arn)["AssumedRoleUser"]["Arn"].startswith(f"arn:{partition}:sts::")

    def test_botocores_own_exceptions(self, emulator, sts_client):
        client = sts_client()
        emulator.add_role(ROLE)
        with pytest.raises(client.exceptions.ExpiredTokenException):
            client.assume_role_with_web_identity(
                RoleArn=ROLE, RoleSessionName="pod-1", WebIdentityToken=emulator.mint(exp=1)
            )
        with pytest.raises(client.exceptions.InvalidIdentityTokenException):
            client.assume_role_with_web_identity(
                RoleArn=ROLE, RoleSessionName="pod-1", WebIdentityToken="a.b.c"
            )


class TestChain:
    @pytest.fixture
    def caller(self, emulator, sts_client, credentials):
        emulator.allow(ROLE, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
        return sts_client(credentials)

    @pytest.mark.parametrize(
        "principal",
        [
            ROLE,
            "123456789012",
            "arn:aws:iam::123456789012:root",
            "arn:aws:sts::123456789012:assumed-role/etl/pod-1",
            ["arn:aws:iam::999999999999:root", ROLE],
            "*",
        ],
    )
    def test_principals_that_admit(self, emulator, caller, sts_client, principal):
        emulator.add_role(TARGET, trusting(principal))
        answer = caller.assume_role(RoleArn=TARGET, RoleSessionName="chained")
        # The role's path is not part of a session's ARN.
        expected = "arn:aws:sts::222222222222:assumed-role/lake/chained"
        assert answer["AssumedRoleUser"]["Arn"] == expected
        identity = sts_client(answer["Credentials"]).get_caller_identity()
        assert identity["Arn"] == expected
        assert identity["Account"] == "222222222222"
        assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]

    @pytest.mark.parametrize(
        "principal",
        [
            "arn:aws:iam::123456789012:role/other",
            "222222222222",
            "arn:aws:iam::222222222222:root",
            "arn:aws:sts::123456789012:assumed-role/etl/pod-2",
            "arn:aws:iam::123456789012:user/etl",
        ],
    )
    def test_principals_that_do_not(self, emulator, caller, principal):
        emulator.add_role("arn:aws:iam::123456789012:role/other")
        emulator.add_user("etl")
        emulator.add_role(TARGET, trusting(principal))
        assert error_of(caller.assume_role, RoleArn=TARGET, RoleSessionName="chained") == (
            403,
            "AccessDenied",
            f"User: {SESSION} is not authorized to perform: sts:AssumeRole on resource: {TARGET}",
        )

    def test_a_role_that_does_not_exist_is_refused_alike(self, caller):
        assert error_of(caller.assume_role, RoleArn=TARGET, RoleSessionName="chained")[:2] == (
            403,
            "AccessDenied",
        )

    def test_a_role_for_google_admits_no_aws_caller(self, emulator, caller):
        emulator.add_role(TARGET)
        assert error_of(caller.assume_role, RoleArn=TARGET, RoleSessionName="chained")[1] == (
            "AccessDenied"
        )

    def test_one_hour_is_the_most(self, emulator, caller):
        emulator.add_role(TARGET, trusting(ROLE), max_session_duration=43200)
        ask = {"RoleArn": TARGET, "RoleSessionName": "chained"}
        assert caller.assume_role(**ask, DurationSeconds=3600)
        assert error_of(caller.assume_role, **ask, DurationSeconds=3601) == (
            400,
            "ValidationError",
            f"The requested DurationSeconds exceeds the {CHAIN_LIMIT}",
        )

    def test_a_user_has_the_roles_own_limit(self, emulator, sts_client):
        key = emulator.add_user("dev")
        emulator.allow(key.caller.arn, "sts:AssumeRole", on=TARGET)
        emulator.add_role(TARGET, trusting(key.caller.arn), max_session_duration=43200)
        client = sts_client(
            {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
        )
        assert client.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/dev"
        answer = client.assume_role(RoleArn=TARGET, RoleSessionName="dev", DurationSeconds=43200)
        left = answer["Credentials"]["Expiration"] - datetime.now(timezone.utc)
        assert timedelta(hours=11, minutes=59) < left <= timedelta(hours=12)

    def test_external_id_and_session_name(self, emulator, caller):
        condition = {
            "StringEquals": {"sts:ExternalId": "tenant:7"},
            "StringLike": {"sts:RoleSessionName": "chained-*"},
        }
        emulator.add_role(TARGET, trusting(ROLE, condition))
        ask = {"RoleArn": TARGET, "RoleSessionName": "chained-1", "ExternalId": "tenant:7"}
        assert caller.assume_role(**ask)
        for change in ({"ExternalId": "tenant:8"}, {"RoleSessionName": "job-1"}):
            assert error_of(caller.assume_role, **{**ask, **change})[1] == "AccessDenied"
        del ask["ExternalId"]
        assert error_of(caller.assume_role, **ask)[1] == "AccessDenied"

    def test_principal_arn_is_a_key(self, emulator, caller):
        condition = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/e*"}}
        emulator.add_role(TARGET, trusting("123456789012", condition))
        assert caller.assume_role(RoleArn=TARGET, RoleSessionName="chained")

    def test_tags_need_leave(self, emulator, caller):
        ask = {
            "RoleArn": TARGET,
            "RoleSessionName": "chained",
            "Tags": [{"Key": "a", "Value": "b"}],
        }
        emulator.add_role(TARGET, trusting(ROLE))
        assert "perform: sts:TagSession on" in error_of(caller.assume_role, **ask)[2]
        emulator.add_role(TARGET, trusting(ROLE, action=["sts:AssumeRole", "sts:TagSession"]))
        assert caller.assume_role(**ask)

    def test_a_source_identity_stays_with_the_chain(self, emulator, caller, sts_client):
        last = "arn:aws:iam::222222222222:role/last"
        emulator.add_role(TARGET, trusting(ROLE, action="sts:*"))
        emulator.add_role(last, trusting(TARGET, action="sts:*"))
        emulator.allow(TARGET, "sts:SetSourceIdentity", on=last)
        chained = caller.assume_role(
            RoleArn=TARGET, RoleSessionName="chained", SourceIdentity="alice"
        )
        assert chained["SourceIdentity"] == "alice"
        client = sts_client(chained["Credentials"])
        ask = {"RoleArn": last, "RoleSessionName": "end"}
        assert client.assume_role(**ask)["SourceIdentity"] == "alice"
        status, code, message = error_of(client.assume_role, **ask, SourceIdentity="bob")
        assert (status, code) == (400, "ValidationError")
        assert message == "The source identity is already set for this assume role session"

    def test_an_invalid_arn(self, caller):
        arn = "arn:aws:iam::123456789012:user/etl"
        assert error_of(caller.assume_role, RoleArn=arn, RoleSessionName="chained") == (
            400,
            "ValidationError",
            f"{arn} is invalid",
        )

    def test_an_external_id_out_of_bounds(self, caller):
        message = error_of(
            caller.assume_role, RoleArn=TARGET, RoleSessionName="chained", ExternalId="?"
        )
        assert "2 validation errors detected" in message[2]

    def test_unsigned(self, sts_client):
        assert error_of(sts_client().assume_role, RoleArn=TARGET, RoleSessionName="chained") == (
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )


class TestFrontEnd:
    @pytest.mark.parametrize(
        ("query", "code", "message"),
        [
            (
                "Action=AssumeRole",
                "InvalidAction",
                "Could not find operation AssumeRole for version NO_VERSION_SPECIFIED",
            ),
            (
                "Action=ListBuckets&Version=2011-06-15",
                "InvalidAction",
                "Could not find operation ListBuckets for version 2011-06-15",
            ),
            (
                "Action=GetCallerIdentity&Version=2015-01-01",
                "InvalidAction",
                "Could not find operation GetCallerIdentity for version 2015-01-01",
            ),
            ("", "MissingAction", "Missing Action"),
        ],
    )
    def test_what_it_does_not_know(self, emulator, raw, query, code, message):
        answer = raw(emulator.sts, f"/?{query}")
        assert (answer.status, answer.code, answer.message) == (400, code, message)
        assert "http://webservices.amazon.com/AWSFault/2005-15-09" in answer.text

    def test_another_path(self, emulator, raw):
        assert raw(emulator.sts, "/latest?Action=GetCallerIdentity").status == 404

    def test_another_method(self, emulator, raw):
        answer = raw(emulator.sts, "/?Action=GetCallerIdentity&Version=2011-06-15", method="PUT")
        assert answer.status == 405

    def test_of_a_repeated_parameter_the_first_counts(self, emulator, raw):
        raw(emulator.sts, "/?Action=One&Action=Two&Version=2011-06-15")
        assert emulator.sts.requests[0].action == "One"
