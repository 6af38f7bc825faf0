"""The plan of `setup`, from options and, in a terminal, from prompts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gcp_aws_bridge.cli._setup_files import read, say
from gcp_aws_bridge.cli._setup_formats import AnyPlan
from gcp_aws_bridge.exceptions import ConfigError, quoted
from gcp_aws_bridge.policy.names import email_of
from gcp_aws_bridge.provision.chain import Chain
from gcp_aws_bridge.provision.names import checked
from gcp_aws_bridge.provision.plan import PLATFORMS, AwsRole, Plan, Workload, own_audience
from gcp_aws_bridge.provision.to_google import plan as to_google

# By the name of the option.
_QUESTIONS = {
    "on": f"Platform of the workload: {', '.join((*PLATFORMS, *to_google.PLATFORMS))}",
    "project": "Google Cloud project (its id)",
    "location": "Region or zone, such as europe-west1",
    "region": "AWS region, such as eu-west-1",
    "cluster": "Cluster",
    "namespace": "Kubernetes namespace",
    "ksa": "Kubernetes service account",
    "service": "Instance, service or function",
    "gsa": "Google service account (name or e-mail)",
    "aws-account": "AWS account (12 digits)",
    "role": "Role in AWS (name, with its path if it has one)",
    "audience": "Audience of the ID tokens",
    "policy-arn": "Managed policy with the permissions of the role (ARN; empty: none yet)",
    "grant": "Role to grant in the Google Cloud project (empty: none yet)",
}
_MAY_BE_EMPTY = ("policy-arn", "grant")
Ask = Callable[[str, str], str]


def prompt(question: str, default: str) -> str:
    """Prompt in the terminal; an empty answer is *default*."""
    print(f"{question}{f' [{default}]' if default else ''}: ", end="", file=sys.stderr, flush=True)
    try:
        return input().strip() or default
    except EOFError:  # Ctrl-D
        raise KeyboardInterrupt from None


def plan(options: argparse.Namespace, ask: Ask | None) -> AnyPlan:
    """Build the plan, prompting only for missing values.

    Args:
        options: Parsed command line.
        ask: Function that prompts. None: there is no terminal.

    Raises:
        ConfigError: An option is missing, has a value that the clouds would reject, or has no
            effect on this platform.
    """
    given = {name: getattr(options, name.replace("-", "_")) for name in _QUESTIONS}
    platform, path = given["on"] or "gke", options.role_path
    missing = _missing(platform, given, options)
    if missing and ask is None:
        raise ConfigError(
            f"Missing options: {', '.join(f'--{name}' for name in missing)}.",
            fix="add them, or run the command in a terminal, where it prompts.",
            error_id="config/setup-missing",
        )
    if missing and ask is not None:
        platform = given["on"] or _answer("on", "gke", ask)
        for name in _missing(platform, given, options):
            path = _split_role(given, path)
            default = {"namespace": "default", "gsa": given["ksa"] or given["role"]}.get(name) or ""
            rule = to_google.RULES_OF.get(name, "") if platform in to_google.PLATFORMS else ""
            given[name] = _answer(name, default, ask, given["project"] or "", rule)
    _check_effect(platform, options)
    path = _split_role(given, path)
    if platform in to_google.PLATFORMS:
        if missing and ask is not None and not given["grant"]:
            given["grant"] = _some("grant", ask)
        return _to_google(platform, given, options, path)
    if missing and ask is not None:
        if given["audience"] is None:
            default = own_audience(given["aws-account"], given["role"])
            given["audience"] = _answer("audience", default, ask)
        if options.policy is None and not given["policy-arn"]:
            given["policy-arn"] = _some("policy-arn", ask)
    return _to_aws(platform, given, options, path)


def _split_role(given: dict[str, Any], path: str | None) -> str:
    """Reduce the role in *given* to its name, and return its path.

    Raises:
        ConfigError: Both options have a path, and the paths differ.
    """
    before, slash, name = (given["role"] or "").rpartition("/")
    if not slash:
        return path or "/"
    checked("role", given["role"])
    own = f"/{before}/"
    if path not in (None, own):
        raise ConfigError(
            f"--role has the path {quoted(own)}, and --role-path is {quoted(path)}.",
            fix="use only one of them for the path.",
            error_id="config/setup-option",
        )
    given["role"] = name
    return own


def _to_aws(platform: str, given: dict[str, Any], options: argparse.Namespace, path: str) -> Plan:
    values = {name: given[name] for name in PLATFORMS[platform]}
    if "gsa" in values:
        values["gsa"] = _e_mail(values["gsa"], values["project"])
    made = Plan(
        Workload(platform, **values),
        _role(
            given,
            options,
            audience=given["audience"] or "",
            partition=options.partition,
            path=path,
        ),
    )
    return replace(
        made,
        chain=_chain(made.role, options.chain) if options.chain else made.chain,
        annotate=options.annotate,
        region=options.region or "",
    )


def _chain(role: AwsRole, chain: list[Any]) -> Chain:
    """Return the chained roles after *role*, by the rules of `Role`.

    Raises:
        ConfigError: STS would reject one of them.
    """
    from gcp_aws_bridge.config import Role
    from gcp_aws_bridge.config.chained_role import chain_text
    from gcp_aws_bridge.policy import requests_of

    whole = Role(role.arn, chain=chain)
    return Chain(whole.arns[1:], tuple(requests_of(whole)), chain_text(whole.chain))


def _to_google(
    platform: str, given: dict[str, Any], options: argparse.Namespace, path: str
) -> to_google.Plan:
    values = {name: given[name] for name in to_google.PLATFORMS[platform]}
    workload = to_google.Workload(platform, given["aws-account"], **values)
    role = _role(given, options, path=path) if workload.has_role else None
    return to_google.Plan(
        workload,
        to_google.Federation(
            given["project"],
            options.provider or to_google.provider_for(workload, given["role"] or ""),
            pool=options.pool or to_google.POOL,
            gsa="" if options.direct else _e_mail(given["gsa"], given["project"]),
            grants=tuple(given["grant"] or ()),
            number=options.project_number or "",
        ),
        role,
        options.annotate,
    )


def _role(given: dict[str, Any], options: argparse.Namespace, **more: str) -> AwsRole:
    return AwsRole(
        given["aws-account"],
        given["role"],
        policy_arns=tuple(given["policy-arn"] or ()),
        policy=read(options.policy) if options.policy is not None else "",
        **more,
    )


def _missing(platform: str, given: dict[str, Any], options: argparse.Namespace) -> list[str]:
    if platform in PLATFORMS:
        needed = [*PLATFORMS[platform], "aws-account", "role"]
    else:
        needed = ["project", "aws-account", *to_google.PLATFORMS[platform]]
        needed += [] if platform == "eks-issuer" else ["role"]
        needed += [] if options.direct else ["gsa"]
    return [name for name in needed if given[name] is None]


_ON_AWS_ONLY = ("region", "direct", "grant", "pool", "provider", "project-number")


def _check_effect(platform: str, options: argparse.Namespace) -> None:
    """Check that no option would be ignored.

    Raises:
        ConfigError: An option has no effect on this platform.
    """
    ignored = [*_ON_AWS_ONLY]
    if options.annotate and "ksa" in PLATFORMS.get(platform, ()):
        ignored.remove("region")
    if platform in to_google.PLATFORMS:
        ignored = ["location", "service", "audience", "chain"]
        places = ("region", "cluster", "namespace", "ksa")
        ignored += [name for name in places if name not in to_google.PLATFORMS[platform]]
        if platform in ("eks-issuer", "aws-outbound"):
            ignored += ["policy", "policy-arn"]  # there is no role, or setup does not own it
        ignored += ["role", "role-path"] if platform == "eks-issuer" else []
        ignored += ["gsa"] if options.direct else []
        ignored += [] if options.partition == "aws" else ["partition"]
    if "ksa" not in {**PLATFORMS, **to_google.PLATFORMS}[platform]:
        ignored.append("annotate")
    given = [name for name in ignored if getattr(options, name.replace("-", "_"))]
    if given:
        raise ConfigError(
            f"With --on={platform}{' --direct' if options.direct else ''}, these options have no "
            f"effect: {', '.join(f'--{name}' for name in given)}.",
            fix="remove them, or correct --on.",
            error_id="config/setup-option",
        )


def _answer(name: str, default: str, ask: Ask, project: str = "", rule: str = "") -> str:
    """Prompt for *name* until the answer is valid."""
    while True:
        value = ask(_QUESTIONS[name], default)
        if not value and name in _MAY_BE_EMPTY:
            return value
        try:
            if name == "on":
                return _platform(value)
            return checked(name, _e_mail(value, project) if name == "gsa" else value, rule)
        except ConfigError as error:
            say(str(error))


def _some(name: str, ask: Ask) -> list[str]:
    """Prompt for *name*, and return a list without an empty answer."""
    return [value for value in [_answer(name, "", ask)] if value]


def _platform(value: str) -> str:
    if value not in (*PLATFORMS, *to_google.PLATFORMS):
        raise ConfigError(
            f"The answer must be one of {', '.join((*PLATFORMS, *to_google.PLATFORMS))}."
        )
    return value


def _e_mail(name: str, project: str) -> str:
    return name if "@" in name else email_of(name, project)
