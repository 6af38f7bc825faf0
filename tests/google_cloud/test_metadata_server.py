"""The metadata server of `google-serve` and `google-exec`, by HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from fakes import Journey, eventually
from google.auth import compute_engine
from google.auth.compute_engine import _metadata
from google.auth.transport.requests import Request

from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge._tokens import id_token
from gcp_aws_bridge.cli import _parser
from gcp_aws_bridge.cli._google_options import account_of
from gcp_aws_bridge.policy.names import project_of
from gcp_aws_bridge.server.asgi import application
from gcp_aws_bridge.server.metadata import metadata
from gcp_aws_bridge.server.running import Address, running
from gcp_aws_bridge.server.status import Metrics

from .conftest import ACCOUNT, Workload

V1 = "/computeMetadata/v1"
DEFAULT = f"{V1}/instance/service-accounts/default"
PUBSUB = "https://www.googleapis.com/auth/pubsub"
SHEETS = "https://www.googleapis.com/auth/spreadsheets"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Sdk:
    """A client that sends the header of Google's SDKs by default."""

    def __init__(self, url: str) -> None:
        self.at = url.partition("//")[2]

    def get(self, path: str, *, method: str = "GET", **headers: str | None) -> Answer:
        sent = {"Metadata-Flavor": "Google"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}  # type: ignore[misc]
        connection = http.client.HTTPConnection(self.at, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="Host" in sent)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = found["content-type"] == "application/json"
        return Answer(answer.status, json.loads(text) if is_json else text, found)

    def token(self, query: str = "") -> str:
        answer = self.get(f"{DEFAULT}/token{query}")
        assert 200 == answer.status, answer
        return str(answer.body["access_token"])


@contextmanager
def serving(workload: Workload, *arguments: str) -> Iterator[Sdk]:
    given = ["google-serve", "--audience", workload.provider.audience, *arguments]
    account = account_of(_parser(given).parse_args(given))
    app = application(metadata(account, registry.world))
    with running((Address("127.0.0.1", 0), app), grace_s=0) as [url]:
        yield Sdk(url)


@pytest.fixture
def sdk(workload: Workload) -> Iterator[Sdk]:
    workload.pod()  # with EKS Pod Identity, which no SDK of Google's knows
    with serving(workload, "--service-account", ACCOUNT) as found:
        yield found


@pytest.fixture
def federated(workload: Workload) -> Iterator[Sdk]:
    with serving(workload) as found:
        yield found


# -- tokens ------------------------------------------------------------------------------------


def test_an_access_token_is_as_the_metadata_server_gives_it(workload: Workload, sdk: Sdk) -> None:
    answer = sdk.get(f"{DEFAULT}/token")
    assert {"access_token", "expires_in", "token_type"} == answer.body.keys()
    assert "Bearer" == answer.body["token_type"]
    assert 3500 < answer.body["expires_in"] <= 3600
    assert "Google" == answer.headers["metadata-flavor"]
    assert "no-store" == answer.headers["cache-control"]
    identity = workload.cloud.google_identity(answer.body["access_token"])
    assert identity is not None
    assert ACCOUNT == identity.email


def test_seconds_are_those_that_are_left(workload: Workload, journey: Journey) -> None:
    with serving(workload, "--service-account", ACCOUNT) as sdk:
        first = sdk.token()
        journey.travel(minutes=15)
        answer = sdk.get(f"{DEFAULT}/token")
    assert first == answer.body["access_token"]
    assert 2600 < answer.body["expires_in"] <= 2700


