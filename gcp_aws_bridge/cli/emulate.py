"""`gcp-aws-bridge emulate`: serve the emulated clouds until interrupted.

Prints the environment that a program needs to meet them, then serves. Imports the emulator, and
with it cryptography, only when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from gcp_aws_bridge.cli._shells import SHELLS, default_shell
from gcp_aws_bridge.cli._signals import told_to_stop

__all__ = ["HELP", "configure", "run"]

HELP = "run an emulated GKE metadata server and AWS STS for tests and trying out"

_DEFAULT_ROLE = "arn:aws:iam::123456789012:role/etl"
_DEFAULT_AUDIENCE = "sts.amazonaws.com"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--metadata-port", type=int, default=0, metavar="PORT", help="default: any free port"
    )
    parser.add_argument(
        "--sts-port", type=int, default=0, metavar="PORT", help="default: any free port"
    )
    parser.add_argument(
        "--role",
        action="append",
        metavar="ARN",
        help=f"a role that the pod may assume; may be repeated (default: {_DEFAULT_ROLE})",
    )
    parser.add_argument(
        "--audience",
        default=_DEFAULT_AUDIENCE,
        help="audience that the roles' trust policies want (default: %(default)s)",
    )
    parser.add_argument(
        "--service-account",
        metavar="EMAIL",
        help="the pod's Google service account, NAME@PROJECT.iam.gserviceaccount.com",
    )
    parser.add_argument(
        "--shell",
        choices=sorted(SHELLS),
        default=default_shell(),
        help="form of the environment on standard output (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Returns:
        0 when it was told to stop; 1 when a port is taken; 2 for a value that cannot be.
    """
    from gcp_aws_bridge.emulator import Emulator, ServiceAccount

    roles = args.role or [_DEFAULT_ROLE]
    try:
        named = args.service_account
        account = None if named is None else ServiceAccount.named(named)
        cloud = Emulator(
            service_account=account, metadata_port=args.metadata_port, sts_port=args.sts_port
        )
        for arn in roles:
            cloud.add_role(arn, audience=args.audience)
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        cloud.start()
    except (OSError, OverflowError) as error:
        return _fail(f"cannot serve the ports asked for: {error}", 1)
    try:
        with told_to_stop() as stop:
            print(
                SHELLS[args.shell](_environment(cloud.environ, roles[0], args.audience)), flush=True
            )
            _hint(
                f"Metadata server: {cloud.metadata.url}   AWS STS: {cloud.sts.url}\n"
                f"{cloud.service_account.email} may assume {', '.join(roles)} "
                f"with a token for {args.audience}.\n"
                "Set the variables above in another terminal. Ctrl-C stops."
            )
            # Not `stop.wait()`: on Windows, Ctrl-C does not interrupt a wait without an end.
            while not stop.wait(0.5):
                pass
    except KeyboardInterrupt:
        pass
    finally:
        cloud.stop()
    return 0


def _environment(emulated: Mapping[str, str], role: str, audience: str) -> dict[str, str]:
    found = {
        **emulated,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",  # the only one that boto3 reads
        "AWS_ROLE_ARN": role,
        "GCP_AWS_BRIDGE_ROLE_ARN": role,
    }
    if audience != _DEFAULT_AUDIENCE:
        found["GCP_AWS_BRIDGE_AUDIENCE"] = audience
    return found


def _hint(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str, status: int) -> int:
    _hint(f"gcp-aws-bridge emulate: {text}")
    return status
