"""The annotations that `setup` writes: `inject` makes of them what the plan means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from kubernetes_objects import patched as patched_pod
from unit.provision import test_provision as to_aws
from unit.provision import test_to_google as to_google

from gcp_aws_bridge._settings import parsed_chain
from gcp_aws_bridge.cli._setup_formats import AnyPlan, writers
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject import LABEL, PREFIX, Settings, inject
from gcp_aws_bridge.policy import evaluate
from gcp_aws_bridge.provision.plan import Plan
from gcp_aws_bridge.provision.queries import Answer

yaml = pytest.importorskip("yaml")
kubernetes_validate = pytest.importorskip("kubernetes_validate")


NUMBER = "104203741234567890123"
ISSUER = (
    "https://container.googleapis.com/v1/projects/my-project/locations/europe-west1/clusters/prod"
)


def annotated(it: Any, **more: Any) -> Any:
    return replace(it, annotate=True, **more)


TO_AWS = {
    "gke": annotated(to_aws.made("gke")),
    "gke, domain-scoped": annotated(to_aws.PLANS["domain-scoped"]),
    "gke, chained": annotated(to_aws.CHAINED["chained, gke"]),
    "gke, region": annotated(to_aws.made("gke"), region="eu-west-1"),
    "gke, partition": annotated(to_aws.PLANS["path, partition"]),
    "gke-issuer": annotated(to_aws.made("gke-issuer")),
    "gke-issuer, partition": annotated(to_aws.made("gke-issuer", partition="aws-cn")),
}
TO_GOOGLE = {
    f"{platform}, {'direct' if direct else 'as an account'}": annotated(
        to_google.made(platform, direct=direct)
    )
    for platform in ("eks", "eks-irsa", "eks-issuer")
    for direct in (False, True)
}
every_plan = pytest.mark.parametrize(
    "it", [*TO_AWS.values(), *TO_GOOGLE.values()], ids=[*TO_AWS, *TO_GOOGLE]
)


def pods_of(it: AnyPlan) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Return the pod of the Job as the API server gets it, as it stores it, and the annotations."""
    account, job = yaml.safe_load_all(writers(it)["kubernetes"](it))
    for document in (account, job):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    pod = {"apiVersion": "v1", "kind": "Pod", **job["spec"]["template"]}
    pod["metadata"] = {"name": "proof", **pod["metadata"]}
    annotations = account["metadata"]["annotations"]
    found = inject(pod, annotations, Settings(image="registry.example.com/gcp-aws-bridge:1"))
    assert () == found.warnings
    patched = patched_pod(pod, found.patch)
    kubernetes_validate.validate(patched, kubernetes_validate.latest_version(), strict=True)
    return pod, patched, annotations


