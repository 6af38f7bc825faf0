"""One tenant's credentials are never another's: names, keys and what an exchange reads."""

from __future__ import annotations

import contextlib
import http.server
import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
import botocore.configloader
import botocore.configprovider
import botocore.credentials
import botocore.session
import pytest
from botocore.credentials import AssumeRoleCredentialFetcher, RefreshableCredentials
from google.auth.exceptions import RefreshError, TransportError
from google.auth.transport.requests import Request

from gcp_aws_bridge import TokenFile, google
from gcp_aws_bridge.emulator import Fault
from gcp_aws_bridge.exceptions import TokenError
from gcp_aws_bridge.google import _aws_identity, _environment, _federated_identity, _subject_tokens
from gcp_aws_bridge.google._aws_identity import forget_sessions
from gcp_aws_bridge.google._environment import AwsEnvironment
from gcp_aws_bridge.google._principal import _without_session
from gcp_aws_bridge.google._settings import identity_of

from .conftest import ACCOUNT, ROLE, SHORT, Workload, needs_outbound

try:
    from fsspec.utils import tokenize
except ImportError:
    tokenize = None

POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/{}/providers/q"
CHANGED = r"\[token/aws-changed\]"


class Broker:
    def first(self) -> str:
        return "x"

    def second(self) -> str:
        return "y"


BROKER = Broker()
# Two values of each setting. Each of them means another token, or another payer.
SETTINGS: dict[str, tuple[Any, Any]] = {
    "audience": (POOL.format("p"), POOL.format("r")),
    "scopes": (["x"], ["y"]),
    "target_audience": ("https://a.example", "https://b.example"),
    "service_account": (ACCOUNT, "other@my-project.iam.gserviceaccount.com"),
    "source": (TokenFile("/a"), TokenFile("/b")),
    "session": (boto3.Session(), boto3.Session()),
    "lifetime_s": (600, 900),
    "quota_project_id": ("x", "y"),
    "request": (Request(), Request()),
}
SOURCES = [
    ("signed-request", "outbound"),
    (google.SignedRequest(boto3.Session()), google.SignedRequest(boto3.Session())),
    (google.SignedRequest(), google.SignedRequest(botocore.session.get_session())),
    (lambda: "x", lambda: "y"),
    (Broker().first, Broker().first),
    (BROKER.first, BROKER.second),
    ("signed-request", BROKER.first),
]
FEDERATION: dict[str, tuple[Any, Any]] = {
    "audience": SETTINGS["audience"],
    "service_account": (ACCOUNT, None),
    "lifetime_s": (600, 900),
    "universe_domain": ("googleapis.com", "cloud.example"),
    "sts_url": ("https://a.example/v1/token", "https://b.example/v1/token"),
    "iam_url": ("https://a.example", "https://b.example"),
}
ACCESS = {"audience": POOL.format("p")}
ID_TOKEN = {**ACCESS, "target_audience": "https://a.example", "service_account": ACCOUNT}


def made(settings: dict[str, Any]) -> Any:
    make = google.id_token_credentials if "target_audience" in settings else google.credentials
    return make(**settings)


def names(credentials: Any) -> set[str]:
    """How programs, fsspec (where it is installed) and Dask name them."""
    found = {repr(credentials), f"dask {credentials.__dask_tokenize__()}"}
    if tokenize is not None:
        found.add(tokenize(token=credentials))
    return found


def require_distinct(one: Any, other: Any) -> None:
    assert names(one).isdisjoint(names(other))
    is_of_one_token = one._cache is other._cache
    assert is_of_one_token == (one.quota_project_id != other.quota_project_id)


def named_by(make: Any) -> set[str]:
    own = inspect.signature(make).parameters.keys() - {"settings"}
    return {*own, *inspect.signature(identity_of).parameters}


def test_each_setting_has_two_values_here() -> None:
    assert named_by(google.credentials) | named_by(google.id_token_credentials) == {*SETTINGS}
    assert {one.name for one in fields(google.Federation)} == {*FEDERATION}
    assert given(google.SignedRequest) == {"session"}
    needs_outbound()
    assert given(google.OutboundToken) == {"session", "audience"}


def given(kind: Any) -> set[str]:
    return {one.name for one in fields(kind) if one.init}


