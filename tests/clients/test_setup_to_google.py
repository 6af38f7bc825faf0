"""What `setup` writes for a workload on AWS is run: by bash, with the real AWS CLI, twice.

IAM is moto's, EKS `eks_api`. kubectl is a stand-in (`programs/cloud_cli.py`), and so is gcloud, but
where the real one is installed: then that is run, too, against Google's APIs (`google_apis`).
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import eks_api
import google_apis
import pytest
from setup_runs import AWS, BASH, KEYS, PROGRAMS, SetupMachine

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")
pytest.importorskip("yaml")

pytestmark = [
    pytest.mark.skipif(AWS is None, reason="no awscli here: nox -s clients"),
    pytest.mark.skipif(BASH is None, reason="no bash here"),
    pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX system"),
    pytest.mark.timeout(900),  # dozens of processes each, of the AWS CLI and of gcloud
]

ROLE = "arn:aws:iam::123456789012:role/team/etl"
SESSIONS = "arn:aws:sts::123456789012:assumed-role/etl"
ISSUER = eks_api.ISSUER
OUTBOUND = "https://0f1b2c3d-1111-2222-3333-444455556666.tokens.sts.global.api.aws"
GSA = "etl-runner@my-project.iam.gserviceaccount.com"
POOL = (
    f"iam.googleapis.com/projects/{google_apis.PROJECT_NUMBER}/locations/global"
    "/workloadIdentityPools/aws-workloads"
)
EKS = ("--region=eu-west-1", "--cluster=prod", "--namespace=data", "--ksa=etl")
IN_ROLE = ("--role=etl", "--role-path=/team/")
PLATFORMS = {
    "eks": (*EKS, *IN_ROLE),
    "eks-irsa": (*EKS, *IN_ROLE),
    "eks-issuer": EKS,
    "ec2": IN_ROLE,
    "ecs": ("--region=eu-west-1", *IN_ROLE),
    "lambda": IN_ROLE,
    "aws-outbound": IN_ROLE,
}
each_platform = pytest.mark.parametrize("platform", PLATFORMS)


class Clouds(SetupMachine):
    """Where the script runs."""

    def __init__(self, folder: Path, url: str, eks: tuple[eks_api.Eks, str], aws: str) -> None:
        super().__init__(folder, url, PLATFORMS)
        self.iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **KEYS)
        self.eks, self.environ["AWS_ENDPOINT_URL_EKS"] = eks
        (self.bin / "aws").write_text(aws)
        (self.bin / "aws").chmod(0o755)
        self.options = [
            *("--project=my-project", "--aws-account=123456789012"),
            *(f"--gsa={GSA}", "--grant=roles/pubsub.publisher"),
        ]

    def run(self, platform: str, *more: str) -> subprocess.CompletedProcess[str]:
        written = self.setup(platform, *more)
        assert 0 == written.returncode, written.stderr
        return self.execute(written.stdout)

    def add_role(self, description: str = "For backups.") -> None:
        """A role that was created outside of the script."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        self.iam.create_role(
            RoleName="etl",
            Path="/team/",
            Description=description,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
        )

    def made(self, platform: str) -> Any:
        """What there is of it in AWS."""
        found: dict[str, Any] = {
            "addons": [*self.eks.addons],
            "associations": json.loads(json.dumps(self.eks.associations)),
            "providers": self.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
            "profiles": self.iam.list_instance_profiles()["InstanceProfiles"],
        }
        if platform != "eks-issuer":
            found["role"] = self.iam.get_role(RoleName="etl")["Role"]
            found["inline"] = self.iam.list_role_policies(RoleName="etl")["PolicyNames"]
        return found


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real program `aws`, which is imported once for all commands."""
    source = PROGRAMS / "aws_at_hand.py"
    path = tmp_path_factory.mktemp("aws") / "socket"
    with subprocess.Popen([sys.executable, str(source), str(path)]) as process:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.05)
        client = runpy.run_path(str(source))["CLIENT"]
        yield client.format(python=sys.executable, path=str(path))
        process.terminate()


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: str) -> Iterator[Clouds]:
    outbound_federation(monkeypatch)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        with eks_api.serving() as eks:
            yield Clouds(tmp_path, url, eks, aws)
    finally:
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
        server.stop()


def outbound_federation(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto has no such operations; the AWS CLI and its model of them are real."""
    from moto.core.responses import ActionResult
    from moto.iam.exceptions import IAMException
    from moto.iam.responses import IamResponse

    is_on = []

    def enable(self: Any) -> Any:
        if is_on:
            raise IAMException("FeatureEnabled", "It is on.")
        is_on.append(True)
        return ActionResult({"IssuerIdentifier": OUTBOUND})

    def get(self: Any) -> Any:
        if not is_on:
            raise IAMException("FeatureDisabled", "It is off.")
        return ActionResult({"IssuerIdentifier": OUTBOUND, "JwtVendingEnabled": True})

    name = "outbound_web_identity_federation"
    monkeypatch.setattr(IamResponse, f"enable_{name}", enable, raising=False)
    monkeypatch.setattr(IamResponse, f"get_{name}_info", get, raising=False)


