"""Answers at the metadata server's address, from Google's server or another."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from gcp_aws_bridge._cache.clock import World, backoff_s
from gcp_aws_bridge._tokens import http
from gcp_aws_bridge._tokens.metadata import is_googles, look_up, looks_like_google, metadata_host
from gcp_aws_bridge.exceptions import ConfigError

_ROOT = "/computeMetadata/v1/"
# As `MetadataServer`: one short attempt if nothing suggests Google Cloud.
_IMPATIENT_S = 0.8


class Probe(NamedTuple):
    """Answers of the metadata server.

    Attributes:
        host: Host or host:port.
        tries: Number of attempts.
        answer: None if there was no complete answer.
        failure: Why there was none; for each address if the server has two.
        reason: The part of it that is about the address with a route.
        has_route: Whether this machine has a route to an address of the server.
        settings: Why the server could not be asked.
        accounts: Service accounts by name; None if the server did not list them.
    """

    host: str
    tries: int = 0
    answer: http.Answer | None = None
    failure: str = ""
    reason: str = ""
    has_route: bool = True
    settings: ConfigError | None = None
    project: str = ""
    hostname: str = ""
    cluster: str = ""
    attributes: frozenset[str] = frozenset()
    accounts: Mapping[str, Any] | None = None

    @property
    def is_google(self) -> bool:
        """Google's metadata server answered."""
        return self.answer is not None and is_googles(self.answer)

    @property
    def is_ready(self) -> bool:
        """Google's metadata server answered with status 200."""
        return self.is_google and self.answer is not None and self.answer.status == 200

    @property
    def is_virtual_machines(self) -> bool:
        """Whether it is the virtual machine's own server, not the one that GKE puts before it.

        Their Server headers differ, and GKE's hides all attributes but the cluster's
        (GKE, "About Workload Identity Federation": the GKE metadata server).
        """
        server = self.answer.headers.get("server", "") if self.answer else ""
        return "for VM" in server or "kube-env" in self.attributes

    @property
    def email(self) -> str:
        """E-mail of the default service account; empty if there is none."""
        default = (self.accounts or {}).get("default")
        email = default.get("email") if isinstance(default, dict) else None
        return printable(email) if isinstance(email, str) else ""

    @property
    def is_this_host(self) -> bool:
        """The machine has this process's host name, so its network namespace is shared."""
        here = socket.gethostname().partition(".")[0]
        return bool(here) and here == self.hostname.partition(".")[0]


def printable(name: str) -> str:
    """Return a name from another machine without characters that a terminal would act on."""
    return "".join(char if char.isprintable() else "?" for char in name.strip()[:253])


def probe(world: World, timeout_s: float) -> Probe:
    """Ask the metadata server about itself, for *timeout_s* seconds at most."""
    client = _Client(metadata_host(), world, timeout_s)
    try:
        found = client.reach()
    except ConfigError as error:
        return Probe(client.host, settings=error)
    return client.with_details(found) if found.is_ready else found


class _Client:
    """Requests to one server, with one deadline for all of them."""

    def __init__(self, host: str, world: World, timeout_s: float) -> None:
        self.host = host
        self._world = world
        self._patient = looks_like_google()
        self._timeout_s = timeout_s if self._patient else min(timeout_s, _IMPATIENT_S)
        self._stop = world.monotonic() + self._timeout_s

    def reach(self) -> Probe:
        found = Probe(self.host)
        for failures in itertools.count():
            found = self._try(found)
            if found.answer is not None and found.answer.status not in http.TRANSIENT_STATUS:
                return found
            pause_s = backoff_s(failures, base_s=0.1, cap_s=0.5, jitter=self._world.jitter())
            if not self._patient or self._left_s() <= pause_s + 0.05:
                return found
            self._world.sleep(pause_s)
        raise AssertionError("unreachable")  # pragma: no cover

    def _try(self, before: Probe) -> Probe:
        tries = before.tries + 1
        try:
            answer = self._get("project/project-id")
        except http.Unreachable as error:
            # The last attempt has little time: its time-out says less than the failures before.
            if tries > 1 and error.reason.startswith("no answer"):
                return before._replace(tries=tries)
            return Probe(
                self.host,
                tries,
                failure=str(error),
                reason=error.reason,
                has_route=error.has_route,
            )
        self.host = answer.host  # one of two addresses
        found = Probe(self.host, tries, answer)
        return found._replace(project=printable(answer.body) if found.is_ready else "")

    def with_details(self, found: Probe) -> Probe:
        names = frozenset(self._text("instance/attributes/").split())
        listed = self._text("instance/service-accounts/?recursive=true")
        try:
            accounts = json.loads(listed)
        except (ValueError, RecursionError):
            accounts = None
        cluster = self._text("instance/attributes/cluster-name") if "cluster-name" in names else ""
        return found._replace(
            attributes=names,
            accounts=accounts if isinstance(accounts, dict) else None,
            hostname=printable(self._text("instance/hostname")),
            cluster=printable(cluster),
        )

    def _text(self, path: str) -> str:
        try:
            answer = self._get(path)
        except http.Unreachable:
            return ""
        return answer.body if answer.status == 200 and is_googles(answer) else ""

    def _get(self, path: str) -> http.Answer:
        return look_up(
            _ROOT + path,
            host=self.host,
            timeout_s=max(0.05, self._left_s()),
            monotonic=self._world.monotonic,
        )

    def _left_s(self) -> float:
        return self._stop - self._world.monotonic()
