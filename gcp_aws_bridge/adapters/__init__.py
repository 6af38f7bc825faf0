"""Credentials for SDKs that do not use botocore. Each SDK has a module, which imports it.

    from gcp_aws_bridge.adapters import s3fs

All take a role as `gcp_aws_bridge.session` does, share exchanges with the rest of the process, and
pickle as settings. docs/how-to/data.md lists what each adapter supports.
"""