@pytest.mark.parametrize("base", [ACCESS, ID_TOKEN], ids=["access", "id token"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_two_values_of_a_setting_have_two_names_and_two_tokens(
    base: dict[str, Any], setting: str
) -> None:
    make = google.id_token_credentials if base is ID_TOKEN else google.credentials
    if setting not in named_by(make):
        return
    if setting == "lifetime_s":
        base = {**base, "service_account": ACCOUNT}
    one, other = (made({**base, setting: value}) for value in SETTINGS[setting])
    require_distinct(one, other)
    again = made({**base, setting: SETTINGS[setting][0]})
    assert names(one) == names(again)
    assert one._cache is again._cache


@pytest.mark.parametrize("field", FEDERATION)
def test_two_federations_have_two_names_and_two_tokens(field: str) -> None:
    base = {**ACCESS, "service_account": ACCOUNT}
    one, other = (
        made({"audience": google.Federation(**{**base, field: value})})
        for value in FEDERATION[field]
    )
    require_distinct(one, other)


@pytest.mark.parametrize("sources", SOURCES)
def test_two_sources_have_two_names_and_two_tokens(sources: tuple[Any, Any]) -> None:
    one, other = (made({**ACCESS, "source": source}) for source in sources)
    require_distinct(one, other)
    again = made({**ACCESS, "source": sources[0]})
    assert names(one) == names(again)
    assert one._cache is again._cache


def test_gcsfs_gives_each_tenant_a_file_system_and_equal_credentials_the_same_one() -> None:
    gcsfs = pytest.importorskip("gcsfs")
    one, other, again = (
        gcsfs.GCSFileSystem(project="p", token=made({**ACCESS, "source": source}))
        for source in (BROKER.first, BROKER.second, BROKER.first)
    )
    assert one is not other
    assert one is again


def test_a_bound_method_is_the_same_source_each_time() -> None:
    one, again = (made({**ACCESS, "source": BROKER.first}) for _ in range(2))
    assert names(one) == names(again)
    assert one._cache is again._cache


@pytest.mark.parametrize("settings", [ACCESS, ID_TOKEN, {**ACCESS, "source": os.getcwd}])
def test_equal_credentials_have_one_name_in_every_process(settings: dict[str, Any]) -> None:
    credentials = made(settings)
    program = "import pickle, sys; print(repr(pickle.load(sys.stdin.buffer)), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(credentials),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert repr(credentials) == done.stdout.decode()


def test_a_name_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "the-secret-key",
        "AWS_SESSION_TOKEN": "the-session-token",
    }
    others = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/the-secret-path",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "the-authorization",
    }
    for variables in (others, secrets):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        credentials = made(ACCESS)
        environment = AwsEnvironment.now()
        shown = f"{credentials!r} {credentials._identity!r} {environment!r} {credentials._cache!r}"
        assert "the-" not in shown
    assert b"the-" not in pickle.dumps(credentials)


# -- the environment is part of the identity ------------------------------------------------------

