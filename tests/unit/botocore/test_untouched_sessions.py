"""Under `install()` and `register()`, a session without a role of ours is as it is without them."""

from __future__ import annotations

import copy
import itertools
import threading
from pathlib import Path
from typing import Any

import boto3
import botocore.credentials
import botocore.session
import pytest
from botocore.credentials import CredentialResolver, EnvProvider
from untouched import FAIL, PROFILES, REGIONS, WAYS, Scenario

import gcp_aws_bridge as bridge
from gcp_aws_bridge._sts.botocore_internals import components
from gcp_aws_bridge.exceptions import ConfigError

ROLE = "arn:aws:iam::123456789012:role/etl"
OURS = "google-web-identity"


def of_botocore(profile: str | None) -> tuple[Any, Any]:
    session = botocore.session.Session(profile=profile)
    return session, session


def of_boto3(profile: str | None) -> tuple[Any, Any]:
    session = boto3.Session(profile_name=profile)
    return session, session._session


@pytest.fixture(params=["install", "register"])
def made(request: pytest.FixtureRequest) -> Any:
    """How to make a session that has the library, without a role."""

    def make() -> botocore.session.Session:
        if request.param == "install":
            bridge.install()
            return botocore.session.Session()
        session = botocore.session.Session()
        bridge.register(session)
        return session

    yield make
    bridge.uninstall()


def methods(session: Any) -> list[str]:
    return [one.METHOD for one in session.get_component("credential_provider").providers]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("profile", PROFILES)
def test_same_chain_requests_credentials_errors_and_log(
    profile: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = itertools.cycle(["client", "credentials", "component"])
    make = itertools.cycle([of_botocore, of_boto3])
    for is_named, (region, client_region) in itertools.product([True, False], REGIONS):
        scenario = Scenario(profile, is_named, region, client_region, next(first), next(make))
        scenario.prepare(home, monkeypatch)
        plain, installed, registered = (scenario.seen(way) for way in WAYS)
        assert (profile in FAIL) == ("error" in plain)
        assert plain == installed
        assert plain == registered


def test_scenarios_reach_every_partition(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set()
    for region, client_region in REGIONS:
        scenario = Scenario("role", True, region, client_region, "client", of_botocore)
        scenario.prepare(home, monkeypatch)
        asked |= {*scenario.seen("plain")["urls"]}
    assert {
        "https://sts.us-east-1.amazonaws.com/ AssumeRole",
        "https://sts.cn-north-1.amazonaws.com.cn/ AssumeRole",
        "https://sts.us-gov-west-1.amazonaws.com/ AssumeRole",
    } <= asked


def test_chain_is_made_when_a_client_needs_it_and_for_its_region(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = []
    real = botocore.credentials.create_credential_resolver

    def wrapped(session: Any, *args: Any, **named: Any) -> Any:
        regions.append(named["region_name"])
        return real(session, *args, **named)

    session = made()
    # Replaced only now, as a tracer or a test does it.
    monkeypatch.setattr(botocore.credentials, "create_credential_resolver", wrapped)
    assert [] == regions
    session.create_client("sts", region_name="eu-west-1")
    session.create_client("sts", region_name="eu-central-1")
    assert ["eu-west-1"] == regions


def test_chain_of_an_earlier_initializer_is_kept_and_added_to() -> None:
    resolver = CredentialResolver([EnvProvider()])

    def initializer(session: Any) -> None:
        session.lazy_register_component("credential_provider", lambda: resolver)

    botocore.register_initializer(initializer)
    try:
        bridge.install()
        assert session_chain() is resolver
        assert ["env"] == [one.METHOD for one in resolver.providers]
        bridge.install(ROLE)
        assert session_chain() is resolver
        assert ["env", OURS] == [one.METHOD for one in resolver.providers]
    finally:
        bridge.uninstall()
        botocore.unregister_initializer(initializer)


def session_chain() -> Any:
    return botocore.session.Session().get_component("credential_provider")


@pytest.mark.parametrize("lazily", [True, False])
def test_chain_that_is_registered_by_hand_is_used_as_it_is(
    made: Any, lazily: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    session, own = made(), CredentialResolver([EnvProvider()])
    if lazily:
        session.lazy_register_component("credential_provider", lambda: own)
    else:
        session.register_component("credential_provider", own)
    assert session.get_component("credential_provider") is own
    assert session.get_credentials() is None
    assert ["env"] == methods(session)


def test_role_that_is_configured_after_the_chain_was_walked_counts(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = made()
    assert session.get_credentials() is None
    assert OURS not in methods(session)
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    assert ["env", OURS, "assume-role"] == methods(session)[:3]


def test_malformed_settings_of_a_role_are_raised_by_the_provider(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", "no ARN")
    with pytest.raises(botocore.exceptions.CredentialRetrievalError, match="no ARN"):
        made().get_credentials()


def test_registering_without_a_role_keeps_credentials_that_were_found(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario("keys", True, None, "us-east-1", "client", of_botocore)
    scenario.prepare(home, monkeypatch)
    session, _ = scenario.session()
    found = session.get_credentials()
    bridge.register(session)
    assert session.get_credentials() is found


def test_copy_of_a_session_has_a_chain_of_its_own(made: Any, monkeypatch: Any) -> None:
    session = made()
    copied = copy.deepcopy(session)
    copied.set_credentials("AKIACOPY", "x")
    assert session.get_credentials() is None
    assert "AKIACOPY" == copied.get_credentials().access_key
    monkeypatch.setenv("GCP_AWS_BRIDGE_ROLE_ARN", ROLE)
    assert OURS in methods(copied)
    provider = copied.get_component("credential_provider").get_provider(OURS)
    assert provider.session is copied


def test_registering_a_thousand_times_leaves_one_provider() -> None:
    session = botocore.session.Session()
    for _ in range(1_000):
        bridge.register(session, ROLE)
    assert 1 == methods(session).count(OURS)


def test_provider_is_in_the_chain_for_each_of_many_threads() -> None:
    for _ in range(20):
        session = botocore.session.Session()
        bridge.register(session, ROLE)
        barrier, found = threading.Barrier(8), []

        def look(session: Any = session, barrier: Any = barrier, found: Any = found) -> None:
            barrier.wait(10)
            found.append(methods(session).count(OURS))

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert [1] * 8 == found


def test_hook_of_another_library_around_ours_stays(made: Any) -> None:
    session = made()
    components, asked = session._components, []
    inner = components.get_component

    def recorded(name: str) -> Any:
        asked.append(name)
        return inner(name)

    components.get_component = recorded
    bridge.register(session, ROLE)
    session.register_component("credential_provider", CredentialResolver([]))
    asked.clear()
    assert [] == methods(session)
    assert ["credential_provider"] == asked


def test_attribute_that_botocore_renamed_is_named() -> None:
    with pytest.raises(ConfigError, match=rf"botocore {botocore.__version__} has no object\._comp"):
        components(object())  # type: ignore[arg-type]


def test_install_leaves_sessions_alone_where_botocore_renamed_an_attribute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bridge.install(ROLE)
    monkeypatch.setattr(
        "gcp_aws_bridge._botocore.install.components", lambda _: components(object())
    )
    session = botocore.session.Session()
    bridge.uninstall()
    assert session.get_credentials() is None
    assert 1 == sum("leaves a session alone: botocore" in line for line in caplog.messages)
    with pytest.raises(ConfigError, match="config/internals"):
        bridge.register(session)
