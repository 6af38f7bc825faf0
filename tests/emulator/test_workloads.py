"""Workloads on AWS: each of botocore's ways to credentials, and what the services refuse."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError

from gcp_aws_bridge.emulator import Fault, ManualClock
from gcp_aws_bridge.emulator.answers import AwsError

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"


@pytest.fixture
def program(monkeypatch):
    """A botocore session in an environment that has nothing of AWS but what is given."""

    def start(environ):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return botocore.session.Session()

    return start


def identity(session):
    client = session.create_client("sts")
    try:
        return client.get_caller_identity()
    finally:
        client.close()


def session_name(session):
    return identity(session)["Arn"].rpartition("/")[2]


def admit(emulator, service, arn=ROLE):
    return emulator.add_role(arn, emulator.trust_policy_for_service(service))


class TestPodIdentity:
    @pytest.fixture
    def pod(self, emulator, tmp_path):
        admit(emulator, "pods.eks.amazonaws.com")
        return emulator.eks_pod(ROLE, tmp_path)

    @pytest.fixture
    def ask(self, emulator, raw, pod):
        def get(token):
            headers = {} if token is None else {"Authorization": token}
            return raw(emulator.pod_identity, "/v1/credentials", headers=headers)

        return get

    def test_is_what_botocore_takes(self, emulator, pod, program):
        session = program(pod)
        credentials = session.get_credentials()
        assert (credentials.method, credentials.account_id) == ("container-role", ACCOUNT)
        assert identity(session)["Account"] == ACCOUNT
        assert [request.path for request in emulator.pod_identity.requests] == ["/v1/credentials"]

    def test_sessions_have_names_as_eks_makes_them(self, pod, program):
        name = session_name(program(pod))
        assert re.fullmatch(r"eks-production-etl-7d4b9c-[0-9a-f-]{36}", name)

    def test_the_file_is_for_its_owner_alone(self, pod):
        path = pod["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600

    def test_credentials_are_kept_for_half_of_their_life(self, emulator, ask):
        emulator.clock = ManualClock()
        token = emulator.eks_token("pods.eks.amazonaws.com", exp=2**40)
        first = json.loads(ask(token).body)
        assert first.keys() == {
            *("AccessKeyId", "SecretAccessKey", "Token", "AccountId", "Expiration")
        }
        emulator.clock.advance(3 * 3600 - 1)
        assert first == json.loads(ask(token).body)
        emulator.clock.advance(1)
        later = json.loads(ask(token).body)
        assert first["AccessKeyId"] != later["AccessKeyId"]
        assert emulator.key(first["AccessKeyId"]).expiration > emulator.clock()
        emulator.pod_identity.forget_credentials()
        assert later["AccessKeyId"] != json.loads(ask(token).body)["AccessKeyId"]

    @pytest.mark.parametrize(
        ("claims", "status", "words"),
        [
            ({"audience": "sts.amazonaws.com"}, 400, "issuer or audience is invalid"),
            ({"iss": "https://a"}, 400, "issuer or audience is invalid"),
            ({"exp": 7}, 400, "The token is expired."),
            ({"exp": None}, 400, "The token is expired."),
            ({"kubernetes.io": None}, 400, "The token is not a pod's."),
            ({"kubernetes.io": {"namespace": "default"}}, 400, "The token is not a pod's."),
            ({"namespace": "other"}, 404, "No EKS Pod Identity association found for other/etl"),
            ({"ksa": "other"}, 404, "No EKS Pod Identity association found for default/other"),
        ],
    )
    def test_another_token_is_refused(self, emulator, ask, claims, status, words):
        token = emulator.eks_token(**{"audience": "pods.eks.amazonaws.com", **claims})
        answer = ask(token)
        assert status == answer.status
        assert words in answer.text

    def test_what_is_no_token_of_the_cluster_is_refused(self, emulator, ask):
        other = emulator.add_oidc_provider("https://cluster.example")
        for token, words in (
            (None, "Service account token cannot be empty"),
            ("a.b", "Service account token cannot be parsed"),
            (other.mint(audience="pods.eks.amazonaws.com"), "signature is invalid"),
            (emulator.eks_token("pods.eks.amazonaws.com", forged=True), "signature is invalid"),
        ):
            answer = ask(token)
            assert answer.status == 400
            assert words in answer.text

    @pytest.mark.parametrize("action", ["sts:AssumeRole", "sts:TagSession"])
    def test_a_trust_policy_must_allow_both_actions(self, emulator, ask, action):
        policy = emulator.trust_policy_for_service("pods.eks.amazonaws.com")
        policy["Statement"][0]["Action"] = action
        emulator.add_role(ROLE, policy)
        answer = ask(emulator.eks_token("pods.eks.amazonaws.com"))
        other = {"sts:AssumeRole": "sts:TagSession", "sts:TagSession": "sts:AssumeRole"}[action]
        assert answer.status == 403
        assert f"is not authorized to perform: {other} on resource: {ROLE}" in answer.text

    @pytest.mark.parametrize(("namespace", "status"), [("default", 200), ("other", 403)])
    def test_a_trust_policy_may_ask_for_tags(self, emulator, ask, namespace, status):
        policy = emulator.trust_policy_for_service("pods.eks.amazonaws.com")
        policy["Statement"][0]["Condition"] = {
            "StringEquals": {"aws:RequestTag/kubernetes-namespace": namespace}
        }
        emulator.add_role(ROLE, policy)
        assert ask(emulator.eks_token("pods.eks.amazonaws.com")).status == status

    def test_errors_reach_the_client(self, emulator, pod, program):
        emulator.remove_role(ROLE)
        with pytest.raises(CredentialRetrievalError, match="is not authorized to perform"):
            program(pod).get_credentials()

    def test_a_fault_is_tried_again(self, emulator, pod, program):
        emulator.pod_identity.inject(Fault.status(500))
        assert program(pod).get_credentials() is not None

    def test_an_outage_ends(self, emulator, pod, ask):
        token = emulator.eks_token("pods.eks.amazonaws.com")
        with emulator.pod_identity.down(), pytest.raises(ConnectionRefusedError):
            ask(token)
        assert ask(token).status == 200

    def test_another_way_is_an_error(self, emulator, tmp_path):
        with pytest.raises(ValueError, match="is pod-identity or irsa"):
            emulator.eks_pod(ROLE, tmp_path, how="magic")


class TestIrsa:
    @pytest.fixture
    def pod(self, emulator, tmp_path):
        emulator.add_role(ROLE, emulator.trust_policy_for_irsa())
        return emulator.eks_pod(ROLE, tmp_path, how="irsa")

    def test_is_what_botocore_takes(self, pod, program):
        session = program(pod)
        assert session.get_credentials().method == "assume-role-with-web-identity"
        assert identity(session)["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/etl/")

    def test_another_service_account_is_denied(self, emulator, tmp_path, program):
        emulator.add_role(ROLE, emulator.trust_policy_for_irsa())
        session = program(emulator.eks_pod(ROLE, tmp_path, how="irsa", ksa="other"))
        with pytest.raises(ClientError, match="AccessDenied"):
            session.get_credentials().get_frozen_credentials()

    def test_google_accepts_the_same_token(self, emulator, pod, raw):
        provider = emulator.add_google_provider_for_oidc(
            emulator.eks_issuer_url, allowed_audiences=["sts.amazonaws.com"]
        )
        token = Path(pod["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text()
        body = {
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": provider.audience,
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "subjectToken": token,
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        }
        answer = raw(
            emulator.google_sts,
            "/v1/token",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body),
        )
        found = emulator.google_identity(json.loads(answer.body)["access_token"])
        assert found.principal == provider.principal("system:serviceaccount:default:etl")


class TestInstance:
    TTL = "X-aws-ec2-metadata-token-ttl-seconds"
    TOKEN = "X-aws-ec2-metadata-token"
    CREDENTIALS = "/latest/meta-data/iam/security-credentials/"

    @pytest.fixture
    def instance(self, emulator):
        admit(emulator, "ec2.amazonaws.com")
        return emulator.ec2_environ(ROLE)

    @pytest.fixture
    def ask(self, emulator, raw, instance):
        def get(path, ttl="60"):
            token = raw(emulator.imds, "/latest/api/token", method="PUT", headers={self.TTL: ttl})
            return raw(emulator.imds, path, headers={self.TOKEN: token.text})

        return get

    def test_is_what_botocore_takes(self, emulator, instance, program):
        session = program(instance)
        assert session.get_credentials().method == "iam-role"
        assert session_name(session) == "i-0123456789abcdef0"
        paths = [request.path for request in emulator.imds.requests]
        assert paths == ["/latest/api/token", self.CREDENTIALS, f"{self.CREDENTIALS}etl"]

    def test_tells_where_it_is(self, ask):
        assert ask("/latest/meta-data/placement/region").text == "us-east-1"
        assert ask("/latest/meta-data/placement/availability-zone").text == "us-east-1a"
        document = json.loads(ask("/latest/dynamic/instance-identity/document").body)
        assert (document["accountId"], document["region"]) == (ACCOUNT, "us-east-1")
        assert ask("/latest/meta-data/nothing").status == 404

    def test_gives_nothing_without_a_token_unless_told(self, emulator, raw, instance):
        assert raw(emulator.imds, self.CREDENTIALS).status == 401
        assert raw(emulator.imds, self.CREDENTIALS, headers={self.TOKEN: "x"}).status == 401
        emulator.imds.version_1 = True
        assert raw(emulator.imds, self.CREDENTIALS).text == "etl"
        assert raw(emulator.imds, self.CREDENTIALS, headers={self.TOKEN: "x"}).status == 401

    @pytest.mark.parametrize("ttl", [None, "0", "21601", "-1", "x"])
    def test_gives_no_token_for_another_life(self, emulator, raw, ttl):
        headers = {} if ttl is None else {self.TTL: ttl}
        answer = raw(emulator.imds, "/latest/api/token", method="PUT", headers=headers)
        assert answer.status == 400

    def test_gives_no_token_through_a_proxy(self, emulator, raw):
        headers = {self.TTL: "60", "X-Forwarded-For": "10.0.0.1"}
        answer = raw(emulator.imds, "/latest/api/token", method="PUT", headers=headers)
        assert answer.status == 403

    def test_tokens_end(self, emulator, raw, instance):
        emulator.clock = ManualClock()
        token = raw(emulator.imds, "/latest/api/token", method="PUT", headers={self.TTL: "60"})
        assert token.headers[self.TTL] == "60"
        emulator.clock.advance(59)
        headers = {self.TOKEN: token.text}
        assert raw(emulator.imds, self.CREDENTIALS, headers=headers).status == 200
        emulator.clock.advance(1)
        assert raw(emulator.imds, self.CREDENTIALS, headers=headers).status == 401

    def test_new_credentials_come_five_minutes_before_the_end(self, emulator, ask):
        emulator.clock = ManualClock()
        first = json.loads(ask(f"{self.CREDENTIALS}etl").body)
        assert first["Code"] == "Success"
        emulator.clock.advance(6 * 3600 - 301)
        assert first == json.loads(ask(f"{self.CREDENTIALS}etl").body)
        emulator.clock.advance(1)
        assert first["AccessKeyId"] != json.loads(ask(f"{self.CREDENTIALS}etl").body)["AccessKeyId"]

    def test_credentials_can_be_forgotten(self, emulator, ask):
        first = json.loads(ask(f"{self.CREDENTIALS}etl").body)
        emulator.imds.forget_credentials()
        assert first["AccessKeyId"] != json.loads(ask(f"{self.CREDENTIALS}etl").body)["AccessKeyId"]

    def test_a_role_that_does_not_trust_ec2_says_so(self, emulator, ask):
        admit(emulator, "lambda.amazonaws.com")
        answer = json.loads(ask(f"{self.CREDENTIALS}etl").body)
        assert answer["Code"] == "AssumeRoleUnauthorizedAccess"
        assert "EC2 cannot assume the role etl." in answer["Message"]

    def test_has_no_credentials_without_a_role(self, emulator, ask):
        emulator.imds.role_arn = None
        assert ask(self.CREDENTIALS).status == 404
        assert ask(f"{self.CREDENTIALS}etl").status == 404

    def test_only_reads(self, emulator, raw):
        assert raw(emulator.imds, self.CREDENTIALS, method="POST").status == 405


class TestTask:
    @pytest.mark.parametrize("token", [None, "s3cret"])
    def test_is_what_botocore_takes(self, emulator, program, token):
        admit(emulator, "ecs-tasks.amazonaws.com")
        session = program(emulator.ecs_environ(ROLE, token))
        assert session.get_credentials().method == "container-role"
        assert re.fullmatch("[0-9a-f]{32}", session_name(session))

    def test_without_its_token_gets_nothing(self, emulator, raw):
        admit(emulator, "ecs-tasks.amazonaws.com")
        url = emulator.ecs_environ(ROLE, "s3cret")["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        path = url.removeprefix(emulator.pod_identity.url)
        assert raw(emulator.pod_identity, path).status == 401
        assert raw(emulator.pod_identity, path, headers={"Authorization": "x"}).status == 401
        assert raw(emulator.pod_identity, path, headers={"Authorization": "s3cret"}).status == 200
        assert raw(emulator.pod_identity, path, method="POST").status == 405
        assert raw(emulator.pod_identity, "/v2/credentials/x").status == 404
        assert raw(emulator.pod_identity, "/").status == 404

    def test_a_role_must_trust_the_service(self, emulator, raw):
        admit(emulator, "ec2.amazonaws.com")
        url = emulator.ecs_environ(ROLE)["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        answer = raw(emulator.pod_identity, url.removeprefix(emulator.pod_identity.url))
        assert answer.status == 403
        assert "ecs-tasks.amazonaws.com is not authorized" in answer.text


class TestLambda:
    def test_has_its_credentials_in_the_environment(self, emulator, program):
        admit(emulator, "lambda.amazonaws.com")
        session = program(emulator.lambda_environ(ROLE, "resize"))
        assert session.get_credentials().method == "env"
        assert session_name(session) == "resize"

    def test_a_role_must_trust_the_service(self, emulator):
        admit(emulator, "ec2.amazonaws.com")
        with pytest.raises(AwsError, match=r"lambda\.amazonaws\.com is not authorized"):
            emulator.lambda_environ(ROLE)
