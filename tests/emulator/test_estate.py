"""Services that start on first use, and `Emulator.reset`."""

from __future__ import annotations

import pytest
from laptops import Laptop

from gcp_aws_bridge.emulator import Emulator, Fault

ROLE = "arn:aws:iam::123456789012:role/etl"
APP = "app@demo-project.iam.gserviceaccount.com"
LAPTOP = ["sso", "signin"]
LAZY = ["google_sts", "iam_credentials", "pod_identity", "imds", *LAPTOP]


def service_of(cloud, name):
    return getattr(Laptop(cloud) if name in LAPTOP else cloud, name)


@pytest.mark.parametrize("name", LAZY)
class TestLazyServices:
    def test_service_starts_on_first_use(self, name, raw):
        with Emulator() as cloud:
            service = service_of(cloud, name)
            assert service is service_of(cloud, name)
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

    def test_service_used_before_the_start_starts_with_the_emulator(self, name, raw):
        cloud = Emulator()
        service = service_of(cloud, name)
        assert "refusing connections" in repr(service)
        with cloud:
            assert raw(service, "/nothing").status in (401, 403, 404)

    def test_reset_deletes_requests_faults_and_latency(self, emulator, name, raw):
        service = service_of(emulator, name)
        raw(service, "/nothing")
        service.inject(Fault.status(500), times=None)
        service.latency_s = 9
        emulator.reset()
        assert service.requests == []
        assert raw(service, "/nothing").status in (401, 403, 404)

    def test_unsupported_fault_raises(self, emulator, name):
        with pytest.raises(ValueError, match="has no fault"):
            service_of(emulator, name).inject(Fault.aws_error("AccessDenied"))


def test_unused_services_do_not_start():
    with Emulator() as cloud:
        assert {"Metadata", "STS", "Discovery"} == {type(s).__name__ for s in cloud._services()}


def test_failure_in_one_service_stops_all_services(raw):
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


def test_reset_deletes_the_state_of_both_clouds(emulator, raw, tmp_path):
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


def test_both_clouds_share_an_issuer(emulator):
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
def test_invalid_identifier_of_a_provider_raises(emulator, changes):
    with pytest.raises(ValueError, match="is not a"):
        emulator.add_aws_provider(**changes)


def test_principal_identifiers_are_those_of_google(emulator):
    provider = emulator.add_aws_provider(project_number="7")
    pool = "iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/aws"
    assert provider.audience == f"//{pool}/providers/eks"
    assert provider.principal("x/y") == f"principal://{pool}/subject/x/y"
    assert provider.principal_set() == f"principalSet://{pool}/*"
    assert provider.principal_set("attribute.a", "b") == f"principalSet://{pool}/attribute.a/b"
    assert provider.principal_set("google.groups", "b") == f"principalSet://{pool}/group/b"
    with pytest.raises(ValueError, match="no principal sets for 'aws_role'"):
        provider.principal_set("aws_role", "b")
    with pytest.raises(ValueError, match="has no token issuer"):
        provider.mint()


def test_external_account_is_what_gcloud_writes(emulator, tmp_path):
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
