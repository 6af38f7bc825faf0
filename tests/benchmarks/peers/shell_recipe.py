"""The same program with an AWS profile whose `credential_process` is the shell recipe."""

import boto3

session = boto3.Session(profile_name="etl")
assert session.client("s3").list_buckets()["Buckets"]
