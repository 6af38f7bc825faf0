"""AWS credentials for a pod: by the cluster's token, or by a sidecar with the Google identity."""

from __future__ import annotations

from typing import Any

from gcp_aws_bridge.config import Role
from gcp_aws_bridge.config.chained_role import chain_text
from gcp_aws_bridge.inject.annotations import AwsRequest
from gcp_aws_bridge.inject.draft import MEMBERS, Draft
from gcp_aws_bridge.inject.settings import Settings
from gcp_aws_bridge.inject.sidecar import (
    add_sidecar,
    env_of_sidecar,
    sidecar_clients,
    user_of_container,
    user_of_sidecar,
)
from gcp_aws_bridge.inject.variables import (
    AWS_IDENTITY,
    ENDPOINT_FOLDER,
    ENDPOINT_PORT,
    SERVE,
    TOKEN_FOLDER,
    VARIABLES,
)

_TOKEN, _ENDPOINT = "gcp-aws-bridge-aws", "gcp-aws-bridge-endpoint"
_STATUS_PORT = 9912
_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")  # some SDKs read only one of them


def add_token(draft: Draft, request: AwsRequest) -> None:
    """Add a token of the cluster, which every AWS SDK exchanges itself (`cluster-token`)."""
    role = request.role
    token = {"audience": role.audience, "expirationSeconds": request.expiration_s, "path": "token"}
    volume = {"name": _TOKEN, "projected": {"sources": [{"serviceAccountToken": token}]}}
    given = {"AWS_ROLE_ARN": role.arn, **VARIABLES["cluster-token"]}
    mount = {"name": _TOKEN, "mountPath": TOKEN_FOLDER, "readOnly": True}
    containers = draft.containers(MEMBERS, SERVE)
    if draft.add_to_containers(containers, given, mount, AWS_IDENTITY, _regions(role)):
        draft.add_item(("spec", "volumes"), volume)


def add_endpoint(draft: Draft, request: AwsRequest, settings: Settings) -> None:
    """Add a sidecar with `serve`, and the variables of its endpoint (`google`).

    Raises:
        ConfigError: No image is configured.
    """
    role = request.role
    mount = {"name": _ENDPOINT, "mountPath": ENDPOINT_FOLDER}
    readers = [one for one in sidecar_clients(draft, settings, SERVE) if _may_read(draft, one[1])]
    read_only = mount | {"readOnly": True}
    if not draft.add_to_containers(
        readers, VARIABLES["google"], read_only, AWS_IDENTITY, _regions(role)
    ):
        return
    arguments = ["serve", f"--port={ENDPOINT_PORT}", f"--token-file={ENDPOINT_FOLDER}/token"]
    env = {
        "GCP_AWS_BRIDGE_ROLE_ARN": role.arn,
        "GCP_AWS_BRIDGE_AUDIENCE": role.audience,
        "GCP_AWS_BRIDGE_CHAIN": chain_text(role.chain),
        **_regions(role),
    }
    more: dict[str, Any] = {"volumeMounts": [mount], "env": env_of_sidecar(env)}
    add_sidecar(draft, settings, SERVE, arguments, _STATUS_PORT, **more)
    volume = {"name": _ENDPOINT, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    draft.add_item(("spec", "volumes"), volume)


def _may_read(draft: Draft, container: Any) -> bool:
    """Return whether *container* may be able to read the authorization token."""
    user, owner = user_of_container(draft, container), user_of_sidecar(draft)
    if user in (0, owner):
        return True
    only = f"only user {owner} and root can read the authorization token"
    if user is None:
        draft.warnings.append(f"container {container.get('name')} has no runAsUser: {only}")
        return True
    text = f"container {container.get('name')} is not changed: it runs as user {user}, and {only}"
    draft.warnings.append(text)
    return False


def _regions(role: Role) -> dict[str, str]:
    return dict.fromkeys(_REGION, role.region_name or "")
