"""A Job that proves the whole chain, written as text.

Every value is a JSON string, which YAML reads as the same string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PROOF", "Projected", "job", "literal", "service_account"]

PROOF = "gcp-aws-bridge-proof"

_JOB = """\
# {proves}; `setup` needs it no longer then.
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
    """A token that the cluster signs, as a file `token` of the pod.

    Attributes:
        name: Of the volume.
        folder: Where it is mounted.
        audience: Of the token.
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
    """A Job with one pod.

    Args:
        names: Its namespace, and the Kubernetes service account of its pod.
        proves: The first words of the comment above it.
        extra: Of the package: what *program* needs of it.
        program: What follows `python`, as a shell has it.
        variables: Its environment, besides what lets a package be installed into a scratch folder.
        projected: A token for it.
    """
    namespace, ksa = names
    home = {"HOME": "/tmp", "PYTHONPATH": "/tmp/lib"}  # noqa: S108 - of a container of its own
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
        - name: {projected.name}  # signed by the cluster, for this alone; the kubelet renews it
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
    """A Kubernetes service account.

    Args:
        namespace: Its namespace.
        name: Its name.
        annotations: Those that it has.
        why: A comment on them.
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
    """*value* as YAML has it."""
    return json.dumps(value)
