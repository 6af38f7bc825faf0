"""What `setup` writes is run: by bash, with the real AWS CLI against moto's IAM, twice.

kubectl is a stand-in (`programs/cloud_cli.py`), and so is gcloud, but for one test: where the real
one is installed, it is run against the Google APIs that it uses (`google_apis`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import google_apis
import pytest
from pages import DOCS, blocks_of
from setup_runs import AWS, BASH, KEYS, SetupMachine

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.provision.platforms import PLATFORMS as PLATFORM_TABLE

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")
yaml = pytest.importorskip("yaml")

pytestmark = [
    pytest.mark.skipif(AWS is None, reason="no awscli here: nox -s clients"),
    pytest.mark.skipif(BASH is None, reason="no bash here"),
    pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX system"),
    pytest.mark.timeout(240),  # a dozen of processes each, of the AWS CLI
]

ROLE = "arn:aws:iam::123456789012:role/etl"
GSA = "etl-runner@my-project.iam.gserviceaccount.com"
NUMBER = "104203741234567890123"
GKE = (
    *("--project=my-project", "--location=europe-west1", "--cluster=prod"),
    *("--namespace=data", "--ksa=etl"),
)


def elsewhere(*more: str, location: str = "europe-west1") -> tuple[str, ...]:
    return ("--project=my-project", f"--location={location}", f"--gsa={GSA}", *more)


REPORTS = "--service=reports"
PLATFORMS = {
    "gke": (*GKE, f"--gsa={GSA}"),
    "gke-issuer": GKE,
    "compute-engine": elsewhere("--service=batch", location="europe-west1-b"),
    "cloud-run": elsewhere(REPORTS),
    "cloud-run-job": elsewhere(REPORTS),
    "cloud-functions": elsewhere(REPORTS),
    "dataflow": elsewhere(),
    "dataproc": elsewhere(REPORTS),
    "vertex-ai": elsewhere(),
    "workbench": elsewhere(REPORTS, location="europe-west1-b"),
    "cloud-build": elsewhere(REPORTS, location="global"),
    "composer": elsewhere(REPORTS),
}
# What `setup` leaves to others: programs that run as the Google service account.
DEPLOYED: dict[str, dict[str, Any]] = {
    "compute-engine": {"vm": {"batch": {"serviceAccounts": [{"email": GSA}]}}},
    "cloud-run": {"run services": {"reports": {}}},
    "cloud-run-job": {"run jobs": {"reports": {}}},
    "cloud-functions": {"function": {"reports": {"serviceConfig": {"serviceAccountEmail": GSA}}}},
    "dataproc": {
        "dataproc": {"reports": {"config": {"gceClusterConfig": {"serviceAccount": GSA}}}}
    },
    "workbench": {"workbench": {"reports": {"gceSetup": {"serviceAccounts": [{"email": GSA}]}}}},
    "cloud-build": {"trigger": {"reports": {}}},
    "composer": {"composer": {"reports": {"config": {"nodeConfig": {"serviceAccount": GSA}}}}},
}
_EACH = pytest.mark.parametrize("platform", PLATFORMS)


def each_platform(test: Callable[..., None]) -> Callable[..., None]:
    """Run *test* on each platform, some of which are in the selection."""
    return pytest.mark.sampled(4)(_EACH(test))


class Clouds(SetupMachine):
    """Where the script runs: a folder of stand-ins, and moto's AWS."""

    def __init__(self, folder: Path, url: str, managed_policy: str) -> None:
        super().__init__(folder, url, PLATFORMS)
        self.iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **KEYS)
        self.policy = folder / "policy.json"
        self.policy.write_text(json.dumps(PERMISSIONS), encoding="utf-8")
        self.options = ("--aws-account=123456789012", "--role=etl", f"--policy={self.policy}")
        self.options += (f"--policy-arn={managed_policy}",)
        (self.bin / "aws").symlink_to(str(AWS))

    def run(self, platform: str) -> subprocess.CompletedProcess[str]:
        return self.execute(self.setup(platform).stdout)

    def made(self) -> dict[str, Any]:
        """What there is of the role."""
        attached = self.iam.list_attached_role_policies(RoleName="etl")["AttachedPolicies"]
        inline = self.iam.get_role_policy(RoleName="etl", PolicyName="gcp-aws-bridge")
        return {
            "role": self.iam.get_role(RoleName="etl")["Role"],
            "inline": inline["PolicyDocument"],
            "attached": [one["PolicyName"] for one in attached],
        }

    def trust_policy(self) -> dict[str, Any]:
        return dict(self.iam.get_role(RoleName="etl")["Role"]["AssumeRolePolicyDocument"])


