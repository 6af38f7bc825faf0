"""The part of a kubelet that these tests need: volumes, variables, and containers as processes.

A container is its command in a mount namespace of its own, in which its volumes are at their paths.
All share the loopback network of the machine, as the containers of a pod do.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cluster.kubernetes import ApiServer
from kubernetes_objects import expanded

_READY_WITHIN_S = 60
IMAGE = "registry.example.com/gcp-aws-bridge:test"
# A new tmpfs, so that the machine needs no folder at the paths; then the volumes.
_MOUNT = """
mount -t tmpfs none /run
while [ "$1" != -- ]; do mkdir -p "$2"; mount --bind "$1" "$2"; shift 2; done
shift
exec "$@"
"""


class Kubelet:
    """Runs pods that are stored in the API server.

    Args:
        api: The API server.
        folder: Folder for volumes and logs.
        node: Variables of every container: the addresses of the clouds, which are emulated.
    """

    def __init__(self, api: ApiServer, folder: Path, node: Mapping[str, str]) -> None:
        self._api, self._folder, self._node = api, folder, dict(node)

    def run(self, pod: dict[str, Any], *, stdin: str = "") -> str:
        """Return the output of the first container; the sidecars run until it ends."""
        volumes = self._volumes(pod)
        spec = pod["spec"]
        every = [*(spec.get("initContainers") or []), *spec["containers"]]
        with contextlib.ExitStack() as stack:
            for container in every:
                if container["image"] == IMAGE:
                    stack.enter_context(self._sidecar(container, volumes))
            command, environment = self._process(spec["containers"][0], volumes)
            done = subprocess.run(
                command, env=environment, input=stdin, capture_output=True, text=True, timeout=120
            )
        return done.stdout if done.returncode == 0 else f"{done.stdout}{done.stderr}"

    def _process(
        self, container: dict[str, Any], volumes: Mapping[str, Path]
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command and the environment of a container."""
        environment = {**self._node, "HOME": str(self._folder), "PATH": os.environ["PATH"]}
        for variable in container.get("env") or []:
            environment[variable["name"]] = expanded(variable.get("value", ""), environment)
        entry = [sys.executable, "-m", "gcp_aws_bridge"] if container["image"] == IMAGE else []
        arguments = [*(container.get("command") or entry), *(container.get("args") or [])]
        mounts = [
            text
            for mount in container.get("volumeMounts") or []
            for text in (str(volumes[mount["name"]]), mount["mountPath"])
        ]
        namespace = ["unshare", "--map-root-user", "--mount", "sh", "-ec", _MOUNT, "mount"]
        program = [expanded(argument, environment) for argument in arguments]
        return [*namespace, *mounts, "--", *program], environment

    @contextlib.contextmanager
    def _sidecar(self, container: dict[str, Any], volumes: Mapping[str, Path]) -> Iterator[None]:
        command, environment = self._process(container, volumes)
        log = self._folder / f"{container['name']}.log"
        with (
            log.open("wb") as out,
            subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process,
        ):
            try:
                # An ordinary container has no start-up probe; the program then waits by itself.
                probe = container.get("startupProbe") or container["readinessProbe"]
                self._wait_until_ready(probe, log)
                yield
            finally:
                process.terminate()

    def _wait_until_ready(self, probe: dict[str, Any], log: Path) -> None:
        url = f"http://127.0.0.1:{probe['httpGet']['port']}{probe['httpGet']['path']}"
        for _ in range(_READY_WITHIN_S * 5):
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(url, timeout=5).status == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"The sidecar did not start: {log.read_text()}")

    def _volumes(self, pod: dict[str, Any]) -> dict[str, Path]:
        """Create the volumes of a pod, and return them by name."""
        found = {}
        for volume in pod["spec"].get("volumes") or []:
            folder = self._folder / pod["metadata"]["name"] / volume["name"]
            folder.mkdir(parents=True)
            for source in volume.get("projected", {}).get("sources", []):
                self._project(pod, source, folder)
            found[volume["name"]] = folder
        return found

    def _project(self, pod: dict[str, Any], source: dict[str, Any], folder: Path) -> None:
        if token := source.get("serviceAccountToken"):
            about = (pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"])
            text = self._api.token(*about, token["audience"], token["expirationSeconds"])
            (folder / token["path"]).write_text(text)
        for item in source.get("downwardAPI", {}).get("items", []):
            key = re.fullmatch(r"metadata\.annotations\['(.+)'\]", item["fieldRef"]["fieldPath"])
            assert key is not None
            text = pod["metadata"]["annotations"][key[1]]
            (folder / item["path"]).write_text(self._at_the_emulator(text))

    def _at_the_emulator(self, text: str) -> str:
        """Return a credential configuration with the addresses of the emulated Google."""
        document = json.loads(text)
        document["token_url"] = self._node["GCP_AWS_BRIDGE_GOOGLE_STS_URL"]
        name = "service_account_impersonation_url"
        address = self._node["GCP_AWS_BRIDGE_GOOGLE_IAM_URL"]
        document[name] = document[name].replace("https://iamcredentials.googleapis.com", address)
        return json.dumps(document)
