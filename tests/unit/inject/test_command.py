"""`gcp-aws-bridge inject`: manifests in, manifests out."""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any
from unittest import mock

import commands
import kubernetes_validate
import pytest
import yaml
from kubernetes_objects import check

from gcp_aws_bridge.cli._manifests import Manifests
from gcp_aws_bridge.cli.inject import _inject
from gcp_aws_bridge.inject import Settings

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
ARN = "arn:aws:iam::123456789012:role/etl"
ACCOUNT = f"""\
# The account.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: etl  # its name
  annotations:
    gcp-aws-bridge/role-arn: {ARN}
"""
CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          serviceAccountName: etl
          restartPolicy: Never
          containers:
            # The only one.
            - name: app  # its name
              image: app:1
              env:
                # A list of flow mappings, whose last one has a comment.
                - {name: LEVEL, value: "1"}  # the level
"""
MANIFEST = f"{ACCOUNT}---\n{CRON_JOB}"


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"]
    while "containers" not in spec:
        spec = spec.get("jobTemplate", spec.get("template", spec))
        spec = spec["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def test_a_manifest_gets_variables_and_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "nightly.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    run = commands.run("inject", "-f", str(path))
    assert (run.returncode, run.stderr) == (0, "changed: CronJob nightly\n")
    _, job = yaml.safe_load_all(run.stdout)
    assert run.stdout.startswith(ACCOUNT)
    [container] = pod_of(job)["spec"]["containers"]
    assert [one["name"] for one in container["env"]] == [
        "LEVEL",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ]
    kubernetes_validate.validate(job, "1.33", strict=True)
    check(pod_of(job), "1.33")
    comments = [line.partition("#")[2] for line in MANIFEST.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in run.stdout.splitlines() if "#" in line] == comments
    again = commands.run("inject", stdin=run.stdout)
    assert again.stdout == run.stdout
    assert "unchanged" in again.stderr


def test_a_manifest_without_annotations_is_printed_as_it_is() -> None:
    text = "a:   [ 1,2 ]   # odd\n"
    run = commands.run("inject", stdin=text)
    assert (run.returncode, run.stdout) == (0, text)
    assert "unchanged" in run.stderr


def test_items_of_lists_are_changed() -> None:
    for kind in ("List", "ResourceList"):
        items = list(yaml.safe_load_all(MANIFEST))
        run = commands.run("inject", stdin=json.dumps({"kind": kind, "items": items}))
        _, job = yaml.safe_load(run.stdout)["items"]
        assert "volumes" in pod_of(job)["spec"]


def test_accounts_and_pods_may_be_in_different_files(tmp_path: Path) -> None:
    for name, text in (("account.yaml", ACCOUNT), ("job.yaml", CRON_JOB)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    paths = [str(tmp_path / name) for name in ("job.yaml", "account.yaml")]
    run = commands.run("inject", "-f", paths[0], "-f", paths[1])
    job, account = yaml.safe_load_all(run.stdout)
    assert "volumes" in pod_of(job)["spec"]
    assert account["kind"] == "ServiceAccount"


def test_accounts_of_other_namespaces_are_ignored() -> None:
    other = MANIFEST.replace("  name: etl  # its name", "  name: etl\n  namespace: other")
    assert "unchanged" in commands.run("inject", stdin=other).stderr


def test_annotations_of_the_pod_template_are_enough() -> None:
    spec = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    metadata:
      annotations: {{gcp-aws-bridge/role-arn: "{ARN}", gcp-aws-bridge/method: google}}
    spec:
      containers: [{{name: app, image: app}}]
"""
    run = commands.run("inject", "--image", "registry.example.com/bridge:1", stdin=spec)
    [sidecar] = pod_of(yaml.safe_load(run.stdout))["spec"]["initContainers"]
    assert sidecar["image"] == "registry.example.com/bridge:1"
    assert "warning: Deployment web: container app has no runAsUser" in run.stderr
    old = commands.run("inject", "--image=i", "--native-sidecars=no", stdin=spec)
    assert len(pod_of(yaml.safe_load(old.stdout))["spec"]["containers"]) == 2


