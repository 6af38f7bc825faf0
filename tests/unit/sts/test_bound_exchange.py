"""Credentials stay those of the environment in which they were made, or say that they cannot."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from environments import (
    ROLE,
    Site,
    access_key,
    as_tenant_a,
    config_file,
    id_token,
    light_sessions,
    of,
    put,
    tenants,
    whose,
)
from unit.servers import failure, hook

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore.request import Adapter, Request, shared_session
from gcp_aws_bridge._sts import endpoint
from gcp_aws_bridge._sts.bound_exchange import BoundExchange
from gcp_aws_bridge._sts.shared import sts_for
from gcp_aws_bridge.cli import _cached
from gcp_aws_bridge.exceptions import ConfigError, ExchangeError, TokenError

CHAIN = ["arn:aws:iam::123456789012:role/further"]


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with light_sessions(), tenants(tmp_path_factory.mktemp("tenants")) as made:
        yield made


@pytest.fixture
def site(clouds: Site) -> Iterator[Site]:
    with as_tenant_a(clouds):
        yield clouds


def refreshed(made: Any) -> str:
    """Have AWS refuse the credentials, and return whose the next ones are."""
    assert made.reject(access_key(made))
    return whose(made)


# -- kept --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        None,
        bridge.MetadataServer(),
        bridge.GoogleCredentials(),
        bridge.GoogleCredentials(key_file="key.json"),
        bridge.TokenFile("token"),
    ],
    ids=str,
)
def test_a_refresh_in_another_environment_is_of_the_first(site: Site, source: Any) -> None:
    put({"GOOGLE_APPLICATION_CREDENTIALS": "key.json"})
    made = bridge.credentials(ROLE, token_source=source)
    first = whose(made)
    put(of("b", site), site.folder / "b")
    put({"AWS_ENDPOINT_URL_STS": site.two.url, "CLOUDSDK_CONFIG": "gcloud"})
    assert first == refreshed(made)
    assert first != whose(bridge.credentials(ROLE, token_source=source))


def test_the_first_exchange_is_of_the_environment_in_which_the_session_was_made(
    site: Site,
) -> None:
    session = bridge.session(ROLE)
    put({**of("b", site), "AWS_ENDPOINT_URL_STS": site.two.url}, site.folder / "b")
    assert "ASIA-Mone-AT-one" == whose(session)


def test_the_content_of_a_file_is_followed(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(id_token("before"))
    made = bridge.credentials(ROLE, token_source=bridge.TokenFile(file))
    assert "ASIA-before-AT-one" == whose(made)
    file.write_text(id_token("after"))
    assert "ASIA-after-AT-one" == refreshed(made)


def test_equal_environments_share_after_another_one(site: Site) -> None:
    first = access_key(bridge.credentials(ROLE))
    put(of("b", site))
    assert first != access_key(bridge.credentials(ROLE))
    put(of("a", site))
    before = site.exchanges
    assert first == access_key(bridge.credentials(ROLE))
    assert before == site.exchanges


def test_a_relative_path_and_its_absolute_one_are_the_same(site: Site) -> None:
    relative, absolute = bridge.TokenFile("token"), bridge.TokenFile(site.folder / "a/token")
    first = access_key(bridge.credentials(ROLE, token_source=relative))
    assert first == access_key(bridge.credentials(ROLE, token_source=absolute))
    assert "TokenFile(path='token')" == repr(relative)


def test_another_user_does_not_share(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = access_key(bridge.credentials(ROLE))
    monkeypatch.setattr(os, "geteuid", lambda: 12345, raising=False)
    assert first != access_key(bridge.credentials(ROLE))


def test_the_session_is_named_after_the_host_where_it_was_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.one.session_names.clear()
    monkeypatch.setattr(socket, "gethostname", lambda: "job-a")
    made = bridge.credentials(ROLE)
    access_key(made)
    monkeypatch.setattr(socket, "gethostname", lambda: "job-b")
    access_key(bridge.credentials(ROLE))
    refreshed(made)
    assert ["job-a", "job-b", "job-a"] == site.one.session_names


def test_in_another_process_a_session_is_of_the_environment_there(site: Site) -> None:
    made = bridge.session(ROLE, token_source=bridge.TokenFile("token"))
    assert "ASIA-Ta-AT-one" == whose(made)
    sent = pickle.dumps(made)
    put(of("b", site), site.folder / "b")
    assert "ASIA-Tb-AT-two" == whose(pickle.loads(sent))


# -- a source of the user's own ----------------------------------------------------------------


def own_source() -> str:
    return id_token(Path(os.environ["HOME"]).name)


def test_a_source_of_the_users_own_is_refused_where_the_environment_made_it_another(
    site: Site,
) -> None:
    put({"AWS_ENDPOINT_URL_STS": site.one.url})
    made = bridge.credentials(ROLE, token_source=own_source)
    assert "ASIA-a-AT-one" == whose(made)
    put({"HOME": str(site.folder / "b")})
    assert "ASIA-b-AT-one" == whose(bridge.credentials(ROLE, token_source=own_source))
    assert "ASIA-a-AT-one" == refreshed(made)  # kept, since the refresh was refused
    put({"HOME": str(site.folder / "a")})
    assert "ASIA-a-AT-one" == whose(made)


def test_error_names_the_variable(site: Site) -> None:
    source = Request.of(ROLE, own_source)._exchange._source.call
    source()
    put({"HOME": str(site.folder / "b")})
    failure(TokenError, "token/environment-changed", source, seen=["own_source", "HOME"])


def test_a_source_that_stays_the_same_is_not_refused_in_another_environment(site: Site) -> None:
    made = bridge.credentials(ROLE, token_source=lambda: id_token("same"))
    first = access_key(made)
    put(of("b", site), site.folder / "b")
    assert "ASIA-same-AT-one" == refreshed(made)
    assert first != access_key(made)


def test_a_source_may_become_another_in_the_same_environment(site: Site) -> None:
    names = iter(["one", "other"])
    made = bridge.credentials(ROLE, token_source=lambda: id_token(next(names)))
    assert "ASIA-one-AT-one" == whose(made)
    assert "ASIA-other-AT-one" == refreshed(made)


# -- STS ---------------------------------------------------------------------------------------


def test_a_session_that_has_read_other_files_does_not_share_its_sts(site: Site) -> None:
    """It was made for tenant a; what the environment names now says nothing of it."""
    old = botocore.session.get_session()
    old.get_scoped_config()
    put({"HOME": str(site.folder / "b")})
    role = bridge.Role(ROLE)
    old_sts, new_sts = sts_for(old, role), sts_for(botocore.session.get_session(), role)
    assert [site.one.url, site.two.url] == [each.transport.url for each in (old_sts, new_sts)]


def test_sessions_with_equal_settings_share_sts_whatever_their_files_are_called(
    site: Site, tmp_path: Path
) -> None:
    role = bridge.Role(ROLE)
    first = sts_for(botocore.session.get_session(), role)
    put({"AWS_CONFIG_FILE": str(config_file(tmp_path / "config", site.one))})
    put({"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_MAX_ATTEMPTS": "3"})
    assert first is sts_for(botocore.session.get_session(), role)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_CA_BUNDLE", __file__),
        ("REQUESTS_CA_BUNDLE", __file__),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ("https_proxy", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
        ("NO_PROXY", "*"),
        ("AWS_USE_FIPS_ENDPOINT", "false"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
        ("SSL_CERT_FILE", "/cert.pem"),
        ("SSL_CERT_DIR", "/certs"),
        ("CURL_CA_BUNDLE", "/cert.pem"),
        ("AWS_DATA_PATH", "/models"),
    ],
)
def test_every_way_to_sts_has_a_client_and_credentials_of_its_own(
    site: Site, variable: str, value: str
) -> None:
    role = bridge.Role(ROLE)
    first = sts_for(botocore.session.get_session(), role), Request.of(ROLE).cache()
    put({variable: value})
    second = sts_for(botocore.session.get_session(), role), Request.of(ROLE).cache()
    assert not {*map(id, first)} & {*map(id, second)}


def test_chained_role_is_requested_from_the_first_sts(site: Site) -> None:
    made = bridge.credentials(ROLE, chain=CHAIN)
    assert "ASIA-chained-AT-one" == whose(made)
    put({"AWS_ENDPOINT_URL_STS": site.two.url})
    before = site.two.exchanges
    exchange = Request.of(ROLE, chain=CHAIN)  # of the new environment, which is no error
    assert exchange.cache() is not made._cache
    assert "ASIA-chained-AT-one" == refreshed(made)
    assert before == site.two.exchanges


def test_botocores_client_requests_no_chained_role_from_another_sts(site: Site) -> None:
    role = bridge.Role(ROLE, chain=CHAIN)
    sts = sts_for(hook(botocore.session.get_session()), role)
    credentials = Request.of(ROLE).cache().get()
    put({"AWS_ENDPOINT_URL_STS": site.two.url})
    before = site.two.exchanges
    failure(
        ConfigError,
        "config/environment-changed",
        lambda: sts.assume_role(credentials, role, 0),
        seen=[site.two.url],
        secrets=["their-secret", "session-token"],
    )
    assert before == site.two.exchanges


CONNECTION_SETTINGS = pytest.mark.parametrize(
    ("variable", "value"),
    [("HTTPS_PROXY", "http://me:hushhush@127.0.0.1:1"), ("REQUESTS_CA_BUNDLE", __file__)],
)


@CONNECTION_SETTINGS
def test_chained_role_is_requested_with_the_first_proxy_and_certificates(
    site: Site, variable: str, value: str
) -> None:
    credentials = Request.of(ROLE).cache().get()
    put({"AWS_ENDPOINT_URL_STS": "https://127.0.0.1:1"})
    role = bridge.Role(ROLE, chain=CHAIN)
    sts = sts_for(botocore.session.get_session(), role)
    put({variable: value})
    assert "" == sts.transport.proxy
    failure(
        ExchangeError,
        "exchange/unreachable",
        lambda: sts.assume_role(credentials, role, 0),
        seen=['Could not connect to the endpoint URL: "https://127.0.0.1:1/"'],
        secrets=["hushhush", "their-secret", "session-token"],
    )


@CONNECTION_SETTINGS
def test_botocores_client_requests_no_chained_role_by_another_proxy_or_certificates(
    site: Site, variable: str, value: str
) -> None:
    credentials = Request.of(ROLE).cache().get()
    put({"AWS_ENDPOINT_URL_STS": "https://127.0.0.1:1"})
    role = bridge.Role(ROLE, chain=CHAIN)
    sts = sts_for(hook(botocore.session.get_session()), role)
    put({variable: value})
    failure(
        ConfigError,
        "config/environment-changed",
        lambda: sts.assume_role(credentials, role, 0),
        seen=[variable],
        secrets=["hushhush", "their-secret", "session-token"],
    )


def test_a_chained_role_goes_on_where_the_change_does_not_concern_it(site: Site) -> None:
    put({"AWS_CONFIG_FILE": "config"})
    made = bridge.credentials(ROLE, chain=CHAIN)
    first = access_key(made)
    put({**of("b", site), "AWS_PROFILE": "x", "AWS_DEFAULT_REGION": "eu-west-1"}, site.folder / "b")
    assert "ASIA-chained-AT-one" == refreshed(made)
    assert first != access_key(made)


def test_the_environment_may_not_change_while_the_sts_client_is_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = botocore.session.get_session()

    def meanwhile(region: str) -> None:
        put({"AWS_ENDPOINT_URL_STS": site.two.url})  # by another thread

    with monkeypatch.context() as patch:
        patch.setattr(endpoint, "validate_region_name", meanwhile)
        failure(
            ConfigError,
            "config/environment-changed",
            lambda: sts_for(session, bridge.Role(ROLE)),
            seen=["AWS_ENDPOINT_URL_STS"],
        )
    put({"AWS_ENDPOINT_URL_STS": None})
    assert "ASIA-Mone-AT-one" == whose(bridge.credentials(ROLE))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("hooked", [False, True])
def test_forked_child_uses_the_sts_of_its_parents_session(
    site: Site, changed: bool, hooked: bool
) -> None:
    own = hook(botocore.session.get_session()) if hooked else None
    made = bridge.credentials(ROLE, botocore_session=own)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if changed:
            put({"AWS_ENDPOINT_URL_STS": site.two.url})
        try:
            said = whose(made)
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = str(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    is_error = changed and hooked  # botocore's client reads the environment again
    assert ("[config/environment-changed]" if is_error else "ASIA-Mone-AT-one") in said
    assert "AT-two" not in said


# -- asynchronous ------------------------------------------------------------------------------


async def key_of(session: Any) -> str:
    credentials = await session.get_credentials()
    return str((await credentials.get_frozen_credentials()).access_key).rpartition("-")[0]


@pytest.mark.parametrize("how", ["session", "register", "install"])
def test_asynchronous_sessions_of_two_environments_share_nothing(site: Site, how: str) -> None:
    aiobotocore = pytest.importorskip("aiobotocore.session")
    from gcp_aws_bridge import aio

    def make() -> Any:
        if how == "session":
            return aio.session(ROLE)
        session = aiobotocore.get_session()
        if how == "register":
            aio.register(session, ROLE)
        return session

    if how == "install":
        bridge.install(ROLE)
    try:
        first = make()
        assert "ASIA-Mone-AT-one" == asyncio.run(key_of(first))
        put(of("b", site))
        assert "ASIA-Mtwo-AT-two" == asyncio.run(key_of(make()))
        assert "ASIA-Mone-AT-one" == asyncio.run(key_of(first))
    finally:
        bridge.uninstall()


def test_an_asynchronous_session_reaches_sts_by_the_files_that_it_has_read(site: Site) -> None:
    aiobotocore = pytest.importorskip("aiobotocore.session")
    session = aiobotocore.get_session()
    session.get_scoped_config()
    put({"HOME": str(site.folder / "b")})
    assert site.one.url == sts_for(session, bridge.Role(ROLE)).transport.url


# -- what tells them apart for others ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["adapter", "request", "asynchronous session"])
def test_what_is_made_in_two_environments_prints_differently(site: Site, kind: str) -> None:
    """fsspec gives one file system to all whose arguments print the same."""

    def printed(source: Any = None) -> str:
        if kind == "adapter":
            return repr(Adapter(ROLE, token_source=source))
        if kind == "request":
            return repr(Request.of(ROLE, source))
        pytest.importorskip("aiobotocore")
        from gcp_aws_bridge import aio

        return repr(aio.session(ROLE, token_source=source))

    first = printed()
    assert first == printed()
    put({"GCE_METADATA_HOST": site.two.host})
    second = printed()
    put({"AWS_ENDPOINT_URL_STS": site.two.url, "HTTPS_PROXY": "http://me:hushhush@127.0.0.1:1"})
    third = printed()
    here = printed(bridge.TokenFile("token"))
    put({}, site.folder / "b")
    assert 5 == len({first, second, third, here, printed(bridge.TokenFile("token"))})
    assert "hushhush" not in third


def test_the_shared_session_reads_a_file_again_that_was_written(site: Site, tmp_path: Path) -> None:
    file = config_file(tmp_path / "config", site.one)
    put({"AWS_CONFIG_FILE": str(file)})
    first = shared_session()
    assert first is shared_session()
    assert "ASIA-Mone-AT-one" == whose(bridge.credentials(ROLE))
    file.unlink()
    config_file(file, site.two)
    file.write_text(file.read_text() + "output = json\n")
    assert first is not shared_session()
    assert "ASIA-Mone-AT-two" == whose(bridge.credentials(ROLE))


# -- the files of commands ---------------------------------------------------------------------


def test_a_relative_token_file_is_another_in_another_folder(site: Site) -> None:
    options = {"role_arn": ROLE, "id_token_file": "token"}
    first = _cached.request_key(options, os.environ)
    assert first == _cached.request_key(options, os.environ)
    put({}, site.folder / "b")
    assert first != _cached.request_key(options, os.environ)


def test_commands_of_equal_environments_have_one_file(site: Site) -> None:
    first = _cached.request_key({"role_arn": ROLE}, os.environ)
    more = {"PATH": "/x", "AWS_ACCESS_KEY_ID": "x", "AWS_MAX_ATTEMPTS": "3", "LANG": "C"}
    put({}, site.folder / "b")
    assert first == _cached.request_key({"role_arn": ROLE}, {**os.environ, **more})


@pytest.mark.parametrize(
    ("variable", "key", "named", "seconds"),
    [("30", "40", False, 30.0), (None, "40", False, 40.0), ("30", "40", True, 40.0)],
)
def test_wait_for_a_metadata_server_comes_from_environment_or_profile(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str | None,
    key: str,
    named: bool,
    seconds: float,
) -> None:
    (tmp_path / "config").write_text(f"[default]\ngcp_metadata_deadline_seconds = {key}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    if variable:
        monkeypatch.setenv("GCP_AWS_BRIDGE_METADATA_DEADLINE_SECONDS", variable)
    session = botocore.session.Session(profile="default" if named else None)
    for source in (None, bridge.MetadataServer()):
        asked: Any = BoundExchange(source, bridge.Role(ROLE), session)._source.call
        assert seconds == asked._deadline_s
