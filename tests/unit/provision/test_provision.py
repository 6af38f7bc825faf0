"""What `setup` writes: taken by shells, Terraform and Kubernetes, whatever it is given."""

from __future__ import annotations

import json
import random
import string
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from suite import examples
from tools import (
    BASH,
    NASTY,
    SHELLCHECK,
    needs_bash,
    needs_shellcheck,
    needs_terraform,
    run_terraform,
)

from gcp_aws_bridge._settings import parsed_chain
from gcp_aws_bridge._tokens.service_account import require_service_account
from gcp_aws_bridge.cli import setup
from gcp_aws_bridge.config import ChainedRole, Role
from gcp_aws_bridge.config.chained_role import chain_text
from gcp_aws_bridge.emulator import Emulator, ServiceAccount
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.policy import lint, requests_of
from gcp_aws_bridge.policy.hcl import text
from gcp_aws_bridge.policy.names import email_of, project_of
from gcp_aws_bridge.provision import names, plan
from gcp_aws_bridge.provision.chain import CHAIN_POLICY, Chain
from gcp_aws_bridge.provision.check import compare
from gcp_aws_bridge.provision.manifests import manifests
from gcp_aws_bridge.provision.names import RULES, checked
from gcp_aws_bridge.provision.plan import PLATFORMS, REGIONS, AwsRole, Plan, Workload
from gcp_aws_bridge.provision.queries import Answer
from gcp_aws_bridge.provision.shell import script
from gcp_aws_bridge.provision.terraform import terraform
from gcp_aws_bridge.provision.to_google import plan as to_google

