"""STS actions beside AssumeRole, presigned requests, session tags, and keys of the request."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import botocore.exceptions
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gcp_aws_bridge.emulator import ManualClock

ROLE = "arn:aws:iam::123456789012:role/etl"
SESSION = "arn:aws:sts::123456789012:assumed-role/etl/pod-1"
NEXT = "arn:aws:iam::123456789012:role/next"
USER = "arn:aws:iam::123456789012:user/dev"
ACCESS = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'


def keys(key) -> dict:
    return {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}


def refused(call, **kwargs) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**kwargs)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def user(emulator, sts_client):
    return sts_client(keys(emulator.add_user("dev")))


@pytest.fixture
def role(sts_client, credentials):
    return sts_client(credentials)


class TestSessionToken:
    def test_it_is_the_users(self, emulator, user, sts_client):
        emulator.clock = ManualClock()
        made = user.get_session_token()["Credentials"]
        assert made["Expiration"] == emulator.clock() + timedelta(hours=12)
        client = sts_client(made)
        assert client.get_caller_identity()["Arn"] == USER
        emulator.add_role(NEXT, trusting(USER))
        assert client.assume_role(RoleArn=NEXT, RoleSessionName="dev")

    @pytest.mark.parametrize(
        ("action", "kwargs"),
        [
            ("get_session_token", {}),
            ("get_federation_token", {"Name": "bob"}),
        ],
    )
    def test_session_credentials_get_none(self, role, user, sts_client, action, kwargs):
        name = "".join(part.capitalize() for part in action.split("_"))
        expected = ("AccessDenied", f"Cannot call {name} with session credentials")
        assert refused(getattr(role, action), **kwargs) == expected
        again = sts_client(user.get_session_token()["Credentials"])
        assert refused(getattr(again, action), **kwargs) == expected

    def test_it_calls_no_other_action(self, emulator, user, sts_client):
        emulator.allow(USER, "*")
        client = sts_client(user.get_session_token()["Credentials"])
        assert refused(client.get_access_key_info, AccessKeyId="AKIA" * 4)[0] == "AccessDenied"

    def test_no_user_has_an_mfa_device(self, user):
        words = refused(user.get_session_token, SerialNumber="GAHT12345678", TokenCode="123456")
        assert words[0] == "AccessDenied"
        assert "MultiFactorAuthentication failed" in words[1]

    @pytest.mark.parametrize(
        "kwargs",
        [
            {"DurationSeconds": 899},
            {"DurationSeconds": 129601},
            {"TokenCode": "12345"},
            {"TokenCode": "12345x"},
            {"SerialNumber": "short"},
        ],
    )
    def test_bounds(self, user, kwargs):
        assert refused(user.get_session_token, **kwargs)[0] == "ValidationError"


def trusting(principal: object, condition: dict | None = None, action: object = "sts:*") -> dict:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


class TestFederationToken:
    def test_needs_a_permission_and_is_of_a_federated_user(self, emulator, user, sts_client):
        ask = {"Name": "bob", "Policy": ACCESS}
        assert refused(user.get_federation_token, **ask)[0] == "AccessDenied"
        emulator.allow(USER, "sts:GetFederationToken")
        answer = user.get_federation_token(**ask)
        arn = "arn:aws:sts::123456789012:federated-user/bob"
        assert answer["FederatedUser"] == {"Arn": arn, "FederatedUserId": "123456789012:bob"}
        assert answer["PackedPolicySize"] > 0
        client = sts_client(answer["Credentials"])
        assert client.get_caller_identity()["Arn"] == arn
        emulator.add_role(NEXT, trusting("*"))
        code, _ = refused(client.assume_role, RoleArn=NEXT, RoleSessionName="bob")
        assert code == "AccessDenied"

    def test_a_malformed_policy(self, emulator, user):
        emulator.allow(USER, "sts:GetFederationToken")
        code, _ = refused(user.get_federation_token, Name="bob", Policy="{}")
        assert code == "MalformedPolicyDocument"

    def test_bounds(self, user):
        for kwargs in ({"Name": "b"}, {"Name": "b" * 33}, {"Name": "bob", "DurationSeconds": 1}):
            assert refused(user.get_federation_token, **kwargs)[0] == "ValidationError"


class TestLookUps:
    def test_the_account_of_a_key(self, emulator, role, credentials):
        ask = {"AccessKeyId": credentials["AccessKeyId"]}
        assert refused(role.get_access_key_info, **ask)[0] == "AccessDenied"
        emulator.allow(ROLE, "sts:GetAccessKeyInfo")
        assert role.get_access_key_info(**ask)["Account"] == "123456789012"
        assert refused(role.get_access_key_info, AccessKeyId="AKIA" * 4)[0] == "ValidationError"

    def test_no_message_can_be_decoded(self, emulator, role):
        decode = role.decode_authorization_message
        assert refused(decode, EncodedMessage="abc")[0] == "AccessDenied"
        emulator.allow(ROLE, "sts:DecodeAuthorizationMessage")
        code, _ = refused(decode, EncodedMessage="abc")
        assert code == "InvalidAuthorizationMessageException"

    def test_a_web_identity_token_needs_a_permission(self, emulator, role):
        if not hasattr(role, "get_web_identity_token"):
            pytest.skip("botocore has no GetWebIdentityToken")
        emulator.enable_outbound_federation()
        ask = {"Audience": ["https://a"], "SigningAlgorithm": "RS256"}
        assert refused(role.get_web_identity_token, **ask)[0] == "AccessDenied"
        condition = {
            "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": "https://a"},
            "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
        }
        statement = {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": {**statement, "Condition": condition}}
        emulator.attach_policy(ROLE, document)
        assert role.get_web_identity_token(**ask)
        for change in (
            {"Audience": ["https://a", "https://b"]},
            {"DurationSeconds": 301},
            {"Tags": [{"Key": "a", "Value": "b"}]},  # sts:TagGetWebIdentityToken
        ):
            assert refused(role.get_web_identity_token, **{**ask, **change})[0] == "AccessDenied"


class TestPresigned:
    QUERY = "Action=GetCallerIdentity&Version=2011-06-15"

    @pytest.fixture
    def presigned(self, emulator, credentials, raw):
        """Presign as `aws eks get-token` does, change it, and send it."""

        def send(change=lambda pairs: pairs, headers=None, expires=60, **kwargs):
            request = AWSRequest("GET", f"{emulator.sts.url}/?{self.QUERY}", headers=headers or {})
            own = Credentials(
                credentials["AccessKeyId"],
                credentials["SecretAccessKey"],
                credentials["SessionToken"],
            )
            SigV4QueryAuth(own, "sts", "us-east-1", expires).add_auth(request)
            pairs = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
            kwargs = {"headers": headers, **kwargs}
            return raw(emulator.sts, f"/?{urlencode(change(pairs))}", **kwargs)

        return send

    def test_says_who_signed(self, presigned):
        answer = presigned()
        assert answer.status == 200
        assert f"<Arn>{SESSION}</Arn>" in answer.text

    def test_with_the_header_of_a_cluster(self, presigned):
        headers = {"x-k8s-aws-id": "production"}
        assert presigned(headers=headers).status == 200
        answer = presigned(lambda pairs: {**pairs, "X-Amz-SignedHeaders": "host"}, headers)
        assert answer.code == "SignatureDoesNotMatch"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"X-Amz-Signature": "0" * 64}, "SignatureDoesNotMatch"),
            ({"Action": "GetSessionToken"}, "SignatureDoesNotMatch"),
            ({"Extra": "1"}, "SignatureDoesNotMatch"),
            ({"X-Amz-Expires": "61"}, "SignatureDoesNotMatch"),
            ({"X-Amz-Expires": "0"}, "IncompleteSignature"),
            ({"X-Amz-Expires": "604801"}, "IncompleteSignature"),
            ({"X-Amz-Expires": "x"}, "IncompleteSignature"),
            ({"X-Amz-Date": None}, "IncompleteSignature"),
            ({"X-Amz-Date": "today"}, "IncompleteSignature"),
            ({"X-Amz-Credential": "a/b"}, "IncompleteSignature"),
            ({"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}, "IncompleteSignature"),
            ({"X-Amz-Algorithm": None}, "MissingAuthenticationToken"),
            ({"X-Amz-Security-Token": None}, "InvalidClientTokenId"),
        ],
    )
    def test_changed_on_the_way(self, presigned, changes, code):
        def change(pairs):
            return {k: v for k, v in {**pairs, **changes}.items() if v is not None}

        assert presigned(change).code == code

    def test_is_valid_for_fifteen_minutes_whatever_x_amz_expires_says(self, emulator, presigned):
        start = emulator.clock()
        for seconds, status in ((-250, 200), (899, 200), (902, 403), (-310, 403)):
            emulator.clock = ManualClock(start + timedelta(seconds=seconds))
            assert presigned(expires=1).status == status, seconds

    def test_by_post_too(self, presigned):
        assert presigned(method="POST").code == "SignatureDoesNotMatch"  # signed as a GET


class TestTags:
    @pytest.fixture
    def assume(self, emulator, role):
        emulator.add_role(NEXT, trusting(ROLE))

        def call(*tags: tuple[str, str], **kwargs):
            listed = [{"Key": key, "Value": value} for key, value in tags]
            return role.assume_role(RoleArn=NEXT, RoleSessionName="xx", Tags=listed, **kwargs)

        return call

    def test_they_are_keys_of_the_request_and_of_the_session(self, emulator, assume, sts_client):
        condition = {
            "StringEquals": {"aws:RequestTag/team": "lake"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "job"]},
        }
        emulator.add_role(NEXT, trusting(ROLE, condition))
        made = assume(("team", "lake"), ("job", ""), TransitiveTagKeys=["team"])
        assert made["PackedPolicySize"] > 0
        with pytest.raises(botocore.exceptions.ClientError):
            assume(("team", "sea"))
        with pytest.raises(botocore.exceptions.ClientError):
            assume(("team", "lake"), ("more", "x"))
        last = NEXT.replace("next", "last")
        emulator.add_role(last, trusting(NEXT, {"StringEquals": {"aws:PrincipalTag/Team": "lake"}}))
        client = sts_client(made["Credentials"])
        chained = client.assume_role(RoleArn=last, RoleSessionName="yy")
        # What is transitive goes along, and cannot be passed again.
        end = NEXT.replace("next", "end")
        condition = {
            "StringEquals": {"aws:PrincipalTag/team": "lake"},
            "Null": {"aws:PrincipalTag/job": "true"},
        }
        emulator.add_role(end, trusting(last, condition))
        further = sts_client(chained["Credentials"])
        assert further.assume_role(RoleArn=end, RoleSessionName="zz")
        again = [{"Key": "TEAM", "Value": "sea"}]
        ask = {"RoleArn": end, "RoleSessionName": "zz", "Tags": again}
        assert refused(further.assume_role, **ask)[0] == "InvalidParameterValue"

    @pytest.mark.parametrize(
        ("tags", "kwargs", "code"),
        [
            ([("a", "1"), ("A", "2")], {}, "InvalidParameterValue"),
            ([("aws:x", "1")], {}, "ValidationError"),
            ([("AWS:x", "1")], {}, "ValidationError"),
            ([("x", "aws:1")], {}, "ValidationError"),
            ([("", "1")], {}, "ValidationError"),
            ([("a" * 129, "1")], {}, "ValidationError"),
            ([("a", "1" * 257)], {}, "ValidationError"),
            ([("a;", "1")], {}, "ValidationError"),
            ([(f"k{n}", "") for n in range(51)], {}, "ValidationError"),
            ([("a", "1")], {"TransitiveTagKeys": ["b"]}, "InvalidParameterValue"),
        ],
    )
    def test_malformed_tags_are_refused(self, assume, tags, kwargs, code):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            assume(*tags, **kwargs)
        assert caught.value.response["Error"]["Code"] == code

    def test_tags_of_a_token_are_keys_of_the_request(self, emulator, sts_client, exchange):
        claim = {"principal_tags": {"team": ["lake"]}, "transitive_tag_keys": ["team"]}
        token = emulator.mint(**{"https://aws.amazon.com/tags": claim})
        document = emulator.trust_policy_for()
        [statement] = document["Statement"]
        statement["Action"] = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
        statement["Condition"]["StringEquals"]["aws:RequestTag/team"] = "lake"
        statement["Condition"]["ForAllValues:StringEquals"] = {"sts:TransitiveTagKeys": "team"}
        emulator.add_role(ROLE, document)
        assert exchange(token).status == 200
        assert exchange(emulator.mint()).code == "AccessDenied"


class TestKeysOfTheRequest:
    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ({"Bool": {"aws:SecureTransport": "true"}}, True),
            ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
            ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
            ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
            ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}, False),
            ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
            ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
            ({"DateGreaterThan": {"aws:EpochTime": "2020-01-01T00:00:00Z"}}, True),
            ({"NumericGreaterThan": {"aws:EpochTime": "1577836800"}}, True),
            ({"StringLike": {"aws:UserAgent": "test/*"}}, True),
            ({"StringLike": {"aws:UserAgent": "Boto3/*"}}, False),
            ({"Bool": {"aws:ViaAWSService": "false"}}, True),
            ({"Null": {"aws:SourceVpc": "true", "aws:SourceVpce": "true"}}, True),
            ({"Null": {"aws:PrincipalArn": "true", "aws:userid": "true"}}, True),
            ({"StringEquals": {"aws:ResourceAccount": "123456789012"}}, True),
            ({"StringEquals": {"sts:RoleSessionName": "${aws:ResourceAccount}"}}, False),
            ({"StringEquals": {"sts:RoleSessionName": "${accounts.google.com:sub}"}}, False),
        ],
    )
    def test_of_a_web_identity(self, emulator, raw, condition, holds):
        document = emulator.trust_policy_for()
        document["Statement"][0]["Condition"].setdefault("StringEquals", {})
        for operator, wanted in condition.items():
            document["Statement"][0]["Condition"].setdefault(operator, {}).update(wanted)
        emulator.add_role(ROLE, document)
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "pod-1",
            "WebIdentityToken": emulator.mint(),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "test/1"}
        answer = raw(emulator.sts, method="POST", headers=headers, body=urlencode(form))
        assert (answer.status == 200) is holds

    def test_the_session_can_have_to_be_named_for_the_account(self, emulator, exchange):
        document = emulator.trust_policy_for()
        equals = document["Statement"][0]["Condition"]["StringEquals"]
        equals["sts:RoleSessionName"] = "${accounts.google.com:sub}"
        emulator.add_role(ROLE, document)
        token = emulator.mint()
        assert exchange(token).code == "AccessDenied"
        assert exchange(token, RoleSessionName=emulator.service_account.unique_id).status == 200

    def test_a_hosts_region(self, emulator, raw):
        document = emulator.trust_policy_for()
        document["Statement"][0]["Condition"]["StringEquals"]["aws:RequestedRegion"] = "eu-west-1"
        emulator.add_role(ROLE, document)
        path = (
            "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=pod-1"
            f"&RoleArn={ROLE}&WebIdentityToken={emulator.mint()}"
        )
        for host, status in (("sts.eu-west-1.amazonaws.com", 200), ("sts.amazonaws.com", 403)):
            assert raw(emulator.sts, path, headers={"Host": host}).status == status

    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ({"StringEquals": {"aws:PrincipalType": "AssumedRole"}}, True),
            ({"StringEquals": {"aws:PrincipalAccount": "123456789012"}}, True),
            ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/etl"}}, True),
            ({"StringLike": {"aws:userid": "AROA*:pod-1"}}, True),
            ({"Null": {"aws:username": "true"}}, True),
            ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, False),
            ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, True),
            ({"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"}}, True),
            ({"StringEquals": {"aws:FederatedProvider": "accounts.google.com"}}, True),
            ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
            ({"Null": {"aws:SourceIdentity": "true"}}, True),
            ({"StringLike": {"sts:RoleSessionName": "${aws:PrincipalAccount}-*"}}, True),
            ({"StringLike": {"sts:RoleSessionName": "${aws:username}-*"}}, False),
        ],
    )
    def test_of_a_role_in_a_chain(self, emulator, role, condition, holds):
        emulator.add_role(NEXT, trusting(ROLE, condition))
        ask = {"RoleArn": NEXT, "RoleSessionName": "123456789012-x"}
        if holds:
            assert role.assume_role(**ask)
        else:
            assert refused(role.assume_role, **ask)[0] == "AccessDenied"

    def test_of_a_user(self, emulator, user):
        condition = {
            "StringEquals": {"sts:RoleSessionName": "${aws:username}"},
            "Null": {"aws:TokenIssueTime": "true", "aws:MultiFactorAuthPresent": "true"},
        }
        emulator.add_role(NEXT, trusting(USER, condition))
        assert user.assume_role(RoleArn=NEXT, RoleSessionName="dev")
        assert refused(user.assume_role, RoleArn=NEXT, RoleSessionName="ops")[0] == "AccessDenied"

    def test_of_a_service(self, emulator, tmp_path):
        document = emulator.trust_policy_for_service("ec2.amazonaws.com")
        document["Statement"][0]["Condition"] = {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "Bool": {"aws:PrincipalIsAWSService": "true"},
        }
        emulator.add_role(ROLE, document)
        emulator.ec2_environ(ROLE)
        emulator.imds.version_1 = True
        url = f"{emulator.imds.url}/latest/meta-data/iam/security-credentials/etl"
        with urllib.request.urlopen(url) as answer:
            assert json.load(answer)["Code"] == "Success"


def test_token_has_the_size_that_is_asked_for(emulator, exchange):
    emulator.add_role(ROLE)
    for size, status in (("0", 200), ("4096", 200), ("4097", 400), ("-1", 400), ("x", 400)):
        answer = exchange(emulator.mint(), MinimumSessionTokenSize=size)
        assert answer.status == status
    token = exchange(emulator.mint(), MinimumSessionTokenSize="4096").text
    assert len(token.partition("<SessionToken>")[2].partition("<")[0]) >= 4096
