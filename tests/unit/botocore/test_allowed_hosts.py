"""Which requests may be signed: hosts are compared exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.servers import failure

from gcp_aws_bridge._botocore.allowed_hosts import AllowedHosts
from gcp_aws_bridge.exceptions import ConfigError

HOST = "abc123.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("hosts", "url", "host_header"),
    [
        ([HOST], f"https://{HOST}", HOST),
        ([HOST], f"https://{HOST}:443/", HOST),
        ([HOST], f"https://{HOST.upper()}/", HOST),
        ([HOST.upper()], f"https://{HOST}", HOST),
        ([f"{HOST}:443"], f"https://{HOST}", HOST),
        ([f"{HOST}:8443"], f"https://{HOST}:8443/a?b#c", f"{HOST}:8443"),
        (("other.example", HOST), f"https://{HOST}", HOST),
        ({HOST}, f"https://{HOST}", HOST),
        (["127.0.0.1"], "http://127.0.0.1/", "127.0.0.1"),
        (["127.0.0.1:80"], "http://127.0.0.1/", "127.0.0.1"),
        (["127.0.0.1:8080"], "http://127.0.0.1:8080/", "127.0.0.1:8080"),
        (["[::1]:8080"], "http://[::1]:8080/", "[::1]:8080"),
        (["[0:0::1]"], "http://[::1]/", "[::1]"),
        (["[2001:db8::A]"], "https://[2001:DB8:0::a]:443/", "[2001:db8::a]"),
        (["xn--bcher-kva.example"], "https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        (["my_bucket.s3.amazonaws.com"], "https://my_bucket.s3.amazonaws.com/", None),
    ],
)
def test_allowed_host_is_signed(hosts: list[str], url: str, host_header: str | None) -> None:
    allowed = AllowedHosts(hosts)
    header = allowed.require(url, [])
    assert header == (host_header or hosts[0])
    for given_header in (header, header.upper()):
        assert given_header == allowed.require(url, [given_header])


@pytest.mark.parametrize(
    "url",
    [
        f"https://x.{HOST}/",
        f"https://{HOST}.evil.example/",
        f"https://evil{HOST}/",
        f"https://{HOST[1:]}/",
        f"https://{HOST}./",
        f"https://{HOST}:8443/",
        f"https://{HOST}:0/",
        f"https://{HOST}:/",
        f"https://{HOST}:99999/",
        f"https://{HOST}:x/",
        f"https://user@{HOST}/",
        f"https://user:password@{HOST}/",
        f"https://@{HOST}/",
        f"https://{HOST}@evil.example/",
        f"https://{HOST}%40evil.example/",
        f"https://evil.example\\@{HOST}/",
        f"https://{HOST}\\.evil.example/",
        f"https://evil.example#@{HOST}/",
        f"https://evil.example?@{HOST}/",
        f"https://{HOST}\t.evil.example/",
        f"https://{HOST}\n/",
        f" https://{HOST}/",
        f"https://{HOST}%00/",
        # A full-width letter, and a letter whose lower case is in ASCII.
        f"https://{HOST.replace('a', chr(0xFF41))}/",
        f"https://{HOST}".replace("e-api", "e-ap\u0130"),
        f"https://[{HOST}]/",
        "https://[::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        HOST,
        "https:///",
        "",
    ],
)
def test_any_other_host_is_an_error(url: str) -> None:
    failure(
        ConfigError,
        "config/host-not-allowed",
        lambda: AllowedHosts([HOST]).require(url, []),
        seen=["is not signed"],
        secrets=["password"],
    )


@pytest.mark.parametrize("scheme", ["http", "ws", "wss", "ftp", "file"])
def test_other_schemes_are_an_error(scheme: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AllowedHosts([f"{HOST}:443"]).require(f"{scheme}://{HOST}:443/", [])
    assert "config/signer-plain-http" == caught.value.error_id


@pytest.mark.parametrize(
    "headers", [["evil.example"], [HOST, HOST], [f"{HOST}:8443"], [f"{HOST}."], [""], [f"a@{HOST}"]]
)
def test_another_host_header_is_an_error(headers: list[str]) -> None:
    failure(
        ConfigError,
        "config/host-not-allowed",
        lambda: AllowedHosts([HOST]).require(f"https://{HOST}/", headers),
        seen=["Host header"],
    )


@given(st.text(max_size=40), st.sampled_from(["", ":443", "/", "?", "#", "@", "\\", "."]))
def test_text_around_the_host_is_an_error(text: str, between: str) -> None:
    for netloc in (f"{text}{between}{HOST}", f"{HOST}{between}{text}.example"):
        try:
            AllowedHosts([HOST]).require(f"https://{netloc}", [])
        except ConfigError:
            continue
        host = f"https://{netloc}".lower().removeprefix(f"https://{HOST}").removeprefix(":443")
        assert host[:1] in ("", "/", "?", "#")


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        (),
        HOST,
        HOST.encode(),
        None,
        [None],
        [""],
        ["*"],
        ["*.amazonaws.com"],
        [".amazonaws.com"],
        [f"https://{HOST}"],
        [f"{HOST}/prod"],
        [f"{HOST}."],
        [f"{HOST}:0"],
        [f"{HOST}:port"],
        [f"user@{HOST}"],
        ["::1"],
        ["[::1%eth0]"],
        ["[abc]"],
        ["bücher.example"],
        [HOST, "*"],
    ],
)
def test_hosts_that_are_not_exact_are_an_error(hosts: object) -> None:
    failure(
        ConfigError,
        "config/signer-hosts",
        lambda: AllowedHosts(hosts),  # type: ignore[arg-type]
    )
