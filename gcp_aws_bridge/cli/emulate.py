"""`gcp-aws-bridge emulate`: serve the emulated clouds until interrupted.

Prints the environment that a program needs to meet them, then serves. Imports the emulator, and
with it cryptography, only when it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli._shells import SHELLS, default_shell
from gcp_aws_bridge.cli._signals import told_to_stop

if TYPE_CHECKING:
    from gcp_aws_bridge.emulator import Emulator

__all__ = ["HELP", "configure", "run"]

HELP = "run both clouds emulated, for tests and trying out"

_DEFAULT_ROLE = "arn:aws:iam::123456789012:role/etl"
_PERSON, _LOGIN = "dev@example.com", timedelta(hours=12)
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
        "--chain",
        action="append",
        default=[],
        metavar="ARN",
        help="a role behind those: the first one may assume it, and so may those named before it; "
        "may be repeated",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--laptop",
        metavar="FOLDER",
        help="print the environment of a machine in neither cloud: application-default credentials "
        "in FOLDER impersonate the service account",
    )
    where.add_argument(
        "--on-aws",
        metavar="FOLDER",
        help="the other direction: print the environment of a program on EC2 that has the first "
        "role, and write the credential configuration of Google's libraries to FOLDER",
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
        policy = cloud.trust_policy_for_service("ec2.amazonaws.com") if args.on_aws else None
        for arn in roles:
            cloud.add_role(arn, policy, audience=args.audience)
        _add_chain(cloud, roles[0], args.chain)
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        cloud.start()
    except (OSError, OverflowError) as error:
        return _fail(f"cannot serve the ports asked for: {error}", 1)
    try:
        with told_to_stop() as stop:
            if args.on_aws:
                environ, who = _on_aws(cloud, roles[0], Path(args.on_aws))
            elif args.laptop:
                environ, who = _on_laptop(cloud, roles, args.audience, Path(args.laptop))
            else:
                environ, who = _in_gke(cloud, roles, args.audience)
            print(SHELLS[args.shell](environ), flush=True)
            behind = f"\nBehind {roles[0]}: {', '.join(args.chain)}." if args.chain else ""
            _hint(f"{who}{behind}\nSet the variables above in another terminal. Ctrl-C stops.")
            # Not `stop.wait()`: on Windows, Ctrl-C does not interrupt a wait without an end.
            while not stop.wait(0.5):
                pass
    except KeyboardInterrupt:
        pass
    finally:
        cloud.stop()
    return 0


def _add_chain(cloud: Emulator, first: str, chain: list[str]) -> None:
    """Add the roles of *chain*, each for the roles before it.

    Raises:
        ValueError: One of them is no ARN of a role.
    """
    before = [first]
    for arn in chain:
        statement = {"Effect": "Allow", "Principal": {"AWS": before}, "Action": "sts:AssumeRole"}
        cloud.add_role(arn, {"Version": "2012-10-17", "Statement": [statement]})
        for earlier in before:  # of another account: AWS asks for its permission, too
            cloud.allow(earlier, "sts:AssumeRole", on=arn)
        before = [*before, arn]


def _in_gke(cloud: Emulator, roles: list[str], audience: str) -> tuple[dict[str, str], str]:
    """Return the environment of the pod, and what to say of it."""
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

    They are of the kind that names where the service account is impersonated: the addresses for
    a person's own login are fixed in Google's libraries.
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
    """Let a role act as the service account; return its environment, and what to say of it."""
    provider = cloud.add_aws_provider(role.split(":")[4])
    session = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    name = f"{session.partition('/')[0]}/{role.rpartition('/')[2]}"  # a path is not in it
    email = cloud.service_account.email
    cloud.add_google_service_account(email, [provider.principal_set("attribute.aws_role", name)])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "credential-configuration.json"
    path.write_text(json.dumps(cloud.external_account(provider, email), indent=2), "utf-8")
    found = {
        **cloud.ec2_environ(role),
        "GOOGLE_APPLICATION_CREDENTIALS": str(path.resolve()),
        # Else google-auth asks Cloud Resource Manager, which is not emulated.
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
