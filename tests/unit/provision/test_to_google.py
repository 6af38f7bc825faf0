"""What `setup` writes for a workload on AWS: which identities it admits, and what reads it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tools import (
    BASH,
    NASTY,
    SHELLCHECK,
    needs_bash,
    needs_shellcheck,
    needs_terraform,
    run_terraform,
)

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.policy import cel
from gcp_aws_bridge.provision import plan as to_aws
from gcp_aws_bridge.provision.plan import AwsRole
from gcp_aws_bridge.provision.queries import Answer
from gcp_aws_bridge.provision.to_google import plan
from gcp_aws_bridge.provision.to_google.check import compare
from gcp_aws_bridge.provision.to_google.manifests import manifests
from gcp_aws_bridge.provision.to_google.plan import (
    PLATFORMS,
    Federation,
    Plan,
    Workload,
    provider_for,
)
from gcp_aws_bridge.provision.to_google.shell import script
from gcp_aws_bridge.provision.to_google.terraform import terraform
from gcp_aws_bridge.provision.to_google.trust import TOKEN_POLICY, token_policy, trust_policy

yaml = pytest.importorskip("yaml")
kubernetes_validate = pytest.importorskip("kubernetes_validate")
celpy = pytest.importorskip("celpy")

ACCOUNT, NUMBER = "123456789012", "345678901234"
GSA = "etl-runner@my-project.iam.gserviceaccount.com"
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
OUTBOUND = "https://0f1b2c3d-1111-2222-3333-444455556666.tokens.sts.global.api.aws"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "It's", "Effect": "Allow"}]})
MANAGED = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
PUBLISHER = "roles/pubsub.publisher"


def made(platform: str, *, direct: bool = False, **more: Any) -> Plan:
    """A plan with everything that this platform wants."""
    places = {"region": "eu-west-1", "cluster": "prod", "namespace": "data", "ksa": "etl"}
    here = {name: more.get(name, places[name]) for name in PLATFORMS[platform]}
    workload = Workload(platform, ACCOUNT, **here)
    role = None
    if workload.has_role:
        may = {} if platform == "aws-outbound" else {"policy_arns": (MANAGED,), "policy": POLICY}
        path = more.get("path", "/")
        role = AwsRole(ACCOUNT, more.get("role", "e,tl"), path=path, **may)
    google = Federation(
        "my-project",
        more.get("provider") or provider_for(workload, role.name if role else ""),
        gsa="" if direct else GSA,
        grants=more.get("grants", (PUBLISHER, "projects/my-project/roles/writer")),
        number=more.get("number", NUMBER),
    )
    return Plan(workload, google, role)


PLANS = {
    f"{platform}, {'direct' if direct else 'as an account'}": made(platform, direct=direct)
    for platform in PLATFORMS
    for direct in (False, True)
}
PLANS["no more than needed"] = made("eks", grants=(), number="")
PLANS["a path"] = made("aws-outbound", path="/team/etl/")
PLANS |= {
    f"annotated, {platform}": replace(made(platform), annotate=True)
    for platform in ("eks", "eks-irsa", "eks-issuer")
}
every_plan = pytest.mark.parametrize("it", PLANS.values(), ids=PLANS)
in_clusters = pytest.mark.parametrize("platform", ["eks", "eks-irsa", "eks-issuer"])
with_roles = pytest.mark.parametrize("platform", ["eks", "eks-irsa", "ec2", "ecs", "lambda"])


# -- admitted identities --------------------------------------------------------------------------


def extract(value: Any, template: Any) -> Any:
    """Google's own function: IAM, "Attribute reference", `extract()`."""
    before, _, after = re.fullmatch(r"(.*)\{(\w+)\}(.*)", str(template)).groups()  # type: ignore[union-attr]
    _, found, rest = str(value).partition(before) if before else ("", "x", str(value))
    wanted, end, _ = rest.partition(after) if after else (rest, "x", "")
    return celpy.celtypes.StringType(wanted if found and end else "")


def evaluated(expression: str, assertion: dict[str, Any]) -> Any:
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression), functions={"extract": extract})
    return program.evaluate({"assertion": celpy.json_to_cel(assertion)})


def let_in(it: Plan, assertion: dict[str, Any]) -> bool:
    """What Google does: the provider's condition alone."""
    return bool(evaluated(it.condition, assertion))


