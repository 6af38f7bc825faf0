"""The exchange: an ID token for AWS credentials, by the security token service."""
