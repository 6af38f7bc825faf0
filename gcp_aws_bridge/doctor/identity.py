"""Checks the Google service account, and the ID token for it."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.default import TokenSource, for_audience
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.google_auth_errors import enable_api
from gcp_aws_bridge._tokens.metadata_server import MetadataServer
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import injected, machine
from gcp_aws_bridge.doctor.context import AwsContext, required, summary_of
from gcp_aws_bridge.doctor.metadata import Probe
from gcp_aws_bridge.doctor.platform import token_origin
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import TokenError, TokenUnavailable, quoted
from gcp_aws_bridge.policy.names import email_of, quoted_project

# Findings for a role that trusts another account: see `trust`.
_DENIED = ("exchange/denied", "doctor/trust-policy")
# GKE's 404 for an account that is linked to none: "Gaia id not found for email", and the pool.
_POOL = re.compile(r"[\w.:-]+\.svc\.id\.goog")
# GKE's metadata server when IAM does not let it act as the linked account (GKE,
# "Troubleshoot Workload Identity Federation").
_NOT_BOUND = re.compile(
    r"iam\.serviceAccounts\.|IAM returned 403|permission_denied|Gaia id", re.IGNORECASE
)


def check_account(context: AwsContext) -> Iterator[Finding]:
    """Name the service account of the metadata server's tokens."""
    found = required(context.probe)
    if origin := token_origin(context):
        yield Finding("account", "skipped", f"The ID token comes from {origin}.")
    elif not found.email:
        yield _no_account(found)
    elif "@" not in found.email:
        # GKE, "About Workload Identity Federation": the e-mail of an account that is linked to
        # none is the cluster's workload pool.
        yield _not_linked(found, found.email)
    elif machine.in_kubernetes() and found.is_virtual_machines:
        yield _nodes_account(found)
    else:
        yield Finding("account", "ok", f"{quoted(found.email)}.")


def _no_account(found: Probe) -> Finding:
    if found.accounts is None or (machine.in_kubernetes() and not found.is_virtual_machines):
        return Finding("account", "note", "The metadata server lists no service accounts.")
    account = email_of("NAME", found.project or "PROJECT")
    return Finding(
        "account",
        "broken",
        "The metadata server has no service account: this instance was created without one.",
        wanted="A service account that the role trusts.",
        fix="gcloud compute instances stop INSTANCE\n"
        "gcloud compute instances set-service-account INSTANCE --scopes=cloud-platform "
        f"--service-account={shlex.quote(account)}\n"
        "gcloud compute instances start INSTANCE",
        id="doctor/no-account",
    )


def _not_linked(found: Probe, pool: str, check: str = "account") -> Finding:
    account = machine.kubernetes_account()
    name = f" {account}" if account else ""
    answers = f"answers {quoted(pool)} for its e-mail, and " if pool else ""
    return Finding(
        check,
        "broken",
        f"The Kubernetes service account{name} is linked to no Google service account: the "
        f"metadata server {answers}has no ID token for it (404).",
        wanted="A linked Google service account, or the cluster's own issuer in the role's trust.",
        fix="\n".join(link_commands(found, account, pool=pool))
        + "\nor, without a Google service account: an IAM OIDC provider for the cluster's issuer, "
        "a projected token, and --id-token-file",
        id="token/no-service-account",
    )


def link_commands(
    found: Probe, account: machine.KubernetesAccount | None, email: str = "", pool: str = ""
) -> tuple[str, str]:
    """Return the annotation and the binding that link a Kubernetes service account to a Google one.

    Args:
        found: Answers of the metadata server.
        account: The Kubernetes service account; None if it is not known.
        email: E-mail of the Google service account; empty if it is not known.
        pool: The workload identity pool, if the metadata server named it.
    """
    namespace, name = account or ("NAMESPACE", "KSA")
    project = found.project or "PROJECT"
    google = shlex.quote(email or email_of("GSA", project))
    # The name of a domain-scoped project's pool is not documented.
    pool = pool or ("WORKLOAD_POOL" if ":" in project else f"{project}.svc.id.goog")
    member = shlex.quote(f"serviceAccount:{pool}[{namespace}/{name}]")
    annotation = (
        f"kubectl annotate serviceaccount {shlex.quote(name)} -n {shlex.quote(namespace)} "
        f"iam.gke.io/gcp-service-account={google}"
    )
    binding = (
        f"gcloud iam service-accounts add-iam-policy-binding {google} "
        f"--project={quoted_project(email, project)} "
        f"--role=roles/iam.workloadIdentityUser --member={member}"
    )
    return annotation, binding


