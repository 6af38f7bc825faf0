"""The chain of the other direction: from an AWS identity to Google's tokens.

    report = diagnose({"service_account": "…"}, botocore.session.Session())

The report is the same, and so are the rules of the walk: one module a link or two.
"""

from __future__ import annotations

from gcp_aws_bridge.doctor.google.chain import LINKS, diagnose

__all__ = ["LINKS", "diagnose"]
