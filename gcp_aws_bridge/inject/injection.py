"""`inject`: pod and service account in, JSON patch out. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.inject import to_aws, to_google
from gcp_aws_bridge.inject.annotations import LABEL, Requests
from gcp_aws_bridge.inject.draft import MEMBERS, Draft
from gcp_aws_bridge.inject.settings import Settings
from gcp_aws_bridge.inject.sidecar import MESH

# Kubernetes, "Create static Pods": the API server's copy of a pod of the kubelet.
_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True)
class Injection:
    """Result of `inject`.

    Attributes:
        patch: JSON patch (RFC 6902) with `add` operations only; empty if the pod needs nothing.
        warnings: What the annotations request but the pod does not get, and why.
    """

    patch: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


def inject(pod: Mapping[str, Any], account: Mapping[str, str], settings: Settings) -> Injection:
    """Return the patch that gives *pod* the credentials that the annotations request.

    Nothing that the author of the pod set is changed. A second application changes nothing.

    Args:
        pod: The pod, or a pod template: a mapping with `metadata` and `spec`.
        account: Annotations of its service account.
        settings: Settings of the cluster.

    Raises:
        ConfigError: An annotation is malformed, or the pod needs a sidecar and no image for it is
            configured.
    """
    own = (pod.get("metadata") or {}).get("annotations") or {}
    requests = Requests(own, account, settings.prefixes, settings.region)
    draft = Draft(pod, requests.skipped | MESH)
    draft.warnings += [f"{key} has no meaning to gcp-aws-bridge" for key in requests.unknown]
    if not (requests.aws or requests.google) or _MIRROR in own:
        if LABEL in ((pod.get("metadata") or {}).get("labels") or {}):
            draft.warnings.append(f"no credentials: the label {LABEL} needs an annotation, too")
        return Injection((), tuple(draft.warnings))
    system = (draft.spec.get("os") or {}).get("name")
    of_node = (draft.spec.get("nodeSelector") or {}).get("kubernetes.io/os")
    options = (draft.spec.get("securityContext") or {}).get("windowsOptions")
    if options or "windows" in (system, of_node):
        return Injection((), ("no credentials: pods on Windows are not supported",))
    for name in sorted(requests.skipped.difference(draft.names(*MEMBERS))):
        draft.warnings.append(f"skip-containers names {quoted(name)}, which the pod does not have")
    # Add the sidecar google-serve before that of AWS: it then gets the AWS variables like any
    # container, and `add_sidecar` inserts `serve` in front of it, so that `serve` starts first.
    if google := requests.google:
        if google.method == "google-serve":
            to_google.add_server(draft, google, settings)
        else:
            to_google.add_file(draft, google)
    if aws := requests.aws:
        if aws.method == "google":
            to_aws.add_endpoint(draft, aws, settings)
        else:
            to_aws.add_token(draft, aws)
    return Injection(tuple(draft.patch), tuple(draft.warnings))
