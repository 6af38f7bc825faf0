"""`gcp-aws-bridge run` with real servers, whose application and configuration are unchanged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers.conftest import PATIENCE_S, ROLE, Servers, ask, each_process, flat, free_port
from servers.test_celery import sender
from servers.test_celery import worker as celery_worker
from servers.test_gunicorn import PATCH_FIRST, WORKERS
from servers.test_gunicorn import command as gunicorn
from servers.test_uwsgi import UWSGI
from servers.test_uwsgi import command as uwsgi

pytest.importorskip("gunicorn")

RUN = [sys.executable, "-m", "gcp_aws_bridge", "run", "--role-arn", ROLE, "--"]


@pytest.mark.parametrize(
    ("worker", "options"),
    [
        ("sync", ()),
        ("sync", ("--preload",)),
        ("gthread", ()),
        ("gthread", ("--preload",)),
        ("gevent", ()),
        ("gevent", ("--preload", *PATCH_FIRST)),
        ("eventlet", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "preload" if value else "",
)
def test_worker_of_gunicorn_has_the_role_and_refreshes_it(
    servers: Servers, worker: str, options: tuple[str, ...]
) -> None:
    if worker in ("gevent", "eventlet"):
        pytest.importorskip(worker)
    port = free_port()
    command = [*RUN, *gunicorn(worker, port, *options)]
    with servers.running(command, WORKER_CLASS=worker):
        servers.use_each_process(lambda: ask(f"http://127.0.0.1:{port}/"), WORKERS, bool(options))


def test_console_script_of_gunicorn_has_the_role(servers: Servers) -> None:
    port = free_port()
    [_, _, _, *options] = gunicorn("gthread", port)
    script = Path(sys.executable).with_name("gunicorn")
    with servers.running([*RUN, script, *options]):
        servers.use_each_process(lambda: ask(f"http://127.0.0.1:{port}/"), WORKERS, forks=False)


@pytest.mark.parametrize(("pool", "processes"), [("gevent", 1), ("prefork", 2)])
def test_task_of_celery_has_the_role_and_refreshes_it(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, pool: str, processes: int
) -> None:
    pytest.importorskip("celery")
    pytest.importorskip(pool if pool == "gevent" else "billiard")
    app = sender(servers, monkeypatch)

    def work() -> object:
        return app.send_task("sign").get(timeout=PATIENCE_S, interval=0.02)

    with servers.running([*RUN, *celery_worker(pool, processes)]):
        servers.use_each_process(work, processes, forks=pool == "prefork")


@pytest.mark.skipif(UWSGI is None, reason="uWSGI is not installed")
def test_worker_of_uwsgi_has_the_role_after_it_has_expired_too(servers: Servers) -> None:
    port = free_port()

    def answer() -> object:
        return ask(f"http://127.0.0.1:{port}/")

    with servers.running([*RUN, *uwsgi(port)]):
        first = flat(each_process(answer, WORKERS))
        servers.travel(7200)
        last = flat(each_process(answer, WORKERS))
    assert {True} == {":assumed-role/etl/" in each["arn"] for each in (*first, *last)}
    assert {each["key"] for each in first}.isdisjoint(each["key"] for each in last)


KERNEL = """
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
client.execute_interactive(
    "import boto3; print(boto3.Session().get_credentials().method)",
    output_hook=lambda message: print(message["content"].get("text", ""), end=""),
    timeout=60,
)
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


def test_kernel_of_jupyter_has_the_role(servers: Servers) -> None:
    pytest.importorskip("ipykernel")
    with servers.running([*RUN, sys.executable, "-c", KERNEL]) as process:
        assert 0 == process.wait(PATIENCE_S)
        assert "google-web-identity\n" in (servers.folder / "log").read_text(encoding="utf-8")
