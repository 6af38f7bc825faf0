"""What a pod sees of its process, and how it is put back: environment, sessions, listeners."""

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
from gcp_aws_bridge._sts import client as sts_client
from gcp_aws_bridge.testing._simulated import WORLD

# Whatever would lead a client past the emulator, or change what it asks for.
_CLOUD = re.compile(
    r"(AWS|BOTO|GOOGLE|GCE|GCP|GCLOUD|CLOUDSDK)_\w+|NO_GCE_CHECK|GCLOUD_PROJECT|K_SERVICE"
    r"|KUBERNETES_SERVICE_HOST"
)
# What moto's mock_aws has in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Its end, which may come
# before the pod's, fails where they are gone: they are made empty, which botocore takes for that.
_MOTOS = {"FOOBARKEY", "FOOBARSECRET"}
# The files of whoever runs the tests: profiles, keys, a gcloud login. These names lead nowhere.
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
    """What the environment must become for a pod that sees nothing of either cloud in it.

    Returns:
        Variables by name; None: to be removed. moto's keys are left to `isolated`.
    """
    return {**dict.fromkeys(_cloud_names()), **_NO_FILES}


SetEnvironment = Callable[[Mapping[str, "str | None"]], None]
"""Sets variables by name, and removes those that are None; somebody puts them all back."""


@contextmanager
def environment() -> Iterator[SetEnvironment]:
    """Have the environment as it was, at the end of the block."""
    before: dict[str, str | None] = {}

    def put(wanted: Mapping[str, str | None]) -> None:
        for name in wanted:
            before.setdefault(name, os.environ.get(name))
        _set(wanted)

    try:
        yield put
    finally:
        _set(before)


def _set(wanted: Mapping[str, str | None]) -> None:
    for name, value in wanted.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def isolated() -> Iterator[None]:
    """Keep what happens in the block to the block: in the environment, this library and boto3."""
    motos = {name: value for name, value in os.environ.items() if value in _MOTOS}
    _set(dict.fromkeys(motos, ""))
    try:
        with _nothing_shared():
            yield
    finally:
        _set(dict.fromkeys({*_cloud_names()} - {*motos}))  # what a test wrote there by itself
        # What is not empty is moto's affair: it has ended already.
        _set({name: value for name, value in motos.items() if os.environ.get(name) == ""})


@contextmanager
def _nothing_shared() -> Iterator[None]:
    world, listeners, installed = registry.world, events._listeners, [*install._installed]
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
        forget()
        _swap_default_session(boto3_session)


def forget() -> None:
    """Drop what equal requests share: caches, STS clients, the session that has no owner."""
    registry.clear()
    sts_client._clients.clear()
    request._shared_session.cache_clear()
    if (aws_identity := sys.modules.get("gcp_aws_bridge.google._aws_identity")) is not None:
        aws_identity.forget_sessions()


def _swap_default_session(session: object) -> object:
    boto3 = vars(sys.modules["boto3"]) if "boto3" in sys.modules else {}
    before = boto3.get("DEFAULT_SESSION")
    boto3["DEFAULT_SESSION"] = session
    return before
