"""Find which step from a Google identity to AWS credentials fails, and how to fix it.

    report = diagnose({"arn": "arn:aws:iam::123456789012:role/etl"}, botocore.session.Session())
    report.cause        the finding to fix first; None if all is well

`doctor.google` is the other direction, with the same runner and the same report. `checks` has the
table of checks; each of the other modules has one or two of them.
"""

from __future__ import annotations

from gcp_aws_bridge.doctor.checks import CHECKS, checks_for, diagnose
from gcp_aws_bridge.doctor.report import Finding, Report

__all__ = ["CHECKS", "Finding", "Report", "checks_for", "diagnose"]
