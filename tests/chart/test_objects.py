"""The objects of the chart, for a matrix of values: valid, and pods that are confined."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest

from gcp_aws_bridge._version import __version__
from gcp_aws_bridge.cli import _parser

from .files import CHART, DIGEST, IMAGE
from .helm import Document, Rejected, container_of, one, pod_of, render, run_helm
from .matrix import CASES, FACTORS, SCHEMAS, WITHOUT_SCHEMA, every_case, objects


def test_every_pair_of_choices_is_a_case() -> None:
    rows = [tuple(map(int, case.id.split("-"))) for case in CASES]
    for a, b in itertools.combinations(range(len(FACTORS)), 2):
        seen = {(row[a], row[b]) for row in rows}
        assert len(seen) == len(FACTORS[a]) * len(FACTORS[b])
    assert len(rows) < 40


@every_case
def test_every_object_is_valid(case: dict[str, Any]) -> None:
    for document in objects(case):
        if document["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(document, SCHEMAS[case["kube_version"]], strict=True)


def test_invalid_object_is_found() -> None:
    deployment = copy.deepcopy(one(render(), "Deployment"))
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(deployment, "1.33", strict=True)


@every_case
def test_lint_finds_nothing(case: dict[str, Any]) -> None:
    values = {key: value for key, value in case.items() if key != "kube_version"}
    command = ("lint", str(CHART), "--strict", "--kube-version", case["kube_version"])
    found = re.findall(r"\[(?:WARNING|ERROR)\].*", run_helm(*command, values=values))
    assert found == []


# -- the pod ---------------------------------------------------------------------------------------


VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"}
VOLUMES |= {"persistentVolumeClaim", "projected", "secret"}


def not_restricted(pod: Document) -> Iterator[str]:
    """Yield violations of the profile `restricted`, for Linux.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/, version 1.33.
    """
    shared = pod["securityContext"]
    violations = {
        "host namespaces": any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
        "volume types": any(volume.keys() - {"name"} - VOLUMES for volume in pod["volumes"]),
        "sysctls": "sysctls" in shared,
    }
    yield from (what for what, is_so in violations.items() if is_so)
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container["securityContext"]
        capabilities = own.get("capabilities", {})
        added = {*capabilities.get("add", [])} - {"NET_BIND_SERVICE"}
        yield from unsafe(shared | own)
        if any("hostPort" in port for port in container["ports"]):
            yield "host ports"
        if own.get("allowPrivilegeEscalation") is not False:
            yield "privilege escalation"
        if "ALL" not in capabilities.get("drop", []) or added:
            yield "capabilities"


def unsafe(context: Document) -> Iterator[str]:
    """Yield what the security context of a container, merged with the pod's, allows."""
    violations = {
        "root": context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0,
        "seccomp": context.get("seccompProfile", {}).get("type")
        not in ("RuntimeDefault", "Localhost"),
        "privileged": context.get("privileged"),
        "options of the host": context.keys() & {"seLinuxOptions", "windowsOptions", "procMount"},
    }
    yield from (what for what, is_so in violations.items() if is_so)


@every_case
def test_pod_has_the_restricted_profile(case: dict[str, Any]) -> None:
    expected = ["host namespaces"] if case.get("hostNetwork") else []
    assert list(not_restricted(pod_of(objects(case))["spec"])) == expected


def set_in(document: Document, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for key in parents:
        document = document[int(key)] if isinstance(document, list) else document[key]
    document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("hostPID", True, "host namespaces"),
        ("volumes", [{"name": "host", "hostPath": {"path": "/"}}], "volume types"),
        ("securityContext.sysctls", [{"name": "kernel.shm", "value": "1"}], "sysctls"),
        ("securityContext.runAsUser", 0, "root"),
        ("securityContext.runAsNonRoot", False, "root"),
        ("securityContext.seccompProfile", {"type": "Unconfined"}, "seccomp"),
        ("containers.0.ports", [{"containerPort": 1, "hostPort": 1}], "host ports"),
        ("containers.0.securityContext.privileged", True, "privileged"),
        ("containers.0.securityContext.allowPrivilegeEscalation", None, "privilege escalation"),
        ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}, "capabilities"),
        ("containers.0.securityContext.procMount", "Unmasked", "options of the host"),
    ],
)
def test_pod_that_may_do_more_is_found(path: str, value: object, found: str) -> None:
    pod = copy.deepcopy(pod_of(render())["spec"])
    set_in(pod, path, value)
    assert list(not_restricted(pod)) == [found]


