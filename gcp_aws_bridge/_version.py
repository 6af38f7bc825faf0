"""The version, said once: the build and `gcp_aws_bridge.__version__` read it here."""

__version__ = "0.1.0"
