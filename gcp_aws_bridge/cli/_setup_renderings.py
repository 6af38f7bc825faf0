"""What `setup` makes of a plan, of either direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from gcp_aws_bridge.provision import check, manifests, plan, shell, terraform
from gcp_aws_bridge.provision.asking import Ask, Finding
from gcp_aws_bridge.provision.to_google import check as google_check
from gcp_aws_bridge.provision.to_google import manifests as google_manifests
from gcp_aws_bridge.provision.to_google import plan as google_plan
from gcp_aws_bridge.provision.to_google import shell as google_shell
from gcp_aws_bridge.provision.to_google import terraform as google_terraform

AnyPlan = plan.Plan | google_plan.Plan


def renderings(wanted: AnyPlan) -> dict[str, Callable[[], str]]:
    """Each form of it, by `--format`."""
    if isinstance(wanted, plan.Plan):
        return {
            "shell": partial(shell.script, wanted),
            "terraform": partial(terraform.terraform, wanted),
            "kubernetes": partial(manifests.manifests, wanted),
        }
    return {
        "shell": partial(google_shell.script, wanted),
        "terraform": partial(google_terraform.terraform, wanted),
        "kubernetes": partial(google_manifests.manifests, wanted),
    }


def compared(wanted: AnyPlan) -> Callable[[Ask], Iterator[Finding]]:
    """What holds the clouds against it."""
    if isinstance(wanted, plan.Plan):
        return partial(check.compare, wanted)
    return partial(google_check.compare, wanted)


def has_manifests(wanted: AnyPlan) -> bool:
    """Whether manifests can be made: of the other direction, with the project's number in them."""
    known = isinstance(wanted, plan.Plan) or bool(wanted.google.number)
    return wanted.workload.in_cluster and known
