"""A process in which gevent or eventlet patched `ssl` after it was imported: no TLS works in it.

The classes that were imported before call themselves until they end in a `RecursionError`. See:
gevent issue 1016, boto3 issue 4061.
"""

from __future__ import annotations

import sys

from gcp_aws_bridge.exceptions import ConfigError


def of_late_patch() -> tuple[type[RecursionError], ...]:
    """Return the errors, for an `except` clause, that come of such a patch: none without one."""
    return (RecursionError,) if _patcher() else ()


def patched_late(label: str) -> ConfigError:
    """Return the error of *label*, whose exchange ended in one of `of_late_patch`."""
    patcher = _patcher()
    return ConfigError(
        f"{label}: TLS does not work in this process, since {patcher} patched ssl after it was "
        "imported.",
        fix=f"patch before boto3, botocore or ssl are imported; with gunicorn -k {patcher}, leave "
        "out --preload, or patch at the top of its configuration file.",
        error_id="config/patched-late",
    )


def _patcher() -> str:
    """Return what patched ssl after urllib3 was imported with it: gevent, eventlet; or nothing."""
    now = getattr(sys.modules.get("ssl"), "SSLContext", None)
    used = getattr(sys.modules.get("urllib3.util.ssl_"), "SSLContext", now)
    return "" if now is None or used is now else str(now.__module__).partition(".")[0]
