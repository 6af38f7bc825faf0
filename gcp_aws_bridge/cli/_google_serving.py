"""What `google-serve` and `google-exec` share: the account behind the server, and its variables."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli import _google_options

if TYPE_CHECKING:
    from gcp_aws_bridge.server.metadata import Account


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which identity SDKs are to find."""
    _google_options.add_tokens(parser)
    parser.add_argument(
        "--project-id",
        metavar="ID",
        help="what SDKs find as the project (default: the service account's, else the pool's by "
        "number)",
    )


def account_of(options: argparse.Namespace) -> Account:
    """Whom SDKs are told that this machine is.

    Raises:
        ConfigError: No provider is configured, or a setting is malformed.
    """
    from gcp_aws_bridge.policy.names import project_of
    from gcp_aws_bridge.server.metadata import Account

    identity = _google_options.identity_of(options)
    federation = identity.federation
    email = federation.service_account
    # projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER
    number, _, _, _, pool, *_ = federation.audience.partition("projects/")[2].split("/")
    return Account(
        # GKE's server has its workload pool's name there for an identity without an e-mail; so
        # Google names other pools ("Managed workload identities": trust domain).
        email=email or f"{pool}.global.{number}.workload.id.goog",
        scopes=_google_options.scopes_of(options),
        project_id=options.project_id or project_of(email or "") or number,
        project_number=number,
        universe_domain=federation.universe_domain,
        access=identity.access,
        id_token=identity.id_token if email else None,
    )


def variables(url: str) -> dict[str, str]:
    """Where SDKs look for the server: most know the first; older ones, gcloud and C++ the last."""
    at = url.partition("//")[2]
    # Python's and JavaScript's ping the second, which is an address for the others.
    return {"GCE_METADATA_HOST": at, "GCE_METADATA_IP": at, "GCE_METADATA_ROOT": at}
