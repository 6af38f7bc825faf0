"""The plan as a shell script: gcloud, kubectl and aws, each step create-or-update."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from gcp_aws_bridge.provision import bash
from gcp_aws_bridge.provision.plan import REGIONS
from gcp_aws_bridge.provision.to_google import aws_steps
from gcp_aws_bridge.provision.to_google.manifests import proof, service_account
from gcp_aws_bridge.provision.to_google.plan import Plan

__all__ = ["script"]

# In the place of the project's number, which Google gives out.
_NUMBER = "<PROJECT_NUMBER>"


def script(plan: Plan) -> str:
    """The whole script; nothing in it is secret."""
    return bash.joined(_parts(plan))


def _parts(plan: Plan) -> Iterator[str]:
    at, google = plan.workload, plan.google
    tools = ["gcloud", "kubectl", "aws"] if at.in_cluster else ["gcloud", "aws"]
    yield bash.head("Lets a workload on AWS call Google Cloud", tools)
    yield _values(plan)
    yield bash.ACCOUNT
    yield _member(plan)
    yield bash.services(plan.services)
    yield from aws_steps.steps(plan)
    yield _POOL
    yield _provider(plan)
    if google.gsa:
        yield bash.google_account("for AWS") + _LINK
    yield _grants(plan)
    if at.in_cluster:
        yield _ksa(plan)
        filled = f'sed "s/{_NUMBER}/$number/"'
        yield bash.prove(proof(plan, _NUMBER), "who Google says it is", filled)
    else:
        yield aws_steps.left(plan, plan.variables(_NUMBER))


def _values(plan: Plan) -> str:
    at, google = plan.workload, plan.google
    values = {"project": google.project, "pool": google.pool, "provider": google.provider}
    if google.gsa:
        values |= {"gsa": google.gsa, "gsa_name": google.gsa.partition("@")[0]}
        values |= {"gsa_project": google.gsa_project}
    values |= {"account": at.account}
    if plan.role:
        values |= {"role": plan.role.name, "role_arn": plan.role.arn}
    if at.in_cluster:
        values |= {"region": at.region, "cluster": at.cluster}
        values |= {"namespace": at.namespace}
    if at.platform == "eks":
        values |= {"ksa": at.ksa}
    values |= {"who": plan.who, "condition": plan.condition}
    values |= {"mapping": ",".join(f"{key}={value}" for key, value in plan.mapping.items())}
    return bash.values(values, REGIONS["aws"])


def _member(plan: Plan) -> str:
    """The workload, by the name that has the project's number in it."""
    same = ""
    if plan.google.number:
        same = f"""\
[ "$number" = {quote(plan.google.number)} ] || fail "the number of $project is $number."
"""
    return f"""
step "The number of the Google project, which the workload's name in IAM has in it"
number=$(gcloud projects describe "$project" --format='value(projectNumber)')
[[ "$number" =~ ^[0-9]+$ ]] || fail "the number of $project is \\"$number\\"."
{same}member={quote(plan.member(_NUMBER))}
member=${{member//{_NUMBER}/$number}}
"""


_POOL = """
step "The workload identity pool"
here=(--location=global --project="$project")
# "DELETED" and "True" (disabled): somebody did that, and this script does not undo it.
state=$(gcloud iam workload-identity-pools describe "$pool" "${here[@]}" \\
  --format='value(state,disabled)' 2>/dev/null) || state=none
case "$state" in
  none) gcloud iam workload-identity-pools create "$pool" "${here[@]}" \\
    --display-name="$pool" ;;
  *DELETED*) fail "the pool $pool was deleted less than 30 days ago: give another --pool, or" \\
    "gcloud iam workload-identity-pools undelete $pool ${here[*]}" ;;
  *True*) fail "the pool $pool is disabled." ;;
esac
"""


def _provider(plan: Plan) -> str:
    kind, more = "oidc", '--issuer-uri="$issuer" '
    if plan.workload.is_signed:
        kind, more = "aws", '--account-id="$account" '
    # Empty: tokens must be for the provider itself, by its name.
    audiences = "" if kind == "aws" else " --allowed-audiences="
    return f"""
step "The provider: it lets in $who, and nobody else"
here+=(--workload-identity-pool="$pool")
providers=(gcloud iam workload-identity-pools providers)
state=$("${{providers[@]}}" describe "$provider" "${{here[@]}}" \\
  --format='value(state,disabled)' 2>/dev/null) || state=none
rules=({more}--attribute-mapping="$mapping" --attribute-condition="$condition"
  --description="$who"{audiences})
case "$state" in
  none) "${{providers[@]}}" create-{kind} "$provider" "${{here[@]}}" "${{rules[@]}}" ;;
  *DELETED*) fail "the provider $provider was deleted less than 30 days ago: give another" \\
    "--provider, or ${{providers[*]}} undelete $provider ${{here[*]}}" ;;
  *True*) fail "the provider $provider is disabled." ;;
  *)
    seen=$("${{providers[@]}}" describe "$provider" "${{here[@]}}" --format='value(description)')
    # Another condition would shut out whom it lets in until now.
    [ "$seen" = "$who" ] ||
      fail "the provider $provider is there for \\"$seen\\": give another --provider."
    "${{providers[@]}}" update-{kind} "$provider" "${{here[@]}}" "${{rules[@]}}" ;;
esac
"""


_LINK = f"""
step "The workload may act as the Google service account"
{bash.LINK}"""


def _grants(plan: Plan) -> str:
    google = plan.google
    whose = "the Google service account" if google.gsa else "the workload itself"
    lines = [f'\nstep "What {whose} may do in the project"']
    if not google.grants:
        lines.append("# Nothing so far: no role was named.")
    elif google.gsa:
        lines.append('holder="serviceAccount:$gsa"')
    else:
        lines.append('holder="$member"')
    lines += [
        'again gcloud projects add-iam-policy-binding "$project" --member="$holder" \\\n'
        f"  --role={quote(grant)} --condition=None >/dev/null"
        for grant in google.grants
    ]
    return "\n".join(lines)


def _ksa(plan: Plan) -> str:
    return f"""
step "The Kubernetes service account"
{bash.KUBECONFIG}\
aws eks update-kubeconfig --name "$cluster" --region "$region" >/dev/null
{bash.NAMESPACE}{bash.apply(service_account(plan))}"""
