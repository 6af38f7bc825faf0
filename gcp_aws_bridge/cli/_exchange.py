"""The exchange of a short-lived command, which processes with the same request share."""

from __future__ import annotations

import argparse

from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.file_cache import FileCache
from gcp_aws_bridge._cache.policy import POLICY, Instant, Kept
from gcp_aws_bridge._cache.state import Credentials, credentials_of
from gcp_aws_bridge._sts import persistence
from gcp_aws_bridge.cli import _role_options

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    pass

# With valid credentials, a command does not wait longer for STS.
_WAIT_WHILE_VALID_S = 3.0


def exchange(
    options: argparse.Namespace, cache: FileCache, key: str, world: World
) -> dict[str, str]:
    """Return credentials that are fresh, or still valid if the exchange fails.

    Raises:
        BridgeError: The exchange failed, and there are no valid credentials.
    """
    at_least_s = options.at_least
    valid = _valid(cache, key, world, at_least_s)
    with cache.lock(key, wait_s=0 if valid else POLICY.wait_s) as alone:
        memory = persistence.load(cache.read(key) or {}, world)
        now = Instant(world.clock(), world.monotonic())
        if credentials_of(memory.kept, now, at_least_s=at_least_s) is Credentials.FRESH:
            assert memory.kept is not None  # noqa: S101 - for the type checker
            return persistence.aws_json(memory.kept.credentials)  # of another process
        failure, now_s = memory.failure, world.monotonic()
        if valid and (not alone or (failure and now_s < failure.retry_at_s)):
            return persistence.aws_json(valid.credentials)
        if not valid and failure and now_s < failure.remembered_until_s:
            raise failure.error
        credentials = _role_options.cache_of(options, options.role_arn, world)
        credentials.recall(memory)
        try:
            credentials.refresh(within_s=_WAIT_WHILE_VALID_S)
            return persistence.aws_json(credentials.get(at_least_s))
        finally:
            cache.write(key, persistence.dump(credentials.memory, world))


def _valid(cache: FileCache, key: str, world: World, at_least_s: float) -> Kept | None:
    kept = persistence.load(cache.read(key) or {}, world).kept
    now = Instant(world.clock(), world.monotonic())
    return None if credentials_of(kept, now, POLICY, at_least_s) is Credentials.NONE else kept
