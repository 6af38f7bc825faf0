"""ssl patched too late: each part of the library reports it as such."""

from __future__ import annotations

import ssl
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import CredentialRetrievalError

import gcp_aws_bridge as bridge
from gcp_aws_bridge._cache.late_patch import of_late_patch
from gcp_aws_bridge._sts.shared import _clients
from gcp_aws_bridge._tokens.google_auth import GoogleCredentials
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.google._aws_identity import AwsIdentity

ROLE = "arn:aws:iam::123456789012:role/etl"


def endless(*_: Any, **__: Any) -> Any:
    raise RecursionError


def patch_late(monkeypatch: pytest.MonkeyPatch) -> None:
    patched = type("SSLContext", (ssl.SSLContext,), {"__module__": "gevent.ssl"})
    monkeypatch.setattr(ssl, "SSLContext", patched)


def test_recursion_without_a_late_patch_is_not_reported_as_one() -> None:
    assert () == of_late_patch()


def test_session_that_cannot_make_its_sts_client_names_the_late_patch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patch_late(monkeypatch)
    _clients.clear()  # another test may have made an equal client
    own = botocore.session.Session()
    monkeypatch.setattr(own, "create_client", endless)
    with pytest.raises(ConfigError, match=r"gevent patched ssl .*\[config/patched-late\]"):
        bridge.session(ROLE, region_name="us-east-1", botocore_session=own)


def test_token_source_is_not_blamed_for_a_late_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = bridge.credentials(ROLE, token_source=endless)
    patch_late(monkeypatch)
    with pytest.raises(CredentialRetrievalError, match=r"gevent patched ssl "):
        credentials.get_frozen_credentials()


def test_google_auth_and_aws_identities_are_not_blamed_for_a_late_patch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patch_late(monkeypatch)
    monkeypatch.setattr(GoogleCredentials, "_minting", endless)
    with pytest.raises(RecursionError):  # the credential cache names the cause
        GoogleCredentials()()
    own = botocore.session.Session()
    monkeypatch.setattr(own, "get_credentials", endless)
    with pytest.raises(RecursionError):
        AwsIdentity(own).frozen()
