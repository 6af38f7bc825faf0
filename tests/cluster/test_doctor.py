"""The doctor in pods of a real API server, and the kubectl commands by which it is run there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster.kubelet import IMAGE, Kubelet
from cluster.kubernetes import _ADMIN, ApiServer
from kubernetes_objects import patched

from gcp_aws_bridge.doctor import injected
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.inject import Settings, inject
from gcp_aws_bridge.policy import build

KUBECTL = shutil.which("kubectl")
ROLE = "arn:aws:iam::123456789012:role/etl"


@pytest.mark.skipif(not KUBECTL, reason="no kubectl here")
@pytest.mark.parametrize("method", ["cluster-token", "google-cloud"])
def test_copy_of_a_pod_has_the_variables_and_volumes_of_the_webhook(
    api: ApiServer, method: str, tmp_path: Path
) -> None:
    provider = "projects/1/locations/global/workloadIdentityPools/pods/providers/etl"
    annotations = {
        "cluster-token": {"gcp-aws-bridge/role-arn": ROLE},
        "google-cloud": {"gcp-aws-bridge/google-provider": provider},
    }[method]
    sent: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"copied-{method}", "namespace": "data"},
        "spec": {
            "serviceAccountName": "default",
            "containers": [{"name": "app", "image": "app:1", "args": ["x"]}],
        },
    }
    stored = api.create(patched(sent, inject(sent, annotations, Settings()).patch))
    copy = f"{method}-doctor"
    names = {"POD": f"copied-{method}", "CONTAINER": "app", "IMAGE": "bridge:1"}
    command = injected.COPY.replace(" -it", "").replace("POD-doctor", copy)
    for placeholder, name in names.items():
        command = command.replace(placeholder, name)
    kubectl, *arguments = shlex.split(command)
    assert "kubectl" == kubectl
    options = [f"--server={api.url}", f"--token={_ADMIN}", "--namespace=data"]
    options += ["--insecure-skip-tls-verify", f"--kubeconfig={os.devnull}"]
    done = subprocess.run(
        [str(KUBECTL), *options, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},  # for its cache
    )
    assert 0 == done.returncode, done.stderr
    made = api.request("GET", f"/api/v1/namespaces/data/pods/{copy}")
    [before], [container] = stored["spec"]["containers"], made["spec"]["containers"]
    assert ["gcp-aws-bridge", "doctor"] == container["command"]
    assert "bridge:1" == container["image"]
    assert before["env"] == container["env"]
    assert before["volumeMounts"] == container["volumeMounts"]
    assert stored["spec"]["volumes"] == made["spec"]["volumes"]


DOCTOR = [sys.executable, "-m", "gcp_aws_bridge", "doctor", "--timeout=30"]
SETTINGS = Settings(image=IMAGE, native_sidecars=False, status_host="127.0.0.1")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("method", ["cluster-token", "google"])
def test_every_step_works_in_an_annotated_pod(
    api: ApiServer, cloud: Emulator, tmp_path: Path, method: str
) -> None:
    """Without the changes of the other tests: the folders and ports are those of a cluster."""
    annotations = {"gcp-aws-bridge/role-arn": ROLE, "gcp-aws-bridge/region": "us-east-1"}
    subject = f"system:serviceaccount:data:{method}"
    cluster = {"issuer": api.url, "subjects": [subject], "account_id": "123456789012"}
    accounts = {"service_accounts": [cloud.service_account.unique_id]}
    who = cluster if method == "cluster-token" else accounts
    if method == "google":
        annotations["iam.gke.io/gcp-service-account"] = cloud.service_account.email
        cloud.add_role(ROLE, build(audience="sts.amazonaws.com", **who))  # type: ignore[arg-type]
    else:
        key = api.url.removeprefix("https://")  # with a port, which IAM does not accept
        trust = build(audience="sts.amazonaws.com", **{**who, "issuer": "https://host"})  # type: ignore[arg-type]
        text = json.dumps(trust).replace("/host", f"/{key}").replace("host:", f"{key}:")
        cloud.add_role(ROLE, json.loads(text))
    sent: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"doctor-{method}", "namespace": "data"},
        "spec": {
            "serviceAccountName": method,
            "securityContext": {"runAsUser": 65532},
            "containers": [{"name": "app", "image": "app:1", "command": DOCTOR}],
        },
    }
    api.account(method, annotations)
    stored = api.create(patched(sent, inject(sent, annotations, SETTINGS).patch))
    found = Kubelet(api, tmp_path, cloud.environ).run(stored)
    assert found.startswith("All well: every step works.\n"), found
    assert f"injected  {method}: " in found
    assert "AWS says: arn:aws:sts::123456789012:assumed-role/etl/" in found