def principals(it: Plan, assertion: dict[str, Any]) -> set[str]:
    """By which names of IAM policies Google knows who brings *assertion*."""
    mapped = {key: str(evaluated(text, assertion)) for key, text in it.mapping.items()}
    assert len(mapped["google.subject"].encode()) <= 127
    pool = it.pool_name(NUMBER)
    found = {f"principal://{pool}/subject/{mapped.pop('google.subject')}"}
    return found | {f"principalSet://{pool}/{key}/{value}" for key, value in mapped.items()}


def caller(arn: str, account: str = ACCOUNT) -> dict[str, str]:
    """What GetCallerIdentity says: "Workload Identity Federation with AWS", attributes."""
    return {"arn": arn, "account": account, "userid": "AROAEXAMPLE:x"}


STS = f"arn:aws:sts::{ACCOUNT}:assumed-role"
# A session of EKS Pod Identity: with it, Google's own mapping is over the limit.
POD = f"eks-{'prod' * 5}-{'etl-worker' * 2}-0f1b2c3d-1111-2222-3333"


@with_roles
@pytest.mark.parametrize("session", ["etl", POD, "assumed-role", "i-0123456789abcdef0"])
def test_every_session_of_the_role_is_admitted_by_one_member(platform: str, session: str) -> None:
    it = made(platform, role="etl-of-the-nightly-reports")
    assertion = caller(f"{STS}/etl-of-the-nightly-reports/{session}")
    assert let_in(it, assertion)
    assert it.member(NUMBER) in principals(it, assertion)
    assert f"principal://{it.pool_name(NUMBER)}/subject/{it.subject}" in principals(it, assertion)
    assert it.member(NUMBER).endswith(f"/attribute.aws_role/{STS}/etl-of-the-nightly-reports")


def test_default_mapping_of_a_pod_exceeds_the_limit() -> None:
    assert len(f"{STS}/etl-of-the-nightly-reports/{POD}") > cel.LONGEST_SUBJECT


