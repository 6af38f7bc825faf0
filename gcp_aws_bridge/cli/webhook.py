"""`gcp-aws-bridge webhook`: the admission webhook, which patches the pods of a cluster."""

from __future__ import annotations

import argparse
import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gcp_aws_bridge._cache.clock import REAL, World, backoff_s
from gcp_aws_bridge._extra import need
from gcp_aws_bridge.cli import _inject_options
from gcp_aws_bridge.cli._serving import hint, on_stderr
from gcp_aws_bridge.cli._signals import stop_requested, wait_for
from gcp_aws_bridge.exceptions import BridgeError

if TYPE_CHECKING:
    from gcp_aws_bridge.inject import Settings
    from gcp_aws_bridge.webhook.application import Webhook

_PORT, _STATUS_PORT = 8443, 9912
_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"
_EXAMPLES = """\
In a cluster, the Helm chart runs it (docs/kubernetes/chart). To try it on this machine, with the
cluster of kubectl:

  gcp-aws-bridge webhook --tls-cert-file tls.crt --tls-key-file tls.key --host 127.0.0.1
  curl --insecure https://127.0.0.1:8443/mutate --json @review.json

A cluster that is moving from EKS's webhook: --annotation-prefix eks.amazonaws.com
"""
_log = logging.getLogger("gcp_aws_bridge")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Answer the Kubernetes API server when pods are created: add the credentials of the other "
        "cloud that annotations of the pod or its service account request. POST /mutate takes an "
        "AdmissionReview admission.k8s.io/v1 over TLS. Needs permission to get service accounts."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    tls = "a mounted secret of type kubernetes.io/tls has it; replaced files are loaded"
    parser.add_argument(
        "--tls-cert-file",
        metavar="FILE",
        required=True,
        help=f"PEM file with the certificate, such as tls.crt; {tls}",
    )
    parser.add_argument(
        "--tls-key-file", metavar="FILE", required=True, help="PEM file with its key: tls.key"
    )
    _inject_options.add(parser)
    parser.add_argument(
        "--native-sidecars",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether the cluster has them (Kubernetes 1.29); otherwise a sidecar is an ordinary "
        "container (default: %(default)s: by the version of the API server)",
    )
    listen = parser.add_argument_group("listening")
    listen.add_argument(
        "--host",
        metavar="ADDRESS",
        default="0.0.0.0",
        help="address for the API server, :: on an IPv6-only cluster (default: %(default)s)",
    )
    listen.add_argument(
        "--port", type=int, default=_PORT, help="0: any free port (default: %(default)s)"
    )
    listen.add_argument(
        "--status-port",
        type=int,
        metavar="PORT",
        default=_STATUS_PORT,
        help="serve /healthz, /readyz and /metrics on this port of --status-host, over plain HTTP "
        "(default: %(default)s)",
    )
    listen.add_argument("--quiet", action="store_true", help="do not log each pod")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    modules = ("lightkube", "uvicorn", "httptools", "prometheus_client")
    need("The webhook", modules, "config/extra-webhook")
    settings = _inject_options.settings_of(options, native_sidecars=True)
    from gcp_aws_bridge.server.asgi import application, without_tracebacks
    from gcp_aws_bridge.server.bodies import WithBody
    from gcp_aws_bridge.server.running import Address, Listener, running
    from gcp_aws_bridge.server.status import pages
    from gcp_aws_bridge.webhook.accounts import Accounts
    from gcp_aws_bridge.webhook.application import PATH, Webhook
    from gcp_aws_bridge.webhook.certificate import Certificate
    from gcp_aws_bridge.webhook.cluster import Cluster, configuration, has_native_sidecars
    from gcp_aws_bridge.webhook.metrics import Metrics

    access = logging.WARNING if options.quiet else logging.INFO
    levels = {"gcp_aws_bridge": logging.INFO, "gcp_aws_bridge.access": access}
    with stop_requested() as stop, on_stderr(_FORM, levels):
        certificate = Certificate(options.tls_cert_file, options.tls_key_file)
        config = configuration()
        metrics = Metrics(lambda: certificate.expires)
        cluster = Cluster(config, metrics.read)
        accounts = Accounts(cluster.annotations, settings.prefixes, REAL.monotonic)
        webhook = Webhook(accounts, metrics.answered, REAL.monotonic)
        status = pages("waiting for", webhook.waiting_for, metrics.text)
        listeners = (
            Listener(
                Address(options.host, options.port),
                without_tracebacks(webhook),
                certificate.tls,
                WithBody,
            ),
            Listener(
                Address(options.status_host, options.status_port),
                application(status, log_all=False),
            ),
        )
        gc.collect()
        gc.freeze()  # a full collection of all modules would delay answers by tens of milliseconds
        with running(*listeners, at_end=cluster.close) as urls:
            hint(f"Answering admission reviews at {urls[0]}{PATH}. Ctrl-C stops.", urls)
            start = _starting(
                webhook,
                lambda: has_native_sidecars(config),
                lambda found: replace(settings, native_sidecars=_native(options, found)),
                REAL,
            )

            def poll() -> None:
                start()
                certificate.reload_if_changed()

            poll()
            wait_for(stop, poll)
    return 0


def _starting(
    webhook: Webhook,
    ask: Callable[[], tuple[bool, str]],
    settings: Callable[[bool], Settings],
    world: World,
) -> Callable[[], None]:
    """Return a function that starts *webhook* once the API server answers *ask*.

    It must be called regularly.
    """
    due_s, failures, problem = world.monotonic(), 0, ""

    def start_if_due() -> None:
        nonlocal due_s, failures, problem
        if webhook.settings is not None or world.monotonic() < due_s:
            return
        try:
            native, version = ask()
        except BridgeError as error:
            failures += 1
            due_s = world.monotonic() + backoff_s(
                failures, base_s=0.5, cap_s=10, jitter=world.jitter()
            )
            if str(error) != problem:
                problem = str(error)
                _log.warning("Not ready: %s", problem)
            return
        webhook.settings = settings(native)
        kind = "native sidecars" if webhook.settings.native_sidecars else "ordinary containers"
        _log.info("Ready: the API server is Kubernetes %s; sidecars are %s", version, kind)

    return start_if_due


def _native(options: argparse.Namespace, found: bool) -> bool:
    return found if options.native_sidecars == "auto" else options.native_sidecars == "yes"
