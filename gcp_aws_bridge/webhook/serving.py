"""Runs the webhook: creates its parts, starts its two listeners, and waits for the API server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from gcp_aws_bridge._cache.clock import REAL, World, backoff_s
from gcp_aws_bridge.exceptions import BridgeError
from gcp_aws_bridge.inject import Settings
from gcp_aws_bridge.server.asgi import application, without_tracebacks
from gcp_aws_bridge.server.bodies import BodyProtocol
from gcp_aws_bridge.server.running import Address, Listener, running
from gcp_aws_bridge.server.status import pages
from gcp_aws_bridge.webhook.accounts import Accounts
from gcp_aws_bridge.webhook.application import Webhook
from gcp_aws_bridge.webhook.certificate import Certificate
from gcp_aws_bridge.webhook.cluster import Cluster, configuration
from gcp_aws_bridge.webhook.metrics import Metrics

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_log = logging.getLogger("gcp_aws_bridge")


@contextlib.contextmanager
def serving(
    certificate: Certificate,
    settings: Settings,
    native_sidecars: bool | None,
    address: Address,
    status_address: Address,
) -> Iterator[list[str]]:
    """Answer the API server, in a thread, until the block ends.

    Args:
        certificate: Certificate of the webhook.
        settings: Settings of the cluster.
        native_sidecars: Whether the cluster supports native sidecars. None: decide by its version.
        address: Where to answer the API server.
        status_address: Where to serve health and metrics.

    Yields:
        The URLs of both addresses.

    Raises:
        ConfigError: There is no configuration for the cluster, or an address cannot be listened on.
    """
    metrics = Metrics(lambda: certificate.expires)
    cluster = Cluster(configuration(), metrics.read)
    accounts = Accounts(cluster.annotations, settings.prefixes, REAL.monotonic)
    webhook = Webhook(accounts, metrics.answered, REAL.monotonic)
    status = pages("waiting for", webhook.waiting_for, metrics.text)

    def settings_for(found: bool) -> Settings:
        native = found if native_sidecars is None else native_sidecars
        return replace(settings, native_sidecars=native)

    async def connected() -> None:
        try:
            await start(webhook, cluster.native_sidecars_and_version, settings_for)
            await asyncio.Event().wait()
        finally:
            await cluster.close()

    with running(
        Listener(address, without_tracebacks(webhook), certificate.tls, BodyProtocol),
        Listener(status_address, application(status, log_all=False)),
        beside=connected,
    ) as urls:
        yield urls


async def start(
    webhook: Webhook,
    ask: Callable[[], Awaitable[tuple[bool, str]]],
    settings_for: Callable[[bool], Settings],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    world: World = REAL,
) -> None:
    """Set the settings of *webhook* once *ask* succeeds.

    Args:
        webhook: The application.
        ask: Returns whether the cluster supports native sidecars, and its version.
        settings_for: Returns the settings, given whether the cluster supports native sidecars.
        pause: Sleeps for a number of seconds.
        world: Source of the random part of each pause.
    """
    failures, problem = 0, ""
    while webhook.settings is None:
        try:
            native, version = await ask()
        except BridgeError as error:
            if str(error) != problem:
                problem = str(error)
                _log.warning("Not ready: %s", problem)
            failures += 1
            base_s, cap_s = _FIRST_PAUSE_S, _LONGEST_PAUSE_S
            await pause(backoff_s(failures, base_s=base_s, cap_s=cap_s, jitter=world.jitter()))
            continue
        webhook.settings = settings_for(native)
        kind = "native sidecars" if webhook.settings.native_sidecars else "ordinary containers"
        _log.info("Ready: the API server is Kubernetes %s; sidecars are %s", version, kind)
