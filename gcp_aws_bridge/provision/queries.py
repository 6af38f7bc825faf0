"""Questions to the clouds' own CLIs, which only read, and what both directions ask them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.provision.plan import INLINE_POLICY, AwsRole

__all__ = [
    "Answer",
    "Ask",
    "Finding",
    "at",
    "bound",
    "google_account",
    "in_account",
    "judged",
    "of_aws",
    "of_project",
    "permissions",
    "plain",
]


@dataclass(frozen=True)
class Answer:
    """What a CLI said.

    Attributes:
        found: The JSON that it printed.
        problem: Why there is none; empty where there is, and where the thing does not exist.
        absent: The cloud says that there is no such thing.
    """

    found: Any = None
    problem: str = ""
    absent: bool = False


Ask = Callable[[Sequence[str]], Answer]


@dataclass(frozen=True)
class Finding:
    """One thing of the plan.

    Attributes:
        state: `unknown` where it could not be asked.
        what: It, in words.
        seen: What there is, or why it is not known; for `differs` and `unknown`.
        wanted: What should be.
    """

    state: Literal["ok", "missing", "differs", "unknown"]
    what: str
    seen: str = ""
    wanted: str = ""


def of_aws(service: str, operation: str, region: str) -> list[str]:
    """The start of a command; *region* is any where the service has none: a shell may have none."""
    return ["aws", service, operation, "--output=json", f"--region={region}"]


def of_project(project: str) -> tuple[str, str]:
    """The end of a command of gcloud."""
    return f"--project={project}", "--format=json"


def judged(what: str, answer: Answer, *, seen: str = "", wanted: str = "") -> Finding:
    """*what* is as it should be where it is there, and *seen* is *wanted*."""
    if answer.absent:
        return Finding("missing", what)
    if answer.problem:
        return Finding("unknown", what, answer.problem)
    return Finding("ok", what) if seen == wanted else Finding("differs", what, seen, wanted)


def at(found: Any, *path: str | int) -> Any:
    """What stands there; None for nothing."""
    try:
        for step in path:
            found = found[step]
    except (KeyError, IndexError, TypeError):
        return None
    return found


def google_account(ask: Ask, email: str) -> tuple[Finding, str | None]:
    """The Google service account, and its number."""
    where = of_project(project_of(email))
    answer = ask(["gcloud", "iam", "service-accounts", "describe", email, *where])
    seen = "disabled" if at(answer.found, "disabled") else "enabled"
    finding = judged(f"Google service account {email}", answer, seen=seen, wanted="enabled")
    return finding, at(answer.found, "uniqueId")


def bound(answer: Answer, member: str, role: str, on: str) -> Finding:
    """Whether *member* has *role* by the IAM policy that was answered, without a condition."""
    held = [
        binding.get("role")
        for binding in at(answer.found, "bindings") or []
        if member in binding.get("members", ()) and not binding.get("condition")
    ]
    seen = role if role in held else ", ".join(sorted(map(str, held))) or "no role"
    return judged(f"role of {member} on {on}", answer, seen=seen, wanted=role)


def in_account(ask: Ask, account: str, region: str) -> tuple[Finding, bool]:
    """The AWS account of this shell, and whether the rest can be asked there."""
    answer = ask(of_aws("sts", "get-caller-identity", region))
    seen = str(at(answer.found, "Account"))
    finding = judged("AWS account of this shell", answer, seen=seen, wanted=account)
    # What is in another account says nothing.
    return finding, not answer.found or seen == account


def permissions(ask: Ask, aws: AwsRole, region: str) -> Iterator[Finding]:
    """What the role may do."""
    if aws.policy_arns:
        answer = ask(
            [*of_aws("iam", "list-attached-role-policies", region), "--role-name", aws.name]
        )
        attached = [one.get("PolicyArn") for one in at(answer.found, "AttachedPolicies") or []]
        for arn in aws.policy_arns:
            absent = not answer.problem and arn not in attached
            yield (
                Finding("missing", f"policy {arn}") if absent else judged(f"policy {arn}", answer)
            )
    if aws.policy:
        command = [*of_aws("iam", "get-role-policy", region), "--role-name", aws.name]
        answer = ask([*command, "--policy-name", INLINE_POLICY])
        found = at(answer.found, "PolicyDocument")
        same = plain(found) == plain(json.loads(aws.policy))
        yield judged(
            f"inline policy {INLINE_POLICY}",
            answer,
            seen=aws.policy if same else json.dumps(found),
            wanted=aws.policy,
        )


def plain(document: Any) -> Any:
    """A policy without what makes no difference: order in lists, and lists of one."""
    if isinstance(document, dict):
        return {key: plain(value) for key, value in document.items()}
    if isinstance(document, list):
        items = sorted((plain(item) for item in document), key=json.dumps)
        return items[0] if len(items) == 1 else items
    return document
