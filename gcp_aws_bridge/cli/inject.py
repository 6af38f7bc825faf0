"""`gcp-aws-bridge inject`: give the pods in a manifest credentials, without a webhook."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge.cli import _inject_options
from gcp_aws_bridge.cli._manifests import Manifests
from gcp_aws_bridge.cli._setup_files import read, say
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.inject import Settings

_STDIN = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Print Kubernetes manifests whose pods get credentials of the other cloud, as the "
        "annotations of their service accounts request. What the webhook does in a cluster, this "
        "command does to files; comments are kept. Messages are on standard error. Example: "
        "gcp-aws-bridge inject -f deployment.yaml | kubectl apply -f -. As a post-renderer of "
        "Helm or in a pipe, it reads standard input: kubectl kustomize . | gcp-aws-bridge inject"
    )
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        metavar="FILE",
        help="a manifest with the service accounts and the pods, or objects with pod templates; "
        "- is standard input; may be repeated (default: standard input)",
    )
    _inject_options.add(parser)
    parser.add_argument(
        "--native-sidecars",
        choices=("yes", "no"),
        default="yes",
        help="no: for Kubernetes before 1.29, a sidecar is an ordinary container "
        "(default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the manifests."""
    settings = _inject_options.settings_of(
        options, native_sidecars=options.native_sidecars == "yes"
    )
    names = options.filename or [_STDIN]
    if options.filename is None and sys.stdin.isatty():
        say("gcp-aws-bridge inject: reading a manifest from the terminal; -f FILE reads a file.")
    texts = {name: sys.stdin.read() if name == _STDIN else read(name) for name in names}
    manifests = {name: Manifests(text, name, "inject") for name, text in texts.items()}
    documents = [one for each in manifests.values() for one in each.documents]
    changed = list(_inject(documents, settings))
    written = {name: manifests[name].text() if changed else text for name, text in texts.items()}
    for name, text in texts.items():
        lost = manifests[name].comments(text) - manifests[name].comments(written[name])
        for comment in lost:
            say(f"warning: a comment was removed: {quoted(comment)}")
    sys.stdout.write("---\n".join(written.values()))
    say("\n".join(changed) or "unchanged: no pod requests credentials by an annotation.")
    return 0


def _inject(documents: list[Any], settings: Settings) -> Iterator[str]:
    """Change the pods in *documents*, and yield a message for each change.

    Raises:
        ConfigError: An annotation is malformed, or the image is missing.
    """
    from gcp_aws_bridge.inject import inject
    from gcp_aws_bridge.provision.pods import identity, objects_of, pods_of

    with extra("inject", "jsonpatch", "1.33"):
        import jsonpatch

    objects = [*objects_of(documents)]
    accounts = {
        identity(one): (one.get("metadata") or {}).get("annotations") or {}
        for one in objects
        if one.get("kind") == "ServiceAccount"
    }
    for pod in pods_of(objects):
        name = str(pod.spec.get("serviceAccountName") or "default")
        try:
            result = inject(pod.template, accounts.get((pod.namespace, name), {}), settings)
        except ConfigError as error:
            raise ConfigError(
                f"{pod.name}: {error.args[0]}", fix=error.fix, error_id=error.error_id
            ) from None
        for warning in result.warnings:
            say(f"warning: {pod.name}: {warning}")
        if result.patch:
            jsonpatch.apply_patch(pod.template, list(result.patch), in_place=True)
            yield f"changed: {pod.name}"
