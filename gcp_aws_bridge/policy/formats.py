"""Writes a policy as JSON, Terraform or CloudFormation, in which all values stay literal.

Sources: YAML 1.2.2, section 7.3.1 (double-quoted scalars); AWS CloudFormation user guide,
"Intrinsic functions" and "Dynamic references".
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gcp_aws_bridge.exceptions import quoted

from . import hcl
from .building import refuse
from .document import load

# IAM API reference, Role: RoleName.
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
# IAM user guide, "IAM and AWS STS quotas": the characters of a policy document.
_TEXT = re.compile(r"[\t\n\r\x20-\xff]*")

# Keys without quotes: they have no other meaning in YAML.
_WORDS = frozenset(
    {"Version", "Id", "Statement", "Sid", "Effect", "Principal", "Federated", "Action", "Condition"}
    | {"StringEquals", "StringLike", "AWS", "Resource"}
)


def render(document: Mapping[str, Any] | str, form: str, *, name: str = "etl") -> str:
    """Write *document* as text that ends with a line break.

    Args:
        document: The policy, as an object or JSON text.
        form: `json`; `terraform`: an `aws_iam_role`; `cloudformation`: a template in YAML.
        name: Name of the role, for Terraform and CloudFormation.

    Raises:
        ConfigError: It is not a trust policy; the name is not valid; or the policy contains values
            that the format cannot express.
    """
    loaded = load(document)
    _check(loaded, form, name)
    return _FORMS[form](loaded, name)


def render_permissions(document: Mapping[str, Any], form: str, *, name: str = "etl") -> str:
    """Write a permissions policy from `permissions_for` as text that ends with a line break.

    Args:
        document: The policy.
        form: `json`; `terraform`: an `aws_iam_role_policy`; `cloudformation`: a template in YAML.
        name: Name of the role that gets the policy, which exists.

    Raises:
        ConfigError: The name is not valid.
    """
    _check(document, form, name)
    if form == "json":
        return _json(document, name)
    if form == "terraform":
        policy = hcl.function("jsonencode", document)
        items = [("name", "assume-chained-roles"), ("role", name), ("policy", policy)]
        return hcl.block("resource", f"aws_iam_role_policy {_label(name)}", items)
    return _template(
        f"{_logical_id(name)}Policy",
        "AWS::IAM::RolePolicy",
        f"      PolicyName: assume-chained-roles\n      RoleName: {_double_quoted(name)}\n"
        f"      PolicyDocument:{_yaml(document, ' ' * 8)}",
    )


def _check(document: Mapping[str, Any], form: str, name: str) -> None:
    if form not in _FORMS:
        refuse(f"There is no format {quoted(form)}.", f"use one of {', '.join(FORMS)}.")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        refuse(
            f"{quoted(name)} is not the name of a role.", "use 1 to 64 of A-Z a-z 0-9 and _+=,.@-"
        )
    _check_texts(document)


def _json(document: Mapping[str, Any], name: str) -> str:
    return json.dumps(document, indent=2) + "\n"


def _terraform(document: Mapping[str, Any], name: str) -> str:
    items = [("name", name), ("assume_role_policy", hcl.function("jsonencode", document))]
    return hcl.block("resource", f"aws_iam_role {_label(name)}", items)


def _label(name: str) -> str:
    """Return an identifier of Terraform, which does not begin with a digit."""
    label = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return label if label[0].isalpha() or label[0] == "_" else f"_{label}"


def _cloudformation(document: Mapping[str, Any], name: str) -> str:
    _no_function(document)
    return _template(
        f"{_logical_id(name)}Role",
        "AWS::IAM::Role",
        f"      RoleName: {_double_quoted(name)}\n"
        f"      AssumeRolePolicyDocument:{_yaml(document, ' ' * 8)}",
    )


def _logical_id(name: str) -> str:
    """Return the beginning of a logical id, which consists of letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", name.title())


def _template(logical_id: str, kind: str, properties: str) -> str:
    return (
        'AWSTemplateFormatVersion: "2010-09-09"\n'
        "Resources:\n"
        f"  {logical_id}:\n"
        f"    Type: {kind}\n"
        "    Properties:\n"
        f"{properties}"
    )


def _yaml(value: object, indent: str) -> str:
    """Return the text after `:` or `-`, with a line break at the end."""
    inner = f"{indent}  "
    if isinstance(value, dict) and value:
        return "\n" + "".join(
            f"{indent}{key if key in _WORDS else _double_quoted(key)}:{_yaml(member, inner)}"
            for key, member in value.items()
        )
    if isinstance(value, list) and value:
        return "\n" + "".join(f"{indent}- {_yaml(item, inner).lstrip()}" for item in value)
    return f" {_double_quoted(value) if isinstance(value, str) else json.dumps(value)}\n"


def _double_quoted(text: str) -> str:
    """Return a JSON string that is valid in YAML too."""
    return json.dumps(text).replace("\x7f", "\\u007f")


def _nodes(value: object) -> Iterator[object]:
    """Yield *value* and everything in it, including names of members."""
    yield value
    inside = value.items() if isinstance(value, dict) else ()
    for each in value if isinstance(value, list) else itertools.chain.from_iterable(inside):
        yield from _nodes(each)


def _check_texts(value: object) -> None:
    for node in _nodes(value):
        if isinstance(node, str) and not _TEXT.fullmatch(node):
            refuse(f"IAM rejects characters beyond U+00FF: {quoted(node)}.", "use others.")


def _no_function(value: object) -> None:
    """Reject values that CloudFormation would interpret, because they cannot be escaped."""
    for node in _nodes(value):
        if isinstance(node, dict) and any(k == "Ref" or k.startswith("Fn::") for k in node):
            refuse(
                f"CloudFormation interprets {quoted(', '.join(node))} as a function.",
                "use another format, or another condition key.",
            )
        if isinstance(node, str) and "{{resolve:" in node:
            refuse(
                f"CloudFormation interprets {quoted(node)} as a dynamic reference.",
                "use another format, or another value.",
            )


_FORMS: dict[str, Callable[[Mapping[str, Any], str], str]] = {
    "json": _json,
    "terraform": _terraform,
    "cloudformation": _cloudformation,
}
FORMS = tuple(_FORMS)
