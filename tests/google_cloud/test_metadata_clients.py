"""`google-exec` and `google-serve` as whole processes, with SDKs and tools of Google.

What is not installed is skipped: gcloud; google-auth-library of JavaScript, in NODE_PACKAGES;
Debian's golang-golang-x-oauth2-google-dev with golang-google-cloud-dev, and libgoogle-auth-java.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gcp_aws_bridge._tokens import id_token as _id_token
from gcp_aws_bridge.cli import google_exec

from .conftest import ACCOUNT, ROLE, Workload, needs_outbound

PROGRAMS = Path(__file__).parent / "programs"
BRIDGE = [sys.executable, "-m", "gcp_aws_bridge"]
WHO = [sys.executable, str(PROGRAMS / "who.py")]
NODE = os.environ.get("NODE_PACKAGES", "")
GO_SOURCES = Path("/usr/share/gocode")
JARS = Path("/usr/share/java")

# Each starts several programs, gcloud among them, which takes its time.
pytestmark = pytest.mark.timeout(240)

needs_gcloud = pytest.mark.skipif(not shutil.which("gcloud"), reason="no gcloud here")
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and Path(NODE, "node_modules/google-auth-library").is_dir()),
    reason="no google-auth-library for JavaScript here: NODE_PACKAGES is where it is installed",
)
needs_go = pytest.mark.skipif(
    not (
        shutil.which("go")
        and (GO_SOURCES / "src/golang.org/x/oauth2/google").is_dir()
        and (GO_SOURCES / "src/cloud.google.com/go/compute").is_dir()
    ),
    reason="no golang.org/x/oauth2/google here",
)
needs_java = pytest.mark.skipif(
    not (shutil.which("javac") and (JARS / "google-auth-library-oauth2-http.jar").exists()),
    reason="no google-auth-library for Java here",
)


@pytest.fixture
def pod(workload: Workload, home: Path, monkeypatch: pytest.MonkeyPatch) -> Workload:
    """A pod with EKS Pod Identity, which none of these programs knows."""
    workload.pod()
    settings = {
        "GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": workload.provider.audience,
        "GCP_AWS_BRIDGE_GOOGLE_SERVICE_ACCOUNT": ACCOUNT,
        "CLOUDSDK_CONFIG": str(home / "gcloud"),
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return workload


def executed(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BRIDGE, "google-exec", "--", *command],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def whose(workload: Workload, token: str) -> str | None:
    identity = workload.cloud.google_identity(token.strip())
    return identity and (identity.email or identity.principal)


def is_the_account(workload: Workload, done: subprocess.CompletedProcess[str]) -> None:
    """Hold that a program told who it is: e-mail, project, access token; ID token."""
    assert (0, "") == (done.returncode, done.stderr)
    first, id_token = done.stdout.splitlines()
    email, project, token = first.split()
    assert ACCOUNT == email
    assert project in ("my-project", "-")
    assert ACCOUNT == whose(workload, token)
    parsed = _id_token.parse(id_token, origin="The program")
    assert ("https://orders.example",) == parsed.audience
    assert 1 == len(workload.cloud.google_sts.requests)


# -- programs under google-exec -----------------------------------------------------------------


def test_google_auth_is_the_service_account(pod: Workload) -> None:
    is_the_account(pod, executed(*WHO))


@needs_node
def test_a_program_of_node_is_the_service_account(pod: Workload) -> None:
    modules = str(Path(NODE, "node_modules"))
    is_the_account(pod, executed("node", str(PROGRAMS / "who.cjs"), NODE_PATH=modules))


@needs_go
def test_a_program_of_go_is_the_service_account(pod: Workload, tmp_path: Path) -> None:
    built = str(tmp_path / "who")
    options = {"GOPATH": str(GO_SOURCES), "GO111MODULE": "off", "GOCACHE": str(tmp_path / "go")}
    build = ["go", "build", "-o", built, str(PROGRAMS / "who.go")]
    subprocess.run(build, env={**os.environ, **options, "GOFLAGS": ""}, check=True, timeout=120)
    is_the_account(pod, executed(built))


@needs_java
def test_a_program_of_java_is_the_service_account(pod: Workload, tmp_path: Path) -> None:
    jars = os.pathsep.join([*(str(jar) for jar in JARS.glob("*.jar")), str(tmp_path)])
    source = str(PROGRAMS / "Who.java")
    subprocess.run(["javac", "-d", str(tmp_path), "-cp", jars, source], check=True, timeout=100)
    is_the_account(pod, executed("java", "-cp", jars, "Who"))


@needs_gcloud
def test_gcloud_is_the_service_account_and_in_its_project(pod: Workload, tmp_path: Path) -> None:
    """Against Pub/Sub on loopback, which is asked with the token."""
    asked: list[tuple[str, str]] = []

    class Topics(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append((self.path.partition("?")[0], self.headers["Authorization"]))
            body = json.dumps({"topics": [{"name": "projects/my-project/topics/orders"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Topics)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        done = executed(
            *("gcloud", "pubsub", "topics", "list", "--format=value(name)"),
            CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB=url,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert "projects/my-project/topics/orders\n" == done.stdout, done.stderr
    [(path, bearer)] = asked
    assert "/v1/projects/my-project/topics" == path
    assert ACCOUNT == whose(pod, bearer.removeprefix("Bearer "))


@needs_gcloud
def test_gcloud_has_an_id_token_too(pod: Workload) -> None:
    asked = ["auth", "print-identity-token", "--audiences=https://orders.example"]
    done = executed("gcloud", *asked)
    token = _id_token.parse(done.stdout.strip(), origin="gcloud")
    assert ("https://orders.example",) == token.audience


# -- programs with the file of google-config ----------------------------------------------------


@pytest.fixture(params=["signed-request", "outbound"])
def file(
    request: pytest.FixtureRequest, pod: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    if request.param == "outbound":
        needs_outbound()
        issuer = pod.cloud.enable_outbound_federation()
        pod.cloud.allow(ROLE, "sts:GetWebIdentityToken")
        provider = pod.cloud.add_google_provider_for_oidc(issuer, pool="outbound")
        pod.cloud.add_google_service_account(ACCOUNT, [provider.principal(ROLE)])
        monkeypatch.setenv("GCP_AWS_BRIDGE_GOOGLE_AUDIENCE", provider.audience)
        monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    else:
        pod.keys()  # all that Google's SDKs know, but for EC2
        monkeypatch.setenv("AWS_REGION", "us-east-1")
    path = str(tmp_path / "google.json")
    write = [*BRIDGE, "google-config", "--source", request.param, "--output", path]
    subprocess.run(write, check=True, capture_output=True, timeout=100)
    return path


def token_of(command: list[str], **environ: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


@needs_gcloud
def test_gcloud_logs_in_with_it(pod: Workload, file: str) -> None:
    token_of(["gcloud", "auth", "login", "--quiet", f"--cred-file={file}"])
    assert ACCOUNT == whose(pod, token_of(["gcloud", "auth", "print-access-token"]))


@needs_node
def test_a_program_of_node_reads_it(pod: Workload, file: str) -> None:
    environ = {
        "GOOGLE_APPLICATION_CREDENTIALS": file,
        "GOOGLE_CLOUD_PROJECT": "my-project",  # else it asks Google's Resource Manager
        "NODE_PATH": str(Path(NODE, "node_modules")),
    }
    program = ["node", str(PROGRAMS / "who.cjs"), "token"]
    assert ACCOUNT == whose(pod, token_of(program, **environ))


# -- what google-exec sees to -------------------------------------------------------------------


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "environ",
    [
        {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"},
        {"NO_GCE_CHECK": "true"},
        {"GCE_METADATA_MTLS_MODE": "strict"},
        {"GCE_METADATA_HOST": "127.0.0.1:9"},
    ],
    ids=lambda environ: next(iter(environ)),
)
def test_whatever_comes_first_is_taken_away(pod: Workload, environ: dict[str, str]) -> None:
    is_the_account(pod, executed(*WHO, **environ))


def test_the_page_of_settings_says_what_it_sets_and_takes_away(pod: Workload) -> None:
    page = Path(__file__).parents[2] / "docs/reference/settings.md"
    if not page.exists():
        pytest.skip("not in a source checkout")
    row = re.search(r"^\| `google-exec` \| (.*)$", page.read_text(encoding="utf-8"), re.M)
    assert row
    sets, takes = (set(re.findall(r"`(\w+)`", part)) for part in row[1].split("It removes"))
    given = dict.fromkeys({*sets, *takes, *google_exec._HIGHER_PRECEDENCE}, "x")
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    found = json.loads(executed(sys.executable, "-c", program, **given).stdout)
    before = {**os.environ, **given}
    assert takes == before.keys() - found.keys()
    changed = {name.upper() for name in found if found[name] != before.get(name)}
    assert sets == changed - {"LC_CTYPE"}  # Python's own, where there is no locale (PEP 538)


def test_no_proxy_stands_between(pod: Workload) -> None:
    program = "import os; print(os.environ['NO_PROXY'], os.environ['no_proxy'])"
    done = executed(sys.executable, "-c", program, NO_PROXY="a.example")
    assert "a.example,127.0.0.1 a.example,127.0.0.1\n" == done.stdout


@pytest.mark.exhaustive
@needs_gcloud
def test_gcloud_does_not_use_an_earlier_login(pod: Workload, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of-another-login")
    login = ["gcloud", "config", "set", "account", "someone@example.com"]
    subprocess.run(login, check=True, capture_output=True, timeout=100)
    environ = {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token)}
    done = executed("gcloud", "auth", "print-access-token", **environ)
    assert ACCOUNT == whose(pod, done.stdout), done.stderr


@pytest.mark.parametrize("where", ["home", "CLOUDSDK_CONFIG"])
def test_a_developers_own_login_is_said_to_be_in_the_way(
    pod: Workload, home: Path, where: str
) -> None:
    folder = home / ".config/gcloud" if where == "home" else Path(os.environ["CLOUDSDK_CONFIG"])
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text("{}")
    done = executed("true")
    assert (1, "") == (done.returncode, done.stdout)
    assert "[config/google-default-file]" in done.stderr


@pytest.fixture
def memory(pod: Workload) -> Path:
    """Where gcloud has it that there is no metadata server."""
    file = Path(os.environ["CLOUDSDK_CONFIG"], "gce")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("False")
    return file


def test_gclouds_memory_of_no_server_is_gone_when_the_command_runs(memory: Path) -> None:
    program = f"import os; print(os.path.exists({str(memory)!r}))"
    assert "False\n" == executed(sys.executable, "-c", program).stdout


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_folder_of_gclouds_that_others_can_exchange_is_left_alone(memory: Path) -> None:
    memory.parent.parent.chmod(0o777)
    executed(sys.executable, "-c", "")
    memory.parent.parent.chmod(0o700)
    assert "False" == memory.read_text()


@pytest.mark.parametrize(
    ("status", "command", "environ"),
    [
        (2, [], {}),
        (127, ["no-such-command"], {}),
        (126, [str(PROGRAMS)], {}),
        (1, WHO, {"GCP_AWS_BRIDGE_GOOGLE_AUDIENCE": ""}),
        (1, WHO, {"GCP_AWS_BRIDGE_GOOGLE_SOURCE": "guesswork"}),
    ],
    ids=["no command", "none found", "no program", "no provider", "no source"],
)
def test_gclouds_memory_is_left_alone_where_nothing_is_run(
    memory: Path, status: int, command: list[str], environ: dict[str, str]
) -> None:
    done = executed(*command, **environ)
    assert (status, "", True) == (done.returncode, done.stdout, memory.exists()), done.stderr


def test_gclouds_memory_is_left_alone_where_a_login_is_in_the_way(memory: Path) -> None:
    (memory.parent / "application_default_credentials.json").write_text("{}")
    assert (1, True) == (executed(*WHO).returncode, memory.exists())


def test_error_is_logged_if_the_sdk_hides_it(pod: Workload) -> None:
    pod.cloud.add_google_service_account(ACCOUNT, [])
    done = executed(*WHO)
    assert 1 == done.returncode
    [line] = [line for line in done.stderr.splitlines() if line.startswith("gcp-aws-bridge: ")]
    assert line.startswith(f"gcp-aws-bridge: {ACCOUNT}: no fresh credentials: ")
    assert "grant roles/iam.workloadIdentityUser" in line


def test_the_status_is_the_commands(pod: Workload) -> None:
    assert 7 == executed(sys.executable, "-c", "import sys; sys.exit(7)").returncode
    assert 127 == executed("no-such-command").returncode
    done = executed()
    assert (2, "gcp-aws-bridge google-exec: no command: google-exec -- COMMAND\n") == (
        done.returncode,
        done.stderr,
    )


# -- google-serve -------------------------------------------------------------------------------


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A `google-serve` that runs until the end of the block, and what it tells a client."""
    command = [*BRIDGE, "google-serve", "--port=0", "--shell=dotenv", *options]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(3)]
            yield process, dict(line.split("=", 1) for line in lines)
        finally:
            process.kill()


