"""botocore's and aiobotocore's own tests, with and without this library in every session."""