@with_roles
@pytest.mark.parametrize(
    "assertion",
    [
        caller("arn:aws:sts::999999999999:assumed-role/etl/x", "999999999999"),
        caller(f"{STS}/etl-admin/x"),
        caller(f"{STS}/my-etl/x"),
        caller(f"{STS}/ETL/x"),
        caller(f"{STS}/etl"),
        caller(f"{STS}/other/etl"),
        # None of these can be in a session's name, which has no slash; were it otherwise:
        caller(f"{STS}/other/assumed-role/etl/"),
        caller(f"{STS}/other/{STS}/etl/x"),
        # A user of IAM, whose path is anything.
        caller(f"arn:aws:iam::{ACCOUNT}:user/assumed-role/etl/x"),
        caller(f"arn:aws:iam::{ACCOUNT}:user/{STS}/etl/x"),
        caller(f"arn:aws:sts::{ACCOUNT}:federated-user/etl"),
        caller(f"arn:aws:iam::{ACCOUNT}:root"),
        caller(f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/etl/x"),
    ],
    ids=lambda assertion: assertion["arn"],
)
def test_other_identities_are_not_admitted(platform: str, assertion: dict[str, str]) -> None:
    it = made(platform, role="etl")
    assert not let_in(it, assertion)
    if not assertion["arn"].startswith(f"{STS}/etl"):
        # And were the condition taken away, the binding would still not be for them.
        assert it.member(NUMBER) not in principals(it, assertion)


def test_role_is_admitted_with_any_path() -> None:
    it = made("ec2", role="etl", path="/team/")
    assert "arn:aws:iam::123456789012:role/team/etl" == it.role.arn  # type: ignore[union-attr]
    assert let_in(it, caller(f"{STS}/etl/x"))
    assert not let_in(it, caller(f"{STS}/team/etl/x"))


SUB = "system:serviceaccount:data:etl"


def test_token_of_the_cluster_is_admitted_by_a_member_of_its_provider() -> None:
    it = made("eks-issuer", provider="prod-etl")
    assert let_in(it, {"sub": SUB})
    assert {it.member(NUMBER)} == principals(it, {"sub": SUB})
    assert it.member(NUMBER).endswith(f"/aws-workloads/subject/prod-etl:{SUB}")


@pytest.mark.parametrize(
    "sub",
    [
        *("system:serviceaccount:data:etl-2", "system:serviceaccount:other:etl", f"{SUB}:x"),
        *("system:serviceaccount:data:ETL", f" {SUB}", "", "prod-etl:" + SUB),
    ],
)
def test_other_pods_are_not_admitted(sub: str) -> None:
    assert not let_in(made("eks-issuer"), {"sub": sub})


def test_same_account_of_another_cluster_has_another_subject() -> None:
    prod, staging = (made("eks-issuer", provider=f"{name}-etl") for name in ("prod", "staging"))
    assert prod.google.pool == staging.google.pool
    assert principals(prod, {"sub": SUB}).isdisjoint(principals(staging, {"sub": SUB}))


def test_token_signed_by_aws_is_admitted_by_the_role_arn() -> None:
    it = made("aws-outbound", role="etl", path="/team/")
    sub = f"arn:aws:iam::{ACCOUNT}:role/team/etl"
    assert let_in(it, {"sub": sub})
    assert {it.member(NUMBER)} == principals(it, {"sub": sub})
    for other in (f"{sub}-2", sub.replace("/team", ""), sub.replace(ACCOUNT, "9" * 12)):
        assert not let_in(it, {"sub": other})


def test_too_long_subject_is_rejected() -> None:
    with pytest.raises(ConfigError, match=r"config/setup-subject"):
        made("eks-issuer", provider="prod", ksa=f"{'a' * 60}.{'a' * 35}")  # 128
    with pytest.raises(ConfigError, match=r"config/setup-subject"):
        made("aws-outbound", path=f"/{'team/' * 20}")
    assert len(made("ec2", role="a" * 64).subject) <= 127


@pytest.mark.parametrize("value", ["it's", 'say "hi"', "a\\b", "a\nb", "é"])
def test_value_that_needs_an_escape_in_cel_is_rejected(value: str) -> None:
    with pytest.raises(ConfigError, match=r"config/setup-name"):
        cel.literal(value)


@every_plan
def test_limits_of_google_are_not_exceeded(it: Plan) -> None:
    assert len(it.condition) <= 4096
    assert max(map(len, it.mapping.values())) <= 2048
    assert len(it.who) <= 256


def test_description_fits_with_the_longest_names() -> None:
    at = {"region": "ap-southeast-12", "cluster": "c" * 100, "provider": "abcd"}
    left = 127 - len("abcd:system:serviceaccount:data:")
    it = made("eks-issuer", ksa=f"{'a' * 60}.{'a' * (left - 61)}", **at)
    assert 127 == len(it.subject)
    assert len(it.who) <= 256


def test_each_role_has_a_separate_provider() -> None:
    ec2 = Workload("ec2", ACCOUNT)
    pod = made("eks-issuer").workload
    assert "aws-etl" == provider_for(ec2, "etl")
    assert "aws-nightly-etl-reports" == provider_for(ec2, "Nightly_ETL.reports")
    assert 32 == len(provider_for(ec2, "a" * 64))
    assert "k8s-data-etl" == provider_for(pod, "")


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


@needs_terraform
@pytest.mark.usefixtures("home")
def test_terraform_fmt_changes_nothing(tmp_path: Path) -> None:
    for number, it in enumerate(PLANS.values()):
        (tmp_path / f"{number}.tf").write_text(terraform(it), encoding="utf-8")
    done = run_terraform("fmt", "-check", "-diff", str(tmp_path))
    assert (0, "") == (done.returncode, done.stdout)


@every_plan
def test_references_in_terraform_exist(it: Plan) -> None:
    text = terraform(it)
    declared = {
        f"{'data.' if kind == 'data' else ''}{one}.{name}"
        for kind, one, name in re.findall(r'^(data|resource) "(\w+)" "(\w+)"', text, re.M)
    }
    used = set(re.findall(r"(?<![\w/.-])(?:data\.)?(?:aws|google)_\w+\.\w+(?=[.\[\],)\s}])", text))
    assert used
    assert used <= declared
    assert ("${local.issuer}" in text) == ("locals {" in text)
    assert "<PROJECT_NUMBER>" not in text


@every_plan
def test_provider_in_terraform_is_that_of_the_plan(it: Plan) -> None:
    hcl2 = pytest.importorskip("hcl2")
    resources = hcl2.loads(terraform(it))["resource"]
    [found] = [
        next(iter(one[kind].values()))
        for one in resources
        for kind in one
        if "workload_identity_pool_provider" in kind
    ]
    assert it.condition == found["attribute_condition"].strip('"')
    mapping = {key.strip('"'): text.strip('"') for key, text in found["attribute_mapping"].items()}
    assert it.mapping == mapping
    assert ("aws" if it.workload.is_signed else "oidc") in found


@in_clusters
def test_manifests_match_their_schemas_and_name_the_provider(platform: str) -> None:
    account, job = yaml.safe_load_all(manifests(made(platform)))
    for document in (account, job):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    found = {one["name"]: one["value"] for one in container["env"]}
    provider = "k8s-data-etl" if platform == "eks-issuer" else "aws-e-tl"
    pool = f"projects/{NUMBER}/locations/global/workloadIdentityPools/aws-workloads"
    audience = f"//iam.googleapis.com/{pool}/providers/{provider}"
    assert audience == found["GCP_AWS_BRIDGE_GOOGLE_AUDIENCE"]
    assert GSA == found["GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT"]
    annotations = account["metadata"].get("annotations", {})
    role = f"arn:aws:iam::{ACCOUNT}:role/e,tl"
    wanted = {"eks.amazonaws.com/role-arn": role} if platform == "eks-irsa" else {}
    assert wanted == annotations
    tokens = [one["projected"] for one in pod["volumes"] if "projected" in one]
    if platform != "eks-issuer":
        assert [] == tokens
        return
    assert audience == tokens[0]["sources"][0]["serviceAccountToken"]["audience"]
    [_, mount] = container["volumeMounts"]
    assert f"{mount['mountPath']}/token" == found["GCP_AWS_BRIDGE_GOOGLE_TOKEN_FILE"]


def test_direct_access_impersonates_no_account() -> None:
    it = made("eks", direct=True)
    assert it.member(NUMBER) == it.holder(NUMBER)
    for text in (script(it), terraform(it), manifests(it)):
        assert "serviceAccount:" not in text
        assert "GOOGLE_SERVICE_ACCOUNT" not in text
        assert "iam.workloadIdentityUser" not in text
    assert 'holder="$member"' in script(it)


# -- the AWS side ----------------------------------------------------------------------------------


def test_pods_of_another_cluster_cannot_assume_the_role() -> None:
    [statement] = trust_policy(made("eks"))["Statement"]  # type: ignore[index]
    assert {"Service": "pods.eks.amazonaws.com"} == statement["Principal"]
    assert {
        "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/prod",
        "aws:RequestTag/kubernetes-namespace": "data",
        "aws:RequestTag/kubernetes-service-account": "etl",
    } == statement["Condition"]["StringEquals"]


def test_only_one_pod_can_assume_the_role_with_its_token() -> None:
    [statement] = trust_policy(made("eks-irsa"), ISSUER)["Statement"]  # type: ignore[index]
    name = ISSUER.removeprefix("https://")
    assert {f"{name}:aud": "sts.amazonaws.com", f"{name}:sub": SUB} == statement["Condition"][
        "StringEquals"
    ]


def test_only_tokens_signed_by_aws_need_the_source_setting() -> None:
    named = {
        platform: made(platform).variables(NUMBER).get("GCP_AWS_BRIDGE_GOOGLE_SOURCE")
        for platform in PLATFORMS
    }
    assert dict.fromkeys(PLATFORMS) | {"aws-outbound": "outbound"} == named
    assert "GCP_AWS_BRIDGE_GOOGLE_SOURCE=outbound" in script(made("aws-outbound"))
    assert re.search('_GOOGLE_SOURCE += "outbound"', terraform(made("aws-outbound")))


def test_tokens_are_only_for_the_provider() -> None:
    it = made("aws-outbound")
    [statement] = token_policy(it, NUMBER)["Statement"]
    audience = it.audience(NUMBER)
    assert {
        "ForAllValues:StringEquals": {
            "sts:IdentityTokenAudience": [audience, f"https:{audience}"],
        }
    } == statement["Condition"]


# -- names that got past the checks ----------------------------------------------------------------


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is checked: what is written is to be safe by its quoting alone."""
    for module in (plan, to_aws):
        monkeypatch.setattr(module, "checked", lambda name, value, rule="": value)
    monkeypatch.setattr(cel, "literal", lambda value: f"'{value}'")


@pytest.mark.sampled(7)
@needs_bash
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_value_that_passes_the_checks_is_not_executed(
    platform: str, value: str, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    # `aws` answers as if all were there, and again as if nothing were.
    issuer = f"*issuer*|*IssuerIdentifier*) echo {ISSUER} ;; *) exit $nothing ;;"
    answers = f'case "$*" in *get-caller*) echo 1234 ;; *"describe-cluster"*{issuer} esac'
    for name, answer in (
        ("aws", answers.replace('*"describe-cluster"*', "")),
        (
            "gcloud",
            'case "$*" in *describe*pools*|*pools*describe*) exit $nothing ;; esac; echo 12',
        ),
        ("kubectl", "exit 0"),
    ):
        (programs / name).write_text(f"#!{BASH}\n{answer}\n")
        (programs / name).chmod(0o755)
    try:
        workload = Workload(platform, "1234", value, value, value, value)
        role = AwsRole("1234", value, "", (value,), json.dumps({"Statement": [value]}), path=value)
        google = Federation(value, value, value, value, (value,))
        written = script(Plan(workload, google, role if workload.has_role else None))
    except ConfigError:
        return  # refused further on
    for nothing in ("0", "1"):
        environ = {"PATH": f"{programs}:/usr/bin:/bin", "SETUP_PAUSE_S": "0", "nothing": nothing}
        subprocess.run(
            [str(BASH)], input=written, capture_output=True, text=True, env=environ, cwd=tmp_path
        )
        assert ["bin"] == [path.name for path in tmp_path.iterdir()]


# -- compare ---------------------------------------------------------------------------------------


def answers(it: Plan) -> dict[str, Any]:
    """What the clouds' CLIs say when all is well, by a part of each command."""
    role = it.role or AwsRole(ACCOUNT, "none")
    user = {"role": "roles/iam.workloadIdentityUser", "members": [it.member(NUMBER)]}
    granted = [{"role": one, "members": [it.holder(NUMBER)]} for one in it.google.grants]
    kind: dict[str, Any] = {"oidc": {"issuerUri": ISSUER if it.workload.in_cluster else OUTBOUND}}
    if it.workload.is_signed:
        kind = {"aws": {"accountId": ACCOUNT}}
    rules = {"attributeCondition": it.condition, "attributeMapping": it.mapping}
    annotations = it.annotations(NUMBER)
    if it.workload.platform == "eks-irsa":
        annotations["eks.amazonaws.com/role-arn"] = role.arn
    trust = trust_policy(it, ISSUER)
    return {
        "projects describe": {"projectNumber": NUMBER},
        "get-caller-identity": {"Account": ACCOUNT},
        "describe-cluster": {"cluster": {"identity": {"oidc": {"issuer": ISSUER}}}},
        "get-outbound": {"IssuerIdentifier": OUTBOUND, "JwtVendingEnabled": True},
        "get-open-id-connect-provider": {"ClientIDList": ["sts.amazonaws.com"]},
        "get-role ": {"Role": {"Arn": role.arn, "AssumeRolePolicyDocument": trust}},
        "list-attached": {"AttachedPolicies": [{"PolicyArn": MANAGED}]},
        "--policy-name gcp-aws-bridge ": {"PolicyDocument": json.loads(POLICY)},
        f"--policy-name {TOKEN_POLICY} ": {"PolicyDocument": token_policy(it, NUMBER)},
        "list-pod-identity": {"associations": [{"associationId": "a-1"}]},
        "describe-pod-identity": {"association": {"roleArn": role.arn}},
        "get-instance-profile": {"InstanceProfile": {"Roles": [{"RoleName": role.name}]}},
        "pools describe": {"state": "ACTIVE"},
        "providers describe": {"state": "ACTIVE", "description": it.who, **kind, **rules},
        "service-accounts describe": {"uniqueId": "1", "email": GSA},
        "service-accounts get-iam-policy": {"bindings": [user]},
        "projects get-iam-policy": {"bindings": granted},
        "get serviceaccount": {"metadata": {"annotations": annotations}},
    }


def found_by(it: Plan, said: dict[str, Any]) -> list[tuple[str, str]]:
    """What is not well: state, and what."""

    def ask(command: Any) -> Answer:
        line = re.sub(r"--(output|region)=\S+ ", "", " ".join(command) + " ")
        [found] = [value for key, value in said.items() if key in line]
        if isinstance(found, Answer):
            return found
        return Answer(absent=True) if found is None else Answer(found)

    return [(one.state, one.what) for one in compare(it, ask) if one.state != "ok"]


@every_plan
def test_planned_state_is_ok(it: Plan) -> None:
    assert [] == found_by(it, answers(it))


@every_plan
def test_absent_object_is_missing(it: Plan) -> None:
    nothing = dict.fromkeys(answers(it))
    nothing |= {key: answers(it)[key] for key in ("projects describe", "get-caller-identity")}
    found = found_by(it, nothing)
    assert {"missing"} == {state for state, _ in found} - {"unknown"}
    assert ("missing", f"provider {it.google.provider}") in found


PROVIDER = "provider aws-e-tl"


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("projects describe", {"projectNumber": "1"}, ("differs", "number of the project")),
        ("get-caller-identity", {"Account": "9" * 12}, ("differs", "AWS account of this shell")),
        (
            "get-role ",
            {"Role": {"Arn": "arn:aws:iam::123456789012:role/team/e,tl"}},
            ("differs", "role arn:aws:iam::123456789012:role/e,tl"),
        ),
        ("list-pod-identity", {"associations": []}, ("missing", "role of pods of data/etl")),
        (
            "describe-pod-identity",
            {"association": {"roleArn": "arn:aws:iam::123456789012:role/other"}},
            ("differs", "role of pods of data/etl"),
        ),
        ("pools describe", {"state": "DELETED"}, ("differs", "workload identity pool")),
        (
            "pools describe",
            {"state": "ACTIVE", "disabled": True},
            ("differs", "workload identity pool"),
        ),
        ("providers describe", None, ("missing", PROVIDER)),
        ("providers describe", Answer(problem="no"), ("unknown", PROVIDER)),
        ("service-accounts get-iam-policy", {}, ("differs", "role of principalSet://")),
        ("projects get-iam-policy", {}, ("differs", f"role of serviceAccount:{GSA}")),
        (
            "get serviceaccount",
            {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "x"}}},
            ("differs", "Kubernetes service account data/etl"),
        ),
    ],
)
def test_difference_is_reported(key: str, value: Any, wanted: tuple[str, str]) -> None:
    it = made("eks")
    state, what = found_by(it, answers(it) | {key: value})[0]
    assert wanted == (state, what[: len(wanted[1])])


