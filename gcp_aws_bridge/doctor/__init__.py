"""Which link of the chain from a Google identity to AWS credentials is broken, and what mends it.

    report = diagnose({"arn": "arn:aws:iam::123456789012:role/etl"}, botocore.session.Session())
    report.cause        the finding to begin with; None where all is well

The other direction is `doctor.google`, with the same report. One module a link or two, in the order
of the chain; `chain` has the order. A link that cannot be looked at because an earlier one is
broken is skipped, not blamed.
"""

from __future__ import annotations

from gcp_aws_bridge.doctor.chain import LINKS, diagnose
from gcp_aws_bridge.doctor.report import Finding, Report

__all__ = ["LINKS", "Finding", "Report", "diagnose"]
