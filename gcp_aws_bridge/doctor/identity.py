"""Who this is to Google: the service account, and the token that says so."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge._tokens.default import TokenSource, for_audience
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge._tokens.metadata import MetadataServer
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.context import Walk, left, named
from gcp_aws_bridge.doctor.metadata import Probe
from gcp_aws_bridge.doctor.platform import token_origin
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import TokenError, TokenUnavailable, quoted
from gcp_aws_bridge.policy.names import email_of, quoted_project

# What a role that trusts another account says: see `trust`.
_REFUSALS = ("exchange/denied", "doctor/trust-policy")
# GKE's 404 for an account that is linked to none: "Gaia id not found for email", and the pool.
_POOL = re.compile(r"[\w.:-]+\.svc\.id\.goog")
# How GKE's metadata server reports IAM's refusal to act as the linked account (GKE,
# "Troubleshoot Workload Identity Federation").
_NOT_BOUND = re.compile(
    r"iam\.serviceAccounts\.|IAM returned 403|permission_denied|Gaia id", re.IGNORECASE
)


def check_account(walk: Walk) -> Iterator[Finding]:
    """Name the service account that the metadata server speaks for."""
    asked = left(walk.probe)
    if origin := token_origin(walk):
        yield Finding("account", "skipped", f"The ID token comes from {origin}.")
    elif not asked.email:
        yield _none(asked)
    elif "@" not in asked.email:
        # GKE, "About Workload Identity Federation": an account that is linked to none has the
        # cluster's workload pool for an e-mail.
        yield _not_linked(asked, asked.email)
    elif machine.in_kubernetes() and asked.is_vms:
        yield _nodes(asked)
    else:
        yield Finding("account", "ok", f"{quoted(asked.email)}.")


def _none(asked: Probe) -> Finding:
    if asked.accounts is None or (machine.in_kubernetes() and not asked.is_vms):
        return Finding("account", "note", "The metadata server lists no service accounts.")
    account = email_of("NAME", asked.project or "PROJECT")
    return Finding(
        "account",
        "broken",
        "The metadata server has no service account: this instance was made without one.",
        wanted="A service account that the role trusts.",
        fix="gcloud compute instances stop INSTANCE\n"
        "gcloud compute instances set-service-account INSTANCE --scopes=cloud-platform "
        f"--service-account={shlex.quote(account)}\n"
        "gcloud compute instances start INSTANCE",
        id="doctor/no-account",
    )


def _not_linked(asked: Probe, pool: str, link: str = "account") -> Finding:
    account = machine.kubernetes_account()
    called = f"calls it {quoted(pool)}, and " if pool else ""
    return Finding(
        link,
        "broken",
        f"The Kubernetes service account{f' {account}' if account else ''} is linked to no Google "
        f"service account: the metadata server {called}has no ID token for it (404).",
        wanted="A linked Google service account, or the cluster's own issuer in the role's trust.",
        fix="\n".join(link_commands(asked, account, pool=pool))
        + "\nor, without a Google service account: an IAM OIDC provider for the cluster's issuer, "
        "a projected token, and --id-token-file",
        id="token/no-service-account",
    )


def link_commands(
    asked: Probe, account: machine.KubernetesAccount | None, email: str = "", pool: str = ""
) -> tuple[str, str]:
    """Return the annotation and the binding that link a Kubernetes service account to a Google one.

    Args:
        asked: What the metadata server told.
        account: The Kubernetes service account; None where this pod does not know it.
        email: Of the Google one; empty where it is not known.
        pool: The workload identity pool, where the metadata server named it.
    """
    namespace, name = account or ("NAMESPACE", "KSA")
    project = asked.project or "PROJECT"
    google = shlex.quote(email or email_of("GSA", project))
    # What the pool of a domain-scoped project is called is not documented.
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


def _nodes(asked: Probe) -> Finding:
    seen = (
        f"{quoted(asked.email)} is the service account of the node, not of this pod: the virtual "
        "machine's own metadata server answers"
    )
    if asked.is_this_host:
        return Finding(
            "account",
            "warning",
            f"{seen}, since the pod has hostNetwork: its host name is the node's.",
            wanted="The Google service account of the pod.",
            fix="take hostNetwork: true out of the pod, or trust the node's account",
            id="doctor/host-network",
            explains=_REFUSALS,
        )
    return Finding(
        "account",
        "warning",
        f"{seen}, since Workload Identity is off on this node pool, or in the whole cluster.",
        wanted="The Google service account of the pod.",
        fix="gcloud container clusters describe "
        f"{shlex.quote(asked.cluster or 'CLUSTER')} --location=LOCATION "
        "--format='value(workloadIdentityConfig.workloadPool)'\n"
        "gcloud container node-pools update POOL "
        f"--cluster={shlex.quote(asked.cluster or 'CLUSTER')} --location=LOCATION "
        "--workload-metadata=GKE_METADATA",
        id="doctor/node-pool",
        explains=_REFUSALS,
    )


def check_token(walk: Walk) -> Iterator[Finding]:
    """Get a token, and see whether it is worth sending.

    Raises:
        BridgeError: There is none, or it is not.
    """
    try:
        walk.token = _first(walk, left(walk.role))
    except TokenError as error:
        yield _not_bound(walk, error) or Finding.of("token", error)
    else:
        yield Finding("token", "ok", _claims(walk, walk.token))


def _first(walk: Walk, role: Role) -> id_token.IdToken:
    """A token of the first source that there is, as `DefaultSource` would take it."""
    *others, last = _sources(walk, role)
    for source in others:
        with contextlib.suppress(TokenUnavailable):
            return _asked(walk, role, source)
    return _asked(walk, role, last)


def _sources(walk: Walk, role: Role) -> list[TokenSource]:
    if walk.token_source is not None:
        return [for_audience(walk.token_source, role.audience, walk.world)]
    server = MetadataServer(role.audience, deadline_s=walk.inner_timeout_s, world=walk.world)
    if not token_origin(walk):
        return [server]
    here = walk.probe is not None and walk.probe.is_google
    return [GoogleCredentials(audience=role.audience), *([server] if here else [])]


def _asked(walk: Walk, role: Role, source: TokenSource) -> id_token.IdToken:
    origin = f"The token source {type(source).__name__}"
    try:
        raw = walk.within(source)
    except TimeoutError:
        raise TokenError(
            f"{origin} gave nothing within {walk.timeout_s:g} s.",
            fix="curl -sv --max-time 10 https://oauth2.googleapis.com\n"
            "where that is slow, gcp-aws-bridge doctor --timeout 10",
            error_id="doctor/token-timeout",
        ) from None
    token = id_token.parse(raw, origin=origin)
    id_token.check(token, audience=role.audience, now=walk.world.clock(), origin=origin)
    return token


def _not_bound(walk: Walk, error: TokenError) -> Finding | None:
    said = f"{error.args[0]} {error.details}".strip()
    if walk.probe is None or token_origin(walk):
        return None
    pool = _POOL.search(said)  # in the place of an account's e-mail
    if pool or (error.error_id == "token/no-service-account" and not walk.probe.email):
        return _not_linked(walk.probe, pool[0] if pool else "", "token")
    if not _NOT_BOUND.search(said):
        return None
    whose = quoted(walk.probe.email) if walk.probe.email else "The pod's Google service account"
    return Finding(
        "token",
        "broken",
        f"{whose} may not be used by this pod, or there is no such account "
        f"(Google says the same of both): {said}",
        wanted="roles/iam.workloadIdentityUser on it for the Kubernetes service account.",
        fix="\n".join(_binding(walk.probe)),
        id="doctor/not-bound",
    )


def _binding(asked: Probe) -> Iterator[str]:
    account = machine.kubernetes_account()
    namespace, name = account or ("NAMESPACE", "KSA")
    if not asked.email:
        yield (
            f"kubectl get serviceaccount {shlex.quote(name)} -n {shlex.quote(namespace)} -o yaml"
            "   # its annotation iam.gke.io/gcp-service-account"
        )
    google = asked.email or email_of("GSA", asked.project or "PROJECT")
    where = f"--project={quoted_project(asked.email, asked.project or 'PROJECT')}"
    yield f"gcloud iam service-accounts describe {shlex.quote(google)} {where}"
    if ":" in (asked.project or ""):
        yield (
            f"gcloud container clusters describe {shlex.quote(asked.cluster or 'CLUSTER')} "
            f"--location=LOCATION --project={shlex.quote(asked.project)} "
            "--format='value(workloadIdentityConfig.workloadPool)'   # the WORKLOAD_POOL below"
        )
    yield link_commands(asked, account, asked.email)[1]


def _claims(walk: Walk, token: id_token.IdToken) -> str:
    left_s = (token.expiration - walk.world.clock()).total_seconds()
    return f"iss={quoted(token.issuer)}, {named(token)}; {left_s / 60:.0f} minutes left."
