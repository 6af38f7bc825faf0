"""Last step of the script outside of GKE: attach the Google service account to the workload."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from shlex import quote

from gcp_aws_bridge.provision.plan import Plan

__all__ = ["attach"]


def attach(plan: Plan) -> str:
    """Return the step, which prints commands instead if they would interrupt the workload."""
    return _STEPS[plan.workload.platform](plan)


def _list_option(option: str, pairs: Iterable[str]) -> str:
    """Return an option of gcloud with a list of `NAME=VALUE`, quoted for a shell."""
    # gcloud splits at commas, which names of roles may contain ("gcloud topic escaping").
    listed = [*pairs]
    between = next(one for one in (";", "|", "~~") if not any(one in pair for pair in listed))
    return quote(f"{option}=^{between}^{between.join(listed)}")


def _pairs(plan: Plan, prefix: str = "") -> list[str]:
    return [f"{prefix}{name}={value}" for name, value in plan.variables.items()]


def _cloud_run(plan: Plan) -> str:
    resource = plan.workload.of_platform.resource
    return f"""
step "Service account and variables of the {resource}"
where=(--region="$location" --project="$project")
env={_list_option("--update-env-vars", _pairs(plan))}
if gcloud run {resource}s describe "$service" "${{where[@]}}" >/dev/null 2>&1; then
  gcloud run {resource}s update "$service" "${{where[@]}}" --service-account="$gsa" "$env"
else
  printf 'The {resource} %s does not exist yet. Deploy it with\\n  %s\\n  %q\\n' "$service" \\
    "--service-account=$gsa" "$env" >&2
fi
"""


def _function(plan: Plan) -> str:
    return f"""
step "To do: service account and variables of the function"
# Functions are deployed from their source, which this script does not have.
env={_list_option("--update-env-vars", _pairs(plan))}
printf '%s\\n' "Add these options to \\`gcloud functions deploy $service --gen2\\`:" \\
  "  --region=$location --project=$project --run-service-account=$gsa" >&2
printf '  %q\\n' "$env" >&2
"""


def _seen(plan: Plan) -> str:
    """Return the start of a step that sets `where`, and `runs_as` to the account."""
    platform = plan.workload.of_platform
    path = "".join(
        f".{one}" if isinstance(one, str) else f"[{one}]" for one in platform.account_path
    )
    return f"""
step "Service account of the {platform.resource}"
where=({platform.location_option}="$location" --project="$project")
runs_as=$(gcloud {" ".join(platform.describe)} "$service" "${{where[@]}}" \\
  --format='value({path[1:]})' 2>/dev/null) || runs_as='no service account yet'
"""


def _printed(text: str) -> str:
    """Return the command that prints *text* with the values of its variables."""
    return f"cat >&2 <<END_OF_TEXT\n{text}END_OF_TEXT\n"


def _if_other(text: str) -> str:
    """Return the command that prints *text* if `runs_as` is not the account `gsa`."""
    shown = "$service has ${runs_as:-the default service account}.\n"
    return f'if [ "$runs_as" != "$gsa" ]; then\n{_printed(shown + text)}fi\n'


def _instance(plan: Plan) -> str:
    exports = "\n".join(f"  export {name}={quote(v)}" for name, v in plan.variables.items())
    change = _if_other("""\
Create it with the first line, or stop it for the change:
  --service-account=$gsa --scopes=cloud-platform
  gcloud compute instances stop $service ${where[*]}
  gcloud compute instances set-service-account $service ${where[*]} \\\\
    --service-account=$gsa --scopes=cloud-platform
  gcloud compute instances start $service ${where[*]}
""")
    return f"""{_seen(plan)}{change}\
printf 'The program on the instance needs these variables:\\n%s\\n' {quote(exports)} >&2
"""


def _workbench(plan: Plan) -> str:
    line = f"import os; os.environ.update({json.dumps(plan.variables)})"
    create = _if_other("""\
It cannot be changed there; create an instance with:
  gcloud workbench instances create $service ${where[*]} --service-account-email=$gsa
""")
    return f"""{_seen(plan)}{create}\
