"""Settings, hooks and patches that only botocore's own STS client applies.

A session without them gets the library's own requests. A session with one of them uses botocore's
client, so that tracers, mocks and hooks see the requests to STS that they have always seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache, partial
from types import FunctionType
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS
from botocore.session import Session

from gcp_aws_bridge._sts.botocore_internals import (
    client_classes,
    event_handlers,
    has_botocores_components,
)
from gcp_aws_bridge._sts.session_settings import client_options

# Options of a default client config (botocore's `Config`) that `endpoint` applies, that the library
# sets itself, or that have no effect on STS. An option that is not listed, for example of a later
# release, needs botocore's client.
_APPLIED = frozenset(
    {
        *("client_cert", "ignore_configured_endpoint_urls", "proxies", "proxies_config"),
        *("tcp_keepalive", "use_dualstack_endpoint", "use_fips_endpoint", "user_agent"),
        "user_agent_appid",
        *("connect_timeout", "max_pool_connections", "read_timeout", "region_name", "retries"),
        "user_agent_extra",
        *("account_id_endpoint_mode", "disable_request_compression", "endpoint_discovery_enabled"),
        *("parameter_validation", "request_checksum_calculation", "response_checksum_validation"),
        *("request_min_compression_size_bytes", "s3", "s3_disable_express_session_auth"),
    }
)
# Settings of the environment and the profile, by botocore's names, that must not be set.
_UNSET = ("api_versions", "auth_scheme_preference", "csm_enabled", "sigv4a_signing_region_set")
# Events of a client and of a request (boto3 guide, "Extensibility guide").
_EVENTS = (
    "choose-service-name",
    "creating-client-class.sts",
    *(
        f"{event}.sts.{operation}"
        for operation in ("AssumeRoleWithWebIdentity", "AssumeRole")
        for event in (
            *("provide-client-params", "before-parameter-build", "before-call", "request-created"),
            *("choose-signer", "before-sign", "before-send", "response-received", "before-parse"),
            *("needs-retry", "after-call", "after-call-error", "before-endpoint-resolution"),
        )
    ),
)
# Data of STS and of partitions, in folders that botocore's loader searches (AWS_DATA_PATH, and
# ~/.aws/models). Endpoints are read by the session's own resolver.
_DATA = ("sts", "partitions.json", "partitions.json.gz")


def customization(session: Session, region_name: str) -> str:
    """Return why *session* needs botocore's STS client, or "" if it does not."""
    return next(_customizations(session, region_name), "")


def is_patched(session: Session) -> bool:
    """Return whether a tracer or a mock has replaced a method of botocore's clients."""
    create = getattr(session.create_client, "__func__", None)
    return not _is_original(create) or any(
        callable(member) and not _is_original(member)
        for owner in client_classes()
        for member in vars(owner).values()
        if not isinstance(member, (type, staticmethod, classmethod))
    )


def _customizations(session: Session, region_name: str) -> Iterator[str]:
    if is_patched(session):
        yield "a method of botocore's clients is patched"
    if os.environ.get("BOTOCORE_EXPERIMENTAL__PLUGINS"):
        yield "botocore has plugins"
    if "fips" in region_name:  # a former name, which botocore translates
        yield f"{region_name} is no region"
    if not has_botocores_components(session):
        yield "the session has components that are not botocore's"
        return
    yield from _settings(session)
    yield from _data(session)
    known = _botocores_handlers()
    for event in _EVENTS:
        for handler in event_handlers(session, event):
            if not (id(handler) in known.get(event, ()) or _is_ours(handler)):
                yield f"a hook handles {event}"


def _settings(session: Session) -> Iterator[str]:
    for name in _UNSET:
        if session.get_config_variable(name):
            yield f"{name} is set"
    if session.get_config_variable("defaults_mode") != "legacy":
        yield "defaults_mode is set"
    if session.get_config_variable("sts_regional_endpoints") not in (
        "legacy",
        "regional",
        None,
        "",
    ):
        yield "sts_regional_endpoints has an unknown value"
    if "sts" in session.get_scoped_config():  # nested settings, such as signature_version
        yield "the profile has settings for sts"
    if unknown := client_options(session).keys() - _APPLIED:
        yield f"the default client config has {min(unknown)}"


def _data(session: Session) -> Iterator[str]:
    """Yield a reason if a folder of the user has other descriptions of STS or of partitions."""
    loader = session.get_component("data_loader")
    for folder in loader.search_paths:
        if folder != loader.BUILTIN_DATA_PATH:
            for name in _DATA:
                if os.path.exists(os.path.join(folder, name)):
                    yield f"{folder} has data that replace botocore's"


@lru_cache(maxsize=1)
def _botocores_handlers() -> dict[str, set[int]]:
    """Return the ids of botocore's own handlers for each event; no other handler is expected."""
    own: dict[str, list[tuple[list[str], Any]]] = {}
    for pattern, handler, *_ in BUILTIN_HANDLERS:
        if str(getattr(handler, "__module__", "")).startswith("botocore."):
            first, *rest = pattern.split(".")
            own.setdefault(first, []).append((rest, handler))
    found = {}
    for event in _EVENTS:
        first, *rest = event.split(".")
        candidates = own.get(first, ())
        found[event] = {id(handler) for parts, handler in candidates if _matches(parts, rest)}
    return found


def _matches(pattern: list[str], event: list[str]) -> bool:
    """Return whether botocore calls a handler of *pattern* for *event*."""
    same = all(wanted in (part, "*") for wanted, part in zip(pattern, event))  # noqa: B905 - prefix
    return same and len(pattern) <= len(event)


def _is_original(function: Any) -> bool:
    # Wrappers may copy the name of the module (functools.wraps) or claim to be functions (wrapt).
    is_function = type(function) is FunctionType
    return is_function and function.__globals__["__name__"].startswith("botocore.")


def _is_ours(handler: Any) -> bool:
    while type(handler) is partial:
        handler = handler.func
    return type(handler) is FunctionType and handler.__module__.startswith("gcp_aws_bridge.")
