"""Annotated pods in a real API server, which list a bucket of the other cloud."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cluster.conftest import NAMESPACE, Webhook
from cluster.kubelet import IMAGE, Kubelet
from cluster.kubernetes import ApiServer, Rejected
from google_cloud.conftest import ASSUMED, CONDITION, SHORT
from integration.seaweed import CLUSTER_ROLE
from integration.seaweed import ROLE as GOOGLE_ROLE
from kubernetes_objects import check, patched

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.inject import LABEL, Settings, inject

CLIENTS = Path(__file__).parents[1] / "clients/programs"
PROGRAMS = Path(__file__).parent / "programs"
ROLE = "gcp-aws-bridge/role-arn"
LINKED = {"iam.gke.io/gcp-service-account": "pod@my-project.iam.gserviceaccount.com"}
# As the fixture starts the webhook with an API server that has no native sidecars.
SETTINGS = Settings(image=IMAGE, region="us-east-1", native_sidecars=False, status_host="127.0.0.1")
NODE = shutil.which("node") and os.environ.get("NODE_PACKAGES")
numbers = iter(range(1_000_000))


def pod(account: str, *command: str, labels: bool = True, **spec: Any) -> dict[str, Any]:
    name = f"{account}-{next(numbers)}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "data",
            "labels": {LABEL: "true"} if labels else {},
        },
        "spec": {
            "serviceAccountName": account,
            "securityContext": {"runAsUser": 65532},
            "containers": [{"name": "app", "image": "app:1", "command": [*command]}],
            **spec,
        },
    }


@pytest.fixture(scope="session")
def accounts(api: ApiServer, webhook: Webhook) -> dict[str, dict[str, str]]:
    """Create the service accounts, and return their annotations."""
    found = {
        "cluster": {ROLE: CLUSTER_ROLE},
        "linked": LINKED | {ROLE: GOOGLE_ROLE},
        "plain": {},
        "broken": {ROLE: "etl"},
    }
    for name, of_account in found.items():
        api.account(name, of_account)
    return found


# -- what is stored ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cluster", "linked"])
def test_stored_pod_has_the_patch_that_inject_computes(
    api: ApiServer, accounts: dict[str, dict[str, str]], name: str
) -> None:
    sent = pod(name, "true")
    stored = api.create(sent)
    expected = patched(sent, inject(sent, accounts[name], SETTINGS).patch)
    check(expected, "1.25")
    assert is_within(expected["spec"], stored["spec"])
    assert len(stored["spec"]["containers"]) == len(expected["spec"]["containers"])


def is_within(expected: Any, stored: Any) -> bool:
    """Return whether *stored* is *expected*, with the defaults of the API server."""
    if isinstance(expected, dict):
        return all(key in stored and is_within(one, stored[key]) for key, one in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(stored) and all(map(is_within, expected, stored))
    return bool(expected == stored)


def test_pods_without_label_or_annotation_are_unchanged(
    api: ApiServer, accounts: dict[str, dict[str, str]]
) -> None:
    for sent in (pod("cluster", "true", labels=False), pod("plain", "true")):
        stored = api.create(sent)
        assert "env" not in stored["spec"]["containers"][0]
        assert "volumes" not in stored["spec"]


def test_client_gets_warnings_and_errors(
    api: ApiServer, accounts: dict[str, dict[str, str]]
) -> None:
    api.warnings.clear()
    stored = api.create(pod("linked", "true", hostNetwork=True))
    assert len(stored["spec"]["containers"]) == 1
    assert "gcp-aws-bridge: no credentials: the pod uses hostNetwork" in api.warnings[0]
    with pytest.raises(Rejected, match=r'"etl" is not the ARN of an IAM role'):
        api.create(pod("broken", "true"))
    with pytest.raises(Rejected, match="absent"):
        api.create(pod("absent", "true"))


def test_webhook_may_only_read_service_accounts(api: ApiServer, webhook: Webhook) -> None:
    token = api.token(NAMESPACE, "webhook")
    name = "/api/v1/namespaces/data/serviceaccounts/cluster"
    assert api.request("GET", name, token=token)["metadata"]["name"] == "cluster"
    for path in ("serviceaccounts", "secrets", "pods", "namespaces/data/secrets/x"):
        with pytest.raises(Rejected, match="forbidden"):
            api.request("GET", f"/api/v1/{path}", token=token)


# -- from Google to AWS --------------------------------------------------------------------------

AWS_PROGRAMS = {
    "AWS CLI": (["aws", "s3", "ls", "s3://bucket"], "word"),
    "boto3": ([sys.executable, str(CLIENTS / "boto.py")], "hello"),
    "JavaScript": (["node", str(CLIENTS / "s3.cjs"), "default"], "hello"),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("program", AWS_PROGRAMS)
@pytest.mark.parametrize("account", ["cluster", "linked"])
def test_an_annotated_pod_lists_a_bucket_of_aws(
    api: ApiServer,
    accounts: dict[str, dict[str, str]],
    kubelet: Kubelet,
    account: str,
    program: str,
) -> None:
    command, expected = AWS_PROGRAMS[program]
    if not shutil.which(command[0]) or (program == "JavaScript" and not NODE):
        pytest.skip(f"{program} is not installed")
    stored = api.create(pod(account, *command))
    assert expected in kubelet.run(stored, stdin="\n")


# Each prints an access key id, or the ARN of the session.
CALLERS = {
    "AWS CLI": ["aws", "sts", "get-caller-identity"],
    "boto3": [
        *(sys.executable, "-c"),
        'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])',
    ],
    "JavaScript": ["node", str(CLIENTS / "credentials.cjs")],
}


@pytest.mark.parametrize("program", CALLERS)
@pytest.mark.parametrize("account", ["cluster", "linked"])
def test_the_emulated_sts_accepts_the_pod_too(
    api: ApiServer,
    accounts: dict[str, dict[str, str]],
    cloud: Emulator,
    node: dict[str, str],
    tmp_path: Path,
    account: str,
    program: str,
) -> None:
    command = CALLERS[program]
    if not shutil.which(command[0]) or (program == "JavaScript" and not NODE):
        pytest.skip(f"{program} is not installed")
    role = accounts[account][ROLE]
    if account == "cluster":
        key = api.url.removeprefix("https://")
        admitted = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{key}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{key}:aud": "sts.amazonaws.com",
                    f"{key}:sub": "system:serviceaccount:data:cluster",
                }
            },
        }
        cloud.add_role(role, {"Version": "2012-10-17", "Statement": [admitted]})
    else:
        cloud.add_role(role)
    kubelet = Kubelet(api, tmp_path, {**node, "AWS_ENDPOINT_URL_STS": cloud.sts.url})
    printed = kubelet.run(api.create(pod(account, *command)))
    if program == "JavaScript":
        key = cloud.key(json.loads(printed)["key"])
        assert key is not None
        printed = key.caller.arn
    assert f":assumed-role/{role.rpartition('/')[2]}/" in printed


# -- from AWS to Google --------------------------------------------------------------------------

GOOGLE_PROGRAMS = {
    "google-cloud-storage": [sys.executable, "-W", "ignore", str(PROGRAMS / "blobs.py")],
    "gcsfs": [sys.executable, "-W", "ignore", str(PROGRAMS / "files.py")],
    "JavaScript": ["node", str(PROGRAMS / "objects.cjs")],
}
ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"


@pytest.fixture
def google(
    cloud: Emulator, api: ApiServer, node: dict[str, str], tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Emulate Cloud Storage; return the provider of each method, and set the node's addresses."""
    pytest.importorskip("gcp_storage_emulator")
    apis = pytest.importorskip("google_cloud.apis", exc_type=ImportError)
    cluster = cloud.add_google_provider_for_oidc(api.url, pool="cluster")
    cluster.issuer.publish_keys_of(api.request("GET", "/openid/v1/jwks", token=""))
    eks = cloud.add_aws_provider(pool="eks", attribute_mapping=SHORT, attribute_condition=CONDITION)
    members = [
        cluster.principal("system:serviceaccount:data:publisher"),
        eks.principal_set("attribute.aws_role", ASSUMED),
    ]
    cloud.add_google_service_account(ACCOUNT, members, token_creators=members)
    with apis.storage(cloud) as (url, bearers):
        node["API_ENDPOINT_OVERRIDE"] = url
        # Otherwise gcsfs looks for its emulated bucket at Google's gRPC endpoint for a minute.
        node["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
        for name in [name for name in node if name.startswith("GCE_METADATA")]:
            del node[name]  # EKS has no metadata server of Google
        yield {"google-cloud": cluster.audience, "google-serve": eks.audience}
        assert {ACCOUNT} == {*bearers.seen}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("program", GOOGLE_PROGRAMS)
@pytest.mark.parametrize("method", ["google-cloud", "google-serve"])
def test_an_annotated_pod_lists_a_bucket_of_google(
    api: ApiServer,
    webhook: Webhook,
    cloud: Emulator,
    node: dict[str, str],
    google: dict[str, str],
    tmp_path: Path,
    method: str,
    program: str,
) -> None:
    command = GOOGLE_PROGRAMS[program]
    if program == "JavaScript" and not NODE:
        pytest.skip("google-auth-library for JavaScript is not installed")
    annotations = {
        "gcp-aws-bridge/google-provider": google[method],
        "gcp-aws-bridge/google-service-account": ACCOUNT,
        "gcp-aws-bridge/method": method,
    }
    if method == "google-serve":  # the identity that EKS gives every container of a pod
        arn = "arn:aws:iam::123456789012:role/etl"
        cloud.add_role(arn, cloud.trust_policy_for_service("pods.eks.amazonaws.com"))
        node.update(cloud.eks_pod(arn, tmp_path))
    with contextlib.suppress(Rejected):
        api.account("publisher", {})
    sent = pod("publisher", *command)
    sent["metadata"]["annotations"] = annotations
    assert Kubelet(api, tmp_path, node).run(api.create(sent)).strip() == "word"


# -- operation -----------------------------------------------------------------------------------


def test_a_new_certificate_is_served_without_a_restart(
    api: ApiServer, webhook: Webhook, accounts: dict[str, dict[str, str]]
) -> None:
    before = webhook.certificate()
    webhook.new_certificate()
    stop = time.monotonic() + 60
    while webhook.certificate() == before:
        assert "volumes" in api.create(pod("cluster", "true"))["spec"]
        assert time.monotonic() < stop
    assert "volumes" in api.create(pod("cluster", "true"))["spec"]


@pytest.mark.timeout(300)
def test_a_burst_of_1000_pods_loses_none(
    api: ApiServer,
    webhook: Webhook,
    accounts: dict[str, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = webhook.answers()
    with ThreadPoolExecutor(20) as threads:
        stored = list(threads.map(api.create, [pod("cluster", "true") for _ in range(1000)]))
    assert [one for one in stored if "volumes" not in one["spec"]] == []
    after = webhook.answers()
    counted = {limit: after[limit] - before[limit] for limit in after}
    assert counted[float("inf")] == 1000
    with capsys.disabled():
        print(f"\nanswers of the webhook within s: {counted}")


def test_without_the_webhook_labeled_pods_are_rejected(
    api: ApiServer, webhook: Webhook, accounts: dict[str, dict[str, str]]
) -> None:
    webhook.stop()
    try:
        with pytest.raises(Rejected, match=r"failed calling webhook .*gcp-aws-bridge") as caught:
            api.create(pod("cluster", "true"))
        assert caught.value.status == 500
        assert api.create(pod("cluster", "true", labels=False))
    finally:
        webhook.start()
    assert "volumes" in api.create(pod("cluster", "true"))["spec"]
