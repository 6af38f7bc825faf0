"""`gcp-aws-bridge token`: the Google ID token itself, for whoever does the exchange on their own.

Every AWS SDK does: with `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN` it reads the token from
the file at each exchange, and exchanges again ahead of expiry.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache import private_file
from gcp_aws_bridge.cli import _role_options
from gcp_aws_bridge.cli._signals import told_to_stop
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._tokens.id_token import IdToken

_log = logging.getLogger("gcp_aws_bridge")
# Asked again after half of what is left of it, and no sooner: the metadata server caches tokens
# until about five minutes before their end (Compute Engine, "Verify VM identity").
_SOONEST_S = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print a Google ID token, or keep one fresh in a file that AWS SDKs read: set "
        "AWS_WEB_IDENTITY_TOKEN_FILE to it, and AWS_ROLE_ARN to the role."
    )
    parser.add_argument(
        "--audience",
        help="what it is asked for (default: GCP_AWS_BRIDGE_AUDIENCE, GCP_OAUTH_AUD, "
        "or sts.amazonaws.com)",
    )
    _role_options.add_source(parser)
    parser.add_argument(
        "--file", metavar="F", help="write it there, for this user alone, in place of printing it"
    )
    parser.add_argument(
        "--watch", action="store_true", help="go on replacing the file, until Ctrl-C or SIGTERM"
    )


def run(options: argparse.Namespace) -> int:
    """Print, write, or go on writing."""
    from gcp_aws_bridge._cache.clock import REAL

    if options.watch and not options.file:
        print("gcp-aws-bridge token: --watch needs --file", file=sys.stderr)
        return 2
    keeper = _Keeper(options, REAL)
    token = keeper.ask()
    if not options.file:
        print(token.raw)
        return 0
    keeper.write(token)
    if options.watch:
        # A container's first process is not ended by SIGTERM unless it says so.
        with told_to_stop() as stop:
            keeper.watch(token, stop.wait)
    return 0


class _Keeper:
    """Asks for tokens and puts them where they belong."""

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

    def ask(self) -> IdToken:
        """A token that is worth sending.

        Raises:
            BridgeError: There is none.
        """
        from gcp_aws_bridge._tokens import id_token

        token = id_token.parse(self._source(), origin="The token source")
        id_token.check(
            token, audience=self._audience, now=self._world.clock(), origin="The token source"
        )
        return token

    def write(self, token: IdToken) -> None:
        """Put *token* into the file.

        Raises:
            ConfigError: It cannot be written.
        """
        try:
            private_file.replace(self._file, token.raw)
        except OSError as error:
            raise ConfigError(
                f"The token file {quoted(self._file)} cannot be written: {error.strerror}.",
                fix=f"give --file {private_file.WANTED}.",
                error_id="config/token-file",
            ) from None
        _log.info("token for %s until %s", self._audience, token.expiration.isoformat())

    def watch(self, token: IdToken, wait: Callable[[float], bool]) -> None:
        """Replace the file ahead of its token's end, until *wait* says to stop."""
        from gcp_aws_bridge._cache.policy import POLICY, Failure

        failure: Failure | None = None
        world = self._world
        left_s = self._left_s(token)
        while not wait(failure.pause_s if failure else max(_SOONEST_S, left_s / 2)):
            try:
                token = self.ask()
                self.write(token)
                failure, left_s = None, self._left_s(token)
            except BridgeError as error:  # noqa: PERF203 - one turn in half an hour
                left_s = self._left_s(token)
                failure = POLICY.fail(
                    error, failure, world.monotonic(), world.jitter(), remaining_s=left_s
                )
                _log.warning("%s Next try in %.0f s.", error, failure.pause_s)

    def _left_s(self, token: IdToken) -> float:
        return (token.expiration - self._world.clock()).total_seconds()
