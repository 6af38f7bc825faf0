"""The library's own requests to STS are those of botocore's client, for all regions and settings.

The reference is a client of the installed botocore: CI runs these tests with the oldest and the
newest supported release.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock
from urllib.parse import parse_qs

import botocore.session
import pytest
from boto3.utils import lazy_call
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.handlers import disable_signing
from botocore.parsers import ResponseParserFactory
from botocore.session import Session
from fakes import START
from unit.servers import id_token

from gcp_aws_bridge._cache.fork import PerProcess
from gcp_aws_bridge._sts.botocore_client import BotocoreClient
from gcp_aws_bridge._sts.botocore_internals import http_session_of
from gcp_aws_bridge._sts.client import CONFIG, Sts
from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._sts.customized import customization
from gcp_aws_bridge._sts.endpoint import Unproven
from gcp_aws_bridge._sts.request import Requests
from gcp_aws_bridge._sts.shared import sts_for
from gcp_aws_bridge._tokens.id_token import parse
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.config.regions import partition_of
from gcp_aws_bridge.exceptions import ConfigError

KEYS = AwsCredentials("ASIAX", "secret", "token", START, "123456789012")
PARAMETERS = {
    "RoleArn": "arn:aws:iam::123456789012:role/etl",
    "RoleSessionName": "a b&c=d+e,f",
    "DurationSeconds": 3600,
    "Policy": '{"Version":"2012-10-17","Statement":[]}',
    "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/A"}, {"arn": "arn:aws:iam::aws:policy/B"}],
    "Tags": [{"Key": "tenant", "Value": "é ~/%"}],
    "TransitiveTagKeys": ["tenant", "a/b"],
    "ExternalId": "x:y/z@",
}


class Sent(BaseException):
    """Raised instead of a request that would be sent; not caught by botocore's retries."""

    def __init__(self, request: Any) -> None:
        self.request = request


class Seen(NamedTuple):
    """What reaches a server, and how."""

    url: str
    form: Mapping[str, list[str]]
    content_type: str
    user_agent: str
    scope: str
    connection: Mapping[str, Any]


