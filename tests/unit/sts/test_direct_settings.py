"""Settings that are read without botocore are those of botocore, or botocore is used.

The reference is the installed botocore: CI runs these tests with the oldest and the newest release.
"""

from __future__ import annotations

import os
import ssl
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.httpsession
import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcp_aws_bridge import _settings
from gcp_aws_bridge._sts import direct_settings, direct_tls
from gcp_aws_bridge._sts.client import CONFIG
from gcp_aws_bridge._sts.direct_settings import NeedsBotocore
from gcp_aws_bridge._sts.endpoint import Endpoint, _trusted
from gcp_aws_bridge._sts.region import region_of, sts_region
from gcp_aws_bridge._sts.session_settings import role_for
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.exceptions import ConfigError

ROLE = Role("arn:aws:iam::123456789012:role/etl")
DIRECT = ("aws", "aws-cn", "aws-us-gov")


@pytest.fixture(autouse=True)
def empty(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith(("AWS_", "GCP_AWS_BRIDGE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "platform", "linux")


def reason(region: str | None = None, profile: str | None = None) -> str:
    """Return why botocore is needed."""
    with pytest.raises(NeedsBotocore) as caught:
        read(region, profile)
    return str(caught.value)


def read(region: str | None = None, profile: str | None = None) -> tuple[str, str | None]:
    """Return the endpoint, and the file of trusted certificates."""
    found = direct_settings.read(profile, region, os.environ)
    url = direct_settings.endpoint(region_of(ROLE, lambda: found.region), os.environ)
    return url, direct_settings.trusted(found.profile, os.environ)


# -- endpoints ---------------------------------------------------------------------------------


def regions() -> list[tuple[str, str]]:
    session = botocore.session.Session()
    return [
        (partition, region)
        for partition in session.get_available_partitions()
        for region in (
            *session.get_available_regions("sts", partition, allow_non_regional=True),
            *session.get_available_regions("ec2", partition),
        )
    ]


def test_endpoint_of_every_region_is_that_of_botocore() -> None:
    session, direct = botocore.session.Session(), set()
    for partition, region in regions():
        try:
            url = direct_settings.endpoint(region, {})
        except NeedsBotocore:  # noqa: PERF203 - a few dozen regions
            is_pseudo = "fips" in region or region.endswith("-global")
            assert is_pseudo or partition not in DIRECT, region
        else:
            assert Endpoint(session, region, CONFIG).url == url
            direct.add(region)
    assert {"us-east-1", "eu-west-1", "mx-central-1", "cn-north-1", "us-gov-west-1"} <= direct


@pytest.mark.parametrize("region", ["eu-west-9", "il-nowhere-1", "cn-east-3", "us-gov-north-1"])
def test_region_that_botocore_does_not_know_has_the_same_endpoint(region: str) -> None:
    url = direct_settings.endpoint(region, {})
    assert Endpoint(botocore.session.Session(), region, CONFIG).url == url


@pytest.mark.parametrize(
    "region",
    ["", "aws-global", "us-east-1-fips", "fips-us-east-1", "us-iso-east-1", "x y", "EU-WEST-1"],
)
def test_other_regions_need_botocore(region: str) -> None:
    with pytest.raises(NeedsBotocore):
        direct_settings.endpoint(region, {})
    with pytest.raises(NeedsBotocore):
        direct_settings.endpoint(region, {"AWS_ENDPOINT_URL_STS": "https://sts.example"})


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({"AWS_ENDPOINT_URL_STS": "https://sts.example/"}, "https://sts.example"),
        ({"AWS_ENDPOINT_URL": "https://aws.example:8443"}, "https://aws.example:8443"),
        (
            {"AWS_ENDPOINT_URL": "https://a.example", "AWS_ENDPOINT_URL_STS": "https://b.example"},
            "https://b.example",
        ),
        (
            {"AWS_ENDPOINT_URL": "https://a.example", "AWS_ENDPOINT_URL_STS": ""},
            "https://a.example",
        ),
        ({"AWS_ENDPOINT_URL": ""}, "https://sts.eu-west-1.amazonaws.com"),
    ],
)
def test_configured_endpoint_is_that_of_botocore(
    monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], url: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert url == read("eu-west-1")[0]
    expected = Endpoint(botocore.session.Session(), "eu-west-1", CONFIG).url
    assert url == expected.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("https://sts.example/path", "https://sts.example?a=b", "https://user@sts.example"),
        *("https://[::1]:8443", "https://sts.example:0", "https://sts.example:70000", "ftp://x"),
        *("https://sts_a.example", "https://-a.example", "https://STS.example", "sts.example"),
        *(
            "https://sts.example.",
            " https://sts.example",
            "https://sts.example\n",
            "https://é.example",
        ),
        *("https:\\\\sts.example", "https://sts.example#a", "//sts.example", "https://"),
    ],
)
def test_unusual_endpoint_needs_botocore(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    assert "the endpoint of STS has another form than most" == reason("eu-west-1")


@pytest.mark.parametrize("url", ["http://sts.example", "http://10.0.0.1:8000", "http://0.0.0.0"])
def test_plain_http_to_another_machine_is_an_error(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    with pytest.raises(ConfigError, match=r"\[config/sts-plain-http\]"):
        read("eu-west-1")


# -- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", direct_settings._VARIABLES)
@pytest.mark.parametrize("value", ["true", "false", ""])
def test_variable_that_only_botocore_reads_needs_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert f"{name} is set" == reason()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "Https_Proxy"])
def test_proxy_needs_botocore(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert "HTTPS_PROXY is set" == reason()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:8000")
    assert read()[0] == "http://127.0.0.1:8000"  # plain HTTP to loopback uses no proxy


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_proxy_of_the_system_needs_botocore(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert "the settings of this system may name a proxy" == reason()


def test_other_proxies_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "")
    assert "https://sts.us-east-1.amazonaws.com" == read()[0]
    assert not Endpoint(botocore.session.Session(), "us-east-1", CONFIG).proxy


def test_user_s_endpoint_data_needs_botocore(home: Path) -> None:
    (home / ".aws/models").mkdir(parents=True)
    assert "~/.aws/models may have other endpoints" == reason()


SETTINGS = [
    *("", "region = eu-west-1", "ca_bundle = /a.pem", "sts_regional_endpoints = regional"),
    *("gcp_audience = x\nsso_region = y\ncli_pager =\nrole_arn = z", "s3 =\n  a = b"),
    *("sts_regional_endpoints = legacy", "use_fips_endpoint = true", "endpoint_url = https://x"),
    *("use_dualstack_endpoint = true", "defaults_mode = standard", "services = s"),
    *("sts =\n  a = b", "region =\n  a = b", "tcp_keepalive = true", "new_setting = 1", "region ="),
    "ignore_configured_endpoint_urls = true",
]
VARIABLES = {
    "AWS_PROFILE": ["etl", "missing", ""],
    "AWS_DEFAULT_PROFILE": ["etl", "default", ""],
    "AWS_DEFAULT_REGION": ["eu-west-1", "cn-north-1", "mars", ""],
    "AWS_REGION": ["eu-west-3"],
    "AWS_CA_BUNDLE": ["/b.pem", "", " "],
    "REQUESTS_CA_BUNDLE": ["/c.pem", ""],
    "AWS_STS_REGIONAL_ENDPOINTS": ["regional", "legacy", "other", ""],
    "AWS_ENDPOINT_URL_STS": ["https://sts.example", ""],
    "AWS_USE_FIPS_ENDPOINT": ["true"],
}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    of_default=st.sampled_from(SETTINGS),
    of_etl=st.sampled_from(SETTINGS),
    environ=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in VARIABLES.items()}
    ),
    profile=st.sampled_from([None, None, "etl", "default", "missing"]),
    region=st.sampled_from([None, None, "eu-central-1"]),
)
def test_settings_are_those_of_botocore_or_need_it(
    home: Path,
    of_default: str,
    of_etl: str,
    environ: dict[str, str],
    profile: str | None,
    region: str | None,
) -> None:
    file = home / ".aws/config"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"[default]\n{of_default}\n[profile etl]\n{of_etl}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        try:
            url, trusted = read(region, profile)
            found = direct_settings.read(profile, region, os.environ)
        except NeedsBotocore:
            return
        session = botocore.session.Session(profile=profile)
        if region is not None:
            session.set_config_variable("region", region)
        assert dict(session.get_scoped_config()) | {"s3": ""} == dict(found.profile) | {"s3": ""}
        named: Any = {"profile": found.profile, "named_profile": found.is_named}
        role = _settings.resolve({"arn": ROLE.arn}, environ=os.environ, **named)
        assert role_for(session, ROLE.arn) == role
        name = sts_region(session, ROLE)
        assert region_of(ROLE, lambda: found.region) == name
        assert Endpoint(session, name, CONFIG).url == url
        assert _trusted(session) == (True if trusted is None else trusted)