def states(check: subprocess.CompletedProcess[str]) -> set[str]:
    return {line.split()[0] for line in check.stdout.split("\n\n")[0].splitlines()}


@each_platform
def test_script_creates_everything_and_can_be_run_again(clouds: Clouds, platform: str) -> None:
    if platform == "aws-outbound":
        clouds.add_role()
    before = clouds.setup(platform, "--check")
    assert 1 == before.returncode
    provider = "k8s-data-etl" if platform == "eks-issuer" else "aws-etl"
    assert f"MISSING  provider {provider}" in before.stdout
    assert "UNKNOWN" not in before.stdout, before.stdout
    first = clouds.run(platform)
    assert 0 == first.returncode, first.stderr
    state, made = clouds.state, clouds.made(platform)
    after = clouds.setup(platform, "--check")
    assert (0, {"ok"}) == (after.returncode, states(after)), after.stdout + after.stderr
    again = clouds.run(platform)
    assert 0 == again.returncode, again.stderr
    assert (state, made) == (clouds.state, clouds.made(platform))


@pytest.mark.parametrize(
    ("platform", "direct"),
    [("eks", False), ("eks-issuer", False), ("eks-issuer", True), ("aws-outbound", True)],
)
def test_real_gcloud_accepts_each_command(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis, platform: str, direct: bool
) -> None:
    apis = real_gcloud
    if platform == "aws-outbound":
        clouds.add_role()
    if direct:
        clouds.options[2] = "--direct"
    assert "UNKNOWN" not in clouds.setup(platform, "--check").stdout
    first = clouds.run(platform)
    assert 0 == first.returncode, first.stderr
    pools, policies = json.loads(json.dumps([apis.pools, apis.policies]))
    again = clouds.run(platform)
    assert 0 == again.returncode, again.stderr
    after = clouds.setup(platform, "--check")
    assert (0, {"ok"}) == (after.returncode, states(after)), after.stdout + after.stderr
    assert (pools, policies) == (apis.pools, apis.policies)
    [provider] = [one for path, one in pools.items() if "/providers/" in path]
    assert {
        "eks": {"aws": {"accountId": "123456789012"}},
        "eks-issuer": {"oidc": {"issuerUri": ISSUER}},
        "aws-outbound": {"oidc": {"issuerUri": OUTBOUND}},
    }[platform].items() <= provider.items()
    [member] = policies["my-project"]["bindings"][0]["members"]
    subject = "k8s-data-etl:system:serviceaccount:data:etl"
    principal = {
        "eks": f"principalSet://{POOL}/attribute.aws_role/{SESSIONS}",
        "eks-issuer": f"principal://{POOL}/subject/{subject}",
        "aws-outbound": f"principal://{POOL}/subject/{ROLE}",
    }[platform]
    assert (principal if direct else f"serviceAccount:{GSA}") == member
    if not direct:
        assert [principal] == policies[GSA]["bindings"][0]["members"]


def test_changed_provider_is_corrected(clouds: Clouds, real_gcloud: google_apis.GoogleApis) -> None:
    platform = "eks-issuer"
    assert 0 == clouds.run(platform).returncode
    [path] = [path for path in real_gcloud.pools if "/providers/" in path]
    good = json.loads(json.dumps(real_gcloud.pools[path]))
    del real_gcloud.pools[path]["attributeCondition"]
    real_gcloud.pools[path]["oidc"] |= {"allowedAudiences": ["sts.amazonaws.com"]}
    check = clouds.setup(platform, "--check")
    assert 1 == check.returncode
    for name in ("attributeCondition", "oidc"):
        assert f"DIFFERS  {name} of provider k8s-data-etl" in check.stdout
    assert 0 == clouds.run(platform).returncode
    assert 0 == clouds.setup(platform, "--check").returncode
    assert good["attributeCondition"] == real_gcloud.pools[path]["attributeCondition"]


def test_second_role_gets_a_separate_provider(
    clouds: Clouds,
) -> None:
    assert 0 == clouds.run("ec2").returncode
    first = clouds.state["provider"]["aws-etl"]
    assert 0 == clouds.run("ec2", "--role=reports").returncode
    assert first == clouds.state["provider"]["aws-etl"]
    assert "assumed-role/reports/" in clouds.state["provider"]["aws-reports"]["attributeCondition"]
    assert ["aws-workloads"] == [*clouds.state["pool"]]


def test_second_role_cannot_reuse_the_provider_of_the_first(clouds: Clouds) -> None:
    assert 0 == clouds.run("ec2").returncode
    before = clouds.state["provider"]
    done = clouds.run("ec2", "--role=reports", "--provider=aws-etl")
    assert 1 == done.returncode
    assert f'the provider aws-etl exists for "{SESSIONS}"' in done.stderr
    assert "use another --provider" in done.stderr
    assert before == clouds.state["provider"]


