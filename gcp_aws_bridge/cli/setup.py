"""`gcp-aws-bridge setup`: what to run in both clouds, written for review; it runs none of it."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from gcp_aws_bridge.cli._setup_renderings import AnyPlan

# As in `provision.plan` and `provision.to_google.plan`, which are imported when they are needed.
_PLATFORMS = ("gke", "gke-issuer", "compute-engine", "cloud-run", "cloud-functions")
_ON_AWS = ("eks", "eks-irsa", "eks-issuer", "ec2", "ecs", "lambda", "aws-outbound")
_PARTITIONS = (
    *("aws", "aws-cn", "aws-us-gov", "aws-eusc"),
    *("aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"),
)
_FILES = {"shell": "setup.sh", "terraform": "main.tf", "kubernetes": "kubernetes.yaml"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write what lets a Google Cloud workload assume an AWS role, or one on AWS call Google "
        "Cloud: a shell script of gcloud, kubectl and aws commands, Terraform, or Kubernetes "
        "manifests. Nothing is run: read it, "
        "then run it, and again after every change. On a terminal it asks for what is missing."
    )
    parser.epilog = "Start with: gcp-aws-bridge setup --output out; then bash out/setup.sh"
    _add_workload(parser.add_argument_group("the workload"))
    _add_role(parser.add_argument_group("the role, in AWS"))
    _add_federation(parser.add_argument_group("in Google Cloud, for a workload on AWS"))
    _add_action(parser.add_argument_group("what to do"))
    parser.set_defaults(wrong_usage=parser.error)


def _add_workload(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--on",
        choices=[*_PLATFORMS, *_ON_AWS],
        help="gke: Workload Identity with a Google service account (default); gke-issuer: the "
        "cluster's own tokens, with none. On AWS, to Google Cloud: eks, by Pod Identity; eks-irsa; "
        "eks-issuer, by the cluster's own tokens and no role; ec2, ecs, lambda; aws-outbound: "
        "tokens that AWS signs, for a role that there is",
    )
    group.add_argument("--project", metavar="ID", help="the Google Cloud project")
    group.add_argument("--location", metavar="L", help="region or zone, such as europe-west1")
    group.add_argument("--region", metavar="R", help="of EKS or ECS, such as eu-west-1")
    group.add_argument("--cluster", metavar="NAME", help="GKE: made where there is none")
    group.add_argument(
        "--namespace", metavar="NAME", help="of Kubernetes; made where there is none"
    )
    group.add_argument("--ksa", metavar="NAME", help="the Kubernetes service account")
    group.add_argument("--service", metavar="NAME", help="elsewhere: instance, service, function")
    group.add_argument(
        "--gsa", metavar="EMAIL", help="the Google service account; a name is one of the project"
    )


def _add_role(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--aws-account", metavar="ID", help="12 digits")
    group.add_argument(
        "--role",
        metavar="[PATH/]NAME",
        help="the role's name, after its path if it has one; created if it does not exist",
    )
    group.add_argument("--role-path", metavar="/PATH/", help="path of the role (default: /)")
    group.add_argument("--audience", help="of its tokens (default: its own, aws:ACCOUNT:ROLE)")
    group.add_argument(
        "--policy-arn",
        action="append",
        metavar="ARN",
        help="a managed policy that says what it may do; may be repeated",
    )
    group.add_argument("--policy", metavar="FILE", help="to the same end, a policy in JSON")
    group.add_argument("--partition", choices=_PARTITIONS, default="aws", help="default: aws")


def _add_federation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--direct", action="store_true", help="access as itself, with no Google service account"
    )
    group.add_argument(
        "--grant",
        action="append",
        metavar="ROLE",
        help="what it may do in the project, such as roles/pubsub.publisher; may be repeated",
    )
    group.add_argument(
        "--pool", metavar="ID", help="workload identity pool (default: aws-workloads)"
    )
    group.add_argument(
        "--provider", metavar="ID", help="of the pool, one for each role (default: by the role)"
    )
    group.add_argument(
        "--project-number", metavar="N", help="of the project; manifests have it in them"
    )


def _add_action(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format",
        choices=[*_FILES],
        default="shell",
        help="default: shell, which has the manifests in it",
    )
    group.add_argument("--output", metavar="DIR", help="write files there, in place of printing")
    group.add_argument("--non-interactive", action="store_true", help="never ask")
    group.add_argument("--json", action="store_true", help="with --check: print JSON")
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
    if options.json and not options.check:
        options.wrong_usage("--json is for --check")
    from gcp_aws_bridge.cli import _setup_files, _setup_plan

    put = partial(_setup_files.put, folder=options.output)
    if options.from_pod is not None:
        from gcp_aws_bridge.cli import _from_pod

        return _from_pod.run(options.from_pod, put)
    asks = not options.non_interactive and sys.stdin.isatty() and sys.stderr.isatty()
    plan = _setup_plan.plan(options, _setup_plan.asked if asks else None)
    if options.check:
        from gcp_aws_bridge.cli import _setup_check
        from gcp_aws_bridge.cli._setup_renderings import compared

        return _setup_check.run(compared(plan), as_json=options.json)
    put(_made(options.format, plan, with_manifests=options.output is not None))
    if options.output is not None:
        _setup_files.say(f"Read it, then: {_next_step(options.format, options.output, plan)}")
    return 0


def _made(form: str, plan: AnyPlan, *, with_manifests: bool) -> dict[str, str]:
    """What was asked for, by file names; and the manifests that go with it.

    Raises:
        ConfigError: There is no such thing.
    """
    from gcp_aws_bridge.cli._setup_renderings import has_manifests, renderings

    if form == "kubernetes" and not plan.workload.in_cluster:
        raise ConfigError(
            f"There are no Kubernetes manifests on {plan.workload.platform}.",
            fix="use --format=shell or --format=terraform.",
            error_id="config/setup-format",
        )
    wants_manifests = form == "kubernetes" or (form == "terraform" and with_manifests)
    if wants_manifests and plan.workload.in_cluster and not has_manifests(plan):
        raise ConfigError(
            "Not given: --project-number, which the manifests have in them.",
            fix="ask: gcloud projects describe PROJECT --format='value(projectNumber)'.",
            error_id="config/setup-missing",
        )
    made = renderings(plan)
    forms = {form, "kubernetes"} if with_manifests and has_manifests(plan) else {form}
    return {name: made[one]() for one, name in _FILES.items() if one in forms}


def _next_step(form: str, folder: str, plan: AnyPlan) -> str:
    from shlex import quote

    from gcp_aws_bridge.cli._setup_renderings import has_manifests
    from gcp_aws_bridge.provision.blocks import applied

    path = {one: quote(os.path.join(folder, name)) for one, name in _FILES.items()}
    apply = applied(plan.workload.namespace, path["kubernetes"])
    if form == "shell":
        return f"bash {path['shell']}"
    if form == "kubernetes":
        return apply
    chdir = f"terraform -chdir={quote(folder)}"
    after = f" && {apply}" if has_manifests(plan) else ""
    return f"{chdir} init && {chdir} apply{after}"
