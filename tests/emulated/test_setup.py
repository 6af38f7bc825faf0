"""`gcp-aws-bridge setup`: options, prompts on a terminal, files, manifests with comments."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import quote

import commands
import pytest
from setup_runs import GTOKEN_POD

from gcp_aws_bridge import policy
from gcp_aws_bridge.cli import _setup_plan, main
from gcp_aws_bridge.cli.setup import configure
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.provision.plan import REGIONS, Plan
from gcp_aws_bridge.provision.to_google import plan as to_google

ruamel = pytest.importorskip("ruamel.yaml")

GKE = [
    *("--project=my-project", "--location=europe-west1", "--cluster=prod"),
    *("--namespace=data", "--ksa=etl", "--gsa=etl-runner"),
    *("--aws-account=123456789012", "--role=etl"),
]


run = partial(commands.run, "setup")


# -- options ---------------------------------------------------------------------------------------


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert 0 == main(["setup", "--non-interactive", *arguments])
    return capsys.readouterr().out


@pytest.mark.parametrize("form", ["shell", "terraform", "kubernetes"])
def test_path_of_a_role_is_only_in_its_arn(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, *GKE[:-1], "--role=service-role/etl", f"--format={form}")
    assert "arn:aws:iam::123456789012:role/service-role/etl" in out
    assert "aws:123456789012:etl" in out
    same = printed(capsys, *GKE, "--role-path=/service-role/", f"--format={form}")
    assert same == out


def test_session_names_of_a_role_on_aws_omit_its_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = printed(capsys, *EC2[:-1], "--role=service-role/etl", "--gsa=etl-runner")
    assert "arn:aws:iam::123456789012:role/service-role/etl" in out
    assert ":assumed-role/etl" in out
    assert ":assumed-role/service-role" not in out


def test_two_paths_of_a_role_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*GKE[:-1], "--role=service-role/etl", "--role-path=/team/"]
    assert 1 == main(["setup", "--non-interactive", *arguments])
    assert "[config/setup-option]" in capsys.readouterr().err


CHAIN = ["--chain=arn:aws:iam::210987654321:role/tenant", "--external-id=tenant-7"]


@pytest.mark.parametrize("form", ["shell", "terraform", "kubernetes"])
def test_trust_policies_of_a_chain_are_files_for_their_owners(form: str, tmp_path: Path) -> None:
    arguments = [*GKE, *CHAIN, f"--format={form}", f"--output={tmp_path}"]
    assert 0 == main(["setup", "--non-interactive", *arguments])
    trust = (tmp_path / "trust-policy-1-tenant.json").read_text()
    request = policy.AssumeRoleRequest(
        caller="arn:aws:iam::123456789012:role/etl", external_id="tenant-7"
    )
    assert policy.build_chained(request) == json.loads(trust)
    manifests = (tmp_path / "kubernetes.yaml").read_text()
    assert "GCP_AWS_BRIDGE_CHAIN" in manifests


@pytest.mark.parametrize(
    ("arguments", "error_id"),
    [
        (["--chain=arn:aws:iam::210987654321:user/x"], "config/role-arn"),
        ([CHAIN[0], "--external-id=x"], "config/external-id"),
        (["--on=ec2", *CHAIN, "--region=eu-west-1"], "config/setup-option"),
    ],
)
def test_chain_that_cannot_be_assumed_is_refused(arguments: list[str], error_id: str) -> None:
    done = run(*GKE, *arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert f"[{error_id}]" in done.stderr


@pytest.mark.parametrize("on", ["gke", "compute-engine", "cloud-run", "ec2"])
def test_account_of_a_domain_scoped_project_has_its_parts_reversed(
    on: str, capsys: pytest.CaptureFixture[str]
) -> None:
    location = "europe-west1-b" if on == "compute-engine" else "europe-west1"
    google = [f"--location={location}", "--service=reports"]
    where = {"gke": GKE[1:], "ec2": EC2[2:]}.get(on, [*google, *GKE[5:]])
    where = [one for one in where if not one.startswith("--gsa")]
    out = printed(
        capsys, f"--on={on}", "--project=example.com:my-project", "--gsa=etl-runner", *where
    )
    assert "etl-runner@my-project.example.com.iam.gserviceaccount.com" in out
    assert "project=example.com:my-project\n" in out


@pytest.mark.parametrize("partition", REGIONS)
def test_partition_is_offered(partition: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, *GKE, f"--partition={partition}")
    assert f"arn:{partition}:iam::123456789012:role/etl" in out
    assert f"AWS_DEFAULT_REGION:-{REGIONS[partition]}" in out


def test_missing_option_is_named_without_a_terminal() -> None:
    done = run("--project=my-project", "--aws-account=123456789012")
    assert (1, "") == (done.returncode, done.stdout)
    missing = "--cluster, --location, --namespace, --ksa, --gsa, --role"
    assert f"Missing options: {missing}." in done.stderr
    assert "[config/setup-missing]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "error_id"),
    [
        (["--role=a b"], "config/setup-name"),
        (["--policy-arn=x"], "config/setup-name"),
        (["--policy=/not/there"], "config/setup-file"),
        ([f"--policy={__file__}"], "config/setup-policy"),
        (["--output=/dev/null/x"], "config/setup-output"),
        (["--from-pod=/not/there"], "config/setup-file"),
    ],
)
def test_contradictory_options_are_a_clear_error(arguments: list[str], error_id: str) -> None:
    done = run(*GKE, *arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert f"[{error_id}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_platform_without_a_cluster_has_no_manifests() -> None:
    elsewhere = ["--project=my-project", "--location=europe-west1", "--service=reports"]
    aws = ["--aws-account=123456789012", "--role=etl", "--gsa=etl-runner"]
    done = run("--on=cloud-run", *elsewhere, *aws, "--format=kubernetes")
    assert "[config/setup-format]" in done.stderr


DATAFLOW = ["--on=dataflow", *GKE[:2], *GKE[5:]]
EC2 = ["--on=ec2", "--project=my-project", "--aws-account=123456789012", "--role=etl"]
IN_EKS = ["--region=eu-west-1", "--cluster=prod", "--namespace=data", "--ksa=etl"]
EKS = ["--on=eks", *EC2[1:], *IN_EKS]
OF_CLUSTER = ["--on=eks-issuer", *EC2[1:3], *IN_EKS, "--direct"]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["--on=eks"], "project, aws-account, region, cluster, namespace, ksa, role, gsa"),
        (["--on=eks-issuer", "--direct"], "project, aws-account, region, cluster, namespace, ksa"),
        (["--on=ecs", "--direct"], "project, aws-account, region, role"),
        (["--on=lambda", *EC2[1:]], "gsa"),
    ],
)
def test_missing_option_for_aws_is_named(arguments: list[str], missing: str) -> None:
    done = run(*arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert (
        f"Missing options: {', '.join(f'--{one}' for one in missing.split(', '))}." in done.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([*GKE, "--grant=roles/viewer", "--pool=mine"], "--grant, --pool"),
        ([*GKE, "--direct"], "--direct"),
        ([*GKE, "--service=reports"], "--service"),
        ([*GKE, "--on=gke-issuer"], "--gsa"),
        ([*GKE, "--on=composer", "--service=x"], "--cluster, --namespace, --ksa"),
        ([*DATAFLOW, "--service=x"], "--service"),
        ([*EC2, "--gsa=etl-runner", "--location=europe-west1"], "--location"),
        ([*EC2, "--gsa=etl-runner", "--audience=x"], "--audience"),
        ([*EC2, "--gsa=etl-runner", "--cluster=prod"], "--cluster"),
        ([*EC2, "--gsa=etl-runner", "--partition=aws-cn"], "--partition"),
        ([*EC2, "--gsa=etl-runner", "--direct"], "--gsa"),
        ([*OF_CLUSTER, "--role=etl"], "--role"),
        (["--on=aws-outbound", *EC2[1:], "--direct", "--policy-arn=x"], "--policy-arn"),
    ],
)
def test_option_without_effect_is_an_error(arguments: list[str], named: str) -> None:
    done = run(*arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert f"these options have no effect: {named}." in done.stderr
    assert "[config/setup-option]" in done.stderr


@pytest.mark.parametrize(
    "argument",
    [
        *("--region=eu", "--region=cn-north-1", "--region=us-gov-west-1", "--cluster=-prod"),
        *("--pool=gcp-mine", "--provider=abc", "--grant=viewer", "--grant=roles/a b"),
        *("--role-path=team", "--role-path=/a b/", "--project-number=my-project"),
        *("--role=it's", '--role="etl"', "--role=a\\b", "--namespace=it's"),
    ],
)
def test_invalid_name_is_an_error(argument: str) -> None:
    done = run(*EKS, "--direct", argument)
    assert (1, "") == (done.returncode, done.stdout)
    assert f"{argument.partition('=')[0]} is " in done.stderr
    assert "[config/setup-name]" in done.stderr


ANNOTATED = ["--annotate", "--format=kubernetes"]


@pytest.mark.parametrize(
    ("arguments", "annotation"),
    [
        ([*GKE, "--region=eu-west-1"], 'gcp-aws-bridge/region: "eu-west-1"'),
        (["--on=gke-issuer", *GKE[:5], *GKE[6:]], "gcp-aws-bridge/audience: "),
        (
            ["--on=eks-issuer", "--project-number=345678901234", *OF_CLUSTER[1:]],
            "/google-provider: ",
        ),
    ],
)
def test_annotations_are_written(
    arguments: list[str], annotation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, *arguments, *ANNOTATED)
    assert annotation in out
    assert "GCP_AWS_BRIDGE_" not in out


def test_page_shows_the_service_account_that_setup_writes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = Path(__file__).parents[2] / "docs/how-to/set-up.md"
    if not page.exists():
        pytest.skip("not in a source checkout")
    _, _, rest = page.read_text(encoding="utf-8").partition("```yaml\n")
    out = printed(capsys, *GKE, "--region=eu-west-1", *ANNOTATED)
    assert rest.partition("```")[0] == out.partition("---\n")[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*GKE, "--region=eu-west-1"], "no effect: --region."),
        ([*GKE, "--region=eu", "--annotate"], "The region is"),
        ([*EC2, "--direct", "--annotate"], "no effect: --annotate."),
        (
            ["--on=cloud-run", "--service=x", *GKE[:2], *GKE[5:], "--annotate"],
            "no effect: --annotate.",
        ),
        (["--on=gke-issuer", *GKE[:5], *GKE[6:], *CHAIN, "--annotate"], "Chained roles need"),
    ],
)
def test_option_that_contradicts_annotations_is_an_error(
    arguments: list[str], message: str
) -> None:
    done = run(*arguments)
    assert (1, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "[config/setup-option]" in done.stderr


def test_subject_that_is_too_long_for_google_is_an_error() -> None:
    long = f"{'a' * 60}.{'b' * 60}"
    assert "[config/setup-subject]" in run(*OF_CLUSTER, f"--ksa={long}").stderr


def test_manifests_for_google_need_the_project_number(tmp_path: Path) -> None:
    done = run(*EKS, "--direct", "--format=kubernetes")
    assert (1, "") == (done.returncode, done.stdout)
    assert "Missing option: --project-number" in done.stderr
    done = run(*EKS, "--direct", "--format=terraform", f"--output={tmp_path / 'out'}")
    assert "Missing option: --project-number" in done.stderr
    assert [] == [*tmp_path.iterdir()]
    number = "--project-number=345678901234"
    assert "/projects/345678901234/" in run(*EKS, "--direct", "--format=kubernetes", number).stdout
    for options, files in (([], ["setup.sh"]), ([number], ["kubernetes.yaml", "setup.sh"])):
        folder = tmp_path / str(len(options))
        done = run(*EKS, "--direct", *options, f"--output={folder}")
        assert files == sorted(path.name for path in folder.iterdir())
        assert f"Review it, then run: bash {quote(str(folder / 'setup.sh'))}\n" in done.stderr
    assert "[config/setup-format]" in run(*EC2, "--direct", "--format=kubernetes").stderr


# -- check -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [GKE, [*EKS, "--gsa=etl-runner"]], ids=["gke", "eks"])
def test_check_as_json_has_the_same_findings_as_the_lines(
    arguments: list[str], tmp_path: Path
) -> None:
    nowhere = {"PATH": str(tmp_path)}  # neither gcloud nor kubectl nor aws
    lines = run(*arguments, "--check", **nowhere).stdout.splitlines()
    done = run(*arguments, "--check", "--json", **nowhere)
    assert (1, "") == (done.returncode, done.stderr)
    found = json.loads(done.stdout)
    assert ({"ok", "findings"}, False) == (found.keys(), found["ok"])
    for one in found["findings"]:
        assert {"state", "what", "seen", "wanted"} == one.keys()
        assert f"{one['state'].upper():8} {one['what']}" in lines
    assert f"0 of {len(found['findings'])} are as planned." in lines
    assert "gcloud is not installed here" in {one["seen"] for one in found["findings"]}


def test_json_needs_check() -> None:
    done = run(*GKE, "--json")
    assert (2, "") == (done.returncode, done.stdout)
    assert "--json needs --check" in done.stderr


# -- files -----------------------------------------------------------------------------------------


APPLIED = (
    "{{ kubectl get namespace data >/dev/null 2>&1 || kubectl create namespace data; }} "
    "&& kubectl apply -f {1}"
)


@pytest.mark.parametrize(
    ("form", "files", "then"),
    [
        ("shell", ["kubernetes.yaml", "setup.sh"], "bash {2}"),
        (
            "terraform",
            ["kubernetes.yaml", "main.tf"],
            f"terraform -chdir={{0}} init && terraform -chdir={{0}} apply && {APPLIED}",
        ),
        ("kubernetes", ["kubernetes.yaml"], APPLIED),
    ],
)
def test_files_have_the_printed_content(
    tmp_path: Path, form: str, files: list[str], then: str
) -> None:
    folder = tmp_path / "it's"
    done = run(*GKE, f"--format={form}", f"--output={folder}")
    assert (0, "") == (done.returncode, done.stdout)
    assert files == sorted(path.name for path in folder.iterdir())
    paths = [quote(str(path)) for path in (folder, folder / "kubernetes.yaml", folder / "setup.sh")]
    assert f"Review it, then run: {then.format(*paths)}\n" in done.stderr
    printed = run(*GKE, f"--format={form}").stdout
    assert printed in [path.read_text(encoding="utf-8") for path in folder.iterdir()]


def test_files_are_overwritten_only_with_the_same_content(tmp_path: Path) -> None:
    assert 0 == run(*GKE, f"--output={tmp_path}").returncode
    assert 0 == run(*GKE, f"--output={tmp_path}").returncode
    (tmp_path / "setup.sh").write_text("# mine\n")
    (tmp_path / "kubernetes.yaml").unlink()
    done = run(*GKE, f"--output={tmp_path}")
    assert 1 == done.returncode
    assert 'setup.sh" already exists with other content.' in done.stderr
    assert ["setup.sh"] == [path.name for path in tmp_path.iterdir()]
    assert "# mine\n" == (tmp_path / "setup.sh").read_text()


# -- a terminal ------------------------------------------------------------------------------------


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    configure(parser)
    return parser.parse_args(arguments)


def answering(*answers: str) -> tuple[Callable[[str, str], str], list[str]]:
    """Return a function that gives these answers in order, and the questions that it was asked."""
    left, questions = [*answers], []

    def ask(question: str, default: str) -> str:
        questions.append(question)
        return left.pop(0) or default

    return ask, questions


def test_prompts_ask_for_each_missing_value_once() -> None:
    ask, questions = answering(
        *("", "my-project", "prod", "europe-west1", "", "etl-runner", ""),
        *("123456789012", "etl", "", ""),
    )
    plan = _setup_plan.plan(options(), ask)
    assert isinstance(plan, Plan)
    assert ("gke", "default") == (plan.workload.platform, plan.workload.namespace)
    assert "etl-runner@my-project.iam.gserviceaccount.com" == plan.workload.gsa
    assert ("aws:123456789012:etl", ()) == (plan.role.audience, plan.role.policy_arns)
    assert 11 == len(questions)


def test_prompt_repeats_after_an_invalid_answer(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [one for one in GKE if not one.startswith("--role")]
    ask, questions = answering("mars", "gke", "a b", "etl", "", "nothing", "")
    plan = _setup_plan.plan(options(*arguments), ask)
    assert "etl" == plan.role.name
    assert 7 == len(questions)
    output = capsys.readouterr().err
    assert "The answer must be one of gke, gke-issuer" in output
    assert '--role is "a b"' in output
    assert "--policy-arn is" in output


def test_prompts_for_aws_ask_only_for_missing_values() -> None:
    ask, questions = answering(
        *("eks", "my-project", "123456789012", "eu-west-1", "-prod", "Prod_1"),
        *("", "etl-runner", "etl", "", "roles/pubsub.publisher"),
    )
    plan = _setup_plan.plan(options(), ask)
    assert isinstance(plan, to_google.Plan)
    assert ("Prod_1", "default") == (plan.workload.cluster, plan.workload.namespace)
    assert "etl-runner@my-project.iam.gserviceaccount.com" == plan.google.gsa
    assert ("aws-etl", ("roles/pubsub.publisher",)) == (plan.google.provider, plan.google.grants)
    assert 11 == len(questions)


def test_prompts_follow_the_rules_of_the_platform(capsys: pytest.CaptureFixture[str]) -> None:
    ask, questions = answering(
        *("workbench", "my-project", "europe-west1", "europe-west1-b", "notes", "etl-runner"),
        *("123456789012", "etl", "", ""),
    )
    plan = _setup_plan.plan(options(), ask)
    assert isinstance(plan, Plan)
    assert ("europe-west1-b", "notes") == (plan.workload.location, plan.workload.service)
    assert 10 == len(questions)
    assert "must be a Google Cloud zone" in capsys.readouterr().err
    ask, questions = answering("", "")
    assert (
        "dataflow" == _setup_plan.plan(options(*DATAFLOW[:-1], "--role=etl"), ask).workload.platform
    )
    assert [] == questions


def test_no_prompt_if_nothing_is_missing() -> None:
    ask, questions = answering()
    _setup_plan.plan(options(*GKE), ask)
    assert [] == questions


def test_account_of_another_project_is_given_by_its_email() -> None:
    other = "--gsa=other-one@elsewhere.iam.gserviceaccount.com"
    assert "elsewhere" == _setup_plan.plan(options(*GKE, other), None).workload.gsa_project
    with pytest.raises(ConfigError, match="--gsa is"):
        _setup_plan.plan(options(*GKE, "--gsa=etl"), None)


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_questions_and_answers_on_a_real_terminal(tmp_path: Path) -> None:
    import pty

    terminal, of_setup = pty.openpty()
    command = [sys.executable, "-m", "gcp_aws_bridge", "setup", *GKE[:-1]]
    with subprocess.Popen(
        command, stdin=of_setup, stderr=of_setup, stdout=subprocess.PIPE, text=True
    ) as process:
        os.close(of_setup)
        os.write(terminal, b"gke\netl\n\n\n")
        out, _ = process.communicate(timeout=50)
        output = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert 0 == process.returncode
    assert "Role in AWS (name, with its path if it has one): " in output
    assert run(*GKE).stdout == out


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals there")
def test_ctrl_c_at_a_prompt_ends_with_status_130() -> None:
    import pty

    terminal, of_setup = pty.openpty()
    command = [sys.executable, "-m", "gcp_aws_bridge", "setup"]
    with subprocess.Popen(
        command, stdin=of_setup, stderr=of_setup, start_new_session=True
    ) as process:
        os.close(of_setup)
        os.read(terminal, 1)  # the first question
        os.write(terminal, b"\x04")  # Ctrl-D has the same effect
        assert 130 == process.wait(50)
    os.close(terminal)


# -- manifests -------------------------------------------------------------------------------------

MANIFEST = """\
# Nightly exports.
apiVersion: v1
kind: Pod
metadata:
  name: etl  # also in the dashboards
