"""`gcp-aws-bridge google-token`: print a Google token for this machine's AWS identity.

With `--executable`, it prints the subject token for Google's auth libraries: AIP-4117,
"Executable-sourced credentials". It then reads `GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys

from gcp_aws_bridge.cli import _google_options
from gcp_aws_bridge.exceptions import BridgeError, ConfigError

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print a Google access token, as gcloud auth print-access-token does, or an ID token. It "
        "is valid for an hour at most, and not refreshed."
    )
    _google_options.add_tokens(parser)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--id-token",
        metavar="AUDIENCE",
        help="print an ID token of the service account, for this audience",
    )
    kinds.add_argument(
        "--executable",
        action="store_true",
        help="print the subject token instead of a Google token, as JSON, for the credential "
        "configuration of an SDK (written by google-config); with --source outbound or token-file, "
        "because the protocol does not support signed requests",
    )


def run(options: argparse.Namespace) -> int:
    """Print the token."""
    if options.executable:
        print(json.dumps(_response(options)))
        return 0
    identity = _google_options.identity_of(options)
    if options.id_token is None:
        print(identity.access(_google_options.scopes_of(options)).get().token)
        return 0
    if not options.id_token or identity.federation.service_account is None:
        print("gcp-aws-bridge google-token: --id-token needs --service-account", file=sys.stderr)
        return 2
    print(identity.id_token(options.id_token).get().token)
    return 0


def _response(options: argparse.Namespace) -> dict[str, Any]:
    """Return the answer of the protocol for a token or an error, whose message clients show.

    Clients read standard error as part of the answer, so nothing may be written to it.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return {"version": 1, "success": True, **_subject_token(options)}
        except BridgeError as error:
            return {
                "version": 1,
                "success": False,
                "code": error.error_id,
                "message": str(error),
            }


def _subject_token(options: argparse.Namespace) -> dict[str, Any]:
    from gcp_aws_bridge._tokens import id_token as _id_token
    from gcp_aws_bridge.google._subject_tokens import SignedRequest

    options.audience = options.audience or os.environ.get("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE")
    # The client has read its configuration and passes on only the audience.
    domain = (options.audience or "").partition("//iam.")[2].partition("/")[0]
    federation, _ = _google_options.federation_of(options, universe_domain=domain or None)
    source = _google_options.source_of(options, federation, {})
    if isinstance(source, SignedRequest):
        raise ConfigError(
            "An executable returns an OIDC token or a SAML response; a signed request to AWS is "
            "neither.",
            fix="for an OIDC provider, use --source outbound or token-file; for an AWS provider, "
            "write the file with google-config --source signed-request, or use google-exec.",
            error_id="config/google-executable",
        )
    found = source(federation.audience)
    ends = _id_token.parse(found.value, origin="The token source").expiration
    return {
        "token_type": found.type,
        "id_token": found.value,
        "expiration_time": int(ends.timestamp()),
    }
