"""Options for the request for a chained role, and the request that they describe."""

from __future__ import annotations

import argparse

from gcp_aws_bridge.cli._chain_options import tag

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from gcp_aws_bridge.policy import AssumeRoleRequest

_NAMES = (
    "external_id",
    "tag",
    "transitive_tag_key",
    "inherited_tag",
    "source_identity",
    "role_session_name",
)


def add_request(parser: argparse._ActionsContainer) -> None:
    """Declare the parameters of the request for a chained role."""
    group = parser.add_argument_group(
        "request for a chained role",
        "The parameters of ChainedRole. The value * of a tag or source identity means any value.",
    )
    group.add_argument(
        "--external-id", metavar="ID", help="external ID, one for each customer of a vendor"
    )
    group.add_argument(
        "--tag",
        metavar="KEY=VALUE",
        type=tag,
        action="append",
        default=[],
        help="session tag that is passed; may be repeated",
    )
    group.add_argument(
        "--transitive-tag-key",
        metavar="KEY",
        action="append",
        default=[],
        help="key of a tag that later roles of the chain inherit; may be repeated",
    )
    group.add_argument(
        "--inherited-tag",
        metavar="KEY=VALUE",
        type=tag,
        action="append",
        default=[],
        help="transitive tag of the session of the role before; may be repeated",
    )
    group.add_argument(
        "--source-identity",
        metavar="NAME",
        help="source identity that is set or inherited",
    )


def request_of(options: argparse.Namespace, caller: str) -> AssumeRoleRequest:
    """Return the request of the role *caller* for a chained role.

    Raises:
        ConfigError: STS would reject it.
    """
    from gcp_aws_bridge import policy

    return policy.AssumeRoleRequest(
        caller=caller,
        external_id=options.external_id,
        tags=_tags_of(options.tag),
        transitive_tag_keys=options.transitive_tag_key,
        source_identity=options.source_identity,
        role_session_name=getattr(options, "role_session_name", None),
        inherited_tags=_tags_of(options.inherited_tag),
    )


def _tags_of(pairs: list[tuple[str, str]]) -> dict[str, str]:
    from gcp_aws_bridge.exceptions import ConfigError, quoted

    found = dict(pairs)
    if len(found) < len(pairs):
        raise ConfigError(
            f"A tag is given twice: {quoted(', '.join(key for key, _ in pairs))}.",
            fix="give each key once.",
            error_id="config/tags",
        )
    return found


def without_chained(options: argparse.Namespace) -> str:
    """Return which options need `--chained`, which is missing; otherwise empty."""
    given = [name for name in _NAMES if getattr(options, name, None)]
    if options.chained is not None or not given:
        return ""
    return f"--chained is needed with {', '.join(map(option, given))}"


def option(name: str) -> str:
    """Return the option of a name with underscores."""
    return f"--{name.replace('_', '-')}"
