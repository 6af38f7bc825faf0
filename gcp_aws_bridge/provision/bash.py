"""Steps of a shell script that both directions share.

The scripts need bash for `set -o pipefail`, in the version of macOS (3.2) or later. All values are
quoted variables at the top, and the steps below contain no values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from shlex import quote

from gcp_aws_bridge.provision.job import PROOF
from gcp_aws_bridge.provision.plan import INLINE_POLICY, AwsRole

__all__ = [
    "ACCOUNT",
    "IMPERSONATION",
    "KUBECONFIG",
    "NAMESPACE",
    "PROVIDER",
    "apply",
    "google_account",
    "head",
    "joined",
    "permissions",
    "prove",
    "services",
    "values",
]

_YAML_END = "END_OF_YAML"


def joined(parts: Iterable[str]) -> str:
    """Return the script, with an empty line between its parts."""
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def head(purpose: str, tools: Sequence[str]) -> str:
    """Return the beginning of the script, with the functions that the steps call."""
    return f"""\
#!/usr/bin/env bash
# {purpose}, as set in the variables below.
#
# Review it, then run it with bash. Each step creates what is missing and corrects what differs, so
# that the script can be run again at any time. It creates no keys in either cloud.
# Required: {", ".join(tools)}, logged in with permission to administer IAM in both clouds.
set -euo pipefail

step() {{ printf '\\n==> %s\\n' "$*" >&2; }}
fail() {{ printf 'setup: %s\\n' "$*" >&2; exit 1; }}
# New objects are not visible everywhere immediately.
again() {{
  for _ in 1 2 3 4 5; do
    if "$@"; then return; fi
    sleep "${{SETUP_PAUSE_S:-6}}"
  done
  "$@"
}}
for tool in {" ".join(tools)}; do
  command -v "$tool" >/dev/null || fail "$tool is not installed."
done
"""


def values(named: Mapping[str, str], region: str) -> str:
    """Return the variables, and the settings that disable prompts of the CLIs.

    Args:
        named: Values by name.
        region: Default for AWS_DEFAULT_REGION.
    """
    lines = [f"{name}={quote(value)}" for name, value in named.items()]
    lines += [
        "export AWS_PAGER=''  # without a pager",
        f'export AWS_DEFAULT_REGION="${{AWS_DEFAULT_REGION:-{region}}}"  # for STS; IAM is global',
        "export CLOUDSDK_CORE_DISABLE_PROMPTS=1",
    ]
    return "\n".join(lines)


ACCOUNT = """
step "AWS account of this shell"
seen=$(aws sts get-caller-identity --query Account --output text)
[ "$seen" = "$account" ] || fail "this shell is logged in to AWS account $seen, not $account."
"""


def services(names: Sequence[str]) -> str:
    """Return the step that enables Google APIs."""
    listed = " \\\n  ".join(names)
    return f"""
step "Google APIs"
gcloud services enable --project="$project" \\
  {listed}
"""


KUBECONFIG = """\
# Use a temporary kubeconfig, without changing yours.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export KUBECONFIG="$scratch/kubeconfig"
"""


def google_account(purpose: str) -> str:
    """Return the step that creates the Google service account."""
    return f"""
step "Google service account"
if ! gcloud iam service-accounts describe "$gsa" --project="$gsa_project" >/dev/null 2>&1; then
  gcloud iam service-accounts create "$gsa_name" --project="$gsa_project" \\
    --display-name="$gsa_name, {purpose}"
fi
"""


NAMESPACE = """\
kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
"""

IMPERSONATION = """\
again gcloud iam service-accounts add-iam-policy-binding "$gsa" --project="$gsa_project" \\
  --role=roles/iam.workloadIdentityUser --member="$member" --condition=None >/dev/null
"""

# The audience needs no escaping in the query: `names.RULES` allows no quotes.
PROVIDER = """
step "IAM OIDC provider for tokens of the cluster"
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


def permissions(aws: AwsRole) -> str:
    """Return the step that adds the policies of the role."""
    lines = ['\nstep "Permissions of the role"']
    if not aws.policy_arns and not aws.policy:
        lines.append("# None: no policy was named. GetCallerIdentity needs no permission.")
    lines += [
        f'aws iam attach-role-policy --role-name "$role" \\\n  --policy-arn {quote(arn)}'
        for arn in aws.policy_arns
    ]
    if aws.policy:
        policy = json.dumps(json.loads(aws.policy), indent=2)
        if set("$`") & set(policy):
            lines.append("# shellcheck disable=SC2016  # $ is expanded by IAM")
        lines += [
            f"policy={quote(policy)}",
            f'aws iam put-role-policy --role-name "$role" --policy-name {INLINE_POLICY} \\',
            '  --policy-document "$policy"',
        ]
    return "\n".join(lines)


def apply(manifest: str, changed: str = "") -> str:
    """Return the command that applies *manifest*, after the filter command *changed*."""
    words = (
        f"{changed} <<'{_YAML_END}' | kubectl apply -f -"
        if changed
        else (f"kubectl apply -f - <<'{_YAML_END}'")
    )
    return f"{words}\n{manifest}{_YAML_END}\n"


def prove(manifest: str, ends_with: str, changed: str = "", *, by_webhook: bool = False) -> str:
    """Return the step that runs the Job and prints its log.

    Args:
        manifest: The Job.
        ends_with: What its log ends with.
        changed: Filter command for the manifest.
        by_webhook: Whether the webhook gives its pod the credentials.
    """
    why = f'"the Job did not complete: kubectl logs --namespace=$namespace job/{PROOF}"'
    if by_webhook:
        question = "Without credentials in the pod: is the webhook of gcp-aws-bridge installed?"
        why += f' \\\n    "{question}"'
    return f"""
step "Test Job: its log ends with {ends_with}"
kubectl delete job {PROOF} --namespace="$namespace" --ignore-not-found
{apply(manifest, changed)}\
kubectl wait job/{PROOF} --namespace="$namespace" \\
  --for=condition=complete --timeout=10m ||
  fail {why}
kubectl logs --namespace="$namespace" job/{PROOF}
"""
