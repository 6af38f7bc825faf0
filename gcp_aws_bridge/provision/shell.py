"""Writes the plan as a shell script of gcloud, kubectl and aws; each step creates or updates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from shlex import quote

from gcp_aws_bridge.provision import bash
from gcp_aws_bridge.provision.attach import attach
from gcp_aws_bridge.provision.manifests import proof, service_account
from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan

__all__ = ["script"]


def script(plan: Plan) -> str:
    """Return the script, which contains no secrets."""
    return bash.joined(_parts(plan))


def _parts(plan: Plan) -> Iterator[str]:
    at = plan.workload
    tools = ["gcloud", "kubectl", "aws"] if at.in_cluster else ["gcloud", "aws"]
    yield bash.head("Lets a workload on Google Cloud assume a role in AWS", tools)
    yield _values(plan)
    yield bash.ACCOUNT
    yield bash.services(at.services)
    if at.in_cluster:
        yield _cluster(plan)
    if at.gsa:
        yield bash.google_account("for AWS") + _NUMBER
        yield from _platform_roles(plan)
    if at.in_cluster:
        if at.gsa:
            yield _IMPERSONATION
        yield _ksa(plan)
    if not at.gsa:
        yield bash.PROVIDER
    yield _role(plan)
    yield bash.permissions(plan.role)
    yield from plan.chain.steps()
    if at.in_cluster:
        yield bash.prove(proof(plan), "the role, as AWS sees it", by_webhook=plan.annotate)
    else:
        yield attach(plan)


def _values(plan: Plan) -> str:
    at, aws = plan.workload, plan.role
    values = {"project": at.project, "location": at.location}
    if at.in_cluster:
        values |= {"cluster": at.cluster, "namespace": at.namespace}
    if at.gsa:
        values |= {"gsa": at.gsa, "gsa_name": at.gsa_name, "gsa_project": at.gsa_project}
    else:
        values |= {"issuer": at.issuer, "provider_arn": plan.provider_arn}
        values |= {"audience": aws.audience}
    if at.platform == "gke":
        values |= {"pool": at.pool, "member": at.member(at.pool)} if at.pool else {"ksa": at.ksa}
    if at.service:
        values |= {"service": at.service}
    values |= {"account": aws.account, "role": aws.name, "role_arn": aws.arn}
    return bash.values(values, REGIONS[aws.partition])


_WHERE = '"${where[@]}"'


def _cluster(plan: Plan) -> str:
    at = plan.workload
    linked = at.platform == "gke"
    turn_on = _POOL if at.pool else _POOL_OF_DOMAIN
    zonal = at.location[-2] == "-"
    make = (
        f'gcloud container clusters create "$cluster" {_WHERE} --num-nodes=1'
        + (
            ' \\\n    --workload-pool="$pool" --workload-metadata=GKE_METADATA'
            if linked and at.pool
            else ""
        )
        if zonal
        else f'gcloud container clusters create-auto "$cluster" {_WHERE}'
    )
    text = f"""
step "Cluster"
where=(--location="$location" --project="$project")
{bash.KUBECONFIG}\
# Its issuer signs the tokens of pods.{" Autopilot enables Workload Identity." if linked else ""}
# A new cluster costs money until it is deleted.
if ! gcloud container clusters describe "$cluster" {_WHERE} >/dev/null 2>&1; then
  {make}
fi
"""
    return text + (_WORKLOAD_IDENTITY.replace("<POOL>", turn_on) if linked else "")


_POOL = f"""\
if [ "$(described workloadIdentityConfig.workloadPool)" != "$pool" ]; then
  gcloud container clusters update "$cluster" {_WHERE} --workload-pool="$pool"
fi
"""
# The name of the pool of a domain-scoped project is not documented.
_POOL_OF_DOMAIN = """\
pool=$(described workloadIdentityConfig.workloadPool)
[ -n "$pool" ] || fail "Workload Identity is disabled in $cluster, and the name of the workload" \
  "pool of a domain-scoped project is not known: enable it in the console, then run this again."
member="serviceAccount:${pool}[$namespace/$ksa]"
"""
_WORKLOAD_IDENTITY = f"""
step "Workload Identity of the cluster and its nodes"
# With it, the metadata server on each node returns tokens for the account of the pod.
described() {{
  gcloud container clusters describe "$cluster" {_WHERE} --format="value($1)"
}}
<POOL>\
if [ "$(described autopilot.enabled)" != True ]; then
  # On other nodes, pods would get the identity of the node.
  without=$(gcloud container node-pools list --cluster="$cluster" {_WHERE} \\
    --filter='NOT config.workloadMetadataConfig.mode=GKE_METADATA' --format='value(name)')
  for pool_name in $without; do
    printf '%s\\n' "gcloud container node-pools update $pool_name --cluster=$cluster" \\
      "  --location=$location --project=$project --workload-metadata=GKE_METADATA" >&2
  done
  [ -z "$without" ] || fail "run the commands above, which recreate the nodes; then run this."
fi
"""

_NUMBER = """\
# AWS compares the number. An e-mail address can be reused after the account was deleted.
number=$(again gcloud iam service-accounts describe "$gsa" --project="$gsa_project" \\
  --format='value(uniqueId)')
[[ "$number" =~ ^[0-9]+$ ]] || fail "the number of $gsa is \\"$number\\"."
"""


def _platform_roles(plan: Plan) -> Iterator[str]:
    platform = plan.workload.of_platform
    if platform.roles or platform.roles_on_itself:
        yield f"""
step "Roles that the Google service account needs for {plan.workload.platform}"
holder="serviceAccount:$gsa"
{bash.grants(platform.roles)}
"""
    for role in platform.roles_on_itself:
        yield f"""\
# On itself, for ID tokens.
again gcloud iam service-accounts add-iam-policy-binding "$gsa" --project="$gsa_project" \\
  --role={role} --member="$holder" --condition=None >/dev/null
"""


_IMPERSONATION = f"""
step "Permission of the pods to impersonate the Google service account"
{bash.IMPERSONATION}"""


def _ksa(plan: Plan) -> str:
    return f"""
step "Kubernetes service account"
gcloud container clusters get-credentials "$cluster" {_WHERE}
{bash.NAMESPACE}{bash.apply(service_account(plan))}"""


def _role(plan: Plan) -> str:
    policy = json.dumps(plan.trust_policy(), indent=2)
    number = ""
    path = f"--path {quote(plan.role.path)} " if plan.role.path != "/" else ""
    if plan.workload.gsa:
        policy = policy.replace(UNKNOWN_NUMBER, "<NUMBER>")
        number = "trust=${trust//<NUMBER>/$number}\n"
    return f"""
step "Role in AWS, and its trust policy"
# The policy pins the audience and the account of the token. With :aud alone, which is the account
# again, every service that receives tokens of this account could assume the role.
trust={quote(policy)}
{number}\
if seen=$(aws iam get-role --role-name "$role" --query Role.Arn --output text 2>/dev/null); then
  [ "$seen" = "$role_arn" ] || fail "the role is $seen: use --role with that path."
  printf 'The role exists. Its trust policy is replaced; the former one is:\\n' >&2
  aws iam get-role --role-name "$role" --query Role.AssumeRolePolicyDocument --output json >&2
  aws iam update-assume-role-policy --role-name "$role" --policy-document "$trust"
else
  aws iam create-role --role-name "$role" {path}--assume-role-policy-document "$trust" \\
    --description 'Assumed from Google Cloud; see gcp-aws-bridge' >/dev/null
fi
"""
