"""What botocore, boto3 and aiobotocore see of the library."""
