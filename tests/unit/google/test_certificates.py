"""Certificates are read once a process for exchanges with Google, and again when they change."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

requests = pytest.importorskip("requests")
from gcp_aws_bridge.google import _certificates  # noqa: E402
from gcp_aws_bridge.google._transport import Transport  # noqa: E402


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What was read, from a process that has read nothing."""
    found: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *given: object, **named: object) -> None:
        found.append((*given, *named.values()))
        load(context, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    _certificates._contexts.get().clear()
    yield found
    _certificates._contexts.get().clear()


def bundle(path: Path) -> Path:
    path.write_bytes(Path(_certificates.DEFAULT_CA_BUNDLE_PATH).read_bytes())
    return path


def test_transports_of_a_process_share_one_context(read: list[object]) -> None:
    for _ in range(5):
        with Transport():
            pass
    assert 1 == len(read)


def test_another_bundle_is_read(
    read: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Transport():
        pass
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle(tmp_path / "a.pem")))
    for _ in range(2):
        with Transport():
            pass
    assert 2 == len(read)
    with (tmp_path / "a.pem").open("a") as file:
        file.write("\n")
    with Transport():
        pass
    assert 3 == len(read)


def test_a_connection_reads_none_again(read: list[object]) -> None:
    adapter = _certificates.adapter()
    assert adapter is not None
    pool = adapter.get_connection_with_tls_context(
        requests.Request("GET", "https://127.0.0.1:1/").prepare(), verify=True
    )
    adapter.cert_verify(pool, "https://127.0.0.1:1/", verify=True, cert=None)
    assert (None, None) == (pool.ca_certs, pool.ca_cert_dir)
    assert "CERT_REQUIRED" == pool.cert_reqs
    assert adapter._context.check_hostname
    assert ssl.CERT_REQUIRED is adapter._context.verify_mode


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_bundle_that_is_none_is_left_to_requests(
    read: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "a.pem").write_text(text)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "a.pem"))
    assert _certificates.adapter() is None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert _certificates.adapter() is None
