"""The files and code of docs/how-to/managed-runtimes.md, with the emulator as both clouds."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import google.auth.iam
import pytest
from pages import DOCS, blocks_of, programs, run_page

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.provision.names import checked

yaml = pytest.importorskip("yaml")

PAGE = "how-to/managed-runtimes.md"
ROLE = "arn:aws:iam::123456789012:role/etl"
GSA = "etl-runner@my-project.iam.gserviceaccount.com"
APP = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
SESSION = ":assumed-role/etl/"

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="not in a source checkout")


def files() -> dict[str, str]:
    """The blocks that the page names as files."""
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    return dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", text, re.M | re.S))


def python(containing: str) -> str:
    """The block of Python with this text."""
    [found] = [one.code for one in blocks_of(PAGE, "python") if containing in one.code]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program, and the trust policy that the page's command writes."""
    folder = tmp_path_factory.mktemp("page")
    run_page(PAGE, folder, programs(folder / "bin"))
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture
def admitted(pod: Emulator, folder: Path) -> Path:
    """The same folder; the role has the trust policy."""
    pod.add_role(ROLE, (folder / "policy.json").read_text())
    return folder


def run(command: list[str], env: dict[str, str], folder: Path) -> str:
    environ = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", **env}
    environ["AWS_DEFAULT_REGION"] = "us-east-1"
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=folder)
    assert 0 == done.returncode, done.stderr
    return done.stdout


# -- containers ------------------------------------------------------------------------------------


def container_spec(name: str) -> dict[str, Any]:
    """The part of a file that is a PodSpec of Kubernetes, in Cloud Run's form of Knative."""
    found = yaml.safe_load(files()[name])["spec"]["template"]["spec"]
    return dict(found["template"]["spec"] if "template" in found else found)


CONTAINERS = {
    "service.yaml": lambda: container_spec("service.yaml")["containers"][0],
    "job.yaml": lambda: container_spec("job.yaml")["containers"][0],
    "custom-job.yaml": lambda: yaml.safe_load(files()["custom-job.yaml"])["workerPoolSpecs"][0][
        "containerSpec"
    ],
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_command_of_the_container_has_the_role(name: str, admitted: Path) -> None:
    container = CONTAINERS[name]()
    env = {one["name"]: one["value"] for one in container["env"]}
    assert SESSION in run([*container["command"], *container["args"]], env, admitted)


@pytest.mark.parametrize("name", ["service.yaml", "job.yaml"])
def test_containers_match_the_schema_of_kubernetes(name: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    spec = container_spec(name)
    for container in spec["containers"]:
        container["name"] = "one"  # which Cloud Run adds
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
    assert checked("gsa", GSA) == spec["serviceAccountName"]


def test_step_of_the_build_has_the_role(admitted: Path) -> None:
    build = yaml.safe_load(files()["cloudbuild.yaml"])
    [step] = build["steps"]
    assert "CLOUD_LOGGING_ONLY" == build["options"]["logging"]
    assert f"projects/my-project/serviceAccounts/{GSA}" == build["serviceAccount"]
    script = admitted / "step"
    script.write_text(re.sub(r"(?m)^pip install .*\n", "", step["script"]))
    script.chmod(0o755)
    env = dict(pair.split("=", 1) for pair in build["options"]["env"])
    assert SESSION in run([str(script)], env, admitted)


# -- code ------------------------------------------------------------------------------------------


@pytest.fixture
def variables(admitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.setenv("GCP_AWS_BRIDGE_AUDIENCE", "aws:123456789012:etl")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.mark.usefixtures("variables")
def test_function_has_the_role(pod: Emulator) -> None:
    names: dict[str, Any] = {}
    try:
        exec(files()["main.py"], names)
        assert SESSION in names["reports"](None)
        assert SESSION in names["reports"](None)
    finally:
        bridge.uninstall()
    assert 3 == len(pod.sts.requests)  # one exchange for both


def test_notebook_has_the_role(
    admitted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    exec(python("print(session.client"), {})
    assert SESSION in capsys.readouterr().out


def test_account_that_impersonates_itself_has_the_role(
    pod: Emulator, admitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    account = pod.service_account.email
    pod.add_google_service_account(account, token_creators=[f"serviceAccount:{account}"])
    endpoint = f"{pod.iam_credentials.url}/v1/projects/-/serviceAccounts/{{}}:generateIdToken"
    monkeypatch.setattr(google.auth.iam, "_IAM_IDTOKEN_ENDPOINT", endpoint)
    names: dict[str, Any] = {}
    exec(python("impersonate=").replace(GSA, account), names)
    assert SESSION in names["session"].client("sts").get_caller_identity()["Arn"]
    # So the permission for ID tokens is enough: no access token of the account was requested.
    assert ["generateIdToken"] == [
        one.path.rpartition(":")[2] for one in pod.iam_credentials.requests
    ]
    assert "identity" not in "".join(one.path for one in pod.metadata.requests)
