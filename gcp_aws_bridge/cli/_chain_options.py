"""Options for chained roles. Imports little.

They have the names of `aws sts assume-role` and follow the `--chain` to which they belong: with one
chained role, which is most common, the command reads like that of the AWS CLI.
"""

from __future__ import annotations

import argparse

TYPE_CHECKING = False  # as in the package's own module
if TYPE_CHECKING:
    from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the chained roles and their settings."""
    # No option but --chain has a place of its own in the namespace.
    of_role: Any = {"action": _OfChainedRole, "default": argparse.SUPPRESS}
    group = parser.add_argument_group(
        "chained roles",
        "Each --chain names one more role, which is assumed with the credentials of the role "
        "before it. The other options are for the chained role before them: "
        "--chain ARN --external-id acme-42 --tag tenant=acme",
    )
    group.add_argument(
        "--chain",
        action=_Chain,
        metavar="ARN",
        help="a chained role; may be repeated. Or JSON, with the fields of ChainedRole: "
        """'{"arn": "ARN", "duration_seconds": 900}'""",
    )
    group.add_argument(
        "--external-id",
        **of_role,
        metavar="ID",
        help="value of sts:ExternalId in the trust policy of the chained role",
    )
    group.add_argument(
        "--tag",
        dest="tags",
        **of_role,
        type=tag,
        metavar="KEY=VALUE",
        help="session tag; may be repeated",
    )
    group.add_argument(
        "--transitive-tag-key",
        dest="transitive_tag_keys",
        **of_role,
        metavar="KEY",
        help="key of a tag that all later roles inherit; may be repeated",
    )
    group.add_argument(
        "--source-identity",
        **of_role,
        metavar="NAME",
        help="name in CloudTrail that all later roles inherit and cannot change",
    )


class _Chain(argparse.Action):
    """Adds a role: its ARN, or its settings as a dict."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        roles = self._parsed(values) if values.startswith(("{", "[")) else (values,)
        namespace.chain = [*(namespace.chain or ()), *roles]

    def _parsed(self, text: str) -> tuple[Any, ...]:
        from gcp_aws_bridge._settings import parsed_chain
        from gcp_aws_bridge.exceptions import ConfigError

        try:
            return parsed_chain(text, "--chain")
        except ConfigError as error:
            raise argparse.ArgumentError(self, error.args[0]) from None


class _OfChainedRole(argparse.Action):
    """Adds a setting to the last role of the chain. Has no place of its own in the namespace."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if not namespace.chain:
            raise argparse.ArgumentError(self, "must follow the --chain ARN to which it belongs")
        last = namespace.chain[-1]
        role = dict(last) if isinstance(last, dict) else {"arn": last}
        role[self.dest] = self._added(role.get(self.dest), values)
        namespace.chain = [*namespace.chain[:-1], role]

    def _added(self, before: Any, new: Any) -> Any:
        """Return the setting with the value *new*; *before* may also come from JSON."""
        if self.dest == "transitive_tag_keys" and isinstance(before, (list, type(None))):
            return [*(before or ()), new]
        if self.dest == "tags" and isinstance(before, (dict, type(None))):
            key, value = new
            if key not in (before or {}):
                return {**(before or {}), key: value}
        elif before is None:
            return new
        raise argparse.ArgumentError(self, "is given twice for one chained role")


def tag(text: str) -> tuple[str, str]:
    """Parse `KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
