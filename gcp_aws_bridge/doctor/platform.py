"""Where this runs, and the metadata server there: reachable, and if not, why."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gcp_aws_bridge._tokens.environment import gcloud_file
from gcp_aws_bridge._tokens.google_files import type_of
from gcp_aws_bridge._tokens.http import Answer
from gcp_aws_bridge._tokens.metadata import looks_like_google
from gcp_aws_bridge.doctor import machine
from gcp_aws_bridge.doctor.context import Clocks, Walk, left
from gcp_aws_bridge.doctor.metadata import Probe, probe
from gcp_aws_bridge.doctor.report import Finding
from gcp_aws_bridge.exceptions import quoted

# GKE, "About Workload Identity Federation", limitations: a few seconds; the library waits for
# twenty, and a container that is younger than this may have caught them.
_NEW_POD_S = 60.0
# Where the token comes from elsewhere, and the server would only say where this is: not much longer
# than STS takes, which is asked meanwhile.
_CURIOUS_S = 0.8
_KEY_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_RESTART_SERVER = (
    "kubectl -n kube-system get pods -l k8s-app=gke-metadata-server -o wide\n"
    "kubectl -n kube-system delete pod NAME   # the one of this node, which is created again"
)
_ELSEWHERE_FIX = (
    "run it in a pod, instance or service of Google Cloud; on a laptop:\n"
    "gcloud auth application-default login\n"
    "gcp-aws-bridge doctor --impersonate NAME@PROJECT.iam.gserviceaccount.com"
)


def token_origin(walk: Walk) -> str:
    """Where the ID token comes from, in words; empty: from the metadata server."""
    if walk.token_source is not None:
        return f"the token source that was asked for, {type(walk.token_source).__name__}"
    if path := os.environ.get(_KEY_VARIABLE):
        kind = type_of(path)
        return f"the file that {_KEY_VARIABLE} names{f' (type {quoted(kind, 60)})' * bool(kind)}"
    asked = walk.probe
    if asked is not None and not asked.is_google and not looks_like_google():
        has_login = os.path.isfile(gcloud_file(os.environ))
        return "gcloud's application-default login" if has_login else ""
    return ""


def check_place(walk: Walk) -> Iterator[Finding]:
    """Say where this is; and ask the metadata server, for the links after this one."""
    needed = walk.token_source is None and not os.environ.get(_KEY_VARIABLE)
    timeout_s = walk.inner_timeout_s if needed else min(walk.inner_timeout_s, _CURIOUS_S)
    walk.probe = asked = probe(walk.world, timeout_s)
    if asked.is_google and asked.answer is not None and asked.answer.date is not None:
        walk.clocks["Google"] = Clocks(asked.answer.date, walk.world.clock())
    where = _where(asked)
    account = machine.kubernetes_account()
    pod = f", a pod of the Kubernetes service account {account}" if account else ""
    yield Finding("place", "ok", f"{where}{pod}.")
    yield from _proxy_note()


def _where(asked: Probe) -> str:
    project = f", project {quoted(asked.project)}" if asked.project else ""
    if machine.on_cloud_run():
        return f"Cloud Run{project}"
    if machine.in_kubernetes():
        if asked.cluster:
            return f"GKE, cluster {quoted(asked.cluster)}{project}"
        return "Kubernetes, on Google Cloud" if looks_like_google() else "Kubernetes, not GKE's"
    if asked.cluster:
        return f"a node of GKE, or told to be in one: cluster {quoted(asked.cluster)}{project}"
    if asked.is_ready:
        return f"Compute Engine{project}"
    return (
        "Google Cloud, by its hardware or variables"
        if looks_like_google()
        else ("no cloud of Google's, as far as this machine tells")
    )


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


def check_metadata(walk: Walk) -> Iterator[Finding]:
    """Judge what came of asking."""
    asked = left(walk.probe)
    if origin := token_origin(walk):
        here = "answers" if asked.is_ready else "is not needed"
        yield Finding("metadata", "skipped", f"It {here}: the ID token comes from {origin}.")
        if os.environ.get(_KEY_VARIABLE) and asked.is_ready:
            yield _key_file_first()
    elif asked.settings is not None:
        raise asked.settings
    elif asked.is_ready:
        slow = f", at try {asked.tries} (a new pod's needs a moment)" * (asked.tries > 1)
        yield Finding("metadata", "ok", f"Google's, at {asked.host}{slow}.")
    else:
        yield _wrong(asked)


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


def _wrong(asked: Probe) -> Finding:
    variable = os.environ.get("GCE_METADATA_HOST")
    said = asked.failure
    if asked.answer is not None:
        said = f"HTTP {asked.answer.status} {quoted(asked.answer.body, 120)}"
    if variable and not asked.is_google:
        return _broken(
            f"GCE_METADATA_HOST is {quoted(variable)}, and there: {said}.",
            "unset GCE_METADATA_HOST",
            "doctor/metadata-host",
        )
    if asked.answer is None:
        return _unreachable(asked)
    kind = _refused if asked.is_google else _not_googles
    return kind(asked, asked.answer, said)


def _unreachable(asked: Probe) -> Finding:
    seen = f"{asked.host}, asked {_times(asked.tries)}: {asked.failure}."
    if not looks_like_google():
        cluster = "This Kubernetes is not GKE's. " if machine.in_kubernetes() else ""
        return _broken(
            f"{cluster}There is no metadata server here ({seen[:-1]}), and no other Google "
            "identity.",
            _ELSEWHERE_FIX,
            "doctor/not-google-cloud",
        )
    if "no answer within" in asked.failure:
        return _broken(
            f"{seen} Packets to it are dropped: a network policy, or a firewall in the pod's "
            "network; seldom a server that hangs.",
            "kubectl get networkpolicy --all-namespaces\n"
            "allow egress to 169.254.169.254/32 port 80, and on GKE to 169.254.169.252/32 port "
            "988 and 987",
            "doctor/metadata-blocked",
        )
    if "refused" in asked.failure:
        return _new_pod(seen) or _broken(
            f"{seen} Nothing listens: the node's gke-metadata-server is down or restarting, or "
            "a container without a network of Google's.",
            _RESTART_SERVER,
            "doctor/metadata-closed",
        )
    return _broken(
        f"{seen} Something took the connection and let it go: a proxy or service mesh on the "
        "way, or a server that is just going down.",
        "keep 169.254.169.254/32 out of the mesh (Istio: annotation "
        "traffic.sidecar.istio.io/excludeOutboundIPRanges), then try again",
        "doctor/metadata-cut",
    )


def _new_pod(seen: str) -> Finding | None:
    age_s = machine.container_age_s()
    if age_s is None or age_s > _NEW_POD_S:
        return None
    return _broken(
        f"{seen} This container started {age_s:.0f} s ago: the metadata server of a new pod needs "
        "some seconds. If it goes on, the server of this node is down.",
        "try again in half a minute; the library itself waits for 20 s",
        "doctor/new-pod",
    )


def _refused(asked: Probe, answer: Answer, said: str) -> Finding:
    status, body = answer.status, answer.body
    if status == 403 and ("X-Forwarded-For" in body or "Metadata-Flavor" in body):
        return _broken(
            f"{asked.host} answers {said}: between here and there a proxy or service mesh changes "
            "the request's headers.",
            "keep 169.254.169.254/32 out of the mesh (Istio: annotation "
            "traffic.sidecar.istio.io/excludeOutboundIPRanges)",
            "doctor/metadata-forwarded",
        )
    if status < 500 and status not in (408, 429):
        return _broken(
            f"{asked.host} answers {said}.",
            "look at the logs: kubectl -n kube-system logs -l k8s-app=gke-metadata-server\n"
            + _RESTART_SERVER,
            "token/metadata-refused",
        )
    seen = f"{asked.host}, asked {_times(asked.tries)}: {said}."
    return _new_pod(seen) or _broken(
        f"{seen} It is there, and not ready.",
        _RESTART_SERVER,
        "token/metadata-not-ready",
    )


def _not_googles(asked: Probe, answer: Answer, said: str) -> Finding:
    if (
        answer.headers.get("server") == "EC2ws"
    ):  # as Amazon EC2's instance metadata service names itself
        return _broken(
            "The metadata server here is Amazon EC2's: this machine is in AWS, and has no Google "
            "identity.",
            "use the instance profile (boto3 finds it by itself); or take a Google identity "
            "along: --impersonate, --id-token-file",
            "doctor/not-google-cloud",
        )
    page = "html" in answer.headers.get("content-type", "")
    what = "a web page, from a proxy or the login page of a network" if page else "not Google's"
    return _broken(
        f"What answers at {asked.host} is {what}: {said}, without the header Metadata-Flavor: "
        "Google.",
        "curl -si -H 'Metadata-Flavor: Google' http://169.254.169.254/\n"
        "then take what answers out of the way of 169.254.169.254",
        "token/not-google",
    )


def _broken(seen: str, fix: str, finding_id: str) -> Finding:
    return Finding("metadata", "broken", seen, fix=fix, id=finding_id)


def _times(tries: int) -> str:
    return "once" if tries == 1 else f"{tries} times"
