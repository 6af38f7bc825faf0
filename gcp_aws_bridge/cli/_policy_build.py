"""`trust-policy build`: the policy that options, a token or annotations describe."""

from __future__ import annotations

from gcp_aws_bridge.cli._policy_inputs import account_of, claims_in
from gcp_aws_bridge.cli._request_options import option, request_of, without_chained

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    import argparse
    from typing import Any

_OF_TOKENS = ("service_account", "key_file", "issuer", "subject", "audience")
# Options whose values come from the annotations.
_OF_ANNOTATIONS = ("key_file", "subject", "audience", "account_id", "token_file")


def document_for(options: argparse.Namespace) -> dict[str, Any]:
    """Return the policy that the options describe.

    Raises:
        ConfigError: An input is not valid, or something is missing.
    """
    from gcp_aws_bridge import policy
    from gcp_aws_bridge.config import DEFAULT_AUDIENCE

    if options.chained is not None:
        return policy.build_chained(request_of(options, options.chained))
    if options.from_annotations is not None:
        from gcp_aws_bridge.cli import _policy_annotations

        return _policy_annotations.document_for(options)
    account = {"account_id": options.account_id, "partition": options.partition}
    if options.token_file is not None:
        statement = policy.statement_for(claims_in(options.token_file), **account)
        return policy.policy_of(statement)
    return policy.build(
        audience=DEFAULT_AUDIENCE if options.audience is None else options.audience,
        service_accounts=options.service_account,
        key_file_emails=dict(map(account_of, options.key_file)),
        issuer=options.issuer,
        subjects=options.subject,
        **account,
    )


def contradiction(options: argparse.Namespace) -> str:
    """Return which options exclude each other."""
    of_tokens = any(getattr(options, name) for name in _OF_TOKENS)
    annotated = options.from_annotations is not None
    if annotated and any(getattr(options, name) for name in _OF_ANNOTATIONS):
        replaced = ", ".join(map(option, _OF_ANNOTATIONS))
        return f"the annotations of --from-annotations replace these options: {replaced}"
    if options.annotation_prefix and not annotated:
        return "--annotation-prefix needs --from-annotations"
    if options.token_file is not None and of_tokens:
        replaced = ", ".join(map(option, _OF_TOKENS))
        return f"the token of --token-file replaces these options: {replaced}"
    if options.chained is not None and (of_tokens or annotated or options.token_file is not None):
        return "--chained is for a role that admits another role, and no token"
    return without_chained(options)
