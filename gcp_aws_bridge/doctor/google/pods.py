"""Explains why EKS Pod Identity, IRSA or ECS gave no keys.

Sources: EKS user guide, "Troubleshoot IAM" and "Learn how EKS Pod Identity grants pods access";
EKS Auth API reference; AWS SDKs and Tools reference, "Container credential provider"; STS API
reference, AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from functools import partial

import botocore.exceptions

from gcp_aws_bridge import policy
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.token_file import TokenFile
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.context import claims_text
from gcp_aws_bridge.doctor.google.context import GoogleContext
from gcp_aws_bridge.doctor.metadata import printable
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import BridgeError, ConfigError, quoted

_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
_FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_WEB_TOKEN = "AWS_WEB_IDENTITY_TOKEN_FILE"
_STS = "sts.amazonaws.com"
_AGENT_FIX = (
    "kubectl -n kube-system get pods -l app.kubernetes.io/name=eks-pod-identity-agent -o wide\n"
    "aws eks describe-addon --addon-name eks-pod-identity-agent --cluster-name CLUSTER\n"
    "in a network policy, allow egress to 169.254.170.23/32 port 80"
)
_ARN = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/\S+")
_RECREATE = "kubectl delete pod POD   # it will be recreated"
_broken = partial(Finding, "aws", "broken")


def endpoint() -> str:
    """Return the name of the service that gives this container its keys."""
    if os.environ.get(_TOKEN_FILE):
        return "EKS Pod Identity"
    if os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return "ECS"
    return f"the endpoint that {_FULL_URI} names"


def associate() -> str:
    """Return the commands that give the pod a role."""
    namespace, name = machine.kubernetes_account() or ("NAMESPACE", "KSA")
    return (
        "aws eks create-pod-identity-association --cluster-name CLUSTER "
        f"--namespace {shlex.quote(namespace)} --service-account {shlex.quote(name)} "
        "--role-arn ROLE_ARN\n"
        f"kubectl -n {shlex.quote(namespace)} rollout restart deployment NAME\n"
        "gcp-aws-bridge setup --on eks writes all of it"
    )


def container(context: GoogleContext, error: Exception) -> Finding | None:
    """Explain an error of the container credentials endpoint."""
    message = str(error)
    if isinstance(error, OSError) or "legal header value" in message:
        return _pod_token(f"cannot be used ({getattr(error, 'strerror', None) or message})")
    if isinstance(error, ValueError):
        return _broken(
            f"{_FULL_URI} is {quoted(os.environ.get(_FULL_URI))}, to which botocore sends no "
            "token: it uses plain HTTP only to this machine and to ECS's and EKS's own addresses.",
            "An address on loopback, 169.254.170.2 or 169.254.170.23; or HTTPS.",
            f"env | grep AWS_CONTAINER\nunset {_FULL_URI}, or correct it",
            "doctor/container-address",
        )
    for sign, finding_id, seen, wanted, fix in _AGENT_ERRORS:
        if os.environ.get(_TOKEN_FILE) and re.search(sign, message):
            return _broken(f"{seen}: {quoted(message, 300)}.", wanted, fix, finding_id)
    return no_keys(message)


_AGENT_ERRORS = (
    (
        "ExpiredToken|InvalidToken|InvalidRequest",
        "doctor/pod-identity-token",
        f"EKS Pod Identity rejects the token in the file that {_TOKEN_FILE} names",
        "A projected token for pods.eks.amazonaws.com, which the kubelet refreshes.",
        f"{_RECREATE}\nkubectl get pod POD -o yaml, and look at its projected volumes",
    ),
    (
        "No EKS Pod Identity association|ResourceNotFound",
        "doctor/pod-identity-association",
        "EKS no longer has a Pod Identity association for this pod's service account",
        "An association with the workload's role.",
        (
            "aws eks list-pod-identity-associations --cluster-name CLUSTER\n"
            "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace NAMESPACE "
            "--service-account KSA --role-arn ROLE_ARN"
        ),
    ),
    (
        "AccessDenied",
        "doctor/pod-identity-trust",
        "The role of the Pod Identity association does not trust EKS",
        json.dumps(
            {
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
        ),
        (
            "add that statement: aws iam update-assume-role-policy --role-name ROLE "
            "--policy-document file://trust.json\ngcp-aws-bridge setup --on eks writes all of it"
        ),
    ),
)


def no_keys(message: str) -> Finding:
    """Return the finding for an endpoint that does not answer, or not with keys."""
    if not os.environ.get(_TOKEN_FILE):
        return _broken(
            f"There are no keys from {endpoint()}: {quoted(message, 300)}.",
            "Keys of the task's role.",
            "env | grep AWS_CONTAINER\n"
            f"{_FULL_URI} and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI belong to one task: do not "
            "set them by hand\n"
            "register the task definition with taskRoleArn, and start new tasks of it:\n"
            "aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY "
            "--force-new-deployment",
            "doctor/container-endpoint",
        )
    return _broken(
        f"The EKS Pod Identity agent at {quoted(os.environ.get(_FULL_URI))} gives no keys: "
        f"{quoted(message, 300)}.",
        "The agent, on each node.",
        _AGENT_FIX,
        "doctor/pod-identity-agent",
    )


def _pod_token(problem: str) -> Finding:
    return _broken(
        f"The file {quoted(os.environ.get(_TOKEN_FILE))} that {_TOKEN_FILE} names {problem}.",
        "The projected token of EKS Pod Identity, at that path and readable.",
        f"ls -l {shlex.quote(os.environ.get(_TOKEN_FILE, ''))}\n{_RECREATE}\n"
        "give the container a fsGroup or user that may read the file",
        "doctor/pod-identity-token",
    )


def web_identity(context: GoogleContext, error: Exception) -> Finding | None:
    """Explain an error of AssumeRoleWithWebIdentity with IRSA's token file."""
    path = os.environ.get(_WEB_TOKEN)
    if not path:  # set in a profile, which botocore's error names
        return None
    origin = f"The file {quoted(path)} that {_WEB_TOKEN} names"
    try:
        token = id_token.parse(TokenFile(path)(), origin=origin)
    except BridgeError as problem:
        return _web_token(str(problem.args[0]))
    if token.expiration <= context.world.clock():
        return _web_token(f"{origin} has a token that expired at {token.expiration:%H:%M:%S} UTC.")
    if _STS not in token.audience:
        return _web_token(
            f"{origin} has a token for {quoted(', '.join(token.audience))}, not for {_STS}."
        )
    if not isinstance(error, botocore.exceptions.ClientError):
        return None
    return _denied(token, error)


