"""The same program as it is usually written today, with google-auth and boto3."""

import os
from typing import Any

import boto3
import google.auth.transport.requests
from botocore.credentials import RefreshableCredentials
from botocore.session import get_session
from google.oauth2 import id_token

AUDIENCE = "sts.amazonaws.com"


def fetch() -> dict[str, Any]:
    token = id_token.fetch_id_token(google.auth.transport.requests.Request(), AUDIENCE)
    # A separate session: `boto3.client` costs the same, and is not safe in several threads.
    sts = boto3.Session().client("sts")
    answer = sts.assume_role_with_web_identity(
        RoleArn=os.environ["AWS_ROLE_ARN"],
        RoleSessionName="etl",
        WebIdentityToken=token,
        DurationSeconds=3600,
    )["Credentials"]
    return {
        "access_key": answer["AccessKeyId"],
        "secret_key": answer["SecretAccessKey"],
        "token": answer["SessionToken"],
        "expiry_time": answer["Expiration"].isoformat(),
    }


def recipe_credentials() -> RefreshableCredentials:
    return RefreshableCredentials.create_from_metadata(
        metadata=fetch(), refresh_using=fetch, method="sts-assume-role-with-web-identity"
    )


def recipe_session() -> boto3.Session:
    inner = get_session()
    inner._credentials = recipe_credentials()
    return boto3.Session(botocore_session=inner)


if __name__ == "__main__":
    assert recipe_session().client("s3").list_buckets()["Buckets"]
