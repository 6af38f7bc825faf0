"""The plan of `setup`, by flags, and by answers where somebody is there to ask."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from gcp_aws_bridge.cli._setup_files import read, say
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.provision.names import checked
from gcp_aws_bridge.provision.plan import PLATFORMS, AwsRole, Plan, Workload, own_audience

# By the flags.
_QUESTIONS = {
    "on": f"Where the workload runs: {', '.join(PLATFORMS)}",
    "project": "Google Cloud project (its id)",
    "location": "Region or zone, such as europe-west1",
    "cluster": "GKE cluster",
    "namespace": "Kubernetes namespace",
    "ksa": "Kubernetes service account",
    "service": "Instance, service or function",
    "gsa": "Google service account (name or e-mail)",
    "aws-account": "AWS account (12 digits)",
    "role": "Role in AWS (its name)",
    "audience": "Audience of its tokens",
    "policy-arn": "Managed policy that says what the role may do (ARN; empty: none yet)",
}
_MAY_BE_EMPTY = ("policy-arn",)
Ask = Callable[[str, str], str]


def asked(question: str, default: str) -> str:
    """The answer of who is at the terminal; *default* for an empty one."""
    print(f"{question}{f' [{default}]' if default else ''}: ", end="", file=sys.stderr, flush=True)
    try:
        return input().strip() or default
    except EOFError:  # Ctrl-D
        raise KeyboardInterrupt from None


def plan(options: argparse.Namespace, ask: Ask | None) -> Plan:
    """The plan; nobody is asked where nothing is missing.

    Raises:
        ConfigError: Something is missing, or is none of what the clouds take.
    """
    given = {name: getattr(options, name.replace("-", "_")) for name in _QUESTIONS}
    platform = given["on"] or "gke"
    missing = _missing(platform, given)
    if missing and ask is None:
        raise ConfigError(
            f"Not given: {', '.join(f'--{name}' for name in missing)}.",
            fix="give them, or run it on a terminal, where it asks.",
            error_id="config/setup-missing",
        )
    if missing and ask is not None:
        platform = given["on"] or _answer("on", "gke", ask)
        _fill_in(given, _missing(platform, given), ask)
        if options.policy is None and not given["policy-arn"]:
            given["policy-arn"] = [arn for arn in [_answer("policy-arn", "", ask)] if arn]
    values = {name: given[name] for name in PLATFORMS[platform]}
    if "gsa" in values:
        values["gsa"] = _e_mail(values["gsa"], values["project"])
    return Plan(
        Workload(platform, **values),
        AwsRole(
            given["aws-account"],
            given["role"],
            audience=given["audience"] or "",
            policy_arns=tuple(given["policy-arn"] or ()),
            policy=read(options.policy) if options.policy is not None else "",
            partition=options.partition,
        ),
    )


def _missing(platform: str, given: dict[str, str | None]) -> list[str]:
    needed = (*PLATFORMS[platform], "aws-account", "role")
    return [name for name in needed if given[name] is None]


def _fill_in(given: dict[str, str | None], missing: list[str], ask: Ask) -> None:
    for name in missing:
        default = {"namespace": "default", "gsa": given["ksa"]}.get(name) or ""
        given[name] = _answer(name, default, ask, given["project"] or "")
    if given["audience"] is None:
        default = own_audience(str(given["aws-account"]), str(given["role"]))
        given["audience"] = _answer("audience", default, ask)


def _answer(name: str, default: str, ask: Ask, project: str = "") -> str:
    """What is answered to the question for *name*, asked until it will do."""
    while True:
        value = ask(_QUESTIONS[name], default)
        if not value and name in _MAY_BE_EMPTY:
            return value
        try:
            if name == "on":
                return _platform(value)
            return checked(name, _e_mail(value, project) if name == "gsa" else value)
        except ConfigError as error:
            say(str(error))


def _platform(value: str) -> str:
    if value not in PLATFORMS:
        raise ConfigError(f"That is none of {', '.join(PLATFORMS)}.")
    return value


def _e_mail(name: str, project: str) -> str:
    return name if "@" in name else f"{name}@{project}.iam.gserviceaccount.com"
