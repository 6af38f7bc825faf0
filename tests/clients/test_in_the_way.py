"""Settings of the user that take precedence over the endpoint of `exec`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server

from .conftest import BRIDGE, PROGRAMS, Pod, talking

EXEC = [*BRIDGE, "exec", "--"]
NEEDS = {"arrow.py": "pyarrow", "delta.py": "deltalake", "rust.py": "deltalake"}


@pytest.fixture
def program(request: pytest.FixtureRequest) -> list[str]:
    """One of `programs/`, by name."""
    name: str = request.param
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="nox -s clients")
    if name == "rclone.py" and shutil.which("rclone") is None:
        pytest.skip("no rclone here: apt-get install rclone")
    return [sys.executable, str(PROGRAMS / name)]


@pytest.fixture
def proxied(pod: Pod) -> Iterator[list[str]]:
    """What is asked of the proxy that the environment names for all but `localhost`."""
    asked: list[str] = []

    def refuse(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        asked.append(environ["RAW_URI"])
        start_response("502 Bad Gateway", [])
        return []

    server = make_server("127.0.0.1", 0, refuse, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"):
        pod.environ[name] = pod.environ[name].replace("127.0.0.1", "localhost")
    for name in ("http_proxy", "HTTP_PROXY"):
        pod.environ[name] = f"http://127.0.0.1:{server.port}"
    pod.environ["NO_PROXY"] = "localhost"
    yield asked
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "program",
    ["arrow.py", "delta.py", "rclone.py", "rust.py"],
    indirect=True,
)
def test_credentials_are_fetched_without_a_proxy(
    pod: Pod, proxied: list[str], program: list[str]
) -> None:
    """It would be shown the authorization token, too."""
    with pod.running(*EXEC, *program) as process:
        assert ("hello", []) == (talking(process)(), proxied)


@pytest.mark.parametrize(
    ("program", "variables", "file"),
    [
        ("rclone.py", {"AWS_ACCESS_KEY": "AKIA", "AWS_SECRET_KEY": "x"}, ""),
        ("boto.py", {"AWS_CREDENTIAL_FILE": "keys"}, "AWSAccessKeyId=AKIA\nAWSSecretKey=x\n"),
    ],
    ids=["AWS_ACCESS_KEY", "AWS_CREDENTIAL_FILE"],
    indirect=["program"],
)
def test_keys_in_older_variables_are_not_used(
    pod: Pod, program: list[str], variables: dict[str, str], file: str
) -> None:
    """The SDK for Go takes the variables of boto 1's time, and botocore its files."""
    (pod.folder / "keys").write_text(file, encoding="utf-8")
    with pod.running(*EXEC, *program, **variables) as process:
        assert "hello" == talking(process)()


@pytest.mark.parametrize("program", ["arrow.py", "rclone.py", "rust.py"], indirect=True)
def test_denial_is_logged_if_the_sdk_does_not_show_it(pod: Pod, program: list[str]) -> None:
    pod.cloud.remove_role("arn:aws:iam::123456789012:role/etl")
    done = subprocess.run(
        [*EXEC, *program], env=pod.environ, input="\n", capture_output=True, text=True, check=False
    )
    assert "[exchange/denied]" in done.stderr
