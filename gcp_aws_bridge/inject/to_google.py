"""Google credentials for a pod: by the cluster's token, or by a sidecar with the AWS identity."""

from __future__ import annotations

import json

from gcp_aws_bridge.google._configuration import configuration, of_file
from gcp_aws_bridge.inject.annotations import CREDENTIALS, GoogleRequest
from gcp_aws_bridge.inject.draft import MEMBERS, Draft
from gcp_aws_bridge.inject.settings import Settings
from gcp_aws_bridge.inject.sidecar import add_sidecar, env_of_sidecar, sidecar_clients
from gcp_aws_bridge.inject.variables import (
    GOOGLE_FOLDER,
    GOOGLE_IDENTITY,
    GOOGLE_PORT,
    GOOGLE_SERVE,
    SERVE,
    VARIABLES,
)
from gcp_aws_bridge.policy.names import project_of

_VOLUME = "gcp-aws-bridge-google"
_STATUS_PORT = 9914
# Variables for the project: of older libraries (google.auth.environment_vars), and of gcloud.
_OTHER_PROJECTS = {"GCLOUD_PROJECT": "", "CLOUDSDK_CORE_PROJECT": ""}


def add_file(draft: Draft, request: GoogleRequest) -> None:
    """Add a token of the cluster, and the file by which SDKs exchange it (`google-cloud`)."""
    federation = request.federation
    document = configuration(federation, of_file(f"{GOOGLE_FOLDER}/token"))
    reference = {"fieldPath": f"metadata.annotations['{CREDENTIALS}']"}
    token = {
        "audience": federation.audience,
        "expirationSeconds": request.expiration_s,
        "path": "token",
    }
    sources = [
        {"serviceAccountToken": token},
        {"downwardAPI": {"items": [{"path": "credentials.json", "fieldRef": reference}]}},
    ]
    mount = {"name": _VOLUME, "mountPath": GOOGLE_FOLDER, "readOnly": True}
    # Without a project, libraries ask the Resource Manager, which this identity may not call.
    project = project_of(federation.service_account or "")
    defaults = {"GOOGLE_CLOUD_PROJECT": project, **_OTHER_PROJECTS}
    containers = draft.containers(MEMBERS, SERVE, GOOGLE_SERVE)
    if not draft.add_to_containers(
        containers, VARIABLES["google-cloud"], mount, GOOGLE_IDENTITY, defaults
    ):
        return
    draft.add_item(("spec", "volumes"), {"name": _VOLUME, "projected": {"sources": sources}})
    for above in (("metadata",), ("metadata", "annotations")):
        if not draft.at(above):
            draft.add(above, {})
    if CREDENTIALS not in draft.at(("metadata", "annotations")):
        draft.add(("metadata", "annotations", CREDENTIALS), json.dumps(document, sort_keys=True))


def add_server(draft: Draft, request: GoogleRequest, settings: Settings) -> None:
    """Add a sidecar with `google-serve`, and the variables of its address (`google-serve`).

    Raises:
        ConfigError: No image is configured.
    """
    containers = sidecar_clients(draft, settings, GOOGLE_SERVE, SERVE)
    if not draft.add_to_containers(
        containers, VARIABLES["google-serve"], None, GOOGLE_IDENTITY, {}
    ):
        return
    federation = request.federation
    arguments = ["google-serve", f"--port={GOOGLE_PORT}"]
    env = {
        "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": federation.audience,
        "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": federation.service_account,
    }
    add_sidecar(draft, settings, GOOGLE_SERVE, arguments, _STATUS_PORT, env=env_of_sidecar(env))
