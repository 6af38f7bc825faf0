"""A real Kubernetes API server with etcd, on loopback, and a client for it.

kube-apiserver and etcd must be on the path; KUBE_APISERVER may be the path of the former. There is
no kubelet, scheduler or controller: `kubelet` runs the pods.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from integration.seaweed import free_ports

_STARTS_WITHIN_S = 120.0
_ADMIN = "admin-of-the-test"


def missing() -> str:
    """Return why there is no API server here; empty if there is one."""
    if not _apiserver():
        return "kube-apiserver is not on the path, and KUBE_APISERVER is not set"
    return "" if shutil.which("etcd") else "etcd is not on the path (Debian: etcd-server)"


def _apiserver() -> str | None:
    return shutil.which(os.environ.get("KUBE_APISERVER", "kube-apiserver"))


class Rejected(Exception):
    """An error of the API server, with its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class ApiServer:
    """Client of the API server.

    Attributes:
        url: Address, which is the issuer of its tokens too.
        ca: PEM file with the authority of its certificate.
        authority: That authority.
        warnings: Warnings in answers, as `kubectl` shows them.
    """

    def __init__(self, url: str, ca: Path, authority: trustme.CA) -> None:
        self.url, self.ca, self.authority = url, ca, authority
        self.warnings: list[str] = []
        self._pool = urllib3.PoolManager(ca_certs=str(ca), maxsize=20, block=True)

    def request(self, method: str, path: str, body: Any = None, *, token: str = _ADMIN) -> Any:
        """Return the answer to a request.

        Raises:
            Rejected: It is an error.
        """
        answer = self._pool.request(
            method,
            f"{self.url}{path}",
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            retries=False,
        )
        self.warnings += answer.headers.getlist("Warning")
        text = answer.data.decode()
        if answer.status >= 400:
            with contextlib.suppress(ValueError):
                text = json.loads(text)["message"]
            raise Rejected(answer.status, text)
        return json.loads(text) if text.startswith("{") else text

    def create(self, document: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return what is stored."""
        plural = f"{document['kind'].lower()}s"
        version = document["apiVersion"]
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        if namespace := document["metadata"].get("namespace"):
            root = f"{root}/namespaces/{namespace}"
        return self.request("POST", f"{root}/{plural}", document)

    def account(self, name: str, annotations: dict[str, str], namespace: str = "data") -> None:
        """Create a service account."""
        about = {"name": name, "namespace": namespace, "annotations": annotations}
        self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about})

    def token(
        self, namespace: str, account: str, audience: str = "kubernetes", seconds: int = 3600
    ) -> str:
        """Return a token of a service account, as a kubelet requests it."""
        spec = {"audiences": [audience], "expirationSeconds": seconds}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return self.request("POST", path, request)["status"]["token"]


@contextlib.contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Run etcd and the API server until the end of the block."""
    port, etcd, peers = free_ports(3)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    _signing_key(folder)
    (folder / "tokens.csv").write_text(f"{_ADMIN},admin,admin,system:masters\n")
    url = f"https://127.0.0.1:{port}"
    with (
        _running(folder, "etcd", *_etcd_options(folder, etcd, peers)),
        _running(folder, _apiserver() or "", *_options(folder, port, etcd)),
    ):
        api = ApiServer(url, folder / "ca.crt", authority)
        _wait_until_ready(api, folder)
        _publish_keys(api)
        yield api


def _signing_key(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)


def _etcd_options(folder: Path, port: int, peers: int) -> list[str]:
    url, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    return [
        f"--data-dir={folder / 'etcd-data'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _options(folder: Path, port: int, etcd: int) -> list[str]:
    issuer = f"https://127.0.0.1:{port}"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={folder / 'tls.crt'}",
        f"--tls-private-key-file={folder / 'tls.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={issuer}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        f"--service-account-key-file={folder / 'sa.pub'}",
        "--api-audiences=kubernetes",
        # No controller creates the default account of a namespace.
        "--disable-admission-plugins=ServiceAccount",
    ]


@contextlib.contextmanager
def _running(folder: Path, program: str, *options: str) -> Iterator[None]:
    log = folder / f"{Path(program).name}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen([program, *options], stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def _wait_until_ready(api: ApiServer, folder: Path) -> None:
    stop = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < stop:
        with contextlib.suppress(Rejected, urllib3.exceptions.HTTPError):
            if api.request("GET", "/readyz") == "ok":
                return
        time.sleep(0.2)
    log = (folder / "kube-apiserver.log").read_text(errors="replace")
    raise RuntimeError(f"The API server did not start.\n{log[-4000:]}")


def _publish_keys(api: ApiServer) -> None:
    """Let everyone read the keys of the issuer, as clusters with a public issuer do."""
    api.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "public-issuer"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:service-account-issuer-discovery",
            },
            "subjects": [
                {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Group",
                    "name": "system:unauthenticated",
                }
            ],
        }
    )
