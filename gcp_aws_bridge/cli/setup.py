"""`gcp-aws-bridge setup`: what to run in both clouds, written for review; it runs none of it."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from gcp_aws_bridge.provision.plan import Plan

# As in `provision.plan`, which is imported when it is needed.
_PLATFORMS = ("gke", "gke-issuer", "compute-engine", "cloud-run", "cloud-functions")
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
_FILES = {"shell": "setup.sh", "terraform": "main.tf", "kubernetes": "kubernetes.yaml"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write what lets a Google Cloud workload assume an AWS role: a shell script of gcloud, "
        "kubectl and aws commands, Terraform, or Kubernetes manifests. Nothing is run: read it, "
        "then run it, and again after every change. On a terminal it asks for what is missing."
    )
    parser.epilog = "Start with: gcp-aws-bridge setup --output out; then bash out/setup.sh"
    _add_workload(parser.add_argument_group("the workload, on Google Cloud"))
    _add_role(parser.add_argument_group("the role, in AWS"))
    _add_action(parser.add_argument_group("what to do"))


def _add_workload(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--on",
        choices=_PLATFORMS,
        help="gke: Workload Identity with a Google service account (default); gke-issuer: the "
        "cluster's own tokens, with none",
    )
    group.add_argument("--project", metavar="ID", help="of the workload")
    group.add_argument("--location", metavar="L", help="region or zone, such as europe-west1")
    group.add_argument("--cluster", metavar="NAME", help="GKE: made where there is none")
    group.add_argument("--namespace", metavar="NAME", help="GKE: made where there is none")
    group.add_argument("--ksa", metavar="NAME", help="GKE: the Kubernetes service account")
    group.add_argument("--service", metavar="NAME", help="elsewhere: instance, service, function")
    group.add_argument(
        "--gsa", metavar="EMAIL", help="the Google service account; a name is one of the project"
    )


def _add_role(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--aws-account", metavar="ID", help="12 digits")
    group.add_argument("--role", metavar="NAME", help="the role's name; made where there is none")
    group.add_argument("--audience", help="of its tokens (default: its own, aws:ACCOUNT:ROLE)")
    group.add_argument(
        "--policy-arn",
        action="append",
        metavar="ARN",
        help="a managed policy that says what it may do; may be repeated",
    )
    group.add_argument("--policy", metavar="FILE", help="to the same end, a policy in JSON")
    group.add_argument("--partition", choices=_PARTITIONS, default="aws", help="default: aws")


def _add_action(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format",
        choices=[*_FILES],
        default="shell",
        help="default: shell, which has the manifests in it",
    )
    group.add_argument("--output", metavar="DIR", help="write files there, in place of printing")
    group.add_argument("--non-interactive", action="store_true", help="never ask")
    instead = group.add_mutually_exclusive_group()
    instead.add_argument(
        "--check",
        action="store_true",
        help="compare what exists with what should, by gcloud, kubectl and aws, which only read; "
        "status 1 where something is missing, differs or cannot be seen",
    )
    instead.add_argument(
        "--from-pod",
        metavar="FILE",
        help="rewrite a manifest with a credential_process script or a token sidecar to one that "
        "needs neither (needs gcp-aws-bridge[setup])",
    )


def run(options: argparse.Namespace) -> int:
    """Write, compare or rewrite.

    Returns:
        0 when done; 1 where `--check` found something, or `--from-pod` left something.
    """
    from gcp_aws_bridge.cli import _setup_files, _setup_plan

    put = partial(_setup_files.put, folder=options.output)
    if options.from_pod is not None:
        from gcp_aws_bridge.cli import _from_pod

        return _from_pod.run(options.from_pod, put)
    asks = not options.non_interactive and sys.stdin.isatty() and sys.stderr.isatty()
    plan = _setup_plan.plan(options, _setup_plan.asked if asks else None)
    if options.check:
        from gcp_aws_bridge.cli import _setup_check

        return _setup_check.run(plan)
    put(_made(options.format, plan, with_manifests=options.output is not None))
    if options.output is not None:
        _setup_files.say(f"Read it, then: {_next_step(options.format, options.output, plan)}")
    return 0


def _made(form: str, plan: Plan, *, with_manifests: bool) -> dict[str, str]:
    """What was asked for, by file names; and the manifests that go with it.

    Raises:
        ConfigError: There is no such thing.
    """
    from gcp_aws_bridge.provision.manifests import manifests
    from gcp_aws_bridge.provision.shell import script
    from gcp_aws_bridge.provision.terraform import terraform

    if form == "kubernetes" and not plan.workload.in_cluster:
        raise ConfigError(
            f"There are no Kubernetes manifests on {plan.workload.platform}.",
            fix="use --format=shell or --format=terraform.",
            error_id="config/setup-format",
        )
    made = {"shell": script, "terraform": terraform, "kubernetes": manifests}
    forms = {form, "kubernetes"} if with_manifests and plan.workload.in_cluster else {form}
    return {name: made[one](plan) for one, name in _FILES.items() if one in forms}


def _next_step(form: str, folder: str, plan: Plan) -> str:
    from shlex import quote

    path = {one: quote(os.path.join(folder, name)) for one, name in _FILES.items()}
    apply = f"kubectl apply -f {path['kubernetes']}"
    if form == "shell":
        return f"bash {path['shell']}"
    if form == "kubernetes":
        return apply
    chdir = f"terraform -chdir={quote(folder)}"
    after = f" && {apply}" if plan.workload.in_cluster else ""
    return f"{chdir} init && {chdir} apply{after}"
