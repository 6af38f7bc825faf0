"""Comparison of the clouds with the plan."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator

from gcp_aws_bridge.provision import queries
from gcp_aws_bridge.provision.annotated import LINK
from gcp_aws_bridge.provision.chain import CHAIN_POLICY
from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan
from gcp_aws_bridge.provision.queries import Answer, Ask, Finding, at, judged, of_project, plain

__all__ = ["compare"]


def compare(plan: Plan, ask: Ask) -> Iterator[Finding]:
    """Check one object after the other, in the order in which the script creates them."""
    workload = plan.workload
    number = None
    pool = workload.pool
    if workload.in_cluster:
        pool = yield from _cluster(plan, ask)
    if workload.gsa:
        finding, number = queries.google_account(ask, workload.gsa)
        yield finding
    if workload.platform == "gke":
        yield queries.impersonation(ask, workload.gsa, workload.member(pool))
    yield from _roles(plan, ask)
    if workload.in_cluster:
        yield from _kubernetes_account(plan, ask)
    elif workload.of_platform.describe:
        yield _runs_as(plan, ask)
    yield from _aws(plan, ask, number)


def _aws(plan: Plan, ask: Ask, number: str | None) -> Iterator[Finding]:
    aws, region = plan.role, REGIONS[plan.role.partition]
    finding, goes_on = queries.aws_account(ask, aws.account, region)
    yield finding
    if not goes_on:
        return
    yield _provider(plan, ask, number)
    answer = queries.role_named(ask, aws.name, region)
    if answer.found:
        seen = str(at(answer.found, "Role", "Arn") or aws.arn)
        yield judged(f"ARN of the role {aws.name}", answer, seen=seen, wanted=aws.arn)
    yield _trust(plan, answer, number)
    if answer.found:
        yield from queries.permissions(ask, aws, region)
        if plan.chain.roles:
            yield _chain(plan, ask, region)


def _chain(plan: Plan, ask: Ask, region: str) -> Finding:
    answer, found = queries.inline_policy(ask, plan.role.name, CHAIN_POLICY, region)
    wanted = json.dumps(plan.chain.permissions)
    same = plain(found) == plain(plan.chain.permissions)
    seen = wanted if same else json.dumps(found)
    return judged(f"inline policy {CHAIN_POLICY}", answer, seen=seen, wanted=wanted)


def _cluster(plan: Plan, ask: Ask) -> Generator[Finding, None, str]:
    """Check the cluster; return its workload identity pool."""
    workload = plan.workload
    where = (f"--location={workload.location}", *of_project(workload.project))
    answer = ask(["gcloud", "container", "clusters", "describe", workload.cluster, *where])
    yield judged(f"cluster {workload.cluster}", answer)
    if workload.platform != "gke" or not answer.found:
        return workload.pool
    pool = at(answer.found, "workloadIdentityConfig", "workloadPool") or "off"
    wanted = workload.pool or (pool if pool != "off" else "on")
    yield judged("Workload Identity in the cluster", answer, seen=pool, wanted=wanted)
    if at(answer.found, "autopilot", "enabled"):
        return wanted
    for node_pool in answer.found.get("nodePools") or []:
        what = f"Workload Identity on the nodes of {node_pool.get('name')}"
        mode = at(node_pool, "config", "workloadMetadataConfig", "mode")
        seen = mode or "off: its pods get the identity of the node"
        yield judged(what, answer, seen=seen, wanted="GKE_METADATA")
    return wanted


def _kubernetes_account(plan: Plan, ask: Ask) -> Iterator[Finding]:
    workload = plan.workload
    # As `gcloud container clusters get-credentials` names it.
    context = f"gke_{workload.project}_{workload.location}_{workload.cluster}"
    names = (workload.namespace, workload.ksa)
    answer, linked = queries.kubernetes_account(ask, context, names, LINK)
    linked = linked or "no Google service account"
    yield judged(
        f"Kubernetes service account {workload.namespace}/{workload.ksa}",
        answer,
        seen=f"linked to {linked}",
        wanted=f"linked to {workload.gsa or linked}",
    )
    if plan.annotate:
        yield queries.annotated_account(names, answer, plan.link | plan.annotations)


def _runs_as(plan: Plan, ask: Ask) -> Finding:
    workload, platform = plan.workload, plan.workload.of_platform
    where = (f"{platform.location_option}={workload.location}", *of_project(workload.project))
    answer = ask(["gcloud", *platform.describe, workload.service, *where])
    # A trigger has `projects/PROJECT/serviceAccounts/EMAIL`.
    seen = str(at(answer.found, *platform.account_path) or "").rpartition("/")[2]
    seen = seen or "the project's default account"
    return judged(f"account of {workload.service}", answer, seen=seen, wanted=workload.gsa)


def _roles(plan: Plan, ask: Ask) -> Iterator[Finding]:
    """Check the roles that the Google service account needs for the platform."""
    workload, platform = plan.workload, plan.workload.of_platform
    policy_of = (
        (platform.roles, ["projects", "get-iam-policy"], workload.project, ()),
        (
            platform.roles_on_itself,
            ["iam", "service-accounts", "get-iam-policy"],
            workload.gsa,
            (f"--project={workload.gsa_project}",),
        ),
    )
    for roles, command, name, where in policy_of:
        if roles:
            answer = ask(["gcloud", *command, name, *where, "--format=json"])
            for role in roles:
                yield queries.member_has_role(answer, workload.gsa_member, role, name)


def _provider(plan: Plan, ask: Ask, number: str | None) -> Finding:
    """Check the cluster's provider, which is needed, or a provider for Google, which is not.

    The client ids of a provider for Google must include the number of the service account, which is
    `azp` of the tokens: AWS compares it instead of `aud` (see `policy.authorized_party`).
    """
    aws = plan.role
    google = bool(plan.workload.gsa)
    arn = plan.provider_arn
    if google:
        arn = f"arn:{aws.partition}:iam::{aws.account}:oidc-provider/accounts.google.com"
    answer, clients = queries.oidc_provider(ask, arn, REGIONS[aws.partition])
    if google and answer.absent:
        return Finding("ok", "no IAM OIDC provider of your own for accounts.google.com")
    what = f"IAM OIDC provider {arn}"
    if google and number is None and answer.found:
        return Finding("unknown", what, "the number of the Google service account is not known")
    needed = str(number) if google else aws.audience
    wanted = f"client ids with {needed}"
    if google:
        wanted = (
            f"{wanted}, the account's number, or no such provider: AWS trusts Google without it"
        )
    seen = f"client ids {', '.join(clients) or 'none'}"
    return judged(what, answer, seen=wanted if needed in clients else seen, wanted=wanted)


def _trust(plan: Plan, answer: Answer, number: str | None) -> Finding:
    what = f"trust policy of {plan.role.arn}"
    found = at(answer.found, "Role", "AssumeRolePolicyDocument")
    if plan.workload.gsa and number is None and answer.found:
        return Finding("unknown", what, "the number of the Google service account is not known")
    wanted = plan.trust_policy(number or UNKNOWN_NUMBER)
    same = plain(found) == plain(wanted)
    wanted_text = json.dumps(wanted)
    return judged(what, answer, seen=wanted_text if same else json.dumps(found), wanted=wanted_text)
