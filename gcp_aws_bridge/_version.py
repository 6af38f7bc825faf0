"""The version, for the build and for `gcp_aws_bridge.__version__`."""

__version__ = "0.1.0"
