"""Which STS is asked, and which addresses may be given a token."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.servers import failure
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from gcp_aws_bridge._sts.region import sts_region
from gcp_aws_bridge._tokens.https import is_confidential, require_https
from gcp_aws_bridge.config import Role
from gcp_aws_bridge.config.regions import partition_of
from gcp_aws_bridge.exceptions import ConfigError


class Session:
    """As much of a botocore session as is looked at."""

    def __init__(self, region: str | None) -> None:
        self._region = region

    def get_config_variable(self, name: str) -> str | None:
        assert name == "region"
        return self._region


def region(partition: str, session_region: str | None = None, **settings: Any) -> str:
    role = Role(f"arn:{partition}:iam::123456789012:role/etl", **settings)
    return sts_region(Session(session_region), role)  # type: ignore[arg-type]


@pytest.mark.parametrize("session_region", [None, "", "us-west-2", "cn-north-1"])
def test_the_roles_own_choice_comes_first(session_region: str | None) -> None:
    assert "eu-west-1" == region("aws", session_region, region_name="eu-west-1")
    regions = ["eu-west-1", "eu-central-1"]
    assert "eu-west-1" == region("aws", session_region, sts_regions=regions)


@pytest.mark.parametrize(
    ("partition", "session_region"),
    [
        ("aws", "eu-west-1"),
        ("aws", "ap-southeast-7"),
        ("aws-cn", "cn-northwest-1"),
        ("aws-us-gov", "us-gov-east-1"),
        ("aws-iso", "us-iso-west-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
        ("aws-iso-f", "us-isof-south-1"),
        ("aws-eusc", "eusc-de-east-1"),
    ],
)
def test_then_the_sessions_in_the_roles_partition(partition: str, session_region: str) -> None:
    assert session_region == region(partition, session_region)


@pytest.mark.parametrize(
    ("partition", "session_region", "wanted"),
    [
        ("aws", None, "us-east-1"),
        ("aws", "", "us-east-1"),
        ("aws", "cn-north-1", "us-east-1"),
        ("aws", "us-gov-west-1", "us-east-1"),
        ("aws-cn", None, "cn-north-1"),
        ("aws-cn", "eu-west-1", "cn-north-1"),
        ("aws-us-gov", None, "us-gov-west-1"),
        ("aws-us-gov", "us-east-1", "us-gov-west-1"),
    ],
)
def test_then_one_of_the_partition_that_is_always_enabled(
    partition: str, session_region: str | None, wanted: str
) -> None:
    assert wanted == region(partition, session_region)


@pytest.mark.parametrize("partition", ["aws-iso", "aws-iso-b", "aws-eusc", "aws-new"])
@pytest.mark.parametrize("session_region", [None, "eu-west-1"])
def test_a_partition_without_a_known_region_asks_for_one(
    partition: str, session_region: str | None
) -> None:
    error = failure(
        ConfigError,
        "config/region",
        lambda: region(partition, session_region),
        seen=[f"arn:{partition}:iam::123456789012:role/etl", f"partition {partition}"],
    )
    assert "AWS_DEFAULT_REGION" in error.fix
    assert "region_name" in error.fix
    assert "us-iso-east-1" == region(partition, region_name="us-iso-east-1")


def test_partitions_are_botocores() -> None:
    """Every region that botocore knows lies where we think, and every pattern that it has for new
    ones is covered."""
    loader = botocore.session.get_session().get_component("data_loader")
    partitions = loader.load_data("partitions")["partitions"]
    known = {
        name: partition["id"]
        for partition in partitions
        for name in partition["regions"]
        if not name.endswith("-global")  # no region of an endpoint's, and of no role's
    }
    assert len(known) > 30
    assert known == {name: partition_of(name) for name in known}
    for partition in partitions:
        sample = re.sub(r"\(([a-z]+)[^)]*\)", r"\1", partition["regionRegex"].strip("^$"))
        sample = sample.replace("\\-", "-").replace("\\w+", "north").replace("\\d+", "9")
        assert re.fullmatch(partition["regionRegex"].strip("^$"), sample)
        assert partition["id"] == partition_of(sample)


# -- require_https -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://sts.eu-west-1.amazonaws.com",
        "https://sts.example:8443/path",
        "HTTPS://sts.example",
        "https://10.0.0.1",
        "http://127.0.0.1:4566",
        "http://127.9.9.9",
        "http://localhost:4566",
        "http://LOCALHOST",
        "http://[::1]:4566/",
        "HTTP://127.0.0.1:4566",
        "http://[::ffff:127.0.0.1]:4566",
        "http://someone@127.0.0.1",
    ],
)
def test_https_anywhere_and_plain_http_to_this_machine(url: str) -> None:
    assert require_https(url) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    "url",
    [
        "http://sts.eu-west-1.amazonaws.com",
        "http://10.0.0.1:4566",
        "http://169.254.170.2",
        "http://0.0.0.0:4566",
        "http://[::]:4566",
        "http://[fe80::1]",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://evil.example/localhost",
        "http://evil.example#@localhost",
        "http://evil.example?127.0.0.1",
        "http://2130706433",
        "http:///path",
        "http://",
        "ftp://127.0.0.1",
        "ws://localhost",
        "127.0.0.1:4566",
        "sts.example",
        "//127.0.0.1",
        "",
    ],
)
def test_a_token_goes_nowhere_else(url: str) -> None:
    error = failure(
        ConfigError,
        "config/sts-plain-http",
        lambda: require_https(url),
        seen=[f'"{url}"', "HTTPS only"],
    )
    assert "AWS_ENDPOINT_URL_STS" in error.fix


@pytest.mark.parametrize("url", ["http://[::1", "https://["])
def test_an_address_that_cannot_be_read_is_an_error_of_ours(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        require_https(url)
    assert url in str(caught.value)


def test_a_password_in_the_address_is_not_shown() -> None:
    password = "localhost:correct-horse"
    url = f"http://{password}@sts.example"
    failure(
        ConfigError,
        "config/sts-plain-http",
        lambda: require_https(url),
        seen=["sts.example"],
        secrets=[password],
    )


# -- is_confidential ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.1",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.0.0.1.",
        "http://127.0.0.1.nip.io",
        "http://sub.localhost",
        "http://localhost.localdomain",
        "http://[::ffff:10.0.0.1]",
        "http://[::127.0.0.1]",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1:80@evil.example",
        "http://localhost:x@evil.example",
        "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1\t.evil.example",
        "http://loc\talhost",
        "http://127.0.0.1\n",
        " http://127.0.0.1",
        "http://127.0.0.1 ",
        "http://\u2460\u2461\u2466.0.0.1",
        "http://\uff11\uff12\uff17.0.0.1",
        "http://127\u30020.0.1",
        "http:127.0.0.1",
        "http:\\\\127.0.0.1",
        "http://0x7f000001",
    ],
    ids=repr,
)
def test_address_that_only_looks_like_loopback_is_not_confidential(url: str) -> None:
    assert not is_confidential(url)


@pytest.mark.parametrize(
    ("url", "proxy", "forwards", "wanted"),
    [
        ("https://sts.example", "", False, True),
        ("https://sts.example", None, True, True),
        ("https://sts.example", "http://proxy.example:3128", False, True),
        ("https://sts.example", "https://proxy.example:3128", False, True),
        ("https://sts.example", "socks5://proxy.example", False, True),
        ("https://sts.example", "https://proxy.example:3128", True, False),
        ("https://sts.example", " HTTPS://proxy.example:3128", True, False),
        ("https://127.0.0.1", "https://127.0.0.1:3128", True, False),
        # urllib3 asks an HTTP proxy for a tunnel all the same.
        ("https://sts.example", "http://proxy.example:3128", True, True),
        ("http://127.0.0.1", "", True, True),
        ("http://127.0.0.1", "http://proxy.example:3128", False, False),
        ("http://127.0.0.1", "http://127.0.0.1:3128", False, False),
        ("http://localhost", "socks5://127.0.0.1:1080", False, False),
        ("http://10.0.0.1", "", False, False),
    ],
)
def test_connection_decides_who_can_read(
    url: str, proxy: str | None, forwards: bool, wanted: bool
) -> None:
    assert wanted is is_confidential(url, proxy, forwards=forwards)


@pytest.mark.parametrize(
    ("addresses", "wanted"),
    [
        (["127.0.0.1"], True),
        (["::1", "127.0.0.1"], True),
        (["10.0.0.5"], False),
        (["127.0.0.1", "10.0.0.5"], False),
        (["fe80::1"], False),
        (None, False),
    ],
)
@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost."])
def test_localhost_is_what_it_resolves_to(
    monkeypatch: pytest.MonkeyPatch, name: str, addresses: list[str] | None, wanted: bool
) -> None:
    """/etc/hosts decides in the end what botocore and requests connect to."""

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        assert name.lower() == host
        if addresses is None:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert wanted is is_confidential(f"http://{name}:4566")


PIECES = st.sampled_from(
    [
        *("http://", "HTTP://", "http:", "//", "127.0.0.1", "localhost", "[::1]", "[", "]", "@"),
        *(":", "80", "\\", "/", "?", "#", ".", "%", "%40", "\t", "\n", " ", "\x00", "evil.example"),
        *("[::ffff:127.0.0.1]", "\uff0f", "\u2025", "x"),
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=9).map("".join))
def test_what_is_let_through_leads_to_loopback_by_the_clients_parser_too(rest: str) -> None:
    """urllib3's parser, which botocore and requests use, finds no other host than ours does."""
    url = f"http://{rest}"
    if not is_confidential(url):
        return
    try:
        host = parse_url(url).host
    except LocationParseError:
        return  # nothing is sent
    assert host is not None
    if host != "localhost":
        address = ipaddress.ip_address(host.strip("[]"))
        assert address.is_loopback or address in LOOPBACK


LOOPBACK = {ipaddress.ip_address(one) for one in ("127.0.0.1", "::1", "::ffff:127.0.0.1")}
