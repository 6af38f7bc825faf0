"""A pod with the emulator and an S3 that accepts only complete, unexpired keys of its STS."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from fakes import Journey, eventually

from gcp_aws_bridge._cache.clock import World
from gcp_aws_bridge._cache.sharing import registry
from gcp_aws_bridge.emulator import Emulator
from gcp_aws_bridge.testing import GkePod

pytest.importorskip("moto.server")
from storage import S3

ROLE = "arn:aws:iam::123456789012:role/etl"
# For the SDKs' own clock, which tests do not move, credentials of one hour that were issued now
# expire in three minutes: an SDK that uses `expires_at` requests others then.
FIRST_MINUTES = -57


def needs(*modules: str, session: str = "adapters") -> pytest.MarkDecorator:
    """Skip if a module is not installed; in that session of nox all must be installed."""
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if os.environ.get("NOX_CURRENT_SESSION", "").partition("-")[0] == session:
        assert not absent, f"{absent} must be installed here"
    return pytest.mark.skipif(bool(absent), reason=f"without {', '.join(absent)}: nox -s {session}")


def _forget_file_systems(s3fs: ModuleType) -> None:
    """s3fs caches file systems by their options for ever, and does not close those it drops."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        s3fs.S3FileSystem.clear_instance_cache()
        gc.collect()


class Pod:
    """The clouds, and one clock for the library and both clouds.

    Attributes:
        s3: Has `bucket/word` with the content `hello`.
    """

    def __init__(self, cloud: Emulator, s3: S3, journey: Journey) -> None:
        self.cloud, self.s3 = cloud, s3
        self.travel = journey.travel

    @property
    def exchanges(self) -> int:
        """Return the number of successful exchanges."""
        return len([one for one in self.cloud.sts.requests if one.status == 200])

    def signers(self, read: Callable[[], object]) -> set[str]:
        """Return the keys of the requests that succeed during *read*."""
        self.s3.keys.clear()
        assert read() in ("hello", b"hello")
        return set(self.s3.keys)

    def uses(self, read: Callable[[], object]) -> None:
        """Assert that *read* succeeds during a refresh and after the first credentials expired."""
        first = self.signers(read)
        assert (1, 1) == (len(first), self.exchanges)
        assert first == self.signers(read)
        self.travel(minutes=40)  # due: still the first credentials, refreshed in the background
        eventually(lambda: first.isdisjoint(self.signers(read)))
        second = self.signers(read)
        assert (1, 2) == (len(second), self.exchanges)
        self.travel(minutes=61)  # no request meanwhile: the second credentials have expired too
        third = self.signers(read)
        assert (1, 3) == (len(third), self.exchanges)
        assert first | second != third | second


@pytest.fixture
def pod(gke_pod: GkePod, home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    journey = Journey()
    journey.travel(minutes=FIRST_MINUTES)
    cloud = gke_pod.cloud
    cloud.clock = journey
    cloud.add_role(ROLE)
    registry.world = World(clock=journey, monotonic=journey.monotonic)
    s3 = S3(cloud)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.url)
    yield Pod(cloud, s3, journey)
    s3.stop()
    if "s3fs" in sys.modules:
        _forget_file_systems(sys.modules["s3fs"])
