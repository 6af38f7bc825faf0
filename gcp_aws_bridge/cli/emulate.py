"""`gcp-aws-bridge emulate`: serve the emulated clouds until interrupted.

Prints the environment that programs need to use them, then serves. Imports the emulator, and with
it cryptography, only when it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli._shells import SHELLS, default_shell
from gcp_aws_bridge.cli._signals import stop_requested, wait_for

if TYPE_CHECKING:
    from gcp_aws_bridge.emulator import Emulator

_DEFAULT_ROLE = "arn:aws:iam::123456789012:role/etl"
_PERSON, _LOGIN = "dev@example.com", timedelta(hours=12)
_DEFAULT_AUDIENCE = "sts.amazonaws.com"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--metadata-port", type=int, default=0, metavar="PORT", help="default: any free port"
    )
    parser.add_argument(
        "--sts-port", type=int, default=0, metavar="PORT", help="default: any free port"
    )
    parser.add_argument(
        "--host",
        choices=["127.0.0.1", "::1"],
        help="default: 127.0.0.1, or ::1 on a machine without IPv4",
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
        help="audience that the roles' trust policies require (default: %(default)s)",
    )
    parser.add_argument(
        "--service-account",
        metavar="EMAIL",
        help="the pod's Google service account, NAME@PROJECT.iam.gserviceaccount.com",
    )
    parser.add_argument(
        "--chain",
        action="append",
        default=[],
        metavar="ARN",
        help="a chained role, which the first role and the chained roles before it may assume; may "
        "be repeated",
    )
    _add_environment(parser)


def _add_environment(parser: argparse.ArgumentParser) -> None:
    """Declare where the printed environment is for, and its format."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--laptop",
        metavar="FOLDER",
        help="print the environment of a machine outside both clouds, whose application-default "
        "credentials in FOLDER impersonate the service account",
    )
    where.add_argument(
        "--on-aws",
        metavar="FOLDER",
        help="the other direction: print the environment of a program on EC2 with the first role, "
        "and write the credential configuration for Google's libraries to FOLDER",
    )
    parser.add_argument(
        "--shell",
        choices=sorted(SHELLS),
        default=default_shell(),
        help="format of the environment on standard output (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Returns:
        0 when it was stopped; 1 if a port is taken; 2 for an invalid value.
    """
    from gcp_aws_bridge.emulator import Emulator, ServiceAccount

    roles = args.role or [_DEFAULT_ROLE]
    try:
        named = args.service_account
        account = None if named is None else ServiceAccount.named(named)
        cloud = Emulator(
            service_account=account,
            metadata_port=args.metadata_port,
            sts_port=args.sts_port,
            host=args.host,
        )
        policy = cloud.trust_policy_for_service("ec2.amazonaws.com") if args.on_aws else None
        for arn in roles:
            cloud.add_role(arn, policy, audience=args.audience)
        _add_chain(cloud, roles[0], args.chain)
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        cloud.start()
    except (OSError, OverflowError) as error:
        return _fail(f"cannot serve the requested ports: {error}", 1)
    try:
        with stop_requested() as stop:
            if args.on_aws:
                environ, who = _on_aws(cloud, roles[0], Path(args.on_aws))
            elif args.laptop:
                environ, who = _on_laptop(cloud, roles, args.audience, Path(args.laptop))
            else:
                environ, who = _in_gke(cloud, roles, args.audience)
            print(SHELLS[args.shell](environ), flush=True)
            chained = f"\nChained after {roles[0]}: {', '.join(args.chain)}." if args.chain else ""
            _hint(f"{who}{chained}\nSet the variables above in another terminal. Ctrl-C stops.")
            wait_for(stop)
    except KeyboardInterrupt:
        pass
    finally:
        cloud.stop()
    return 0


def _add_chain(cloud: Emulator, first: str, chain: list[str]) -> None:
    """Add the roles of *chain*, each of which trusts the roles before it.

    Raises:
        ValueError: One of them is not the ARN of a role.
    """
    before = [first]
    for arn in chain:
        statement = {"Effect": "Allow", "Principal": {"AWS": before}, "Action": "sts:AssumeRole"}
        cloud.add_role(arn, {"Version": "2012-10-17", "Statement": [statement]})
        for earlier in before:  # across accounts, AWS also requires this permission
            cloud.allow(earlier, "sts:AssumeRole", on=arn)
        before = [*before, arn]


def _in_gke(cloud: Emulator, roles: list[str], audience: str) -> tuple[dict[str, str], str]:
    """Return the environment of the pod, and its description."""
    found = {
        **cloud.environ,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",  # the only one that boto3 reads
        "AWS_ROLE_ARN": roles[0],
        "GCP_AWS_BRIDGE_ROLE_ARN": roles[0],
    }
    if audience != _DEFAULT_AUDIENCE:
        found["GCP_AWS_BRIDGE_AUDIENCE"] = audience
    return found, (
        f"Metadata server: {cloud.metadata.url}   AWS STS: {cloud.sts.url}\n"
        f"{cloud.service_account.email} may assume {', '.join(roles)} with a token for {audience}."
    )


def _on_laptop(
    cloud: Emulator, roles: list[str], audience: str, folder: Path
) -> tuple[dict[str, str], str]:
    """Return the environment of a machine that only has application-default credentials.

    The credentials are an external account, which contains the URL for impersonation: for the login
    of a user, the URLs are constants in Google's libraries.
    """
    found, who = _in_gke(cloud, roles, audience)
    provider = cloud.add_google_provider_for_oidc("https://login.example.com", pool="people")
    email = cloud.service_account.email
    cloud.add_google_service_account(email, [provider.principal(_PERSON)])
    ends = int((cloud.clock() + _LOGIN).timestamp())
    folder.mkdir(parents=True, exist_ok=True)
    login = (folder / "login").resolve()
    login.write_text(provider.mint(_PERSON, exp=ends), "utf-8")
    file = cloud.external_account(provider, email, source="file", file=login)
    path = folder / "application_default_credentials.json"
    path.write_text(json.dumps(file, indent=2), "utf-8")
    for name in [name for name in found if name.startswith("GCE_METADATA_")]:
        del found[name]
    found["GOOGLE_APPLICATION_CREDENTIALS"] = str(path.resolve())
    found["GOOGLE_CLOUD_PROJECT"] = cloud.service_account.project_id
    return found, f"{_PERSON} may act as {email}.\n{who}"


def _on_aws(cloud: Emulator, role: str, folder: Path) -> tuple[dict[str, str], str]:
    """Let a role act as the service account; return its environment, and its description."""
    provider = cloud.add_aws_provider(role.split(":")[4])
    session = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    name = f"{session.partition('/')[0]}/{role.rpartition('/')[2]}"  # without the path
    email = cloud.service_account.email
    cloud.add_google_service_account(email, [provider.principal_set("attribute.aws_role", name)])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "credential-configuration.json"
    path.write_text(json.dumps(cloud.external_account(provider, email), indent=2), "utf-8")
    found = {
        **cloud.ec2_environ(role),
        "GOOGLE_APPLICATION_CREDENTIALS": str(path.resolve()),
        # Otherwise google-auth queries Cloud Resource Manager, which is not emulated.
        "GOOGLE_CLOUD_PROJECT": cloud.service_account.project_id,
    }
    return found, (
        f"EC2 metadata service: {cloud.imds.url}   Google STS: {cloud.google_sts.url}\n"
        f"{role} may act as {email}."
    )


def _hint(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str, status: int) -> int:
    _hint(f"gcp-aws-bridge emulate: {text}")
    return status
