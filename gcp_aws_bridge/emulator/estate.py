"""The services of both emulated clouds, which start, stop and reset together.

The metadata server, STS and the server of signing keys always exist. All other services start on
first use, so that unused services cost no time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast

from .accounts import Accounts
from .clock import Clock, real_clock
from .discovery import Discovery
from .googleiam import GoogleIam
from .identity import ServiceAccount
from .issuer import GOOGLE, Issuer
from .loopback import IPV4, check, proxy_exceptions
from .metadata import Metadata
from .service import Service
from .sts import STS

__all__ = ["DEFAULT_ACCOUNT", "EKS_ISSUER", "REGION", "Estate", "written"]

DEFAULT_ACCOUNT = "123456789012"
REGION = "us-east-1"
EKS_ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/5B9C0E3F4A7D4E1C8F2A6D7B3C1E0F9A"
"""`iss` of the tokens of pods in the EKS cluster."""

_S = TypeVar("_S", bound=Service)
_E = TypeVar("_E", bound="Estate")


class Estate:
    """The services, their shared state and their clock. See `Emulator`."""

    def __init__(
        self,
        *,
        clock: Clock = real_clock,
        service_account: ServiceAccount | None = None,
        linked: bool = True,
        metadata_port: int = 0,
        sts_port: int = 0,
        host: str | None = None,
    ) -> None:
        self._host = check(host)
        self.clock: Clock = clock
        self._first_clock = clock
        self._service_account = service_account or ServiceAccount()
        self._linked = linked
        self._accounts = Accounts(self._now)
        self._iam = GoogleIam()
        self._google = Issuer(GOOGLE, self._now)
        self._cluster = Issuer(EKS_ISSUER, self._now)
        self.metadata: Metadata = Metadata(
            self.service_account, self._google, self._iam, self._now, metadata_port
        )
        self.metadata.linked = linked
        self.sts: STS = STS(self._accounts, self._google, self._now, sts_port)
        self.issuer: Discovery = Discovery(self._now)
        self.issuer.publish(self._google)
        self._lock = threading.Lock()
        self._serving = False
        self._later: dict[type[Service], Service] = {}
        self._issuers = {issuer.url: issuer for issuer in (self._google, self._cluster)}
        for service in self._services():
            service.host = self._host

    def __enter__(self: _E) -> _E:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def service_account(self) -> ServiceAccount:
        """The identity of the pod."""
        return self._service_account

    def _proxy_exceptions(self) -> dict[str, str]:
        return proxy_exceptions(self.metadata.host or IPV4)

    def _now(self) -> datetime:
        return self.clock()

    def _services(self) -> tuple[Service, ...]:
        return (self.metadata, self.sts, self.issuer, *self._later.values())

    def _lazily(self, kind: type[_S], make: Callable[[], _S]) -> _S:
        """Return the service of a class. Create it on first use, and start it if others run."""
        with self._lock:
            found = self._later.get(kind)
            if found is None:
                found = self._later[kind] = make()
                found.host = self._host
                if self._serving:
                    found.start()
            return cast("_S", found)

    def _issuer_of(self, url: str) -> Issuer:
        """Return the issuer with this URL, and publish its keys."""
        issuer = self._issuers.setdefault(url, Issuer(url, self._now))
        self.issuer.publish(issuer)
        return issuer

    def start(self) -> None:
        """Start all services. Services that run already are left alone.

        Raises:
            OSError: A requested port is in use.
            OverflowError: A requested port is out of range.
        """
        try:
            with self._lock:
                for service in self._services():
                    service.start()
                self._serving = True
        except (OSError, OverflowError):
            self.stop()
            raise

    def stop(self) -> None:
        """Refuse new connections and close the open ones. A later `start` uses the same ports.

        Raises:
            RuntimeError: The emulator failed while it answered a request.
        """
        with self._lock, ExitStack() as stack:  # stops all services, even if one of them raises
            self._serving = False
            for service in self._services():
                stack.callback(service.stop)

    def reset(self) -> None:
        """Return to the state after `start`, without a restart.

        Deletes requests, faults, latency, cached tokens, roles, providers, users, issued keys, key
        rotations, and everything that was added to either cloud. Restores the clock and the link
        that the constructor was called with.

        Raises:
            RuntimeError: The emulator failed while it answered a request.
        """
        self.clock = self._first_clock
        self.metadata.linked = self._linked
        self._accounts.clear()
        self._iam.clear()
        self._google.reset()
        self._cluster.reset()
        self._issuers = {issuer.url: issuer for issuer in (self._google, self._cluster)}
        self.issuer.forget_all_but_first()
        for service in self._services():
            service.reset()


def written(path: Path, text: str) -> str:
    """Write a file that only its owner can read. Return its path."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)
