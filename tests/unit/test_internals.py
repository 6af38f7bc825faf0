"""Private names of other libraries: where they are used, and that they still exist."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import botocore.credentials
import botocore.httpchecksum
import botocore.session
import google.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from google.auth import credentials as google_credentials
from google.oauth2 import service_account

import gcp_aws_bridge
from gcp_aws_bridge import _extra
from gcp_aws_bridge._botocore import retry_rejected
from gcp_aws_bridge._sts import boto3_internals, botocore_internals
from gcp_aws_bridge._tokens import google_auth_internals
from gcp_aws_bridge.exceptions import ConfigError, MissingExtra

PACKAGE = Path(gcp_aws_bridge.__file__).parent
PAGE = PACKAGE.parent / "docs/explanation/alternatives.md"
HOLDERS = {
    *("_sts.botocore_internals", "_sts.boto3_internals"),
    *("_tokens.google_auth_internals", "_cache.xray_internals", "_botocore.httpx_internals"),
}
SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
PRIVATE = re.compile(r"_[a-zA-Z]\w*")
# Of the standard library; `_getframe` is documented.
PYTHONS = {
    "_replace": "namedtuple",
    "_ActionsContainer": "argparse, in annotations, which are never evaluated",
    "_ArgumentGroup": "argparse, in annotations, which are never evaluated",
    "_getframe": "sys, documented; where the parts of credentials are read",
    "_blake2": "hashlib is used where it is missing",
    "_proxy": "the end of the names of environment variables",
}
LIBRARIES = ("aiobotocore", "boto", "google", "polars", "s3fs", "smithy", "uvicorn", "airflow")
LATER = datetime(2999, 1, 1, tzinfo=timezone.utc)


def defined_by(tree: ast.AST) -> Iterator[str]:
    """Yield the names that *tree* defines."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node):
            yield node.attr


def is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}