def test_google_auth_is_given_another_token_ahead_of_the_end(
    workload: Workload, journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasattr(_metadata, "_METADATA_ROOT"):
        pytest.skip("this google-auth has read the environment when it was imported")
    with serving(workload, "--service-account", ACCOUNT) as sdk:
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", sdk.at)
        credentials = compute_engine.Credentials()
        credentials.refresh(Request())
        first = credentials.token
        journey.travel(minutes=45)

        def another() -> bool:
            credentials.refresh(Request())
            return bool(credentials.token != first)

        workload.keys()
        eventually(another)
    assert ACCOUNT == credentials.service_account_email


def test_an_id_token_is_for_the_audience_that_was_asked_for(sdk: Sdk) -> None:
    answer = sdk.get(f"{DEFAULT}/identity?audience=https%3A%2F%2Forders.example&format=full")
    token = id_token.parse(answer.body, origin="The server")
    assert ("https://orders.example",) == token.audience
    assert ACCOUNT == id_token.claims_of(token)["email"]


def test_an_id_token_without_an_audience_is_refused(sdk: Sdk) -> None:
    assert 400 == sdk.get(f"{DEFAULT}/identity").status


def test_a_federated_identity_has_access_tokens_and_no_id_tokens(
    workload: Workload, federated: Sdk
) -> None:
    identity = workload.cloud.google_identity(federated.token())
    assert identity is not None
    assert identity.principal.startswith("principal://iam.googleapis.com/projects/123456789012/")
    assert 404 == federated.get(f"{DEFAULT}/identity?audience=a").status
    name = "aws-pods.global.123456789012.workload.id.goog"
    assert name == federated.get(f"{DEFAULT}/email").body
    assert "123456789012" == federated.get(f"{V1}/project/project-id").body


def test_requested_scopes_are_granted(workload: Workload, sdk: Sdk) -> None:
    tokens = {
        sdk.token(f"?scopes={SHEETS},{PUBSUB}"),
        sdk.token(f"?scopes={PUBSUB}%20{SHEETS}"),
    }
    assert 1 == len(tokens)
    identity = workload.cloud.google_identity(tokens.pop())
    assert identity is not None
    assert {PUBSUB, SHEETS} == {*identity.scopes}
    assert (1, 1) == workload.asked


def test_fifty_requests_at_once_are_one_exchange(workload: Workload, sdk: Sdk) -> None:
    with ThreadPoolExecutor(50) as threads:
        tokens = {*threads.map(lambda _: sdk.token(), range(50))}
    assert 1 == len(tokens)
    assert (1, 1) == workload.asked


# -- what there is ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", ACCOUNT, ACCOUNT.replace("@", "%40")])
def test_the_account_is_found_by_both_of_its_names(sdk: Sdk, name: str) -> None:
    path = f"{V1}/instance/service-accounts/{name}"
    assert ACCOUNT == sdk.get(f"{path}/email").body
    assert f"{CLOUD_PLATFORM}\n" == sdk.get(f"{path}/scopes").body
    assert "default\n" == sdk.get(f"{path}/aliases").body
    assert "aliases\nemail\nscopes\nidentity\ntoken\n" == sdk.get(f"{path}/").body
    assert {"aliases": ["default"], "email": ACCOUNT, "scopes": [CLOUD_PLATFORM]} == sdk.get(
        f"{path}/?recursive=true"
    ).body


def test_all_of_it_is_shown_without_a_token(workload: Workload, sdk: Sdk) -> None:
    account = {"aliases": ["default"], "email": ACCOUNT, "scopes": [CLOUD_PLATFORM]}
    everything = {
        "instance": {"serviceAccounts": {"default": account, ACCOUNT: account}},
        "project": {"projectId": "my-project", "numericProjectId": 123456789012},
        "universe": {"universeDomain": "googleapis.com"},
    }
    assert everything == sdk.get(f"{V1}/?recursive=true").body
    assert (0, 0) == workload.asked


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "computeMetadata/\n"),
        ("/computeMetadata/", "v1/\n"),
        (V1, "instance/\nproject/\nuniverse/\n"),
        (f"{V1}/instance", "service-accounts/\n"),
        (f"{V1}/instance/service-accounts/", f"default/\n{ACCOUNT}/\n"),
        (f"{V1}/project/project-id", "my-project"),
        (f"{V1}/project/numeric-project-id", "123456789012"),
        (f"{V1}/universe/universe-domain", "googleapis.com"),
    ],
)
def test_what_is_there_is_listed(sdk: Sdk, path: str, body: str) -> None:
    answer = sdk.get(path)
    assert (200, body) == (answer.status, answer.body)
    assert "Google" == answer.headers["metadata-flavor"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        f"{V1}/instance/zone",
        f"{V1}/instance/service-accounts/another@else.iam.gserviceaccount.com/token",
        f"{DEFAULT}/token/more",
        f"{DEFAULT}/email/more",
        "//",
    ],
)
def test_what_is_not_there_is_not_found(workload: Workload, sdk: Sdk, path: str) -> None:
    answer = sdk.get(path)
    assert (404, "Google") == (answer.status, answer.headers["metadata-flavor"])
    assert (0, 0) == workload.asked


