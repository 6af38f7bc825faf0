"""`gcp-aws-bridge demo`: a demonstration on one machine, with an emulated GKE and AWS.

Only the clock is simulated, to show a refresh without waiting: the token is signed and verified,
the role's trust policy is evaluated, and objects are stored with a real S3 API (moto).
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TextIO

from gcp_aws_bridge._extra import need
from gcp_aws_bridge.cli._terminal import Terminal, wrapped
from gcp_aws_bridge.exceptions import ConfigError

ROLE = "arn:aws:iam::123456789012:role/etl"
_BUCKET = "bridge-demo"
_CLOUD_VARIABLES = ("AWS_", "GCP_AWS_BRIDGE_", "GOOGLE_", "GCE_", "GCP_", "CLOUDSDK_")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Start an emulated GKE metadata server, an emulated AWS STS and a local S3 on loopback; "
        "create a session, and show each step with its duration. Needs gcp-aws-bridge[demo]."
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the servers running afterwards, and print the environment for a shell",
    )


def run(options: argparse.Namespace) -> int:
    """Run the demo; return 0 if every step succeeded."""
    need("The demo", ("boto3", "moto", "flask"), "config/extra-demo")
    show = _Show(sys.stdout)
    clock = _TravellingClock()
    with contextlib.ExitStack() as stack:
        cloud, s3_url = _start_clouds(stack, show, clock)
        _run_steps(show, cloud, s3_url, clock)
        if options.keep:
            clock.reset()
            cloud.reset()  # removes tokens that were issued in the future
            cloud.add_role(ROLE)
            _stay(show, cloud, s3_url)
    return 0


def _start_clouds(
    stack: contextlib.ExitStack, show: _Show, clock: _TravellingClock
) -> tuple[Any, str]:
    from gcp_aws_bridge.emulator import Emulator

    show.title("Two clouds on this machine")
    with show.step("GKE metadata server and AWS STS") as say:
        cloud = stack.enter_context(Emulator(clock=clock))
        cloud.add_role(ROLE)
        say(f"trust policy of {ROLE} pins :aud, :oaud and :sub")
    with show.step("Amazon S3 (moto)") as say:
        s3_url = stack.enter_context(_local_s3())
        say(s3_url)
    stack.enter_context(_environment(cloud.environ))
    return cloud, s3_url


def _run_steps(show: _Show, cloud: Any, s3_url: str, clock: _TravellingClock) -> None:
    from gcp_aws_bridge._cache.clock import World
    from gcp_aws_bridge._cache.sharing import registry

    registry.world = World(clock=clock)
    # The outage at the end is a step of the demo, and needs no warning in the log.
    logging.getLogger("gcp_aws_bridge").setLevel(logging.ERROR)
    session, credentials, first = _get_credentials(show, cloud)
    _use_credentials(show, cloud, session.client("s3", endpoint_url=s3_url), credentials)
    _refresh_credentials(show, cloud, clock, credentials, first)
    show.done()


def _get_credentials(show: _Show, cloud: Any) -> tuple[Any, Any, Any]:
    """Return the session, its credentials, and their first frozen set."""
    import gcp_aws_bridge as bridge

    show.title("One line")
    show.code(f'session = bridge.session("{ROLE}")')
    with show.step("create a session") as say:
        session = bridge.session(ROLE, region_name="us-east-1")
        say(f"without network requests: {_requests(cloud)}")
    with show.step("get the ID token of the pod") as say:
        for line in _claims(bridge.MetadataServer()()):
            say(line)
    before = _counts(cloud)
    credentials = session.get_credentials()  # starts the exchange in the background
    assert credentials is not None  # noqa: S101 - for the type checker
    with show.step("exchange the token for credentials") as say:
        first = credentials.get_frozen_credentials()
        say(f"{first.access_key}, with {_requests(cloud, before)}")
    with show.step("call GetCallerIdentity") as say:
        say(session.client("sts").get_caller_identity()["Arn"])
    return session, credentials, first


def _use_credentials(show: _Show, cloud: Any, s3: Any, credentials: Any) -> None:
    import gcp_aws_bridge as bridge

    show.title("Use")
    with show.step("create a bucket and list it") as say:
        s3.create_bucket(Bucket=_BUCKET)
        say(", ".join(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]))
    with show.step("put an object and read it") as say:
        s3.put_object(Bucket=_BUCKET, Key="hello.txt", Body=b"hello from a pod with no keys")
        say(s3.get_object(Bucket=_BUCKET, Key="hello.txt")["Body"].read().decode())
    with show.step("1,000 more signatures, 20 more sessions") as say:
        before = _counts(cloud)
        for _ in range(20):
            bridge.session(ROLE, region_name="us-east-1").get_credentials()
        for _ in range(1000):
            credentials.get_frozen_credentials()
        say(f"with {_requests(cloud, before)}")


def _refresh_credentials(
    show: _Show, cloud: Any, clock: _TravellingClock, credentials: Any, first: Any
) -> None:
    show.title("Forty minutes later")
    clock.travel(timedelta(minutes=40))
    before = _counts(cloud)
    with show.step("the next request uses the valid credentials") as say:
        say(f"still {credentials.get_frozen_credentials().access_key}")
    with show.step("new credentials arrive in the background") as say:
        fresh = _until_changed(credentials, first)
        say(f"{fresh}, with {_requests(cloud, before)}")
    with show.step("STS goes down for fifty minutes") as say, cloud.sts.down():
        clock.travel(timedelta(minutes=50))
        say(f"still signing with {credentials.get_frozen_credentials().access_key}")


def _stay(show: _Show, cloud: Any, s3_url: str) -> None:
    show.title("The servers run until Ctrl-C")
    environment = {
        **cloud.environ,
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "GCP_AWS_BRIDGE_ROLE_ARN": ROLE,
    }
    for name, value in environment.items():
        show.code(f"export {name}={value}")
    show.code('python3 -c "import gcp_aws_bridge as b; print(b.session().get_credentials())"')
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


class _TravellingClock:
    """The real clock plus an offset."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        from gcp_aws_bridge._cache.clock import utc_now

        return utc_now() + self._ahead

    def travel(self, ahead: timedelta) -> None:
        self._ahead += ahead

    def reset(self) -> None:
        self._ahead = timedelta()


