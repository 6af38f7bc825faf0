"""The behaviour of a session without a role of ours: its chain, its requests, its log.

`Scenario.seen(way)` runs one session in one way, so that ways can be compared. Answers come from a
listener for botocore's event `before-send`; no socket is opened.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache import fork

WAYS = ("plain", "install", "register")
PORTAL = "https://portal.example/start"
# Settings of a session, the client and the profile's partition.
REGIONS = [
    (None, "us-east-1"),
    (None, "cn-north-1"),
    (None, "us-gov-west-1"),
    ("eu-west-1", "eu-central-1"),
    ("eu-west-1", None),
]
PROFILES = {
    "keys": "aws_access_key_id=AKIAKEYS\naws_secret_access_key=x",
    "role": "role_arn={role}\nsource_profile=keys",
    "chained": "role_arn={role}\nsource_profile=role",
    "own-region": "region=ap-south-1\nrole_arn={role}\nsource_profile=keys",
    "legacy": "sts_regional_endpoints=legacy\nrole_arn={role}\nsource_profile=keys",
    "web": "role_arn={role}\nweb_identity_token_file={token}",
    "environment": "role_arn={role}\ncredential_source=Environment",
    "sso": f"sso_start_url={PORTAL}\nsso_region=eu-north-1\nsso_account_id=1\nsso_role_name=r",
    "no-keys": "output=json",
    "half-a-key": "aws_access_key_id=AKIAHALF",
    "no-source": "role_arn={role}\nsource_profile=nowhere",
    "in-a-circle": "role_arn={role}\nsource_profile=in-a-circle",
    "no-profile": None,
}
# With these, botocore raises an error.
FAIL = {"no-keys", "half-a-key", "no-source", "in-a-circle", "no-profile"}
_KEYS = (
    "<Credentials><AccessKeyId>AKIASTS</AccessKeyId><SecretAccessKey>x</SecretAccessKey>"
    "<SessionToken>y</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
)
_loader = botocore.loaders.create_loader()  # reads each data file of botocore once for all sessions


@dataclass
class Scenario:
    """One session: its profile, named or from the environment, and its regions."""

    profile: str
    is_named: bool
    region: str | None
    client_region: str | None
    first: str
    make: Callable[[str | None], tuple[Any, Any]]

    def prepare(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        role = f"arn:{partition(self.client_region or self.region)}:iam::123456789012:role/r"
        token = home / "token"
        token.write_text("token")
        texts = {name: it.format(role=role, token=token) for name, it in PROFILES.items() if it}
        config = home / "config"
        config.write_text("".join(f"[profile {name}]\n{it}\n" for name, it in texts.items()))
        patch.setenv("AWS_CONFIG_FILE", str(config))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
        _set(patch, "AWS_DEFAULT_REGION", self.region)
        _set(patch, "AWS_PROFILE", None if self.is_named else self.profile)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            _set(patch, name, "AKIAENV" if self.profile == "environment" else None)
        cache = home / f"{hashlib.sha1(PORTAL.encode()).hexdigest()}.json"
        cache.write_text(json.dumps({"accessToken": "t", "expiresAt": "2999-01-01T00:00:00Z"}))
        # botocore reads the home directory on import.
        patch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(home))

    def session(self) -> tuple[Any, Any]:
        """Make the session, and return it with botocore's session in it."""
        outer, inner = self.make(self.profile if self.is_named else None)
        inner.register_component("data_loader", _loader)
        return outer, inner

    def seen(self, way: str) -> dict[str, Any]:
        """Use the session for one call to a service, and return the observable behaviour."""
        # The message that no role is configured appears once in a process, and has appeared.
        fork._called.get().setdefault("no role", None)
        urls: list[str] = []
        found: dict[str, Any] = {"urls": urls}
        with _every_session(way), _logged() as lines:
            try:
                session, inner = self.session()
                self.use(session, inner, found, urls)
            except Exception as error:  # noqa: BLE001 - each provider has its own
                found["error"] = type(error), str(error)
        return found | {"log": lines}

    def use(self, session: Any, inner: Any, found: dict[str, Any], urls: list[str]) -> None:
        inner.register("before-send", lambda request, **_: answer(request, urls))
        if self.first == "credentials":
            found["first"] = type(session.get_credentials())
        elif self.first == "component":
            found["first"] = chain(inner)
        make = getattr(session, "client", None) or inner.create_client
        client = make("sts", region_name=self.client_region)
        found["chain"] = chain(inner)
        found["credentials"] = described(inner.get_credentials())
        client.get_caller_identity()


def partition(region: str | None) -> str:
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((it for at, it in prefixes.items() if str(region).startswith(at)), "aws")


def chain(inner: Any) -> list[Any]:
    """Return each provider's type and name, and the attributes of its resolver."""
    resolver = inner.get_component("credential_provider")
    providers = [(type(provider), provider.METHOD) for provider in resolver.providers]
    return [type(resolver), sorted(vars(resolver)), *providers]


def described(credentials: Credentials | None) -> Any:
    return credentials and (type(credentials), credentials.method)


def answer(request: Any, urls: list[str], kind: type[AWSResponse] = AWSResponse) -> AWSResponse:
    """Return the answers of STS and of the portal of Identity Center, at any address."""
    body = request.body or ""
    text = body.decode() if isinstance(body, bytes) else body
    action = "".join(re.findall(r"Action=(\w+)", text))
    urls.append(f"{request.url} {action}".strip())
    if "portal.sso" in request.url:
        keys = {"accessKeyId": "AKIASSO", "secretAccessKey": "x", "sessionToken": "y"}
        content = json.dumps({"roleCredentials": {**keys, "expiration": 32472144000000}})
    else:
        result = _KEYS if action.startswith("AssumeRole") else "<Arn>arn:aws:iam::1:user/u</Arn>"
        content = f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
    return kind(request.url, 200, {}, Body(content.encode()))


class Body:
    """The body of an answer, with the interfaces of urllib3 and aiohttp."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self._content

    async def read(self) -> bytes:
        return self._content


@contextmanager
def _every_session(way: str) -> Iterator[None]:
    """Add the library to every new session, in one of three ways."""
    if way == "plain":
        yield
    elif way == "install":
        bridge.install()
        try:
            yield
        finally:
            bridge.uninstall()
    else:
        botocore.register_initializer(_register)
        try:
            yield
        finally:
            botocore.unregister_initializer(_register)


def _register(session: Any) -> None:
    from gcp_aws_bridge._sts.session_settings import is_asynchronous

    if is_asynchronous(session):
        from gcp_aws_bridge import aio

        aio.register(session)
    else:
        bridge.register(session)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "botocore.loaders":  # only the first session reads data files
            # Signatures and times differ; the order of listeners and providers does not.
            whole = record.msg.startswith(("Event %s", "Looking for"))
            text = record.getMessage() if whole else record.msg
            self.lines.append((record.name, record.levelno, re.sub("0x[0-9a-f]+", "0x", text)))


@contextmanager
def _logged() -> Iterator[list[tuple[str, int, str]]]:
    """Collect the lines of all loggers at DEBUG."""
    root, handler = logging.getLogger(), _Lines()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def _set(patch: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    if value is None:
        patch.delenv(name, raising=False)
    else:
        patch.setenv(name, value)
