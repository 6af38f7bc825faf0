"""docs/examples: valid for Kubernetes and our commands, with the properties that its page lists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest

from gcp_aws_bridge.cli import _parser
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError

yaml = pytest.importorskip("yaml")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
OVERLAY = EXAMPLES / "kustomize/example"
PATHS = sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".md")
PROBES = {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="not in a source checkout")

Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


# -- as much of kustomize as the overlay needs, so that its pod is checked on every machine --------


def merged(under: Any, over: Any) -> Any:
    """Return *over* merged into *under*: lists of named items by name, new items first."""
    if isinstance(under, dict):
        return under | {key: merged(under.get(key), value) for key, value in over.items()}
    if isinstance(under, list) and "name" in over[0]:
        before = {item["name"]: item for item in under}
        return [*(merged(before.pop(item["name"], None), item) for item in over), *before.values()]
    return over


def is_target(target: Document, document: Document) -> bool:
    labels = {f"{key}={value}" for key, value in document["metadata"].get("labels", {}).items()}
    return document["kind"] == target["kind"] and target["labelSelector"] in labels


def built(folder: Path) -> list[Document]:
    """Return what `kubectl kustomize` builds from *folder*, without the generated objects."""
    [overlay] = documents(folder / "kustomization.yaml")
    found = [one for name in overlay["resources"] for one in documents(folder / name)]
    for component in (folder / name for name in overlay["components"]):
        [rules] = documents(component / "kustomization.yaml")
        for rule in rules["patches"]:
            [patch] = documents(component / rule["path"])
            patch = {"spec": patch["spec"]}
            found = [merged(one, patch) if is_target(rule["target"], one) else one for one in found]
    text = json.dumps(found)
    for image in overlay["images"]:
        tagged = f'"image": "{image["newName"]}:{image["newTag"]}"'
        text = text.replace(f'"image": "{image["name"]}"', tagged)
    return list(json.loads(text))


APPLIED = {path.name: documents(path) for path in sorted(EXAMPLES.glob("*.yaml"))}
if OVERLAY.exists():
    APPLIED["kustomize/example"] = built(OVERLAY)
every_example = pytest.mark.parametrize("example", APPLIED.values(), ids=APPLIED)

RENDERERS = (("kustomize", "build"), ("kubectl", "kustomize"))
RENDERER = next((command for command in RENDERERS if shutil.which(command[0])), None)


@pytest.mark.skipif(RENDERER is None, reason="neither kustomize nor kubectl is installed")
def test_kustomize_builds_what_is_checked_here() -> None:
    command = [*(RENDERER or ()), str(OVERLAY)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = re.sub(r"\baws-role-\w+", "aws-role", text)  # without the digest of its content
    made = {one["kind"]: one for one in yaml.safe_load_all(text)}
    validate(made.pop("ConfigMap"))
    assert {one["kind"]: one for one in APPLIED["kustomize/example"]} == made


def test_sidecar_of_the_overlay_uses_the_generated_objects() -> None:
    [overlay] = documents(OVERLAY / "kustomization.yaml")
    [sidecar] = pod_of(APPLIED["kustomize/example"])["initContainers"]
    generated = [{"configMapRef": {"name": one["name"]}} for one in overlay["configMapGenerator"]]
    assert generated == sidecar["envFrom"]


# -- what Kubernetes takes -------------------------------------------------------------------------


def validate(document: Document) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@every_example
def test_every_object_matches_its_schema(example: list[Document]) -> None:
    for document in example:
        validate(document)


def test_field_that_kubernetes_lacks_is_found() -> None:
    document = workload_of(broken("deployment.yaml", "restartPolicy", "restartPolicie"))
    with pytest.raises(kubernetes_validate.ValidationError, match="restartPolicie"):
        validate(document)


# -- properties of each example: a check yields what is wrong --------------------------------------


def workload_of(example: list[Document]) -> Document:
    [workload] = [one for one in example if "spec" in one]
    return workload


def pod_of(example: list[Document]) -> Document:
    """Return the spec of the pod that runs."""
    spec: Document = workload_of(example)["spec"]
    return spec.get("template", {"spec": spec})["spec"]


def containers_of(example: list[Document]) -> list[Document]:
    pod = pod_of(example)
    return [*pod.get("initContainers", []), *pod["containers"]]


def rules_of(example: list[Document]) -> list[Document]:
    """Return the security context of each container, merged with the pod's."""
    shared = pod_of(example)["securityContext"]
    return [shared | container.get("securityContext", {}) for container in containers_of(example)]


