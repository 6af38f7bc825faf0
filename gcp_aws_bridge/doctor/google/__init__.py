"""Find which step from an AWS identity to Google's tokens fails, and how to fix it.

report = diagnose({"service_account": "…"}, botocore.session.Session())
"""

from __future__ import annotations

from gcp_aws_bridge.doctor.google.checks import CHECKS, checks_for, diagnose

__all__ = ["CHECKS", "checks_for", "diagnose"]
