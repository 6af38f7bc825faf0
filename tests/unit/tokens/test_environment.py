"""Which variables decide identity and address: what is read, and that it is in the list."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import botocore.session
import google.auth.iam
import pytest
from environments import (
    IRRELEVANT,
    ROLE,
    Site,
    access_key,
    as_tenant_a,
    id_token,
    light_sessions,
    put,
    tenants,
    whose,
)

import gcp_aws_bridge as bridge
from gcp_aws_bridge._sts import client_key
from gcp_aws_bridge._tokens import environment as _environment
from gcp_aws_bridge._tokens.environment import all_variables, google_variables

EMAIL = "sa@p.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with tenants(tmp_path_factory.mktemp("tenants")) as made:
        yield made


@pytest.fixture
def site(clouds: Site) -> Iterator[Site]:
    with as_tenant_a(clouds):
        yield clouds


# -- everything that is read -------------------------------------------------------------------


class Recording(MutableMapping[str, str]):
    """An environment that records the variables that are read, and modules that read all."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self.read: set[str] = set()
        self.readers_of_all: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self._environ[name]

    def __setitem__(self, name: str, value: str) -> None:
        self._environ[name] = value

    def __delitem__(self, name: str) -> None:
        del self._environ[name]

    def __iter__(self) -> Iterator[str]:
        self.readers_of_all.add(sys._getframe(1).f_globals["__name__"])
        return iter(dict(self._environ))

    def __len__(self) -> int:
        return len(self._environ)

    def items(self) -> Any:
        self.readers_of_all.add(sys._getframe(1).f_globals["__name__"])
        return dict(self._environ).items()

    def copy(self) -> dict[str, str]:
        self.readers_of_all.add(sys._getframe(1).f_globals["__name__"])
        return dict(self._environ)


@pytest.fixture
def recording(site: Site, monkeypatch: pytest.MonkeyPatch) -> Recording:
    made = Recording(os.environ)
    monkeypatch.setattr(os, "environ", made)
    return made