PERMISSIONS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::reports/${aws:userid}/it's",
        }
    ],
}


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1", **KEYS)
        made = iam.create_policy(PolicyName="read", PolicyDocument=json.dumps(PERMISSIONS))
        yield Clouds(tmp_path, url, made["Policy"]["Arn"])
    finally:
        moto_reset(url)
        server.stop()


def moto_reset(url: str) -> None:
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()


@each_platform
def test_script_creates_everything_and_can_be_run_again(clouds: Clouds, platform: str) -> None:
    before = clouds.setup(platform, "--check")
    assert 1 == before.returncode
    assert f"MISSING  trust policy of {ROLE}" in before.stdout
    assert "UNKNOWN" not in before.stdout
    clouds.put(DEPLOYED.get(platform, {}))
    first = clouds.run(platform)
    assert 0 == first.returncode, first.stderr
    state, made = clouds.state, clouds.made()
    assert PERMISSIONS == made["inline"]
    assert ["read"] == made["attached"]
    after = clouds.setup(platform, "--check")
    assert 0 == after.returncode, after.stdout + after.stderr
    assert {"ok"} == {line.split()[0] for line in after.stdout.split("\n\n")[0].splitlines()}
    again = clouds.run(platform)
    assert 0 == again.returncode, again.stderr
    assert (state, made) == (clouds.state, clouds.made())


def test_check_reports_a_changed_trust_policy(clouds: Clouds) -> None:
    assert 0 == clouds.run("gke").returncode
    policy = clouds.trust_policy()
    del policy["Statement"][0]["Condition"]["StringEquals"]["accounts.google.com:oaud"]
    clouds.iam.update_assume_role_policy(RoleName="etl", PolicyDocument=json.dumps(policy))
    done = clouds.setup("gke", "--check")
    assert 1 == done.returncode
    [line] = [one for one in done.stdout.splitlines() if one.startswith(("DIFFERS", "MISSING"))]
    assert f"DIFFERS  trust policy of {ROLE}" == line
    found = json.loads(clouds.setup("gke", "--check", "--json").stdout)
    states = {one["what"]: one["state"] for one in found["findings"]}
    assert (False, "differs") == (found["ok"], states.pop(f"trust policy of {ROLE}"))
    assert {"ok"} == {*states.values()}
    assert 0 == clouds.run("gke").returncode
    assert json.loads(clouds.setup("gke", "--check", "--json").stdout)["ok"]


CHAINED = (
    *("--chain=arn:aws:iam::210987654321:role/tenant", "--external-id=tenant-7"),
    *("--tag=tenant=seven of 9", "--source-identity=nightly"),
)


@each_platform
def test_script_allows_the_chained_role_and_prints_its_trust_policy(
    clouds: Clouds, platform: str
) -> None:
    clouds.put(DEPLOYED.get(platform, {}))
    done = clouds.execute(clouds.setup(platform, *CHAINED).stdout)
    assert 0 == done.returncode, done.stderr
    inline = clouds.iam.get_role_policy(RoleName="etl", PolicyName="gcp-aws-bridge-chain")
    [statement] = inline["PolicyDocument"]["Statement"]
    assert ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] == statement["Action"]
    assert '"aws:RequestTag/tenant": "seven of 9"' in done.stderr
    assert 0 == clouds.setup(platform, *CHAINED, "--check").returncode
    other = clouds.setup(platform, *CHAINED[:2], "--check").stdout
    assert "DIFFERS  inline policy gcp-aws-bridge-chain" in other


def test_audience_is_added_to_an_existing_provider(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto has no such operation; the AWS CLI and its model of it are real.
    added = []

    def add(response: Any) -> Any:
        added.append(response._get_param("ClientID"))
        return response.get_open_id_connect_provider()

    from moto.iam.responses import IamResponse

    name = "add_client_id_to_open_id_connect_provider"
    monkeypatch.setattr(IamResponse, name, add, raising=False)
    issuer = (
        "https://container.googleapis.com/v1/projects/my-project/locations/europe-west1"
        "/clusters/prod"
    )
    clouds.iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["another-client"])
    assert 0 == clouds.run("gke-issuer").returncode
    assert ["aws:123456789012:etl"] == added


