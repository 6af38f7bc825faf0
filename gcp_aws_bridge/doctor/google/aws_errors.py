"""Why one of botocore's providers has no keys, in words of whoever set it up."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import replace

from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.google import instance, pods
from gcp_aws_bridge.doctor.google.context import Walk
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import quoted
from gcp_aws_bridge.google._aws_identity import refused

_ORIGINS = {
    "env": "the environment (AWS_ACCESS_KEY_ID)",
    "assume-role": "the role that the AWS profile names",
    "assume-role-with-web-identity": "IRSA (AWS_WEB_IDENTITY_TOKEN_FILE)",
    "sso": "IAM Identity Center",
    "login": "aws login",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "custom-process": "the profile's credential_process",
    "iam-role": "the instance's metadata service",
}
_SIGN_IN = {"sso": "aws sso login", "login": "aws login"}


def origin(method: str) -> str:
    """Where keys come from, by the name that botocore has for it."""
    if method == "container-role":
        return pods.endpoint()
    if method == "env" and os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return "Lambda's environment"
    return _ORIGINS.get(method, method)


def renewal(walk: Walk, method: str) -> str:
    """How to come by other keys."""
    if method in _SIGN_IN:
        return _sign_in(walk, method)
    if method == "env":
        return (
            "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN, or set fresh ones\n"
            "aws sts get-caller-identity"
        )
    return "aws sts get-caller-identity\nhave new ones made where they come from"


def associate() -> str:
    """The commands that give a pod a role."""
    return pods.associate()


def explain(walk: Walk, method: str, error: Exception) -> Finding:
    """The finding for what one of them raised."""
    found = _EXPLAINED.get(method, _nothing)(walk, error)
    return found or Finding.of("aws", refused(error))


def _nothing(walk: Walk, error: Exception) -> Finding | None:
    return None


def _signed_out(walk: Walk, error: Exception) -> Finding | None:
    """A login that is over, or never was (botocore names its errors so)."""
    name = type(error).__name__
    said = quoted(error, 300)
    if not name.startswith(("SSO", "UnauthorizedSSO", "Login", "TokenRetrieval")):
        return None
    method = "login" if name.startswith("Login") else "sso"
    return _broken(
        f"The login of {_ORIGINS[method]} is over, or there was none: {said}.",
        "A login that has not ended.",
        _sign_in(walk, method),
        "doctor/aws-signed-out",
    )


def _sign_in(walk: Walk, method: str) -> str:
    profile = walk.session.profile
    return f"{_SIGN_IN[method]}{f' --profile {shlex.quote(printable(profile))}' if profile else ''}"


def _half(walk: Walk, error: Exception) -> Finding | None:
    """Name the variables of keys of which a part is missing."""
    return replace(Finding.of("aws", refused(error)), fix=renewal(walk, "env"))


def _process(walk: Walk, error: Exception) -> Finding | None:
    """Name the setting of the program that gave no keys."""
    profile = walk.session.profile
    section = "[default]" if profile in (None, "default") else f"[profile {printable(profile)}]"
    path = os.path.expanduser(walk.session.get_config_variable("config_file"))
    return replace(
        Finding.of("aws", refused(error)),
        fix="run the program that credential_process names by hand, and correct it; or\n"
        f"remove credential_process from {section} in {printable(path)}",
    )


_EXPLAINED: dict[str, Callable[[Walk, Exception], Finding | None]] = {
    "container-role": pods.container,
    "custom-process": _process,
    "env": _half,
    "assume-role-with-web-identity": pods.web_identity,
    "sso": _signed_out,
    "login": _signed_out,
}


def timed_out(walk: Walk, method: str) -> Finding:
    """One of them gave nothing in time."""
    if method == "container-role":
        return pods.no_agent(f"no answer within {walk.timeout_s:g} s")
    return _broken(
        f"{origin(method)} gave no keys within {walk.timeout_s:g} s.",
        f"Keys within {walk.timeout_s:g} s.",
        "time aws sts get-caller-identity\nwhere that is slow, gcp-aws-bridge doctor --timeout 10\n"
        "where it hangs, look at egress to port 443 of AWS, and at a credential_process",
        "doctor/aws-timeout",
    )


def none(walk: Walk) -> Finding:
    """None of them has anything: what this machine would have, where it were set up."""
    seen = "botocore finds no AWS credentials: not in the environment, not in a profile"
    if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return _broken(
            f"{seen}, though this is Lambda: something has cleared its variables.",
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, as Lambda sets them.",
            "start this process with the variables of the function: without env -i, and with "
            "env= in a subprocess that has them",
            "token/aws-none",
        )
    if machine.in_kubernetes():
        return _broken(
            f"{seen}. This pod has no role: no Pod Identity association and no annotation of IRSA "
            "was there when it was made.",
            "A role for the pod's Kubernetes service account.",
            associate(),
            "doctor/aws-pod-without-role",
        )
    return _on_instance(walk, seen) or _broken(
        f"{seen}, and no cloud of AWS's is here.",
        "An AWS identity.",
        "aws configure list-profiles\naws sso login --profile NAME\nexport AWS_PROFILE=NAME",
        "token/aws-none",
    )


def _on_instance(walk: Walk, seen: str) -> Finding | None:
    asked = walk.instance
    if asked is None:
        if not instance.is_ec2():
            return None
        return _broken(
            f"{seen}, and AWS_EC2_METADATA_DISABLED keeps botocore from asking the instance.",
            "The instance's role, asked of its metadata service.",
            "unset AWS_EC2_METADATA_DISABLED",
            "doctor/instance-disabled",
        )
    name = shlex.quote(asked.number or "INSTANCE")
    options = f"aws ec2 modify-instance-metadata-options --instance-id {name} "
    if asked.role:
        return _broken(
            f"The instance has the role {quoted(asked.role)}, and EC2 gives no keys of it: the "
            "role's trust policy does not admit ec2.amazonaws.com, or the role is gone.",
            "A role that trusts EC2.",
            f"aws iam get-role --role-name {shlex.quote(asked.role)} "
            "--query Role.AssumeRolePolicyDocument",
            "doctor/instance-role",
        )
    if asked.status in (200, 404):
        return _broken(
            f"{seen}, and the instance {asked.number} has no role: no instance profile.",
            "An instance profile with the workload's role.",
            f"aws ec2 associate-iam-instance-profile --instance-id {name} "
            "--iam-instance-profile Name=PROFILE",
            "doctor/instance-without-role",
        )
    if asked.status:
        return _broken(
            f"{seen}, and the instance's metadata service at {asked.host} answers HTTP "
            f"{asked.status}: it is switched off, or something else answers.",
            "The instance's metadata service, version 2.",
            f"{options}--http-endpoint enabled",
            "doctor/instance-refuses",
        )
    if not instance.is_ec2():
        return None
    return _broken(
        f"{seen}, and the instance's metadata service at {asked.host} does not answer "
        f"({asked.failure}): its answers go one hop only, which does not reach a container, or "
        "something drops them.",
        "A hop limit of 2, or a container with the network of its host.",
        f"{options}--http-put-response-hop-limit 2",
        "doctor/instance-hop-limit",
    )


def _broken(seen: str, wanted: str, fix: str, finding_id: str) -> Finding:
    return Finding("aws", "broken", seen, wanted=wanted, fix=fix, id=finding_id)
