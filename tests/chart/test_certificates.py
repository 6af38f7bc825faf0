"""The webhook's certificate is one that the API server accepts, and stays until it is replaced.

`lookup` finds nothing in `helm template`; `--dry-run=server` asks the API server of conftest.py.
The objects of cert-manager have no schema here: these tests name the fields that matter.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from .conftest import ApiServer
from .files import CHART
from .helm import Document, Rejected, one, pod_of, render, run_helm

HOST = "bridge-gcp-aws-bridge.aws-bridge.svc"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def installed(server: ApiServer, **certificates: Any) -> list[Document]:
    """Return what Helm would install in a cluster, and keep its Secret there."""
    documents = rendered(server, **certificates)
    server.keep(one(documents, "Secret"))
    return documents


def rendered(server: ApiServer, **certificates: Any) -> list[Document]:
    command = ["template", "bridge", str(CHART), "--namespace=aws-bridge", "--dry-run=server"]
    command += ["--is-upgrade"] if server.secrets else []
    text = run_helm(
        *command,
        "--disable-openapi-validation",
        f"--kubeconfig={server.kubeconfig}",
        values={"certificates": certificates},
        env={"HOME": str(server.kubeconfig.parent)},  # for what Helm learns of the API server
    )
    return [document for document in yaml.safe_load_all(text) if document]


def trusted(documents: list[Document]) -> str:
    """Return the certificates that the API server trusts, in PEM."""
    [webhook] = one(documents, "MutatingWebhookConfiguration")["webhooks"]
    return base64.b64decode(webhook["clientConfig"]["caBundle"]).decode()


def decoded(documents: list[Document]) -> dict[str, str]:
    data = one(documents, "Secret")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def connect(serves: list[Document], trusts: str, folder: Path, host: str = HOST) -> None:
    """Perform a TLS handshake in memory, as the API server does with the pods."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, text in decoded(serves).items():
        (folder / name).write_text(text, encoding="utf-8")
    server.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cadata=trusts).wrap_bio(
        to_client, to_server, server_hostname=host
    )
    peer = server.wrap_bio(to_server, to_client, server_side=True)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.do_handshake()
    client.do_handshake()
    peer.do_handshake()


def test_api_server_accepts_the_self_signed_certificate(tmp_path: Path) -> None:
    documents = render()
    connect(documents, trusted(documents), tmp_path)


def test_certificate_is_valid_only_for_the_name_of_the_service(tmp_path: Path) -> None:
    documents = render()
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(documents, trusted(documents), tmp_path, "bridge.other.svc")


def test_certificates_are_valid_for_ten_years() -> None:
    text = decoded(render())
    for name in ("ca.crt", "tls.crt"):
        certificate = x509.load_pem_x509_certificate(text[name].encode())
        life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        assert life.days == 3650


def test_key_of_the_certificate_authority_is_not_stored() -> None:
    text = decoded(render())
    assert text.keys() == {"ca.crt", "tls.crt", "tls.key"}
    assert [name for name in text if "PRIVATE KEY" in text[name]] == ["tls.key"]


def test_upgrade_keeps_the_certificate(api_server: ApiServer) -> None:
    first = installed(api_server)
    second = installed(api_server)
    assert one(first, "Secret") == one(second, "Secret")
    assert trusted(first) == trusted(second)


def test_template_without_a_cluster_makes_a_new_certificate() -> None:
    first, second = (run_helm("template", "bridge", str(CHART)) for _ in range(2))
    assert first != second


