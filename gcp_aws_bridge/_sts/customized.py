"""Settings, hooks and patches that only botocore's own STS client applies.

A session without them gets the library's own requests. A session with one of them uses botocore's
client, so that tracers, mocks and hooks see the requests to STS that they have always seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from botocore.session import Session

from gcp_aws_bridge._sts.botocore_internals import client_methods, event_handlers
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
_KNOWN = ("botocore.", "boto3.", "gcp_aws_bridge.")


def customization(session: Session, region_name: str) -> str:
    """Return why *session* needs botocore's STS client, or "" if it does not."""
    return next(_customizations(session, region_name), "")


def _customizations(session: Session, region_name: str) -> Iterator[str]:
    if not all(map(_is_original, (_function_of(session.create_client), *client_methods()))):
        yield "a method of botocore's clients is patched"  # by a tracer
    if os.environ.get("BOTOCORE_EXPERIMENTAL__PLUGINS"):
        yield "botocore has plugins"
    if "fips" in region_name:  # a former name, which botocore translates
        yield f"{region_name} is no region"
    yield from _settings(session)
    for event in _EVENTS:
        for handler in event_handlers(session, event):
            if not _module(handler).startswith(_KNOWN):
                yield f"{_module(handler)} handles {event}"


def _settings(session: Session) -> Iterator[str]:
    for name in _UNSET:
        if session.get_config_variable(name):
            yield f"{name} is set"
    if session.get_config_variable("defaults_mode") != "legacy":
        yield "defaults_mode is set"
    if "sts" in session.get_scoped_config():  # nested settings, such as signature_version
        yield "the profile has settings for sts"
    if unknown := client_options(session).keys() - _APPLIED:
        yield f"the default client config has {min(unknown)}"


def _function_of(method: object) -> object:
    return getattr(method, "__func__", None)


def _is_original(function: Any) -> bool:
    # Wrappers may copy the name of the module (functools.wraps) or claim to be functions (wrapt).
    is_function = type(function) is FunctionType
    return is_function and function.__globals__["__name__"].startswith("botocore.")


def _module(handler: Any) -> str:
    while hasattr(handler, "func"):  # functools.partial
        handler = handler.func
    return str(getattr(handler, "__module__", ""))