spec:
  containers:
    # The program itself.
    - name: etl
      image: "registry.example.com/etl:1"
      env:
        - name: BUCKET
          value: 'reports'  # quotes stay
        # Where the token is.
        - name: AWS_WEB_IDENTITY_TOKEN_FILE
          value: /token/gtoken
        - name: AWS_ROLE_ARN
          value: arn:aws:iam::123456789012:role/etl
      volumeMounts:
        - name: token
          mountPath: /token
    - name: update
      image: doitintl/gtoken:latest
      volumeMounts:
        - name: token
          mountPath: /token
  volumes:
    - name: token
      emptyDir: {}
---
apiVersion: v1
kind: Service  # untouched
metadata: {name: etl}
spec: {ports: [{port: 0o120}]}
"""
REWRITTEN = """\
# Nightly exports.
apiVersion: v1
kind: Pod
metadata:
  name: etl  # also in the dashboards
spec:
  containers:
    # The program itself.
    - name: etl
      image: "registry.example.com/etl:1"
      env:
        - name: BUCKET
          value: 'reports'  # quotes stay
        # Where the token is.
        - name: AWS_ROLE_ARN
          value: arn:aws:iam::123456789012:role/etl
        - name: GCP_AWS_BRIDGE_AUDIENCE
          value: gtoken/sts/assume-role-with-web-identity