def _web_token(seen: str) -> Finding:
    return _broken(
        seen,
        f"The projected token of IRSA, for {_STS}, which the kubelet refreshes.",
        f"kubectl get serviceaccount KSA -o yaml, and look at its annotations\nls -l ${_WEB_TOKEN}"
        f"\n{_RECREATE}",
        "doctor/irsa-token",
    )


def _denied(token: id_token.IdToken, error: botocore.exceptions.ClientError) -> Finding | None:
    answer = error.response.get("Error", {})
    code, arn = answer.get("Code"), os.environ.get("AWS_ROLE_ARN", "")
    if code == "InvalidIdentityToken":
        return _broken(
            f"AWS does not know the issuer of this pod's token ({quoted(token.issuer)}): "
            f"{quoted(answer.get('Message'), 300)}.",
            f"An IAM OIDC provider for the cluster's issuer, with the client id {_STS}.",
            f"aws iam create-open-id-connect-provider --url {shlex.quote(printable(token.issuer))} "
            f"--client-id-list {_STS}",
            "doctor/irsa-provider",
        )
    match = _ARN.fullmatch(arn)
    if code != "AccessDenied" or match is None:
        return None
    name = shlex.quote(printable(arn.rpartition("/")[2]))
    fix = f"aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument\n"
    try:
        statement = policy.statement_for(
            id_token.claims_of(token), account_id=match[2], partition=match[1]
        )
    except ConfigError as problem:
        wanted = str(problem.args[0])
        fix += problem.fix
    else:
        wanted = json.dumps(policy.policy_of(statement))
        fix += (
            "if this pod should have the role (this replaces the whole policy: keep the rest of "
            f"it):\naws iam update-assume-role-policy --role-name {name} "
            f"--policy-document {shlex.quote(wanted)}"
        )
    return _broken(
        f"The trust policy of {quoted(arn, 2048)} does not admit this pod's token, or there is no "
        f"such role: AWS's answer is the same for both. The token has {claims_text(token)}.",
        wanted,
        fix,
        "doctor/irsa-trust",
    )
