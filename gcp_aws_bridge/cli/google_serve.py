"""`gcp-aws-bridge google-serve`: a metadata server on loopback, for every SDK of Google's."""

from __future__ import annotations

import argparse

from gcp_aws_bridge.cli import _google_serving
from gcp_aws_bridge.cli._serving import add_status, announce, hint, need_extra, served

_PORT = 9913


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Serve Google's tokens to every Google Cloud SDK in this pod, as Google's metadata server "
        "does, from this machine's AWS identity. Prints the variables that a client needs. "
        "Listens on 127.0.0.1 alone: whoever reaches it may have the tokens."
    )
    _google_serving.add_options(parser)
    listen = parser.add_argument_group("where")
    listen.add_argument(
        "--port", type=int, default=_PORT, help="0: any free one (default: %(default)s)"
    )
    add_status(listen)
    parser.set_defaults(host="127.0.0.1")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    need_extra()
    from gcp_aws_bridge.server.metadata import metadata

    account = _google_serving.account_of(options)
    caches = {account.email: account.access(account.scopes)}
    with served(options, metadata(account), caches) as (stop, urls):
        announce(options, _google_serving.variables(urls[0]))
        hint(f"Serving {account.email}; set the variables above for a client.", urls)
        while not stop.wait(0.5):  # not one long wait: on Windows, Ctrl-C does not interrupt it
            pass
    return 0
