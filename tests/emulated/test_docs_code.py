"""The code of README and docs runs as printed, or its source has a comment why not."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import botocore.session
import pytest
from pages import DOCS, PAGES, ROOT, Block, blocks_in, blocks_of, programs, run_page
from setup_runs import GTOKEN_POD

import gcp_aws_bridge as bridge
from gcp_aws_bridge import policy
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.cli import _parser, main
from gcp_aws_bridge.emulator import Emulator, Fault
from gcp_aws_bridge.emulator.permissions import Permissions

ROLE = "arn:aws:iam::123456789012:role/etl"
READERS = [f"arn:aws:iam::{account}:role/reader" for account in ("210987654321", "321098765432")]
ISSUER = "https://container.googleapis.com/v1/projects/my-project/locations/europe-west1/clusters"
RUN = ("python", "sh", "ini", "dockerfile", "json", "yaml")
# Which file runs which blocks of a page, if it is not this file.
ELSEWHERE = {
    ("README.md", "python"): "tests/emulated/test_readme.py",
    ("README.md", "sh"): ".ci/run",
    ("docs/tutorial.md", "sh"): "tests/emulated/test_tutorial.py",
    ("docs/how-to/async.md", "python"): "tests/adapters/test_pages.py",
    ("docs/how-to/data.md", "python"): "tests/adapters/test_pages.py",
    ("docs/how-to/signers.md", "python"): "tests/adapters/test_pages.py",
    ("docs/how-to/distributed.md", "python"): "tests/engines/conftest.py",
    ("docs/how-to/distributed.md", "sh"): "tests/engines/conftest.py",
    ("docs/how-to/managed-runtimes.md", "python"): "tests/emulated/test_managed_runtimes.py",
    ("docs/how-to/managed-runtimes.md", "sh"): "tests/emulated/test_managed_runtimes.py",
    ("docs/how-to/managed-runtimes.md", "yaml"): "tests/emulated/test_managed_runtimes.py",
    ("docs/how-to/google-cloud.md", "python"): "tests/google_cloud/test_clients.py",
    ("docs/how-to/testing.md", "python"): "tests/testing/test_pages.py",
    ("docs/how-to/models.md", "python"): "tests/models/test_models.py",
    ("docs/how-to/observe.md", "python"): "tests/emulated/test_observe.py",
    ("docs/kubernetes/README.md", "sh"): "tests/chart/test_page.py",
    ("docs/kubernetes/README.md", "yaml"): "tests/chart/test_page.py",
    ("docs/how-to/trust-policy.md", "python"): "tests/emulated/test_trust_policy.py",
    ("docs/how-to/trust-policy.md", "sh"): "tests/emulated/test_trust_policy.py",
}
PYTHON = ("airflow", "cluster-issuer", "migrate", "presigned-urls", "role-chaining", "set-up")
PYTHON += ("second-region", "tenants")
SHELL = (
    "airflow",
    "async",
    "cluster",
    "cluster-issuer",
    "doctor",
    "exec",
    "google-cloud",
    "google-cloud-sdks",
)
SHELL += (
    "migrate",
    "run",
    "second-region",
    "set-up",
    "set-up-google",
    "sidecar",
    "tenants",
    "testing",
)
OTHERS = {
    *(("README.md", "json"), ("docs/how-to/role-chaining.md", "json")),
    ("docs/how-to/tenants.md", "json"),
    *(("docs/how-to/aws-cli.md", "ini"), ("docs/reference/settings.md", "ini")),
    ("docs/reference/api.md", "python"),
    *(("docs/how-to/cluster-issuer.md", "yaml"), ("docs/how-to/google-cloud-sdks.md", "yaml")),
    ("docs/how-to/cluster.md", "yaml"),
    *(("docs/how-to/set-up.md", "yaml"), ("docs/reference/settings.md", "yaml")),
}
_WITH_GCLOUD = "needs Google Cloud; tests/clients/test_setup.py runs it with gcloud"
NOT_RUN = {
    "docs/how-to/aws-cli.md": ["needs the AWS CLI; tests/clients runs it"],
    "docs/how-to/cluster.md": [
        "needs a cluster; tests/chart renders the chart, tests/cluster runs the webhook",
        "needs kubectl and a cluster; tests/chart runs the post-renderer",
    ],
    "docs/how-to/doctor.md": [
        "needs AWS keys and a Google login",
        "needs an AWS identity; tests/doctor/test_google.py runs it",
    ],
    "docs/how-to/exec.md": ["a part of an image's recipe; tests/clients runs its command"],
    "docs/how-to/google-cloud-sdks.md": [
        "needs gcloud; tests/google_cloud runs it",
        "runs until it is stopped; tests/google_cloud runs it",
        "needs both clouds; tests/google_cloud runs google-token",
    ],
    "docs/how-to/managed-runtimes.md": [
        _WITH_GCLOUD,
        _WITH_GCLOUD,
        "needs Google Cloud; tests/engines/test_beam.py reads the options",
        *[_WITH_GCLOUD] * 6,
    ],
    "docs/how-to/migrate.md": ["needs the AWS CLI, and a user with keys"],
    "docs/how-to/models.md": ["needs litellm's proxy server"],
    "docs/how-to/role-chaining.md": [
        "runs until it is stopped; tests/emulated/test_printed.py runs it"
    ],
    "docs/how-to/run.md": [
        "a part of an image's recipe; tests/emulated/test_run.py runs such a command",
        "needs an AWS identity; tests/google_cloud/test_default.py runs it",
    ],
    "docs/how-to/servers.md": [
        "patches the process that runs it; tests/servers runs it in gunicorn"
    ],
    "docs/how-to/set-up-google.md": [
        "needs both clouds; tests/clients/test_setup_to_google.py runs it",
        "needs both clouds",
        "needs both clouds; tests/clients/test_setup_to_google.py runs it",
    ],
    "docs/how-to/set-up.md": [
        "needs accounts in both clouds",
        "needs both clouds; tests/clients/test_setup.py runs it",
        "needs both clouds",
        "needs both clouds; tests/clients/test_setup.py runs it",
        "needs both clouds; tests/clients/test_setup.py runs it",
    ],
    "docs/how-to/sidecar.md": ["runs until it is stopped; tests/emulated/test_exec.py runs it"],
    "docs/how-to/tenants.md": [
        "needs AWS; tests/emulated/test_docs_code.py attaches the policy to the emulated role"
    ],
    "docs/how-to/token-file.md": ["needs the AWS CLI; tests/clients runs it"],
    "docs/kubernetes/README.md": [
        "needs a cluster and a release",
        "needs a cluster",
        "needs a container engine",
        "needs a release",
    ],
    "docs/reference/settings.md": [
        "the role is an example; tests/emulated/test_chained_roles.py runs these options"
    ],
}

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="not in a source checkout")


def test_each_block_is_run_or_has_a_reason_why_not() -> None:
    here = {*OTHERS, *((f"docs/how-to/{page}.md", "python") for page in PYTHON)}
    here |= {(f"docs/how-to/{page}.md", "sh") for page in SHELL}
    run, not_run = set(), {}
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        found = blocks_in(page.read_text(encoding="utf-8"), *RUN)
        run |= {(name, block.language) for block in found if not block.not_run}
        if why := [block.not_run for block in found if block.not_run]:
            not_run[name] = why
    assert {*here, *ELSEWHERE} == run
    assert NOT_RUN == not_run


@pytest.mark.parametrize(("block", "by"), ELSEWHERE.items(), ids=str)
def test_file_that_should_run_a_block_reads_its_page(block: tuple[str, str], by: str) -> None:
    assert Path(block[0]).name in (ROOT / by).read_text(encoding="utf-8")


def test_blocks_and_reasons_are_found() -> None:
    page = "```sh\na\n```\n\n<!-- not run: why -->\n```python\nb\n```\n```\nc\n```\n"
    assert [Block("sh", "a\n"), Block("python", "b\n", "why")] == blocks_in(page)


@pytest.fixture
def prepared(pod: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Emulator:
    """Set up what the pages presuppose: a configured pod, roles, a cluster that AWS trusts."""
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    trust, permissions, tenants_trust, tenants = blocks_of("how-to/role-chaining.md", "json")
    for reader in READERS:
        pod.add_role(reader, trust.code)
    pod.attach_policy(ROLE, permissions.code)
    pod.add_role("arn:aws:iam::210987654321:role/acme-reader", tenants_trust.code)
    pod.attach_policy(ROLE, tenants.code)
    pod.add_role("arn:aws:iam::123456789012:role/tenants")
    _customers(pod)
    return pod


VENDOR = "arn:aws:iam::123456789012:role/vendor"
CUSTOMERS = {
    "acme": ("arn:aws:iam::210987654321:role/vendor-access", "8c1d7a52-acme"),
    "globex": ("arn:aws:iam::321098765432:role/vendor-access", "f40b9e61-globex"),
}


def _customers(pod: Emulator) -> None:
    """Create the roles of the page on tenants, with the policies that its commands print."""
    pod.add_role(VENDOR)
    for arn, external_id in CUSTOMERS.values():
        request = policy.AssumeRoleRequest(
            caller=VENDOR,
            external_id=external_id,
            tags={"dataset": "*"},
            source_identity="vendor-reports",
        )
        pod.add_role(arn, policy.build_chained(request))
    every = "arn:aws:iam::*:role/vendor-access"
    pod.attach_policy(VENDOR, policy.permissions_for([every], request))


@pytest.mark.parametrize("page", PYTHON)
def test_python_of_a_page_runs(prepared: Emulator, tmp_path: Path, page: str) -> None:
    blocks = blocks_of(f"how-to/{page}.md", "python")
    assert blocks
    for block in blocks:
        names: dict[str, Any] = {"__name__": "page"}
        exec(compile(block.code, page, "exec"), names)
        session = names.get("session") or names.get("blue") or boto3.Session()
        if page != "cluster-issuer":
            assert ":assumed-role/" in session.client("sts").get_caller_identity()["Arn"]


def test_examples_of_the_api_page_run(prepared: Emulator) -> None:
    script = "\n".join(block.code for block in blocks_of("reference/api.md", "python"))
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert 4 == done.stdout.count(":assumed-role/etl/")
    for expected in ("exchanged", "exchange/denied False", "aws_iam_role", "GCE_METADATA_HOST"):
        assert expected in done.stdout


def test_code_of_the_cluster_page_uses_a_token_of_the_cluster(
    prepared: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subject, audience = "system:serviceaccount:data:etl", "aws:123456789012:etl"
    provider = prepared.add_oidc_provider(f"{ISSUER}/prod", client_ids=(audience,))
    prepared.add_role(
        ROLE,
        policy.build(
            audience=audience,
            issuer=f"{ISSUER}/prod",
            subjects=[subject],
            account_id="123456789012",
        ),
    )
    token = tmp_path / "token"
    token.write_text(provider.mint(subject, audience))
    monkeypatch.setenv("GCP_AWS_BRIDGE_AUDIENCE", audience)
    [block] = blocks_of("how-to/cluster-issuer.md", "python")
    names: dict[str, Any] = {}
    exec(block.code.replace("/var/run/secrets/aws/token", str(token)), names)
    assert ":assumed-role/etl/" in names["session"].client("sts").get_caller_identity()["Arn"]


def test_tenants_have_separate_credentials_and_validated_names(
    prepared: Emulator,
) -> None:
    names: dict[str, Any] = {}
    _, block = blocks_of("how-to/tenants.md", "python")
    exec(block.code, names)
    arns = {
        tenant: names[tenant].client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
        for tenant in ("blue", "green")
    }
    assert {"blue": "tenant-blue", "green": "tenant-green"} == arns
    again = names["session_for"]("blue").client("sts").get_caller_identity()["Arn"]
    assert again.endswith("tenant-blue")
    exchanges = [each for each in prepared.sts.requests if "WebIdentity" in each.action]
    assert 2 == len(exchanges)
    assert '"arn:aws:s3:::reports/blue/*"' in exchanges[0].params["Policy"]
    for name in ("*", "${aws:userid}", "blue/../green", ""):
        with pytest.raises(ValueError, match="not the name of a tenant"):
            names["session_for"](name)


def test_vendor_acts_for_each_customer_and_finds_open_roles(prepared: Emulator) -> None:
    names: dict[str, Any] = {}
    block, _ = blocks_of("how-to/tenants.md", "python")
    exec(block.code, names)
    assert CUSTOMERS == names["CUSTOMERS"]
    for customer, (arn, external_id) in CUSTOMERS.items():
        session = names["session_for"](customer, "orders")
        account = arn.split(":")[4]
        assert account == session.client("sts").get_caller_identity()["Account"]
        request = [one for one in prepared.sts.requests if one.action == "AssumeRole"][-1]
        assert (external_id, "orders", "vendor-reports", f"reports-{customer}") == (
            request.params["ExternalId"],
            request.params["Tags.member.1.Value"],
            request.params["SourceIdentity"],
            request.params["RoleSessionName"],
        )
        assert not names["accepts_another_external_id"](arn)
    open_role = policy.AssumeRoleRequest(
        caller=VENDOR, tags={"dataset": "*"}, source_identity="vendor-reports"
    )
    prepared.add_role(arn, policy.build_chained(open_role))
    registry.clear()
    assert names["accepts_another_external_id"](arn)
    prepared.sts.inject(Fault.status(503), times=None)
    registry.clear()
    with pytest.raises(botocore.exceptions.CredentialRetrievalError):
        names["accepts_another_external_id"](arn)


def test_tag_of_the_tenants_page_selects_the_dataset() -> None:
    [block] = blocks_of("how-to/tenants.md", "json")
    permissions = Permissions(block.code)
    context = {"aws:principaltag/dataset": ("orders",)}
    for key, allowed in (("orders/1", {True}), ("other/1", set()), ("orders", set())):
        target = f"arn:aws:s3:::acme-exports/{key}"
        assert allowed == permissions.effects("s3:GetObject", target, context)
    assert set() == permissions.effects("s3:GetObject", "arn:aws:s3:::acme-exports//1", {})


# -- shells ----------------------------------------------------------------------------------------

APP = 'import boto3\nprint(boto3.client("sts").get_caller_identity()["Arn"])\n'
ETL = f"#!/bin/sh\nexec python3 -c '{APP}'\n"
SHOWN = {
    "doctor": ["All well: every step works."],
    "exec": [":assumed-role/etl/"],
    "run": [":assumed-role/etl/", "_python_path"],
    "migrate": ["gets credentials itself"],
    "cluster": ["gcp-aws-bridge-serve", "accounts.google.com:sub"],
    "cluster-issuer": ["system:serviceaccount:data:etl"],
}


@pytest.mark.skipif(not shutil.which("bash"), reason="the pages are for a POSIX shell")
@pytest.mark.parametrize("page", SHELL)
def test_the_shell_of_a_page_runs(
    prepared: Emulator, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "etl").write_text(ETL)
    (folder / "etl").chmod(0o755)
    (folder / "app.py").write_text(APP)
    (folder / "deployment.yaml").write_text(GTOKEN_POD)
    (folder / "pod.yaml").write_text(blocks_of("how-to/cluster.md", "yaml")[0].code)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    printed = "\n".join(run_page(f"how-to/{page}.md", folder, programs(tmp_path / "bin")))
    assert [] == [text for text in SHOWN.get(page, []) if text not in printed]


def test_extras_that_the_pages_name_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    declared = set(re.findall(r"^([a-z0-9]+) = ", extras, re.M))
    named: set[str] = set()
    for page in PAGES:
        for listed in re.findall(r"(?:gcp-aws-bridge|\")\.?\[([a-z0-9,]+)\]", page.read_text()):
            named |= set(listed.split(","))
    assert {"demo", "server"} <= named
    assert named <= declared


# -- files -----------------------------------------------------------------------------------------


def test_aws_cli_profile_of_the_page_gives_the_role(
    prepared: Emulator, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [block] = blocks_of("how-to/aws-cli.md", "ini")
    (tmp_path / "config").write_text(block.code)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("PATH", programs(tmp_path / "bin"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    session = boto3.Session(profile_name="etl")
    assert "eu-west-1" == session.region_name
    assert ":assumed-role/etl/" in session.client("sts").get_caller_identity()["Arn"]


def test_the_profile_of_the_settings_is_read(
    prepared: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = blocks_of("reference/settings.md", "ini")
    (tmp_path / "config").write_text("\n".join(block.code for block in blocks))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    prepared.add_role(ROLE, audience="aws:123456789012:etl")
    session = botocore.session.Session(profile="etl")
    bridge.register(session)
    arn = session.create_client("sts").get_caller_identity()["Arn"]
    assert ":assumed-role/etl/" in arn
    prepared.add_role(ROLE)
    chained = botocore.session.Session(profile="acme")
    bridge.register(chained)
    arn = chained.create_client("sts").get_caller_identity()["Arn"]
    assert ":210987654321:assumed-role/reader/" in arn


def test_variable_with_a_chain_of_the_settings_is_read(
    prepared: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = pytest.importorskip("yaml")
    [block] = blocks_of("reference/settings.md", "yaml")
    for variable in yaml.safe_load(block.code)["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    reader = bridge.ChainedRole(READERS[0], external_id="acme-42", tags={"tenant": "acme"})
    assert (reader,) == bridge.session()._request.role.chain  # type: ignore[attr-defined]


def test_trust_policy_of_the_readme_has_no_faults() -> None:
    [block] = blocks_in((ROOT / "README.md").read_text(encoding="utf-8"), "json")
    assert [] == policy.lint(json.loads(block.code))


def test_sidecar_for_google_sdks_is_valid_for_kubernetes() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    [block] = blocks_of("how-to/google-cloud-sdks.md", "yaml")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "etl"}}
    pod["spec"] = yaml.safe_load(block.code)
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
    [sidecar] = pod["spec"]["initContainers"]
    assert _parser(sidecar["args"]).parse_args(sidecar["args"])


def test_pod_of_the_cluster_page_is_valid_and_matches_setup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    [block] = blocks_of("how-to/cluster-issuer.md", "yaml")
    pod = yaml.safe_load(block.code)
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
    command = blocks_of("how-to/cluster-issuer.md", "sh")[0].code.replace("--output out", "")
    assert 0 == main([*shlex.split(command)[1:], "--format=kubernetes", "--non-interactive"])
    [written] = [
        one["spec"]["template"]["spec"]
        for one in yaml.safe_load_all(capsys.readouterr().out)
        if one["kind"] == "Job"
    ]
    page = pod["spec"]
    for inside in (*page["volumes"], *page["containers"][0]["volumeMounts"]):
        assert inside in (*written["volumes"], *written["containers"][0]["volumeMounts"])
    assert [] == [
        e for e in page["containers"][0]["env"] if e not in written["containers"][0]["env"]
    ]
