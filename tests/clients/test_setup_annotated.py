"""`setup --annotate`: the script is run, and then the pod of its Job, with the real AWS CLI.

What kubectl applied is patched by `inject`, as the webhook does. The containers of the pod run as
processes with its arguments and variables; only folders and ports are those of this machine.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients.test_setup import AWS, NUMBER, PLATFORMS, ROLE, Clouds, clouds, pytestmark
from kubernetes_objects import patched as patched_pod

from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.inject import Settings, inject
from gcp_aws_bridge.inject.variables import ENDPOINT_FOLDER, ENDPOINT_PORT, TOKEN_FOLDER

__all__ = ["clouds", "pytestmark"]


class Kubelet:
    """Runs the containers of a pod as processes."""

    def __init__(self, pod: dict[str, Any], folder: Path, environ: dict[str, str]) -> None:
        self._spec = pod["spec"]
        self._environ = environ
        self._home = {"HOME": str(folder)}
        self._places = {
            TOKEN_FOLDER: str(folder),
            ENDPOINT_FOLDER: str(folder),
            f":{ENDPOINT_PORT}/": f":{free_port()}/",
        }
        port = self._places[f":{ENDPOINT_PORT}/"].strip(":/")
        self._places |= {f"--port={ENDPOINT_PORT}": f"--port={port}"}
        self._places |= {"--status-host=0.0.0.0": "--status-host=127.0.0.1"}
        self._places |= {"--status-port=9912": f"--status-port={free_port()}"}

    def _here(self, text: str) -> str:
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    def _variables(self, container: dict[str, Any]) -> dict[str, str]:
        own = {one["name"]: self._here(one["value"]) for one in container.get("env", [])}
        return {**self._environ, **own, **self._home}

    @contextlib.contextmanager
    def sidecar(self) -> Iterator[None]:
        """Run the sidecar, if the pod has one, until the end of the block."""
        with contextlib.ExitStack() as stack:
            for container in self._spec.get("initContainers", []):
                command = [sys.executable, "-m", "gcp_aws_bridge"]
                command += [self._here(one) for one in container["args"]]
                process = stack.enter_context(
                    subprocess.Popen(
                        command, env=self._variables(container), stdout=subprocess.PIPE, text=True
                    )
                )
                stack.callback(process.terminate)
                assert process.stdout is not None
                assert process.stdout.readline()  # it listens
            yield

    def proof(self) -> subprocess.CompletedProcess[str]:
        """Run the container of the Job, with the AWS CLI of this machine."""
        [container] = self._spec["containers"]
        program, *arguments = container["command"]
        assert "aws" == program
        return subprocess.run(
            [str(AWS), *arguments],
            env=self._variables(container),
            capture_output=True,
            text=True,
            check=False,
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def applied(clouds: Clouds, platform: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Run the script; return the pod of the applied Job, and the account's annotations."""
    assert PLATFORMS[platform]
    done = clouds.execute(clouds.setup(platform, "--annotate").stdout)
    assert 0 == done.returncode, done.stderr
    made = clouds.state["kubernetes"]
    pod = made["Job/gcp-aws-bridge-proof"]["spec"]["template"]
    return pod, made["ServiceAccount/etl"]["metadata"]["annotations"]


def trusted(clouds: Clouds, emulator: Emulator, platform: str, folder: Path, pod: Any) -> None:
    """Give the emulated AWS the role of the script, and the pod its projected token."""
    if platform == "gke":
        assert NUMBER == emulator.service_account.unique_id
    else:
        [provider] = clouds.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        made = clouds.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])
        issuer = emulator.add_oidc_provider(
            f"https://{made['Url'].removeprefix('https://')}",
            client_ids=tuple(made["ClientIDList"]),
        )
        [_, volume] = pod["spec"]["volumes"]
        [source] = volume["projected"]["sources"]
        token = source["serviceAccountToken"]
        sub = "system:serviceaccount:data:etl"
        (folder / token["path"]).write_text(issuer.mint(sub, token["audience"]))
    emulator.add_role(ROLE, clouds.trust_policy())


@pytest.mark.parametrize("platform", ["gke", "gke-issuer"])
def test_annotated_pod_gets_the_role(
    clouds: Clouds, platform: str, emulator: Emulator, tmp_path: Path
) -> None:
    pod, annotations = applied(clouds, platform)
    check = clouds.setup(platform, "--annotate", "--check")
    assert 0 == check.returncode, check.stdout
    patch = inject(pod, annotations, Settings(image="gcp-aws-bridge")).patch
    patched = patched_pod(pod, patch)
    trusted(clouds, emulator, platform, tmp_path, patched)
    environ = {"PATH": os.environ["PATH"], **emulator.environ}
    kubelet = Kubelet(patched, tmp_path, environ)
    with kubelet.sidecar():
        done = kubelet.proof()
    assert "assumed-role/etl/" in done.stdout, done.stderr
    # Without the webhook, the Job fails.
    assert 0 != Kubelet(pod, tmp_path, environ).proof().returncode


def test_check_finds_an_audience_that_was_changed(clouds: Clouds) -> None:
    applied(clouds, "gke")
    state = clouds.state
    annotations = state["kubernetes"]["ServiceAccount/etl"]["metadata"]["annotations"]
    del annotations["gcp-aws-bridge/audience"]
    clouds.put(state)
    done = clouds.setup("gke", "--annotate", "--check")
    assert 1 == done.returncode
    assert "DIFFERS  annotations of Kubernetes service account data/etl" in done.stdout
    applied(clouds, "gke")
    assert 0 == clouds.setup("gke", "--annotate", "--check").returncode
