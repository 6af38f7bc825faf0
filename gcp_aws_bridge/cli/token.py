"""`gcp-aws-bridge token`: print the Google ID token, or keep it fresh in a file.

AWS SDKs make the exchange themselves: with `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`, they
read the token from the file for each exchange, and repeat the exchange before the credentials
expire.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge._cache.logger import log
from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._signals import stop_requested
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._tokens.id_token import IdToken

# Minimum pause before the next token, which is requested after half of the remaining lifetime: the
# metadata server caches tokens until about five minutes before they expire (Compute Engine, "Verify
# VM identity").
_SOONEST_S = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print a Google ID token, or keep one fresh in a file that AWS SDKs read: set "
        "AWS_WEB_IDENTITY_TOKEN_FILE to it, and AWS_ROLE_ARN to the role."
    )
    parser.add_argument(
        "--audience",
        help="audience of the token (default: GCP_AWS_BRIDGE_AUDIENCE, GCP_OAUTH_AUD, "
        "or sts.amazonaws.com)",
    )
    _role_options.add_source(parser)
    parser.add_argument(
        "--file", metavar="F", help="write the token to this file, readable by this user only"
    )
    parser.add_argument(
        "--watch", action="store_true", help="keep the file fresh until Ctrl-C or SIGTERM"
    )


def run(options: argparse.Namespace) -> int:
    """Print the token, or write it once or until the process is stopped."""
    from gcp_aws_bridge._cache.clock import REAL

    if options.watch and not options.file:
        print("gcp-aws-bridge token: --watch needs --file", file=sys.stderr)
        return 2
    keeper = _Keeper(options, REAL)
    token = keeper.get()
    if not options.file:
        print(token.raw)
        return 0
    keeper.write(token)
    if options.watch:
        # SIGTERM does not end the first process of a container unless it has a handler.
        with stop_requested() as stop:
            keeper.watch(token, stop.wait)
    return 0


class _Keeper:
    """Gets tokens, and keeps a file with them fresh."""

    def __init__(self, options: argparse.Namespace, world: World) -> None:
        import os

        from gcp_aws_bridge._tokens.default import for_audience
        from gcp_aws_bridge.config import DEFAULT_AUDIENCE

        environ = os.environ
        self._audience = (
            options.audience
            or environ.get("GCP_AWS_BRIDGE_AUDIENCE")
            or environ.get("GCP_OAUTH_AUD")
            or DEFAULT_AUDIENCE
        )
        self._file = options.file
        self._world = world
        self._source = for_audience(_role_options.source_of(options), self._audience, world)

    def get(self) -> IdToken:
        """Return a token that has been checked.

        Raises:
            BridgeError: There is no token, or it is not valid.
        """
        from gcp_aws_bridge._tokens import id_token

        token = id_token.parse(self._source(), origin="The token source")
        id_token.check(
            token, audience=self._audience, now=self._world.clock(), origin="The token source"
        )
        return token

    def write(self, token: IdToken) -> None:
        """Write *token* to the file.

        Raises:
            ConfigError: The file cannot be written.
        """
        try:
            private_file.replace(self._file, token.raw)
        except OSError as error:
            raise ConfigError(
                f"The token file {quoted(self._file)} cannot be written: {error.strerror}.",
                fix=f"use --file {private_file.WANTED}.",
                error_id="config/token-file",
            ) from None
        log.info("token for %s until %s", self._audience, token.expiration.isoformat())

    def watch(self, token: IdToken, wait: Callable[[float], bool]) -> None:
        """Replace the file before its token expires, until *wait* returns True."""
        from gcp_aws_bridge._cache.policy import POLICY, Failure

        failure: Failure | None = None
        world = self._world
        left_s = self._left_s(token)
        while not wait(failure.pause_s if failure else max(_SOONEST_S, left_s / 2)):
            try:
                token = self.get()
                self.write(token)
                failure, left_s = None, self._left_s(token)
            except BridgeError as error:  # noqa: PERF203 - one iteration in half an hour
                left_s = self._left_s(token)
                failure = POLICY.fail(
                    error, failure, world.monotonic(), world.jitter(), remaining_s=left_s
                )
                log.warning("%s Next try in %.0f s.", error, failure.pause_s)

    def _left_s(self, token: IdToken) -> float:
        return (token.expiration - self._world.clock()).total_seconds()
