"""The same program with `bridge.install`: boto3's sessions have the provider in their chain."""

import os

import boto3

import gcp_aws_bridge as bridge

bridge.install(os.environ["AWS_ROLE_ARN"])
session = boto3.Session()
assert session.client("s3").list_buckets()["Buckets"]
