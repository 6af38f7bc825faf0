"""A pod that `inject` has changed: the variables of its container, its files, and its sidecar."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from gcp_aws_bridge.cli import _google_options, _parser
from gcp_aws_bridge.cli._serving import caches_of
from gcp_aws_bridge.doctor import injected
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.inject import PREFIX, Settings, inject
from gcp_aws_bridge.inject.variables import SERVE, VARIABLES
from gcp_aws_bridge.server.asgi import application
from gcp_aws_bridge.server.authorization import Authorization
from gcp_aws_bridge.server.endpoint import endpoint
from gcp_aws_bridge.server.metadata import metadata
from gcp_aws_bridge.server.running import Address, running

_SUBJECT = "system:serviceaccount:default:etl"


class Annotated:
    """The pod, in the machine of a test.

    Attributes:
        annotations: Annotations of its service account, without prefix.
        folder: The folder of tokens and files, on this machine.
    """

    def __init__(self, machine: Any, issuer: Any, annotations: dict[str, str]) -> None:
        self.annotations = annotations
        self.folder = machine.folder / "webhook"
        self._machine, self._issuer = machine, issuer
        self._stack = machine._stack
        self._running = contextlib.ExitStack()
        self._stack.callback(self.stop_sidecar)
        self._of_container: dict[str, str] = {}
        self._of_sidecar: dict[str, str] = {}
        self._translate(machine._patch)
        self.create()

    def _translate(self, patch: Any) -> None:
        """Have `inject` and the doctor use this folder, and free ports."""
        for method, values in VARIABLES.items():
            texts = {
                name: text.replace("/var/run/secrets/gcp-aws-bridge", str(self.folder))
                for name, text in values.items()
            }
            if method in injected.SIDECARS:
                name, port, options = injected.SIDECARS[method]
                free = free_port()
                patch.setitem(injected.SIDECARS, method, (name, free, options))
                texts = {key: one.replace(f":{port}", f":{free}") for key, one in texts.items()}
            patch.setitem(VARIABLES, method, texts)

    def create(self) -> None:
        """Create the pod, or create it again."""
        self.stop_sidecar()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.leave()
        container = {"name": "app", "image": "app", "securityContext": {"runAsUser": 65532}}
        account = {
            name if "/" in name else f"{PREFIX}/{name}": one
            for name, one in self.annotations.items()
        }
        found: dict[str, Any] = {"metadata": {}, "spec": {"containers": [container]}}
        injection = inject(found, account, Settings(image="gcp-aws-bridge"))
        assert () == injection.warnings
        self._apply(injection.patch)
        self.enter(self._of_container)

    def _apply(self, patch: Any) -> None:
        for operation in patch:
            value, path = operation["value"], operation["path"]
            if path.startswith("/spec/containers/0/env"):
                items = value if isinstance(value, list) else [value]
                self._of_container |= {one["name"]: one["value"] for one in items}
            elif path.startswith("/spec/initContainers"):
                [sidecar] = value
                self._of_sidecar = {one["name"]: one["value"] for one in sidecar["env"]}
                self._serve(sidecar["args"])
            elif path == "/spec/volumes":
                self._mount(value[0])
            elif "google-credentials" in path:
                here = value.replace("/var/run/secrets/gcp-aws-bridge", str(self.folder))
                self._write("google/credentials.json", self._for_emulator(here))

    def _for_emulator(self, document: str) -> str:
        cloud: Emulator = self._machine.cloud
        for there, here in (
            ("https://sts.googleapis.com", cloud.google_sts.url),
            ("https://iamcredentials.googleapis.com", cloud.iam_credentials.url),
        ):
            document = document.replace(there, here)
        return document

    def _mount(self, volume: dict[str, Any]) -> None:
        folder = volume["name"].removeprefix("gcp-aws-bridge-")
        for source in volume.get("projected", {}).get("sources", []):
            if token := source.get("serviceAccountToken"):
                self._write(f"{folder}/token", self._issuer.mint(_SUBJECT, token["audience"]))

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _serve(self, arguments: list[str]) -> None:
        """Serve as the sidecar does, with its own arguments and variables, in this process."""
        options = _parser(arguments[:1]).parse_args(arguments)
        before = dict(os.environ)
        os.environ |= self._of_sidecar
        try:
            if arguments[0] == "serve":
                caches = caches_of(options, [None])
                path = Path(VARIABLES["google"]["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
                path.parent.mkdir(parents=True, exist_ok=True)
                handle, method = endpoint(caches, Authorization(str(path))), "google"
            else:
                handle, method = metadata(_google_options.account_of(options)), "google-serve"
        finally:
            os.environ.clear()
            os.environ |= before
        port = injected.SIDECARS[method][1]
        self._running.enter_context(running((Address("127.0.0.1", port), application(handle))))

    def stop_sidecar(self) -> None:
        self._running.close()

    def enter(self, variables: dict[str, str]) -> None:
        """Have these variables only, of those that the webhook gives."""
        self.leave()
        self._machine.set(**variables)

    def enter_sidecar(self, name: str) -> None:
        """Run the doctor in the sidecar *name* (kubectl exec)."""
        assert name in {one for one, _, _ in injected.SIDECARS.values()}
        assert (name == SERVE) is ("GCP_AWS_BRIDGE_ROLE_ARN" in self._of_sidecar)
        self.enter(self._of_sidecar)

    def leave(self) -> None:
        """Have none of the variables, as an ephemeral container."""
        for name in (*self._of_container, *self._of_sidecar):
            self._machine._patch.delenv(name, raising=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
