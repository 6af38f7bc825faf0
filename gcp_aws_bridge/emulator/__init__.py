"""Both clouds offline: GKE's metadata server and AWS STS, and, for AWS workloads, Google's STS.

The services implement what the two clouds document, verify what the clouds verify, and return the
error messages of the clouds. The emulator imports nothing from the rest of the package: shared code
would hide the mistakes that the emulator is meant to find.
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
