"""`gcp-aws-bridge google-serve`: a metadata server on loopback, for Google's SDKs."""

from __future__ import annotations

import argparse

from gcp_aws_bridge.cli import _google_options
from gcp_aws_bridge.cli._serving import LOOPBACK, add_listen, announce, hint, need_extra, served
from gcp_aws_bridge.cli._signals import wait_for

_PORT = 9913


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Serve Google tokens for this machine's AWS identity to every Google Cloud SDK in this "
        "pod, with the protocol of Google's metadata server. Prints the variables that a client "
        f"needs. Listens on {LOOPBACK}, only: every client that can connect gets the tokens."
    )
    _google_options.add_server(parser)
    add_listen(parser, _PORT)
    parser.set_defaults(host=None)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    need_extra()
    from gcp_aws_bridge.server.metadata import metadata

    account = _google_options.account_of(options)
    caches = {account.email: account.access(account.scopes)}
    with served(options, metadata(account), caches) as (stop, urls):
        announce(options, _google_options.server_variables(urls[0]))
        hint(f"Serving {account.email}; set the variables above for a client.", urls)
        wait_for(stop)
    return 0
