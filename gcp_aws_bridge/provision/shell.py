"""The plan as a shell script: gcloud, kubectl and aws, each step create-or-update.

bash, since `set -o pipefail` is; of the age that macOS has (3.2). Values stand in variables at the
top, quoted, and the steps below are the same text for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from shlex import quote

from gcp_aws_bridge.provision.attach import attach
from gcp_aws_bridge.provision.manifests import PROOF, proof, service_account
from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan

__all__ = ["script"]

INLINE_POLICY = "gcp-aws-bridge"  # the name of the role's inline policy
_YAML_END = "END_OF_YAML"


def script(plan: Plan) -> str:
    """The whole script; nothing in it is secret."""
    return "\n".join(part.strip("\n") + "\n" for part in _parts(plan))


def _parts(plan: Plan) -> Iterator[str]:
    at = plan.workload
    yield _head(plan)
    yield _values(plan)
    yield _right_account()
    yield _services(plan)
    if at.in_cluster:
        yield _cluster(plan)
    if at.gsa:
        yield _GSA
    if at.in_cluster:
        if at.gsa:
            yield _LINK
        yield _ksa(plan)
    if not at.gsa:
        yield _PROVIDER
    yield _role(plan)
    yield _permissions(plan)
    yield _prove(plan) if at.in_cluster else attach(plan)


def _head(plan: Plan) -> str:
    tools = "gcloud kubectl aws" if plan.workload.in_cluster else "gcloud aws"
    return f"""\
#!/usr/bin/env bash
# Lets a workload on Google Cloud assume a role in AWS; which ones, the variables below say.
#
# Read it, then run it with bash. Each step makes what is missing and corrects what differs, so that
# it may be run again: after a failure, after a change, any time. It makes no key of either cloud.
# Wanted: {tools.replace(" ", ", ")}, logged in as who may administer IAM in both clouds.
set -euo pipefail

step() {{ printf '\\n==> %s\\n' "$*" >&2; }}
fail() {{ printf 'setup: %s\\n' "$*" >&2; exit 1; }}
# What Google made a moment ago is not known everywhere at once.
again() {{
  for _ in 1 2 3 4 5; do
    if "$@"; then return; fi
    sleep "${{SETUP_PAUSE_S:-6}}"
  done
  "$@"
}}
for tool in {tools}; do
  command -v "$tool" >/dev/null || fail "$tool is not installed."
done
"""


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
        values |= {"pool": at.pool, "member": at.member}
    if not at.in_cluster:
        values |= {"service": at.service}
    values |= {"account": aws.account, "role": aws.name}
    lines = [f"{name}={quote(value)}" for name, value in values.items()]
    region = REGIONS[aws.partition]
    lines += [
        "export AWS_PAGER=''  # the AWS CLI would wait in a pager",
        f'export AWS_DEFAULT_REGION="${{AWS_DEFAULT_REGION:-{region}}}"  # IAM has none; STS does',
        "export CLOUDSDK_CORE_DISABLE_PROMPTS=1",
    ]
    return "\n".join(lines)


def _right_account() -> str:
    return """
step "The AWS account of this shell is the one that is meant"
seen=$(aws sts get-caller-identity --query Account --output text)
[ "$seen" = "$account" ] || fail "this shell is logged in to AWS account $seen, not $account."
"""


def _services(plan: Plan) -> str:
    names = " \\\n  ".join(plan.workload.services)
    return f"""
step "The Google APIs that this needs"
gcloud services enable --project="$project" \\
  {names}
"""


_WHERE = '"${where[@]}"'


def _cluster(plan: Plan) -> str:
    at = plan.workload
    linked = at.platform == "gke"
    zonal = at.location[-2] == "-"
    make = (
        f'gcloud container clusters create "$cluster" {_WHERE} --num-nodes=1'
        + (' \\\n    --workload-pool="$pool" --workload-metadata=GKE_METADATA' if linked else "")
        if zonal
        else f'gcloud container clusters create-auto "$cluster" {_WHERE}'
    )
    text = f"""
step "The cluster"
where=(--location="$location" --project="$project")
# With a kubeconfig of this script's own: yours stays as it is.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export KUBECONFIG="$scratch/kubeconfig"
# Its issuer signs the tokens of its pods.{" Autopilot has Workload Identity on." if linked else ""}
# A new cluster costs money for as long as it stands.
if ! gcloud container clusters describe "$cluster" {_WHERE} >/dev/null 2>&1; then
  {make}
fi
"""
    return text + (_WORKLOAD_IDENTITY if linked else "")


_WORKLOAD_IDENTITY = f"""
step "Workload Identity in the cluster, and on its nodes"
# With it, pods ask Google's metadata server on their node, which knows which account they have.
described() {{
  gcloud container clusters describe "$cluster" {_WHERE} --format="value($1)"
}}
if [ "$(described workloadIdentityConfig.workloadPool)" != "$pool" ]; then
  gcloud container clusters update "$cluster" {_WHERE} --workload-pool="$pool"
