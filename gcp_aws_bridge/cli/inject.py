"""`gcp-aws-bridge inject`: give the pods in a manifest credentials, without a webhook."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gcp_aws_bridge._extra import extra
from gcp_aws_bridge.cli import _inject_options
from gcp_aws_bridge.cli._manifests import Manifests, as_yaml, separate
from gcp_aws_bridge.cli._setup_files import read, say
from gcp_aws_bridge.exceptions import ConfigError, quoted

if TYPE_CHECKING:
    from gcp_aws_bridge.inject import Injection, Settings
    from gcp_aws_bridge.provision.pods import Pod

_STDIN = "-"
_UNCHANGED = (
    "unchanged: no pod requests credentials that it does not already have. Put the annotations on "
    "the pod templates, or on service accounts in the same input."
)


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
    texts = {name: _stdin() if name == _STDIN else read(name) for name in names}
    manifests = {
        name: Manifests(text, "standard input" if name == _STDIN else name, "inject")
        for name, text in texts.items()
    }
    documents = [one for each in manifests.values() for one in each.documents]
    changed = list(_inject(documents, settings))
    written = texts
    if changed:
        written = {name: each.text() for name, each in manifests.items()}
        for name, each in manifests.items():
            for comment in each.comments(texts[name]) - each.comments(written[name]):
                say(f"warning: a comment was removed: {quoted(comment)}")
    # Each file must end with a newline: otherwise the separator would continue its last line.
    lines = [text if text.endswith("\n") or not text else f"{text}\n" for text in written.values()]
    _use_utf8(sys.stdout)
    sys.stdout.write("---\n".join(lines) if len(lines) > 1 else "".join(written.values()))
    say("\n".join(changed) or _UNCHANGED)
    return 0


def _stdin() -> str:
    _use_utf8(sys.stdin)
    try:
        return sys.stdin.read()
    except ValueError:
        raise ConfigError(
            "Standard input cannot be read: it is not UTF-8 text.",
            fix="pass a manifest that kubectl accepts.",
            error_id="config/setup-file",
        ) from None


def _use_utf8(stream: Any) -> None:
    """Read or write UTF-8, as kubectl does, independently of the locale."""
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(encoding="utf-8", errors="strict")


def _inject(documents: list[Any], settings: Settings) -> Iterator[str]:
    """Change the pods in *documents*, and yield a message for each change.

    Raises:
        ConfigError: An annotation is malformed, or the image is missing.
    """
    from gcp_aws_bridge.provision.pods import identity, objects_of, pods_of

    with extra("inject", "jsonpatch", "1.33"):
        import jsonpatch

    objects = [*objects_of(documents)]
    accounts = {
        identity(one): (one.get("metadata") or {}).get("annotations") or {}
        for one in objects
        if one.get("kind") == "ServiceAccount"
    }

    def results(document: Any) -> list[tuple[Pod, Injection]]:
        return [
            (pod, _result(pod, accounts.get((pod.namespace, pod.account), {}), settings))
            for pod in pods_of(objects_of([document]))
        ]

    for document in documents:
        found = results(document)
        if any(result.patch for _, result in found) and separate(document):
            found = results(document)
        for pod, result in found:
            for warning in result.warnings:
                say(f"warning: {pod.name}: {warning}")
            if result.patch:
                jsonpatch.apply_patch(pod.template, as_yaml([*result.patch]), in_place=True)
                yield f"changed: {pod.name}"


def _result(pod: Pod, account: Mapping[str, str], settings: Settings) -> Injection:
    from gcp_aws_bridge.inject import inject

    try:
        return inject(pod.template, account, settings)
    except ConfigError as error:
        raise ConfigError(
            f"{pod.name}: {error.args[0]}", fix=error.fix, error_id=error.error_id
        ) from None
