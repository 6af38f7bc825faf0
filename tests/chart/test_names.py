"""Names for long and odd releases, the notes, and the chart with other tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest

from gcp_aws_bridge._version import __version__

from .files import CHART, IMAGE
from .helm import Document, one, pod_of, render, run_helm
from .matrix import WITHOUT_SCHEMA

LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"  # of a Service: RFC 1035


def names_of(documents: list[Document]) -> Iterator[str]:
    for document in documents:
        yield document["metadata"]["name"]
    for volume in pod_of(documents)["spec"]["volumes"]:
        yield volume["secret"]["secretName"]


@pytest.mark.parametrize("mode", ["selfSigned", "certManager"])
@pytest.mark.parametrize(
    ("release", "namespace"),
    [
        ("a" * 53, "n" * 63),
        ("a" * 52 + "b", "n" * 63),
        ("my.release", "aws-bridge"),
        ("123", "456"),
        ("1e3", "1e3"),
        ("null", "true"),
        ("gcp-aws-bridge", "kube-system"),
    ],
)
def test_names_are_labels_of_at_most_63_characters(release: str, namespace: str, mode: str) -> None:
    values = {"certificates": {"mode": mode}, "serviceMonitor": {"enabled": True}}
    documents = render(values, release=release, namespace=namespace)
    for document in documents:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", document["metadata"]["name"])
        assert document["metadata"].get("namespace", namespace) == namespace
        if document["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(document, "1.33", strict=True)
        for key, value in document["metadata"]["labels"].items():
            assert (key, isinstance(value, str) and len(value) <= 63) == (key, True)
    assert re.fullmatch(LABEL, one(documents, "Service")["metadata"]["name"])
    assert all(len(name) <= 63 for name in names_of(documents))


def test_names_that_are_too_long_stay_different() -> None:
    first, second = (set(names_of(render(release="a" * 52 + last))) for last in "bc")
    assert not first & second


def test_releases_of_one_name_in_two_namespaces_share_no_object() -> None:
    kinds = ("ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration")
    first, second = (
        {one(render(namespace=namespace), kind)["metadata"]["name"] for kind in kinds}
        for namespace in ("red", "blue")
    )
    assert not first & second


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "bridge-gcp-aws-bridge"),
        ({"nameOverride": "webhook"}, "bridge-webhook"),
        ({"fullnameOverride": "webhook"}, "webhook"),
        ({"fullnameOverride": "1"}, "r1"),
    ],
)
def test_names_can_be_replaced(values: object, name: str) -> None:
    assert one(render(values), "Service")["metadata"]["name"] == name


# -- with other tools ------------------------------------------------------------------------------


def test_chart_is_usable_as_a_dependency(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts/gcp-aws-bridge")
    (parent / "Chart.yaml").write_text("apiVersion: v2\nname: parent\nversion: 1.0.0\n")
    values = {"global": {"team": "platform"}, "gcp-aws-bridge": {"image": {"repository": IMAGE}}}
    text = run_helm("template", "bridge", str(parent), values=values)
    assert f'image: "{IMAGE}:{__version__}"' in text


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is missing")
def test_kustomize_accepts_the_rendered_manifests(tmp_path: Path) -> None:
    values = {"certificates": {"mode": "certManager"}}
    text = run_helm("template", "bridge", str(CHART), "--namespace=aws-bridge", values=values)
    (tmp_path / "webhook.yaml").write_text(text, encoding="utf-8")
    kustomization = (
        "resources: [webhook.yaml]\nreplicas: [{name: bridge-gcp-aws-bridge, count: 3}]\n"
    )
    (tmp_path / "kustomization.yaml").write_text(kustomization, encoding="utf-8")
    command = ["kubectl", "kustomize", str(tmp_path)]
    built = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert built.count("\nkind: ") == text.count("\nkind: ")
    assert "replicas: 3" in built


def notes(values: object = None) -> str:
    command = ("install", "bridge", str(CHART), "--namespace=aws-bridge", "--dry-run=client")
    return run_helm(*command, values=values).partition("NOTES:")[2]


@pytest.mark.parametrize(
    ("values", "text", "is_there"),
    [
        ({}, "rollout status deployment/bridge-gcp-aws-bridge", True),
        ({}, "firewall rule", False),
        ({"webhook": {"port": 8443}}, "firewall rule", True),
        ({"excludedNamespaces": ["ci"]}, "kube-system, aws-bridge, ci, never reach", True),
        ({}, "is rejected", True),
        ({"webhook": {"failurePolicy": "Ignore"}}, "is rejected", False),
        ({}, "ten years", True),
        ({"certificates": {"mode": "certManager"}}, "ten years", False),
    ],
)
def test_notes_say_what_to_do_next(values: object, text: str, is_there: bool) -> None:
    assert (text in notes(values)) == is_there


@pytest.mark.parametrize("release", ["bridge", "zz", "9.x"])
def test_the_webhook_is_called_before_the_one_of_eks(release: str) -> None:
    """The API server calls webhooks by name, and EKS's gives its identity to the sidecar."""
    configuration = one(
        render(release=release, namespace="security"), "MutatingWebhookConfiguration"
    )
    assert configuration["metadata"]["name"] < "pod-identity-webhook"