COUNTS_WITH = {
    **dict.fromkeys(_environment.WEB_IDENTITY[1:], ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")),
    **dict.fromkeys(
        _environment.CONTAINER[2:], ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")
    ),
}


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_ACCESS_KEY_ID",
        *(*_environment.PROFILE, *_environment.WEB_IDENTITY),
        *(*_environment.CONTAINER, *_environment.ADDRESSES),
    ],
)
def test_two_environments_have_two_names_and_two_tokens(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable in COUNTS_WITH:
        monkeypatch.setenv(*COUNTS_WITH[variable])
    found = []
    for value in ("a", "b", "a"):
        monkeypatch.setenv(variable, value)
        found.append(made(ACCESS))
    one, other, again = found
    require_distinct(one, other)
    assert names(one) == names(again)
    assert one._cache is again._cache


def test_keys_of_the_environment_alone_decide_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    one = made(ACCESS)
    for name in (*_environment.PROFILE, *_environment.CONTAINER, *_environment.ADDRESSES):
        monkeypatch.setenv(name, "other")
    assert names(one) == names(made(ACCESS))
    assert one._cache is made(ACCESS)._cache


def test_a_relative_file_is_another_one_in_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    one = made(ACCESS)
    monkeypatch.chdir(tmp_path)
    require_distinct(one, made(ACCESS))


# -- a container's authorization token ------------------------------------------------------------


class _Brokers(http.server.ThreadingHTTPServer):
    """One address of container credentials; the authorization says whose are given."""

    keys: dict[str, Any]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Brokers

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        key = self.server.keys.get(self.headers.get("Authorization", ""))
        self.send_response(200 if key else 403)
        self.end_headers()
        ends = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        names = ("AccessKeyId", "SecretAccessKey", "Token")
        answer = dict(zip(names, key or ("", "", ""), strict=True))
        self.wfile.write(json.dumps({**answer, "Expiration": ends}).encode())


@pytest.fixture
def broker(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Brokers]:
    cloud = workload.cloud
    workload.provider = cloud.add_aws_provider(pool="all", attribute_mapping=SHORT)
    with _Brokers(("127.0.0.1", 0), _Handler) as server:
        server.keys = {}
        for name in ("etl", "another"):
            arn = ROLE.replace("etl", name)
            cloud.add_role(arn, cloud.trust_policy_for_service("lambda.amazonaws.com"))
            cloud.allow(arn, "sts:GetWebIdentityToken")
            keys = cloud.lambda_environ(arn)
            of_role = tuple(
                keys[each]
                for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            )
            for token in (f"token-of-{name}", cloud.eks_token(ksa=name)):
                server.keys[token] = of_role
            server.keys[cloud.eks_token(ksa=name, jti="the next")] = of_role
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        workload.becomes({"AWS_EC2_METADATA_DISABLED": "true"})
        uri = f"http://127.0.0.1:{server.server_address[1]}/"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        yield server
        server.shutdown()
        thread.join()


def authorized(workload: Workload, monkeypatch: pytest.MonkeyPatch, how: str, token: str) -> None:
    if how == "token":
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)
        return
    path = workload.folder / (how if how == "file" else f"file of {hash(token)}")
    path.write_text(token)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(path))


def whose(workload: Workload, credentials: Any) -> str:
    return str(workload.whose(credentials)).rpartition("/")[2]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("how", ["token", "file", "files"])
@pytest.mark.parametrize("kind", ["opaque", "of Kubernetes"])
@pytest.mark.parametrize("source", ["signed-request", "outbound"])
def test_another_authorization_token_is_another_identity(
    workload: Workload,
    broker: _Brokers,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    kind: str,
    source: str,
) -> None:
    tokens = [token for token in broker.keys if ("." in token) == (kind != "opaque")]
    of = {
        name: next(
            token for token in tokens if broker.keys[token] == broker.keys[f"token-of-{name}"]
        )
        for name in ("etl", "another")
    }
    if source == "outbound":
        needs_outbound()
        outbound(workload, monkeypatch)
    made = {}
    for name in ("etl", "another", "etl"):
        authorized(workload, monkeypatch, how, of[name])
        made[name] = workload.credentials(service_account=None, source=source)
        assert name == whose(workload, made[name])
    unused = workload.credentials(service_account=None, source=source, scopes=["openid"])
    authorized(workload, monkeypatch, how, of["another"])
    with pytest.raises(RefreshError, match=CHANGED):
        whose(workload, unused)


