"""A trust policy in the words of what deploys it. Whatever is in it stays a value.

Sources: HashiCorp, "HCL native syntax specification" (in quotes `${` and `%{` begin a template, and
with the brace escaped do not) and Terraform's style, which `terraform fmt` enforces; YAML 1.2.2,
section 7.3.1 (double-quoted scalars); AWS CloudFormation user guide, "Intrinsic functions" and
"Dynamic references".
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gcp_aws_bridge.exceptions import quoted

from .building import refuse
from .document import load

# IAM API reference, Role: RoleName.
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
# IAM user guide, "IAM and AWS STS quotas": the characters of a policy document.
_TEXT = re.compile(r"[\t\n\r\x20-\xff]*")

# Keys that go without quotes: Terraform and YAML take these for nothing else.
_WORDS = frozenset(
    {"Version", "Id", "Statement", "Sid", "Effect", "Principal", "Federated", "Action", "Condition"}
    | {"StringEquals", "StringLike"}
)


def render(document: Mapping[str, Any] | str, form: str, *, name: str = "etl") -> str:
    """Write *document* as text that ends with a line.

    Args:
        form: `json`; `terraform`: an `aws_iam_role`; `cloudformation`: a template in YAML.
        name: Of the role, in the last two.

    Raises:
        ConfigError: It is no trust policy; no role may have this name; or it holds what the form
            would not take for a value.
    """
    if form not in _FORMS:
        refuse(f"There is no form {quoted(form)}.", f"ask for one of {', '.join(FORMS)}.")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        refuse(
            f"{quoted(name)} is not the name of a role.", "give 1 to 64 of A-Z a-z 0-9 and _+=,.@-"
        )
    loaded = load(document)
    _check_texts(loaded)
    return _FORMS[form](loaded, name)


def _json(document: Mapping[str, Any], name: str) -> str:
    return json.dumps(document, indent=2) + "\n"


def _terraform(document: Mapping[str, Any], name: str) -> str:
    # An identifier of HCL: no digit first.
    label = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    label = label if label[0].isalpha() or label[0] == "_" else f"_{label}"
    return (
        f'resource "aws_iam_role" "{label}" {{\n'
        f"  name = {_hcl_text(name)}\n"
        f"  assume_role_policy = jsonencode({_hcl(document, '  ')})\n"
        "}\n"
    )


def _hcl(value: object, indent: str) -> str:
    inner = f"{indent}  "
    if isinstance(value, dict) and value:
        members = [
            (key if key in _WORDS else _hcl_text(key), _hcl(member, inner))
            for key, member in value.items()
        ]
        return "{\n" + "".join(f"{inner}{line}\n" for line in _aligned(members)) + f"{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = "".join(f"{inner}{_hcl(item, inner)},\n" for item in value)
        return f"[\n{items}{indent}]"
    if isinstance(value, list):
        return f"[{', '.join(_hcl(item, inner) for item in value)}]"
    return _hcl_text(value) if isinstance(value, str) else json.dumps(value)


def _aligned(members: list[tuple[str, str]]) -> list[str]:
    """`key = value` lines; where several of one line follow each other, `=` under `=`."""
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for key, value in [*members, ("", "\n")]:
        if "\n" not in value:
            run.append((key, value))
            continue
        width = max((len(key) for key, _ in run), default=0)
        lines += [f"{key:<{width}} = {value}" for key, value in run]
        lines += [f"{key} = {value}"] if key else []
        run = []
    return lines


def _hcl_text(text: str) -> str:
    return re.sub(r"(?<=[$%])\{", r"\\u007b", _double_quoted(text))


def _cloudformation(document: Mapping[str, Any], name: str) -> str:
    # A logical id has letters and digits only.
    logical = re.sub(r"[^A-Za-z0-9]", "", name.title()) + "Role"
    _no_function(document)
    return (
        'AWSTemplateFormatVersion: "2010-09-09"\n'
        "Resources:\n"
        f"  {logical}:\n"
        "    Type: AWS::IAM::Role\n"
        "    Properties:\n"
        f"      RoleName: {_double_quoted(name)}\n"
        f"      AssumeRolePolicyDocument:{_yaml(document, ' ' * 8)}"
    )


def _yaml(value: object, indent: str) -> str:
    """What follows a `:` or `-`, up to the end of its last line."""
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
    """A string of JSON that is one of HCL and of YAML too."""
    return json.dumps(text).replace("\x7f", "\\u007f")


def _nodes(value: object) -> Iterator[object]:
    """*value* and all that is in it, names of members too."""
    yield value
    inside = value.items() if isinstance(value, dict) else ()
    for each in value if isinstance(value, list) else itertools.chain.from_iterable(inside):
        yield from _nodes(each)


def _check_texts(value: object) -> None:
    for node in _nodes(value):
        if isinstance(node, str) and not _TEXT.fullmatch(node):
            refuse(f"IAM takes no characters of {quoted(node)} beyond U+00FF.", "use others.")


def _no_function(value: object) -> None:
    """Refuse what CloudFormation would act on: it has no way to write such a text."""
    for node in _nodes(value):
        if isinstance(node, dict) and any(k == "Ref" or k.startswith("Fn::") for k in node):
            refuse(
                f"CloudFormation takes {quoted(', '.join(node))} for a function.",
                "use another form, or another condition key.",
            )
        if isinstance(node, str) and "{{resolve:" in node:
            refuse(
                f"CloudFormation takes {quoted(node)} for a dynamic reference.",
                "use another form, or another value.",
            )


_FORMS: dict[str, Callable[[Mapping[str, Any], str], str]] = {
    "json": _json,
    "terraform": _terraform,
    "cloudformation": _cloudformation,
}
FORMS = tuple(_FORMS)