@pytest.mark.parametrize("text", ["2027", 2027])
def test_rotation_makes_a_new_certificate_and_trusts_both(
    api_server: ApiServer, tmp_path: Path, text: object
) -> None:
    first = installed(api_server)
    second = installed(api_server, rotate=text)
    assert decoded(first)["tls.crt"] != decoded(second)["tls.crt"]
    for serves in (first, second):  # a pod may still have the files of the first
        connect(serves, trusted(second), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(second, trusted(first), tmp_path)


def test_upgrade_after_a_rotation_trusts_only_the_new_certificate(
    api_server: ApiServer, tmp_path: Path
) -> None:
    first, second, third = (installed(api_server, rotate=text) for text in ("", "2027", "2027"))
    assert one(second, "Secret") == one(third, "Secret")
    assert trusted(third) == decoded(second)["ca.crt"]
    connect(third, trusted(third), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(first, trusted(third), tmp_path)


@pytest.mark.parametrize("missing", ["ca.crt", "tls.crt", "tls.key"])
def test_incomplete_secret_is_replaced(api_server: ApiServer, tmp_path: Path, missing: str) -> None:
    del one(installed(api_server), "Secret")["data"][missing]
    second = installed(api_server)
    connect(second, trusted(second), tmp_path)


def test_secret_of_another_tool_is_replaced(api_server: ApiServer, tmp_path: Path) -> None:
    """Such as cert-manager's, of 90 days, with `helm install --take-ownership`."""
    foreign = one(installed(api_server), "Secret")
    del foreign["metadata"]["annotations"]
    old = foreign["data"]["tls.crt"]
    documents = installed(api_server)
    assert old != one(documents, "Secret")["data"]["tls.crt"]
    connect(documents, trusted(documents), tmp_path)


def test_secret_that_an_upgrade_deletes_is_not_an_existing_secret(api_server: ApiServer) -> None:
    secret = one(installed(api_server), "Secret")
    name = secret["metadata"]["name"]
    api_server.keep({**secret, "metadata": {**secret["metadata"], "name": "copy"}})
    mine = {"mode": "existingSecret", "existingSecret": name, "caBundle": AUTHORITY}
    with pytest.raises(Rejected, match="copy it to another name"):
        rendered(api_server, **mine)
    rendered(api_server, **mine | {"existingSecret": "copy"})
    del one(installed(api_server), "Secret")["metadata"]["annotations"]  # the user's own
    rendered(api_server, **mine)


def test_existing_secret_is_mounted_and_its_authority_trusted() -> None:
    mine = {"mode": "existingSecret", "existingSecret": "mine", "caBundle": AUTHORITY}
    documents = render({"certificates": mine})
    assert "Secret" not in {document["kind"] for document in documents}
    [volume] = pod_of(documents)["spec"]["volumes"]
    assert volume["secret"]["secretName"] == "mine"
    assert trusted(documents) == AUTHORITY


def test_cert_manager_fills_the_secret_and_the_webhook() -> None:
    documents = render({"certificates": {"mode": "certManager"}})
    certificates = {
        document["metadata"]["name"]: document["spec"]
        for document in documents
        if document["kind"] == "Certificate"
    }
    authority, leaf = certificates.values()
    issuers = {
        document["metadata"]["name"]: document["spec"]
        for document in documents
        if document["kind"] == "Issuer"
    }
    assert issuers[authority["issuerRef"]["name"]] == {"selfSigned": {}}
    assert issuers[leaf["issuerRef"]["name"]] == {"ca": {"secretName": authority["secretName"]}}
    assert authority["isCA"] is True
    assert leaf["dnsNames"] == [HOST]
    [volume] = pod_of(documents)["spec"]["volumes"]
    assert volume["secret"]["secretName"] == leaf["secretName"]
    webhook = one(documents, "MutatingWebhookConfiguration")
    [name] = [name for name, spec in certificates.items() if spec is leaf]
    annotations = webhook["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": f"aws-bridge/{name}"}
    assert "caBundle" not in webhook["webhooks"][0]["clientConfig"]


def test_own_issuer_replaces_the_authority_of_the_chart() -> None:
    issuer = {"name": "internal-ca", "kind": "ClusterIssuer"}
    values = {"mode": "certManager", "certManager": {"issuerRef": issuer}}
    documents = render({"certificates": values})
    assert one(documents, "Certificate")["spec"]["issuerRef"] == issuer
    assert "Issuer" not in {document["kind"] for document in documents}


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "existingSecret", "caBundle": AUTHORITY},
        {"mode": "existingSecret", "existingSecret": "mine"},
        {"mode": "existingSecret", "existingSecret": "mine", "caBundle": "TUlJQg=="},
        {"existingSecret": "mine", "caBundle": AUTHORITY},
        {"mode": "certManager", "rotate": "2027"},
        {"certManager": {"issuerRef": {"name": "internal-ca"}}},
        {"mode": "certManager", "certManager": {"issuerRef": {"kind": "Issuer"}}},
        {"mode": "self-signed"},
    ],
)
def test_values_of_another_mode_are_rejected(values: object) -> None:
    with pytest.raises(Rejected, match="don't meet the specifications of the schema"):
        render({"certificates": values})
