"""The baseline of all comparisons: keys in the source, no exchange."""

import boto3

session = boto3.Session(
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)
assert session.client("s3").list_buckets()["Buckets"]
