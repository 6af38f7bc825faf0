"""The variables that each method adds to a container, and the paths of its files.

`doctor` recognizes the method of a container by these variables.
"""

from __future__ import annotations

TOKEN_FOLDER = "/var/run/secrets/gcp-aws-bridge/aws"
ENDPOINT_FOLDER = "/var/run/secrets/gcp-aws-bridge/endpoint"
GOOGLE_FOLDER = "/var/run/secrets/gcp-aws-bridge/google"
# Names of the sidecars.
SERVE, GOOGLE_SERVE = "gcp-aws-bridge-serve", "gcp-aws-bridge-google-serve"
ENDPOINT_PORT, GOOGLE_PORT = 9911, 9913

# Google's libraries read the first, gcloud reads the second.
_FILES = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE")
# Google's SDKs differ in which they read: docs/how-to/google-cloud-sdks.md.
_SERVERS = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")
# By method. cluster-token also adds AWS_ROLE_ARN.
VARIABLES: dict[str, dict[str, str]] = {
    "cluster-token": {"AWS_WEB_IDENTITY_TOKEN_FILE": f"{TOKEN_FOLDER}/token"},
    "google": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{ENDPOINT_PORT}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{ENDPOINT_FOLDER}/token",
    },
    "google-cloud": dict.fromkeys(_FILES, f"{GOOGLE_FOLDER}/credentials.json"),
    "google-serve": dict.fromkeys(_SERVERS, f"127.0.0.1:{GOOGLE_PORT}"),
}
# Variables by which a container sets an AWS identity itself, for SDKs (AWS SDKs and Tools
# reference, "Settings") or for this library. AWS_CONFIG_FILE is not one of them: most such files
# contain no identity.
AWS_IDENTITY = (
    *("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_CREDENTIAL_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "GCP_AWS_BRIDGE_ROLE_ARN"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    *VARIABLES["cluster-token"],
    *VARIABLES["google"],
)
# The same for a Google identity ("Application Default Credentials"; gcloud topic configurations;
# Terraform's provider, "Authentication Configuration").
GOOGLE_IDENTITY = (
    *("GOOGLE_GHA_CREDS_PATH", "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN"),
    *("GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON", "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE"),
    *("CLOUDSDK_AUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"),
    *_FILES,
    *_SERVERS,
)
