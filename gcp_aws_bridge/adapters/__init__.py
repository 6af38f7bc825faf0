"""What SDKs that are not botocore's ask for: one module an SDK, which it imports at its top.

    from gcp_aws_bridge.adapters import s3fs

Each takes a role as `gcp_aws_bridge.session` does, gives the real end of the credentials, shares
its exchange with everything else in the process, and pickles as settings. What each gives and what
it does not is in docs/how-to/data.md.
"""
