"""Explains why a botocore credential provider found no AWS credentials."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.google import instance, pods
from gcp_aws_bridge.doctor.google.context import GoogleContext
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
_broken = partial(Finding, "aws", "broken")


def origin(method: str) -> str:
    """Return where a provider's keys come from, by botocore's name for the provider."""
    if method == "container-role":
        return pods.endpoint()
    if method == "env" and os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return "Lambda's environment"
    return _ORIGINS.get(method, method)


def replacement(context: GoogleContext, method: str) -> str:
    """Return how to get other keys."""
    if method in _SIGN_IN:
        return _sign_in(context, method)
    if method == "env":
        return (
            "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN, or set fresh ones\n"
            "aws sts get-caller-identity"
        )
    return "aws sts get-caller-identity\nget new keys from the same source"


def explain(context: GoogleContext, method: str, error: Exception) -> Finding:
    """Return the finding for an exception of the provider *method*."""
    explanation = _EXPLANATIONS.get(method)
    found = explanation(context, error) if explanation else None
    return found or Finding.of("aws", refused(error))


def _signed_out(context: GoogleContext, error: Exception) -> Finding | None:
    """Explain a login that has expired or does not exist, by the name of the exception."""
    name = type(error).__name__
    if not name.startswith(("SSO", "UnauthorizedSSO", "Login", "TokenRetrieval")):
        return None
    method = "login" if name.startswith("Login") else "sso"
    return _broken(
        f"The login of {_ORIGINS[method]} has expired, or there was none: {quoted(error, 300)}.",
        "An unexpired login.",
        _sign_in(context, method),
        "doctor/aws-signed-out",
    )


def _sign_in(context: GoogleContext, method: str) -> str:
    profile = context.session.profile
    return f"{_SIGN_IN[method]}{f' --profile {shlex.quote(printable(profile))}' if profile else ''}"


def _incomplete(context: GoogleContext, error: Exception) -> Finding:
    """Name the variables, if only some of a key's variables are set."""
    return replace(Finding.of("aws", refused(error)), fix=replacement(context, "env"))


def _process(context: GoogleContext, error: Exception) -> Finding:
    """Name the setting of a program that returned no keys."""
    profile = context.session.profile
    section = "[default]" if profile in (None, "default") else f"[profile {printable(profile)}]"
    path = os.path.expanduser(context.session.get_config_variable("config_file"))
    return replace(
        Finding.of("aws", refused(error)),
        fix="run the program that credential_process names by hand, and correct it; or\n"
        f"remove credential_process from {section} in {printable(path)}",
    )


_EXPLANATIONS: dict[str, Callable[[GoogleContext, Exception], Finding | None]] = {
    "container-role": pods.container,
    "custom-process": _process,
    "env": _incomplete,
    "assume-role-with-web-identity": pods.web_identity,
    "sso": _signed_out,
    "login": _signed_out,
}


def timed_out(context: GoogleContext, method: str) -> Finding:
    """Return the finding for a provider that returned nothing in time."""
    limit = f"within {context.timeout_s:g} s"
    if method == "container-role":
        return pods.no_keys(f"no answer {limit}")
    return _broken(
        f"There were no keys from {origin(method)} {limit}.",
        f"Keys {limit}.",
        "time aws sts get-caller-identity\nwhere that is slow, gcp-aws-bridge doctor --timeout 10\n"
        "where it hangs, check egress to port 443 of AWS, and the program of credential_process",
        "doctor/aws-timeout",
    )


def none(context: GoogleContext) -> Finding:
    """Return the finding if no provider has keys: what this platform would have if set up."""
    seen = "botocore finds no AWS credentials: not in the environment, not in a profile"
    if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return _broken(
            f"{seen}, though this is Lambda: its variables were removed.",
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, as Lambda sets them.",
            "start this process with the variables of the function: without env -i, and with "
            "env= in a subprocess that has them",
            "token/aws-none",
        )
    if machine.in_kubernetes():
        return _broken(
            f"{seen}. This pod has no role: there was no Pod Identity association and no "
            "annotation of IRSA when it was created.",
            "A role for the pod's Kubernetes service account.",
            pods.associate(),
            "doctor/aws-pod-without-role",
        )
    return _on_instance(context, seen) or _broken(
        f"{seen}, and this is not a platform of AWS.",
        "An AWS identity.",
        "aws configure list-profiles\naws sso login --profile NAME\nexport AWS_PROFILE=NAME",
        "token/aws-none",
    )


def _on_instance(context: GoogleContext, seen: str) -> Finding | None:
    found = context.instance
    if found is None:
        return _metadata_disabled(seen) if instance.is_ec2() else None
    instance_id = shlex.quote(found.instance_id or "INSTANCE")
    options = f"aws ec2 modify-instance-metadata-options --instance-id {instance_id} "
    if found.role:
        return _broken(
            f"The instance has the role {quoted(found.role)}, and EC2 returns no keys for it: the "
            "role's trust policy does not admit ec2.amazonaws.com, or the role was deleted.",
            "A role that trusts EC2.",
            f"aws iam get-role --role-name {shlex.quote(found.role)} "
            "--query Role.AssumeRolePolicyDocument",
            "doctor/instance-role",
        )
    if found.status in (200, 404):
        return _broken(
            f"{seen}, and the instance {found.instance_id} has no role: no instance profile.",
            "An instance profile with the workload's role.",
            f"aws ec2 associate-iam-instance-profile --instance-id {instance_id} "
            "--iam-instance-profile Name=PROFILE",
            "doctor/instance-without-role",
        )
    service = f"the instance's metadata service at {found.host}"
    if found.status:
        return _broken(
            f"{seen}, and {service} answers HTTP {found.status}: it is disabled, or another "
            "server answers.",
            "The instance's metadata service, version 2.",
            f"{options}--http-endpoint enabled",
            "doctor/instance-refuses",
        )
    return _hop_limit(f"{seen}, and {service}", found.failure, options)


def _metadata_disabled(seen: str) -> Finding:
    return _broken(
        f"{seen}, and AWS_EC2_METADATA_DISABLED keeps botocore from asking the instance.",
        "The instance's role, from its metadata service.",
        "unset AWS_EC2_METADATA_DISABLED",
        "doctor/instance-disabled",
    )


def _hop_limit(service: str, failure: str, options: str) -> Finding | None:
    if not instance.is_ec2():
        return None
    return _broken(
        f"{service} does not answer ({failure}): its hop limit is 1, so that answers do not reach "
        "a container, or its packets are dropped.",
        "A hop limit of 2, or a container with the network of its host.",
        f"{options}--http-put-response-hop-limit 2",
        "doctor/instance-hop-limit",
    )
