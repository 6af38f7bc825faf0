"""Credentials of the other cloud for the pods of a cluster, requested by annotations.

`inject` is a pure function: pod and annotations of its service account in, JSON patch out. The
commands `inject` and `webhook` transport pods and patches.
"""

from gcp_aws_bridge.inject.annotations import LABEL, PREFIX, PREFIXES
from gcp_aws_bridge.inject.injection import Injection, inject
from gcp_aws_bridge.inject.settings import Settings

__all__ = ["LABEL", "PREFIX", "PREFIXES", "Injection", "Settings", "inject"]
