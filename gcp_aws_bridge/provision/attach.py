"""The script's last step outside of GKE: the workload gets its Google service account."""

from __future__ import annotations

from shlex import quote

from gcp_aws_bridge.provision.plan import Plan

__all__ = ["attach"]


def attach(plan: Plan) -> str:
    """Done where it harms nothing that runs; else said, for whoever runs it to do."""
    if plan.workload.platform == "compute-engine":
        return _instance(plan)
    # gcloud splits at commas, which names of roles may have ("gcloud topic escaping").
    variables = ";".join(f"{name}={value}" for name, value in plan.variables.items())
    env = quote(f"--update-env-vars=^;^{variables}")
    return _service(env) if plan.workload.platform == "cloud-run" else _function(env)


def _service(env: str) -> str:
    return f"""
step "The service runs as the Google service account, and knows its role"
where=(--region="$location" --project="$project")
env={env}
if gcloud run services describe "$service" "${{where[@]}}" >/dev/null 2>&1; then
  gcloud run services update "$service" "${{where[@]}}" --service-account="$gsa" "$env"
else
  printf 'There is no service %s yet. Deploy it with\\n  %s\\n  %q\\n' "$service" \\
    "--service-account=$gsa" "$env" >&2
fi
"""


def _function(env: str) -> str:
    return f"""
step "What is left to you: the function runs as the Google service account"
# Google deploys functions from their source, which is not here.
env={env}
printf '%s\\n' "Add to your \\`gcloud functions deploy $service --gen2\\`:" \\
  "  --region=$location --project=$project --run-service-account=$gsa" >&2
printf '  %q\\n' "$env" >&2
"""


def _instance(plan: Plan) -> str:
    exports = "\n".join(f"  export {name}={quote(v)}" for name, v in plan.variables.items())
    return f"""
step "The instance runs as the Google service account"
where=(--zone="$location" --project="$project")
runs_as=$(gcloud compute instances describe "$service" "${{where[@]}}" \\
  --format='value(serviceAccounts[].email)' 2>/dev/null) || runs_as='nobody yet'
if [ "$runs_as" != "$gsa" ]; then
  # Google changes the account of instances that are stopped only, and when suits is yours to say.
  printf '%s\\n' "The instance $service runs as $runs_as. Make it with the first, or change it:" \\
    "  --service-account=$gsa --scopes=cloud-platform" \\
    "  gcloud compute instances stop $service ${{where[*]}}" \\
    "  gcloud compute instances set-service-account $service ${{where[*]}}" \\
    "    --service-account=$gsa --scopes=cloud-platform" \\
    "  gcloud compute instances start $service ${{where[*]}}" >&2
fi
printf 'And for the program on it:\\n%s\\n' {quote(exports)} >&2
"""