def test_options_of_the_cluster_reach_the_pods() -> None:
    text = MANIFEST.replace("gcp-aws-bridge/", "eks.amazonaws.com/")
    assert "unchanged" in commands.run("inject", stdin=text).stderr
    prefix = ("--annotation-prefix", "eks.amazonaws.com")
    run = commands.run("inject", *prefix, "--region=eu-west-1", stdin=text)
    assert "eu-west-1" in run.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "problem"),
    [
        ("a: [", (), "is not YAML"),
        (MANIFEST.replace(ARN, "etl"), (), "CronJob nightly: The annotations of the pod"),
        (MANIFEST, ("--region", "Ireland"), "config/region"),
        (MANIFEST, ("-f", "absent.yaml"), "cannot be read"),
        (f"{MANIFEST}      # x", ("--annotation-prefix",), "expected one argument"),
    ],
)
def test_errors_print_nothing_to_standard_output(
    text: str, arguments: tuple[str, ...], problem: str
) -> None:
    run = commands.run("inject", *arguments, stdin=text)
    assert run.returncode in (1, 2)
    assert run.stdout == ""
    assert problem in run.stderr


ALIASES = """\
apiVersion: v1
kind: List
x-base: &base
  image: app:1
  env: &env
    - {name: LEVEL, value: "1"}  # the level
items:
  - kind: ServiceAccount
    metadata: {name: etl, annotations: {gcp-aws-bridge/role-arn: "ROLE"}}
  - kind: Deployment
    metadata: {name: with}
    spec: &deployment
      template: &template
        spec:
          serviceAccountName: etl
          containers:
            - {name: a, env: *env}
            - name: b
              env: *env
            - <<: *base
              name: c
  - kind: Deployment
    metadata: {name: alike}
    spec: *deployment
  - kind: Deployment
    metadata: {name: without}
    spec:
      template:
        <<: *template
        spec:
          containers:
            - <<: *base
              name: d
"""


@pytest.mark.parametrize("skipped", ["", "b", "c", "a,b"])
def test_aliases_do_not_spread_a_change(skipped: str) -> None:
    text = ALIASES.replace('"ROLE"', f'"{ARN}", gcp-aws-bridge/skip-containers: "{skipped}"')
    run = commands.run("inject", stdin=text)
    assert run.stderr == "changed: Deployment with\nchanged: Deployment alike\n"
    document = yaml.safe_load(run.stdout)
    before = yaml.safe_load(text)
    assert document["x-base"] == before["x-base"]
    assert document["items"][3] == before["items"][3]
    for one in document["items"][1:3]:
        for container in pod_of(one)["spec"]["containers"]:
            names = [each["name"] for each in container["env"]]
            given = [] if container["name"] in skipped else ["ROLE_ARN", "WEB_IDENTITY_TOKEN_FILE"]
            assert names == ["LEVEL", *(f"AWS_{name}" for name in given)]
            assert ("volumeMounts" in container) == bool(given)
        check(pod_of(one) | {"spec": with_images(pod_of(one)["spec"])}, "1.33")
    assert commands.run("inject", stdin=run.stdout).stdout == run.stdout


def with_images(spec: dict[str, Any]) -> dict[str, Any]:
    return spec | {"containers": [{"image": "app", **one} for one in spec["containers"]]}


def test_values_added_to_several_containers_are_not_aliases() -> None:
    text = MANIFEST.replace("            # The only one.", "            - {name: first, image: x}")
    for more in ("", "\n    iam.gke.io/gcp-service-account: a@b.iam.gserviceaccount.com"):
        account = f"gcp-aws-bridge/role-arn: {ARN}"
        run = commands.run("inject", "--image=i", stdin=text.replace(account, account + more))
        assert re.findall(r"[&*]\w+", run.stdout) == []


def test_deprecated_field_for_the_service_account_is_read() -> None:
    text = MANIFEST.replace("serviceAccountName:", "serviceAccount:")
    assert commands.run("inject", stdin=text).stderr == "changed: CronJob nightly\n"
    both = MANIFEST.replace(
        "serviceAccountName:", "serviceAccount: other\n          serviceAccountName:"
    )
    assert commands.run("inject", stdin=both).stderr == "changed: CronJob nightly\n"


