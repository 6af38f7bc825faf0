"""`trust-policy build --from-annotations`: both methods, with the manifests of setup."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import commands
import pytest

from gcp_aws_bridge import policy
from gcp_aws_bridge.emulator import Emulator, ServiceAccount
from gcp_aws_bridge.inject import Settings, inject

pytest.importorskip("ruamel.yaml")

build = partial(commands.run, "trust-policy", "build", "--from-annotations")
NUMBER = "104203741234567890123"
ROLE = "arn:aws:iam::123456789012:role/etl"
ISSUER = (
    "https://container.googleapis.com/v1/projects/my-project/locations/europe-west1/clusters/prod"
)
SETUP = [
    *("setup", "--non-interactive", "--annotate", "--format=kubernetes", "--project=my-project"),
    *("--location=europe-west1", "--cluster=prod", "--namespace=data", "--ksa=etl"),
    *("--aws-account=123456789012", "--role=etl"),
]
EMAIL = "etl-runner@my-project.iam.gserviceaccount.com"
LINK = "iam.gke.io/gcp-service-account"
NEEDED = {
    "gke": (f"--gsa={EMAIL}", f"--service-account={NUMBER}"),
    "gke-issuer": ("", f"--issuer={ISSUER}"),
}


def account(name: str = "etl", namespace: str = "data", **annotations: Any) -> dict[str, Any]:
    """Return a service account with these annotations, whose names have _ for -."""
    named = {f"gcp-aws-bridge/{key.replace('_', '-')}": one for key, one in annotations.items()}
    linked = named.pop("gcp-aws-bridge/link", None)
    about = {"name": name, "annotations": {**named, **({LINK: linked} if linked else {})}}
    if namespace:
        about["namespace"] = namespace
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about}


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Return a function that writes a file with these objects and returns its path."""

    def written(*objects: Any) -> str:
        path = tmp_path / "account"
        listed = {"apiVersion": "v1", "kind": "List", "items": [*objects]}
        path.write_text(json.dumps(objects[0] if len(objects) == 1 else listed))
        return str(path)

    return written


@pytest.mark.parametrize("platform", NEEDED)
def test_policy_equals_the_one_that_setup_writes(platform: str, tmp_path: Path) -> None:
    """Also what the script of setup creates: the same condition, from the same annotations."""
    of_setup, of_build = NEEDED[platform]
    options = [one for one in (f"--on={platform}", of_setup) if one]
    manifests = commands.run(*SETUP, *options)
    assert 0 == manifests.returncode, manifests.stderr
    (tmp_path / "kubernetes.yaml").write_text(manifests.stdout)
    done = build(str(tmp_path / "kubernetes.yaml"), of_build)
    assert (0, "") == (done.returncode, done.stderr)
    script = commands.run(*SETUP, *options, "--format=shell").stdout.replace("<NUMBER>", NUMBER)
    assert f"trust={shlex.quote(done.stdout.strip())}\n" in script


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("platform", NEEDED)
def test_built_policy_admits_the_injected_pod(platform: str, file: Any) -> None:
    linked = {"link": EMAIL} if platform == "gke" else {}
    annotated = account(role_arn=ROLE, audience="aws:123456789012:etl", **linked)
    document = json.loads(build(file(annotated), NEEDED[platform][1]).stdout)
    pod = {"spec": {"containers": [{"name": "a", "securityContext": {"runAsUser": 1}}]}}
    annotations = annotated["metadata"]["annotations"]
    patch = json.dumps(inject(pod, annotations, Settings(image="x")).patch)
    found = re.search(r'(?:_AUDIENCE", "value": |"audience": )"([^"]+)"', patch)
    assert found
    audience = found[1]
    with Emulator(service_account=ServiceAccount.named(EMAIL)) as cloud:
        if platform == "gke":
            document = json.loads(
                build(
                    file(annotated), f"--service-account={cloud.service_account.unique_id}"
                ).stdout
            )
            token = cloud.mint(audience)
        else:
            issuer = cloud.add_oidc_provider(ISSUER, client_ids=(audience,))
            token = issuer.mint("system:serviceaccount:data:etl", audience)
        cloud.add_role(ROLE, document)
        Path(file(annotated)).with_name("token").write_text(token)
        found = commands.run(
            "env",
            f"--role-arn={ROLE}",
            f"--audience={audience}",
            f"--id-token-file={Path(file(annotated)).with_name('token')}",
            **cloud.environ,
        )
    assert "AWS_ACCESS_KEY_ID" in found.stdout, found.stderr


def test_default_audience_equals_the_one_of_the_webhook(file: Any) -> None:
    done = build(file(account(role_arn=ROLE)), f"--issuer={ISSUER}")
    assert '"sts.amazonaws.com"' in done.stdout


