"""Manifests of a Job that tests the set-up, and of a Kubernetes service account.

The pod of the Job has the variables and the volume that a program needs, and installs the library;
or the label of the pods to which the webhook adds all that, and a client of the other cloud.

Every value is a JSON string, which is the same string in YAML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PROOF", "Client", "Projected", "job", "job_of_client", "literal", "service_account"]

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
{labels}\
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
{run}\
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
_PYTHON = """\
          image: docker.io/library/python:3.13-slim
          command: [sh, -ec]
          args:
            - |
              pip install --quiet --no-cache-dir --target=/tmp/lib 'gcp-aws-bridge[{extra}]'
              exec python {program}
"""
_CLIENT = """\
          image: {image}
          command: {command}
"""
_HOME = {"HOME": "/tmp"}  # noqa: S108 - inside a container


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
    return _written(
        names,
        proves,
        run=_PYTHON.format(extra=extra, program=program),
        env={**variables, **_HOME, "PYTHONPATH": "/tmp/lib"},  # noqa: S108 - inside a container
        volume=_volume(projected) if projected else "",
        mount=_mount(projected) if projected else "",
    )


@dataclass(frozen=True)
class Client:
    """Program of the other cloud that does not use the library.

    Attributes:
        image: Its image.
        command: Its command and arguments.
    """

    image: str
    command: tuple[str, ...]


def job_of_client(names: tuple[str, str], label: str, *, proves: str, client: Client) -> str:
    """Return the manifest of a Job whose pod gets credentials from the webhook.

    Args:
        names: Namespace, and Kubernetes service account of the pod.
        label: Label of the pods that the webhook changes.
        proves: First sentence of the comment above the Job.
        client: The only container; it does not set its own credentials.
    """
    return _written(
        names,
        proves,
        labels=f'    metadata:\n      labels:\n        {label}: "true"\n',
        run=_CLIENT.format(image=client.image, command=json.dumps(client.command)),
        env=_HOME,
    )


def _written(names: tuple[str, str], proves: str, *, env: Mapping[str, str], **parts: str) -> str:
    """Return the manifest of a Job with these parts of the text."""
    namespace, ksa = names
    variables = "".join(
        f"            - {{name: {name}, value: {literal(value)}}}\n" for name, value in env.items()
    )
    nothing = {"labels": "", "volume": "", "mount": ""}
    return _JOB.format(
        job=PROOF,
        namespace=literal(namespace),
        ksa=literal(ksa),
        proves=proves,
        env=variables,
        **{**nothing, **parts},
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


def service_account(namespace: str, name: str, *groups: tuple[str, Mapping[str, str]]) -> str:
    """Return the manifest of a Kubernetes service account.

    Args:
        namespace: Its namespace.
        name: Its name.
        *groups: Its annotations, each group with a comment above it.
    """
    annotations = "".join(
        f"    # {why}\n" + "".join(f"    {key}: {literal(one)}\n" for key, one in found.items())
        for why, found in groups
        if found
    )
    head = "  annotations:\n" if annotations else ""
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {literal(name)}
  namespace: {literal(namespace)}
{head}{annotations}"""


def literal(value: str) -> str:
    """Return *value* as a YAML string."""
    return json.dumps(value)