@pytest.mark.parametrize(
    ("platform", "changed", "name"),
    [
        ("eks", {"attributeCondition": None}, "attributeCondition"),
        ("eks", {"attributeCondition": f"assertion.account == '{ACCOUNT}'"}, "attributeCondition"),
        ("eks", {"attributeMapping": {"google.subject": "assertion.arn"}}, "attributeMapping"),
        ("eks", {"aws": {"accountId": "9" * 12}}, "aws"),
        ("eks-issuer", {"oidc": {"issuerUri": "https://example.com"}}, "oidc"),
        # Tokens for other audiences; keys of other identities.
        ("eks-issuer", {"oidc": {"issuerUri": ISSUER, "allowedAudiences": ["sts"]}}, "oidc"),
        ("eks-issuer", {"oidc": {"issuerUri": ISSUER, "jwksJson": "{}"}}, "oidc"),
    ],
)
def test_provider_that_admits_others_is_reported(
    platform: str, changed: dict[str, Any], name: str
) -> None:
    it = made(platform)
    said = answers(it)
    said["providers describe"] |= changed
    assert [("differs", f"{name} of provider {it.google.provider}")] == found_by(it, said)


def test_foreign_role_may_have_other_statements() -> None:
    it = made("ec2")
    said = answers(it)
    more = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    policy = said["get-role "]["Role"]["AssumeRolePolicyDocument"]
    said["get-role "]["Role"]["AssumeRolePolicyDocument"] = {
        **policy,
        "Statement": [more, *policy["Statement"]],
    }
    assert [] == found_by(it, said)
    said["get-role "]["Role"]["AssumeRolePolicyDocument"] = {**policy, "Statement": [more]}
    assert [("differs", f"trust policy of arn:aws:iam::{ACCOUNT}:role/e,tl")] == found_by(it, said)
