"""Integration into botocore, boto3 and aiobotocore."""
