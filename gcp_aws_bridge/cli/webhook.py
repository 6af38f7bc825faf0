"""`gcp-aws-bridge webhook`: the admission webhook, which patches the pods of a cluster."""

from __future__ import annotations

import argparse
import gc
import logging

from gcp_aws_bridge._extra import need
from gcp_aws_bridge.cli import _inject_options
from gcp_aws_bridge.cli._serving import hint, on_stderr
from gcp_aws_bridge.cli._signals import stop_requested, wait_for

_PORT, _STATUS_PORT = 8443, 9912
_FORM = "%(asctime)s %(levelname)s %(name)s %(message)s"
_NATIVE = {"auto": None, "yes": True, "no": False}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Answer the Kubernetes API server when pods are created: add the credentials of the other "
        "cloud that annotations of the pod or its service account request. POST /mutate takes an "
        "AdmissionReview admission.k8s.io/v1 over TLS. Needs permission to get service accounts. "
        "In a cluster, the Helm chart runs it. Example on this machine, with the cluster of "
        "kubectl: gcp-aws-bridge webhook --tls-cert-file tls.crt --tls-key-file tls.key --host "
        "127.0.0.1, then curl --insecure https://127.0.0.1:8443/mutate --json @review.json"
    )
    tls = "a secret of type kubernetes.io/tls contains it; a replaced file is loaded"
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
        choices=tuple(_NATIVE),
        default="auto",
        help="whether the cluster supports native sidecars (Kubernetes 1.29); if not, a sidecar is "
        "an ordinary container (default: %(default)s, by the version of the API server)",
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
    modules = ("cryptography", "lightkube", "uvicorn", "httptools", "prometheus_client")
    need("The webhook", modules, "config/extra-webhook")
    settings = _inject_options.settings_of(options, native_sidecars=True)
    from gcp_aws_bridge.server.running import Address
    from gcp_aws_bridge.webhook.application import PATH
    from gcp_aws_bridge.webhook.certificate import Certificate
    from gcp_aws_bridge.webhook.serving import serving

    access = logging.WARNING if options.quiet else logging.INFO
    levels = {"gcp_aws_bridge": logging.INFO, "gcp_aws_bridge.access": access}
    addresses = (
        Address(options.host, options.port),
        Address(options.status_host, options.status_port),
    )
    gc.collect()
    gc.freeze()  # otherwise a full collection delays answers by tens of milliseconds
    with stop_requested() as stop, on_stderr(_FORM, levels):
        certificate = Certificate(options.tls_cert_file, options.tls_key_file)
        native = _NATIVE[options.native_sidecars]
        with serving(certificate, settings, native, *addresses) as urls:
            hint(f"Answering admission reviews at {urls[0]}{PATH}. Ctrl-C stops.", urls)
            wait_for(stop, certificate.reload_if_changed)
    return 0
