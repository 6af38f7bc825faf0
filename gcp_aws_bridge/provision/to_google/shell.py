"""Writes the plan as a shell script of gcloud, kubectl and aws; each step creates or updates."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from gcp_aws_bridge.provision import bash
from gcp_aws_bridge.provision.plan import REGIONS
from gcp_aws_bridge.provision.to_google import aws_steps
from gcp_aws_bridge.provision.to_google.manifests import proof, service_account
from gcp_aws_bridge.provision.to_google.plan import Plan

__all__ = ["script"]

# Placeholder for the project's number, which Google assigns.
_NUMBER = "<PROJECT_NUMBER>"


def script(plan: Plan) -> str:
    """Return the script, which contains no secrets."""
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
        yield bash.google_account("for AWS") + _IMPERSONATION
    yield _grants(plan)
    if at.in_cluster:
        filled = f'sed "s/{_NUMBER}/$number/"'
        yield _ksa(plan, filled)
        admitted = "the sentence that a token was issued"
        what = admitted if plan.annotate else "the identity in Google Cloud"
        job = proof(plan, _NUMBER)
        yield bash.prove(job, what, filled, by_webhook=plan.annotate)
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
    """Return the step that determines the member, which contains the project's number."""
    same = ""
    if plan.google.number:
        same = f"""\
[ "$number" = {quote(plan.google.number)} ] || fail "the number of $project is $number."
"""
    return f"""
step "Number of the Google project"
number=$(gcloud projects describe "$project" --format='value(projectNumber)')
[[ "$number" =~ ^[0-9]+$ ]] || fail "the number of $project is \\"$number\\"."
{same}member={quote(plan.member(_NUMBER))}
member=${{member//{_NUMBER}/$number}}
"""


_POOL = """
step "Workload identity pool"
here=(--location=global --project="$project")
# "DELETED" and "True" (disabled) are administrators' decisions, which this script does not undo.
state=$(gcloud iam workload-identity-pools describe "$pool" "${here[@]}" \\
  --format='value(state,disabled)' 2>/dev/null) || state=none
case "$state" in
  none) gcloud iam workload-identity-pools create "$pool" "${here[@]}" \\
    --display-name="$pool" ;;
  *DELETED*) fail "the pool $pool was deleted less than 30 days ago: use another --pool, or" \\
    "gcloud iam workload-identity-pools undelete $pool ${here[*]}" ;;
  *True*) fail "the pool $pool is disabled." ;;
esac
"""


def _provider(plan: Plan) -> str:
    kind, more = "oidc", '--issuer-uri="$issuer" '
    if plan.workload.is_signed:
        kind, more = "aws", '--account-id="$account" '
    # Empty: the audience of tokens must be the provider itself.
    audiences = "" if kind == "aws" else " --allowed-audiences="
    return f"""
step "Provider, which admits only $who"
here+=(--workload-identity-pool="$pool")
providers=(gcloud iam workload-identity-pools providers)
state=$("${{providers[@]}}" describe "$provider" "${{here[@]}}" \\
  --format='value(state,disabled)' 2>/dev/null) || state=none
rules=({more}--attribute-mapping="$mapping" --attribute-condition="$condition"
  --description="$who"{audiences})
case "$state" in
  none) "${{providers[@]}}" create-{kind} "$provider" "${{here[@]}}" "${{rules[@]}}" ;;
  *DELETED*) fail "the provider $provider was deleted less than 30 days ago: use another" \\
    "--provider, or ${{providers[*]}} undelete $provider ${{here[*]}}" ;;
  *True*) fail "the provider $provider is disabled." ;;
  *)
    seen=$("${{providers[@]}}" describe "$provider" "${{here[@]}}" --format='value(description)')
    # Changing the condition would block the present workload.
    [ "$seen" = "$who" ] ||
      fail "the provider $provider exists for \\"$seen\\": use another --provider."
    "${{providers[@]}}" update-{kind} "$provider" "${{here[@]}}" "${{rules[@]}}" ;;
esac
"""


_IMPERSONATION = f"""
step "Permission of the workload to impersonate the Google service account"
{bash.IMPERSONATION}"""


def _grants(plan: Plan) -> str:
    google = plan.google
    whose = "the Google service account" if google.gsa else "the workload itself"
    lines = [f'\nstep "Roles of {whose} in the project"']
    if not google.grants:
        lines.append("# None: no role was named.")
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


def _ksa(plan: Plan, filled: str) -> str:
    manifest = service_account(plan, _NUMBER)
    return f"""
step "Kubernetes service account"
{bash.KUBECONFIG}\
aws eks update-kubeconfig --name "$cluster" --region "$region" >/dev/null
{bash.NAMESPACE}{bash.apply(manifest, filled if plan.annotate else "")}"""