def lax(example: list[Document]) -> Iterator[str]:
    """Yield permissions that the pod should not have."""
    if pod_of(example).get("hostNetwork"):
        yield "may use the node's network"
    for container, rules in zip(containers_of(example), rules_of(example), strict=True):
        resources = container["resources"]
        faults = {
            "may be root": rules.get("runAsNonRoot") is not True or not rules.get("runAsUser"),
            "any system call": rules.get("seccompProfile") != {"type": "RuntimeDefault"},
            "may gain privileges": rules.get("allowPrivilegeEscalation") is not False,
            "is privileged": rules.get("privileged"),
            "may write to its root": rules.get("readOnlyRootFilesystem") is not True,
            "has capabilities": rules.get("capabilities") != {"drop": ["ALL"]},
            "needs untold": {"cpu", "memory"} != resources["requests"].keys(),
            "may take all memory": "memory" not in resources["limits"],
            "any image": not re.fullmatch(r"[\w.-]+/[\w./-]+:[\w.-]+", container["image"]),
        }
        yield from (what for what, is_so in faults.items() if is_so)


def unknown_to_google(example: list[Document]) -> Iterator[str]:
    """Yield reasons for which Google's metadata server would have no ID token for a pod."""
    pod = pod_of(example)
    if pod["nodeSelector"] != {"iam.gke.io/gke-metadata-server-enabled": "true"}:
        yield "no metadata server"
    [account] = [one["metadata"] for one in example if one["kind"] == "ServiceAccount"]
    google = account["annotations"].get("iam.gke.io/gcp-service-account", "")
    is_one = re.fullmatch(r"[a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com", google)
    if account["name"] != pod["serviceAccountName"] or not is_one:
        yield "no Google account"


def commands_of(example: list[Document]) -> Iterator[tuple[Document, list[str]]]:
    """Yield each container that runs our program or our image, and its arguments."""
    for container in containers_of(example):
        by_entrypoint = ["gcp-aws-bridge"] if "/gcp-aws-bridge:" in container["image"] else []
        line = [*container.get("command", by_entrypoint), *container.get("args", [])]
        if line[:1] == ["gcp-aws-bridge"]:
            yield container, line[1:]


def error_of(line: list[str]) -> str | None:
    try:
        options = _parser(line).parse_args(line)
    except SystemExit:  # argparse has written why to standard error
        return "no such command"
    is_command = line[0] != "exec" or (options.command[:1] == ["--"] and options.command[1:])
    return None if is_command else "no command after --"


def not_ours(example: list[Document]) -> Iterator[str]:
    """Yield what is wrong with the arguments for `gcp-aws-bridge`."""
    lines = [line for _, line in commands_of(example)]
    if not any(line[:1] in (["serve"], ["exec"]) for line in lines):
        yield "neither serve nor exec"
    yield from filter(None, map(error_of, lines))


def sidecars_of(example: list[Document]) -> Iterator[tuple[Document, Namespace]]:
    for container, line in commands_of(example):
        if line[:1] == ["serve"]:
            yield container, _parser(line).parse_args(line)