fi
if [ "$(described autopilot.enabled)" != True ]; then
  # On other nodes, pods get the identity of the node, and half of everything works.
  without=$(gcloud container node-pools list --cluster="$cluster" {_WHERE} \\
    --filter='NOT config.workloadMetadataConfig.mode=GKE_METADATA' --format='value(name)')
  for pool_name in $without; do
    printf '%s\\n' "gcloud container node-pools update $pool_name --cluster=$cluster" \\
      "  --location=$location --project=$project --workload-metadata=GKE_METADATA" >&2
  done
  [ -z "$without" ] || fail "run the above when it suits: it makes those nodes anew. Then this."
fi
"""

_GSA = """
step "The Google service account"
if ! gcloud iam service-accounts describe "$gsa" --project="$gsa_project" >/dev/null 2>&1; then
  gcloud iam service-accounts create "$gsa_name" --project="$gsa_project" \\
    --display-name="$gsa_name, for AWS"
fi
# AWS compares its number. An e-mail can be freed, and taken by somebody else.
number=$(again gcloud iam service-accounts describe "$gsa" --project="$gsa_project" \\
  --format='value(uniqueId)')
[[ "$number" =~ ^[0-9]+$ ]] || fail "the number of $gsa is \\"$number\\"."
"""

_LINK = """
step "Pods with the Kubernetes service account may act as the Google one"
again gcloud iam service-accounts add-iam-policy-binding "$gsa" --project="$gsa_project" \\
  --role=roles/iam.workloadIdentityUser --member="$member" --condition=None >/dev/null
"""


def _ksa(plan: Plan) -> str:
    return f"""
step "The Kubernetes service account"
gcloud container clusters get-credentials "$cluster" {_WHERE}
kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
kubectl apply -f - <<'{_YAML_END}'
{service_account(plan)}{_YAML_END}
"""


_PROVIDER = """
step "AWS takes tokens that the cluster signs, for this audience"
known=$(aws iam get-open-id-connect-provider --open-id-connect-provider-arn "$provider_arn" \\
  --query "contains(ClientIDList, '$audience')" --output text 2>/dev/null) || known=absent
case "$known" in
  True) ;;
  False) aws iam add-client-id-to-open-id-connect-provider \\
    --open-id-connect-provider-arn "$provider_arn" --client-id "$audience" ;;
  *) aws iam create-open-id-connect-provider --url "$issuer" \\
    --client-id-list "$audience" >/dev/null ;;
esac
"""


def _role(plan: Plan) -> str:
    policy = json.dumps(plan.trust_policy(), indent=2)
    number = ""
    if plan.workload.gsa:
        policy = policy.replace(UNKNOWN_NUMBER, "<NUMBER>")
        number = "trust=${trust//<NUMBER>/$number}\n"
    return f"""
step "The role in AWS, and who may assume it"
# Who the token is for, and whose it is. With the one condition that most policies have (:aud, which
# is the account again), every service that gets this account's tokens could have the role.
trust={quote(policy)}
{number}\
if aws iam get-role --role-name "$role" >/dev/null 2>&1; then
  printf 'The role exists. Its trust policy until now, which is replaced:\\n' >&2
  aws iam get-role --role-name "$role" --query Role.AssumeRolePolicyDocument --output json >&2
  aws iam update-assume-role-policy --role-name "$role" --policy-document "$trust"
else
  aws iam create-role --role-name "$role" --assume-role-policy-document "$trust" \\
    --description 'Assumed from Google Cloud; see gcp-aws-bridge' >/dev/null
fi
"""


def _permissions(plan: Plan) -> str:
    lines = ['\nstep "What the role may do"']
    if not plan.role.policy_arns and not plan.role.policy:
        lines.append("# Nothing so far: no policy was named. Who assumes it may ask who it is.")
    lines += [
        f'aws iam attach-role-policy --role-name "$role" \\\n  --policy-arn {quote(arn)}'
        for arn in plan.role.policy_arns
    ]
    if plan.role.policy:
        policy = json.dumps(json.loads(plan.role.policy), indent=2)
        if set("$`") & set(policy):
            lines.append("# shellcheck disable=SC2016  # what has a $ is for IAM to expand")
        lines += [
            f"policy={quote(policy)}",
            f'aws iam put-role-policy --role-name "$role" --policy-name {INLINE_POLICY} \\',
            '  --policy-document "$policy"',
        ]
    return "\n".join(lines)


def _prove(plan: Plan) -> str:
    return f"""
step "A Job that proves it: its log ends with the role, as AWS sees it"
kubectl delete job {PROOF} --namespace="$namespace" --ignore-not-found
kubectl apply -f - <<'{_YAML_END}'
{proof(plan)}{_YAML_END}
kubectl wait job/{PROOF} --namespace="$namespace" \\
  --for=condition=complete --timeout=10m ||
  fail "the Job did not get there: kubectl logs --namespace=$namespace job/{PROOF}"
kubectl logs --namespace="$namespace" job/{PROOF}
"""
