"""Steps of a script that both directions have.

bash, since `set -o pipefail` is; of the age that macOS has (3.2). Values stand in variables at the
top, quoted, and the steps below are the same text for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from shlex import quote

from gcp_aws_bridge.provision.job import PROOF
from gcp_aws_bridge.provision.plan import INLINE_POLICY, AwsRole

__all__ = [
    "ACCOUNT",
    "KUBECONFIG",
    "LINK",
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
    """The whole script, an empty line between its parts."""
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def head(purpose: str, tools: Sequence[str]) -> str:
    """What it is, what it wants, and the functions that the steps call."""
    return f"""\
#!/usr/bin/env bash
# {purpose}; which ones, the variables below say.
#
# Read it, then run it with bash. Each step makes what is missing and corrects what differs, so that
# it may be run again: after a failure, after a change, any time. It makes no key of either cloud.
# Wanted: {", ".join(tools)}, logged in as who may administer IAM in both clouds.
set -euo pipefail

step() {{ printf '\\n==> %s\\n' "$*" >&2; }}
fail() {{ printf 'setup: %s\\n' "$*" >&2; exit 1; }}
# What a cloud made a moment ago is not known everywhere at once.
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
    """The variables, and what makes the CLIs ask nobody; *region* is none that was given."""
    lines = [f"{name}={quote(value)}" for name, value in named.items()]
    lines += [
        "export AWS_PAGER=''  # the AWS CLI would wait in a pager",
        f'export AWS_DEFAULT_REGION="${{AWS_DEFAULT_REGION:-{region}}}"  # IAM has none; STS does',
        "export CLOUDSDK_CORE_DISABLE_PROMPTS=1",
    ]
    return "\n".join(lines)


ACCOUNT = """
step "The AWS account of this shell is the one that is meant"
seen=$(aws sts get-caller-identity --query Account --output text)
[ "$seen" = "$account" ] || fail "this shell is logged in to AWS account $seen, not $account."
"""


def services(names: Sequence[str]) -> str:
    """The Google APIs."""
    listed = " \\\n  ".join(names)
    return f"""
step "The Google APIs that this needs"
gcloud services enable --project="$project" \\
  {listed}
"""


KUBECONFIG = """\
# With a kubeconfig of this script's own: yours stays as it is.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export KUBECONFIG="$scratch/kubeconfig"
"""


def google_account(purpose: str) -> str:
    """The Google service account."""
    return f"""
step "The Google service account"
if ! gcloud iam service-accounts describe "$gsa" --project="$gsa_project" >/dev/null 2>&1; then
  gcloud iam service-accounts create "$gsa_name" --project="$gsa_project" \\
    --display-name="$gsa_name, {purpose}"
fi
"""


NAMESPACE = """\
kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
"""

LINK = """\
again gcloud iam service-accounts add-iam-policy-binding "$gsa" --project="$gsa_project" \\
  --role=roles/iam.workloadIdentityUser --member="$member" --condition=None >/dev/null
"""

# An audience may be in a query of the AWS CLI as it is: `names.RULES` has no quotes.
PROVIDER = """
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


def permissions(aws: AwsRole) -> str:
    """What the role may do."""
    lines = ['\nstep "What the role may do"']
    if not aws.policy_arns and not aws.policy:
        lines.append("# Nothing so far: no policy was named. Who assumes it may ask who it is.")
    lines += [
        f'aws iam attach-role-policy --role-name "$role" \\\n  --policy-arn {quote(arn)}'
        for arn in aws.policy_arns
    ]
    if aws.policy:
        policy = json.dumps(json.loads(aws.policy), indent=2)
        if set("$`") & set(policy):
            lines.append("# shellcheck disable=SC2016  # what has a $ is for IAM to expand")
        lines += [
            f"policy={quote(policy)}",
            f'aws iam put-role-policy --role-name "$role" --policy-name {INLINE_POLICY} \\',
            '  --policy-document "$policy"',
        ]
    return "\n".join(lines)


def apply(manifest: str, changed: str = "") -> str:
    """kubectl gets *manifest*, through *changed*, a command that changes it on the way."""
    words = (
        f"{changed} <<'{_YAML_END}' | kubectl apply -f -"
        if changed
        else (f"kubectl apply -f - <<'{_YAML_END}'")
    )
    return f"{words}\n{manifest}{_YAML_END}\n"


def prove(manifest: str, ends_with: str, changed: str = "") -> str:
    """The Job, and its log."""
    return f"""
step "A Job that proves it: its log ends with {ends_with}"
kubectl delete job {PROOF} --namespace="$namespace" --ignore-not-found
{apply(manifest, changed)}\
kubectl wait job/{PROOF} --namespace="$namespace" \\
  --for=condition=complete --timeout=10m ||
  fail "the Job did not get there: kubectl logs --namespace=$namespace job/{PROOF}"
kubectl logs --namespace="$namespace" job/{PROOF}
"""
