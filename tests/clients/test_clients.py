"""Third-party clients with every command of the command line, across a refresh."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
from fakes import eventually

from .conftest import BRIDGE, FIRST_S, PROGRAMS, ROLE, Pod, talking

EXEC = [*BRIDGE, "exec", "--"]
NODE = ["node", str(PROGRAMS / "s3.cjs")]

needs_aws = pytest.mark.skipif(
    shutil.which("aws", path=str(Path(sys.executable).parent)) is None, reason="no awscli here"
)
needs_node = pytest.mark.skipif(
    not (shutil.which("node") and os.environ.get("NODE_PACKAGES")),
    reason="no AWS SDK for JavaScript here: NODE_PACKAGES is where it is installed",
)


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"no {module} here: nox -s clients"
    )


PYTHONS = [
    pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
    pytest.param(
        [sys.executable, str(PROGRAMS / "delta.py")], id="deltalake", marks=needs("deltalake")
    ),
]
NODES = [
    pytest.param([*NODE, provider], id=f"node {provider}", marks=needs_node)
    for provider in ("default", "fromHttp")
]
# Do not support the token file: only `exec` also sets the token in the environment.
OLD = [
    pytest.param(
        [*NODE, "fromContainerMetadata"], id="node fromContainerMetadata", marks=needs_node
    ),
    pytest.param(
        [sys.executable, str(PROGRAMS / "rclone.py")],
        id="rclone",
        marks=pytest.mark.skipif(
            shutil.which("rclone") is None, reason="no rclone here: apt-get install rclone"
        ),
    ),
]


@pytest.mark.parametrize("program", [*PYTHONS, *NODES, *OLD])
def test_credentials_come_from_the_endpoint_of_exec(pod: Pod, program: list[str]) -> None:
    with pod.running(*EXEC, *program) as process:
        pod.uses(talking(process))


@pytest.mark.parametrize("program", [*PYTHONS, *NODES])
def test_credentials_come_from_the_endpoint_of_a_sidecar(
    pod: Pod, served: dict[str, str], program: list[str]
) -> None:
    with pod.running(*program, **served) as process:
        pod.uses(talking(process))


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromProcess"], id="node fromProcess", marks=needs_node),
        pytest.param([*NODE, "default"], id="node default", marks=needs_node),
    ],
)
def test_credentials_come_from_credential_process(pod: Pod, program: list[str]) -> None:
    with pod.running(*program, **pod.profile(BRIDGE)) as process:
        pod.uses(talking(process))


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromTokenFile"], id="node fromTokenFile", marks=needs_node),
    ],
)
def test_credentials_come_from_a_token_file(pod: Pod, program: list[str]) -> None:
    """The exchange is the SDK's own here, and so is its refresh: ours is the token in the file."""
    file = pod.folder / "id-token"
    token = [*BRIDGE, "token", f"--file={file}"]
    with pod.running(*token, "--watch"):
        eventually(file.exists)
        more = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": ROLE}
        with pod.running(*program, **more) as process:
            first = pod.signers(talking(process))
            # As after half an hour; in the same second Google's key must be another one.
            pod.cloud.rotate_signing_key()
            pod.cloud.metadata.forget_tokens()
            subprocess.run(token, env=pod.environ, check=True)
            assert first.isdisjoint(pod.signers(talking(process)))
    asked = [request.params["WebIdentityToken"] for request in pod.cloud.sts.requests]
    assert asked[0] != asked[-1]
    assert file.read_text(encoding="utf-8") == asked[-1]


HELD = [*PYTHONS, *NODES]
HELD += [
    pytest.param([sys.executable, str(PROGRAMS / f"{name}.py")], id=name, marks=needs(module))
    for name, module in (("arrow", "pyarrow"), ("rust", "deltalake"))
]


@pytest.mark.parametrize("program", HELD)
def test_valid_credentials_are_not_requested_again(pod: Pod, program: list[str]) -> None:
    """So every SDK reads our `Expiration`, and goes by it."""
    pod.travel_to(0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    direct = build_opener(ProxyHandler({}))
    line = r'gcp_aws_bridge_answers_total\{path="/credentials",status="200"\} (\S+)'

    def answers() -> float:
        with direct.open(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
            return float(re.findall(line, page.read().decode())[0])

    with (
        pod.serving(BRIDGE, f"--status-port={port}") as served,
        pod.running(*program, **served) as process,
    ):
        pod.signers(talking(process))
        first = answers()
        for _ in range(5):
            pod.signers(talking(process))
        assert first == answers()


# -- the AWS CLI -------------------------------------------------------------------------------

AWS = str(Path(sys.executable).parent / "aws")


def aws(pod: Pod, *before: str, **more: str) -> str:
    """List the bucket and read the object, each in a process of the AWS CLI."""
    command = [*before, AWS, "s3"]
    environ = {**pod.environ, **more}
    listed, read = (
        subprocess.run([*command, *words], env=environ, check=True, capture_output=True, text=True)
        for words in (("ls", "s3://bucket"), ("cp", "s3://bucket/word", "-"))
    )
    assert "word" in listed.stdout
    return read.stdout


@needs_aws
def test_aws_cli_uses_a_profile(pod: Pod) -> None:
    more = pod.profile(BRIDGE)
    pod.uses(lambda: aws(pod, **more))


@needs_aws
def test_aws_cli_uses_a_sidecar(pod: Pod, served: dict[str, str]) -> None:
    pod.uses(lambda: aws(pod, **served))


@needs_aws
def test_aws_cli_runs_in_exec(pod: Pod) -> None:
    assert "hello" == aws(pod, *EXEC)
    assert 2 == len(set(pod.s3.keys))  # an endpoint for each of the two commands


@needs_aws
@pytest.mark.parametrize("method", ["exec", "sidecar", "profile"])
def test_aws_cli_command_continues_across_a_refresh(
    pod: Pod, method: str, request: pytest.FixtureRequest
) -> None:
    before, more = (EXEC, {}) if method == "exec" else ([], pod.profile(BRIDGE))
    if method == "sidecar":
        more = request.getfixturevalue("served")
    wait = [AWS, "s3api", "wait", "object-exists", "--bucket=bucket", "--key=later"]
    with pod.running(*before, *wait, **more) as command:  # looks for it every five seconds
        while not pod.s3.keys and command.poll() is None:
            time.sleep(0.01)
        pod.travel_to(FIRST_S + 3595)  # the first credentials are not returned any more
        pod.s3.owner.put_object(Bucket="bucket", Key="later")
        assert 0 == command.wait(30)
    assert 2 == len(set(pod.s3.keys)) == len(pod.cloud.sts.requests)


# -- what they say when the role is refused ----------------------------------------------------


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromHttp"], id="node fromHttp", marks=needs_node),
    ],
)
def test_denial_is_in_the_error_of_the_sdk_with_exec(pod: Pod, program: list[str]) -> None:
    pod.cloud.remove_role(ROLE)
    with pod.running(*EXEC, *program) as process:
        assert "exchange/denied" in talking(process)()


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromProcess"], id="node fromProcess", marks=needs_node),
    ],
)
def test_denial_is_in_the_error_of_the_sdk_with_a_profile(pod: Pod, program: list[str]) -> None:
    pod.cloud.remove_role(ROLE)
    with pod.running(*program, **pod.profile(BRIDGE)) as process:
        assert "exchange/denied" in talking(process)()


@needs_aws
def test_aws_cli_shows_the_denial(pod: Pod) -> None:
    pod.cloud.remove_role(ROLE)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        aws(pod, **pod.profile(BRIDGE))
    assert "exchange/denied" in caught.value.stderr
