"""Last step of the script outside of GKE: attach the Google service account to the workload."""

from __future__ import annotations

from shlex import quote

from gcp_aws_bridge.provision.plan import Plan

__all__ = ["attach"]


def attach(plan: Plan) -> str:
    """Return the step, which prints commands instead if they would interrupt the workload."""
    if plan.workload.platform == "compute-engine":
        return _instance(plan)
    # gcloud splits at commas, which names of roles may contain ("gcloud topic escaping").
    pairs = [f"{name}={value}" for name, value in plan.variables.items()]
    between = next(one for one in (";", "|", "~~") if not any(one in pair for pair in pairs))
    env = quote(f"--update-env-vars=^{between}^{between.join(pairs)}")
    return _service(env) if plan.workload.platform == "cloud-run" else _function(env)


def _service(env: str) -> str:
    return f"""
step "Service account and variables of the service"
where=(--region="$location" --project="$project")
env={env}
if gcloud run services describe "$service" "${{where[@]}}" >/dev/null 2>&1; then
  gcloud run services update "$service" "${{where[@]}}" --service-account="$gsa" "$env"
else
  printf 'The service %s does not exist yet. Deploy it with\\n  %s\\n  %q\\n' "$service" \\
    "--service-account=$gsa" "$env" >&2
fi
"""


def _function(env: str) -> str:
    return f"""
step "To do: service account and variables of the function"
# Functions are deployed from their source, which this script does not have.
env={env}
printf '%s\\n' "Add these options to \\`gcloud functions deploy $service --gen2\\`:" \\
  "  --region=$location --project=$project --run-service-account=$gsa" >&2
printf '  %q\\n' "$env" >&2
"""


def _instance(plan: Plan) -> str:
    exports = "\n".join(f"  export {name}={quote(v)}" for name, v in plan.variables.items())
    return f"""
step "Service account of the instance"
where=(--zone="$location" --project="$project")
runs_as=$(gcloud compute instances describe "$service" "${{where[@]}}" \\
  --format='value(serviceAccounts[].email)' 2>/dev/null) || runs_as='no service account yet'
if [ "$runs_as" != "$gsa" ]; then
  # The account of an instance can only be changed while it is stopped. Choose a suitable time.
  printf '%s\\n' "$service has $runs_as. Create it with the first line, or change it:" \\
    "  --service-account=$gsa --scopes=cloud-platform" \\
    "  gcloud compute instances stop $service ${{where[*]}}" \\
    "  gcloud compute instances set-service-account $service ${{where[*]}}" \\
    "    --service-account=$gsa --scopes=cloud-platform" \\
    "  gcloud compute instances start $service ${{where[*]}}" >&2
fi
printf 'The program on the instance needs these variables:\\n%s\\n' {quote(exports)} >&2
"""
