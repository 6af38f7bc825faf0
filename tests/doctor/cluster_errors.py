"""Errors of the webhook, each with the change that fixes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import trustme
from kubernetes_api import KubernetesApi
from webhooks import TlsFiles

from gcp_aws_bridge.webhook.certificate import Certificate
from gcp_aws_bridge.webhook.cluster import Cluster, configuration

from .environment import Attempt, Environment


def certificate(env: Environment, *, of_secret: bool) -> None:
    files = TlsFiles(env.folder, trustme.CA())
    files.write(files.issue())
    if not of_secret:
        files.key.write_text("no key")
    Certificate(str(files.certificate), str(files.key))


def in_cluster(env: Environment, url: str | None) -> None:
    path = env.folder / "kubeconfig"
    if url is not None:
        path = KubernetesApi.kubeconfig_of(url, env.folder)
    env.set(KUBECONFIG=str(path))
    configuration()


def account(change: Callable[[KubernetesApi], None]) -> Attempt:
    """Return an attempt to read an account of an API server to which *change* was made."""

    async def read() -> None:
        cluster = Cluster(configuration(), lambda outcome: None)
        try:
            await cluster.annotations("data", "etl")
        finally:
            await cluster.close()

    def run(env: Environment) -> None:
        with KubernetesApi() as api:
            env.set(KUBECONFIG=str(api.kubeconfig(Path(env.folder))))
            api.accounts["data", "etl"] = {}
            change(api)
            asyncio.run(read())

    return run


FIXED: dict[str, tuple[Attempt, Attempt]] = {
    "config/cluster": (
        lambda env: in_cluster(env, None),
        lambda env: in_cluster(env, "https://127.0.0.1:6443"),
    ),
    "config/cluster-unread": (
        account(lambda api: setattr(api, "forbidden", True)),
        account(lambda api: setattr(api, "forbidden", False)),
    ),
    "config/service-account": (
        account(lambda api: api.accounts.clear()),
        account(lambda api: None),
    ),
    "config/webhook-certificate": (
        lambda env: certificate(env, of_secret=False),
        lambda env: certificate(env, of_secret=True),
    ),
}