# -- TLS ---------------------------------------------------------------------------------------


def test_context_is_that_of_botocore() -> None:
    found = direct_tls.context(None)
    expected: Any = botocore.httpsession.create_urllib3_context()
    names = (
        *("options", "minimum_version", "maximum_version", "verify_mode", "verify_flags"),
        *("post_handshake_auth", "hostname_checks_common_name", "security_level", "protocol"),
    )
    for name in names:
        assert getattr(expected, name) == getattr(found, name), name
    assert expected.get_ciphers() == found.get_ciphers()
    assert found.check_hostname  # urllib3 compares the name itself
    expected.load_verify_locations(botocore.httpsession.get_cert_path(True))
    assert expected.get_ca_certs(binary_form=True) == found.get_ca_certs(binary_form=True)


def test_default_bundle_is_that_of_botocore() -> None:
    assert botocore.httpsession.get_cert_path(True) == direct_tls.default_bundle()


def test_default_bundle_without_certifi_is_botocore_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    find = direct_tls._folder
    monkeypatch.setattr(direct_tls, "_folder", lambda name: "" if name == "certifi" else find(name))
    assert botocore.httpsession.DEFAULT_CA_BUNDLE == direct_tls.default_bundle()


@pytest.mark.parametrize(
    "core",
    [
        None,
        'def where():\n    return "/etc/ssl/certs/ca-certificates.crt"\n',
        'DEBIAN = "/etc/ssl"\nfiles("certifi").joinpath("cacert.pem")\n',
    ],
)
def test_changed_certifi_says_itself_where_its_bundle_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, core: str | None
) -> None:
    (tmp_path / "cacert.pem").touch()
    if core is not None:
        (tmp_path / "core.py").write_text(core, encoding="utf-8")
    monkeypatch.setattr(direct_tls, "_folder", lambda name: str(tmp_path))
    elsewhere = types.SimpleNamespace(where=lambda: "/elsewhere.pem")
    monkeypatch.setitem(sys.modules, "certifi", elsewhere)  # type: ignore[arg-type]
    assert "/elsewhere.pem" == direct_tls.default_bundle()


def test_missing_bundle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        direct_tls.context(str(tmp_path / "missing.pem"))
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ssl.SSLError):
        direct_tls.context(str(tmp_path / "empty.pem"))