def private_names_used_by(tree: ast.AST) -> Iterator[str]:
    """Yield private names read from anything but `self`: attributes, strings and imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not is_own(node) and PRIVATE.fullmatch(node.attr):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [node.value] if PRIVATE.fullmatch(node.value) else []
        elif isinstance(node, ast.ImportFrom):
            if not (node.module or "").startswith("gcp_aws_bridge"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                yield from filter(PRIVATE.fullmatch, names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if not alias.name.startswith("gcp_aws_bridge"):
                    yield from filter(PRIVATE.fullmatch, alias.name.split("."))


@functools.cache
def ours() -> set[str]:
    found = {name for source in SOURCES.values() for name in defined_by(ast.parse(source))}
    return found | {part for name in SOURCES for part in name.split(".")}


HELD = {
    name
    for holder in HOLDERS
    for name in private_names_used_by(ast.parse(SOURCES[holder]))
    if not name.endswith("_internals")
}


def foreign(source: str) -> set[str]:
    """Return private names of other libraries that *source* uses, even if we have the same."""
    names = set(private_names_used_by(ast.parse(source))) - PYTHONS.keys()
    return {name for name in names if name in HELD or name not in ours()}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("session._components", {"_components"}),
        ("session._credentials = None", {"_credentials"}),
        ("getattr(session, '_session', session)", {"_session"}),
        ("vars(session)['_credentials'] = None", {"_credentials"}),
        ("botocore.session.Session()._new_name", {"_new_name"}),
        ("from botocore._private import thing", {"_private"}),
        ("from botocore import _private as thing", {"_private"}),
        ("import botocore._private", {"_private"}),
        ("self._components", set()),
        ("from gcp_aws_bridge._sts.client import Sts", set()),
        ("answer._replace(body=b'')", set()),
        ("__name__, x.__dict__, x.public, '_'", set()),
    ],
)
def test_private_names_are_found(source: str, names: set[str]) -> None:
    assert names == foreign(source)


@pytest.mark.parametrize("name", SOURCES)
def test_private_names_of_other_libraries_are_used_in_their_own_modules_only(name: str) -> None:
    # Packages whose names are imported on first access list the names of our modules.
    listing = {"__init__", "google.__init__"}
    found = foreign(SOURCES[name]) if name not in {*HOLDERS, *listing} else set()
    assert set() == found


# Not the hooks of PyInstaller, whose names no import statement can have.
IMPORTABLE = [name for name in SOURCES if not name.endswith("__main__") and "-" not in name]


@pytest.mark.parametrize("name", IMPORTABLE)
def test_a_class_sets_no_private_attribute_that_a_base_of_another_library_has(name: str) -> None:
    try:
        module = importlib.import_module(f"gcp_aws_bridge.{name}".removesuffix(".__init__"))
    except MissingExtra as error:
        pytest.skip(str(error))
    for kind in vars(module).values():
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            bases = [base for base in kind.__mro__ if base.__module__.startswith(LIBRARIES)]
            inherited = {found for base in bases for found in private_names_of(base)}
            assert set() == private_names_of(kind) & inherited


def private_names_of(kind: type) -> set[str]:
    names = {name for name in vars(kind) if PRIVATE.fullmatch(name) and not name.endswith("_")}
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):  # written in C
        source = ""
    return (names | set(re.findall(r"self\.(_[a-zA-Z]\w*)", source))) - {"_abc_impl"}


def test_page_has_every_private_name() -> None:
    if not PAGE.exists():
        pytest.skip("not in a source checkout")
    rows = re.findall(
        r"^\| (?:botocore|boto3|google-auth|httpx, httpx2|aws-xray-sdk) \| (.*?) \|",
        PAGE.read_text(),
        re.M,
    )
    assert HELD == {name for row in rows for name in re.findall(r"\.(_\w+)`", row)}


# -- each name, in the installed release -------------------------------------------------------


def refreshable() -> botocore.credentials.RefreshableCredentials:
    return botocore.credentials.RefreshableCredentials(
        "AKIAOLD", "x", "y", LATER, lambda: {}, "method"
    )


def test_get_credentials_uses_the_components() -> None:
    session = botocore.session.Session()
    components = botocore_internals.components(session)
    requested = []
    vars(components)["get_component"] = lambda name: requested.append(name) or Nothing()
    session.get_credentials()
    assert ["credential_provider"] == requested
    for name in ("register_component", "lazy_register_component"):
        assert callable(getattr(components, name))


class Nothing:
    def load_credentials(self) -> None: ...


def test_get_credentials_returns_the_resolved_credentials() -> None:
    session = botocore.session.Session()
    assert botocore_internals.resolved_credentials(session) is None
    session.set_credentials("AKIA", "x")
    assert botocore_internals.resolved_credentials(session) is session.get_credentials()
    found: Any = object()
    botocore_internals.set_resolved_credentials(session, found)
    assert session.get_credentials() is found


def test_expiration_is_when_botocore_refreshes() -> None:
    keys = refreshable()
    assert not keys.refresh_needed()
    botocore_internals.set_expiration(keys, datetime.now(timezone.utc) + timedelta(seconds=1))
    assert keys.refresh_needed()


def test_locks_that_botocore_holds_while_it_refreshes_are_replaced() -> None:
    source = refreshable()
    fetcher = botocore.credentials.AssumeRoleCredentialFetcher(lambda: None, source, "arn", {})
    keys = botocore.credentials.RefreshableCredentials(
        "AKIAOLD", "x", "y", LATER, fetcher.fetch_credentials, "method"
    )
    held = []
    for credentials in (keys, source):
        lock: Any = vars(credentials)["_refresh_lock"]
        assert lock.acquire(timeout=0)
        held.append(lock)
    botocore_internals.unlock(keys, wait_s=0)
    for credentials, former in zip((keys, source), held, strict=True):
        assert vars(credentials)["_refresh_lock"] is not former
        assert vars(credentials)["_refresh_lock"].acquire(timeout=0)


def test_pool_classes_make_the_connections_of_the_client() -> None:
    class Pool:
        def __init__(self, host: str, port: int, **_: Any) -> None:
            raise LookupError(f"a pool for {host}")

    session = botocore.session.Session()
    client = session.create_client("sts", "us-east-1", config=Config(proxies={}))
    classes: dict[str, Any] = {"http": Pool, "https": Pool}
    http_session = botocore_internals.http_session_of(client)
    botocore_internals.replace_pool_classes(http_session, lambda _: classes)
    for url in ("https://sts.us-east-1.amazonaws.com/", "http://127.0.0.1/"):
        with pytest.raises(HTTPClientError, match="a pool for"):
            http_session.send(AWSRequest("GET", url).prepare())
    client.close()


def test_body_in_the_wrapper_for_checksums_is_found() -> None:
    body = io.BytesIO(b"body")
    wrapper = botocore.httpchecksum.AwsChunkedWrapper(body)
    assert botocore_internals.unwrapped(wrapper) is body
    assert botocore_internals.unwrapped(body) is body


def test_clock_of_botocore_credentials_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    revoked: set[str] = set()
    now = [LATER - timedelta(days=1)]
    botocore_internals.replace_clock(monkeypatch.setattr, lambda: now[0], revoked.__contains__)
    keys = refreshable()
    assert not keys.refresh_needed()
    now[0] = LATER - timedelta(seconds=1)
    assert keys.refresh_needed()
    now[0] -= timedelta(days=1)
    revoked.add("AKIAOLD")
    assert keys.refresh_needed()
    assert "AKIA1" == Fetcher(cache={}).fetch_credentials()["access_key"]
    fetcher = Fetcher(cache={})
    fetcher.fetch_credentials()
    assert "AKIA1" == fetcher.fetch_credentials()["access_key"]
    now[0] = LATER
    assert "AKIA2" == fetcher.fetch_credentials()["access_key"]


class Fetcher(botocore.credentials.CachedCredentialFetcher):
    """botocore's cache of the answer of STS."""

    requested = 0

    def _create_cache_key(self) -> str:
        return "key"

    def _get_credentials(self) -> dict[str, Any]:
        self.requested += 1
        keys = {"AccessKeyId": f"AKIA{self.requested}", "SecretAccessKey": "x", "SessionToken": "y"}
        return {"Credentials": {**keys, "Expiration": LATER.isoformat()}}


