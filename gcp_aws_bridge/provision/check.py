"""What exists, held against the plan: by questions to the clouds' own CLIs, which only read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan
from gcp_aws_bridge.provision.shell import INLINE_POLICY

__all__ = ["Answer", "Ask", "Finding", "compare"]


@dataclass(frozen=True)
class Answer:
    """What a CLI said.

    Attributes:
        found: The JSON that it printed.
        problem: Why there is none; empty where there is, and where the thing does not exist.
        absent: The cloud says that there is no such thing.
    """

    found: Any = None
    problem: str = ""
    absent: bool = False


Ask = Callable[[Sequence[str]], Answer]


@dataclass(frozen=True)
class Finding:
    """One thing of the plan.

    Attributes:
        state: `unknown` where it could not be asked.
        what: It, in words.
        seen: What there is, or why it is not known; for `differs` and `unknown`.
        wanted: What should be.
    """

    state: Literal["ok", "missing", "differs", "unknown"]
    what: str
    seen: str = ""
    wanted: str = ""


def compare(plan: Plan, ask: Ask) -> Iterator[Finding]:
    """Look at one thing after the other, in the order that the script makes them."""
    at = plan.workload
    number = None
    if at.in_cluster:
        yield from _cluster(plan, ask)
    if at.gsa:
        what = f"Google service account {at.gsa}"
        answer = ask(
            ["gcloud", "iam", "service-accounts", "describe", at.gsa, *_project(at.gsa_project)]
        )
        number = _at(answer.found, "uniqueId")
        disabled = _at(answer.found, "disabled")
        yield _judged(what, answer, seen="disabled" if disabled else "enabled", wanted="enabled")
    if at.platform == "gke":
        yield _link(plan, ask)
    if at.in_cluster:
        yield _kubernetes_account(plan, ask)
    else:
        yield _runs_as(plan, ask)
    yield from _aws(plan, ask, number)


def _aws(plan: Plan, ask: Ask, number: str | None) -> Iterator[Finding]:
    aws = plan.role
    answer = ask(_of_aws(plan, "sts", "get-caller-identity"))
    account = str(_at(answer.found, "Account"))
    yield _judged("AWS account of this shell", answer, seen=account, wanted=aws.account)
    if answer.found and account != aws.account:
        return  # what is in another account says nothing
    yield _provider(plan, ask)
    answer = ask([*_of_aws(plan, "iam", "get-role"), "--role-name", aws.name])
    yield _trust(plan, answer, number)
    if answer.found:
        yield from _permissions(plan, ask)


def _of_aws(plan: Plan, service: str, operation: str) -> list[str]:
    # A shell without a region is common; any of the partition will do.
    region = REGIONS[plan.role.partition]
    return ["aws", service, operation, "--output=json", f"--region={region}"]


def _project(project: str) -> tuple[str, str]:
    return f"--project={project}", "--format=json"


def _judged(what: str, answer: Answer, *, seen: str = "", wanted: str = "") -> Finding:
    if answer.absent:
        return Finding("missing", what)
    if answer.problem:
        return Finding("unknown", what, answer.problem)
    return Finding("ok", what) if seen == wanted else Finding("differs", what, seen, wanted)


def _cluster(plan: Plan, ask: Ask) -> Iterator[Finding]:
    at = plan.workload
    where = (f"--location={at.location}", *_project(at.project))
    answer = ask(["gcloud", "container", "clusters", "describe", at.cluster, *where])
    yield _judged(f"cluster {at.cluster}", answer)
    if at.platform != "gke" or not answer.found:
        return
    pool = _at(answer.found, "workloadIdentityConfig", "workloadPool") or "off"
    yield _judged("Workload Identity in the cluster", answer, seen=pool, wanted=at.pool)
    if _at(answer.found, "autopilot", "enabled"):
        return
    for node_pool in answer.found.get("nodePools") or []:
        what = f"Workload Identity on the nodes of {node_pool.get('name')}"
        mode = _at(node_pool, "config", "workloadMetadataConfig", "mode")
        seen = mode or "off: its pods get the identity of the node"
        yield _judged(what, answer, seen=seen, wanted="GKE_METADATA")


def _link(plan: Plan, ask: Ask) -> Finding:
    at = plan.workload
    command = ["gcloud", "iam", "service-accounts", "get-iam-policy", at.gsa]
    answer = ask([*command, *_project(at.gsa_project)])
    held = [
        binding.get("role")
        for binding in _at(answer.found, "bindings") or []
        if at.member in binding.get("members", ()) and not binding.get("condition")
    ]
    wanted = "roles/iam.workloadIdentityUser"
    seen = wanted if wanted in held else ", ".join(sorted(map(str, held))) or "no role"
    return _judged(f"role of {at.member} on {at.gsa}", answer, seen=seen, wanted=wanted)


def _kubernetes_account(plan: Plan, ask: Ask) -> Finding:
    at = plan.workload
    # As `gcloud container clusters get-credentials` names it.
    context = f"gke_{at.project}_{at.location}_{at.cluster}"
    answer = ask(
        [
            *("kubectl", f"--context={context}", "get", "serviceaccount", at.ksa),
            *(f"--namespace={at.namespace}", "--output=json"),
        ]
    )
    annotation = ("metadata", "annotations", "iam.gke.io/gcp-service-account")
    linked = _at(answer.found, *annotation) or "no Google service account"
    return _judged(
        f"Kubernetes service account {at.namespace}/{at.ksa}",
        answer,
        seen=f"linked to {linked}",
        wanted=f"linked to {at.gsa or linked}",
    )


def _runs_as(plan: Plan, ask: Ask) -> Finding:
    at = plan.workload
    region = (f"--region={at.location}", *_project(at.project))
    zone = (f"--zone={at.location}", *_project(at.project))
    command, path = {
        "compute-engine": (("compute", "instances", "describe"), ("serviceAccounts", 0, "email")),
        "cloud-run": (
            ("run", "services", "describe"),
            ("spec", "template", "spec", "serviceAccountName"),
        ),
        "cloud-functions": (
            ("functions", "describe", "--gen2"),
            ("serviceConfig", "serviceAccountEmail"),
        ),
    }[at.platform]
    where = zone if at.platform == "compute-engine" else region
    answer = ask(["gcloud", *command, at.service, *where])
    seen = str(_at(answer.found, *path) or "the project's default account")
    return _judged(f"account of {at.service}", answer, seen=seen, wanted=at.gsa)


def _at(found: Any, *path: str | int) -> Any:
    """What stands there; None for nothing."""
    try:
        for step in path:
            found = found[step]
    except (KeyError, IndexError, TypeError):
        return None
    return found


def _provider(plan: Plan, ask: Ask) -> Finding:
    """The cluster's is needed. Google's own is not, and where it is, it must know the audience."""
    aws = plan.role
    google = bool(plan.workload.gsa)
    arn = plan.provider_arn
    if google:
        arn = f"arn:{aws.partition}:iam::{aws.account}:oidc-provider/accounts.google.com"
    command = _of_aws(plan, "iam", "get-open-id-connect-provider")
    answer = ask([*command, "--open-id-connect-provider-arn", arn])
    if google and answer.absent:
        return Finding("ok", "no IAM OIDC provider of your own for accounts.google.com")
    clients = _at(answer.found, "ClientIDList") or []
    wanted = f"the audience {aws.audience} among them"
    if google:
        wanted += ", or no such provider: AWS trusts Google without"
    seen = f"audiences {', '.join(map(str, clients)) or 'none'}"
    return _judged(
        f"IAM OIDC provider {arn}",
        answer,
        seen=wanted if aws.audience in clients else seen,
        wanted=wanted,
    )


def _trust(plan: Plan, answer: Answer, number: str | None) -> Finding:
    what = f"trust policy of {plan.role.arn}"
    found = _at(answer.found, "Role", "AssumeRolePolicyDocument")
    if plan.workload.gsa and number is None and answer.found:
        return Finding("unknown", what, "the number of the Google service account is not known")
    wanted = plan.trust_policy(number or UNKNOWN_NUMBER)
    same = _plain(found) == _plain(wanted)
    wanted_text = json.dumps(wanted)
    return _judged(
        what, answer, seen=wanted_text if same else json.dumps(found), wanted=wanted_text
    )


def _permissions(plan: Plan, ask: Ask) -> Iterator[Finding]:
    aws = plan.role
    if aws.policy_arns:
        answer = ask(
            [*_of_aws(plan, "iam", "list-attached-role-policies"), "--role-name", aws.name]
        )
        attached = [one.get("PolicyArn") for one in _at(answer.found, "AttachedPolicies") or []]
        for arn in aws.policy_arns:
            absent = not answer.problem and arn not in attached
            yield (
                Finding("missing", f"policy {arn}") if absent else _judged(f"policy {arn}", answer)
            )
    if aws.policy:
        command = [*_of_aws(plan, "iam", "get-role-policy"), "--role-name", aws.name]
        answer = ask([*command, "--policy-name", INLINE_POLICY])
        found = _at(answer.found, "PolicyDocument")
        same = _plain(found) == _plain(json.loads(aws.policy))
        yield _judged(
            f"inline policy {INLINE_POLICY}",
            answer,
            seen=aws.policy if same else json.dumps(found),
            wanted=aws.policy,
        )


def _plain(document: Any) -> Any:
    """A policy without what makes no difference: order in lists, and lists of one."""
    if isinstance(document, dict):
        return {key: _plain(value) for key, value in document.items()}
    if isinstance(document, list):
        items = sorted((_plain(item) for item in document), key=json.dumps)
        return items[0] if len(items) == 1 else items
    return document