def program_of(plan_text: str) -> tuple[str, dict[str, str]]:
    """What the pod of the Job runs, but for its pip, and its variables."""
    [container] = [
        one
        for document in yaml.safe_load_all(plan_text)
        if document["kind"] == "Job"
        for one in document["spec"]["template"]["spec"]["containers"]
    ]
    [line] = [line for line in container["args"][0].splitlines() if line.startswith("exec python")]
    variables = {one["name"]: one["value"] for one in container["env"]}
    return line.replace("exec python", f"exec {sys.executable}"), {
        name: value for name, value in variables.items() if name not in ("HOME", "PYTHONPATH")
    }


def test_created_role_admits_the_pod_and_the_test_job(clouds: Clouds, emulator: Emulator) -> None:
    assert 0 == clouds.run("gke").returncode
    emulator.add_role(ROLE, clouds.trust_policy())
    assert NUMBER == emulator.service_account.unique_id
    line, variables = program_of(clouds.setup("gke", "--format=kubernetes").stdout)
    environ = {**os.environ, **emulator.environ, **variables}
    done = subprocess.run(["sh", "-ec", line], capture_output=True, text=True, env=environ)
    assert "assumed-role/etl/" in done.stdout, done.stderr


def test_token_for_another_role_is_denied(clouds: Clouds, emulator: Emulator) -> None:
    assert 0 == clouds.run("gke").returncode
    emulator.add_role(ROLE, clouds.trust_policy())
    line, variables = program_of(clouds.setup("gke", "--format=kubernetes").stdout)
    environ = {**os.environ, **emulator.environ, **variables}
    environ["GCP_AWS_BRIDGE_AUDIENCE"] = "aws:123456789012:other"
    done = subprocess.run(["sh", "-ec", line], capture_output=True, text=True, env=environ)
    assert "[exchange/denied]" in done.stderr


def test_the_clusters_own_token_is_admitted(
    clouds: Clouds, emulator: Emulator, tmp_path: Path
) -> None:
    assert 0 == clouds.run("gke-issuer").returncode
    [provider] = clouds.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    made = clouds.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
    issuer = f"https://{made['Url'].removeprefix('https://')}"
    trusted = emulator.add_oidc_provider(issuer, client_ids=tuple(made["ClientIDList"]))
    assert provider["Arn"] == trusted.arn
    emulator.add_role(ROLE, clouds.trust_policy())
    line, variables = program_of(clouds.setup("gke-issuer", "--format=kubernetes").stdout)
    file = tmp_path / "token"
    audience = variables["GCP_AWS_BRIDGE_AUDIENCE"]
    file.write_text(trusted.mint("system:serviceaccount:data:etl", audience))
    line = line.replace("/var/run/secrets/aws/token", str(file))
    environ = {**os.environ, **emulator.environ, **variables}
    done = subprocess.run(["sh", "-ec", line], capture_output=True, text=True, env=environ)
    assert "assumed-role/etl/" in done.stdout, done.stderr


# -- what stops the script -------------------------------------------------------------------------


def test_nothing_is_created_in_another_aws_account(clouds: Clouds) -> None:
    clouds.options = tuple(
        "--aws-account=999999999999" if one.startswith("--aws-account") else one
        for one in clouds.options
    )
    done = clouds.run("gke")
    assert 1 == done.returncode
    assert "logged in to AWS account 123456789012, not 999999999999" in done.stderr
    assert {} == clouds.state


def test_node_pools_without_workload_identity_are_only_reported(clouds: Clouds) -> None:
    nodes = [
        {"name": "old", "config": {"workloadMetadataConfig": {"mode": "GCE_METADATA"}}},
        {"name": "new", "config": {"workloadMetadataConfig": {"mode": "GKE_METADATA"}}},
    ]
    clouds.put({"cluster": {"prod": {"nodePools": nodes}}})
    done = clouds.run("gke")
    assert 1 == done.returncode
    assert "gcloud container node-pools update old --cluster=prod" in done.stderr
    assert "update new" not in done.stderr
    pool = {"workloadPool": "my-project.svc.id.goog"}
    assert pool == clouds.state["cluster"]["prod"]["workloadIdentityConfig"]