@pytest.mark.parametrize("audience", ["yes", "Off", "n", "12:30", "1_000", "0x1F", "0o17", "null"])
def test_text_that_kubectl_would_read_as_another_type_is_quoted(audience: str) -> None:
    text = ACCOUNT + f"    gcp-aws-bridge/audience: '{audience}'\n---\n{CRON_JOB}"
    _, job = yaml.safe_load_all(commands.run("inject", stdin=text).stdout)  # PyYAML is YAML 1.1
    [source] = pod_of(job)["spec"]["volumes"][0]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == audience


def test_files_without_a_newline_at_their_end_stay_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}: 1", encoding="utf-8")
    run = commands.run("inject", "-f", str(tmp_path / "a"), "-f", str(tmp_path / "b"))
    assert [*yaml.safe_load_all(run.stdout)] == [{"a": 1}, {"b": 1}]


@pytest.mark.parametrize("native", ["yes", "no"])
def test_pod_templates_without_metadata_get_the_annotation_that_they_need(native: str) -> None:
    provider = (
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
    )
    text = MANIFEST.replace(f"role-arn: {ARN}", f"google-provider: {provider}")
    run = commands.run("inject", f"--native-sidecars={native}", stdin=text)
    _, job = yaml.safe_load_all(run.stdout)
    template = job["spec"]["jobTemplate"]["spec"]["template"]
    assert [*template["metadata"]["annotations"]] == ["gcp-aws-bridge/google-credentials"]


def test_standard_input_is_utf8_whatever_the_locale_is() -> None:
    text = MANIFEST.replace("# The account.", "# Le compte d'été.")
    done = subprocess.run(
        [sys.executable, "-m", "gcp_aws_bridge", "inject"],
        input=text.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        check=True,
    )
    assert done.stdout.decode().startswith("# Le compte d'été.\n")
    broken = subprocess.run(
        [sys.executable, "-m", "gcp_aws_bridge", "inject"],
        input=text.encode("latin-1"),
        capture_output=True,
        check=False,
    )
    assert broken.returncode == 1
    assert b"it is not UTF-8 text" in broken.stderr


@pytest.mark.parametrize(
    "prefix", ["", "gcp-aws-bridge/", "eks.amazonaws.com/role-arn", "EKS", "-"]
)
def test_malformed_annotation_prefix_is_an_error(prefix: str) -> None:
    run = commands.run("inject", f"--annotation-prefix={prefix}", stdin=MANIFEST)
    assert run.returncode == 2
    assert "it must be a name such as eks.amazonaws.com" in run.stderr


@pytest.mark.parametrize("seed", range(20))
def test_comments_anywhere_never_change_the_content(seed: int) -> None:
    source = random.Random(seed)
    for text in (MANIFEST, *(path.read_text("utf-8") for path in EXAMPLES.glob("*.yaml"))):
        lines = []
        for line in text.splitlines():
            may_have = line.strip() not in ("", "---") and "#" not in line
            if may_have and source.random() < 0.2:
                lines.append(" " * source.choice([0, 4, 8, len(line) - len(line.lstrip())]) + "# c")
            lines.append(line + "  # e" * (may_have and source.random() < 0.2))
        annotated = "\n".join(lines).replace(
            "    iam.gke.io/gcp", f"    gcp-aws-bridge/role-arn: {ARN}\n    iam.gke.io/gcp"
        )
        manifests = Manifests(annotated, "manifest", "inject")
        with redirect_stderr(io.StringIO()):
            assert list(_inject(manifests.documents, Settings(image="bridge")))
        expected = json.loads(json.dumps(manifests.documents))
        assert list(yaml.safe_load_all(manifests.text())) == expected


def test_a_comment_that_would_change_the_content_is_dropped() -> None:
    manifests = Manifests("a: 1  # c\n", "manifest", "inject")
    written = manifests._written
    broken = ["a: 2\n"]  # what the YAML writer would write
    with mock.patch.object(
        manifests, "_written", lambda them: broken.pop() if broken else written(them)
    ):
        assert manifests.text() == "a: 1\n"