def proof_of(pod: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the container that tests the set-up."""
    [container] = pod["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def settings_of(pod: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the sidecar."""
    [sidecar] = pod["spec"]["initContainers"]
    return {one["name"].removeprefix("GCP_AWS_BRIDGE_"): one["value"] for one in sidecar["env"]}


def token_of(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the projected token."""
    [_, volume] = pod["spec"]["volumes"]
    [found] = [
        one["serviceAccountToken"]
        for one in volume["projected"]["sources"]
        if "serviceAccountToken" in one
    ]
    return dict(found)


@every_plan
def test_pod_of_the_job_has_only_a_label(it: AnyPlan) -> None:
    pod, patched, _ = pods_of(it)
    assert {LABEL: "true"} == pod["metadata"]["labels"]
    assert {"HOME": "/tmp"} == proof_of(pod)
    assert ["scratch"] == [one["name"] for one in pod["spec"]["volumes"]]
    text = json.dumps(pod["spec"])
    assert "gcp-aws-bridge" not in text
    assert "python" not in text
    assert pod != patched


# -- to AWS ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("it", TO_AWS.values(), ids=TO_AWS)
def test_trust_policy_admits_the_token_that_the_pod_gets(it: Plan) -> None:
    _, patched, _ = pods_of(it)
    env = proof_of(patched)
    if it.workload.gsa:
        sidecar = settings_of(patched)
        arn, audience = sidecar["ROLE_ARN"], sidecar["AUDIENCE"]
        claims = {"iss": "https://accounts.google.com", "azp": NUMBER, "sub": NUMBER}
        assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in env
    else:
        arn, audience = env["AWS_ROLE_ARN"], token_of(patched)["audience"]
        claims = {"iss": ISSUER, "sub": "system:serviceaccount:data:etl"}
    assert it.role.arn == arn
    trust, account = it.trust_policy(NUMBER), it.role.account
    assert evaluate(trust, {**claims, "aud": audience}, account_id=account).allowed
    assert not evaluate(trust, {**claims, "aud": "sts.amazonaws.com"}, account_id=account).allowed


def test_sidecar_gets_the_chain() -> None:
    it = TO_AWS["gke, chained"]
    _, patched, _ = pods_of(it)
    setting = settings_of(patched)["CHAIN"]
    again = Role(it.role.arn, chain=parsed_chain(setting, "test"))
    assert it.chain.roles == again.arns[1:]
    assert it.chain.setting == setting


def test_comma_in_the_name_of_a_chained_role_does_not_split_its_arn() -> None:
    arns = "arn:aws:iam::210987654321:role/a,b,arn:aws:iam::210987654321:role/c"
    assert 2 == len(parsed_chain(arns, "test"))
    annotations = {f"{PREFIX}/role-arn": to_aws.made("gke").role.arn, f"{PREFIX}/chain": arns}
    linked = {**annotations, "iam.gke.io/gcp-service-account": "x"}
    container = {"name": "a", "image": "a", "securityContext": {"runAsUser": 1}}
    pod = {"spec": {"containers": [container]}}
    assert json.dumps(arns) in json.dumps(inject(pod, linked, Settings(image="x")).patch)


def test_chain_without_a_sidecar_is_an_error_at_setup() -> None:
    with pytest.raises(ConfigError, match="Chained roles need the method google") as caught:
        annotated(to_aws.CHAINED["chained, gke-issuer"])
    assert "config/setup-option" == caught.value.error_id
    assert "--on=gke" in caught.value.fix
    # The fix: the same chain with the other method.
    assert annotated(to_aws.CHAINED["chained, gke"]).annotations


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("gke", None),
        ("gke, region", "eu-west-1"),
        ("gke, partition", "eusc-de-east-1"),
        ("gke-issuer, partition", "cn-north-1"),
    ],
)
def test_pod_gets_the_region_of_the_plan(name: str, region: str | None) -> None:
    pod, patched, _ = pods_of(TO_AWS[name])
    assert region == proof_of(patched).get("AWS_REGION")
    [container] = pod["spec"]["containers"]
    # The AWS CLI needs one in any case.
    assert ("--region=us-east-1" in container["command"]) is (region is None)


def test_malformed_region_is_an_error() -> None:
    with pytest.raises(ConfigError, match="The region is"):
        annotated(to_aws.made("gke"), region="eu")


# -- to Google -------------------------------------------------------------------------------------


@pytest.mark.parametrize("it", TO_GOOGLE.values(), ids=TO_GOOGLE)
def test_pod_names_the_provider_and_the_account_of_the_plan(it: Any) -> None:
    _, patched, _ = pods_of(it)
    provider, email = it.audience(to_google.NUMBER), it.google.gsa
    if it.workload.has_role:
        sidecar = settings_of(patched)
        assert provider == sidecar["GOOGLE_AUDIENCE"]
        assert email == sidecar.get("GOOGLE_SERVICE_ACCOUNT", "")
        assert "GCE_METADATA_HOST" in proof_of(patched)
        return
    assert provider == token_of(patched)["audience"]
    found = patched["metadata"]["annotations"][f"{PREFIX}/google-credentials"]
    document = json.loads(found)
    assert provider == document["audience"]
    url = document.get("service_account_impersonation_url", "")
    assert email == url.rpartition("/")[2].removesuffix(":generateAccessToken")


def test_annotation_of_irsa_is_kept() -> None:
    _, _, annotations = pods_of(TO_GOOGLE["eks-irsa, direct"])
    assert TO_GOOGLE["eks-irsa, direct"].role.arn == annotations["eks.amazonaws.com/role-arn"]


# -- other formats ---------------------------------------------------------------------------------


@every_plan
def test_terraform_has_annotations_and_no_variables(it: AnyPlan) -> None:
    text = writers(it)["terraform"](it)
    assert 'output "annotations"' in text
    assert "GCP_AWS_BRIDGE_" not in text


@every_plan
def test_script_has_annotations_and_no_variables(it: AnyPlan) -> None:
    text = writers(it)["shell"](it)
    assert f"{PREFIX}/" in text
    assert "GCP_AWS_BRIDGE_" not in text
    assert "is the webhook of gcp-aws-bridge installed?" in text


# -- compare ---------------------------------------------------------------------------------------


def found_by(it: Plan, annotations: Mapping[str, str]) -> list[tuple[str, str]]:
    said = to_aws.answers(it)
    said["get serviceaccount"] = {"metadata": {"annotations": dict(annotations)}}
    if it.chain.roles:
        said = {**to_aws.chained_answers(it), "get serviceaccount": said["get serviceaccount"]}
    if not it.workload.gsa:
        said["get-open-id-connect-provider"] = {"ClientIDList": [it.role.audience]}
    return to_aws.found_by(it, said)


DIFFERS = [("differs", "annotations of Kubernetes service account data/etl")]


@pytest.mark.parametrize("name", ["gke", "gke, chained", "gke, region", "gke-issuer"])
def test_planned_annotations_are_ok(name: str) -> None:
    it = TO_AWS[name]
    assert [] == found_by(it, it.link | it.annotations)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("gke", {"role-arn": "arn:aws:iam::123456789012:role/other"}),
        ("gke", {"role-arn": None}),
        ("gke", {"audience": None}),  # the default of the webhook, not of the plan
        ("gke", {"method": "cluster-token"}),
        ("gke", {"chain": to_aws.TENANT}),
        ("gke", {"google-provider": "projects/1/locations/global/workloadIdentityPools/a/x"}),
        ("gke, chained", {"chain": None}),
        ("gke, region", {"region": "eu-west-2"}),
        ("gke-issuer", {"method": "google"}),
        ("gke-issuer", {"method": None, "iam.gke.io/gcp-service-account": to_aws.GSA}),
    ],
)
def test_annotations_with_another_meaning_differ(name: str, changes: dict[str, Any]) -> None:
    it = TO_AWS[name]
    changed = {key if "/" in key else f"{PREFIX}/{key}": one for key, one in changes.items()}
    annotations = {**it.link, **it.annotations, **changed}
    seen = {key: one for key, one in annotations.items() if one is not None}
    assert DIFFERS == found_by(it, seen)


@pytest.mark.parametrize(
    "more",
    [{"method": "google"}, {"region": "eu-west-1"}, {"skip-containers": "a"}],
)
def test_annotations_that_the_plan_does_not_determine_are_ignored(more: dict[str, str]) -> None:
    it = TO_AWS["gke"]
    named = {f"{PREFIX}/{key}": one for key, one in more.items()}
    assert [] == found_by(it, {**it.link, **it.annotations, **named})


def test_account_that_is_linked_as_well_keeps_the_method() -> None:
    it = TO_AWS["gke-issuer"]
    linked = {**it.annotations, "iam.gke.io/gcp-service-account": to_aws.GSA}
    assert [] == found_by(it, linked)
    found = inject({"spec": {"containers": [{"name": "a"}]}}, linked, Settings())
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in json.dumps(found.patch)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "google-cloud"},
        {"google-service-account": "other@my-project.iam.gserviceaccount.com"},
        {"google-service-account": ""},
        {"google-provider": "projects/1/locations/global/workloadIdentityPools/a/providers/xyz"},
    ],
)
def test_annotations_for_google_with_another_meaning_differ(change: dict[str, str]) -> None:
    it = TO_GOOGLE["eks, as an account"]
    said = to_google.answers(it)
    assert [] == to_google.found_by(it, said)
    annotations = said["get serviceaccount"]["metadata"]["annotations"]
    annotations |= {f"{PREFIX}/{name}": one for name, one in change.items()}
    assert DIFFERS == to_google.found_by(it, said)


def test_annotations_are_not_compared_without_the_option() -> None:
    it = to_aws.made("gke")
    assert [] == found_by(it, {**it.link, f"{PREFIX}/role-arn": "arn:aws:iam::1:role/x"})


def test_account_that_cannot_be_read_is_unknown() -> None:
    it = TO_AWS["gke"]
    said = {**to_aws.answers(it), "get serviceaccount": Answer(problem="Forbidden")}
    assert ("unknown", DIFFERS[0][1]) in to_aws.found_by(it, said)