def no_sidecar(example: list[Document]) -> Iterator[str]:
    """Yield reasons for which a container that serves cannot be a native sidecar."""
    pod = pod_of(example)
    for sidecar, options in sidecars_of(example):
        if sidecar not in pod.get("initContainers", []) or sidecar["restartPolicy"] != "Always":
            yield "not beside the program"
        if len({rules["runAsUser"] for rules in rules_of(example)}) > 1:
            yield "the token is another user's"
        [mount] = sidecar["volumeMounts"]
        if PurePosixPath(options.token_file).parent != PurePosixPath(mount["mountPath"]):
            yield "the token is written elsewhere"
        [volume] = [one for one in pod["volumes"] if one["name"] == mount["name"]]
        if volume["emptyDir"].get("medium") != "Memory":
            yield "the token is written to a disk"


def apart(example: list[Document]) -> Iterator[str]:
    """Yield addresses and files at which a program would not find its sidecar."""
    for sidecar, options in sidecars_of(example):
        names = [role.partition("=")[0] for role in options.role_arn or [] if "=" in role]
        paths = ["/credentials", *(f"/credentials/{name}" for name in names)]
        for container in pod_of(example)["containers"]:
            seen = {one["name"]: one["value"] for one in container["env"]}
            url = urlsplit(seen["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
            if (url.scheme, url.hostname, url.port) != (
                "http",
                options.host or "127.0.0.1",
                options.port,
            ):
                yield "no container listens there"
            if url.path not in paths:
                yield "no such role"
            if seen["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] != options.token_file:
                yield "no token there"
            if sidecar["volumeMounts"][0] | {"readOnly": True} not in container["volumeMounts"]:
                yield "no such mount"


def unanswered(example: list[Document]) -> Iterator[str]:
    """Yield requests of the kubelet and Prometheus that the status listener would not answer."""
    about = workload_of(example)["spec"].get("template", {}).get("metadata", {})
    for sidecar, options in sidecars_of(example):
        ports = {one["name"]: one["containerPort"] for one in sidecar["ports"]}
        probes = {name: sidecar[name]["httpGet"] for name in PROBES if name in sidecar}
        if options.status_host != "0.0.0.0":
            yield "listens for its own pod only"
        if not {"startupProbe", "livenessProbe"} <= probes.keys():
            yield "not probed"
        for name, get in probes.items():
            if (get["path"], ports.get(get["port"])) != (PROBES[name], options.status_port):
                yield name
        if scraped := about.get("annotations"):
            annotations = [scraped[f"prometheus.io/{key}"] for key in ("scrape", "port", "path")]
            if annotations != ["true", str(options.status_port), "/metrics"]:
                yield "not scraped"


CHECKS = (lax, unknown_to_google, not_ours, no_sidecar, apart, unanswered)
Check = Callable[[list[Document]], Iterator[str]]


@every_example
@pytest.mark.parametrize("check", CHECKS)
def test_example_has_the_documented_properties(example: list[Document], check: Check) -> None:
    assert [] == list(check(example))


def broken(name: str, right: str, wrong: str) -> list[Document]:
    """Return an example in which *right* is replaced by *wrong*, once."""
    text = json.dumps(APPLIED[name])
    assert right in text
    return list(json.loads(text.replace(right, wrong, 1)))


@pytest.mark.parametrize(
    ("check", "right", "wrong", "found"),
    [
        (lax, '"nodeSel', '"hostNetwork": true, "nodeSel', "may use the node's network"),
        (lax, '"runAsUser": 65532', '"runAsUser": 0', "may be root"),
        (lax, '"allowPriv', '"runAsUser": 0, "allowPriv', "may be root"),
        (lax, '"runAsNonRoot": true', '"runAsNonRoot": false', "may be root"),
        (lax, "RuntimeDefault", "Unconfined", "any system call"),
        (lax, 'Escalation": false', 'Escalation": true', "may gain privileges"),
        (lax, '"allowPrivilegeEscalation": false, ', "", "may gain privileges"),
        (lax, '"allowPriv', '"privileged": true, "allowPriv', "is privileged"),
        (lax, 'Filesystem": true', 'Filesystem": false', "may write to its root"),
        (lax, '["ALL"]', '["ALL"], "add": ["NET_RAW"]', "has capabilities"),
        (lax, '"cpu": "10m", ', "", "needs untold"),
        (lax, '"limits": {"memory"', '"limits": {"cpu"', "may take all memory"),
        (lax, "gcp-aws-bridge:0.1.0", "gcp-aws-bridge", "any image"),
        (unknown_to_google, 'enabled": "true"', 'enabled": "false"', "no metadata server"),
        (unknown_to_google, 'Name": "reports"', 'Name": "default"', "no Google account"),
        (unknown_to_google, ".iam.gserviceaccount.com", "", "no Google account"),
        (not_ours, "--token-file", "--tokenfile", "no such command"),
        (not_ours, "registry.example.com/gcp-", "registry.example.com/", "neither serve nor exec"),
        (no_sidecar, 'Policy": "Always"', 'Policy": "Never"', "not beside the program"),
        (no_sidecar, '"allowPriv', '"runAsUser": 1000, "allowPriv', "the token is another user's"),
        (no_sidecar, "file=/run/aws/", "file=/tmp/", "the token is written elsewhere"),
        (no_sidecar, '"medium": "Memory", ', "", "the token is written to a disk"),
        (apart, ":9911/", ":9910/", "no container listens there"),
        (apart, "/credentials/reader", "/credentials/unknown", "no such role"),
        (apart, '"/run/aws/token"', '"/run/aws/other"', "no token there"),
        (apart, '"readOnly": true', '"readOnly": false', "no such mount"),
        (
            unanswered,
            "--status-host=0.0.0.0",
            "--status-host=127.0.0.1",
            "listens for its own pod only",
        ),
        (unanswered, "livenessProbe", "probe", "not probed"),
        (unanswered, "/readyz", "/ready", "startupProbe"),
        (unanswered, '"port": "status"', '"port": 9911', "startupProbe"),
        (unanswered, 'io/port": "9912"', 'io/port": "9911"', "not scraped"),
        (unanswered, "/metrics", "/metric", "not scraped"),
    ],
)
def test_broken_example_is_found(check: Check, right: str, wrong: str, found: str) -> None:
    assert {found} == set(check(broken("deployment.yaml", right, wrong)))


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("--role-arn", "--rolearn", "no such command"),
        (', "--"]', "]", "no command after --"),
        ('["./nightly", "--from", "s3://my-bucket/in"]', "[]", "no command after --"),
    ],
)
def test_broken_job_is_found(right: str, wrong: str, found: str) -> None:
    assert [found] == list(not_ours(broken("job-exec.yaml", right, wrong)))


# -- properties of each file -----------------------------------------------------------------------


def is_role(arn: str) -> bool:
    try:
        Role(arn)
    except ConfigError:
        return False
    return True


def no_roles(text: str) -> list[str]:
    """Return the texts that look like the ARN of a role and are not valid."""
    return [arn for arn in re.findall(r"arn:[^\s\"',}\]]*", text) if not is_role(arn)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_role_arns_of_the_examples_are_valid(path: Path) -> None:
    assert [] == no_roles(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("arn", ["arn:aws:iam:123456789012:role/etl", "arn:aws:iam::1:role/etl"])
def test_invalid_role_arn_is_found(arn: str) -> None:
    assert [arn] == no_roles(f'["--role-arn=reader={arn}"]')


def test_the_page_has_every_example() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    examples = [path for path in PATHS if path.parent == EXAMPLES]
    examples += EXAMPLES.glob("kustomize/*/kustomization.yaml")
    names = {path.relative_to(EXAMPLES).as_posix() for path in examples}
    assert names == set(re.findall(r"\]\((?!\.\./)([^)]+)\)", page))
    for argument in re.findall(r"`[^`]* -[fk] ([\w./-]+)", page):
        assert (EXAMPLES / argument).exists()