---
apiVersion: v1
kind: Service  # untouched
metadata: {name: etl}
spec: {ports: [{port: 0o120}]}
"""


def test_rewritten_manifest_keeps_all_other_content(tmp_path: Path) -> None:
    file = tmp_path / "etl.yaml"
    file.write_text(MANIFEST)
    done = run(f"--from-pod={file}")
    assert REWRITTEN == done.stdout
    assert 0 == done.returncode
    assert "done: Pod etl: gets credentials itself; update and the token file" in done.stderr
    assert "gcp_aws_bridge.install() before the first client" in done.stderr
    assert 0 == run(f"--from-pod={file}", f"--output={tmp_path / 'out'}").returncode
    assert REWRITTEN == (tmp_path / "out/etl.yaml").read_text()
    assert MANIFEST == file.read_text()


def test_rewritten_manifest_keeps_the_indentation_of_lists(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")  # PyYAML indents lists differently

    def put_otherwise(text: str) -> str:
        return str(yaml.safe_dump(yaml.safe_load(text.partition("---")[0]), sort_keys=False))

    file = tmp_path / "etl.yaml"
    file.write_text(put_otherwise(MANIFEST))
    assert put_otherwise(REWRITTEN) == run(f"--from-pod={file}").stdout


def test_remaining_work_is_listed_with_status_1(tmp_path: Path) -> None:
    file = tmp_path / "etl.yaml"
    file.write_text(MANIFEST.replace("doitintl/gtoken", "example.com/tokens"))
    done = run(f"--from-pod={file}")
    assert (1, "") == (done.returncode, done.stdout)
    assert "left: Pod etl: the audience of update is not in the manifest" in done.stderr


SCRIPTED = """\
# About the pod.
kind: Pod
metadata: {name: etl}
spec:
  volumes: [{name: aws, configMap: {name: aws}}]
  containers:
    - name: etl
      env:
        - {name: AWS_CONFIG_FILE, value: /aws/config}
        - {name: AWS_ROLE_ARN, value: "arn:aws:iam::123456789012:role/etl"}
        - {name: GCP_OAUTH_AUD, value: "103456789012345678901"}
      volumeMounts: [{name: aws, mountPath: /aws}]
