"""Which STS is asked, and which addresses may be given a token."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from unit.servers import failure

from gcp_aws_bridge._endpoint import _partition, require_https, sts_region
from gcp_aws_bridge.config import Role
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
    assert known == {name: _partition(name) for name in known}
    for partition in partitions:
        sample = re.sub(r"\(([a-z]+)[^)]*\)", r"\1", partition["regionRegex"].strip("^$"))
        sample = sample.replace("\\-", "-").replace("\\w+", "north").replace("\\d+", "9")
        assert re.fullmatch(partition["regionRegex"].strip("^$"), sample)
        assert partition["id"] == _partition(sample)


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
        "http://0x7f000001",
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
