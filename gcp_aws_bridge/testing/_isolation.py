"""Isolation of a pod from its process: environment, sessions, listeners; all are restored."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import botocore

from gcp_aws_bridge._botocore import install, request
from gcp_aws_bridge._cache import events
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._sts import shared
from gcp_aws_bridge.testing._simulated import WORLD

# Variables that would make a client bypass the emulator, or change its requests.
_CLOUD = re.compile(
    r"(AWS|BOTO|GOOGLE|GCE|GCP|GCLOUD|CLOUDSDK)_\w+|NO_GCE_CHECK|GCLOUD_PROJECT|K_SERVICE"
    r"|CLOUD_RUN_JOB|KUBERNETES_SERVICE_HOST"
)
# Values that moto's mock_aws sets for AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. It may end
# before the pod, and fails if it does not find the variables. Set them to "", which botocore
# ignores.
_MOTOS = {"FOOBARKEY", "FOOBARSECRET"}
# Replaces the developer's files (profiles, keys, a gcloud login) by paths that do not exist.
_NO_FILES = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "BOTO_CONFIG": os.devnull,
    "CLOUDSDK_CONFIG": os.path.join(os.devnull, "gcloud"),
}


def _cloud_names() -> list[str]:
    cloudy = (name for name in os.environ if _CLOUD.fullmatch(name))
    return [name for name in cloudy if os.environ[name] not in _MOTOS]


def no_cloud() -> dict[str, str | None]:
    """Return the changes that remove both clouds from the environment.

    Returns:
        Variables by name; None: remove the variable. `isolated` handles moto's keys.
    """
    return {**dict.fromkeys(_cloud_names()), **_NO_FILES}


SetEnvironment = Callable[[Mapping[str, "str | None"]], None]
"""Sets variables by name, or removes them (None). Its provider restores them."""


@contextmanager
def environment() -> Iterator[SetEnvironment]:
    """Restore the environment at the end of the `with` block."""
    before: dict[str, str | None] = {}

    def put(variables: Mapping[str, str | None]) -> None:
        for name in variables:
            before.setdefault(name, os.environ.get(name))
        _set(variables)

    try:
        yield put
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def isolated() -> Iterator[None]:
    """Restore the environment, this library and boto3 at the end of the `with` block."""
    motos = {name: value for name, value in os.environ.items() if value in _MOTOS}
    _set(dict.fromkeys(motos, ""))
    try:
        with _nothing_shared():
            yield
    finally:
        _set(dict.fromkeys({*_cloud_names()} - {*motos}))  # variables that the test set itself
        # If a value is not "", moto has ended already and restored it.
        _set({name: value for name, value in motos.items() if os.environ.get(name) == ""})


_GOOGLE_INSTALL = "gcp_aws_bridge.google._install"  # not imported by a test without it


@contextmanager
def _nothing_shared() -> Iterator[None]:
    world, listeners, installed = registry.world, events._listeners, [*install._installed]
    google = sys.modules.get(_GOOGLE_INSTALL)
    installed_for_google = [*google._installed] if google else []
    events._listeners = dict(listeners)
    boto3_session = _swap_default_session(None)
    forget()
    registry.world = WORLD
    try:
        yield
    finally:
        registry.world, events._listeners = world, listeners
        if installed != install._installed:
            install.uninstall()
            for initializer in installed:
                botocore.register_initializer(initializer)
                install._installed.append(initializer)
        google = sys.modules.get(_GOOGLE_INSTALL)
        if google and installed_for_google != google._installed:
            google.uninstall()
            for identify in installed_for_google:
                google.install(identify)
        forget()
        _swap_default_session(boto3_session)


def forget() -> None:
    """Drop everything that equal requests share: caches, STS clients, the shared session."""
    registry.clear()
    shared._clients.clear()
    request._shared_session.cache_clear()
    if (aws_identity := sys.modules.get("gcp_aws_bridge.google._aws_identity")) is not None:
        aws_identity.forget_sessions()
    if (google := sys.modules.get(_GOOGLE_INSTALL)) is not None:
        google._require_keys.cache_clear()


def _swap_default_session(session: object) -> object:
    boto3 = vars(sys.modules["boto3"]) if "boto3" in sys.modules else {}
    before = boto3.get("DEFAULT_SESSION")
    boto3["DEFAULT_SESSION"] = session
    return before
