"""Gets credentials where there is no IPv4, by the method SCENARIO. Prints what it found as JSON.

`ipv6_only.py SCENARIO [PROGRAM …]`, in the network namespace of tests/ipv6_only.py: the emulated
clouds are on ::1, and the metadata server is also at the address and port that it has on Google
Cloud. A scenario with a program runs PROGRAM; without one, a program with boto3.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import gcp_aws_bridge
from gcp_aws_bridge.emulator import Emulator

ROLE = "arn:aws:iam::123456789012:role/etl"
GOOGLE = "etl@demo-project.iam.gserviceaccount.com"
METADATA = ("fd20:ce::254", 80)
BRIDGE = [sys.executable, "-m", "gcp_aws_bridge"]
WHO = (
    "import boto3, json, os; s = boto3.Session(region_name='us-east-1')\n"
    "seen = {n: os.environ.get(n) for n in ('AWS_CONTAINER_CREDENTIALS_FULL_URI', 'NO_PROXY')}\n"
    "print(json.dumps({**seen, 'method': s.get_credentials().method, "
    "'arn': s.client('sts').get_caller_identity()['Arn']}))"
)
GOOGLE_WHO = (
    "import google.auth, json, os; from google.auth.transport.requests import Request\n"
    "keys, project = google.auth.default(); keys.refresh(Request())\n"
    "print(json.dumps({'host': os.environ['GCE_METADATA_HOST'], 'project': project, "
    "'email': keys.service_account_email, 'has_token': bool(keys.token)}))"
)


def main() -> None:
    scenario = SCENARIOS[sys.argv[1]]
    with Emulator() as cloud, relay(METADATA, cloud.metadata.port):
        cloud.add_role(ROLE)
        # A proxy would see tokens and keys; this one refuses connections.
        proxy = "http://[::1]:9"
        os.environ.update(
            AWS_ENDPOINT_URL_STS=cloud.sts.url,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_REGION="us-east-1",  # for SDKs other than Python's
            **dict.fromkeys(("HTTP_PROXY", "http_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "::1,[::1]"),
        )
        print(json.dumps(scenario(cloud)))


@contextlib.contextmanager
def relay(at: tuple[str, int], port: int) -> Iterator[None]:
    """Accept connections *at* an address and copy their bytes to *port* of ::1, and back."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("::1", port))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    with socket.create_server(at, family=socket.AF_INET6) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


def session(cloud: Emulator) -> Any:
    """Create a session, as a program in the pod does."""
    made = gcp_aws_bridge.session(ROLE)
    arn = made.client("sts").get_caller_identity()["Arn"]
    asked = [(each.headers["Host"], each.path) for each in cloud.metadata.requests]
    return {"arn": arn, "asked": asked}


def run(*command: str, **environ: str) -> str:
    environment = {**os.environ, **environ}
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60
    ).stdout


def executed(_: Emulator) -> Any:
    """Run a program by `exec`."""
    command = [*BRIDGE, "exec", "--role-arn", ROLE, "--", *program()]
    return json.loads(run(*command, NO_PROXY="", no_proxy=""))


def program() -> list[str]:
    """Return the program that says who it is."""
    return sys.argv[2:] or [sys.executable, "-c", WHO]


@contextlib.contextmanager
def started(*command: str) -> Iterator[dict[str, str]]:
    """Run a command of ours until the end of the block. Yield the variables that it prints."""
    arguments = [*BRIDGE, *command, "--shell", "json"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        text = ""
        try:
            while "}" not in text and (line := process.stdout.readline()):
                text += line
            yield json.loads(text)
        finally:
            process.terminate()


def served(_: Emulator) -> Any:
    """Run a program beside `serve`, and look at its status."""
    options = ("--role-arn", ROLE, "--port", "0", "--status-port", "9912")
    with started("serve", *options) as variables:
        with urllib.request.urlopen("http://[::1]:9912/healthz") as answer:
            status = answer.status
        return {**variables, "status": status, "program": json.loads(run(*program(), **variables))}


def doctor(_: Emulator) -> Any:
    """Return the doctor's findings."""
    return json.loads(run(*BRIDGE, "doctor", "--role-arn", ROLE, "--json"))


def emulated(_: Emulator) -> Any:
    """Return the environment of `emulate`."""
    with started("emulate") as variables:
        return variables


def on_aws(cloud: Emulator) -> None:
    """Set the environment of an instance of EC2 whose role may act as `GOOGLE`."""
    cloud.add_role(ROLE, cloud.trust_policy_for_service("ec2.amazonaws.com"))
    provider = cloud.add_aws_provider("123456789012")
    name = "arn:aws:sts::123456789012:assumed-role/etl"
    principal = provider.principal_set("attribute.aws_role", name)
    cloud.add_google_service_account(GOOGLE, [principal])
    path = os.path.join(os.environ["TMPDIR"], "configuration.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(cloud.external_account(provider, GOOGLE), file)
    os.environ.update(cloud.ec2_environ(ROLE), GOOGLE_APPLICATION_CREDENTIALS=path)


def google_executed(cloud: Emulator) -> Any:
    """Run a program with google-auth by `google-exec`."""
    on_aws(cloud)
    return json.loads(run(*BRIDGE, "google-exec", "--", sys.executable, "-c", GOOGLE_WHO))


def google_served(cloud: Emulator) -> Any:
    """Run a program with google-auth beside `google-serve`."""
    on_aws(cloud)
    with started("google-serve", "--port", "0") as variables:
        del os.environ["GOOGLE_APPLICATION_CREDENTIALS"]
        return json.loads(run(sys.executable, "-c", GOOGLE_WHO, **variables))


SCENARIOS = {
    each.__name__: each
    for each in (session, executed, served, doctor, emulated, google_executed, google_served)
}

if __name__ == "__main__":
    main()