def outbound(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", workload.cloud.sts.url)
    issuer = workload.cloud.enable_outbound_federation()
    workload.cloud.allow(ROLE, "sts:GetWebIdentityToken")
    workload.provider = workload.cloud.add_google_provider_for_oidc(issuer, provider="outbound")


def test_a_token_that_is_rotated_is_of_the_same_identity(
    workload: Workload, broker: _Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EKS replaces the file of a pod about once an hour."""
    first, second = (
        token for token in broker.keys if "." in token and broker.keys[token] == of_etl(broker)
    )
    authorized(workload, monkeypatch, "file", first)
    credentials = workload.credentials(service_account=None)
    authorized(workload, monkeypatch, "file", second)
    assert "etl" == whose(workload, credentials)
    again = workload.credentials(service_account=None)
    assert credentials._cache is again._cache


def of_etl(broker: _Brokers) -> Any:
    return broker.keys["token-of-etl"]


def test_a_token_file_that_comes_late_is_waited_for_and_then_belongs_to_the_identity(
    workload: Workload, broker: _Brokers, monkeypatch: pytest.MonkeyPatch, journey: Any
) -> None:
    path = workload.folder / "file"
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(path))
    credentials = workload.credentials(service_account=None)
    with pytest.raises(RefreshError, match=r"\[token/aws-refused\]"):
        whose(workload, credentials)
    journey.travel(minutes=1)
    path.write_text("token-of-etl")
    assert "etl" == whose(workload, credentials)
    path.write_text("token-of-another")
    journey.travel(minutes=61)
    with pytest.raises(RefreshError, match=CHANGED):
        whose(workload, credentials)


# -- keys of the environment ----------------------------------------------------------------------


def keys_of_role(workload: Workload, arn: str = ROLE) -> None:
    cloud = workload.cloud
    for other in {ROLE, ROLE.replace("etl", "data/etl")} - {arn}:
        if arn.startswith(ROLE.partition("/")[0]) and arn.endswith("/etl"):
            with contextlib.suppress(KeyError):  # the name of a role is unique in its account
                cloud.remove_role(other)
    cloud.add_role(arn, cloud.trust_policy_for_service("lambda.amazonaws.com"))
    workload.becomes(cloud.lambda_environ(arn))


def keys_of_user(workload: Workload, name: str, account: str = "123456789012") -> None:
    key = workload.cloud.add_user(name, account=account)
    workload.becomes(
        {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_ENDPOINT_URL_STS": workload.cloud.sts.url,
        }
    )


PRINCIPALS: dict[str, Any] = {
    "role": keys_of_role,
    "another role": lambda workload: keys_of_role(workload, ROLE.replace("etl", "another")),
    "role of that name under a path": lambda workload: keys_of_role(
        workload, ROLE.replace("etl", "data/etl")
    ),
    "role of another account": lambda workload: keys_of_role(
        workload, ROLE.replace("123456789012", "210987654321")
    ),
    "user": lambda workload: keys_of_user(workload, "etl"),
    "another user": lambda workload: keys_of_user(workload, "another"),
    "user of another account": lambda workload: keys_of_user(workload, "etl", "210987654321"),
}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("before", PRINCIPALS)
@pytest.mark.parametrize("after", PRINCIPALS)
def test_other_keys_are_taken_up_only_if_aws_says_that_they_are_of_the_same_principal(
    workload: Workload, journey: Any, before: str, after: str
) -> None:
    cloud = workload.cloud
    account = "210987654321" if "of another account" in before else "123456789012"
    workload.provider = cloud.add_aws_provider(
        account, pool="all", attribute_mapping={"google.subject": "assertion.userid"}
    )
    PRINCIPALS[before](workload)
    credentials = workload.credentials(service_account=None)
    unused = workload.credentials(service_account=None, scopes=["openid"])
    first = whose(workload, credentials).partition(":")[0]
    PRINCIPALS[after](workload)
    journey.travel(minutes=61)
    if before != after:
        for each in (credentials, unused):
            with pytest.raises(RefreshError, match=CHANGED):
                whose(workload, each)
        return
    for each in (credentials, unused):
        assert first == whose(workload, each).partition(":")[0]
    asked = len(cloud.sts.requests)
    credentials.refresh()  # these keys are known by now
    assert asked == len(cloud.sts.requests)


@pytest.mark.parametrize("why", ["expired", "unreachable", "forbidden"])
def test_keys_of_which_aws_says_nothing_are_not_taken_up(
    workload: Workload, journey: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = workload.credentials()
    former = os.environ["AWS_ACCESS_KEY_ID"]
    workload.keys()
    if why == "expired":
        workload.cloud.revoke(former)
    elif why == "forbidden":
        workload.cloud.sts.inject(Fault.status(403, "<html>no</html>"), times=None)
    down = workload.cloud.sts.down() if why == "unreachable" else contextlib.nullcontext()
    kind = TransportError if why == "unreachable" else RefreshError
    with down, pytest.raises(kind, match=CHANGED):
        workload.whose(credentials)
    assert (0, 0) == workload.asked
    if why == "unreachable":
        journey.travel(minutes=1)
        assert ACCOUNT == workload.whose(credentials)


def test_a_users_login_is_of_that_user_alone() -> None:
    """In IAM Identity Center all who have a permission set have one role."""
    role = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789abcdef"
    alice = _without_session("123456789012", f"{role}/alice", "AROAX:alice")
    assert alice == _without_session("123456789012", f"{role}/alice", "AROAX:alice")
    assert alice != _without_session("123456789012", f"{role}/bob", "AROAX:bob")
    for plain in ("assumed-role/etl", "assumed-role/AWSReserved"):
        arn = f"arn:aws:sts::123456789012:{plain}"
        one = _without_session("123456789012", f"{arn}/one", "AROAX:one")
        assert one == _without_session("123456789012", f"{arn}/two", "AROAX:two")
        assert one != _without_session("123456789012", f"{arn}/two", "AROAY:two")
    federated = "arn:aws:sts::123456789012:federated-user/"
    assert _without_session("1", f"{federated}a", "1:a") != _without_session(
        "1", f"{federated}b", "1:b"
    )


# -- a change during an exchange ------------------------------------------------------------------


def of_profiles(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """Two profiles in one file."""
    files = files_of(workload, "a", "b")
    return (
        {"AWS_PROFILE": "a", "AWS_SHARED_CREDENTIALS_FILE": files},
        {"AWS_PROFILE": "b", "AWS_SHARED_CREDENTIALS_FILE": files},
    )


def of_homes(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """One profile in the files of two homes."""
    found = []
    for name in ("a", "b"):
        home = workload.folder / name
        (home / ".aws").mkdir(parents=True, exist_ok=True)
        Path(files_of(workload, "default", arn=name)).rename(home / ".aws/credentials")
        found.append({"HOME": str(home), "USERPROFILE": str(home)})
    return found[0], found[1]


def of_config_files(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """One profile in two config files."""
    found = []
    for name in ("a", "b"):
        file = Path(files_of(workload, "default", arn=name))
        found.append({"AWS_CONFIG_FILE": str(file.rename(workload.folder / f"config-{name}"))})
    return found[0], found[1]


def of_keys(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """Keys of two roles."""
    found = []
    for name in ("a", "b"):
        keys_of_role(workload, ROLE.replace("etl", name))
        found.append({one: os.environ[one] for one in os.environ if one.startswith("AWS_")})
    return found[0], found[1]


def of_container(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """Two tasks of ECS."""
    found = []
    for name in ("a", "b"):
        arn = ROLE.replace("etl", name)
        cloud = workload.cloud
        cloud.add_role(arn, cloud.trust_policy_for_service("ecs-tasks.amazonaws.com"))
        found.append(cloud.ecs_environ(arn, f"token of {name}"))
    return found[0], found[1]


def of_irsa(workload: Workload) -> tuple[dict[str, str], dict[str, str]]:
    """Two roles for service accounts."""
    found = []
    for name in ("a", "b"):
        workload.pod("irsa", name)
        found.append({one: os.environ[one] for one in os.environ if one.startswith("AWS_")})
    return found[0], found[1]


def files_of(workload: Workload, *profiles: str, arn: str = "") -> str:
    lines = []
    for name in profiles:
        keys_of_role(workload, ROLE.replace("etl", arn or name))
        lines += [f"[{name}]", f"aws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}"]
        lines += [f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}"]
        lines += [f"aws_session_token = {os.environ['AWS_SESSION_TOKEN']}"]
    file = workload.folder / "keys"
    file.touch(0o600)
    file.write_text("\n".join(lines))
    return str(file)


def role_of(workload: Workload, token: str) -> str:
    """The role whose keys signed a subject token."""
    key_id = token.partition("Credential%3D")[2].partition("/")[0]
    key = workload.cloud.key(key_id)
    assert key is not None
    return key.caller.arn.split("/")[1]


def put(environ: dict[str, str], other: dict[str, str]) -> None:
    for name in other.keys() - environ.keys():
        os.environ.pop(name, None)
    os.environ.update(environ)


TRACED = {
    each.__file__
    for each in (
        *(_aws_identity, _federated_identity, _environment, _subject_tokens),
        *(botocore.configloader, botocore.configprovider, botocore.credentials, botocore.session),
    )
}


class Switch:
    """Sets another environment at one line of an exchange, and the first one again at a later."""

    def __init__(self, at: int, for_lines: int, a: dict[str, str], b: dict[str, str]) -> None:
        self.at, self.until, self.a, self.b = at, at + for_lines, a, b
        self.lines = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                put(self.b, self.a)
            elif self.lines == self.until:
                put(self.a, self.b)
        return self


def traced(switch: Switch, work: Any) -> Any:
    before = sys.gettrace()
    sys.settrace(switch)  # of this thread alone
    try:
        return work()
    finally:
        sys.settrace(before)


@pytest.fixture
def put_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("two", "lines"),
    [
        *((of_profiles, 10), (of_homes, 10), (of_config_files, 10)),
        *((of_keys, 12), (of_container, 8), (of_irsa, 3)),
    ],
)
@pytest.mark.parametrize("for_lines", [7, 10**9], ids=["for a few lines", "for good"])
def test_a_change_during_an_exchange_never_gives_one_identity_the_keys_of_another(
    workload: Workload, home: Path, two: Any, lines: int, for_lines: int, put_back: None
) -> None:
    a, b = two(workload)
    workload.becomes({"AWS_EC2_METADATA_DISABLED": "true"})
    put(a, b)
    identity = google.credentials(workload.provider.audience)._identity

    def exchange() -> str:
        return role_of(workload, identity._subject_token("//x").value)

    counted = Switch(0, 0, a, b)
    assert "a" == traced(counted, exchange)
    outcomes = []
    for at in range(1, counted.lines, max(1, counted.lines // lines)):
        forget_sessions()
        with contextlib.suppress(TokenError):  # refused, which is right, too
            outcomes.append(traced(Switch(at, for_lines, a, b), exchange))
        put(a, b)
        outcomes.append(exchange())  # what is kept for `a` is of `a`
    assert {"a"} == {*outcomes}


# -- a session of the user's ----------------------------------------------------------------------


def held_session(depth: int) -> tuple[Any, Any]:
    """A session whose credentials, or those that they come from, are being refreshed."""

    def keys() -> dict[str, str]:
        ends = datetime.now(timezone.utc) + timedelta(hours=1)
        return {
            "access_key": "AKIAIOSFODNN7EXAMPLE",
            "secret_key": "x",
            "token": "x",
            "expiry_time": ends.isoformat(),
        }

    class Assumed(AssumeRoleCredentialFetcher):  # type: ignore[misc]
        def __init__(self, source: Any) -> None:
            self._source_credentials = source

        def fetch_credentials(self) -> dict[str, str]:
            self._source_credentials.get_frozen_credentials()
            return keys()

    over = datetime(2020, 1, 1, tzinfo=timezone.utc)
    found = innermost = RefreshableCredentials("x", "x", "x", over, keys, "sso")
    for _ in range(depth):
        refresh = Assumed(found).fetch_credentials
        found = RefreshableCredentials("x", "x", "x", over, refresh, "assume-role")
    session = botocore.session.get_session()
    vars(session)["_credentials"] = found
    return session, innermost._refresh_lock if depth else found._refresh_lock


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("wrapped", [False, True], ids=["botocore", "boto3"])
def test_a_session_whose_lock_is_held_at_a_fork_works_in_the_child(
    depth: int, wrapped: bool
) -> None:
    session, lock = held_session(depth)
    given = boto3.Session(botocore_session=session) if wrapped else session
    source = google.SignedRequest(given)
    with lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            with contextlib.suppress(BaseException):
                source("//x")
                os._exit(0)
            os._exit(1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("made_in", ["parent", "child"])
def test_so_does_one_where_the_fork_ran_no_hooks_or_the_child_was_given_the_session(
    made_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gcp_aws_bridge._sts import session_settings

    monkeypatch.setattr(session_settings, "_REFRESH_S", 0.1)
    session, lock = held_session(0)
    source = google.SignedRequest(session)
    if made_in == "parent":
        monkeypatch.setattr(source._locks, "after_fork_in_child", lambda: None)  # type: ignore[attr-defined]
    with lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            with contextlib.suppress(BaseException):
                (source if made_in == "parent" else google.SignedRequest(session))("//x")
                os._exit(0)
            os._exit(1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
