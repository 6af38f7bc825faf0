"""The contenders by name: `bridge`, and `recipe` (botocore's refresh with a custom function)."""

import os
from typing import Any

REGION = "us-east-1"


def make_session(contender: str) -> Any:
    """Return a boto3 session for the role."""
    if contender == "recipe":
        from recipe import recipe_session

        return recipe_session()
    import gcp_aws_bridge as bridge

    return bridge.session(os.environ["AWS_ROLE_ARN"])


def make_credentials(contender: str) -> Any:
    """Return credentials that are refreshed automatically."""
    if contender == "recipe":
        from recipe import recipe_credentials

        return recipe_credentials()
    import gcp_aws_bridge as bridge

    return bridge.credentials(os.environ["AWS_ROLE_ARN"])


class Signer:
    """Signs S3 requests with botocore's signer, as its clients do."""

    def __init__(self, credentials: Any) -> None:
        from botocore.hooks import HierarchicalEmitter
        from botocore.model import ServiceId
        from botocore.signers import RequestSigner

        self._emitter = HierarchicalEmitter()  # the signer holds it weakly
        self._signer = RequestSigner(
            ServiceId("S3"), REGION, "s3", "s3v4", credentials, self._emitter
        )

    def sign(self) -> str:
        """Sign one request and return the access key."""
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method="GET", url="https://bench.s3.amazonaws.com/key", data=b"")
        self._signer.sign("GetObject", request)
        signed = request.headers["Authorization"]
        return str(signed).partition("Credential=")[2].partition("/")[0]


def policy(number: int) -> dict[str, object]:
    """Return the session policy of one tenant: its own bucket."""
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::tenant-{number}/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}
