"""Google credentials for a pod: by the cluster's token, or by a sidecar with the AWS identity."""

from __future__ import annotations

import json

from gcp_aws_bridge.google._configuration import configuration, of_file
from gcp_aws_bridge.inject.annotations import CREDENTIALS, GoogleRequest
from gcp_aws_bridge.inject.draft import MEMBERS, Draft
from gcp_aws_bridge.inject.settings import Settings
from gcp_aws_bridge.inject.sidecar import GOOGLE_SERVE, SERVE, add_sidecar, clients
from gcp_aws_bridge.policy.names import project_of

__all__ = ["add_file", "add_server"]

_VOLUME = "gcp-aws-bridge-google"
_FOLDER = "/var/run/secrets/gcp-aws-bridge/google"
_PORT, _STATUS_PORT = 9913, 9914
# Google's libraries read the first, gcloud reads the second.
_FILES = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE")
# Google's SDKs differ in which they read: docs/how-to/google-cloud-sdks.md.
_SERVERS = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")
_RIVALS = frozenset({*_FILES, *_SERVERS})


def add_file(draft: Draft, request: GoogleRequest) -> None:
    """Add a token of the cluster, and the file by which SDKs exchange it (`google-cloud`)."""
    federation = request.federation
    document = configuration(federation, of_file(f"{_FOLDER}/token"))
    if not draft.at(("metadata", "annotations")):
        draft.add(("metadata", "annotations"), {})
    if CREDENTIALS not in draft.at(("metadata", "annotations")):
        draft.add(("metadata", "annotations", CREDENTIALS), json.dumps(document, sort_keys=True))
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
    draft.add_item(("spec", "volumes"), {"name": _VOLUME, "projected": {"sources": sources}})
    variables = dict.fromkeys(_FILES, f"{_FOLDER}/credentials.json")
    mount = {"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}
    project = project_of(federation.service_account or "")
    for path, _ in draft.containers(MEMBERS, SERVE, GOOGLE_SERVE):
        if draft.set_variables(path, variables, mount, _RIVALS) and project:
            # Otherwise libraries ask the Resource Manager, which this identity may not call.
            draft.set_defaults(path, {"GOOGLE_CLOUD_PROJECT": project})


def add_server(draft: Draft, request: GoogleRequest, settings: Settings) -> None:
    """Add a sidecar with `google-serve`, and the variables of its address (`google-serve`).

    Raises:
        ConfigError: No image is configured.
    """
    federation = request.federation
    arguments = ["google-serve", f"--audience={federation.audience}", f"--port={_PORT}"]
    if federation.service_account:
        arguments.append(f"--service-account={federation.service_account}")
    if add_sidecar(draft, settings, GOOGLE_SERVE, arguments, _STATUS_PORT):
        variables = dict.fromkeys(_SERVERS, f"127.0.0.1:{_PORT}")
        for path, _ in clients(draft, settings, SERVE, GOOGLE_SERVE):
            draft.set_variables(path, variables, None, _RIVALS)