def test_a_program_that_is_missing_is_named(clouds: Clouds) -> None:
    (clouds.bin / "kubectl").unlink()
    clouds.environ["PATH"] = str(clouds.bin)
    assert "setup: kubectl is not installed." in clouds.run("gke").stderr


def test_replaced_policy_is_shown(clouds: Clouds) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    before = {"Version": "2012-10-17", "Statement": [statement]}
    clouds.iam.create_role(RoleName="etl", AssumeRolePolicyDocument=json.dumps(before))
    done = clouds.run("gke")
    assert 0 == done.returncode
    assert "ec2.amazonaws.com" in done.stderr
    assert "ec2.amazonaws.com" not in json.dumps(clouds.trust_policy())


# -- the real gcloud -------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["europe-west1", "europe-west1-b"])
def test_real_gcloud_accepts_each_command(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis, location: str
) -> None:
    apis = real_gcloud
    clouds.options += (f"--location={location}",)
    assert "UNKNOWN" not in clouds.setup("gke", "--check").stdout
    first = clouds.run("gke")
    assert 0 == first.returncode, first.stderr
    made = (apis.accounts.copy(), apis.policies.copy(), clouds.trust_policy())
    again = clouds.run("gke")
    assert 0 == again.returncode, again.stderr
    assert made == (apis.accounts, apis.policies, clouds.trust_policy())
    after = clouds.setup("gke", "--check")
    assert 0 == after.returncode, after.stdout
    made_once = f"POST /v1/projects/my-project/locations/{location}/clusters"
    assert 1 == apis.requests.count(made_once)
    assert not (clouds.folder / ".kube").exists()  # the reader's own kubeconfig


READY = {"conditions": [{"type": "Ready", "status": "True"}], "observedGeneration": 1}
IMAGE = {"containers": [{"image": "europe-west1-docker.pkg.dev/my-project/etl/etl"}]}


def knative(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1" if kind == "Service" else "run.googleapis.com/v1",
        "kind": kind,
        "metadata": {"name": "reports", "namespace": "my-project", "generation": 1},
        "spec": {"template": {"metadata": {"annotations": {}}, "spec": spec}},
        "status": READY,
    }


# As the APIs have them, by the end of the path; with other accounts.
RESOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "compute-engine": ("/zones/europe-west1-b/instances/batch", {"serviceAccounts": [{}]}),
    "cloud-run": ("/namespaces/my-project/services/reports", knative("Service", IMAGE)),
    "cloud-run-job": (
        "/namespaces/my-project/jobs/reports",
        knative("Job", {"template": {"spec": IMAGE}}),
    ),
    "cloud-functions": ("/locations/europe-west1/functions/reports", {"serviceConfig": {}}),
    "dataproc": ("/regions/europe-west1/clusters/reports", {"config": {"gceClusterConfig": {}}}),
    "workbench": ("/locations/europe-west1-b/instances/reports", {"gceSetup": {}}),
    "cloud-build": (
        "/locations/global/triggers/reports",
        {"name": "reports", "github": {"owner": "o", "name": "r", "push": {"branch": "^main$"}}},
    ),
    "composer": ("/locations/europe-west1/environments/reports", {"config": {"nodeConfig": {}}}),
}
UPDATED = {"cloud-run", "cloud-run-job", "cloud-build"}


def runs_as(platform: str, found: dict[str, Any]) -> None:
    """Set the account of a deployed resource."""
    if platform in UPDATED or platform not in RESOURCES:
        return
    *path, last = PLATFORM_TABLE[platform].account_path
    for step in path:
        if step == "serviceAccounts":
            found[step] = [{}]
        found = found[step]
    found[last] = GSA


