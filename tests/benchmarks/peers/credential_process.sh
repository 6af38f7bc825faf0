#!/usr/bin/env bash
# The shell recipe that pods mount through a ConfigMap: curl, AWS CLI, jq.
set -euo pipefail

audience="${GCP_OAUTH_AUD:-sts.amazonaws.com}"
host="${GCE_METADATA_HOST:-metadata.google.internal}"
account="http://$host/computeMetadata/v1/instance/service-accounts/default"

token=$(curl --silent --fail --header "Metadata-Flavor: Google" \
    "$account/identity?audience=$audience&format=full")

aws sts assume-role-with-web-identity \
    --role-arn "$AWS_ROLE_ARN" \
    --role-session-name "${AWS_ROLE_SESSION_NAME:-etl}" \
    --web-identity-token "$token" \
    --duration-seconds 3600 \
    --output json |
    jq '.Credentials + {Version: 1}'
