"""Requests that differ only in the environment share nothing if identity or address differ.

The oracle needs no list of variables: it makes an exchange in each environment without sharing,
with two clouds that show whose token arrived, and at which cloud.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import BotoCoreError
from environments import ROLE, Site, access_key, environment, light_sessions, put, tenants
from hypothesis import given, settings
from hypothesis import strategies as st

import gcp_aws_bridge as bridge
from gcp_aws_bridge.exceptions import BridgeError
from gcp_aws_bridge.testing._isolation import forget


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with light_sessions(), tenants(tmp_path_factory.mktemp("tenants")) as made:
        yield made
        forget()


def paths(*names: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *(f"{{}}/{tenant}/{name}" for tenant in "ab" for name in names)])


VARIABLES = st.fixed_dictionaries(
    {
        "GOOGLE_APPLICATION_CREDENTIALS": paths("key.json", "absent.json")
        | st.sampled_from(["key.json", None]),
        "GCE_METADATA_HOST": st.sampled_from(["one", "two", "other"]),
        "CLOUDSDK_CONFIG": paths("gcloud", "absent"),
        "HOME": st.sampled_from(["{}/a", "{}/b"]),
        "AWS_CONFIG_FILE": paths("config") | st.just("config"),
        "AWS_SHARED_CREDENTIALS_FILE": paths("shared.ini"),
        "AWS_PROFILE": st.sampled_from([None, None, "x", "absent"]),
        "AWS_ENDPOINT_URL_STS": st.sampled_from([None, None, "one", "two"]),
        "AWS_ENDPOINT_URL": st.sampled_from([None, None, "two"]),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": st.sampled_from([None, "false"]),
    }
)
# Variables that affect neither identity nor address.
IRRELEVANT = st.fixed_dictionaries(
    {
        "AWS_ACCESS_KEY_ID": st.sampled_from([None, "AKIA1", "AKIA2"]),
        "AWS_MAX_ATTEMPTS": st.sampled_from([None, "7"]),
        "AWS_ENDPOINT_URL_S3": st.sampled_from([None, "http://127.0.0.1:1"]),
        "GCP_AWS_BRIDGE_ROLE_ARN": st.sampled_from([None, ROLE]),
        "LANG": st.sampled_from(["C", "en_US.UTF-8"]),
        "K_SERVICE": st.sampled_from([None, "service"]),
    }
)
SOURCES = {
    "default": None,
    "metadata server": bridge.MetadataServer(),
    "google-auth": bridge.GoogleCredentials(),
    "relative key file": bridge.GoogleCredentials(key_file="key.json"),
    "relative token file": bridge.TokenFile("token"),
}


class Environment(NamedTuple):
    variables: dict[str, str | None]
    tenant: str  # its folder is the working directory

    def enter(self, site: Site, **more: Any) -> None:
        clouds = {"one": site.one, "two": site.two, "other": site.other}
        made: dict[str, str | None] = {}
        for name, value in {**self.variables, **more}.items():
            if name == "GCE_METADATA_HOST":
                value = clouds[str(value)].host
            elif value in clouds:
                value = clouds[value].url
            made[name] = value and value.format(site.folder)
        put(made, site.folder / self.tenant)


ENVIRONMENTS = st.builds(Environment, VARIABLES, st.sampled_from("ab"))


def obtained(source: Any) -> Any:
    """Return credentials, or the class of the error that the environment leads to."""
    try:
        made = bridge.credentials(ROLE, token_source=source)
        made.get_frozen_credentials()
    except (BridgeError, BotoCoreError) as error:
        return type(error)
    return made


def outcome(made: Any) -> Any:
    return made if isinstance(made, type) else access_key(made).rpartition("-")[0]


def alone(site: Site, environ: Environment, source: Any) -> Any:
    """Return the result in *environ* without sharing."""
    forget()
    environ.enter(site)
    try:
        return outcome(obtained(source))
    finally:
        forget()


@pytest.mark.sampled(7)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@settings(max_examples=settings.default.max_examples // 15)  # real exchanges are slow
@given(first=ENVIRONMENTS, second=ENVIRONMENTS, noise=IRRELEVANT)
def test_environments_share_credentials_only_with_the_same_identity_and_address(
    site: Site, source: Any, first: Environment, second: Environment, noise: dict[str, Any]
) -> None:
    with environment({}):
        wanted = [alone(site, environ, source) for environ in (first, second)]
        first.enter(site)
        one = obtained(source)
        second.enter(site)
        two = obtained(source)
        assert wanted == [outcome(one), outcome(two)]

        first.enter(site, **noise)
        before = site.exchanges
        again = obtained(source)
        if not isinstance(one, type):
            assert (before, access_key(one)) == (site.exchanges, access_key(again))

        second.enter(site)
        if not isinstance(one, type):  # refresh the first in the environment of the second
            assert one.reject(access_key(one))
            assert wanted[0] == outcome(one)
        forget()
