"""Add the text of `gcp-aws-bridge explain` to a frozen application."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("gcp_aws_bridge.cli", includes=["explanations.md"])