def test_the_project_is_whichever_was_said(workload: Workload) -> None:
    with serving(workload, "--project-id", "another") as sdk:
        assert "another" == sdk.get(f"{V1}/project/project-id").body


@pytest.mark.parametrize(
    ("email", "project"),
    [
        ("etl@my-project.iam.gserviceaccount.com", "my-project"),
        ("etl@my-project.example.com.iam.gserviceaccount.com", "example.com:my-project"),
        ("my-app@appspot.gserviceaccount.com", "my-app"),
        ("123456789012-compute@developer.gserviceaccount.com", ""),
        ("etl@my-project.iam.gserviceaccount.com.example", ""),
        ("104203741234567890123", ""),
        ("", ""),
    ],
)
def test_the_project_is_in_the_e_mail_of_some(email: str, project: str) -> None:
    assert project == project_of(email)


# -- who is not answered ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Metadata_Flavor": None},
        {"Metadata_Flavor": "Amazon"},
        {"X_Forwarded_For": "10.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example"},
    ],
    ids=str,
)
def test_who_may_be_a_browser_or_a_proxy_has_no_token(
    workload: Workload, sdk: Sdk, headers: dict[str, str | None]
) -> None:
    given = {"Metadata_Flavor": "Google", **headers}
    named = {name.replace("_", "-"): value for name, value in given.items()}
    for path in (f"{DEFAULT}/token", f"{DEFAULT}/identity?audience=a", f"{DEFAULT}/email"):
        answer = sdk.get(path, **named)
        assert 403 == answer.status
        assert ACCOUNT not in str(answer.body)
    assert (0, 0) == workload.asked


def test_a_ping_needs_no_header_and_tells_nothing(sdk: Sdk) -> None:
    answer = sdk.get("/", **{"Metadata-Flavor": None})
    assert (200, "Google") == (answer.status, answer.headers["metadata-flavor"])
    assert ACCOUNT not in answer.body


def test_a_name_that_a_hostile_dns_could_point_here_is_refused(sdk: Sdk) -> None:
    answer = sdk.get(f"{DEFAULT}/token", Host="metadata.google.internal")
    assert 403 == answer.status
    # Of the server that has it, an option would be named: not of this one.
    assert "this host name is not allowed: use an IP address" == answer.body["message"]


def test_unknown_paths_do_not_add_metrics(workload: Workload) -> None:
    given = ["google-serve", "--audience", workload.provider.audience]
    account = account_of(_parser(given).parse_args(given))
    metrics = Metrics({})
    app = application(metrics.counting(metadata(account)))
    with running((Address("127.0.0.1", 0), app), grace_s=0) as [url]:
        for number in range(20):
            assert 403 == Sdk(url).get(f"/{number}", Metadata_Flavor=None).status
            assert 404 == Sdk(url).get(f"/{number}").status
    counts = [line for line in metrics.text().decode().splitlines() if "answers_total{" in line]
    assert 2 == len(counts)


def test_it_is_read_only(sdk: Sdk) -> None:
    assert 405 == sdk.get(f"{DEFAULT}/token", method="POST").status


# -- failures -----------------------------------------------------------------------------------


def test_an_outage_is_503_with_the_reason_and_then_it_is_over(
    workload: Workload, journey: Journey
) -> None:
    with serving(workload, "--service-account", ACCOUNT) as sdk:
        with workload.cloud.google_sts.down():
            answer = sdk.get(f"{DEFAULT}/token")
        assert (503, "application/text") == (answer.status, answer.headers["content-type"])
        assert "[exchange/google-unreachable]" in answer.body
        journey.travel(minutes=1)
        workload.keys()
        assert sdk.token()