def test_a_program_beside_it_is_the_service_account(pod: Workload) -> None:
    with serving() as (_, variables):
        done = subprocess.run(
            WHO, env={**os.environ, **variables}, capture_output=True, text=True, check=False
        )
    assert {"GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"} == variables.keys()
    is_the_account(pod, done)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_it_ends_when_it_is_told_to_and_has_logged_no_token(pod: Workload) -> None:
    with serving() as (process, variables):
        url = f"http://{variables['GCE_METADATA_HOST']}/computeMetadata/v1/instance"
        request = urllib.request.Request(
            f"{url}/service-accounts/default/token?alt=json", headers={"Metadata-Flavor": "Google"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            token = json.load(answer)["access_token"]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert 0 == process.returncode
    assert f"Serving {ACCOUNT}" in said
    assert '"path": "/computeMetadata/v1/instance/service-accounts/default/token"' in said
    assert token not in said


def test_its_health_is_the_accounts(pod: Workload) -> None:
    with serving("--status-port=0") as (process, variables):
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        status = next(line for line in said if line.startswith("Status: "))
        url = status.removeprefix("Status: ").partition("/healthz")[0]
        metadata = f"http://{variables['GCE_METADATA_HOST']}/computeMetadata/v1"
        path = f"{metadata}/instance/service-accounts/default/token"
        asked = urllib.request.Request(path, headers={"Metadata-Flavor": "Google"})
        urllib.request.urlopen(asked, timeout=20).close()
        with urllib.request.urlopen(f"{url}/readyz", timeout=20) as answer:
            assert {"status": "ok", "without credentials": []} == json.load(answer)
        with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
            metrics = answer.read().decode()
    remaining = f'gcp_aws_bridge_credentials_remaining_seconds{{role="{ACCOUNT}"}} 35'
    assert remaining in metrics
    assert 'path="/computeMetadata/v1/instance/service-accounts/default/token"' in metrics