@pytest.mark.sampled(5)
@pytest.mark.parametrize("platform", [one for one in PLATFORMS if one not in ("gke", "gke-issuer")])
def test_real_gcloud_runs_the_script_for_each_platform(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis, platform: str
) -> None:
    before = clouds.setup(platform, "--check").stdout
    assert "UNKNOWN" not in before
    if platform in RESOURCES:
        assert "MISSING  account of " in before
    path, found = RESOURCES.get(platform, ("", {}))
    real_gcloud.resources[path] = found = json.loads(json.dumps(found))
    runs_as(platform, found)
    done = clouds.run(platform)
    assert 0 == done.returncode, done.stderr
    assert "does not exist yet" not in done.stderr
    assert "create" not in done.stderr or platform not in RESOURCES
    after = clouds.setup(platform, "--check")
    assert 0 == after.returncode, after.stdout
    assert len(real_gcloud.bodies) == (platform in UPDATED)


def test_real_gcloud_changes_only_the_account_of_a_trigger(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis
) -> None:
    path, found = RESOURCES["cloud-build"]
    real_gcloud.resources[path] = dict(found)
    assert 0 == clouds.run("cloud-build").returncode
    [(body, query)] = real_gcloud.bodies
    assert {"serviceAccount": f"projects/my-project/serviceAccounts/{GSA}"} == body
    assert ["service_account"] == query["updateMask"]


def test_real_gcloud_keeps_the_variables_of_a_job(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis
) -> None:
    path, found = RESOURCES["cloud-run-job"]
    real_gcloud.resources[path] = found = json.loads(json.dumps(found))
    [container] = found["spec"]["template"]["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "MINE", "value": "kept"}]
    assert 0 == clouds.run("cloud-run-job").returncode
    [(body, _)] = real_gcloud.bodies
    [container] = body["spec"]["template"]["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert {"MINE": "kept", "GCP_AWS_BRIDGE_ROLE_ARN": ROLE} == {
        name: variables[name] for name in ("MINE", "GCP_AWS_BRIDGE_ROLE_ARN")
    }


PRINTED = {
    "dataproc": ["clusters create", "jobs submit"],
    "vertex-ai": ["custom-jobs create"],
    "workbench": ["instances create"],
    "cloud-build": ["builds submit"],
    "composer": ["environments create", *["environments update"] * 3],
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("platform", PRINTED)
def test_real_gcloud_accepts_the_printed_commands(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis, platform: str
) -> None:
    said = clouds.run(platform).stderr.replace("\\\n", " ")
    printed = re.findall(r"^  (gcloud .*)$", said, re.M)
    assert all(part in one for part, one in zip(PRINTED[platform], printed, strict=True))
    (clouds.folder / "job.yaml").write_text(JOB + "".join(re.findall("^    .*\n", said, re.M)))
    (clouds.folder / "JOB.py").write_text("print()")
    for command in printed:
        done = clouds.execute(command)
        # Status 2 is for options that gcloud does not accept; none of the resources exists here.
        assert 1 == done.returncode, f"{command}\n{done.stderr}"
        assert "crashed" not in done.stderr


PAGE = "how-to/managed-runtimes.md"
COMMANDS = [
    command
    for block in blocks_of(PAGE, "sh")
    if "tests/clients/test_setup.py" in block.not_run
    for command in re.findall(r"^gcloud (?:.*\\\n)*.*", block.code, re.M)
]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("command", COMMANDS)
def test_real_gcloud_accepts_the_commands_of_the_page(
    clouds: Clouds, real_gcloud: google_apis.GoogleApis, command: str
) -> None:
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", text, re.M | re.S))
    for name, content in {**files, "job.py": "print()"}.items():
        (clouds.folder / name).write_text(content)
    done = clouds.execute(command)
    # Status 2 is for options that gcloud does not accept; none of the resources exists here.
    assert 1 == done.returncode, done.stderr
    assert "crashed" not in done.stderr
    [name] = [one for one in files if re.search(rf"[= ]{one}", command)] or [""]
    if name:  # what gcloud has read from the file is what it sends
        sent = json.dumps(real_gcloud.posted[-1][1])
        for image in re.findall(
            r"(?:image|imageUri|name): (europe-west1-docker\S+|python:\S+)", files[name]
        ):
            assert image in sent
        assert GSA in sent
        assert ROLE in sent


JOB = """\
workerPoolSpecs:
- machineSpec: {machineType: n1-standard-4}
  replicaCount: 1
  containerSpec:
    imageUri: europe-west1-docker.pkg.dev/my-project/etl/etl
"""
