"""Manifests of a Job that tests the set-up, and of a Kubernetes service account.

Every value is a JSON string, which is the same string in YAML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PROOF", "Projected", "job", "literal", "service_account"]

PROOF = "gcp-aws-bridge-proof"

_JOB = """\
# {proves}. It can be deleted afterwards.
apiVersion: batch/v1
kind: Job
metadata:
  name: {job}
  namespace: {namespace}
spec:
  backoffLimit: 5  # new roles and bindings take a minute to be visible everywhere
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
              pip install --quiet --no-cache-dir --target=/tmp/lib 'gcp-aws-bridge[{extra}]'
              exec python {program}
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


@dataclass(frozen=True)
class Projected:
    """Token signed by the cluster, in the file `token` of a volume.

    Attributes:
        name: Name of the volume.
        folder: Mount path of the volume.
        audience: Audience of the token.
    """

    name: str
    folder: str
    audience: str


def job(
    names: tuple[str, str],
    *,
    proves: str,
    extra: str,
    program: str,
    variables: Mapping[str, str],
    projected: Projected | None = None,
) -> str:
    """Return the manifest of a Job with one pod.

    Args:
        names: Namespace, and Kubernetes service account of the pod.
        proves: First sentence of the comment above the Job.
        extra: Extra of the package that *program* needs.
        program: Arguments of `python`, quoted for a shell.
        variables: Environment variables, besides those for a package in a temporary folder.
        projected: Token for the pod.
    """
    namespace, ksa = names
    home = {"HOME": "/tmp", "PYTHONPATH": "/tmp/lib"}  # noqa: S108 - inside a container
    env = "".join(
        f"            - {{name: {name}, value: {literal(value)}}}\n"
        for name, value in {**variables, **home}.items()
    )
    return _JOB.format(
        job=PROOF,
        namespace=literal(namespace),
        ksa=literal(ksa),
        proves=proves,
        extra=extra,
        program=program,
        env=env,
        volume=_volume(projected) if projected else "",
        mount=_mount(projected) if projected else "",
    )


def _volume(projected: Projected) -> str:
    return f"""\
        - name: {projected.name}  # signed by the cluster, refreshed by the kubelet
          projected:
            sources:
              - serviceAccountToken:
                  path: token
                  audience: {literal(projected.audience)}
                  expirationSeconds: 3600
"""


def _mount(projected: Projected) -> str:
    what = f"name: {projected.name}, mountPath: {projected.folder}, readOnly: true"
    return f"            - {{{what}}}\n"


def service_account(
    namespace: str, name: str, annotations: Mapping[str, str], why: str = ""
) -> str:
    """Return the manifest of a Kubernetes service account.

    Args:
        namespace: Its namespace.
        name: Its name.
        annotations: Its annotations.
        why: Comment above the annotations.
    """
    linked = ""
    if annotations:
        linked = f"  annotations:\n    # {why}\n"
    for key, value in annotations.items():
        linked += f"    {key}: {literal(value)}\n"
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {literal(name)}
  namespace: {literal(namespace)}
{linked}"""


def literal(value: str) -> str:
    """Return *value* as a YAML string."""
    return json.dumps(value)
