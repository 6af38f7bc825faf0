"""The functions of `setup` for a plan of either direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gcp_aws_bridge.provision import check, manifests, plan, shell, terraform
from gcp_aws_bridge.provision.chain import Chain
from gcp_aws_bridge.provision.queries import Ask, Finding
from gcp_aws_bridge.provision.to_google import check as google_check
from gcp_aws_bridge.provision.to_google import manifests as google_manifests
from gcp_aws_bridge.provision.to_google import plan as google_plan
from gcp_aws_bridge.provision.to_google import shell as google_shell
from gcp_aws_bridge.provision.to_google import terraform as google_terraform

AnyPlan = plan.Plan | google_plan.Plan

_TO_AWS: dict[str, Callable[[Any], str]] = {
    "shell": shell.script,
    "terraform": terraform.terraform,
    "kubernetes": manifests.manifests,
}
_TO_GOOGLE: dict[str, Callable[[Any], str]] = {
    "shell": google_shell.script,
    "terraform": google_terraform.terraform,
    "kubernetes": google_manifests.manifests,
}


def writers(wanted: AnyPlan) -> dict[str, Callable[[Any], str]]:
    """Return the function that writes each `--format`."""
    return _TO_AWS if isinstance(wanted, plan.Plan) else _TO_GOOGLE


def comparison(wanted: AnyPlan) -> Callable[[Ask], Iterator[Finding]]:
    """Return the function that compares the clouds with the plan."""
    if isinstance(wanted, plan.Plan):
        return partial(check.compare, wanted)
    return partial(google_check.compare, wanted)


def chain_of(wanted: AnyPlan) -> Chain:
    """Return the chained roles, which only a plan for AWS has."""
    return wanted.chain if isinstance(wanted, plan.Plan) else Chain()


def has_manifests(wanted: AnyPlan) -> bool:
    """Return whether manifests can be written: those for AWS contain the project's number."""
    known = isinstance(wanted, plan.Plan) or bool(wanted.google.number)
    return wanted.workload.in_cluster and known
