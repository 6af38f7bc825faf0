"""`gcp-aws-bridge setup`: write scripts for both clouds, for review, without running them."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from gcp_aws_bridge.cli import _chain_options
from gcp_aws_bridge.exceptions import ConfigError

if TYPE_CHECKING:
    from gcp_aws_bridge.cli._setup_formats import AnyPlan

# The same as in `provision.plan` and `provision.to_google.plan`, which are imported only if needed.
_PLATFORMS = (
    *("gke", "gke-issuer", "compute-engine", "cloud-run", "cloud-run-job", "cloud-functions"),
    *("dataflow", "dataproc", "vertex-ai", "workbench", "cloud-build", "composer"),
)
_ON_AWS = ("eks", "eks-irsa", "eks-issuer", "ec2", "ecs", "lambda", "aws-outbound")
_PARTITIONS = (
    *("aws", "aws-cn", "aws-us-gov", "aws-eusc"),
    *("aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"),
)
_FILES = {"shell": "setup.sh", "terraform": "main.tf", "kubernetes": "kubernetes.yaml"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write the configuration that lets a workload on Google Cloud assume an AWS role, or a "
        "workload on AWS call Google Cloud: a shell script of gcloud, kubectl and aws commands, "
        "Terraform, or Kubernetes manifests. Runs nothing: review the output, then run it, and "
        "again after every change. In a terminal, it prompts for missing options."
    )
    parser.epilog = "Start with: gcp-aws-bridge setup --output out; then bash out/setup.sh"
    _add_workload(parser.add_argument_group("the workload"))
    _add_role(parser.add_argument_group("the role, in AWS"))
    _chain_options.add(parser)
    _add_federation(parser.add_argument_group("in Google Cloud, for a workload on AWS"))
    _add_action(parser.add_argument_group("what to do"))
    parser.set_defaults(wrong_usage=parser.error)


def _add_workload(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--on",
        choices=[*_PLATFORMS, *_ON_AWS],
        help="gke: Workload Identity with a Google service account (default); gke-issuer: tokens "
        "signed by the cluster, without a service account; vertex-ai: custom jobs. On AWS, to "
        "Google Cloud: eks: Pod Identity; eks-irsa; eks-issuer: tokens signed by the cluster, "
        "without a role; ec2, ecs, lambda; aws-outbound: tokens signed by AWS, for an existing "
        "role",
    )
    group.add_argument("--project", metavar="ID", help="Google Cloud project")
    group.add_argument("--location", metavar="L", help="region or zone, such as europe-west1")
    group.add_argument("--region", metavar="R", help="region of EKS or ECS, such as eu-west-1")
    group.add_argument(
        "--cluster",
        metavar="NAME",
        help="name of the cluster; a GKE cluster is created if it does not exist",
    )
    group.add_argument(
        "--namespace", metavar="NAME", help="Kubernetes namespace; created if it does not exist"
    )
    group.add_argument("--ksa", metavar="NAME", help="Kubernetes service account")
    group.add_argument(
        "--service",
        metavar="NAME",
        help="on other platforms: name of the instance, service, job, function, Dataproc cluster, "
        "Cloud Build trigger or Composer environment",
    )
    group.add_argument(
        "--gsa",
        metavar="EMAIL",
        help="Google service account; a name without @ belongs to the project",
    )


def _add_role(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--aws-account", metavar="ID", help="12 digits")
    group.add_argument(
        "--role",
        metavar="[PATH/]NAME",
        help="name of the role, with its path if it has one; created if it does not exist",
    )
    group.add_argument("--role-path", metavar="/PATH/", help="path of the role (default: /)")
    group.add_argument("--audience", help="audience of the ID tokens (default: aws:ACCOUNT:ROLE)")
    group.add_argument(
        "--policy-arn",
        action="append",
        metavar="ARN",
        help="managed policy with permissions of the role; may be repeated",
    )
    group.add_argument(
        "--policy", metavar="FILE", help="file with an inline policy for the role, as JSON"
    )
    group.add_argument("--partition", choices=_PARTITIONS, default="aws", help="default: aws")


def _add_federation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--direct",
        action="store_true",
        help="access as the workload itself, without a Google service account",
    )
    group.add_argument(
        "--grant",
        action="append",
        metavar="ROLE",
        help="role to grant in the project, such as roles/pubsub.publisher; may be repeated",
    )
    group.add_argument(
        "--pool", metavar="ID", help="workload identity pool (default: aws-workloads)"
    )
    group.add_argument(
        "--provider",
        metavar="ID",
        help="provider of the pool, a separate one for each role (default: named after the role)",
    )
    group.add_argument(
        "--project-number", metavar="N", help="number of the project, which manifests contain"
    )


def _add_action(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format",
        choices=[*_FILES],
        default="shell",
        help="default: shell, which contains the manifests",
    )
    group.add_argument(
        "--annotate",
        action="store_true",
        help="for pods that get credentials from annotations: annotate the Kubernetes service "
        "account instead of setting variables in the pod. --region is then the region of such "
        "pods in GKE",
    )
    group.add_argument(
        "--output", metavar="DIR", help="write files to this folder instead of printing"
    )
    group.add_argument("--non-interactive", action="store_true", help="never prompt")
    group.add_argument("--json", action="store_true", help="with --check: print JSON")
    instead = group.add_mutually_exclusive_group()
    instead.add_argument(
        "--check",
        action="store_true",
        help="compare the clouds with the plan, by read-only commands of gcloud, kubectl and aws; "
        "exit status 1 if something is missing, differs or cannot be read",
    )
    instead.add_argument(
        "--from-pod",
        metavar="FILE",
        help="rewrite a manifest so that it needs no credential_process script or token sidecar "
        "(needs gcp-aws-bridge[setup])",
    )


def run(options: argparse.Namespace) -> int:
    """Write, compare or rewrite.

    Returns:
        0 on success; 1 if `--check` found a difference, or `--from-pod` left something unchanged.
    """
    if options.json and not options.check:
        options.wrong_usage("--json needs --check")
    from gcp_aws_bridge.cli import _setup_files, _setup_plan

    put = partial(_setup_files.put, folder=options.output)
    if options.from_pod is not None:
        from gcp_aws_bridge.cli import _from_pod

        return _from_pod.run(options.from_pod, put)
    asks = not options.non_interactive and sys.stdin.isatty() and sys.stderr.isatty()
    plan = _setup_plan.plan(options, _setup_plan.prompt if asks else None)
    if options.check:
        from gcp_aws_bridge.cli import _setup_check
        from gcp_aws_bridge.cli._setup_formats import comparison

        return _setup_check.run(comparison(plan), as_json=options.json)
    put(_files(options.format, plan, with_manifests=options.output is not None))
    if options.output is not None:
        _setup_files.say(f"Review it, then run: {_next_step(options.format, options.output, plan)}")
    return 0


def _files(form: str, plan: AnyPlan, *, with_manifests: bool) -> dict[str, str]:
    """Return the files of a format, by name.

    Args:
        form: The requested format.
        plan: What to write.
        with_manifests: Whether to add the manifests to other formats.

    Raises:
        ConfigError: There are no manifests for this platform, or an option is missing for them.
    """
    from gcp_aws_bridge.cli._setup_formats import has_manifests, writers

    if form == "kubernetes" and not plan.workload.in_cluster:
        raise ConfigError(
            f"There are no Kubernetes manifests for {plan.workload.platform}.",
            fix="use --format=shell or --format=terraform.",
            error_id="config/setup-format",
        )
    wants_manifests = form == "kubernetes" or (form == "terraform" and with_manifests)
    if wants_manifests and plan.workload.in_cluster and not has_manifests(plan):
        raise ConfigError(
            "Missing option: --project-number, which the manifests contain.",
            fix="find it: gcloud projects describe PROJECT --format='value(projectNumber)'.",
            error_id="config/setup-missing",
        )
    write = writers(plan)
    forms = {form, "kubernetes"} if with_manifests and has_manifests(plan) else {form}
    found = {name: write[one](plan) for one, name in _FILES.items() if one in forms}
    return {**found, **(_trust_policies(plan) if with_manifests else {})}


def _trust_policies(plan: AnyPlan) -> dict[str, str]:
    """Return the trust policies of the chained roles, for their owners, as files."""
    from gcp_aws_bridge.cli._setup_formats import chain_of
    from gcp_aws_bridge.policy import render

    policies = chain_of(plan).trust_policies
    return {
        f"trust-policy-{number}-{arn.rpartition('/')[2]}.json": render(policy, "json")
        for number, (arn, policy) in enumerate(policies.items(), 1)
    }


def _next_step(form: str, folder: str, plan: AnyPlan) -> str:
    from shlex import quote

    from gcp_aws_bridge.cli._setup_formats import has_manifests
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
