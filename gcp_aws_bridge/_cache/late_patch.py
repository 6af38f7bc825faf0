"""Errors in a process in which gevent or eventlet patched `ssl` too late, which breaks all TLS.

Classes that were imported before the patch call themselves until a `RecursionError`. See: gevent
issue 1016, boto3 issue 4061.
"""

from __future__ import annotations

import sys

from gcp_aws_bridge.exceptions import ConfigError


def of_late_patch() -> tuple[type[RecursionError], ...]:
    """Return the errors of a late patch for an `except` clause; empty without such a patch."""
    return (RecursionError,) if _patcher() else ()


def patched_late(label: str) -> ConfigError:
    """Return the error for *label*, whose exchange raised an error of `of_late_patch`."""
    patcher = _patcher()
    return ConfigError(
        f"{label}: TLS does not work in this process, since {patcher} patched ssl after it was "
        "imported.",
        fix=f"patch before boto3, botocore or ssl are imported; with gunicorn -k {patcher}, leave "
        "out --preload, or patch at the top of its configuration file.",
        error_id="config/patched-late",
    )


def _patcher() -> str:
    """Return "gevent" or "eventlet" if it patched ssl after urllib3 imported ssl, or ""."""
    now = getattr(sys.modules.get("ssl"), "SSLContext", None)
    used = getattr(sys.modules.get("urllib3.util.ssl_"), "SSLContext", now)
    return "" if now is None or used is now else str(now.__module__).partition(".")[0]
