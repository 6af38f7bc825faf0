"""Clients that nobody here wrote, by every road of the command line, across a refresh."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import eventually

from .conftest import BRIDGE, PROGRAMS, ROLE, Pod, talking

EXEC = [*BRIDGE, "exec", "--"]
PROCESS = " ".join([*BRIDGE, "credential-process"])
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
# Knows no token file: of our roads, only `exec` has the token in the environment too.
OLD = pytest.param(
    [*NODE, "fromContainerMetadata"], id="node fromContainerMetadata", marks=needs_node
)


def profile(pod: Pod) -> dict[str, str]:
    """The environment of whoever finds the role in an AWS profile."""
    config = pod.folder / "config"
    config.write_text(f"[profile etl]\ncredential_process = {PROCESS}\n", encoding="utf-8")
    return {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "etl"}


@pytest.mark.parametrize("program", [*PYTHONS, *NODES, OLD])
def test_by_the_endpoint_of_exec(pod: Pod, program: list[str]) -> None:
    with pod.running(*EXEC, *program) as process:
        pod.uses(talking(process))


@pytest.mark.parametrize("program", [*PYTHONS, *NODES])
def test_by_the_endpoint_of_a_sidecar(pod: Pod, served: dict[str, str], program: list[str]) -> None:
    with pod.running(*program, **served) as process:
        pod.uses(talking(process))


@needs("pyarrow")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("road", ["exec", "serve"])
def test_the_sdk_for_cpp_by_the_endpoint(
    pod: Pod, road: str, request: pytest.FixtureRequest
) -> None:
    """It asks for others in the last seconds only: this is as long as it takes in reality."""
    pod.travel_to(-59 * 60 + 15)  # 75 s are left; with less than 60 an exchange is refused
    program = [sys.executable, str(PROGRAMS / "arrow.py")]
    command = [*EXEC, *program] if road == "exec" else program
    more = {} if road == "exec" else request.getfixturevalue("served")
    with pod.running(*command, **more) as process:
        pod.uses(talking(process), patience_s=90)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromProcess"], id="node fromProcess", marks=needs_node),
        pytest.param([*NODE, "default"], id="node default", marks=needs_node),
    ],
)
def test_by_credential_process(pod: Pod, program: list[str]) -> None:
    with pod.running(*program, **profile(pod)) as process:
        pod.uses(talking(process))


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromTokenFile"], id="node fromTokenFile", marks=needs_node),
    ],
)
def test_by_a_token_file(pod: Pod, program: list[str]) -> None:
    """The exchange is the SDK's own here, and so is its refresh: ours is the token in the file."""
    file = pod.folder / "id-token"
    with pod.running(*BRIDGE, "token", "--watch", f"--file={file}"):
        eventually(file.exists)
        more = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": ROLE}
        with pod.running(*program, **more) as process:
            say = talking(process)
            assert "hello" == say()
            first = set(pod.s3.keys)
            eventually(lambda: say() == "hello" and not first >= set(pod.s3.keys))
    assert {200} == {request.status for request in pod.cloud.sts.requests}


# -- the AWS CLI -------------------------------------------------------------------------------


def aws(pod: Pod, *before: str, **more: str) -> str:
    """List the bucket and read the object, each in a process of the AWS CLI."""
    command = [*before, str(Path(sys.executable).parent / "aws"), "s3"]
    environ = {**pod.environ, **more}
    listed, read = (
        subprocess.run([*command, *words], env=environ, check=True, capture_output=True, text=True)
        for words in (("ls", "s3://bucket"), ("cp", "s3://bucket/word", "-"))
    )
    assert "word" in listed.stdout
    return read.stdout


@needs_aws
def test_the_aws_cli_by_a_profile(pod: Pod) -> None:
    more = profile(pod)
    pod.uses(lambda: aws(pod, **more))


@needs_aws
def test_the_aws_cli_by_a_sidecar(pod: Pod, served: dict[str, str]) -> None:
    pod.uses(lambda: aws(pod, **served))


@needs_aws
def test_the_aws_cli_by_exec(pod: Pod) -> None:
    assert "hello" == aws(pod, *EXEC)
    assert 2 == len(set(pod.s3.keys))  # an endpoint for each of the two commands
    assert {"ASIA"} == {key[:4] for key in pod.s3.keys}


# -- what they say when the role is refused ----------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([sys.executable, str(PROGRAMS / "boto.py")], id="boto3"),
        pytest.param([*NODE, "fromHttp"], id="node fromHttp", marks=needs_node),
    ],
)
def test_a_refusal_reaches_whoever_reads_the_error_by_exec(pod: Pod, program: list[str]) -> None:
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
def test_a_refusal_reaches_whoever_reads_the_error_by_a_profile(
    pod: Pod, program: list[str]
) -> None:
    pod.cloud.remove_role(ROLE)
    with pod.running(*program, **profile(pod)) as process:
        assert "exchange/denied" in talking(process)()


@needs_aws
def test_the_aws_cli_shows_it_too(pod: Pod) -> None:
    pod.cloud.remove_role(ROLE)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        aws(pod, **profile(pod))
    assert "exchange/denied" in caught.value.stderr