def seen_of(request: Any, http_session: Any) -> Seen:
    headers = {name: _text(value) for name, value in request.headers.items()}
    connection = vars(http_session)
    names = ("_verify", "_timeout", "_max_pool_connections", "_socket_options", "_cert_file")
    found = {name: connection.get(name) for name in (*names, "_key_file")}
    found["_timeout"] = str(found["_timeout"])  # the objects compare by identity
    proxies = vars(connection["_proxy_config"])
    plain = request.url.startswith("http:")  # the library uses no proxy for plain HTTP
    found["proxies"] = {} if plain else proxies
    body = parse_qs(_text(request.body), keep_blank_values=True, strict_parsing=True)
    scope = re.search(r"Credential=\w+/\d+/([^,]+)", headers.get("Authorization", ""))
    return Seen(
        request.url,
        body,
        headers["Content-Type"],
        # `m/` has the features of botocore's client that a call has used.
        re.sub(r" m/[\w,+-]+", "", headers["User-Agent"]),
        scope[1] if scope else "",
        found,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Recorder:
    def send(self, request: Any) -> Any:
        raise Sent(request)


def ours(session: Session, region: str, *, signed: bool) -> Seen | None:
    """Return the library's own request; None if it cannot be made."""
    try:
        requests = Requests(session, region, CONFIG)
    except (BotoCoreError, ValueError):
        return None
    http_session = requests._connections.get()
    requests._connections = PerProcess(Recorder)  # type: ignore[arg-type]
    with pytest.raises(Sent) as sent:
        requests.send("AssumeRole", PARAMETERS, KEYS if signed else None)
    return seen_of(sent.value.request, http_session)


def botocores(session: Session, region: str, *, signed: bool) -> Seen | None:
    """Return the request of botocore's client; None if botocore cannot make it."""

    def stop(request: Any, **_: Any) -> None:
        raise Sent(request)

    keys = {"aws_access_key_id": "ASIAX", "aws_secret_access_key": "secret"}
    unsigned = Config(signature_version=botocore.UNSIGNED)
    try:
        client = session.create_client(
            "sts",
            region_name=region,
            config=CONFIG if signed else CONFIG.merge(unsigned),
            **({**keys, "aws_session_token": "token"} if signed else {}),
        )
        client.meta.events.register("before-send.sts", stop)
        client.assume_role(**PARAMETERS)
    except (BotoCoreError, ValueError):
        return None
    except Sent as sent:
        return seen_of(sent.request, http_session_of(client))
    raise AssertionError("no request")


def same(session: Session, region: str, *, signed: bool = True) -> Seen | None:
    """Return the request of both, which are the same, except where botocore's client is used."""
    if "fips" in region:
        assert f"{region} is no region" == customization(session, region)
        return None
    try:
        found = ours(session, region, signed=signed)
    except Unproven:
        assert "aws" != partition_of(region)
        assert isinstance(Sts(session, region).transport, BotocoreClient)
        return None
    expected = botocores(session, region, signed=signed)
    if expected is not None and expected.url.startswith("http://10."):
        assert found is None  # the library sends no token over plain HTTP to another machine
        return None
    assert expected == found
    return found


REGIONS = sorted(
    {
        region
        for session in [botocore.session.Session()]
        for partition in session.get_available_partitions()
        for service in ("sts", "ec2", "s3", "dynamodb")
        for region in session.get_available_regions(service, partition, allow_non_regional=True)
    }
    # Regions of no list, in the form of each partition.
    | {"eu-west-9", "cn-south-7", "us-gov-north-3", "eusc-fr-east-4", "us-iso-north-8"}
    | {"us-isob-x-3", "us-isof-x-3", "eu-isoe-x-3", "xx-north-1"}
)
# With a configured endpoint, the region matters only for the signature.
FEW_REGIONS = ("us-east-1", "eu-west-9", "cn-north-1", "us-gov-west-1", "us-iso-east-1")
ENDPOINTS: dict[str, tuple[dict[str, str], str]] = {
    "none": ({}, ""),
    "variable of the service": ({"AWS_ENDPOINT_URL_STS": "https://a.example/path"}, ""),
    "variable": ({"AWS_ENDPOINT_URL": "https://b.example:8443"}, ""),
    "profile": ({}, "endpoint_url = https://[2001:db8::1]/x/\n"),
    "services": (
        {},
        "services = mine\n[services mine]\nsts =\n  endpoint_url = https://c.example/?q=1\n",
    ),
    "loopback": ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1234"}, ""),
    "plain": ({"AWS_ENDPOINT_URL_STS": "http://10.0.0.1"}, ""),
    "malformed": ({"AWS_ENDPOINT_URL_STS": "https://a b"}, ""),
    "ignored": (
        {"AWS_ENDPOINT_URL_STS": "https://a.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "1"},
        "",
    ),
}


class Settings(NamedTuple):
    """Settings of the environment and the profile."""

    fips: str
    dual_stack: str
    regional: str
    endpoint: str

    def session(self, folder: Path, patch: pytest.MonkeyPatch) -> Session:
        variables, profile = ENDPOINTS[self.endpoint]
        config = folder / "config"
        config.write_text(f"[default]\n{profile}")
        patch.setenv("AWS_CONFIG_FILE", str(config))
        for name, value in (
            *variables.items(),
            ("AWS_USE_FIPS_ENDPOINT", self.fips),
            ("AWS_USE_DUALSTACK_ENDPOINT", self.dual_stack),
            ("AWS_STS_REGIONAL_ENDPOINTS", self.regional),
        ):
            if value:
                patch.setenv(name, value)
        return botocore.session.Session()


def every(endpoints: Iterator[str] | list[str]) -> list[Settings]:
    axes = (["", "true"], ["", "true"], ["", "regional", "legacy"], endpoints)
    return [Settings(*each) for each in itertools.product(*axes)]


@pytest.mark.parametrize("settings", every(["none"]), ids=str)
def test_every_region_has_the_endpoint_of_botocores_client(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = settings.session(tmp_path, monkeypatch)
    found = [same(session, region) for region in REGIONS]
    assert len(REGIONS) > 40
    assert sum(one is not None for one in found) > 30


@pytest.mark.exhaustive
@pytest.mark.parametrize("settings", every([*ENDPOINTS][1:]), ids=str)
def test_each_partition_has_the_configured_endpoint_of_botocores_client(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = settings.session(tmp_path, monkeypatch)
    for region in FEW_REGIONS:
        same(session, region)


@pytest.mark.parametrize("endpoint", [*ENDPOINTS][1:])
def test_configured_endpoint_is_that_of_botocores_client(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Settings("", "", "legacy", endpoint).session(tmp_path, monkeypatch)
    found = same(session, "us-east-1", signed=False), same(session, "eu-south-2")
    assert (endpoint in ("plain", "malformed")) == (None in found)


PEM = str(Path(__file__).resolve())  # any file: it is read when a connection is made
CONNECTIONS: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "proxy": ({"HTTPS_PROXY": "http://me:secret@127.0.0.1:3128"}, {}, {}),
    "excluded": ({"https_proxy": "http://127.0.0.1:1", "NO_PROXY": ".amazonaws.com"}, {}, {}),
    "proxy of plain HTTP": ({"HTTP_PROXY": "http://127.0.0.1:1"}, {}, {}),
    "proxy in the program": ({}, {"proxies": {"https": "http://127.0.0.1:2"}}, {}),
    "no proxy in the program": ({"HTTPS_PROXY": "http://127.0.0.1:1"}, {"proxies": {}}, {}),
    "proxies_config": (
        {"HTTPS_PROXY": "https://127.0.0.1:1"},
        {"proxies_config": {"proxy_ca_bundle": PEM}},
        {},
    ),
    "bundle": ({"AWS_CA_BUNDLE": PEM}, {}, {}),
    "bundle of requests": ({"REQUESTS_CA_BUNDLE": PEM}, {}, {}),
    "both bundles": ({"REQUESTS_CA_BUNDLE": "/other", "AWS_CA_BUNDLE": PEM}, {}, {}),
    "no verification": ({}, {}, {"ca_bundle": False}),
    "client certificate": ({}, {"client_cert": (PEM, PEM)}, {}),
    "keep alive": ({}, {"tcp_keepalive": True}, {}),
    "FIPS in the program": ({}, {"use_fips_endpoint": True}, {}),
    "dual-stack in the program": ({}, {"use_dualstack_endpoint": True}, {}),
    "ignored in the program": (
        {"AWS_ENDPOINT_URL": "https://a.example"},
        {"ignore_configured_endpoint_urls": True},
        {},
    ),
    "application": ({"AWS_SDK_UA_APP_ID": "orders"}, {}, {}),
    "application in the program": (
        {"AWS_SDK_UA_APP_ID": "orders"},
        {"user_agent_appid": "billing"},
        {},
    ),
    "user agent": ({}, {"user_agent": "mine/1", "user_agent_extra": "extra/2"}, {}),
    "lambda": ({"AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}, {}, {}),
    "retries": ({"AWS_MAX_ATTEMPTS": "9", "AWS_RETRY_MODE": "adaptive"}, {}, {}),
    "time-outs": ({}, {"connect_timeout": 1, "read_timeout": 2, "max_pool_connections": 3}, {}),
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_connection_and_user_agent_are_those_of_botocores_client(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables, options, settings = CONNECTIONS[name]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    session = botocore.session.Session()
    session.user_agent_name, session.user_agent_version = "Boto3", "1.2.3"
    session.user_agent_extra = "Botocore/4"
    if options:
        session.set_default_client_config(Config(**options))
    for setting, value in settings.items():
        session.set_config_variable(setting, value)
    found = same(session, "eu-west-1")
    assert found is not None
    assert isinstance(Sts(session, "eu-west-1").transport, Requests)
    same(session, "eu-west-1", signed=False)


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_empty_name_of_a_bundle_does_not_turn_verification_off(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, " ")
    with pytest.raises(ConfigError, match="CA bundle"):
        Sts(botocore.session.Session(), "us-east-1")


def hooked(session: Session) -> None:
    session.register("before-sign.sts.AssumeRole", lambda **_: None)


def hooked_everywhere(session: Session) -> None:
    session.register("before-send", lambda **_: None)


def hooked_by_pattern(session: Session) -> None:
    session.register("request-created.*.*", lambda **_: None)


def option(name: str, value: Any) -> Any:
    return lambda session: session.set_default_client_config(Config(**{name: value}))


def variable(name: str, value: Any) -> Any:
    return lambda session: session.set_config_variable(name, value)


def own_method(session: Session) -> None:
    session.create_client = Session.create_client.__get__(session)  # type: ignore[method-assign]
    setattr(session, "create_client", lambda *a, **k: Session.create_client(session, *a, **k))  # noqa: B010


def mocked(session: Session) -> None:
    session.register("before-send", Mock(return_value=None))


def signing_disabled(session: Session) -> None:
    session.register("choose-signer.sts", disable_signing)


def called_later(session: Session) -> None:
    session.register("before-send.sts", lazy_call("corp.hooks.send"))


def own_factory(session: Session) -> None:
    class Factory(ResponseParserFactory):
        pass

    session.register_component("response_parser_factory", Factory())


CUSTOM = {
    "event": hooked,
    "any event": hooked_everywhere,
    "pattern": hooked_by_pattern,
    "method": own_method,
    "signature version": option("signature_version", "v4"),
    "context parameters": option("client_context_params", {"a": "b"}),
    "defaults mode": variable("defaults_mode", "standard"),
    "API version": variable("api_versions", {"sts": "2011-06-15"}),
    "endpoints": variable("sts_regional_endpoints", "legacy "),
    "mock": mocked,
    "botocore's own function": signing_disabled,
    "boto3's lazy call": called_later,
    "parser factory": own_factory,
}


@pytest.mark.parametrize("customize", CUSTOM.values(), ids=list(CUSTOM))
def test_session_with_hooks_or_rare_settings_uses_botocores_client(
    customize: Any, caplog: pytest.LogCaptureFixture
) -> None:
    session = botocore.session.Session()
    customize(session)
    assert customization(session, "us-east-1")
    if session.get_config_variable("sts_regional_endpoints") == "legacy ":
        with pytest.raises(ConfigError, match="STS regional endpoints option"):  # as botocore does
            Sts(session, "us-east-1")
        return
    with caplog.at_level("DEBUG", logger="gcp_aws_bridge"):
        assert isinstance(Sts(session, "us-east-1").transport, BotocoreClient)
    assert "botocore's client sends the requests to STS, since " in caplog.text


def test_session_without_hooks_does_not_decide_for_sessions_with_hooks() -> None:
    role = Role("arn:aws:iam::123456789012:role/etl", region_name="us-east-1")
    plain, hooked_session = botocore.session.Session(), botocore.session.Session()
    hooked(hooked_session)
    first, second = sts_for(plain, role), sts_for(hooked_session, role)
    assert isinstance(first.transport, Requests)  # type: ignore[union-attr]
    assert isinstance(second.transport, BotocoreClient)  # type: ignore[union-attr]
    assert first.key != second.key
    assert first is sts_for(botocore.session.Session(), role)


def test_mock_that_starts_later_sees_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    sts = Sts(botocore.session.Session(), "us-east-1")
    assert isinstance(sts.transport, Requests)
    keys = {
        "AccessKeyId": "ASIAMOCK",
        "SecretAccessKey": "mocked-secret",
        "SessionToken": "mocked-token",
    }
    answer = {"Credentials": {**keys, "Expiration": START}}
    call = Mock(return_value=answer)
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    token = parse(id_token(), origin="test")
    role = Role("arn:aws:iam::123456789012:role/etl")
    assert "ASIAMOCK" == sts.assume_role_with_web_identity(token, role).access_key_id
    assert "AssumeRoleWithWebIdentity" == call.call_args.args[0]


@pytest.mark.parametrize("name", ["sts/2011-06-15/endpoint-rule-set-1.json", "partitions.json"])
def test_data_of_the_user_need_botocores_client(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert "" == customization(botocore.session.Session(), "us-east-1") or name.startswith("sts")
    file.write_text("{}")
    assert "has data that replace" in customization(botocore.session.Session(), "us-east-1")


def test_client_side_monitoring_needs_botocores_client() -> None:
    session = botocore.session.Session()
    session.set_config_variable("csm_enabled", True)
    assert "csm_enabled is set" == customization(session, "us-east-1")


def test_hooks_of_other_services_do_not_matter() -> None:
    session = botocore.session.Session()
    session.register("before-sign.s3", lambda **_: None)
    session.register("before-parameter-build.sts.GetFederationToken", lambda **_: None)
    assert isinstance(Sts(session, "us-east-1").transport, Requests)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("botocore.client.BaseClient", "_make_api_call"),
        ("botocore.client.BaseClient", "__init__"),
        ("botocore.client.ClientCreator", "create_client"),
        ("botocore.endpoint.Endpoint", "make_request"),
        ("botocore.session.Session", "create_client"),
        ("botocore.endpoint.Endpoint", "_send_request"),
        ("botocore.client.BaseClient", "_make_request"),
        ("botocore.hooks.HierarchicalEmitter", "emit"),
    ],
)
def test_client_that_a_tracer_has_patched_is_used(
    owner: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import functools
    import pkgutil

    kind: Any = pkgutil.resolve_name(owner.replace(".", ".", 1))
    real = getattr(kind, name)

    @functools.wraps(real)
    def traced(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs)

    monkeypatch.setattr(kind, name, traced)
    assert isinstance(Sts(botocore.session.Session(), "us-east-1").transport, BotocoreClient)
