"""The Kubernetes side: the service account, and a Job that proves the whole chain.

Written as text, with every value a JSON string, which YAML reads as the same string.
"""

from __future__ import annotations

import json

from gcp_aws_bridge.provision.plan import REGIONS, Plan

__all__ = ["PROOF", "TOKEN_FILE", "manifests", "proof", "service_account"]

PROOF = "gcp-aws-bridge-proof"
_FOLDER = "/var/run/secrets/aws"
TOKEN_FILE = f"{_FOLDER}/token"
_PROGRAM = "import gcp_aws_bridge as b; print(b.session({}).client('sts').get_caller_identity())"

_JOB = """\
# It proves that a pod with this service account has the role; `setup` needs it no longer then.
apiVersion: batch/v1
kind: Job
metadata:
  name: {job}
  namespace: {namespace}
spec:
  backoffLimit: 5  # a new link and a new role take a minute to be known everywhere
  ttlSecondsAfterFinished: 3600
  template:
    spec:
      serviceAccountName: {ksa}
      restartPolicy: Never
      securityContext:
        runAsUser: 65532
        runAsGroup: 65532
        runAsNonRoot: true
        seccompProfile: {{type: RuntimeDefault}}
      volumes:
        - name: scratch
          emptyDir: {{sizeLimit: 256Mi}}
{volume}\
      containers:
        - name: proof
          image: docker.io/library/python:3.13-slim
          command: [sh, -ec]
          args:
            - |
              pip install --quiet --no-cache-dir --target=/tmp/lib 'gcp-aws-bridge[boto3]'
              exec python -c "{program}"
          env:
{env}\
          volumeMounts:
            - {{name: scratch, mountPath: /tmp}}
{mount}\
          resources:
            requests: {{cpu: 250m, memory: 256Mi}}
            limits: {{memory: 512Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
"""


def manifests(plan: Plan) -> str:
    """All of them, as one file."""
    return f"{service_account(plan)}---\n{proof(plan)}"


def service_account(plan: Plan) -> str:
    """The Kubernetes service account, linked to the Google one where there is one."""
    at = plan.workload
    linked = (
        ""
        if not at.gsa
        else (
            "  annotations:\n"
            "    # Pods with this account get ID tokens of this Google service account.\n"
            f"    iam.gke.io/gcp-service-account: {_text(at.gsa)}\n"
        )
    )
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {_text(at.ksa)}
  namespace: {_text(at.namespace)}
{linked}"""


def proof(plan: Plan) -> str:
    """A Job whose log ends with what AWS says it is: the role. Its pod is a model for yours."""
    at = plan.workload
    projected = at.platform == "gke-issuer"
    source = f"token_source=b.TokenFile('{TOKEN_FILE}')" if projected else ""
    variables = plan.variables | {
        "AWS_DEFAULT_REGION": REGIONS[plan.role.partition],
        "HOME": "/tmp",  # noqa: S108 - of a container of its own
        "PYTHONPATH": "/tmp/lib",  # noqa: S108
    }
    env = "".join(
        f"            - {{name: {name}, value: {_text(value)}}}\n"
        for name, value in variables.items()
    )
    return _JOB.format(
        job=PROOF,
        namespace=_text(at.namespace),
        ksa=_text(at.ksa),
        program=_PROGRAM.format(source),
        env=env,
        volume=_volume(plan) if projected else "",
        mount=_mount() if projected else "",
    )


def _volume(plan: Plan) -> str:
    return f"""\
        - name: aws-token  # signed by the cluster, for this role alone; the kubelet renews it
          projected:
            sources:
              - serviceAccountToken:
                  path: token
                  audience: {_text(plan.role.audience)}
                  expirationSeconds: 3600
"""


def _mount() -> str:
    return f"            - {{name: aws-token, mountPath: {_FOLDER}, readOnly: true}}\n"


def _text(value: str) -> str:
    return json.dumps(value)
