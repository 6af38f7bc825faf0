"""Both clouds as one: services that start when they are asked for, and what a reset forgets."""

from __future__ import annotations

import pytest

from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
APP = "app@demo-project.iam.gserviceaccount.com"
LATER = ["google_sts", "iam_credentials", "pod_identity", "imds", "sso", "signin"]


@pytest.mark.parametrize("name", LATER)
class TestLater:
    def test_a_service_is_served_from_the_first_time_it_is_asked_for(self, name, raw):
        with Emulator() as cloud:
            service = getattr(cloud, name)
            assert service is getattr(cloud, name)
            assert raw(service, "/nothing").status in (401, 403, 404)
            assert len(service.requests) == 1
            port = service.port
            cloud.stop()
            with pytest.raises(ConnectionRefusedError):
                raw(service, "/nothing")
            cloud.start()
            assert port == service.port
            assert raw(service, "/nothing").status in (401, 403, 404)
        with pytest.raises(ConnectionRefusedError):
            raw(service, "/nothing")

    def test_a_service_that_was_asked_for_before_is_served_from_the_start(self, name, raw):
        cloud = Emulator()
        service = getattr(cloud, name)
        assert "refusing connections" in repr(service)
        with cloud:
            assert raw(service, "/nothing").status in (401, 403, 404)

    def test_a_reset_forgets_requests_faults_and_latency(self, emulator, name, raw):
        service = getattr(emulator, name)
        raw(service, "/nothing")
        service.inject(Fault.status(500), times=None)
        service.latency_s = 9
        emulator.reset()
        assert service.requests == []
        assert raw(service, "/nothing").status in (401, 403, 404)

    def test_only_its_own_faults_can_be_injected(self, emulator, name):
        with pytest.raises(ValueError, match="has no fault"):
            getattr(emulator, name).inject(Fault.aws_error("AccessDenied"))


def test_nothing_else_is_served_until_it_is_asked_for():
    with Emulator() as cloud:
        assert {"Metadata", "STS", "Discovery"} == {type(s).__name__ for s in cloud._services()}


def test_a_failure_in_one_service_leaves_none_running(raw):
    cloud = Emulator()
    cloud.start()
    imds, sts = cloud.imds, cloud.sts
    imds.respond = None
    with pytest.raises(Exception, match="Remote end closed connection"):
        raw(imds, "/")
    with pytest.raises(RuntimeError, match="failed while it answered"):
        cloud.stop()
    for service in (imds, sts):
        with pytest.raises(ConnectionRefusedError):
            raw(service, "/")


def test_a_reset_leaves_nothing_of_either_side(emulator, raw, tmp_path):
    emulator.add_role(ROLE, emulator.trust_policy_for_service("pods.eks.amazonaws.com"))
    provider = emulator.add_aws_provider()
    emulator.add_google_service_account(APP, [provider.principal_set()])
    issuer = emulator.enable_outbound_federation()
    oidc = emulator.add_google_provider_for_oidc(issuer)
    oidc.issuer.rotate()
    emulator.eks_pod(ROLE, tmp_path)
    emulator.ec2_environ(ROLE)
    emulator.imds.region, emulator.imds.version_1 = "eu-west-1", True
    path = emulator.ecs_environ(ROLE)["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    first_key = emulator.eks_token().split(".")[0]
    emulator._issuer_of(emulator.eks_issuer_url).rotate()
    token = emulator.eks_token("pods.eks.amazonaws.com")
    headers = {"Authorization": token}
    assert raw(emulator.pod_identity, "/v1/credentials", headers=headers).status == 200
    emulator.reset()
    assert emulator._iam.provider(provider.audience) is None
    assert emulator._iam.account(APP) is None
    assert emulator._accounts.outbound("123456789012") is None
    assert emulator.imds.role_arn is None
    assert (emulator.imds.region, emulator.imds.version_1) == ("us-east-1", False)
    assert raw(emulator.pod_identity, path.removeprefix(emulator.pod_identity.url)).status == 404
    headers = {"Authorization": emulator.eks_token("pods.eks.amazonaws.com")}
    answer = raw(emulator.pod_identity, "/v1/credentials", headers=headers)
    assert "No EKS Pod Identity association" in answer.text
    assert first_key == emulator.eks_token().split(".")[0]


def test_an_issuer_that_both_clouds_trust_is_one(emulator):
    aws = emulator.add_oidc_provider("https://cluster.example")
    google = emulator.add_google_provider_for_oidc("https://cluster.example")
    assert aws.issuer is google.issuer


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "1"},
        {"pool": "gcp-aws"},
        {"pool": "Aws"},
        {"provider": "a/b"},
        {"provider": ""},
        {"project_number": "demo-project"},
    ],
)
def test_a_provider_needs_names_that_can_be(emulator, changes):
    with pytest.raises(ValueError, match=r"is no identifier|is not"):
        emulator.add_aws_provider(**changes)


def test_principals_are_named_as_google_names_them(emulator):
    provider = emulator.add_aws_provider(project_number="7")
    pool = "iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/aws"
    assert provider.audience == f"//{pool}/providers/eks"
    assert provider.principal("x/y") == f"principal://{pool}/subject/x/y"
    assert provider.principal_set() == f"principalSet://{pool}/*"
    assert provider.principal_set("attribute.a", "b") == f"principalSet://{pool}/attribute.a/b"
    assert provider.principal_set("google.groups", "b") == f"principalSet://{pool}/group/b"
    with pytest.raises(ValueError, match="no principal sets by 'aws_role'"):
        provider.principal_set("aws_role", "b")
    with pytest.raises(ValueError, match="has no issuer of tokens"):
        provider.mint()


def test_a_configuration_is_what_gcloud_writes(emulator, tmp_path):
    provider = emulator.add_aws_provider()
    imds = emulator.imds.url
    assert emulator.external_account(provider) == {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": provider.audience,
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "token_url": f"{emulator.google_sts.url}/v1/token",
        "credential_source": {
            "environment_id": "aws1",
            "region_url": f"{imds}/latest/meta-data/placement/availability-zone",
            "url": f"{imds}/latest/meta-data/iam/security-credentials",
            "regional_cred_verification_url": (
                "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
            ),
            "imdsv2_session_token_url": f"{imds}/latest/api/token",
        },
    }
    found = emulator.external_account(provider, APP, 600, "file", file=tmp_path / "t")
    assert found["credential_source"] == {"file": str(tmp_path / "t")}
    assert found["service_account_impersonation"] == {"token_lifetime_seconds": 600}
    assert found["service_account_impersonation_url"] == (
        f"{emulator.iam_credentials.url}/v1/projects/-/serviceAccounts/{APP}:generateAccessToken"
    )
    for wrong in ({"source": "file"}, {"file": "x"}, {"source": "url"}):
        with pytest.raises(ValueError, match="source is aws, or file with a file"):
            emulator.external_account(provider, **wrong)
