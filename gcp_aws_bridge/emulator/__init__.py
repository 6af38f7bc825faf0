"""Both clouds offline: GKE's metadata server and AWS STS, and, for AWS workloads, Google's STS.

They implement what the two clouds document, verify what the clouds verify, and refuse in the
clouds' words. Nothing here uses the rest of the package: a judge that shared code with what it
judges would agree with its mistakes.
"""

from __future__ import annotations

from .accounts import Key, Role
from .clock import ManualClock
from .cloud import Emulator
from .discovery import OidcProvider
from .faults import Fault
from .googleiam import GoogleAccount, GoogleIdentity
from .identity import ServiceAccount
from .providers import WorkloadProvider
from .requestlog import Recorded

__all__ = [
    "Emulator",
    "Fault",
    "GoogleAccount",
    "GoogleIdentity",
    "Key",
    "ManualClock",
    "OidcProvider",
    "Recorded",
    "Role",
    "ServiceAccount",
    "WorkloadProvider",
]