def _nodes_account(found: Probe) -> Finding:
    if found.is_this_host:
        reason = "the pod has hostNetwork: its host name is the node's"
        fix = "remove hostNetwork: true from the pod, or trust the node's account"
        finding_id = "doctor/host-network"
    else:
        reason = "Workload Identity is off on this node pool, or in the whole cluster"
        cluster = shlex.quote(found.cluster or "CLUSTER")
        fix = (
            f"gcloud container clusters describe {cluster} --location=LOCATION "
            "--format='value(workloadIdentityConfig.workloadPool)'\n"
            f"gcloud container node-pools update POOL --cluster={cluster} --location=LOCATION "
            "--workload-metadata=GKE_METADATA"
        )
        finding_id = "doctor/node-pool"
    return Finding(
        "account",
        "warning",
        f"{quoted(found.email)} is the service account of the node, not of this pod: the virtual "
        f"machine's own metadata server answers, since {reason}.",
        wanted="The Google service account of the pod.",
        fix=fix,
        id=finding_id,
        explains=_DENIED,
    )


def check_token(context: AwsContext) -> Iterator[Finding]:
    """Get a token, and check that AWS can accept it.

    Raises:
        BridgeError: There is no token, or AWS would reject it.
    """
    try:
        context.token = _first_token(context, required(context.role))
    except TokenError as error:
        found = _not_bound(context, error) or Finding.of("token", error)
        yield injected.with_fix_for_cluster_token(found)
    else:
        yield Finding("token", "ok", summary_of(context.token, context.world.clock()))


def _first_token(context: AwsContext, role: Role) -> id_token.IdToken:
    """Return a token of the first source that this machine has, as `DefaultSource` does."""
    *others, last = _sources(context, role)
    for source in others:
        with contextlib.suppress(TokenUnavailable):
            return _token_of(context, role, source)
    return _token_of(context, role, last)


def _sources(context: AwsContext, role: Role) -> list[TokenSource]:
    if context.token_source is not None:
        return [for_audience(context.token_source, role.audience, context.world)]
    limit_s = context.request_timeout_s
    server = MetadataServer(role.audience, deadline_s=limit_s, world=context.world)
    if not token_origin(context):
        return [server]
    has_server = context.probe is not None and context.probe.is_google
    return [GoogleCredentials(audience=role.audience), *([server] if has_server else [])]


def _token_of(context: AwsContext, role: Role, source: TokenSource) -> id_token.IdToken:
    origin = f"The token source {type(source).__name__}"
    late = TokenError(
        f"{origin} returned nothing within {context.timeout_s:g} s.",
        fix="curl -sv --max-time 10 https://oauth2.googleapis.com\n"
        "where that is slow, gcp-aws-bridge doctor --timeout 10",
        error_id="doctor/token-timeout",
    )
    token = id_token.parse(context.within(source, late), origin=origin)
    id_token.check(token, audience=role.audience, now=context.world.clock(), origin=origin)
    return token


def _not_bound(context: AwsContext, error: TokenError) -> Finding | None:
    message = f"{error.args[0]} {error.details}".strip()
    found = context.probe
    if found is None or token_origin(context):
        return None
    pool = _POOL.search(message)  # instead of an account's e-mail
    if pool or (error.error_id == "token/no-service-account" and not found.email):
        return _not_linked(found, pool[0] if pool else "", "token")
    if not _NOT_BOUND.search(message) or enable_api(message):
        return None
    account = quoted(found.email) if found.email else "The pod's Google service account"
    return Finding(
        "token",
        "broken",
        f"{account} may not be used by this pod, or there is no such account "
        f"(Google's answer is the same for both): {message}",
        wanted="roles/iam.workloadIdentityUser on it for the Kubernetes service account.",
        fix="\n".join(_binding(found)),
        id="doctor/not-bound",
    )


def _binding(found: Probe) -> Iterator[str]:
    account = machine.kubernetes_account()
    namespace, name = account or ("NAMESPACE", "KSA")
    if not found.email:
        yield (
            f"kubectl get serviceaccount {shlex.quote(name)} -n {shlex.quote(namespace)} -o yaml"
            "   # its annotation iam.gke.io/gcp-service-account"
        )
    google = found.email or email_of("GSA", found.project or "PROJECT")
    project = quoted_project(found.email, found.project or "PROJECT")
    yield f"gcloud iam service-accounts describe {shlex.quote(google)} --project={project}"
    if ":" in found.project:
        yield (
            f"gcloud container clusters describe {shlex.quote(found.cluster or 'CLUSTER')} "
            f"--location=LOCATION --project={shlex.quote(found.project)} "
            "--format='value(workloadIdentityConfig.workloadPool)'   # the WORKLOAD_POOL below"
        )
    yield link_commands(found, account, found.email)[1]
