"""Comparison of the clouds with the plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gcp_aws_bridge.provision import queries
from gcp_aws_bridge.provision.plan import REGIONS, AwsRole
from gcp_aws_bridge.provision.queries import (
    Answer,
    Ask,
    Finding,
    at,
    judged,
    of_aws,
    of_project,
    plain,
)
from gcp_aws_bridge.provision.to_google.plan import Plan
from gcp_aws_bridge.provision.to_google.trust import (
    IRSA_AUDIENCE,
    TOKEN_POLICY,
    UNKNOWN_ISSUER,
    token_policy,
    trust_policy,
)

__all__ = ["compare"]

_POOLS = ("gcloud", "iam", "workload-identity-pools")


def compare(plan: Plan, ask: Ask) -> Iterator[Finding]:
    """Check one object after the other, in the order in which the script creates them."""
    workload, google = plan.workload, plan.google
    answer = ask(["gcloud", "projects", "describe", google.project, "--format=json"])
    number = str(at(answer.found, "projectNumber") or "")
    wanted = google.number or number
    yield judged(f"number of the project {google.project}", answer, seen=number, wanted=wanted)
    region = workload.region or REGIONS["aws"]
    finding, goes_on = queries.aws_account(ask, workload.account, region)
    yield finding
    issuer = ""
    if goes_on:
        if workload.in_cluster or workload.platform == "aws-outbound":
            finding, issuer = _issuer(plan, ask, region)
            yield finding
        if plan.role:
            yield from _role(plan, plan.role, ask, (number, issuer))
    yield from _pool(plan, ask)
    yield from _provider(plan, ask, issuer)
    yield from _access(plan, ask, number)
    if workload.in_cluster:
        yield from _kubernetes_account(plan, ask, number)


def _issuer(plan: Plan, ask: Ask, region: str) -> tuple[Finding, str]:
    """Check the issuer of the tokens; return its URL as well."""
    workload = plan.workload
    if workload.in_cluster:
        answer = ask([*of_aws("eks", "describe-cluster", region), "--name", workload.cluster])
        issuer = str(at(answer.found, "cluster", "identity", "oidc", "issuer") or "")
        return judged(f"cluster {workload.cluster}", answer), issuer
    answer = ask(of_aws("iam", "get-outbound-web-identity-federation-info", region))
    seen = "on" if at(answer.found, "JwtVendingEnabled") else "off"
    what = "outbound identity federation of the AWS account"
    return judged(what, answer, seen=seen, wanted="on"), str(at(answer.found, "IssuerIdentifier"))


def _role(plan: Plan, role: AwsRole, ask: Ask, known: tuple[str, str]) -> Iterator[Finding]:
    number, issuer = known
    region = plan.workload.region or REGIONS["aws"]
    if plan.workload.platform == "eks-irsa":
        yield _trusted(plan, ask, issuer)
    answer = queries.role_named(ask, role.name, region)
    arn = str(at(answer.found, "Role", "Arn"))
    yield judged(f"role {role.arn}", answer, seen=arn, wanted=role.arn)
    if not answer.found:
        return
    policy = trust_policy(plan, issuer or UNKNOWN_ISSUER)
    if policy is not None:
        found = at(answer.found, "Role", "AssumeRolePolicyDocument")
        yield _holds(f"trust policy of {role.arn}", answer, found, policy)
    yield from queries.permissions(ask, role, region)
    if plan.workload.platform == "eks":
        yield _association(plan, role, ask)
    if plan.workload.platform == "ec2":
        command = [*of_aws("iam", "get-instance-profile", region), "--instance-profile-name"]
        answer = ask([*command, role.name])
        seen = str(at(answer.found, "InstanceProfile", "Roles", 0, "RoleName") or "no role")
        yield judged(f"instance profile {role.name}", answer, seen=seen, wanted=role.name)
    if plan.workload.platform == "aws-outbound":
        answer, found = queries.inline_policy(ask, role.name, TOKEN_POLICY, region)
        policy = token_policy(plan, number)
        yield _holds(f"inline policy {TOKEN_POLICY}", answer, found, policy)


def _holds(what: str, answer: Answer, found: Any, policy: dict[str, Any]) -> Finding:
    """Check that a policy has the statement of *policy*; existing roles may have more."""
    held = at(plain(found), "Statement") or []
    statement = plain(policy)["Statement"]
    same = statement in (held if isinstance(held, list) else [held])
    wanted = json.dumps(policy)
    return judged(what, answer, seen=wanted if same else json.dumps(found), wanted=wanted)


def _trusted(plan: Plan, ask: Ask, issuer: str) -> Finding:
    arn = f"arn:aws:iam::{plan.workload.account}:oidc-provider/{issuer.partition('://')[2]}"
    answer, clients = queries.oidc_provider(ask, arn, plan.workload.region)
    seen = IRSA_AUDIENCE if IRSA_AUDIENCE in clients else ", ".join(clients) or "none"
    return judged(f"audience of IAM OIDC provider {arn}", answer, seen=seen, wanted=IRSA_AUDIENCE)


def _association(plan: Plan, role: AwsRole, ask: Ask) -> Finding:
    workload = plan.workload
    where = ("--cluster-name", workload.cluster)
    answer = ask(
        [
            *of_aws("eks", "list-pod-identity-associations", workload.region),
            *(*where, "--namespace", workload.namespace, "--service-account", workload.ksa),
        ]
    )
    what = f"role of pods of {workload.namespace}/{workload.ksa}"
    association = at(answer.found, "associations", 0, "associationId")
    if association is None:
        return judged(what, Answer(absent=True) if answer.found else answer)
    command = of_aws("eks", "describe-pod-identity-association", workload.region)
    answer = ask([*command, *where, "--association-id", str(association)])
    seen = str(at(answer.found, "association", "roleArn"))
    return judged(what, answer, seen=seen, wanted=role.arn)


def _pool(plan: Plan, ask: Ask) -> Iterator[Finding]:
    google = plan.google
    here = ("--location=global", *of_project(google.project))
    answer = ask([*_POOLS, "describe", google.pool, *here])
    seen = _state(answer)
    yield judged(f"workload identity pool {google.pool}", answer, seen=seen, wanted="active")


def _state(answer: Answer) -> str:
    if at(answer.found, "disabled"):
        return "disabled"
    return str(at(answer.found, "state")).lower()


def _provider(plan: Plan, ask: Ask, issuer: str) -> Iterator[Finding]:
    google = plan.google
    here = (f"--workload-identity-pool={google.pool}", "--location=global")
    command = [*_POOLS, "providers", "describe", google.provider, *here]
    answer = ask([*command, *of_project(google.project)])
    what = f"provider {google.provider}"
    yield judged(what, answer, seen=_state(answer), wanted="active")
    if not answer.found:
        return
    kind: dict[str, Any] = {"oidc": {"issuerUri": issuer}}
    if plan.workload.is_signed:
        kind = {"aws": {"accountId": plan.workload.account}}
    elif not issuer:
        yield Finding("unknown", f"issuer of {what}", "the issuer of the tokens is not known")
        kind = {"oidc": at(answer.found, "oidc")}
    # For an OIDC provider, `seen` includes audiences and keys as well.
    wanted = {
        **kind,
        "attributeCondition": plan.condition,
        "attributeMapping": plan.mapping,
    }
    names = {"aws", "oidc", "saml", "x509", "attributeCondition", "attributeMapping"}
    seen = {name: value for name, value in answer.found.items() if name in names}
    for name in sorted({*wanted, *seen}):
        yield judged(
            f"{name} of {what}",
            answer,
            seen=json.dumps(seen.get(name), sort_keys=True),
            wanted=json.dumps(wanted.get(name), sort_keys=True),
        )


def _access(plan: Plan, ask: Ask, number: str) -> Iterator[Finding]:
    google = plan.google
    if not number:
        yield Finding("unknown", "roles in Google Cloud", "the project's number is not known")
        return
    if google.gsa:
        finding, _ = queries.google_account(ask, google.gsa)
        yield finding
        yield queries.impersonation(ask, google.gsa, plan.member(number))
    if google.grants:
        answer = ask(["gcloud", "projects", "get-iam-policy", google.project, "--format=json"])
        for grant in google.grants:
            yield queries.member_has_role(answer, plan.holder(number), grant, google.project)


def _kubernetes_account(plan: Plan, ask: Ask, number: str) -> Iterator[Finding]:
    workload, role = plan.workload, plan.role
    context = workload.cluster_arn  # as `aws eks update-kubeconfig` names it
    names = (workload.namespace, workload.ksa)
    answer, annotated = queries.kubernetes_account(
        ask, context, names, "eks.amazonaws.com/role-arn"
    )
    wanted = role.arn if role and workload.platform == "eks-irsa" else "no role"
    yield judged(
        f"Kubernetes service account {workload.namespace}/{workload.ksa}",
        answer,
        # With IRSA and Pod Identity, SDKs use the role of IRSA.
        seen=f"annotated with {annotated or 'no role'}",
        wanted=f"annotated with {wanted}",
    )
    if plan.annotate and number:
        yield queries.annotated_account(names, answer, plan.annotations(number))