@every_case
def test_container_cannot_write_and_needs_no_shell(case: dict[str, Any]) -> None:
    container = container_of(objects(case))
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "command" not in container  # the entry point of the image
    assert not any("exec" in action for action in container.values())
    assert "exec" not in container.get("lifecycle", {}).get("preStop", {})
    assert all(mount["readOnly"] for mount in container["volumeMounts"])


@every_case
def test_probes_use_the_ports_of_the_arguments(case: dict[str, Any]) -> None:
    documents = objects(case)
    container = container_of(documents)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"--port={ports['webhook']}" in container["args"]
    assert f"--status-port={ports['status']}" in container["args"]
    probes = {name: container[name]["httpGet"] for name in container if name.endswith("Probe")}
    assert {name: (get["path"], get["port"]) for name, get in probes.items()} == {
        "startupProbe": ("/healthz", "status"),
        "readinessProbe": ("/readyz", "status"),
        "livenessProbe": ("/healthz", "status"),
    }
    service = one(documents, "Service")["spec"]
    assert {port["targetPort"] for port in service["ports"]} == ports.keys()


@every_case
def test_arguments_are_options_of_the_command(case: dict[str, Any]) -> None:
    arguments = container_of(objects(case))["args"]
    options = _parser(arguments).parse_args(arguments)
    assert options.annotation_prefix == case.get("annotationPrefixes", options.annotation_prefix)


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({"nativeSidecars": "no"}, ["--native-sidecars=no"]),
        ({"quiet": True}, ["--quiet"]),
        ({"region": "us-gov-west-1"}, ["--region=us-gov-west-1"]),
        ({"webhook": {"host": "::"}}, ["--host=::", "--status-host=::"]),
        ({"webhook": {"port": 8443}}, ["--port=8443"]),
        (
            {"annotationPrefixes": ["a.example", "b.example"]},
            ["--annotation-prefix=a.example", "--annotation-prefix=b.example"],
        ),
    ],
)
def test_values_become_arguments(values: object, arguments: list[str]) -> None:
    default, changed = (container_of(render(some))["args"] for some in ({}, values))
    assert [word for word in changed if word not in default] == arguments


def test_arguments_are_those_that_the_webhook_needs() -> None:
    image = f"{IMAGE}:{__version__}"
    assert container_of(render())["args"] == [
        "webhook",
        "--tls-cert-file=/run/tls/tls.crt",
        "--tls-key-file=/run/tls/tls.key",
        "--host=0.0.0.0",
        "--port=10250",
        "--status-host=0.0.0.0",
        "--status-port=9912",
        f"--image={image}",
        "--native-sidecars=auto",
    ]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, f"{IMAGE}:{__version__}"),
        ({"tag": "1.2.3"}, f"{IMAGE}:1.2.3"),
        ({"digest": DIGEST}, f"{IMAGE}@{DIGEST}"),
        ({"tag": "1.2.3", "digest": DIGEST}, f"{IMAGE}@{DIGEST}"),
        ({"repository": "localhost:5000/a/b"}, f"localhost:5000/a/b:{__version__}"),
    ],
)
def test_digest_precedes_tag_precedes_version(image: object, reference: str) -> None:
    container = container_of(render({"image": image}))
    assert container["image"] == reference
    assert f"--image={reference}" in container["args"]


def test_image_of_sidecars_may_be_another() -> None:
    container = container_of(render({"sidecarImage": "registry.example.com/sidecar:1"}))
    assert "--image=registry.example.com/sidecar:1" in container["args"]
    assert container["image"] == f"{IMAGE}:{__version__}"


def test_image_without_a_registry_is_an_error_that_says_so() -> None:
    with pytest.raises(Rejected, match=r"image\.repository: the registry and name"):
        render({"image": {"repository": ""}})


@pytest.mark.parametrize(
    ("kube_version", "hook", "grace_s"),
    [
        ("1.29.9", None, 10),
        ("1.30.0", {"preStop": {"sleep": {"seconds": 10}}}, 20),
        ("1.31.1-gke.100", {"preStop": {"sleep": {"seconds": 10}}}, 20),
    ],
)
def test_pod_sleeps_before_it_stops_if_kubernetes_supports_it(
    kube_version: str, hook: object, grace_s: int
) -> None:
    documents = render(kube_version=kube_version)
    assert container_of(documents).get("lifecycle") == hook
    assert pod_of(documents)["spec"]["terminationGracePeriodSeconds"] == grace_s
