"""Several machines: workers get settings, and each makes one exchange for its own credentials."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from fakes import eventually

from gcp_aws_bridge._cache.clock import utc_now

from .conftest import ROLE, Pod, needs

pytestmark = [needs("distributed", "s3fs", "pandas", "pyarrow"), pytest.mark.timeout(180)]
WORKERS, PARTITIONS = 4, 64


@pytest.fixture
def ahead(pod: Pod, tmp_path: Path) -> Path:
    """Return a file with the seconds by which all clocks are ahead, of clouds and workers."""
    file = tmp_path / "ahead"
    file.write_text("0", encoding="utf-8")
    pod.cloud.clock = lambda: utc_now() + timedelta(seconds=float(file.read_text()))
    return file


def going_by(file: str) -> Any:
    """Return a function that sets a worker's clocks ahead by the seconds in *file*."""

    def go() -> None:  # nested, so that it is pickled by value: workers cannot import this module
        import time
        from datetime import timedelta
        from pathlib import Path

        from gcp_aws_bridge._cache.clock import World, utc_now
        from gcp_aws_bridge._cache.sharing import registry

        def ahead_s() -> float:
            return float(Path(file).read_text(encoding="utf-8"))

        registry.world = World(
            clock=lambda: utc_now() + timedelta(seconds=ahead_s()),
            monotonic=lambda: time.monotonic() + ahead_s(),
        )

    return go


@pytest.fixture
def cluster(ahead: Path, tmp_path: Path) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    with (
        patch.dict(os.environ),  # dask adds variables
        # Otherwise the other workers may have done the share of a worker that starts slowly.
        dask.config.set({"distributed.scheduler.work-stealing": False}),
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=2,
            processes=True,
            dashboard_address="127.0.0.1:0",
            local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(WORKERS, timeout=120)
        client.run(going_by(str(ahead)))
        yield client


def test_each_worker_of_a_dask_cluster_exchanges_once(pod: Pod, cluster: Any, ahead: Path) -> None:
    import dask.dataframe as dd
    import pandas

    from gcp_aws_bridge.adapters import s3fs

    for number in range(PARTITIONS):
        body = pandas.DataFrame({"number": [number, number]}).to_parquet()
        pod.s3.owner.put_object(Bucket="bucket", Key=f"numbers/{number}.parquet", Body=body)
    options = s3fs.options(ROLE)
    paths = [f"s3://bucket/numbers/{number}.parquet" for number in range(PARTITIONS)]
    numbers = dd.from_map(
        pandas.read_parquet, paths, storage_options=options, meta={"number": "int64"}
    )

    def total() -> int:
        return int(numbers["number"].sum().compute())

    wanted = 2 * sum(range(PARTITIONS))
    assert wanted == total()
    assert WORKERS == pod.exchanges == len(set(pod.s3.keys))
    assert wanted == total()
    assert WORKERS == pod.exchanges

    first = set(pod.s3.keys)
    ahead.write_text("2400", encoding="utf-8")
    eventually(lambda: wanted == total() and pod.exchanges == 2 * WORKERS)
    ahead.write_text(
        "6300", encoding="utf-8"
    )  # the second credentials have expired, the third have not
    pod.s3.keys.clear()
    assert wanted == total()
    assert 3 * WORKERS == pod.exchanges
    assert first.isdisjoint(pod.s3.keys)
    assert WORKERS == len(set(pod.s3.keys))
