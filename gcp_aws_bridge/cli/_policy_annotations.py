"""`trust-policy build --from-annotations`: the policy for annotated Kubernetes service accounts.

`inject.annotations` parses the role, audience and method.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gcp_aws_bridge import policy
from gcp_aws_bridge.cli._policy_inputs import read_text
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.inject.annotations import PREFIX, AwsRequest, Requests
from gcp_aws_bridge.policy.authorized_party import GET_NUMBER
from gcp_aws_bridge.provision.annotated import LINK
from gcp_aws_bridge.provision.pods import identity

if TYPE_CHECKING:
    import argparse

_ISSUER = "kubectl get --raw /.well-known/openid-configuration prints it"


class _Account(NamedTuple):
    """An annotated Kubernetes service account.

    Attributes:
        namespace: Namespace; empty if the manifest has none.
        name: Name of the Kubernetes service account.
        request: Request for the role of its pods.
        email: E-mail of the linked Google service account; empty if there is none.
    """

    namespace: str
    name: str
    request: AwsRequest
    email: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def document_for(options: argparse.Namespace) -> dict[str, Any]:
    """Return the policy of the role that the annotations name.

    Raises:
        ConfigError: The manifest annotates no role or several roles; an annotation is malformed; or
            an option is missing whose value the manifest does not contain.
    """
    prefixes = tuple(dict.fromkeys((PREFIX, *options.annotation_prefix)))
    path = options.from_annotations
    accounts = [*_annotated(_documents(path), prefixes)]
    if not accounts:
        raise _error(
            f"{quoted(path)} has no Kubernetes service account with the annotation "
            f"{' or '.join(f'{one}/role-arn' for one in prefixes)}.",
            "pass the manifest: kubectl get serviceaccount NAME -n NAMESPACE -o json",
        )
    first, *others = accounts
    role, method = first.request.role, first.request.method
    for other in others:
        same = (other.request.role.arn, other.request.role.audience, other.request.method)
        if (role.arn, role.audience, method) != same:
            raise _error(
                f"{first} and {other} request different roles, audiences or methods.",
                "pass one manifest at a time; a policy can contain both statements.",
            )
    if method == "google":
        return _for_google(options, accounts)
    return _for_cluster(options, accounts)


def _for_google(options: argparse.Namespace, accounts: Sequence[_Account]) -> dict[str, Any]:
    numbers = options.service_account
    emails = [*dict.fromkeys(one.email or "EMAIL" for one in accounts)]
    who = f"The method of {' and '.join(map(str, accounts))} is google"
    if options.issuer:
        raise _error(
            f"{who}: AWS gets tokens of Google, not of the cluster.",
            "replace --issuer by --service-account, or annotate the method cluster-token.",
        )
    if len(emails) != len(numbers):
        commands = ", ".join(GET_NUMBER.replace("EMAIL", shlex.quote(one)) for one in emails)
        raise _error(
            f"{who}: the policy needs the number of {' and '.join(emails)}, which no manifest "
            f"contains; {len(numbers)} were given.",
            f"pass each with --service-account: {commands}",
        )
    audience = accounts[0].request.role.audience
    return policy.build(audience=audience, service_accounts=numbers)


def _for_cluster(options: argparse.Namespace, accounts: Sequence[_Account]) -> dict[str, Any]:
    who = f"The method of {' and '.join(map(str, accounts))} is cluster-token"
    if options.service_account:
        raise _error(
            f"{who}: AWS gets tokens of the cluster, not of Google.",
            f"replace --service-account by --issuer ({_ISSUER}), or annotate {LINK}.",
        )
    if not options.issuer:
        raise _error(
            f"{who}: the policy needs the cluster's issuer, which no manifest contains.",
            f"pass it with --issuer: {_ISSUER}",
        )
    if nowhere := [one for one in accounts if not one.namespace]:
        raise _error(
            f"The manifest of {nowhere[0]} has no namespace, which is part of the token's subject.",
            "add metadata.namespace to it.",
        )
    role = accounts[0].request.role
    _, partition, _, _, account, _ = role.arn.split(":", 5)
    return policy.build(
        audience=role.audience,
        issuer=options.issuer,
        subjects=[f"system:serviceaccount:{one.namespace}:{one.name}" for one in accounts],
        account_id=account,
        partition=partition,
    )


def _annotated(found: Any, prefixes: tuple[str, ...]) -> Iterator[_Account]:
    """Yield the service accounts that request a role, including those in lists."""
    for one in found:
        if not isinstance(one, Mapping):
            continue
        if isinstance(one.get("items"), list):
            yield from _annotated(one["items"], prefixes)
        about = one.get("metadata")
        if one.get("kind") != "ServiceAccount" or not isinstance(about, Mapping):
            continue
        annotations = about.get("annotations") or {}
        namespace, name = identity(one)
        if not isinstance(annotations, Mapping) or not all(
            isinstance(text, str) for pair in annotations.items() for text in pair
        ):
            raise _error(f"An annotation of {name} is not a string.", "quote its value.")
        if request := Requests({}, annotations, prefixes, None).aws:
            yield _Account(namespace, name, request, annotations.get(LINK, ""))


def _documents(path: str) -> list[Any]:
    """Return the documents of a manifest: JSON, or YAML with the extra `setup`."""
    text = read_text(path)
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        pass
    from gcp_aws_bridge.cli._manifests import Manifests

    return Manifests(text, path, "setup").documents


def _error(problem: str, fix: str) -> ConfigError:
    return ConfigError(problem, fix=fix, error_id="config/trust-policy-value")