def test_what_is_valid_is_served_through_an_outage(workload: Workload, journey: Journey) -> None:
    with serving(workload, "--service-account", ACCOUNT) as sdk:
        first = sdk.token()
        with workload.cloud.google_sts.down(), workload.cloud.iam_credentials.down():
            journey.travel(minutes=59)
            answer = sdk.get(f"{DEFAULT}/token")
    assert first == answer.body["access_token"]
    assert 0 < answer.body["expires_in"] <= 60


def test_denial_is_400_with_its_fix(workload: Workload) -> None:
    workload.cloud.add_google_service_account(ACCOUNT, [])
    with serving(workload, "--service-account", ACCOUNT) as sdk:
        answer = sdk.get(f"{DEFAULT}/token")
    assert 400 == answer.status
    assert "Permission 'iam.serviceAccounts.getAccessToken' denied" in answer.body
    assert "grant roles/iam.workloadIdentityUser" in answer.body


# -- requests that two readers may understand differently ----------------------------------------


@pytest.mark.sampled(7)
@pytest.mark.parametrize(
    "lines",
    [
        ("Metadata-Flavor: Google", "Metadata-Flavor: other"),
        ("Metadata-Flavor: other", "Metadata-Flavor: Google"),
        ("Metadata_Flavor: Google",),
        ("Metadata-Flavor: Google", "X_Forwarded_For: 10.0.0.1"),
        ("Metadata-Flavor: Google", "Host: metadata.google.internal"),
        ("Metadata-Flavor: Google", "Transfer-Encoding: chunked"),
        ("Metadata-Flavor: Google", "Content-Length: 0, 0"),
        ("Metadata-Flavor:\r\n Google",),
        ("Metadata-Flavor: Google\nX: y",),
    ],
    ids=repr,
)
def test_ambiguous_headers_are_refused(sdk: Sdk, lines: tuple[str, ...]) -> None:
    status, body = raw(sdk, f"{DEFAULT}/token", *lines)
    assert (400, "BadRequest") == (status, json.loads(body)["code"])
    assert sdk.token()


@pytest.mark.parametrize(
    "target",
    [
        *(f"{V1}/instance%2Fservice-accounts/default/token", f"{V1}/./instance/"),
        *(f"{V1}/instance/service-accounts/x/../default/token", f"{V1}%5Cinstance"),
        *(f"http://metadata.google.internal{DEFAULT}/token", f"{DEFAULT}/%74oken"),
    ],
)
def test_ambiguous_paths_are_refused(sdk: Sdk, target: str) -> None:
    status, body = raw(sdk, target, "Metadata-Flavor: Google")
    assert (400, "BadRequest") == (status, json.loads(body)["code"])


@pytest.mark.parametrize(
    "path",
    [
        f"{DEFAULT}/identity?audience=https://a.example&audience=https://b.example",
        f"{DEFAULT}/identity?audience=https://a.example&audience=",
        f"{DEFAULT}/token?scopes={PUBSUB}&scopes={SHEETS}",
    ],
)
def test_parameter_that_is_given_twice_is_refused(sdk: Sdk, path: str) -> None:
    answer = sdk.get(path)
    assert (400, "Google") == (answer.status, answer.headers["metadata-flavor"])


def test_account_may_be_escaped_as_clients_do(sdk: Sdk) -> None:
    path = f"{V1}/instance/service-accounts/{ACCOUNT}/email"
    assert sdk.get(path) == sdk.get(path.replace("@", "%40"))


def test_path_with_more_slashes_is_not_found(sdk: Sdk) -> None:
    assert [404, 404] == [sdk.get(f"/{DEFAULT}/token").status, sdk.get(f"{DEFAULT}//").status]


def raw(sdk: Sdk, target: str, *lines: str) -> tuple[int, str]:
    """The status and body of a request that is sent as it is."""
    host, _, port = sdk.at.partition(":")
    head = "\r\n".join([f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""])
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()