def test_accounts_of_one_role_are_in_one_policy(file: Any) -> None:
    accounts = [account(name, role_arn=ROLE) for name in ("etl", "load")]
    done = build(file(*accounts), f"--issuer={ISSUER}")
    [statement] = json.loads(done.stdout)["Statement"]
    subjects = [f"system:serviceaccount:data:{name}" for name in ("etl", "load")]
    assert subjects in statement["Condition"]["StringEquals"].values()
    linked = [account(name, role_arn=ROLE, link=f"{name}@x") for name in ("etl", "load")]
    numbers = [f"--service-account={NUMBER[:-1]}{digit}" for digit in "34"]
    assert 2 == len(json.loads(build(file(*linked), *numbers).stdout)["Statement"])


def test_partition_and_account_come_from_the_role(file: Any) -> None:
    arn = "arn:aws-cn:iam::210987654321:role/team/etl"
    done = build(file(account(role_arn=arn)), f"--issuer={ISSUER}")
    assert '"arn:aws-cn:iam::210987654321:oidc-provider/container.googleapis' in done.stdout


def test_annotations_of_another_webhook_are_read_when_asked(file: Any) -> None:
    found = account()
    found["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": ROLE}
    done = build(file(found), f"--issuer={ISSUER}")
    assert (2, "") == (done.returncode, done.stdout)
    assert "gcp-aws-bridge/role-arn" in done.stderr
    done = build(file(found), f"--issuer={ISSUER}", "--annotation-prefix=eks.amazonaws.com")
    assert "system:serviceaccount:data:etl" in done.stdout


def test_terraform_is_written_too(file: Any) -> None:
    done = build(file(account(role_arn=ROLE)), f"--issuer={ISSUER}", "--format=terraform")
    assert 'resource "aws_iam_role" "etl"' in done.stdout


def test_standard_input_is_read() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gcp_aws_bridge", "trust-policy", "build"),
            *("--from-annotations", "-", f"--issuer={ISSUER}"),
        ],
        input=json.dumps(account(role_arn=ROLE)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert policy.lint(json.loads(done.stdout)) == [], done.stderr


# -- what is missing, and the fix ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "given", "message", "fix", "fixed"),
    [
        (
            {},
            (),
            "needs the cluster's issuer",
            "--issuer: kubectl get --raw /.well-known/openid-configuration",
            (f"--issuer={ISSUER}",),
        ),
        (
            {},
            (f"--service-account={NUMBER}",),
            "of the cluster, not of Google",
            "replace --service-account by --issuer",
            (f"--issuer={ISSUER}",),
        ),
        (
            {"link": EMAIL},
            (),
            f"needs the number of {EMAIL}",
            f"gcloud iam service-accounts describe {EMAIL} --format='value(uniqueId)'",
            (f"--service-account={NUMBER}",),
        ),
        (
            {"link": EMAIL},
            (f"--issuer={ISSUER}",),
            "of Google, not of the cluster",
            "replace --issuer by --service-account",
            (f"--service-account={NUMBER}",),
        ),
    ],
)
def test_missing_option_is_named(
    annotations: dict[str, str],
    given: tuple[str, ...],
    message: str,
    fix: str,
    fixed: tuple[str, ...],
    file: Any,
) -> None:
    path = file(account(role_arn=ROLE, **annotations))
    done = build(path, *given)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert fix in done.stderr
    assert "[config/trust-policy-value]" in done.stderr
    assert 0 == build(path, *fixed).returncode


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ([account()], "has no Kubernetes service account with the annotation"),
        ([{"kind": "Pod"}, "text", None], "has no Kubernetes service account"),
        ([account(google_provider="projects/1/x")], "malformed"),
        ([account(role_arn="etl")], "malformed"),
        ([account(role_arn=ROLE, method="magic")], "malformed"),
        ([account(role_arn=ROLE, audience=5)], "is not a string"),
        ([account(role_arn=ROLE, namespace="")], "has no namespace"),
        ([account(role_arn=ROLE), account("b", role_arn=f"{ROLE}2")], "different roles"),
        ([account(role_arn=ROLE), account("b", role_arn=ROLE, link="x")], "different roles"),
        (
            [account(role_arn=ROLE), account("b", role_arn=ROLE, audience="x")],
            "data/etl and data/b request different",
        ),
    ],
)
def test_manifest_without_one_role_is_an_error(
    accounts: list[Any], message: str, file: Any
) -> None:
    done = build(file(*accounts), f"--issuer={ISSUER}")
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "option",
    [
        *("--audience=x", "--subject=x", "--key-file=x", "--account-id=123456789012"),
        *("--token-file=x", "--chained=arn:aws:iam::1:role/x"),
    ],
)
def test_option_that_annotations_replace_is_an_error(option: str, file: Any) -> None:
    done = build(file(account(role_arn=ROLE)), f"--issuer={ISSUER}", option)
    assert (2, "") == (done.returncode, done.stdout)
    assert option.partition("=")[0] in done.stderr


def test_prefix_needs_annotations() -> None:
    done = commands.run("trust-policy", "build", "--annotation-prefix=eks.amazonaws.com")
    assert "--annotation-prefix needs --from-annotations" in done.stderr


def test_file_that_is_not_a_manifest_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    done = build(str(tmp_path / "a.yaml"))
    assert (2, True) == (done.returncode, "[config/setup-manifest]" in done.stderr)