@pytest.mark.parametrize(
    ("kind", "name", "state", "said"),
    [
        ("pool", "aws-workloads", {"state": "DELETED"}, "undelete aws-workloads"),
        ("pool", "aws-workloads", {"state": "ACTIVE", "disabled": True}, "is disabled"),
        ("provider", "aws-etl", {"state": "DELETED"}, "undelete aws-etl"),
        ("provider", "aws-etl", {"state": "ACTIVE", "disabled": True}, "is disabled"),
    ],
)
def test_disabled_objects_stay_disabled(
    clouds: Clouds, kind: str, name: str, state: dict[str, Any], said: str
) -> None:
    clouds.put({kind: {name: state}})
    done = clouds.run("ec2")
    assert 1 == done.returncode
    assert said in done.stderr
    assert state == clouds.state[kind][name]


# -- what there is already in AWS ------------------------------------------------------------------


def test_foreign_role_is_not_changed_but_its_missing_policy_is_printed(clouds: Clouds) -> None:
    clouds.add_role()
    before = clouds.made("eks")["role"]
    done = clouds.run("eks")
    assert 0 == done.returncode, done.stderr
    assert "not created by this script. Add this to its trust policy:" in done.stderr
    assert "aws:RequestTag/kubernetes-namespace" in done.stderr
    assert before == clouds.made("eks")["role"]
    assert f"DIFFERS  trust policy of {ROLE}" in clouds.setup("eks", "--check").stdout


def test_role_of_the_script_follows_the_options(clouds: Clouds) -> None:
    assert 0 == clouds.run("eks").returncode
    done = clouds.run("eks", "--namespace=other")
    assert 0 == done.returncode, done.stderr
    assert '"other"' in json.dumps(clouds.made("eks")["role"]["AssumeRolePolicyDocument"])


def test_role_at_another_path_is_an_error(clouds: Clouds) -> None:
    clouds.add_role()
    done = clouds.run("ec2", "--role-path=/")
    assert 1 == done.returncode
    assert f"the role is {ROLE}: use its --role-path." in done.stderr
    assert {} == clouds.state.get("pool", {})


def test_pods_with_another_role_keep_it(clouds: Clouds) -> None:
    other = {"namespace": "data", "serviceAccount": "etl", "roleArn": "arn:aws:iam::1:role/other"}
    clouds.eks.associations["a-0"] = {**other, "associationId": "a-0"}
    done = clouds.run("eks")
    assert 1 == done.returncode
    assert "aws eks update-pod-identity-association" in done.stderr
    assert "arn:aws:iam::1:role/other" == clouds.eks.associations["a-0"]["roleArn"]


def test_auto_mode_needs_no_agent(clouds: Clouds) -> None:
    clouds.eks.auto = True
    assert 0 == clouds.run("eks").returncode
    assert [] == clouds.eks.addons


def test_role_for_outbound_tokens_must_exist(clouds: Clouds) -> None:
    done = clouds.run("aws-outbound")
    assert 0 != done.returncode
    assert "NoSuchEntity" in done.stderr
    assert {} == clouds.state.get("pool", {})


def test_tokens_of_the_role_are_for_the_provider(clouds: Clouds) -> None:
    clouds.add_role()
    assert 0 == clouds.run("aws-outbound").returncode
    policy = clouds.iam.get_role_policy(RoleName="etl", PolicyName="gcp-aws-bridge-token")
    [statement] = policy["PolicyDocument"]["Statement"]
    wanted = statement["Condition"]["ForAllValues:StringEquals"]["sts:IdentityTokenAudience"]
    assert [f"//{POOL}/providers/aws-etl", f"https://{POOL}/providers/aws-etl"] == wanted


def test_nothing_is_created_in_another_aws_account(clouds: Clouds) -> None:
    done = clouds.run("eks", "--aws-account=999999999999")
    assert 1 == done.returncode
    assert "logged in to AWS account 123456789012, not 999999999999" in done.stderr
    assert {} == clouds.state


def test_nothing_is_created_in_a_project_with_another_number(clouds: Clouds) -> None:
    done = clouds.run("eks", "--project-number=111122223333")
    assert 1 == done.returncode
    assert f"the number of my-project is {google_apis.PROJECT_NUMBER}" in done.stderr
    assert {} == clouds.made("eks-issuer")["associations"]


def test_script_contains_the_manifests(clouds: Clouds) -> None:
    yaml = pytest.importorskip("yaml")
    number = f"--project-number={google_apis.PROJECT_NUMBER}"
    for platform in ("eks", "eks-issuer"):
        assert 0 == clouds.run(platform).returncode
        written = yaml.safe_load_all(clouds.setup(platform, "--format=kubernetes", number).stdout)
        for one in written:
            name = f"{one['kind']}/{one['metadata']['name']}"
            assert one == clouds.state["kubernetes"][name]


def test_remaining_steps_are_printed_with_the_variables(clouds: Clouds) -> None:
    done = clouds.run("lambda")
    assert 0 == done.returncode, done.stderr
    assert f"--role {ROLE} --function-name FUNCTION" in done.stderr
    audience = f"//{POOL}/providers/aws-etl"
    assert f"  GCP_AWS_BRIDGE_GOOGLE_AUDIENCE={audience}\n" in done.stderr
    assert f"  GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT={GSA}\n" in done.stderr
