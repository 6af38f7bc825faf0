"""Address and connection settings of STS, from the parts that botocore's clients are made of.

Endpoint data, settings, proxies, trusted certificates and user agent are botocore's own, but its
description of STS is not loaded and no client is made. `tests/unit/sts/test_endpoint.py` compares
the result with botocore's client for each region and setting.
"""

from __future__ import annotations

import copy
import os
import socket
from typing import Any

from botocore.args import LEGACY_GLOBAL_STS_REGIONS
from botocore.client import ClientEndpointBridge
from botocore.config import Config
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import (
    get_environ_proxies,
    is_valid_endpoint_url,
    is_valid_ipv6_endpoint_url,
    validate_region_name,
)

from gcp_aws_bridge._sts.botocore_internals import (
    add_configured_endpoint,
    endpoint_resolver,
)
from gcp_aws_bridge._sts.connection import bound_answers, require_confidential
from gcp_aws_bridge._tokens.https import is_plain_http
from gcp_aws_bridge.config.regions import partition_of

_VARIANTS = ("use_dualstack_endpoint", "use_fips_endpoint")
_GLOBAL = "https://sts.amazonaws.com", "us-east-1"


class Unproven(Exception):
    """Raised where the endpoint may differ from that of botocore's client, which has other data.

    Its message names the case.
    """


class Endpoint:
    """Address of STS and the settings of connections to it. Immutable.

    Later changes of the environment have no effect on it.

    Attributes:
        url: The address.
        signing_region: Region of signatures.
        user_agent: Value of the header.
        proxy: URL of the proxy that requests go through; empty for none.
    """

    def __init__(self, session: Session, region_name: str, config: Any) -> None:
        """Read the settings of *session*; those of *config* take precedence.

        Raises:
            Unproven: botocore's client may have another endpoint.
            ConfigError: The network or a proxy could read the requests.
            BotoCoreError, ValueError: A setting is malformed, or data files are missing.
        """
        default = session.get_default_client_config()
        config = config if default is None else default.merge(config)
        validate_region_name(region_name)
        self.url, self.signing_region = _resolved(session, region_name, config)
        if not (is_valid_endpoint_url(self.url) or is_valid_ipv6_endpoint_url(self.url)):
            raise ValueError(f"Invalid endpoint: {self.url}")
        proxies = get_environ_proxies(self.url) if config.proxies is None else config.proxies
        # Plain HTTP is for this machine only, and its proxy could read the token.
        proxies = {} if is_plain_http(self.url) else proxies
        self.proxy = str(proxies.get("https") or "")
        require_confidential(self.url, self.proxy, config)
        self.user_agent = _user_agent(session, config)
        self._settings: dict[str, Any] = {
            "timeout": (config.connect_timeout, config.read_timeout),
            "proxies": proxies,
            "verify": _trusted(session),
            "max_pool_connections": config.max_pool_connections,
            "socket_options": _socket_options(session, config),
            "client_cert": config.client_cert,
            "proxies_config": config.proxies_config,
        }

    def connect(self) -> URLLib3Session:
        """Return a pool of connections, each of whose answers is limited in time and size."""
        session = URLLib3Session(**self._settings)
        bound_answers(session)
        return session


def _resolved(session: Session, region_name: str, config: Any) -> tuple[str, str]:
    """Return address and signing region."""
    store = copy.copy(session.get_component("config_store"))
    add_configured_endpoint(session, store)
    ignored = config.ignore_configured_endpoint_urls
    if ignored is None:
        ignored = store.get_config_variable("ignore_configured_endpoint_urls")
    configured = None if ignored else store.get_config_variable("endpoint_url")
    bridge: Any = ClientEndpointBridge(
        endpoint_resolver(session), session.get_scoped_config(), config, config_store=store
    )
    found = bridge.resolve("sts", region_name, configured)
    if configured is not None:
        return found["endpoint_url"], found["signing_region"]
    has_variant = any(_is_on(name, config, store) for name in _VARIANTS)
    if has_variant and found["metadata"].get("partition") != partition_of(region_name):
        raise Unproven(f"{region_name} has no FIPS or dual-stack endpoint in botocore's data")
    is_legacy = store.get_config_variable("sts_regional_endpoints") == "legacy"
    if is_legacy and region_name in LEGACY_GLOBAL_STS_REGIONS and not has_variant:
        return _GLOBAL
    return found["endpoint_url"], found["signing_region"]


def _is_on(name: str, config: Any, store: Any) -> bool:
    chosen = getattr(config, name)
    return bool(store.get_config_variable(name) if chosen is None else chosen)


def _trusted(session: Session) -> Any:
    """Return the file of trusted certificates, or True for botocore's own."""
    found = session.get_config_variable("ca_bundle")
    if found is None:
        found = os.environ.get("REQUESTS_CA_BUNDLE", True)
    if isinstance(found, str) and not found.strip():  # botocore 1.40 would not verify at all
        raise ValueError("the file of trusted certificates (CA bundle) has an empty name")
    return found


def _user_agent(session: Session, config: Any) -> str:
    if config.user_agent_appid is None:
        application = session.get_config_variable("user_agent_appid")
        named: Any = {"user_agent_appid": application}
        config = config.merge(Config(**named))
    creator = session.get_component("user_agent_creator")
    creator.set_session_config(
        session_user_agent_name=session.user_agent_name,
        session_user_agent_version=session.user_agent_version,
        session_user_agent_extra=session.user_agent_extra,
    )
    return str(creator.with_client_config(config).to_string())


def _socket_options(session: Session, config: Any) -> list[tuple[int, int, int]]:
    keep_alive = config.tcp_keepalive
    if keep_alive is None:
        keep_alive = session.get_config_variable("tcp_keepalive")
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    return [*options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)] if keep_alive else options
