"""Removal of a sidecar that keeps a token file fresh, and of the webhook that adds it to pods."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.provision.pods import (
    NotUnderstood,
    Pod,
    identity,
    is_under,
    mounts_of,
    pods_of,
    remove,
    set_variable,
    value_of,
)
from gcp_aws_bridge.provision.recipe import GTOKEN_AUDIENCE, asks_metadata, audience_of

__all__ = ["without_sidecar", "without_webhook"]

_TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
# doitintl/gtoken, cmd/gtoken-webhook/main.go, awsRoleArnKey: of Kubernetes service accounts.
_ROLE_ANNOTATION = "amazonaws.com/role-arn"
_ROLE, _AUDIENCE = "GCP_AWS_BRIDGE_ROLE_ARN", "GCP_AWS_BRIDGE_AUDIENCE"


def without_sidecar(pod: Pod) -> str:
    """Remove the token file, and the sidecar that writes it, from *pod*.

    Returns:
        Description of the change; empty if the pod has no token file.

    Raises:
        NotUnderstood: The pod uses more than that; nothing was changed.
    """
    readers = [one for one in pod.containers if value_of(one, _TOKEN_FILE)]
    if not readers:
        return ""
    name = _volume_of(pod, readers)
    others = [one for one in pod.containers if mounts_of(one, [name]) and one not in readers]
    audiences = {_audience(one) for one in others}
    if len(audiences) != 1:
        raise NotUnderstood(
            f"it is not clear which container writes to {name}, and for which audience"
        )
    [audience] = audiences
    for reader in readers:
        if value_of(reader, "AWS_ROLE_ARN") is None and not reader.get("envFrom"):
            raise NotUnderstood(f"{reader.get('name')} has no variable AWS_ROLE_ARN")
    for reader in readers:
        remove(reader, "env", lambda one: one.get("name") == _TOKEN_FILE)
        set_variable(reader, _AUDIENCE, audience)
        remove(reader, "volumeMounts", lambda one: one.get("name") == name)
    for member in ("initContainers", "containers"):
        remove(pod.spec, member, lambda one: any(one is other for other in others))
    remove(pod.spec, "volumes", lambda one: one.get("name") == name)
    gone = " and ".join(str(one.get("name")) for one in others)
    return f"gets credentials itself; {gone} and the token file were removed"


def _volume_of(pod: Pod, readers: list[Any]) -> str:
    """Return the emptyDir with the token file of all *readers*."""
    names = set()
    for reader in readers:
        file = value_of(reader, _TOKEN_FILE)
        mounts = reader.get("volumeMounts") or []
        under = [one for one in mounts if file and is_under(file.text, str(one.get("mountPath")))]
        if not under:
            raise NotUnderstood(f"the token file of {reader.get('name')} is in no volume")
        names.add(max(under, key=lambda one: len(str(one.get("mountPath"))))["name"])
    if len(names) != 1:
        raise NotUnderstood("there are several token files")
    [name] = names
    [volume] = [one for one in pod.spec.get("volumes") or [] if one.get("name") == name] or [{}]
    if "emptyDir" not in volume:
        raise NotUnderstood(
            f"its token comes from the volume {name} instead of a sidecar; every SDK reads such a "
            "file itself, and so does `TokenFile`"
        )
    return str(name)


def _audience(writer: Any) -> str:
    """Return the audience of the token that *writer* gets from Google."""
    image = str(writer.get("image", ""))
    line = " ".join(map(str, [*(writer.get("command") or []), *(writer.get("args") or [])]))
    if "gtoken" in image.rpartition("/")[2]:
        return GTOKEN_AUDIENCE
    ours = "gcp-aws-bridge" in image or "gcp-aws-bridge" in line
    audience = audience_of(line) if asks_metadata(line) or ours else None
    if audience is not None and audience.is_variable:
        audience = value_of(writer, audience.text)
    if audience is None or audience.is_variable:
        raise NotUnderstood(f"the audience of {writer.get('name')} is not in the manifest")
    return audience.text


def without_webhook(documents: list[Any], done: list[str]) -> None:
    """Set the variables that the webhook would set, and remove the annotation for it."""
    pods = [*pods_of(documents)]
    for document in documents:
        annotations = (document.get("metadata") or {}).get("annotations") or {}
        if document.get("kind") != "ServiceAccount" or _ROLE_ANNOTATION not in annotations:
            continue
        namespace, account = identity(document)
        mine = [
            pod
            for pod in pods
            if pod.namespace == namespace and pod.spec.get("serviceAccountName") == account
        ]
        if not mine:
            continue  # pods outside of the manifest still need the webhook
        role = str(annotations[_ROLE_ANNOTATION])
        for pod in mine:
            for container in pod.containers:
                if value_of(container, _TOKEN_FILE) is None:
                    set_variable(container, _ROLE, role)
                    set_variable(container, _AUDIENCE, GTOKEN_AUDIENCE)
        del annotations[_ROLE_ANNOTATION]
        if not annotations:
            del document["metadata"]["annotations"]
        names = ", ".join(pod.name for pod in mine)
        done.append(
            f"ServiceAccount {account}: the annotation {_ROLE_ANNOTATION}, for which the gtoken "
            f"webhook adds a sidecar to {names}, was removed"
        )
