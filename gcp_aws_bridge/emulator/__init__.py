"""An offline GKE metadata server and AWS STS, for tests, demonstrations and benchmarks.

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
from .identity import ServiceAccount
from .requestlog import Recorded

__all__ = [
    "Emulator",
    "Fault",
    "Key",
    "ManualClock",
    "OidcProvider",
    "Recorded",
    "Role",
    "ServiceAccount",
]
