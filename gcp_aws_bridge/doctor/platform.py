"""Checks which platform this is, and whether its metadata server answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from gcp_aws_bridge._tokens.environment import gcloud_file
from gcp_aws_bridge._tokens.google_files import type_of
from gcp_aws_bridge._tokens.http import TRANSIENT_STATUS, Answer
from gcp_aws_bridge._tokens.metadata import looks_like_google, on_cloud_run
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.context import AwsContext, ClockReading, required
from gcp_aws_bridge.doctor.metadata import Probe, probe
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import quoted

# GKE, "About Workload Identity Federation", limitations: a few seconds; the library waits for
# twenty, and a container that is younger than this may have seen them.
_NEW_POD_S = 60.0
# If the token comes from another source, the server is only asked about the platform, and for not
# much longer than STS takes, which is asked at the same time.
_NOT_NEEDED_S = 0.8
_KEY_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_RESTART_SERVER = (
    "kubectl -n kube-system get pods -l k8s-app=gke-metadata-server -o wide\n"
    "kubectl -n kube-system delete pod NAME   # the pod of this node; it will be recreated"
)
_EXCLUDE_FROM_MESH = (
    "keep 169.254.169.254/32 out of the mesh (Istio: annotation "
    "traffic.sidecar.istio.io/excludeOutboundIPRanges)"
)
_broken = partial(Finding, "metadata", "broken")


def token_origin(context: AwsContext) -> str:
    """Return where the ID token comes from, in words; empty for the metadata server."""
    if context.token_source is not None:
        return f"the requested token source, {type(context.token_source).__name__}"
    if path := os.environ.get(_KEY_VARIABLE):
        kind = type_of(path)
        return f"the file that {_KEY_VARIABLE} names{f' (type {quoted(kind, 60)})' * bool(kind)}"
    found = context.probe
    if found is not None and not found.is_google and not looks_like_google():
        has_login = os.path.isfile(gcloud_file(os.environ))
        return "gcloud's application-default login" if has_login else ""
    return ""


def check_place(context: AwsContext) -> Iterator[Finding]:
    """Name the platform, and ask the metadata server, whose answers later checks use."""
    is_needed = context.token_source is None and not os.environ.get(_KEY_VARIABLE)
    limit_s = context.request_timeout_s
    timeout_s = limit_s if is_needed else min(limit_s, _NOT_NEEDED_S)
    context.probe = found = probe(context.world, timeout_s)
    if found.is_google and found.answer is not None and found.answer.date is not None:
        context.clocks["Google"] = ClockReading(found.answer.date, context.world.clock())
    account = machine.kubernetes_account()
    pod = f", a pod of the Kubernetes service account {account}" if account else ""
    yield Finding("place", "ok", f"{_platform(found)}{pod}.")
    yield from _proxy_note()


def _platform(found: Probe) -> str:
    project = f", project {quoted(found.project)}" if found.project else ""
    if on_cloud_run():
        return f"Cloud Run{project}"
    if machine.in_kubernetes():
        if found.cluster:
            return f"GKE, cluster {quoted(found.cluster)}{project}"
        return "Kubernetes, on Google Cloud" if looks_like_google() else "Kubernetes other than GKE"
    if found.cluster:
        name = quoted(found.cluster)
        return f"a node of GKE, or a process with its settings: cluster {name}{project}"
    if found.is_ready:
        return f"Compute Engine{project}"
    if looks_like_google():
        return "Google Cloud, by its hardware or variables"
    return "not Google Cloud, as far as this machine shows"


def _proxy_note() -> Iterator[Finding]:
    names = [name for name in ("HTTP_PROXY", "http_proxy") if os.environ.get(name)]
    if names:
        yield Finding(
            "place",
            "note",
            f"{' and '.join(names)} set: this library never asks the metadata server through a "
            "proxy; other programs may, unless NO_PROXY has 169.254.169.254 and "
            "metadata.google.internal.",
        )


def check_metadata(context: AwsContext) -> Iterator[Finding]:
    """Judge the answers of the metadata server."""
    found = required(context.probe)
    if origin := token_origin(context):
        state = "answers" if found.is_ready else "is not needed"
        yield Finding("metadata", "skipped", f"It {state}: the ID token comes from {origin}.")
        if os.environ.get(_KEY_VARIABLE) and found.is_ready:
            yield _key_file_first()
    elif found.settings is not None:
        raise found.settings
    elif found.is_ready:
        slow = f", at attempt {found.tries} (usual in a new pod)" * (found.tries > 1)
        yield Finding("metadata", "ok", f"Google's, at {found.host}{slow}.")
    else:
        yield _failure(found)


def _key_file_first() -> Finding:
    return Finding(
        "metadata",
        "warning",
        f"{_KEY_VARIABLE} is set, and comes before the service account of this machine.",
        wanted="The identity that the role trusts, from one place.",
        fix=f"unset {_KEY_VARIABLE}",
        id="doctor/key-file-first",
        explains=("exchange/denied", "doctor/trust-policy", "token/google-refused"),
    )


def _failure(found: Probe) -> Finding:
    variable = os.environ.get("GCE_METADATA_HOST")
    seen = found.failure
    if found.answer is not None:
        seen = f"HTTP {found.answer.status} {quoted(found.answer.body, 120)}"
    if variable and not found.is_google:
        return _broken(
            f"GCE_METADATA_HOST is {quoted(variable)}, and the result there is: {seen}.",
            fix="unset GCE_METADATA_HOST",
            id="doctor/metadata-host",
        )
    if found.answer is None:
        return _unreachable(found)
    judge = _error_status if found.is_google else _not_google
    return judge(found, found.answer, seen)


def _unreachable(found: Probe) -> Finding:
    seen = f"{found.host}, asked {_times(found.tries)}: {found.failure}."
    if not looks_like_google():
        return _not_google_cloud(seen)
    if not found.has_route:
        return _broken(
            f"{seen} This machine has no route to it: the container has no network, or only one "
            "without a default route.",
            fix="ip route get 169.254.169.254; ip -6 route get fd20:ce::254\n"
            "run the container in the pod's or the instance's network, with a default route",
            id="doctor/metadata-no-route",
        )
    if "no answer within" in found.reason:
        return _broken(
            f"{seen} Packets to it are dropped: a network policy, or a firewall in the pod's "
            "network; rarely a server that hangs.",
            fix="kubectl get networkpolicy --all-namespaces\n"
            "allow egress to 169.254.169.254/32 port 80, and on GKE to 169.254.169.252/32 port "
            "988 and 987; in a network with IPv6 only, to fd20:ce::254/128 port 80",
            id="doctor/metadata-blocked",
        )
    if "refused" in found.reason:
        return _new_pod(seen) or _broken(
            f"{seen} Nothing listens: the node's gke-metadata-server is down or restarting, or "
            "the container is not in a network of Google Cloud.",
            fix=_RESTART_SERVER,
            id="doctor/metadata-closed",
        )
    return _broken(
        f"{seen} The connection was accepted and closed: by a proxy or service mesh, or by a "
        "server that is shutting down.",
        fix=f"{_EXCLUDE_FROM_MESH}, then try again",
        id="doctor/metadata-cut",
    )


def _not_google_cloud(seen: str) -> Finding:
    cluster = "This Kubernetes is not GKE. " if machine.in_kubernetes() else ""
    return _broken(
        f"{cluster}There is no metadata server here ({seen[:-1]}), and no other Google identity.",
        fix="run it in a pod, instance or service of Google Cloud; on a laptop:\n"
        "gcloud auth application-default login\n"
        "gcp-aws-bridge doctor --impersonate NAME@PROJECT.iam.gserviceaccount.com",
        id="doctor/not-google-cloud",
    )


def _new_pod(seen: str) -> Finding | None:
    age_s = machine.container_age_s()
    if age_s is None or age_s > _NEW_POD_S:
        return None
    return _broken(
        f"{seen} This container started {age_s:.0f} s ago: the metadata server of a new pod needs "
        "some seconds. If this continues, the server of this node is down.",
        fix="try again in half a minute; the library itself waits for 20 s",
        id="doctor/new-pod",
    )


def _error_status(found: Probe, answer: Answer, seen: str) -> Finding:
    if answer.status == 403 and any(
        header in answer.body for header in ("X-Forwarded-For", "Metadata-Flavor")
    ):
        return _broken(
            f"{found.host} answers {seen}: a proxy or service mesh before it changes the request's "
            "headers.",
            fix=_EXCLUDE_FROM_MESH,
            id="doctor/metadata-forwarded",
        )
    if answer.status not in TRANSIENT_STATUS:
        return _broken(
            f"{found.host} answers {seen}.",
            fix="look at the logs: kubectl -n kube-system logs -l k8s-app=gke-metadata-server\n"
            + _RESTART_SERVER,
            id="token/metadata-refused",
        )
    details = f"{found.host}, asked {_times(found.tries)}: {seen}."
    return _new_pod(details) or _broken(
        f"{details} The server is there, but not ready.",
        fix=_RESTART_SERVER,
        id="token/metadata-not-ready",
    )


def _not_google(found: Probe, answer: Answer, seen: str) -> Finding:
    if answer.headers.get("server") == "EC2ws":  # EC2's instance metadata service
        return _broken(
            "The metadata server here is Amazon EC2's: this machine is in AWS, and has no Google "
            "identity.",
            fix="use the instance profile (boto3 finds it by itself); or bring a Google identity: "
            "--impersonate, --id-token-file",
            id="doctor/not-google-cloud",
        )
    page = "html" in answer.headers.get("content-type", "")
    what = "a web page, from a proxy or the login page of a network" if page else "not Google's"
    return _broken(
        f"The answer at {found.host} is {what}: {seen}, without the header Metadata-Flavor: "
        "Google.",
        fix="curl -si -H 'Metadata-Flavor: Google' http://169.254.169.254/\n"
        "then keep the server that answers away from 169.254.169.254",
        id="token/not-google",
    )


def _times(tries: int) -> str:
    return "once" if tries == 1 else f"{tries} times"
