"""Two small clouds on loopback that show the identity and the address of an environment.

A session's access key names the subject of the ID token and the STS that issued the key:
`ASIA-A-AT-one-7`. Neither cloud checks anything: the library decides which cloud gets a request,
and with which identity.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import itertools
import json
import os
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import botocore.session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gcp_aws_bridge.testing._isolation import forget

ROLE = "arn:aws:iam::123456789012:role/etl"
# Variables that affect neither identity nor address, each with the reason.
IRRELEVANT = {
    **dict.fromkeys(
        ("CLOUD_RUN_JOB", "K_SERVICE", "KUBERNETES_SERVICE_HOST"), "the time limit for a server"
    ),
    **dict.fromkeys(("SSLKEYLOGFILE", "_X_AMZN_TRACE_ID"), "logs and traces"),
    **dict.fromkeys(("AWS_SDK_UA_APP_ID", "AWS_EXECUTION_ENV"), "the User-Agent header"),
    **dict.fromkeys(("AWS_LAMBDA_FUNCTION_NAME",), "whether a trace header is sent"),
    **dict.fromkeys(
        ("AWS_CSM_ENABLED", "AWS_CSM_CLIENT_ID"), "client-side monitoring, to loopback"
    ),
    **dict.fromkeys(
        (
            "AWS_DISABLE_HOST_PREFIX_INJECTION",
            "AWS_DISABLE_REQUEST_COMPRESSION",
            "AWS_REQUEST_CHECKSUM_CALCULATION",
            "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
            "AWS_RESPONSE_CHECKSUM_VALIDATION",
            "BOTOCORE_TCP_KEEPALIVE",
        ),
        "the form of a request",
    ),
    **dict.fromkeys(
        (
            "AWS_AUTH_SCHEME_PREFERENCE",
            "AWS_SIGV4A_SIGNING_REGION_SET",
            "AWS_BEARER_TOKEN_STS",
            "BOTO_DISABLE_CRT",
        ),
        "the signature version, of which STS accepts one",
    ),
    **dict.fromkeys(
        (
            "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
            "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
            "AWS_S3_USE_ARN_REGION",
            "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
        ),
        "S3 alone",
    ),
    **dict.fromkeys(("AWS_NEW_RETRIES_2026", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"), "retries"),
    **dict.fromkeys(("BOTO_EXPERIMENTAL__ADD_PROXY_HOST_HEADER",), "a header for the proxy"),
    **dict.fromkeys(("PATH", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "LC_ALL"), "the system"),
    "PYTEST_CURRENT_TEST": "the test's own",
}
_XML = (
    '<AssumeRole{kind}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<AssumeRole{kind}Result><Credentials><AccessKeyId>{key}</AccessKeyId>"
    "<SecretAccessKey>their-secret</SecretAccessKey><SessionToken>session-token</SessionToken>"
    "<Expiration>{end}</Expiration></Credentials></AssumeRole{kind}Result>"
    "</AssumeRole{kind}Response>"
)


def id_token(subject: str) -> str:
    """Return an ID token in Google's format for the default audience."""
    now = int(time.time())
    claims = {
        **{"iss": "https://accounts.google.com", "sub": subject, "azp": subject},
        **{"aud": "sts.amazonaws.com", "iat": now, "exp": now + 3600},
    }
    return f"{_part({'alg': 'RS256'})}.{_part(claims)}.c2ln"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _claims(jwt: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))


