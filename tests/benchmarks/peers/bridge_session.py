"""The same program with `bridge.session`."""

import os

import gcp_aws_bridge as bridge

session = bridge.session(os.environ["AWS_ROLE_ARN"])
assert session.client("s3").list_buckets()["Buckets"]