def test_session_in_a_boto3_session_is_found() -> None:
    inner = botocore.session.Session()
    session = boto3.Session(botocore_session=inner)
    assert boto3_internals.botocore_session_in(session) is inner
    assert boto3_internals.botocore_session_in(inner) is inner


def test_settings_of_google_auth_classes_equal_their_properties() -> None:
    class Made(google_credentials.CredentialsWithQuotaProject, google_credentials.Scoped):  # type: ignore[misc]
        refresh = requires_scopes = with_scopes = with_quota_project = None

    made = Made()
    google_auth_internals.set_quota_project(made, "project")
    google_auth_internals.set_universe_domain(made, "example.com")
    google_auth_internals.set_scopes(made, ["scope"])
    assert ("project", "example.com") == (made.quota_project_id, made.universe_domain)
    assert (["scope"], None) == (made.scopes, made.default_scopes)
    google_auth_internals.set_scopes(made, [], ["other"])
    assert ([], ["other"]) == (made.scopes, made.default_scopes)


def test_default_calls_the_step_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    step = google_auth_internals.first_step()
    found = google_credentials.AnonymousCredentials()
    try:
        google_auth_internals.set_first_step(lambda quota_project_id: (found, quota_project_id))
        assert (found, "billed") == google.auth.default(quota_project_id="billed")
    finally:
        google_auth_internals.set_first_step(step)
    assert step is google_auth_internals.first_step()
    monkeypatch.delattr("google.auth._default._get_explicit_environ_credentials")
    with pytest.raises(
        ConfigError, match=r"google-auth \d.* has no google\.auth\._default\._get_exp"
    ):
        google_auth_internals.first_step()