printf 'A notebook needs this line before its first AWS client:\\n  %s\\n' {quote(line)} >&2
"""


def _dataproc(plan: Plan) -> str:
    # Spark, "Configuration" and "Running Spark on YARN": the environment of executors, and of a
    # driver in cluster mode.
    places = ("spark.executorEnv.", "spark.yarn.appMasterEnv.")
    properties = [pair for place in places for pair in _pairs(plan, place)]
    create = _if_other("""\
The account of a cluster cannot be changed; create one with:
  gcloud dataproc clusters create $service ${where[*]} \\\\
    --service-account=$gsa --scopes=cloud-platform
""")
    submit = _printed("""\
Code that contains no role needs these properties of the job:
  gcloud dataproc jobs submit pyspark JOB.py --cluster=$service ${where[*]} \\\\
    $(printf %q "$properties")
""")
    return f"""{_seen(plan)}{create}\
properties={_list_option("--properties", properties)}
{submit}"""


def _composer(plan: Plan) -> str:
    create = _if_other("""\
The account of an environment cannot be changed; create one with:
  gcloud composer environments create $service ${where[*]} --service-account=$gsa
""")
    update = _printed("""\
Choose a suitable time for these updates, which end running tasks:
  gcloud composer environments update $service ${where[*]} \\\\
    --update-pypi-package='gcp-aws-bridge[airflow,aio]'
  gcloud composer environments update $service ${where[*]} \\\\
    $(printf %q "$env")
  gcloud composer environments update $service ${where[*]} \\\\
    --update-airflow-configs=aws-session_factory=gcp_aws_bridge.adapters.airflow.SessionFactory
""")
    return f"""{_seen(plan)}{create}\
env={_list_option("--update-env-variables", _pairs(plan))}
{update}"""


def _cloud_build(plan: Plan) -> str:
    # Cloud Build, "Substitute variable values": $$ is a literal $.
    env = "\n".join(f"  - {json.dumps(pair.replace('$', '$$'))}" for pair in _pairs(plan))
    config = _printed("""\
The builds need these options in cloudbuild.yaml:
options:
  logging: CLOUD_LOGGING_ONLY
  env:
$env
""")
    create = _printed("""\
The trigger $service does not exist yet. Create it with the first line, or build without it:
  --service-account=$account_path
  gcloud builds submit ${where[*]} --service-account=$account_path
""")
    return f"""
step "Service account of the trigger"
where=(--region="$location" --project="$project")
account_path="projects/$gsa_project/serviceAccounts/$gsa"
if gcloud builds triggers describe "$service" "${{where[@]}}" >/dev/null 2>&1; then
  # For a trigger of any type: the request contains nothing but the account.
  gcloud builds triggers update manual "$service" "${{where[@]}}" \\
    --service-account="$account_path" >/dev/null
else
{create}fi
env={quote(env)}
{config}"""


def _dataflow(plan: Plan) -> str:
    options = _printed("""\
Start the pipeline with these options:
  --runner=DataflowRunner --project=$project --region=$location \\\\
  --service_account_email=$gsa \\\\
  $(printf '%q ' "${role_options[@]}")
""")
    return f"""
step "To do: service account and role of the pipeline"
# The account of a job is set when it starts.
role_options=({" ".join(map(quote, plan.pipeline_options))})
{options}"""


def _vertex_ai(plan: Plan) -> str:
    env = "\n".join(
        f"    - {{name: {name}, value: {json.dumps(value)}}}"
        for name, value in plan.variables.items()
    )
    create = _printed("""\
Create the job with
  gcloud ai custom-jobs create --region=$location --project=$project \\\\
    --service-account=$gsa --display-name=NAME --config=job.yaml
where each containerSpec of job.yaml has
    env:
$env
""")
    return f"""
step "To do: service account and variables of the custom job"
# The account of a job is set when it is created.
env={quote(env)}
{create}"""


_STEPS: dict[str, Callable[[Plan], str]] = {
    "compute-engine": _instance,
    "cloud-run": _cloud_run,
    "cloud-run-job": _cloud_run,
    "cloud-functions": _function,
    "dataflow": _dataflow,
    "dataproc": _dataproc,
    "vertex-ai": _vertex_ai,
    "workbench": _workbench,
    "cloud-build": _cloud_build,
    "composer": _composer,
}
