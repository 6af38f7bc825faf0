"""Spark with separate executors: one exchange for each Python worker process."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from fakes import eventually

import gcp_aws_bridge as bridge
from gcp_aws_bridge import google
from gcp_aws_bridge.testing import EksPod

from .conftest import MINUTE_S, OBJECTS, PARTS, ROLE, WORKERS, Clock, Job, needs, run_block

NO_JAVA = not (os.environ.get("JAVA_HOME") or shutil.which("java"))
pytestmark = [
    needs("pyspark", "pandas", "pyarrow"),
    pytest.mark.skipif(NO_JAVA, reason="Spark needs Java 17 or later, and there is no java"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:pyspark"),
]
StartSpark = Callable[[int], Any]


@pytest.fixture
def start_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartSpark]:
    """Return a function that starts Spark with that many executors, each a process of its own."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    stack = contextlib.ExitStack()
    stack.enter_context(patch.dict(os.environ))  # pyspark adds variables

    def start(executors: int) -> Any:
        settings = {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "512m",
            "spark.executor.memory": "512m",
            "spark.local.dir": str(tmp_path),
            "spark.sql.warehouse.dir": str(tmp_path),
            # A task that fails once is an error of the job.
            "spark.task.maxFailures": "1",
            # Tasks wait for all executors, so that each has some.
            "spark.scheduler.minRegisteredResourcesRatio": "1.0",
            "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }
        builder = SparkSession.builder.master(f"local-cluster[{executors},1,512]")
        session = builder.config(map=settings).getOrCreate()
        stack.callback(_end, SparkContext)
        stack.callback(session.stop)
        return session

    with stack:
        yield start


def _end(context: Any) -> None:
    """End Java, which pyspark keeps until this process ends, with the environment of one test."""
    gateway, context._gateway = context._gateway, None
    context._jvm = None
    gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(30)
    except subprocess.TimeoutExpired:
        gateway.proc.kill()
        gateway.proc.wait()


def test_each_spark_worker_exchanges_once_refreshes_and_survives_an_outage(
    job: Job, start_spark: StartSpark
) -> None:
    context = start_spark(WORKERS).sparkContext
    session = bridge.session(ROLE)

    def read(keys: Iterable[str]) -> Iterator[tuple[str, int]]:
        s3 = session.client("s3")
        for key in keys:
            body = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
            yield f"numbers/{body.decode()}", os.getpid()

    def run() -> set[int]:
        found = context.parallelize(OBJECTS, PARTS).mapPartitions(read).collect()
        assert [key for key, _ in found] == OBJECTS
        return {pid for _, pid in found}

    pids = run()
    assert len(pids) == WORKERS == len(set(job.s3.keys))
    assert os.getpid() not in pids
    job.refreshes(run, pids)


def in_each_function(spark: Any, carried: Any, use: Callable[[Any], object]) -> set[int]:
    """Use *carried* in each kind of function that Spark runs; return the ids of the processes."""
    import pandas
    from pyspark.sql.functions import pandas_udf

    rows = spark.sparkContext.parallelize(range(8), 8)
    shared = spark.sparkContext.broadcast(carried)

    def each(found: Iterable[int]) -> Iterator[int]:
        for _ in found:
            assert use(carried)
            assert use(shared.value)
            yield os.getpid()

    def column(found: Any) -> Any:
        assert use(carried)
        assert use(shared.value)
        return found * 0 + os.getpid()

    column.__annotations__ = dict.fromkeys(("found", "return"), pandas.Series)  # Spark reads them
    pids = {*rows.mapPartitions(each).collect()}
    rows.foreachPartition(lambda found: list(each(found)))
    frame = spark.range(8).repartition(8).select(pandas_udf(column, "long")("id").alias("pid"))
    return pids | {row["pid"] for row in frame.collect()}


def test_session_and_credentials_work_in_each_function_of_spark(
    job: Job, start_spark: StartSpark
) -> None:
    spark = start_spark(2)

    def get(session: Any) -> object:
        s3 = session.client("s3")
        return b"hello" == s3.get_object(Bucket="bucket", Key="word")["Body"].read()

    def sign(credentials: Any) -> object:
        import boto3

        key = credentials.get_frozen_credentials()
        return get(boto3.Session(key.access_key, key.secret_key, key.token))

    pids = in_each_function(spark, bridge.session(ROLE), get)
    pids |= in_each_function(spark, bridge.credentials(ROLE), sign)
    assert len(pids) == job.exchanges == len(set(job.s3.keys))


def test_code_of_the_page_runs_in_spark(job: Job, start_spark: StartSpark) -> None:
    spark = start_spark(2)
    found = run_block("spark", spark=spark)
    assert [len(key.removeprefix("numbers/")) for key in OBJECTS] == [
        size for _, size in found["keys"].mapPartitions(found["sizes"]).collect()
    ]
    assert 2 == job.exchanges
    copied = job.s3.owner.list_objects_v2(Bucket="bucket", Prefix="copy/numbers/")
    assert PARTS == copied["KeyCount"]

    rows = run_block("spark-pandas", spark=spark)["rows"]
    assert [1] * 10 + [2] * 54 == sorted(row["size"] for row in rows)
    # Spark runs UDFs of pandas in workers of their own, at most one for each core.
    assert job.exchanges in (2, 3, 4)
    assert job.exchanges == len(set(job.s3.keys))


ACCOUNT = "publisher@my-project.iam.gserviceaccount.com"


@pytest.fixture
def google_api(eks_pod: EksPod) -> Iterator[str]:
    """An API of Google, which answers 401 unless the bearer is a token of the service account."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bearer = self.headers["Authorization"].removeprefix("Bearer ")
            identity = eks_pod.cloud.google_identity(bearer)
            self.send_response(200 if identity and identity.email == ACCOUNT else 401)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_each_spark_worker_exchanges_for_google_once_and_refreshes(
    eks_pod: EksPod, clock: Clock, google_api: str, start_spark: StartSpark
) -> None:
    eks_pod.add_service_account(ACCOUNT)
    clock.move(eks_pod.cloud)
    spark = start_spark(2)

    def run() -> None:
        assert [200] * 16 == run_block("spark-google", spark=spark, URL=google_api)["codes"]

    run()
    assert (2, 2) == (eks_pod.exchanges, eks_pod.impersonations)
    run()
    assert (2, 2) == (eks_pod.exchanges, eks_pod.impersonations)
    clock.travel(to_s=40 * MINUTE_S)
    run()
    eventually(lambda: (4, 4) == (eks_pod.exchanges, eks_pod.impersonations))

    def get(credentials: Any) -> object:
        from google.auth.transport.requests import AuthorizedSession

        return 200 == AuthorizedSession(credentials).get(google_api).status_code

    credentials = google.credentials(service_account=ACCOUNT)
    pids = in_each_function(spark, credentials, get)
    # Two workers have exchanged twice; those of UDFs are others.
    assert 4 + len(pids) - 2 == eks_pod.exchanges == eks_pod.impersonations
