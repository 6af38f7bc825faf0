"""Beam with several worker processes, which read and write S3 by Beam's own file system."""

from __future__ import annotations

import http.server
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import blocks_of

import gcp_aws_bridge as bridge
from gcp_aws_bridge._botocore import install
from gcp_aws_bridge.exceptions import ConfigError

from .conftest import OBJECTS, PARTS, ROLE, WORKERS, Job, needs, run_block

pytestmark = [
    needs("apache_beam", "boto3"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore", "error:::gcp_aws_bridge"),
]
LOCAL = [
    "--direct_running_mode=multi_processing",
    f"--direct_num_workers={WORKERS}",
    "--s3_region_name=us-east-1",
]
ROUNDS = 7  # as often as `Job.refreshes` runs the job, and once before


def local_runner(options: Any) -> Any:
    """Return a runner that starts processes, and gives them the options as other runners do.

    The option `--runner=DirectRunner` starts the same processes, but gives them no options.
    """
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
    from apache_beam.runners.portability.portable_runner import JobServiceHandle

    return FnApiRunner(
        provision_info=ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(
                retrieval_token="unused-retrieval-token",
                pipeline_options=JobServiceHandle.encode_pipeline_options(
                    options.get_all_options(drop_default=True)
                ),
            )
        )
    )


class Rounds(http.server.ThreadingHTTPServer):
    """Holds a pipeline after each round, until the test has moved the clocks."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ended: queue.Queue[set[int]] = queue.Queue()
        self.go_on: queue.Queue[None] = queue.Queue()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def first(self) -> set[int]:
        """Return the process ids of the first round."""
        return self.ended.get(timeout=180)

    def next(self) -> set[int]:
        """Let the pipeline run one more round; return the process ids."""
        self.go_on.put(None)
        return self.ended.get(timeout=180)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Rounds

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.ended.put(set(json.loads(body)))
        self.server.go_on.get()
        self.send_response(200)
        self.end_headers()


@pytest.fixture
def rounds() -> Iterator[Rounds]:
    with Rounds() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.go_on.put(None)
        server.shutdown()


def one_round(url: str, number: int) -> Any:
    """Return a transform that reads each object by a worker, and waits for the test."""
    import apache_beam as beam

    def work(key: str) -> int:
        import os

        from apache_beam.io.filesystems import FileSystems

        with FileSystems.open(f"s3://bucket/{key}", compression_type="uncompressed") as file:
            body = file.read()
        if number in (0, ROUNDS - 1):  # an S3 client for each file takes most of the time
            with FileSystems.create(f"s3://bucket/round/{number}/{key}") as file:
                file.write(body)
        return os.getpid()

    def wait(pids: list[int]) -> list[str]:
        import json
        import urllib.request

        request = urllib.request.Request(url, json.dumps(pids).encode(), method="POST")
        urllib.request.urlopen(request, timeout=300).close()
        return [f"numbers/{number}" for number in range(len(pids))]

    return (
        f"spread {number}" >> beam.Reshuffle()
        | f"work {number}" >> beam.Map(work)
        | f"list {number}" >> beam.combiners.ToList()
        | f"wait {number}" >> beam.FlatMap(wait)
    )


def test_each_beam_worker_exchanges_once_refreshes_and_survives_an_outage(
    job: Job, rounds: Rounds
) -> None:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from gcp_aws_bridge.adapters.beam import options

    flags = PipelineOptions([*LOCAL, *options(ROLE)])
    pipeline = beam.Pipeline(runner=local_runner(flags), options=flags)
    keys = pipeline | beam.Create(OBJECTS)
    for number in range(ROUNDS):
        keys = keys | f"round {number}" >> one_round(rounds.url, number)
    failures: list[Exception] = []

    def run() -> None:
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:  # noqa: BLE001 - asserted below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    pids = rounds.first()
    assert len(pids) == WORKERS == len(set(job.s3.keys))
    assert os.getpid() not in pids
    job.refreshes(rounds.next, pids)
    rounds.go_on.put(None)
    thread.join(120)
    assert [] == failures
    written = job.s3.owner.list_objects_v2(Bucket="bucket", Prefix="round/")
    assert 2 * PARTS == written["KeyCount"]


def test_code_of_the_page_runs_with_options_from_a_job_service(job: Job) -> None:
    flags = [
        *("--runner=PortableRunner", "--job_endpoint=embed", "--s3_region_name=us-east-1"),
        "--environment_type=beam:env:harness_subprocess_python:v1",
        f"--environment_config={sys.executable} -m apache_beam.runners.worker.sdk_worker_main",
    ]
    try:
        run_block("beam", FLAGS=flags)
    finally:
        bridge.uninstall()
    assert sum(range(PARTS)) == read_total(job)
    assert 2 == job.exchanges == len(set(job.s3.keys))  # the worker's, and this process's


PROGRAM = """
import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions

flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
runner = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
flags += [f"--runner={runner}", "--s3_region_name=us-east-1"]
with apache_beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
    paths = [f"s3://bucket/numbers/{number}" for number in range(8)]
    lines = pipeline | apache_beam.Create(paths) | apache_beam.io.ReadAllFromText()
    total = lines | apache_beam.Map(int) | apache_beam.CombineGlobally(sum)
    total | apache_beam.io.WriteToText("s3://bucket/total/part")
"""


def read_total(job: Job) -> int:
    [total] = job.s3.owner.list_objects_v2(Bucket="bucket", Prefix="total/")["Contents"]
    return int(job.s3.owner.get_object(Bucket="bucket", Key=total["Key"])["Body"].read())


def test_processes_without_options_have_the_role_of_run(job: Job, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    run = [sys.executable, "-m", "gcp_aws_bridge", "run", "--role-arn", ROLE, "--"]
    done = subprocess.run([*run, sys.executable, program], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    assert sum(range(8)) == read_total(job)
    assert job.exchanges == len(set(job.s3.keys)) <= 3  # two workers, and the program


OTHER = "arn:aws:iam::210987654321:role/reader"


@pytest.mark.parametrize(
    "role",
    [
        bridge.Role(ROLE),
        bridge.Role(ROLE, audience="aws:123456789012:etl", duration_seconds=7200),
        bridge.Role(ROLE, sts_regions=["eu-west-1", "eu-central-1"], role_session_name="beam"),
        bridge.Role(ROLE, policy={"Version": "2012-10-17", "Statement": []}),
        bridge.Role(ROLE, policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        bridge.Role(ROLE, region_name="eu-west-1", chain=[OTHER]),
        bridge.Role(
            ROLE, chain=[bridge.ChainedRole(OTHER, external_id="acme-42", tags={"a": "b"})]
        ),
    ],
    ids=["arn", "audience", "regions", "policy", "policies", "chain", "chained-role"],
)
def test_worker_has_the_role_of_the_options(role: bridge.Role) -> None:
    from gcp_aws_bridge.adapters import beam

    plugin, option = beam.options(role)
    assert "--beam_plugins=gcp_aws_bridge.adapters.beam.BridgePlugin" == plugin
    flags = beam.PipelineOptions([plugin, option]).view_as(beam.BridgeOptions)
    assert role == beam._role(flags.gcp_aws_bridge_role)


def test_options_of_dataflow_on_the_page_and_of_setup_name_the_role() -> None:
    from apache_beam.options.pipeline_options import GoogleCloudOptions, SetupOptions

    from gcp_aws_bridge.adapters import beam
    from gcp_aws_bridge.provision.plan import AwsRole, Plan, Workload

    wanted = bridge.Role(ROLE, audience="aws:123456789012:etl")
    gsa = "etl-runner@my-project.iam.gserviceaccount.com"
    [block] = [
        one.code for one in blocks_of("how-to/managed-runtimes.md", "sh") if "beam" in one.code
    ]
    _, _, *flags = shlex.split(block.replace("\\\n", " "))
    options = beam.PipelineOptions(flags)
    assert wanted == beam._role(options.view_as(beam.BridgeOptions).gcp_aws_bridge_role)
    assert gsa == options.view_as(GoogleCloudOptions).service_account_email
    assert "requirements.txt" == options.view_as(SetupOptions).requirements_file
    known = {"beam_plugins", "gcp_aws_bridge_role", *options.get_all_options()}
    assert {flag[2:].partition("=")[0] for flag in flags} <= known
    workload = Workload("dataflow", project="my-project", location="europe-west1", gsa=gsa)
    written = Plan(workload, AwsRole("123456789012", "etl")).pipeline_options
    assert flags[-2:] == written == beam.options(wanted)


@pytest.mark.parametrize(
    "text", ["{", '{"arn": 1}', '{"arm": "x"}', "{}", "etl", '["a"]', '{"arn": "x", "chain": 7}']
)
def test_malformed_option_is_an_error(text: str) -> None:
    from gcp_aws_bridge.adapters import beam

    with pytest.raises(ConfigError):
        beam._role(text)


def test_corrected_option_names_a_role() -> None:
    from gcp_aws_bridge.adapters import beam

    with pytest.raises(ConfigError, match="config/beam"):
        beam._role("{")
    arn = "arn:aws:iam::123456789012:role/etl"
    assert arn == beam._role(arn).arn == beam._role(f'{{"arn": "{arn}"}}').arn


def test_missing_role_is_an_error_before_the_job_starts() -> None:
    from gcp_aws_bridge.adapters import beam

    with pytest.raises(ConfigError, match="No role is configured"):
        beam.options()


def test_import_installs_only_on_workers() -> None:
    from gcp_aws_bridge.adapters import beam

    assert beam.BridgePlugin.__name__
    assert [] == install._installed
