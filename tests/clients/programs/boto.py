"""boto3, by whatever its own chain finds: lists and reads at each line of standard input."""

import sys

import boto3

session = boto3.Session(region_name="us-east-1")
for _ in sys.stdin:
    try:
        s3 = session.client("s3")
        found = s3.list_objects_v2(Bucket="bucket")["Contents"]
        body = s3.get_object(Bucket="bucket", Key=found[0]["Key"])["Body"].read().decode()
    except Exception as error:  # noqa: BLE001 - an answer like any other
        body = f"{type(error).__name__}: {error}".replace("\n", " ")
    print(body, flush=True)