---
kind: ConfigMap
metadata: {name: aws}
data:
  config: |
    [default]
    credential_process = /aws/credentials.sh
    # the profile of the script
    [profile script]
  credentials.sh: |
    #!/bin/bash
    # From the wiki.
    jwt_token=$(curl -sH "Metadata-Flavor: Google" "http://metadata/computeMetadata/v1/instance/service-accounts/default/identity?audience=$GCP_OAUTH_AUD&format=full&licenses=FALSE")
    credentials=$(aws sts assume-role-with-web-identity --profile script --role-arn $AWS_ROLE_ARN --role-session-name $GCP_OAUTH_AUD --web-identity-token $jwt_token | jq '.Credentials' | jq '.Version=1')
    echo $credentials
"""  # noqa: E501


def test_lines_of_a_removed_script_are_not_reported_as_comments(tmp_path: Path) -> None:
    file = tmp_path / "etl.yaml"
    file.write_text(SCRIPTED)
    done = run(f"--from-pod={file}")
    assert ("# About the pod.", "") == (
        done.stdout.partition("\n")[0],
        done.stderr.partition("left:")[1],
    )
    assert 0 == done.returncode, done.stderr
    file.write_text(SCRIPTED.replace("kind: ConfigMap", "# Ours.\nkind: ConfigMap"))
    done = run(f"--from-pod={file}")
    assert (1, True) == (done.returncode, '"# Ours."' in done.stderr)


@pytest.mark.skipif(os.name != "posix", reason="a shell")
def test_next_step_creates_the_namespace_once(tmp_path: Path) -> None:
    """In the order printed, with a kubectl that remembers the namespaces."""
    (tmp_path / "kubectl").write_text(
        '#!/bin/sh\necho "$@" >> log\n'
        'case "$1" in get) test -e "$3" ;; create) touch "$3" ;; *) test -e data ;; esac\n'
    )
    (tmp_path / "terraform").write_text('#!/bin/sh\necho terraform "$2" >> log\n')
    for name in ("kubectl", "terraform"):
        (tmp_path / name).chmod(0o755)
    done = run(*GKE, "--format=terraform", f"--output={tmp_path / 'out'}")
    [then] = re.findall("^Review it, then run: (.*)$", done.stderr, re.M)
    for _ in range(2):
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(["sh", "-c", then], cwd=tmp_path, env={"PATH": path}, check=True)
    logged = [line.split()[:2] for line in (tmp_path / "log").read_text().splitlines()]
    first = [["terraform", "init"], ["terraform", "apply"], ["get", "namespace"]]
    assert [*first, ["create", "namespace"], ["apply", "-f"], *first, ["apply", "-f"]] == logged


def test_manifest_without_anything_to_rewrite_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "etl.yaml"
    file.write_text("kind: Service\n")
    done = run(f"--from-pod={file}")
    assert (1, "") == (done.returncode, done.stdout)
    assert "neither a credential_process script nor a token sidecar" in done.stderr


def test_removed_comments_are_listed(tmp_path: Path) -> None:
    file = tmp_path / "etl.yaml"
    comment = "      # About the sidecar.\n"
    file.write_text(MANIFEST.replace("      image: doitintl", f"{comment}      image: doitintl"))
    done = run(f"--from-pod={file}")
    assert REWRITTEN == done.stdout
    assert 'A comment was removed with the lines beside it: "# About the sidecar."' in done.stderr


@pytest.mark.parametrize(
    "text",
    ["{{ if .Values.x }}\na: b", "a: [", "\x00", "!!python/object/apply:os.system [x]\n- a: b: c"],
)
def test_invalid_yaml_is_a_clear_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "etl.yaml"
    file.write_text(text)
    done = run(f"--from-pod={file}")
    assert 1 == done.returncode
    assert "[config/setup-manifest]" in done.stderr
    assert "Traceback" not in done.stderr


def test_comments_around_a_list_of_flow_mappings_are_kept(tmp_path: Path) -> None:
    """ruamel.yaml would write the next block mapping into the line of the last comment."""
    yaml = pytest.importorskip("yaml")
    file = tmp_path / "etl.yaml"
    variables = "        - {name: AWS_ROLE_ARN"
    assert variables in GTOKEN_POD
    text = GTOKEN_POD.replace(variables, f"        # The role.\n{variables}").replace(
        '/etl"}', '/etl"}  # its ARN'
    )
    file.write_text(text)
    done = run(f"--from-pod={file}")
    assert 0 == done.returncode, done.stderr
    [container] = yaml.safe_load(done.stdout)["spec"]["containers"]
    assert ["AWS_ROLE_ARN", "GCP_AWS_BRIDGE_AUDIENCE"] == [one["name"] for one in container["env"]]
    assert {"# The role.", "# its ARN"} <= {
        f"#{line.partition('#')[2]}" for line in done.stdout.splitlines()
    }


def test_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "ruamel").mkdir()
    (tmp_path / "ruamel/__init__.py").write_text("")
    (tmp_path / "etl.yaml").write_text(MANIFEST)
    command = [sys.executable, "-m", "gcp_aws_bridge", "setup", f"--from-pod={tmp_path}/etl.yaml"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    assert 1 == done.returncode
    assert "pip install 'gcp-aws-bridge[setup]'" in done.stderr
