"""google-auth's own code against the metadata server, in a process of its own.

It reads GCE_METADATA_HOST when it is imported, so nothing less would do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("requests")

EVERYTHING = """
import json
import google.auth
import google.auth.transport.requests
from google.auth import compute_engine, jwt
from google.auth.compute_engine import _metadata
from google.oauth2 import id_token

request = google.auth.transport.requests.Request()
found = {"fetched": jwt.decode(id_token.fetch_id_token(request, "https://a.example"), verify=False)}

default, found["project"] = google.auth.default()
default.refresh(request)
found["access_token"] = default.token
found["email"] = default.service_account_email
found["universe"] = default.universe_domain

identity = compute_engine.IDTokenCredentials(
    request, "sts.amazonaws.com", use_metadata_identity_endpoint=True
)
identity.refresh(request)
found["identity"] = jwt.decode(identity.token, verify=False)
found["on_gce"] = _metadata.is_on_gce(request)
found["account"] = _metadata.get_service_account_info(request)
print(json.dumps(found))
"""

UNLINKED = """
import google.auth.transport.requests
from google.auth import exceptions
from google.oauth2 import id_token

try:
    id_token.fetch_id_token(google.auth.transport.requests.Request(), "a")
except exceptions.GoogleAuthError as error:
    print(error)
"""


def in_pod(cloud, program: str) -> str:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GOOGLE_", "GCE_", "GCLOUD_", "CLOUDSDK_", "NO_GCE"))
    }
    environ |= {**cloud.environ, "CLOUDSDK_CONFIG": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_that_google_auth_asks_for(emulator):
    found = json.loads(in_pod(emulator, EVERYTHING))
    account = emulator.service_account
    for name, audience in (("fetched", "https://a.example"), ("identity", "sts.amazonaws.com")):
        token = found[name]
        assert token["aud"] == audience
        assert token["sub"] == token["azp"] == account.unique_id
        assert token["iss"] == "https://accounts.google.com"
    assert found["identity"]["email"] == account.email
    assert found["project"] == account.project_id
    assert found["email"] == account.email
    assert found["universe"] == "googleapis.com"
    assert found["access_token"].startswith("ya29.")
    assert found["on_gce"] is True
    assert found["account"]["email"] == account.email
    paths = [request.path for request in emulator.metadata.requests]
    # A ping, the account's record, the token: what fetch_id_token costs.
    account_path = "/computeMetadata/v1/instance/service-accounts/default/"
    assert paths[0].strip("/") == ""
    assert paths[1:3] == [account_path, account_path + "identity"]
    assert {request.status for request in emulator.metadata.requests} == {200}


def test_an_unlinked_pod_gets_googles_words(emulator):
    emulator.unlink()
    assert "is not annotated with a target Google service account" in in_pod(emulator, UNLINKED)