class Cloud(http.server.ThreadingHTTPServer):
    """A metadata server, Google's token endpoint and an STS, all named *name*."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.numbers = itertools.count(1)
        self.exchanges = 0
        self.session_names: list[str] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def __enter__(self) -> Cloud:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Cloud
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        if path.endswith("/identity"):
            self._send(id_token(f"M{self.server.name}"))
        else:
            self._send(json.dumps({"access_token": f"of {self.server.name}", "expires_in": 3600}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path.endswith(":generateIdToken"):  # the token belongs to the caller
            self._send(json.dumps({"token": id_token(self.headers["Authorization"][-3:])}))
        elif self.path.endswith(":generateAccessToken"):
            bearer = self.headers["Authorization"]
            answer = {"accessToken": bearer[-3:], "expireTime": _end()}
            self._send(json.dumps(answer))
        elif self.path == "/token":
            form = urllib.parse.parse_qs(body)
            subject = _claims(form["assertion"][0])["iss"]
            self._send(json.dumps({"id_token": id_token(subject.partition("@")[0])}))
        else:
            self._send(self._credentials(urllib.parse.parse_qs(body)))

    def _credentials(self, form: Mapping[str, list[str]]) -> str:
        cloud = self.server
        kind = form["Action"][0].removeprefix("AssumeRole")
        subject = _claims(form["WebIdentityToken"][0])["sub"] if kind else "chained"
        cloud.exchanges += 1
        cloud.session_names.append(form["RoleSessionName"][0])
        key = f"ASIA-{subject}-AT-{cloud.name}-{next(cloud.numbers)}"
        return _XML.format(kind=kind, key=key, end=_end())

    def _send(self, answer: str) -> None:
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google" if self.server.name != "other" else "None")
        self.send_header("Content-Type", "application/json" if answer[:1] == "{" else "text/xml")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        pass


def _end() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))


@lru_cache(maxsize=1)
def private_key() -> str:
    """Return an RSA key as PEM text, which is slow to generate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def key_file(path: Path, name: str, cloud: Cloud) -> Path:
    """Write a service account's key, whose ID tokens have the subject *name*."""
    document = {
        **{"type": "service_account", "client_email": f"{name}@p.iam.gserviceaccount.com"},
        **{"private_key": private_key(), "private_key_id": "1"},
        **{"client_id": "1", "project_id": "p"},
        "token_uri": f"{cloud.url}/token",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def config_file(path: Path, cloud: Cloud, profile: str = "default") -> Path:
    """Write an AWS config file or credentials file that names *cloud*'s STS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    heading = profile if profile == "default" or path.suffix == ".ini" else f"profile {profile}"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"[{heading}]\nregion = us-east-1\nendpoint_url = {cloud.url}\n")
    return path


class Site(NamedTuple):
    """Two clouds, a server that is not Google's, and the files of tenants `a` and `b`."""

    one: Cloud
    two: Cloud
    other: Cloud
    folder: Path

    @property
    def exchanges(self) -> int:
        return self.one.exchanges + self.two.exchanges


@contextlib.contextmanager
def tenants(folder: Path) -> Iterator[Site]:
    """Start the clouds and write the files; the config files of tenant a name one, b's name two."""
    with Cloud("one") as one, Cloud("two") as two, Cloud("other") as other:
        for tenant, cloud in (("a", one), ("b", two)):
            home, adc = folder / tenant, "gcloud/application_default_credentials.json"
            key_file(home / "key.json", f"K{tenant}", one)
            key_file(home / adc, f"G{tenant}", one)
            key_file(home / ".config" / adc, f"H{tenant}", one)
            (home / "token").write_text(id_token(f"T{tenant}"))
            for file in (home / ".aws/config", home / "config", home / "shared.ini"):
                config_file(file, cloud)
            config_file(home / "config", one, "x")
        yield Site(one, two, other, folder)


def of(tenant: str, site: Site) -> dict[str, str | None]:
    """Return the variables of tenant `a` or `b`: its home, and its cloud's metadata server."""
    cloud = site.one if tenant == "a" else site.two
    return {"HOME": str(site.folder / tenant), "GCE_METADATA_HOST": cloud.host}


@contextlib.contextmanager
def environment(variables: Mapping[str, str | None], folder: Path | None = None) -> Iterator[None]:
    """Change variables (None: remove) and the working directory until the end of the block."""
    before, here = dict(os.environ), os.getcwd()
    put(variables, folder)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(here)


@contextlib.contextmanager
def as_tenant_a(site: Site) -> Iterator[None]:
    """Run the `with` block in the environment of tenant a, with empty caches."""
    forget()
    with environment(of("a", site), site.folder / "a"):
        yield
    forget()


@contextlib.contextmanager
def light_sessions() -> Iterator[None]:
    """Let new botocore sessions share 2 MB of JSON, which do not depend on the environment."""
    loader = botocore.session.get_session().get_component("data_loader")

    def get_session() -> botocore.session.Session:
        made = botocore.session.Session()
        made.register_component("data_loader", loader)
        return made

    with mock.patch.object(botocore.session, "get_session", get_session):
        yield


def put(variables: Mapping[str, str | None], folder: Path | None = None) -> None:
    """Change variables and the working directory."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if folder is not None:
        os.chdir(folder)


def whose(session: Any) -> str:
    """Return the identity and the STS in the access key of *session*, without its number."""
    return access_key(session).rpartition("-")[0]


def access_key(session: Any) -> str:
    """Return the access key that *session*'s credentials have now."""
    credentials = session.get_credentials() if hasattr(session, "get_credentials") else session
    return str(credentials.get_frozen_credentials().access_key)
