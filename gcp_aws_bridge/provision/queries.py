"""Read-only queries with the clouds' CLIs, and the checks that both directions share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.provision.annotated import PREFIX, meaning
from gcp_aws_bridge.provision.plan import INLINE_POLICY, AwsRole

__all__ = [
    "Answer",
    "Ask",
    "Finding",
    "annotated_account",
    "at",
    "aws_account",
    "google_account",
    "impersonation",
    "inline_policy",
    "judged",
    "kubernetes_account",
    "member_has_role",
    "of_aws",
    "of_project",
    "oidc_provider",
    "permissions",
    "plain",
    "role_named",
]


@dataclass(frozen=True)
class Answer:
    """Answer of a CLI.

    Attributes:
        found: The printed JSON; None if there is none.
        problem: Why the query failed; empty if it did not, or if the object does not exist.
        absent: Whether the cloud answered that the object does not exist.
    """

    found: Any = None
    problem: str = ""
    absent: bool = False


Ask = Callable[[Sequence[str]], Answer]


@dataclass(frozen=True)
class Finding:
    """Result of the check of one object.

    Attributes:
        state: `unknown` if the query failed.
        what: Description of the object.
        seen: Actual state, or why it is not known; for `differs` and `unknown`.
        wanted: Expected state.
    """

    state: Literal["ok", "missing", "differs", "unknown"]
    what: str
    seen: str = ""
    wanted: str = ""


def of_aws(service: str, operation: str, region: str) -> list[str]:
    """Return the start of a command; services without regions need one as well."""
    return ["aws", service, operation, "--output=json", f"--region={region}"]


def of_project(project: str) -> tuple[str, str]:
    """Return the last options of a gcloud command."""
    return f"--project={project}", "--format=json"


def judged(what: str, answer: Answer, *, seen: str = "", wanted: str = "") -> Finding:
    """Return the finding for an object, which is ok if it exists and *seen* equals *wanted*."""
    if answer.absent:
        return Finding("missing", what)
    if answer.problem:
        return Finding("unknown", what, answer.problem)
    return Finding("ok", what) if seen == wanted else Finding("differs", what, seen, wanted)


def at(found: Any, *path: str | int) -> Any:
    """Return the value at a path in JSON, or None."""
    try:
        for step in path:
            found = found[step]
    except (KeyError, IndexError, TypeError):
        return None
    return found


def google_account(ask: Ask, email: str) -> tuple[Finding, str | None]:
    """Check the Google service account; return its unique id as well."""
    where = of_project(project_of(email))
    answer = ask(["gcloud", "iam", "service-accounts", "describe", email, *where])
    seen = "disabled" if at(answer.found, "disabled") else "enabled"
    finding = judged(f"Google service account {email}", answer, seen=seen, wanted="enabled")
    return finding, at(answer.found, "uniqueId")


def impersonation(ask: Ask, email: str, member: str) -> Finding:
    """Check that *member* may impersonate the Google service account."""
    command = ["gcloud", "iam", "service-accounts", "get-iam-policy", email]
    answer = ask([*command, *of_project(project_of(email))])
    return member_has_role(answer, member, "roles/iam.workloadIdentityUser", email)


def member_has_role(answer: Answer, member: str, role: str, on: str) -> Finding:
    """Check that an IAM policy grants *role* to *member* without a condition."""
    held = [
        binding.get("role")
        for binding in at(answer.found, "bindings") or []
        if member in binding.get("members", ()) and not binding.get("condition")
    ]
    seen = role if role in held else ", ".join(sorted(map(str, held))) or "no role"
    return judged(f"role of {member} on {on}", answer, seen=seen, wanted=role)


def kubernetes_account(
    ask: Ask, context: str, names: tuple[str, str], annotation: str
) -> tuple[Answer, str | None]:
    """Query the Kubernetes service account; return the value of an annotation as well.

    Args:
        ask: Function that runs the query.
        context: Context of kubectl.
        names: Namespace and name.
        annotation: Name of the annotation.
    """
    namespace, name = names
    answer = ask(
        [
            *("kubectl", f"--context={context}", "get", "serviceaccount", name),
            *(f"--namespace={namespace}", "--output=json"),
        ]
    )
    return answer, at(answer.found, "metadata", "annotations", annotation)


def annotated_account(names: tuple[str, str], answer: Answer, wanted: Mapping[str, str]) -> Finding:
    """Check that the annotations of a Kubernetes service account mean the same as *wanted*.

    Args:
        names: Its namespace and name.
        answer: The service account.
        wanted: Its annotations according to the plan.
    """
    found: dict[str, str] = at(answer.found, "metadata", "annotations") or {}
    region = f"{PREFIX}/region"
    if region not in wanted:  # the plan does not determine it
        found = {name: value for name, value in found.items() if name != region}
    try:
        same = meaning(found) == meaning(wanted)
    except ConfigError:
        same = False
    shown = json.dumps(dict(wanted), sort_keys=True)
    what = f"annotations of Kubernetes service account {'/'.join(names)}"
    if not answer.found or same:
        return judged(what, answer, seen=shown, wanted=shown)
    mine = {name: one for name, one in found.items() if name in wanted or PREFIX in name}
    return Finding("differs", what, json.dumps(mine, sort_keys=True), shown)


def aws_account(ask: Ask, account: str, region: str) -> tuple[Finding, bool]:
    """Check the AWS account of this shell; return whether other queries make sense as well."""
    answer = ask(of_aws("sts", "get-caller-identity", region))
    seen = str(at(answer.found, "Account"))
    finding = judged("AWS account of this shell", answer, seen=seen, wanted=account)
    # Objects of another account are irrelevant.
    return finding, not answer.found or seen == account


def oidc_provider(ask: Ask, arn: str, region: str) -> tuple[Answer, list[str]]:
    """Query an IAM OIDC provider; return its client ids as well."""
    command = of_aws("iam", "get-open-id-connect-provider", region)
    answer = ask([*command, "--open-id-connect-provider-arn", arn])
    return answer, [*map(str, at(answer.found, "ClientIDList") or [])]


def role_named(ask: Ask, name: str, region: str) -> Answer:
    """Query a role in AWS."""
    return ask([*of_aws("iam", "get-role", region), "--role-name", name])


def inline_policy(ask: Ask, role: str, name: str, region: str) -> tuple[Answer, Any]:
    """Query an inline policy of a role; return its document as well."""
    command = [*of_aws("iam", "get-role-policy", region), "--role-name", role]
    answer = ask([*command, "--policy-name", name])
    return answer, at(answer.found, "PolicyDocument")


def permissions(ask: Ask, aws: AwsRole, region: str) -> Iterator[Finding]:
    """Check the policies of the role."""
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
        answer, found = inline_policy(ask, aws.name, INLINE_POLICY, region)
        same = plain(found) == plain(json.loads(aws.policy))
        yield judged(
            f"inline policy {INLINE_POLICY}",
            answer,
            seen=aws.policy if same else json.dumps(found),
            wanted=aws.policy,
        )


def plain(document: Any) -> Any:
    """Return a policy without irrelevant differences: sorted lists, and no lists of one item."""
    if isinstance(document, dict):
        return {key: plain(value) for key, value in document.items()}
    if isinstance(document, list):
        items = sorted((plain(item) for item in document), key=json.dumps)
        return items[0] if len(items) == 1 else items
    return document