def test_token_uri_of_a_service_account_is_found() -> None:
    class Signer:
        key_id = None

    key = service_account.Credentials(Signer(), "a@b", "https://token.example/")
    assert "https://token.example/" == google_auth_internals.token_uri(key)


# -- where a release has renamed one -----------------------------------------------------------


def without(name: str) -> botocore.credentials.RefreshableCredentials:
    keys = refreshable()
    del vars(keys)[name]
    return keys


class Renamed:
    __module__ = "boto3.session"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (botocore_internals.components, r"botocore \d.* has no Renamed\._components"),
        (botocore_internals.resolved_credentials, r"botocore \d.* has no Renamed\._credentials"),
        (
            lambda it: botocore_internals.set_resolved_credentials(it, None),
            r"botocore \d.* has no Renamed\._credentials",
        ),
        (
            lambda it: botocore_internals.set_expiration(it, LATER),
            r"botocore \d.* has no Renamed\._expiry_time",
        ),
        (botocore_internals.http_session_of, r"botocore \d.* has no Renamed\._endpoint"),
        (
            lambda it: botocore_internals.replace_pool_classes(it, dict),
            r"botocore \d.* has no Renamed\._pool_classes_by_scheme",
        ),
        (
            lambda it: botocore_internals.unlock(without("_refresh_lock"), 0),
            r"botocore \d.* has no RefreshableCredentials\._refresh_lock",
        ),
        (
            lambda it: botocore_internals.unlock(without("_refresh_using"), 0),
            r"botocore \d.* has no RefreshableCredentials\._refresh_using",
        ),
        (boto3_internals.botocore_session_in, r"boto3 \d.* has no Renamed\._session"),
        (google_auth_internals.token_uri, r"google-auth \d.* has no Renamed\._token_uri"),
        (
            lambda it: google_auth_internals.set_quota_project(it, "p"),
            r"google-auth \d.* has no Renamed\._quota_project_id",
        ),
        (
            lambda it: google_auth_internals.set_universe_domain(it, "u"),
            r"google-auth \d.* has no Renamed\._universe_domain",
        ),
        (
            lambda it: google_auth_internals.set_scopes(it, []),
            r"google-auth \d.* has no Renamed\._scopes",
        ),
    ],
)
def test_renamed_attribute_is_an_error_that_names_it(use: Any, message: str) -> None:
    renamed = Renamed()
    with pytest.raises(ConfigError, match=message) as caught:
        use(renamed)
    assert "config/internals" == caught.value.error_id


@pytest.mark.parametrize("name", ["_local_now", "_seconds_remaining"])
def test_renamed_clock_is_an_error_that_names_it(name: str) -> None:
    owners = (botocore.credentials, botocore.credentials.RefreshableCredentials)
    owner: Any = next(owner for owner in owners if hasattr(owner, name))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(owner, name)
        with pytest.raises(ConfigError, match=name):
            botocore_internals.replace_clock(setattr, lambda: LATER, lambda _: False)
    assert LATER != botocore.credentials._local_now()  # both are replaced, or neither


def test_renamed_body_of_the_wrapper_is_a_warning_and_not_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrapper = botocore.httpchecksum.AwsChunkedWrapper(io.BytesIO(b"body"))
    del wrapper._raw  # type: ignore[attr-defined]
    assert not retry_rejected._can_be_sent_again(wrapper)
    assert 1 == sum("AwsChunkedWrapper._raw" in line for line in caplog.messages)


def test_attribute_is_returned_as_it_is() -> None:
    assert _extra.internal("botocore", botocore.credentials, "_local_now") is (
        botocore.credentials._local_now
    )
