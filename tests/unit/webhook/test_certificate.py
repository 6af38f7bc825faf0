"""`Certificate`: which certificate new connections get while its files change."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from fakes import START
from unit.servers import failure
from webhooks import TlsFiles, der

from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.webhook.certificate import Certificate, expiration


def loaded(secret: TlsFiles) -> Certificate:
    return Certificate(str(secret.certificate), str(secret.key), lambda: START)


def served(certificate: Certificate, authority: trustme.CA, **options: object) -> bytes:
    """Return the certificate of a handshake in memory, which the client verifies."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    for name, value in options.items():
        setattr(trusting, name, value)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = certificate.tls.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server) * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_new_connections_get_the_certificate_that_replaced_the_first(secret: TlsFiles) -> None:
    certificate = loaded(secret)
    before = served(certificate, secret.authority)
    leaf = secret.issue()
    secret.write(leaf)
    assert before == served(certificate, secret.authority)
    certificate.reload_if_changed()
    assert before != der(leaf) == served(certificate, secret.authority)


def test_secret_volume_that_exchanges_a_link_is_reloaded(secret: TlsFiles, tmp_path: Path) -> None:
    """Kubernetes writes a new folder and renames a link to it (AtomicWriter)."""

    def publish(name: str, leaf: trustme.LeafCert) -> None:
        (tmp_path / name).mkdir()
        TlsFiles(tmp_path / name, secret.authority).write(leaf)
        os.symlink(name, tmp_path / "..tmp")
        os.rename(tmp_path / "..tmp", tmp_path / "..data")

    publish("..1", secret.issue())
    for path in (secret.certificate, secret.key):
        path.unlink()
        path.symlink_to(Path("..data") / path.name)
    certificate = loaded(secret)
    leaf = secret.issue()
    publish("..2", leaf)
    certificate.reload_if_changed()
    assert der(leaf) == served(certificate, secret.authority)


@pytest.mark.parametrize("problem", ["half", "cut", "missing", "unrelated", "folder"])
def test_unusable_files_keep_the_certificate_and_are_logged_once(
    secret: TlsFiles, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = loaded(secret)
    before = served(certificate, secret.authority)
    leaf, text = secret.issue(), secret.certificate.read_bytes()
    if problem == "half":  # the certificate is new, its key is not written yet
        secret.certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
    elif problem == "cut":
        secret.certificate.write_bytes(text[:200])
    elif problem == "unrelated":
        secret.key.write_text("no key")
    else:
        secret.key.unlink()
        if problem == "folder":
            secret.key.mkdir()
    caplog.set_level(logging.INFO, "gcp_aws_bridge")
    for _ in range(5):
        certificate.reload_if_changed()
    assert before == served(certificate, secret.authority)
    [line] = [one.getMessage() for one in caplog.records]
    assert line.startswith("Keeping the current certificate, which is valid until ")
    assert "[config/webhook-certificate]" in line
    if problem == "folder":
        secret.key.rmdir()
    secret.write(leaf)
    certificate.reload_if_changed()
    assert der(leaf) == served(certificate, secret.authority)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files")
def test_unreadable_key_says_why(secret: TlsFiles) -> None:
    secret.key.chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        loaded(secret)


def test_file_that_is_removed_while_it_is_looked_at_keeps_the_certificate(
    secret: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = loaded(secret)
    before = served(certificate, secret.authority)
    secret.key.unlink()
    monkeypatch.setattr(os.path, "exists", lambda path: True)  # it was there before
    certificate.reload_if_changed()
    assert before == served(certificate, secret.authority)


def test_missing_file_is_named(secret: TlsFiles) -> None:
    secret.certificate.unlink()
    seen = [str(secret.certificate), "No such file or directory"]
    failure(ConfigError, "config/webhook-certificate", lambda: loaded(secret), seen=seen)


def test_encrypted_key_is_an_error_instead_of_a_prompt(secret: TlsFiles) -> None:
    key = serialization.load_pem_private_key(secret.key.read_bytes(), None)
    secret.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    seen = ["the key is encrypted"]
    failure(ConfigError, "config/webhook-certificate", lambda: loaded(secret), seen=seen)


def test_tls_1_1_is_not_accepted(secret: TlsFiles) -> None:
    certificate = loaded(secret)
    assert ssl.TLSVersion.TLSv1_2 == certificate.tls.minimum_version
    served(certificate, secret.authority, maximum_version=ssl.TLSVersion.TLSv1_2)


def test_expiration_is_read_from_the_first_certificate(authority: trustme.CA) -> None:
    after = datetime(2050, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
    chain = authority.issue_cert("a", not_after=after).cert_chain_pems
    pem = b"".join(one.bytes() for one in (*chain, authority.cert_pem))
    assert after == expiration(b"subject=a\n" + pem)


def test_expired_certificate_is_logged_as_an_error(
    secret: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    ended = START - timedelta(days=1)
    secret.write(
        secret.authority.issue_cert(
            "127.0.0.1", not_after=ended, not_before=ended - timedelta(days=90)
        )
    )
    assert ended == loaded(secret).expires
    [record] = caplog.records
    assert (logging.ERROR, True) == (record.levelno, str(ended) in record.getMessage())
