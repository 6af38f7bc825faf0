"""The plan as Terraform (providers google and aws), laid out as `terraform fmt` does it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gcp_aws_bridge.provision.plan import REGIONS, UNKNOWN_NUMBER, Plan

__all__ = ["terraform", "text"]

_NUMBER = "google_service_account.workload.unique_id"


class _Expression(str):
    """HCL that is not to be quoted."""


def terraform(plan: Plan) -> str:
    """One file: what is to be in both clouds, and what the program needs to know of it."""
    return "\n".join(_blocks(plan))


def _blocks(plan: Plan) -> Iterator[str]:
    at = plan.workload
    yield _head(plan)
    yield _block("provider", "google", [("project", at.project)])
    yield _block(
        "provider",
        "aws",
        [("region", REGIONS[plan.role.partition]), ("allowed_account_ids", [plan.role.account])],
    )
    yield _block(
        "resource",
        "google_project_service needed",
        [
            ("for_each", _Expression(f"toset({_value(at.services, 1)})")),
            ("service", _Expression("each.value")),
            ("disable_on_destroy", False),
        ],
    )
    if at.gsa:
        yield from _google(plan)
    else:
        yield "# AWS takes tokens that the cluster signs, for this audience.\n" + _block(
            "resource",
            "aws_iam_openid_connect_provider cluster",
            [("url", at.issuer), ("client_id_list", [plan.role.audience])],
        )
    yield from _aws(plan)
    yield _block("output", "environment", [("value", plan.variables)])


def _head(plan: Plan) -> str:
    before = (
        " The cluster stands, with Workload Identity on." if plan.workload.platform == "gke" else ""
    )
    after = (
        "Then: kubectl apply -f kubernetes.yaml"
        if plan.workload.in_cluster
        else "Then let the workload run as that account, with the variables of the output."
    )
    # In `required_providers`, from 6.0 the aws provider wants no certificate's thumbprint.
    return f"""\
# Lets a workload on Google Cloud assume a role in AWS.
# What there is already, `terraform import` takes in.{before}
# {after}

terraform {{
  required_version = ">= 1.5"

  required_providers {{
    google = {{
      source  = "hashicorp/google"
      version = ">= 6.0"
    }}
    aws = {{
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }}
  }}
}}
"""


def _google(plan: Plan) -> Iterator[str]:
    at = plan.workload
    yield _block(
        "resource",
        "google_service_account workload",
        [
            ("account_id", at.gsa_name),
            ("project", at.gsa_project),
            ("display_name", f"{at.gsa_name}, for AWS"),
            ("depends_on", [_Expression("google_project_service.needed")]),
        ],
    )
    if at.in_cluster:
        yield "# Pods with the Kubernetes service account may act as the Google one.\n" + _block(
            "resource",
            "google_service_account_iam_member workload_identity",
            [
                ("service_account_id", _Expression("google_service_account.workload.name")),
                ("role", "roles/iam.workloadIdentityUser"),
                ("member", at.member),
            ],
        )


def _aws(plan: Plan) -> Iterator[str]:
    aws = plan.role
    policy = _with_number(plan.trust_policy())
    yield (
        "# Who the token is for, and whose it is. With :aud alone, which is the account again,\n"
        "# every service that gets this account's tokens could have the role.\n"
        if plan.workload.gsa
        else ""
    ) + _block(
        "resource",
        "aws_iam_role workload",
        [
            ("name", aws.name),
            ("description", "Assumed from Google Cloud; see gcp-aws-bridge"),
            ("assume_role_policy", _Expression(f"jsonencode({_value(policy, 1)})")),
            *([] if plan.workload.gsa else [_AFTER_PROVIDER]),
        ],
    )
    role = _Expression("aws_iam_role.workload.name")
    if aws.policy_arns:
        yield _block(
            "resource",
            "aws_iam_role_policy_attachment managed",
            [
                ("for_each", _Expression(f"toset({_value(list(aws.policy_arns), 1)})")),
                ("role", role),
                ("policy_arn", _Expression("each.value")),
            ],
        )
    if aws.policy:
        document = _Expression(f"jsonencode({_value(json.loads(aws.policy), 1)})")
        yield _block(
            "resource",
            "aws_iam_role_policy inline",
            [("name", "gcp-aws-bridge"), ("role", role), ("policy", document)],
        )


# The policy names the provider by its ARN, which Terraform does not see the need in.
_AFTER_PROVIDER = ("depends_on", [_Expression("aws_iam_openid_connect_provider.cluster")])


def _with_number(value: Any) -> Any:
    """*value* with the number's place taken by the expression that has it."""
    if isinstance(value, Mapping):
        return {key: _with_number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_number(item) for item in value]
    return _Expression(_NUMBER) if value == UNKNOWN_NUMBER else value


def text(value: str) -> str:
    """*value* as a quoted template that is nothing but itself.

    See: Terraform language, "Strings and Templates": `$${` and `%%{` are `${` and `%{`; escapes are
    not all of JSON's.
    """
    plain = "".join(_ESCAPES.get(c) or (c if c.isprintable() else _by_number(c)) for c in value)
    return '"' + plain.replace("${", "$${").replace("%{", "%%{") + '"'


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _by_number(character: str) -> str:
    return f"\\U{ord(character):08x}" if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"


def _block(kind: str, labels: str, items: Iterable[tuple[str, Any]]) -> str:
    head = " ".join([kind, *(text(label) for label in labels.split(" "))])
    return f"{head} {{\n{_body(items, 1)}}}\n"


def _body(items: Iterable[tuple[str, Any]], depth: int) -> str:
    """`name = value` for each; the signs of neighbours of one line stand in one column."""
    lines = [(name, _value(value, depth)) for name, value in items]
    found = ""
    for index, (name, value) in enumerate(lines):
        width = len(name) if "\n" in value else max(len(n) for n in _neighbours(lines, index))
        found += f"{'  ' * depth}{name:<{width}} = {value}\n"
    return found


def _neighbours(lines: list[tuple[str, str]], index: int) -> list[str]:
    """The names of the run of one-line values that *index* is in."""
    first = last = index
    while first and "\n" not in lines[first - 1][1]:
        first -= 1
    while last + 1 < len(lines) and "\n" not in lines[last + 1][1]:
        last += 1
    return [name for name, _ in lines[first : last + 1]]


def _value(value: Any, depth: int) -> str:
    if isinstance(value, _Expression):
        return str(value)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        items = ((_key(key), item) for key, item in value.items())
        return f"{{\n{_body(items, depth + 1)}{'  ' * depth}}}"
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value) and len(value) < 2:
            return f"[{', '.join(_value(item, depth) for item in value)}]"
        inner = "  " * (depth + 1)
        lines = "".join(f"{inner}{_value(item, depth + 1)},\n" for item in value)
        return f"[\n{lines}{'  ' * depth}]"
    return text(value) if isinstance(value, str) else json.dumps(value)


def _key(name: str) -> str:
    """*name* as a key: bare, where it is a word that means nothing else there."""
    bare = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in _WORDS
    return name if bare else text(name)


_WORDS = ("false", "for", "null", "true")
