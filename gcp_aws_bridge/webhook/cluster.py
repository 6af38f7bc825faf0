"""Client of the Kubernetes API server: reads service accounts and its version."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import cast

import httpx2  # lightkube's HTTP client
from lightkube import ApiError, AsyncClient, KubeConfig, SingleConfig
from lightkube import ConfigError as ConfigurationError
from lightkube.config import client_adapter as adapter
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.models import User
from lightkube.resources.core_v1 import ServiceAccount

from gcp_aws_bridge.exceptions import ConfigError, quoted

# The API server waits for this webhook for 5 s (timeoutSeconds in the chart), in which an account
# may be read twice.
_TIMEOUT_S = 2.0
# kube-apiserver closes idle connections after 90 s (apiserver, pkg/server/secure_serving.go).
_KEEP_ALIVE_S = 75
# Kubernetes, "Object Names and IDs": DNS subdomains. Other characters could select another object.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NATIVE_SIDECARS = (1, 29)  # Kubernetes, "Sidecar Containers": enabled by default


def configuration() -> SingleConfig:
    """Return the configuration of the API server: that of the pod, or kubectl's.

    Raises:
        ConfigError: The configuration is missing or malformed.
    """
    try:
        found = cast(SingleConfig, KubeConfig.from_env().get())
        adapter.Client(found, ConnectionParams()).close()  # reads the files that it names
    except Exception as error:  # noqa: BLE001 - of the file system, YAML, TLS; may quote tokens
        known = isinstance(error, (ConfigurationError, OSError))
        why = quoted(error) if known else f"it is malformed ({type(error).__name__})"
        raise ConfigError(
            f"There is no configuration for the Kubernetes API server: {why}.",
            fix="run this command in a pod that mounts the token of its service account, or set "
            "KUBECONFIG to a file.",
            error_id="config/cluster",
        ) from None
    return found


class Cluster:
    """Asynchronous client of the API server.

    Args:
        config: Result of `configuration`.
        count: Called with the outcome of each request for a service account.
    """

    def __init__(self, config: SingleConfig, count: Callable[[str], None]) -> None:
        trusted = adapter.verify_cluster(
            config.cluster, config.user or User(), config.abs_file, trust_env=True
        )
        limits = httpx2.Limits(keepalive_expiry=_KEEP_ALIVE_S)
        # A transport of our own ignores the proxies of the environment: the API server is in the
        # cluster.
        transport = httpx2.AsyncHTTPTransport(verify=trusted, limits=limits)
        parameters = ConnectionParams(transport=transport)  # type: ignore[arg-type]
        self._http = adapter.AsyncClient(config, parameters)
        self._client = AsyncClient(config, transport=transport)
        self._count = count

    async def native_sidecars_and_version(self) -> tuple[bool, str]:
        """Return whether the cluster supports native sidecars, and its version.

        Raises:
            ConfigError: The API server does not answer.
        """
        try:
            answer = await self._http.get("/version", timeout=_TIMEOUT_S)
            version = answer.raise_for_status().json()["gitVersion"]
            # Such as v1.33.1-gke.1386000. The members major and minor are empty in some clusters.
            major, minor = version.removeprefix("v").split(".")[:2]
            return (int(major), int(minor)) >= _NATIVE_SIDECARS, version
        except Exception as error:  # noqa: BLE001 - of the network, TLS, another server
            raise _unread("the API server's version", error) from None

    async def annotations(self, namespace: str, name: str) -> Mapping[str, str]:
        """Return the annotations of a service account.

        Raises:
            ConfigError: It does not exist, or cannot be read.
        """
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
            self._count("missing")
            raise _missing(namespace, name)
        try:
            found = await asyncio.wait_for(self._get(namespace, name), _TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - of the network, TLS, another server
            code = error.status.code if isinstance(error, ApiError) else None
            if code == 404:
                self._count("missing")
                raise _missing(namespace, name) from None
            self._count("failed")
            raise _unread(f"the service account {namespace}/{name}", error) from None
        self._count("read")
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._http.aclose()

    async def _get(self, namespace: str, name: str) -> Mapping[str, str]:
        try:
            account = await self._client.get(ServiceAccount, name, namespace=namespace)
        except ApiError:
            raise
        except Exception:  # noqa: BLE001 - such as a connection that the API server has closed
            account = await self._client.get(ServiceAccount, name, namespace=namespace)
        return (account.metadata and account.metadata.annotations) or {}


def _missing(namespace: str, name: str) -> ConfigError:
    return ConfigError(
        f"The pod's service account {quoted(f'{namespace}/{name}')} does not exist.",
        fix="create it, or correct the pod's serviceAccountName.",
        error_id="config/service-account",
    )


def _unread(what: str, error: Exception) -> ConfigError:
    fix = "check that the webhook can reach the API server, and retry."
    why = f"{type(error).__name__} {quoted(error)}"
    if isinstance(error, asyncio.TimeoutError):
        why = f"no answer within {_TIMEOUT_S:.0f} s"
    elif isinstance(error, ApiError):
        why = f"{error.status.code} {quoted(error.status.message)}"
        if error.status.code in (401, 403):
            fix = "let the webhook's service account get serviceaccounts, as the chart does."
    return ConfigError(
        f"gcp-aws-bridge could not read {what}: {why}.",
        fix=fix,
        error_id="config/cluster-unread",
        retryable=True,
    )