yaml = pytest.importorskip("yaml")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "It's",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::reports/${aws:userid}/*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}, "x": {"for": [], "y-z": 1}},
        },
        {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": ["a", "`id`", 'say "%{hi}"']},
    ],
}
ANY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
MAY: dict[str, dict[str, Any]] = {
    "nothing": {},
    "one": {"policy_arns": (ANY,)},
    "all": {"policy_arns": (ANY, f"{ANY}2"), "policy": json.dumps(POLICY)},
}
GSA = "etl-runner@my-project.iam.gserviceaccount.com"


def made(platform: str, may: str = "all", location: str = "europe-west1", **more: Any) -> Plan:
    """A plan with everything that this platform wants."""
    values = {
        "project": "my-project",
        "location": location,
        "cluster": "prod",
        "namespace": "data",
        "ksa": "etl",
        "service": "reports",
        "gsa": GSA,
    }
    wanted = {name: values[name] for name in PLATFORMS[platform]}
    role = {"account": "123456789012", "name": "e,tl", **MAY[may]}
    for name, value in more.items():
        (wanted if name in wanted else role)[name] = value
    return Plan(Workload(platform, **wanted), AwsRole(**role))


PLANS = {
    f"{platform}, {may}, {location}": made(platform, may, location)
    for platform in PLATFORMS
    for may in MAY
    for location in ("europe-west1", "europe-west1-b")
}
DOMAIN = {"project": "example.com:my-project"}
DOMAIN_GSA = "etl-runner@my-project.example.com.iam.gserviceaccount.com"
PLANS["domain-scoped"] = made("gke", **DOMAIN, gsa=DOMAIN_GSA)
PLANS["domain-scoped, zonal"] = made("gke", "one", "europe-west1-b", **DOMAIN, gsa=DOMAIN_GSA)
TENANT = "arn:aws:iam::210987654321:role/tenant"
SECOND = "arn:aws:iam::321098765432:role/second"


def chain_of(it: Plan) -> Chain:
    """Two chained roles; the first has settings of its own."""
    tags = {"tenant": "seven of 9"}
    first = ChainedRole(
        TENANT,
        external_id="tenant=7",
        tags=tags,
        transitive_tag_keys=["tenant"],
        source_identity="nightly",
    )
    whole = Role(it.role.arn, chain=[first, SECOND])
    return Chain(whole.arns[1:], tuple(requests_of(whole)), chain_text(whole.chain))


CHAINED = {
    f"chained, {platform}": replace(it, chain=chain_of(it))
    for platform in PLATFORMS
    for it in [made(platform)]
}
PLANS |= CHAINED
PLANS["path, partition"] = made("gke", path="/service-role/", partition="aws-eusc")
PLANS |= {
    f"annotated, {platform}": replace(made(platform), annotate=True)
    for platform in ("gke", "gke-issuer")
}
PLANS["annotated, chained"] = replace(CHAINED["chained, gke"], annotate=True, region="eu-west-1")
every_plan = pytest.mark.parametrize("it", PLANS.values(), ids=PLANS)
in_clusters = pytest.mark.parametrize("platform", ["gke", "gke-issuer"])


def test_command_offers_all_platforms_and_partitions() -> None:
    assert [*PLATFORMS] == [*setup._PLATFORMS]
    assert [*to_google.PLATFORMS] == [*setup._ON_AWS]
    assert [*REGIONS] == [*setup._PARTITIONS]


# -- shells, Terraform, Kubernetes -----------------------------------------------------------------


@needs_bash
@every_plan
def test_bash_reads_the_script(it: Plan) -> None:
    done = subprocess.run([str(BASH), "-n"], input=script(it), capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)


@needs_shellcheck
def test_shellcheck_reports_nothing(tmp_path: Path) -> None:
    for number, it in enumerate(PLANS.values()):
        (tmp_path / f"{number}.sh").write_text(script(it), encoding="utf-8")
    files = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run([str(SHELLCHECK), *files], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stdout)


@needs_shellcheck
def test_shellcheck_reports_a_value_without_quotes() -> None:
    spoilt = script(made("gke")).replace('[ "$seen" =', "[ $seen =")
    done = subprocess.run([str(SHELLCHECK), "-"], input=spoilt, capture_output=True, text=True)
    assert 1 == done.returncode


@needs_terraform
@pytest.mark.usefixtures("home")
def test_terraform_fmt_changes_nothing(tmp_path: Path) -> None:
    for number, it in enumerate(PLANS.values()):
        (tmp_path / f"{number}.tf").write_text(terraform(it), encoding="utf-8")
    done = run_terraform("fmt", "-check", "-diff", str(tmp_path))
    assert (0, "") == (done.returncode, done.stdout)


@needs_terraform
@pytest.mark.usefixtures("home")
def test_terraform_fmt_reports_another_format() -> None:
    spoilt = terraform(made("gke")).replace("account_id   =", "account_id =")
    done = run_terraform("fmt", "-check", "-", text=spoilt)
    assert 3 == done.returncode


@in_clusters
def test_manifests_match_their_schemas(platform: str) -> None:
    account, job = yaml.safe_load_all(manifests(made(platform)))
    for document in (account, job):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    assert account["metadata"]["name"] == pod["serviceAccountName"]
    [container] = pod["containers"]
    rules = pod["securityContext"] | container["securityContext"]
    assert {
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == rules


def test_only_accounts_with_a_google_account_are_linked() -> None:
    linked, _ = yaml.safe_load_all(manifests(made("gke")))
    assert {"iam.gke.io/gcp-service-account": GSA} == linked["metadata"]["annotations"]
    alone, job = yaml.safe_load_all(manifests(made("gke-issuer")))
    assert "annotations" not in alone["metadata"]
    [_, volume] = job["spec"]["template"]["spec"]["volumes"]
    [source] = volume["projected"]["sources"]
    assert "aws:123456789012:e,tl" == source["serviceAccountToken"]["audience"]


# -- the trust policy ------------------------------------------------------------------------------


def test_each_platform_pins_subject_and_audience_and_is_admitted() -> None:
    arn = "arn:aws:iam::123456789012:role/e,tl"
    with Emulator(service_account=ServiceAccount.named(GSA)) as cloud:
        number = cloud.service_account.unique_id
        for platform in PLATFORMS:
            document = made(platform).trust_policy(number)
            conditions = document["Statement"][0]["Condition"]["StringEquals"]
            keys = {name.rpartition(":")[2] for name in conditions}
            assert ({"aud", "sub"} if platform == "gke-issuer" else {"aud", "oaud", "sub"}) == keys
            cloud.add_role(arn, document)


def test_number_is_an_expression_in_terraform() -> None:
    for platform in PLATFORMS:
        found = terraform(made(platform)).count("google_service_account.workload.unique_id")
        assert (0 if platform == "gke-issuer" else 2) == found
    assert plan.UNKNOWN_NUMBER not in terraform(made("gke")) + script(made("gke"))


# -- names that the clouds would refuse ------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_example_of_a_rule_is_valid(name: str) -> None:
    assert RULES[name].example == checked(name, RULES[name].example)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "short"),
        ("project", "My-project"),
        ("project", "my-project-"),
        ("project", "9projects"),
        ("project", "example.com:"),
        ("project", ":my-project"),
        ("project", "example:my-project"),
        ("project", "example.com:short"),
        ("project", "example.com:my-project:more"),
        ("project", "Example.com:my-project"),
        ("cluster", "a" * 41),
        ("cluster", "-prod"),
        ("location", "europe"),
        ("location", "europe-west1-bc"),
        ("namespace", "Data"),
        ("namespace", "a" * 64),
        ("namespace", "data."),
        ("ksa", "etl_runner"),
        ("ksa", ".etl"),
        ("gsa", "etl"),
        ("gsa", "etl@my-project.iam.gserviceaccount.com"),  # of three letters
        ("gsa", "123456789012-compute@developer.gserviceaccount.com"),
        ("gsa", "user@example.com"),
        ("service", "a" * 50),
        ("aws-account", "12345678901"),
        ("aws-account", "1234567890123"),
        ("aws-account", "١٢٣٤٥٦٧٨٩٠١٢"),
        ("role", "a b"),
        ("role", "é"),
        ("role", "/path/etl"),
        ("role", "path//etl"),
        ("role", "path/"),
        ("role", f"path/{'a' * 65}"),
        ("role", "a" * 65),
        ("audience", "${aws:userid}"),
        ("audience", "*"),
        ("audience", "a b"),
        ("policy-arn", "AmazonS3ReadOnlyAccess"),
        ("policy-arn", "arn:aws:iam::aws:role/etl"),
    ],
)
def test_invalid_name_is_rejected(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"--{name} is .*\[config/setup-name\]"):
        checked(name, value)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("end", ["\n", "\x00", "'", '"', "`id`", "$(id)", ";id", " ", "\\", "#"])
def test_suffix_of_a_valid_name_is_rejected(name: str, end: str) -> None:
    with pytest.raises(ConfigError):
        checked(name, RULES[name].example + end)


HARMLESS = set(string.ascii_letters + string.digits + "_+=,.@/:~-")


@settings(max_examples=examples(300))
@given(name=st.sampled_from(sorted(RULES)), value=st.text())
def test_any_text_is_rejected_or_harmless(name: str, value: str) -> None:
    try:
        assert set(checked(name, value)) <= HARMLESS
    except ConfigError as error:
        assert error.error_id == "config/setup-name"  # noqa: PT017


@pytest.mark.parametrize(
    "policy", ["", "{", "[]", "{}", '"x"', '{"Statement": [NaN]}', "[" * 100_000, "1" * 5000]
)
def test_invalid_permissions_policy_is_rejected(policy: str) -> None:
    with pytest.raises(ConfigError, match=r"config/setup-policy"):
        plan.inline_policy(policy)


def test_too_long_permissions_policy_is_rejected() -> None:
    with pytest.raises(ConfigError, match="IAM accepts 10240"):
        plan.inline_policy(json.dumps({"Statement": ["x" * 10_240]}))


# -- and quoted all the same -----------------------------------------------------------------------


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is checked: what is written is to be safe by its quoting alone."""
    monkeypatch.setattr(plan, "checked", lambda name, value, rule="": value)


@needs_bash
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_value_that_passes_the_checks_is_not_executed(
    platform: str, value: str, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gcloud", "kubectl", "aws"):
        (programs / name).write_text(f"#!{BASH}\nprintf '%s\\n' 1234\n")
        (programs / name).chmod(0o755)
    values = dict.fromkeys(("project", "cluster", "namespace", "ksa", "service", "gsa"), value)
    it = Plan(
        Workload(
            platform,
            **{name: values.get(name, "europe-west1") for name in PLATFORMS[platform]},
        ),
        AwsRole("1234", value, value, (value,), json.dumps({"Statement": [value]})),
    )
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "SETUP_PAUSE_S": "0"}
    try:
        written = script(it)
    except ConfigError:
        return  # refused further on
    subprocess.run(
        [str(BASH)], input=written, capture_output=True, text=True, env=environ, cwd=tmp_path
    )
    assert ["bin"] == [path.name for path in tmp_path.iterdir()]


@needs_bash
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
@pytest.mark.usefixtures("unchecked")
def test_a_value_arrives_in_the_shell_as_it_is(value: str) -> None:
    it = made("gke", "nothing", cluster=value, namespace=value)
    head, _, rest = script(it).partition("\nproject=")
    values = rest.partition("\nexport ")[0]
    assert head.startswith("#!")
    done = subprocess.run(
        [str(BASH), "-c", f'project={values}\nprintf \'%s\\0\' "$cluster" "$namespace"'],
        capture_output=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert [value, value, ""] == done.stdout.decode().split("\0")


@needs_terraform
@pytest.mark.usefixtures("home")
def test_a_value_arrives_in_terraform_as_it_is(tmp_path: Path) -> None:
    chance = random.Random(6)  # reproducible random values
    letters = [*'${}%"\\\n\r\t\b\f\x1b\x7f\x85<>&~', *"éß\u2028😀a "]
    values = [*NASTY, "${x}", "$${x}", "%{ if true }", "%%{", "$%{${", '"', "\\u0041"]
    values += ["".join(chance.choices(letters, k=12)) for _ in range(300)]
    lines = "".join(f"    {text(value)},\n" for value in values)
    (tmp_path / "main.tf").write_text(f"locals {{\n  them = [\n{lines}  ]\n}}\n", "utf-8")
    done = run_terraform(
        f"-chdir={tmp_path}", "console", text="base64encode(jsonencode(local.them))"
    )
    assert values == json.loads(b64decode(done.stdout.strip().strip('"'))), done.stderr


@settings(max_examples=examples(100))
@given(value=st.from_regex(RULES["audience"].pattern, fullmatch=True))
def test_a_value_arrives_in_yaml_as_it_is(value: str) -> None:
    try:
        it = made("gke-issuer", audience=value)
    except ConfigError:
        return  # a letter that is not of ASCII
    _, job = yaml.safe_load_all(manifests(it))
    [container] = job["spec"]["template"]["spec"]["containers"]
    found = {one["name"]: one["value"] for one in container["env"]}
    assert value == found["GCP_AWS_BRIDGE_AUDIENCE"]


# -- compare ---------------------------------------------------------------------------------------


def answers(it: Plan) -> dict[str, Any]:
    """What the clouds' CLIs say when all is well, by a part of each command."""
    number = "104203741234567890123"
    binding = {
        "role": "roles/iam.workloadIdentityUser",
        "members": [it.workload.member("my-project.svc.id.goog")],
    }
    linked = {"iam.gke.io/gcp-service-account": GSA}
    nodes = [{"name": "p", "config": {"workloadMetadataConfig": {"mode": "GKE_METADATA"}}}]
    return {
        "clusters describe": {
            "workloadIdentityConfig": {"workloadPool": "my-project.svc.id.goog"},
            "nodePools": nodes,
        },
        "service-accounts describe": {"uniqueId": number},
        "get-iam-policy": {"bindings": [binding]},
        "get serviceaccount": {"metadata": {"annotations": linked}},
        "get-caller-identity": {"Account": "123456789012"},
        "get-open-id-connect-provider": None,
        "get-role ": {"Role": {"AssumeRolePolicyDocument": it.trust_policy(number)}},
        "list-attached": {"AttachedPolicies": [{"PolicyArn": one} for one in it.role.policy_arns]},
        "get-role-policy": {"PolicyDocument": POLICY},
    }


def found_by(it: Plan, said: dict[str, Any]) -> list[tuple[str, str]]:
    """What is not well: state, and the first words of what."""

    def ask(command: Any) -> Answer:
        line = " ".join(command).replace("--output=json --region=us-east-1 ", "") + " "
        [found] = [value for key, value in said.items() if key in line]
        if isinstance(found, Answer):
            return found
        return Answer(absent=True) if found is None else Answer(found)

    return [(one.state, one.what) for one in compare(it, ask) if one.state != "ok"]


def test_planned_state_is_ok() -> None:
    assert [] == found_by(made("gke"), answers(made("gke")))


def spoilt_policy(said: dict[str, Any]) -> dict[str, Any]:
    policy = json.loads(json.dumps(said["get-role "]))
    del policy["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    return dict(policy)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("clusters describe", None, ("missing", "cluster prod")),
        (
            "clusters describe",
            {"autopilot": {"enabled": True}},
            ("differs", "Workload Identity in the cluster"),
        ),
        (
            "clusters describe",
            {
                "workloadIdentityConfig": {"workloadPool": "my-project.svc.id.goog"},
                "nodePools": [{"name": "p", "config": {}}],
            },
            ("differs", "Workload Identity on the nodes of p"),
        ),
        (
            "service-accounts describe",
            {"uniqueId": "104203741234567890123", "disabled": True},
            ("differs", f"Google service account {GSA}"),
        ),
        (
            "get-iam-policy",
            {},
            ("differs", f"role of serviceAccount:my-project.svc.id.goog[data/etl] on {GSA}"),
        ),
        ("get serviceaccount", None, ("missing", "Kubernetes service account data/etl")),
        (
            "get serviceaccount",
            {"metadata": {}},
            ("differs", "Kubernetes service account data/etl"),
        ),
        (
            "get-open-id-connect-provider",
            {"ClientIDList": ["another"]},
            (
                "differs",
                "IAM OIDC provider arn:aws:iam::123456789012:oidc-provider/accounts.google.com",
            ),
        ),
        ("list-attached", {}, ("missing", f"policy {ANY}")),
        ("get-role-policy", None, ("missing", "inline policy gcp-aws-bridge")),
        ("get-role-policy", {"PolicyDocument": {}}, ("differs", "inline policy gcp-aws-bridge")),
        (
            "list-attached",
            Answer(problem="no"),
            ("unknown", f"policy {ANY}"),
        ),
    ],
)
def test_difference_is_reported_first(key: str, value: Any, wanted: tuple[str, str]) -> None:
    it = made("gke")
    assert wanted == found_by(it, answers(it) | {key: value})[0]


def test_trust_policy_that_admits_more_is_reported() -> None:
    it = made("gke")
    said = answers(it)
    said["get-role "] = spoilt_policy(said)
    assert [("differs", f"trust policy of {it.role.arn}")] == found_by(it, said)


def test_provider_for_google_must_know_the_accounts_number_and_not_the_audience() -> None:
    it = made("gke")
    number = answers(it)["service-accounts describe"]["uniqueId"]
    said = answers(it) | {"get-open-id-connect-provider": {"ClientIDList": [number]}}
    assert [] == found_by(it, said)
    said["get-open-id-connect-provider"] = {"ClientIDList": [it.role.audience]}
    [(state, _)] = found_by(it, said)
    assert "differs" == state
    said["service-accounts describe"] = Answer(problem="denied")
    google = "arn:aws:iam::123456789012:oidc-provider/accounts.google.com"
    assert ("unknown", f"IAM OIDC provider {google}") in found_by(it, said)


def test_the_order_and_the_lists_of_one_of_a_policy_do_not_matter() -> None:
    it = made("gke")
    said = answers(it)
    [statement] = said["get-role "]["Role"]["AssumeRolePolicyDocument"]["Statement"]
    statement["Action"] = [statement["Action"]]
    pinned = statement["Condition"]["StringEquals"]
    statement["Condition"] = {"StringEquals": {key: [pinned[key]] for key in reversed(pinned)}}
    assert [] == found_by(it, said)


def test_plan_checks_by_the_rules_in_names() -> None:
    assert plan.checked is names.checked


@pytest.mark.parametrize(
    ("gsa", "project"),
    [
        ("etl-runner@my-project.iam.gserviceaccount.com", "my-project"),
        ("etl-runner@my-project.example.com.iam.gserviceaccount.com", "example.com:my-project"),
        (
            "etl-runner@my-project.corp.example.co.uk.iam.gserviceaccount.com",
            "corp.example.co.uk:my-project",
        ),
    ],
)
def test_a_service_account_of_a_domains_project(gsa: str, project: str) -> None:
    assert gsa == checked("gsa", gsa)
    at = Workload("cloud-run", project="web-project", location="europe-west1", service="a", gsa=gsa)
    assert project == at.gsa_project


# -- domain-scoped projects, partitions, paths -----------------------------------------------------

POOLS = ["my-project.example.com.svc.id.goog", "example.com:my-project.svc.id.goog"]


@pytest.mark.parametrize("pool", POOLS)
def test_pool_of_a_domain_scoped_project_is_read_from_the_cluster(pool: str) -> None:
    it = made("gke", **DOMAIN, gsa=DOMAIN_GSA)
    said = answers(it)
    said["clusters describe"]["workloadIdentityConfig"]["workloadPool"] = pool
    said["get-iam-policy"]["bindings"][0]["members"] = [f"serviceAccount:{pool}[data/etl]"]
    linked = {"iam.gke.io/gcp-service-account": DOMAIN_GSA}
    said["get serviceaccount"] = {"metadata": {"annotations": linked}}
    assert [] == found_by(it, said)
    assert [("differs", f"role of serviceAccount:{pool}[data/etl] on {DOMAIN_GSA}")] == found_by(
        it, said | {"get-iam-policy": {}}
    )
    said["clusters describe"]["workloadIdentityConfig"] = {}
    assert ("differs", "Workload Identity in the cluster") == found_by(it, said)[0]


def test_issuer_of_a_domain_scoped_project_is_refused_with_what_works() -> None:
    with pytest.raises(ConfigError, match="--on=gke") as caught:
        made("gke-issuer", **DOMAIN)
    assert "config/setup-option" == caught.value.error_id


def test_gcloud_is_asked_about_the_account_in_its_domain_scoped_project() -> None:
    asked: list[str] = []

    def ask(command: Any) -> Answer:
        asked.extend(command)
        return Answer(absent=True)

    assert [*compare(made("gke", **DOMAIN, gsa=DOMAIN_GSA), ask)]
    projects = {word for word in asked if word.startswith("--project=")}
    assert {"--project=example.com:my-project"} == projects


def run_with_stand_ins(
    written: str, folder: Path, pool: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a script with programs that write down how they were called."""
    programs, log = folder / "bin", folder / "log"
    programs.mkdir(exist_ok=True)
    log.write_text("")
    for name in ("gcloud", "kubectl", "aws"):
        (programs / name).write_text(
            f"#!{BASH}\nprintf '%s ' \"$@\" >>{log}; echo >>{log}\n"
            'case "$*" in\n'
            f"*workloadPool*) printf '%s\\n' '{pool}' ;;\n"
            "*get-caller-identity*) echo 123456789012 ;;\n"
            "*autopilot*) echo True ;;\n*Role.Arn*) exit 1 ;;\n*) echo 1234 ;;\nesac\n"
        )
        (programs / name).chmod(0o755)
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "SETUP_PAUSE_S": "0"}
    done = subprocess.run(
        [str(BASH)], input=written, capture_output=True, text=True, env=environ, cwd=folder
    )
    return done, log.read_text().splitlines()


@needs_bash
@pytest.mark.parametrize("pool", POOLS)
def test_script_uses_the_pool_of_the_cluster(pool: str, tmp_path: Path) -> None:
    written = script(made("gke", location="europe-west1-b", **DOMAIN, gsa=DOMAIN_GSA))
    _, called = run_with_stand_ins(written, tmp_path, pool)
    [binding] = [line for line in called if "add-iam-policy-binding" in line]
    assert f"--member=serviceAccount:{pool}[data/etl]" in binding
    assert f"{DOMAIN_GSA} --project=example.com:my-project" in binding
    assert not [line for line in called if "--workload-pool" in line]


@needs_bash
def test_script_stops_if_the_cluster_has_no_pool(tmp_path: Path) -> None:
    written = script(made("gke", **DOMAIN, gsa=DOMAIN_GSA))
    done, called = run_with_stand_ins(written, tmp_path, "")
    assert 1 == done.returncode
    assert "Workload Identity is disabled in prod" in done.stderr
    assert not [line for line in called if "add-iam-policy-binding" in line]


def test_terraform_reads_the_pool_of_a_domain_scoped_project_from_the_cluster() -> None:
    written = terraform(made("gke", **DOMAIN, gsa=DOMAIN_GSA))
    assert 'data "google_container_cluster" "workload"' in written
    pool = "${data.google_container_cluster.workload.workload_identity_config[0].workload_pool}"
    assert f'"serviceAccount:{pool}[data/etl]"' in written
    assert "svc.id.goog" not in written


def test_partitions_and_their_regions_are_those_of_botocore() -> None:
    data = Path(botocore.__file__).parent / "data/endpoints.json"
    for partition in json.loads(data.read_text(encoding="utf-8"))["partitions"]:
        iam = partition["services"].get("iam", {})
        endpoint = iam.get("endpoints", {}).get(iam.get("partitionEndpoint"), {})
        first = min(partition["regions"])
        region = endpoint.get("credentialScope", {}).get("region", first)
        assert region == REGIONS[partition["partition"]]


@pytest.mark.parametrize("partition", REGIONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_partition_is_in_every_arn(partition: str, platform: str) -> None:
    it = made(platform, "nothing", partition=partition, path="/service-role/")
    arn = f"arn:{partition}:iam::123456789012:role/service-role/e,tl"
    assert arn == it.role.arn
    for written in (script(it), terraform(it)):
        assert arn in written
        assert REGIONS[partition] in written
        assert "arn:aws:" not in written or partition == "aws"


@needs_bash
def test_script_creates_the_role_at_its_path(tmp_path: Path) -> None:
    written = script(made("gke", path="/service-role/"))
    _, called = run_with_stand_ins(written, tmp_path, "my-project.svc.id.goog")
    [create] = [line for line in called if "create-role" in line]
    assert "--role-name e,tl --path /service-role/ --assume" in create


def test_role_at_another_path_is_named() -> None:
    it = made("gke", path="/service-role/")
    said = answers(it)
    said["get-role "]["Role"]["Arn"] = "arn:aws:iam::123456789012:role/e,tl"
    assert [("differs", "ARN of the role e,tl")] == found_by(it, said)


@pytest.mark.parametrize("name", ["etl-runner", "a-b-c-d"])
@pytest.mark.parametrize("project", ["my-project", "example.com:my-project", "a.b.co.uk:my-web-1"])
def test_email_of_a_projects_account_leads_back_to_the_project(name: str, project: str) -> None:
    found = email_of(name, project)
    assert found == checked("gsa", found)
    assert project == checked("project", project)
    assert project == project_of(found)
    require_service_account(found)
    assert project == ServiceAccount.named(found).project_id


# -- chained roles -----------------------------------------------------------------------------


def chained_answers(it: Plan) -> dict[str, Any]:
    inline = answers(it).pop("get-role-policy")
    said = {
        **answers(it),
        f"--policy-name {CHAIN_POLICY} ": {"PolicyDocument": it.chain.permissions},
    }
    del said["get-role-policy"]
    return {**said, "--policy-name gcp-aws-bridge ": inline}


def test_chain_is_in_the_variables_of_the_program() -> None:
    it = CHAINED["chained, gke"]
    setting = it.variables["GCP_AWS_BRIDGE_CHAIN"]
    again = Role(it.role.arn, chain=parsed_chain(setting, "test"))
    assert (TENANT, SECOND) == again.arns[1:]
    assert [*it.chain.requests] == requests_of(again)
    _, job = yaml.safe_load_all(manifests(it))
    [container] = job["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    assert setting == env["GCP_AWS_BRIDGE_CHAIN"]


def test_trust_policies_of_a_chain_admit_each_role_from_the_one_before() -> None:
    it = CHAINED["chained, gke"]
    first, second = it.chain.trust_policies.values()
    assert {"AWS": it.role.arn} == first["Statement"][0]["Principal"]
    assert {"AWS": TENANT} == second["Statement"][0]["Principal"]
    assert [] == lint(first, account_id="210987654321")
    assert ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] == (
        it.chain.permissions["Statement"][0]["Action"]
    )


def test_plan_without_a_chain_writes_nothing_about_one() -> None:
    it = made("gke")
    assert "hained" not in script(it) + terraform(it)
    assert "GCP_AWS_BRIDGE_CHAIN" not in it.variables


def test_permission_of_the_chain_is_compared() -> None:
    it = CHAINED["chained, gke"]
    said = chained_answers(it)
    assert [] == found_by(it, said)
    for answer, state in ((None, "missing"), ({"PolicyDocument": {}}, "differs")):
        said[f"--policy-name {CHAIN_POLICY} "] = answer
        assert [(state, f"inline policy {CHAIN_POLICY}")] == found_by(it, said)


@needs_bash
@pytest.mark.parametrize("platform", ["cloud-run", "cloud-functions"])
def test_gcloud_gets_the_chain_as_one_variable(platform: str) -> None:
    it = CHAINED[f"chained, {platform}"]
    [line] = [one for one in script(it).splitlines() if one.startswith("env=")]
    done = subprocess.run(
        [str(BASH), "-c", f'{line}\nprintf %s "$env"'], capture_output=True, text=True
    )
    between, _, pairs = done.stdout.removeprefix("--update-env-vars=^").partition("^")
    assert [f"{name}={value}" for name, value in it.variables.items()] == pairs.split(between)


def test_separator_of_gcloud_is_in_no_variable() -> None:
    it = made("cloud-run", name="etl")
    tricky = replace(it, chain=replace(chain_of(it), setting='[";", "|"]'))
    assert "--update-env-vars=^~~^" in script(tricky)
