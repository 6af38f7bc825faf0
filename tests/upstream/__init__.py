"""The test suites of botocore and aiobotocore, with and without this library in every session."""
