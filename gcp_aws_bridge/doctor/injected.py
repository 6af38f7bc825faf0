"""Checks what annotations added to this container: variables, files, and the sidecar of the pod.

`inject.variables` has the variables of each method; docs/how-to/cluster.md describes the methods.
"""

from __future__ import annotations

import os
import shlex
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from botocore.session import Session

from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.context import AwsContext
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.inject.variables import (
    ENDPOINT_PORT,
    GOOGLE_PORT,
    GOOGLE_SERVE,
    SERVE,
    VARIABLES,
)

TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
# By method: the sidecar, its port, and the options of the doctor in it.
SIDECARS = {
    "google": (SERVE, ENDPOINT_PORT, ""),
    "google-serve": (GOOGLE_SERVE, GOOGLE_PORT, " --google"),
}
RECREATE = "kubectl delete pod POD   # it will be recreated, and changed again by the webhook"
# Kubernetes, "Debug Running Pods": a copy has the variables and volumes of its container, which an
# ephemeral container does not have.
COPY = (
    "kubectl debug POD -it --copy-to=POD-doctor --container=CONTAINER --image=IMAGE -- "
    "gcp-aws-bridge doctor"
)
_broken = partial(Finding, "injected", "broken")


def methods() -> list[str]:
    """Return the methods whose variables this container has."""
    return [
        method
        for method, wanted in VARIABLES.items()
        if all(os.environ.get(name) == value for name, value in wanted.items())
    ]


def check(context: AwsContext) -> Iterator[Finding]:
    """Check the variables and files for AWS; name those for Google."""
    for method in methods():
        if method == "cluster-token":
            yield from _token(context)
        elif method == "google":
            yield from _endpoint(context)
        else:
            seen = f"{method}, for Google Cloud: gcp-aws-bridge doctor --google checks it."
            yield Finding("injected", "note", seen)


def _token(context: AwsContext) -> Iterator[Finding]:
    path = os.environ[TOKEN_FILE]
    if found := unreadable("cluster-token", path):
        yield found
        return
    arn = os.environ.get("AWS_ROLE_ARN", "")
    seen = f"AWS SDKs exchange the token of the cluster in {quoted(path)} for {quoted(arn, 2048)}"
    yield Finding("injected", "ok", f"cluster-token: {seen}.")
    yield from _region(context.session)


def _endpoint(context: AwsContext) -> Iterator[Finding]:
    url, path = VARIABLES["google"].values()
    if found := unreachable("google", context.timeout_s) or unreadable("google", path):
        yield found
        return
    seen = f"google: AWS SDKs get credentials from the sidecar {SERVE}, at {quoted(url)}."
    yield Finding("injected", "ok", seen)
    yield from proxied("google")
    yield from _region(context.session)


def unreadable(method: str, path: str) -> Finding | None:
    """Return the finding for a file that is missing, or that this user may not read."""
    try:
        first_byte(path)
    except FileNotFoundError:
        return _broken(
            f"{method}: the file {quoted(path)} does not exist: its volume is not mounted in this "
            "container. The variables were probably copied from another pod or container.",
            wanted="The variables and the volumes of the webhook, in the same container.",
            fix="kubectl get pod POD -o yaml   # volumes and mounts: gcp-aws-bridge-…\n"
            f"in the manifest, remove the copied variables\n{RECREATE}",
            id="doctor/injected-file",
        )
    except OSError as error:
        return _not_allowed(method, path, error)
    return None


def first_byte(path: str) -> bytes:
    """Return the first byte of a file.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(1)


def _not_allowed(method: str, path: str, error: OSError) -> Finding:
    try:
        owner = str(os.stat(path).st_uid)
    except OSError:
        owner = "UID"
    user = f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
    reason = f"{user} ({error.strerror}); its owner is user {owner}"
    fix = "set securityContext.fsGroup of the pod, for example to 65532"
    if method in SIDECARS:  # only its owner and root can read it
        fix = f"set securityContext.runAsUser of the container to {owner}, the user of the sidecar"
    return _broken(
        f"{method}: the file {quoted(path)} cannot be read by {reason}.",
        wanted="A container whose user may read the file: its owner, or root.",
        fix=f"{fix}\n{RECREATE}",
        id="doctor/injected-unreadable",
    )


def unreachable(method: str, timeout_s: float) -> Finding | None:
    """Return the finding for a sidecar that does not listen."""
    sidecar, port, _ = SIDECARS[method]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s):
            return None
    except OSError as error:
        return _broken(
            f"{method}: nothing listens on 127.0.0.1:{port} ({error}): the sidecar {sidecar} has "
            "not started, or has crashed.",
            wanted=f"The container {sidecar}, running in this pod.",
            fix=f"kubectl logs POD -c {sidecar}\nkubectl describe pod POD\n{RECREATE}",
            id="doctor/injected-sidecar",
        )


def proxied(method: str) -> Iterator[Finding]:
    """Warn about a proxy for requests to the sidecar."""
    _, port, _ = SIDECARS[method]
    proxies = urllib.request.getproxies_environment()
    names = [name for name in ("http", "all") if proxies.get(name)]
    if not names or urllib.request.proxy_bypass(f"127.0.0.1:{port}"):
        return
    hosts = ",".join(filter(None, (proxies.get("no"), "127.0.0.1", "169.254.169.254")))
    yield Finding(
        "injected",
        "warning",
        f"{names[0].upper()}_PROXY is set, and NO_PROXY does not have 127.0.0.1: some SDKs send "
        "their requests to the sidecar, with its authorization token, to the proxy.",
        wanted="NO_PROXY with 127.0.0.1.",
        fix=f"export NO_PROXY={shlex.quote(hosts)}",
        id="doctor/injected-proxy",
    )


def _region(session: Session) -> Iterator[Finding]:
    if os.environ.get("AWS_REGION") or session.get_config_variable("region"):
        return
    namespace, name = machine.kubernetes_account() or ("NAMESPACE", "KSA")
    yield Finding(
        "injected",
        "warning",
        "There is no AWS region: neither AWS_REGION nor a profile sets one. Many SDKs need it.",
        wanted="A region, from the annotation gcp-aws-bridge/region.",
        fix=f"kubectl annotate serviceaccount {shlex.quote(name)} -n {shlex.quote(namespace)} "
        f"gcp-aws-bridge/region=REGION\n{RECREATE}",
        id="doctor/injected-region",
    )


def not_injected(method: str, timeout_s: float) -> Finding | None:
    """Return the finding for a container without variables, in a pod with the sidecar."""
    if not machine.in_kubernetes() or unreachable(method, timeout_s):
        return None
    sidecar, port, options = SIDECARS[method]
    return _broken(
        f"A sidecar ({sidecar}) listens on 127.0.0.1:{port}, and this container has none of its "
        "variables: skip-containers names it, its user cannot read the authorization token, it "
        "sets an identity itself, or it is an ephemeral container (kubectl debug), which has "
        "neither the variables nor the volumes of the pod's containers.",
        wanted="The variables of the method, in a container of the pod.",
        fix=f"kubectl exec POD -c {sidecar} -- gcp-aws-bridge doctor{options}\n"
        f"or, as a copy of another container: {COPY}{options}",
        id="doctor/not-injected",
    )


def with_fix_for_cluster_token(finding: Finding) -> Finding:
    """Return *finding*; if it is an expired token of the cluster, with the fix for the kubelet."""
    if finding.id != "token/expired" or os.environ.get(TOKEN_FILE) is None:
        return finding
    fix = (
        f"the kubelet replaces the file, except in a subPath mount; is the node ready?\n{RECREATE}"
    )
    return replace(finding, fix=fix)