READERS_OF_ALL = {
    "urllib.request",
    "gcp_aws_bridge._tokens.environment",
    "collections.abc",
    "_collections_abc",
}
SOURCES: dict[str, Callable[[], Any]] = {
    "default": lambda: None,
    "default, credentials file": lambda: os.environ.update(
        GOOGLE_APPLICATION_CREDENTIALS=os.path.abspath("key.json")
    ),
    "default, gcloud": lambda: os.environ.update(GCE_METADATA_HOST=os.environ["OTHER"]),
    "metadata server": bridge.MetadataServer,
    "google-auth": bridge.GoogleCredentials,
    "key file": lambda: bridge.GoogleCredentials(key_file="key.json"),
    "token file": lambda: bridge.TokenFile("token"),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_variable_that_is_read_is_listed_or_explained(
    site: Site, recording: Recording, source: Callable[[], Any]
) -> None:
    recording["OTHER"] = site.other.host
    given = source()
    recording.read.clear()
    session = botocore.session.get_session()
    made = bridge.credentials(ROLE, token_source=given, botocore_session=session)
    assert whose(made).startswith("ASIA-")
    assert {"AWS_PROFILE", "AWS_ENDPOINT_URL_STS", "AWS_CONFIG_FILE"} <= recording.read
    role = {"GCP_AWS_BRIDGE_", "GCP_OAUTH_AUD", "AWS_ROLE_", "AWS_WEB_IDENTITY_TOKEN_FILE"}
    unknown = {
        name
        for name in recording.read - IRRELEVANT.keys()
        if not all_variables({name: "x"}) and not name.startswith(tuple(role))
    }
    assert set() == unknown
    assert recording.readers_of_all <= READERS_OF_ALL


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_refresh_reads_nothing_that_decides_the_identity(
    site: Site, recording: Recording, source: Callable[[], Any]
) -> None:
    recording["OTHER"] = site.other.host
    made = bridge.credentials(ROLE, token_source=source())
    first = access_key(made)
    recording.read.clear()
    assert made.reject(first)
    assert first != access_key(made)
    # How Google's own servers are reached is read by requests, and is part of the key.
    reached = {name for name, _ in google_variables(dict.fromkeys(recording.read, "x"))}
    assert recording.read - IRRELEVANT.keys() <= reached


class Profile(dict[str, Any]):
    """A profile that notes which of its settings are read."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)


# Of a profile; named as the variables above, which have the reasons.
IRRELEVANT_SETTINGS = {
    *("region", "csm_enabled", "csm_client_id", "sdk_ua_app_id", "tcp_keepalive", "s3", "sts"),
    *("disable_host_prefix_injection", "disable_request_compression", "auth_scheme_preference"),
    *("request_checksum_calculation", "request_min_compression_size_bytes"),
    *("response_checksum_validation", "sigv4a_signing_region_set", "account_id_endpoint_mode"),
    *(
        "retry_mode",
        "max_attempts",
        "parameter_validation",
        "sso_session",
        "proxy_use_forwarding_for_https",
    ),
    *("s3_use_arn_region", "s3_disable_express_session_auth", "s3_us_east_1_regional_endpoint"),
    *("s3_disable_multiregion_access_points",),
}


def test_every_profile_setting_that_is_read_is_listed_or_explained(site: Site) -> None:
    session = botocore.session.get_session()
    recorded = Profile(session.get_scoped_config())
    session.full_config["profiles"]["default"] = recorded
    assert recorded is session.get_scoped_config()
    session.create_client(
        "sts", aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    assert {"endpoint_url", "ca_bundle"} <= recorded.read
    assert set() == recorded.read - {*client_key._PROFILE_KEYS} - IRRELEVANT_SETTINGS


# -- what each variable decides ----------------------------------------------------------------


def reading_the_environment() -> str:
    """A source of the user's own, as many write it."""
    return id_token(Path(os.environ["HOME"]).name)


# By what the two sessions differ; None: the working directory.
CASES: dict[str, tuple[str | None, str, str, Any]] = {
    "credentials file": ("GOOGLE_APPLICATION_CREDENTIALS", "{a}/key.json", "{b}/key.json", None),
    "gcloud's folder": ("CLOUDSDK_CONFIG", "{a}/gcloud", "{b}/gcloud", "gcloud"),
    "home with gcloud's folder": ("HOME", "{a}", "{b}", "gcloud"),
    "metadata server": ("GCE_METADATA_HOST", "{one.host}", "{two.host}", None),
    "metadata server, given": (
        *("GCE_METADATA_HOST", "{one.host}", "{two.host}"),
        bridge.MetadataServer(),
    ),
    "home with AWS's files": ("HOME", "{a}", "{b}", None),
    "AWS config file": ("AWS_CONFIG_FILE", "{a}/config", "{b}/config", None),
    "AWS config file by a variable": ("AWS_CONFIG_FILE", "$HOME/config", "~/../b/config", None),
    "shared credentials file": (
        *("AWS_SHARED_CREDENTIALS_FILE", "{a}/shared.ini", "{b}/shared.ini"),
        None,
    ),
    "profile": ("AWS_PROFILE", "default", "two", None),
    "default profile": ("AWS_DEFAULT_PROFILE", "default", "two", None),
    "STS endpoint": ("AWS_ENDPOINT_URL_STS", "{one.url}", "{two.url}", None),
    "endpoint": ("AWS_ENDPOINT_URL", "{one.url}", "{two.url}", None),
    "endpoints of files ignored": ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false", "no", None),
    "relative token file": (None, "", "", bridge.TokenFile("token")),
    "relative key file": (None, "", "", bridge.GoogleCredentials(key_file="key.json")),
    "relative credentials file": (None, "GOOGLE_APPLICATION_CREDENTIALS", "key.json", None),
    "relative AWS config file": (None, "AWS_CONFIG_FILE", "config", None),
    "google-auth without arguments": (
        *("GOOGLE_APPLICATION_CREDENTIALS", "{a}/key.json", "{b}/key.json"),
        bridge.GoogleCredentials(),
    ),
    "impersonation by the metadata server": (
        *("GCE_METADATA_HOST", "{one.host}", "{two.host}"),
        bridge.GoogleCredentials(impersonate=EMAIL),
    ),
    "a source of the user's own": ("HOME", "{a}", "{b}", reading_the_environment),
}


def by_session(source: Any) -> Any:
    return bridge.session(ROLE, token_source=source)


def by_credentials(source: Any) -> Any:
    return bridge.credentials(ROLE, token_source=source)


def by_register(source: Any) -> Any:
    session = botocore.session.get_session()
    bridge.register(session, ROLE, token_source=source)
    return session


def by_install(source: Any) -> Any:
    bridge.install(ROLE, token_source=source)
    return botocore.session.get_session()


MAKERS = [by_session, by_credentials, by_register, by_install]


def two_environments(case: str, site: Site) -> Iterator[None]:
    """Enter the first environment, then the second; yields in each."""
    variable, first, second, _ = CASES[case]
    put({"AWS_CONFIG_FILE": None, "GCE_METADATA_HOST": site.one.host})
    if "impersonation" in case:
        put({"CLOUDSDK_CONFIG": "absent"})
    if "gcloud" in case:
        put({"GCE_METADATA_HOST": site.other.host})
    if variable is None:
        put({first: second} if first else {}, site.folder / "a")
        yield
        put({}, site.folder / "b")
        yield
        return
    if variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        file = site.folder / "profiles"
        file.write_text(
            f"[default]\nendpoint_url = {site.one.url}\n"
            f"[profile two]\nendpoint_url = {site.two.url}\n"
        )
        put({"AWS_CONFIG_FILE": str(file)})
    for value in (first, second):
        put({variable: value.format(a=site.folder / "a", b=site.folder / "b", **site._asdict())})
        yield


@pytest.fixture
def iam(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_IAM_ENDPOINT", "_IAM_IDTOKEN_ENDPOINT"):
        path = getattr(google.auth.iam, name).partition("googleapis.com")[2]
        monkeypatch.setattr(google.auth.iam, name, site.one.url + path)


@pytest.fixture(autouse=True)
def nothing_installed() -> Iterator[None]:
    yield
    bridge.uninstall()


@pytest.fixture
def light() -> Iterator[None]:
    with light_sessions():
        yield


@pytest.mark.sampled(7)
@pytest.mark.usefixtures("iam", "light")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("case", [name for name in CASES if name != "endpoints of files ignored"])
def test_sessions_of_two_environments_share_nothing(
    site: Site, case: str, make: Callable[[Any], Any]
) -> None:
    source = None if CASES[case][3] == "gcloud" else CASES[case][3]
    found = [whose(make(source)) for _ in two_environments(case, site)]
    assert 2 == len({*found}), found


# -- the list itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["HTTPS_PROXY", "https_proxy", "Https_Proxy", "ALL_PROXY", "all_proxy", "no_proxy"]
)
def test_a_proxy_variable_counts_in_any_case(name: str) -> None:
    for variables in (
        _environment.all_variables,
        _environment.sts_variables,
        _environment.google_variables,
        _environment.connection_variables,
    ):
        assert ((name, "p"),) == variables({name: "p"})


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"),
        *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_DATA_PATH", "HOME", "USERPROFILE", "APPDATA"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST"),
        *("GCE_METADATA_IP", "GCE_METADATA_ROOT", "NO_GCE_CHECK", "NETRC"),
    ],
)
def test_a_deciding_variable_is_in_the_list(name: str) -> None:
    assert ((name, "/x"),) == all_variables({name: "/x"})


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PATH", "LANG"]
)
def test_other_variables_are_not_in_the_list(name: str) -> None:
    assert () == all_variables({name: "x"})


def test_a_relative_path_means_another_file_in_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environ = {"AWS_CA_BUNDLE": "ca.pem"}
    here = all_variables(environ)
    monkeypatch.chdir(tmp_path)
    assert here != all_variables(environ)
    assert "the working directory" == _environment.changed(here, all_variables(environ))


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
def test_a_relative_path_in_a_removed_folder_never_means_another_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    found = _environment.absolute("token")
    assert os.path.isabs(found)
    monkeypatch.chdir(tmp_path)
    assert not os.path.exists(found)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"APPDATA": "C:/roaming"}, "C:/roaming/gcloud"),
        ({"CLOUDSDK_CONFIG": "D:/g", "APPDATA": "C:/roaming"}, "D:/g"),
    ],
)
def test_gclouds_folder_on_windows(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], folder: str
) -> None:
    monkeypatch.setattr(_environment, "absolute", lambda path: path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        found = _environment.gcloud_file(environ)
    assert f"{folder}/application_default_credentials.json" == found.replace("\\", "/")


def test_a_change_is_named_without_its_values() -> None:
    before, now = (("HTTPS_PROXY", "http://me:pass@p"),), (("NO_PROXY", "x"),)
    assert "HTTPS_PROXY, NO_PROXY" == _environment.changed(before, now)
