"""A program that knows nothing of the library."""

import boto3

assert boto3.client("s3").list_buckets()["Buckets"]