class _Show:
    """Printer of steps with their output and duration, in the width of the terminal."""

    def __init__(self, out: TextIO) -> None:
        self._terminal = Terminal(out)
        self._started = time.perf_counter()

    def title(self, text: str) -> None:
        self._print(f"\n{self._painted(text, '1')}")

    def code(self, text: str) -> None:
        self._print(f"    {self._painted(text, '36')}")  # never wrapped, so that it can be copied

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Callable[[str], None]]:
        output: list[str] = []
        started = time.perf_counter()
        try:
            with self._terminal.waiting(what):
                yield output.append
        except Exception:
            if self._terminal.live:
                self._print(f"  {self._painted('✗', '31')} {what}")
            raise
        took_ms = (time.perf_counter() - started) * 1000
        self._done(what, f"{took_ms:9,.1f} ms")
        for line in output:
            for part in self._wrapped(line, 4):
                self._print(f"    {self._painted(part, '2')}")

    def _done(self, what: str, took: str) -> None:
        beside = len(took) + 5
        room = min(48, self._terminal.columns - beside)
        mark = self._painted("✓", "32")
        *above, last = self._wrapped(what, beside)
        for line in above:
            self._print(f"  {mark} {line}")
            mark = " "
        self._print(f"  {mark} {last:<{room}} {took}")

    def _wrapped(self, text: str, beside: int) -> list[str]:
        columns = self._terminal.columns - beside
        return wrapped(text, columns) if self._terminal.live else [text]

    def done(self) -> None:
        took_s = time.perf_counter() - self._started
        self._print(f"\nTotal: {took_s:.1f} s. For your code: pip install gcp-aws-bridge")

    def _painted(self, text: str, codes: str) -> str:
        return self._terminal.painted(text, codes)

    def _print(self, line: str) -> None:
        self._terminal.print(line)


@contextlib.contextmanager
def _local_s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Use the environment of the pod, without cloud settings of this machine."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(_CLOUD_VARIABLES) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(wanted, AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _claims(raw: str) -> list[str]:
    from gcp_aws_bridge._tokens import id_token

    token = id_token.parse(raw, origin="The metadata server")
    return [
        f"iss  {token.issuer}",
        f"aud  {', '.join(token.audience)}",
        f"azp  {token.authorized_party}",
        f"sub  {token.subject}  ({token.email})",
    ]


def _counts(cloud: Any) -> tuple[int, int]:
    return len(cloud.metadata.requests), len(cloud.sts.requests)


def _requests(cloud: Any, before: tuple[int, int] = (0, 0)) -> str:
    metadata, sts = (now - then for now, then in zip(_counts(cloud), before, strict=True))
    return f"{metadata} metadata and {sts} STS requests"


def _until_changed(credentials: Any, old: Any) -> str:
    for _ in range(500):
        if (new := credentials.get_frozen_credentials()) != old:
            return str(new.access_key)
        time.sleep(0.01)
    raise ConfigError(
        "No new credentials arrived within 5 s.",
        fix="run it again with PYTHONDEVMODE=1 and report the output.",
        error_id="demo/no-refresh",
    )
