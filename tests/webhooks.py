"""What tests of the webhook need: certificates, reviews, and the API server's side of requests."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import trustme

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
SECRET = "hunter2-of-the-database"
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "etl-"},
    "spec": {
        "serviceAccountName": "etl",
        "containers": [
            {"name": "app", "image": "app:1", "env": [{"name": "PASSWORD", "value": SECRET}]}
        ],
    },
}


class TlsFiles:
    """The files of a mounted secret of type kubernetes.io/tls.

    Attributes:
        authority: The authority of every certificate.
        certificate: Path of tls.crt.
        key: Path of tls.key.
    """

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.authority = authority
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"

    def issue(self) -> trustme.LeafCert:
        return self.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)

    def write(self, leaf: trustme.LeafCert) -> None:
        self.certificate.write_bytes(b"".join(one.bytes() for one in leaf.cert_chain_pems))
        self.key.write_bytes(leaf.private_key_pem.bytes())

    def server(self) -> ssl.SSLContext:
        """Return a context for a server with a certificate of its own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.issue().configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        """Return a context for a client that trusts only the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context


def der(leaf: trustme.LeafCert) -> bytes:
    """Return the certificate itself, as the client of a connection sees it."""
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def review(**changes: Any) -> dict[str, Any]:
    """Return a review for `POD`, with *changes* to its request; `...` removes a member."""
    request = {
        "uid": UID,
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "data",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": POD,
        "oldObject": None,
        "dryRun": False,
        **changes,
    }
    kept = {name: value for name, value in request.items() if value is not ...}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": kept}


class Answer(NamedTuple):
    """An HTTP answer. `body` is the text, or the response in a review."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def patch(self) -> Any:
        return json.loads(base64.b64decode(self.body["patch"]))


class ApiServer:
    """One connection as kube-apiserver's to a webhook, which stays open."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        host = url.removeprefix("https://")
        self._connection = http.client.HTTPSConnection(host, timeout=20, context=tls)

    def close(self) -> None:
        self._connection.close()

    @property
    def certificate(self) -> bytes:
        """The certificate of the webhook on this connection."""
        if self._connection.sock is None:
            self._connection.connect()
        found = self._connection.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]
        assert found is not None
        return found

    def post(
        self,
        body: bytes,
        *,
        method: str = "POST",
        path: str = "/mutate?timeout=5s",
        content_type: str | None = "application/json",
    ) -> Answer:
        headers = {"Accept": "application/json, */*"}
        if content_type is not None:
            headers["Content-Type"] = content_type
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answer.read().decode(), found)

    def ask(self, **changes: Any) -> Answer:
        """Send `review(**changes)`, and return its response."""
        answer = self.post(json.dumps(review(**changes)).encode() + b"\n")
        assert (200, "application/json") == (answer.status, answer.headers["content-type"])
        document = json.loads(answer.body)
        assert ("admission.k8s.io/v1", "AdmissionReview") == (
            document["apiVersion"],
            document["kind"],
        )
        assert UID == document["response"]["uid"]
        return answer._replace(body=document["response"])
