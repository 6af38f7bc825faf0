"""TLS certificate of the webhook, which is reloaded while the webhook serves."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Iterable
from datetime import datetime

from cryptography import x509

from gcp_aws_bridge._cache.clock import Clock, utc_now
from gcp_aws_bridge.exceptions import ConfigError, quoted

_log = logging.getLogger("gcp_aws_bridge")


class Certificate:
    """Certificate and private key, which are reloaded when their files change.

    Kubernetes replaces both files of a secret at once, by a symbolic link. Other tools write one
    file after the other, so that for some time the key does not match the certificate.

    Args:
        certificate_file: PEM file with the certificate, followed by its issuers.
        key_file: PEM file with the private key.
        clock: Clock that decides whether to log the certificate as expired.

    Attributes:
        tls: Context for the server. New connections use the current certificate.
        expires: Expiration of the current certificate (aware, UTC).

    Raises:
        ConfigError: A file cannot be read, or the files do not contain a certificate and its key.
    """

    expires: datetime

    def __init__(self, certificate_file: str, key_file: str, clock: Clock = utc_now) -> None:
        self._files = (certificate_file, key_file)
        self._clock = clock
        self._problem = ""
        self._stamp = _stamp(self._files)
        self._current = self._loaded()
        self.tls: ssl.SSLContext = _context()
        self.tls.sni_callback = self._select

    def reload_if_changed(self) -> None:
        """Load the files if they have changed. On an error, log once, and keep the certificate."""
        stamp = _stamp(self._files)
        if stamp == self._stamp and not self._problem:
            return
        self._stamp = stamp
        try:
            self._current = self._loaded()
            self._problem = ""
        except ConfigError as error:
            if self._problem != str(error):
                _log.error(
                    "Keeping the current certificate, which is valid until %s: %s",
                    self.expires,
                    error,
                )
            self._problem = str(error)

    def _select(self, connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        # OpenSSL calls this for each handshake, also without a server name.
        connection.context = self._current

    def _loaded(self) -> ssl.SSLContext:
        certificate_file, key_file = self._files
        for path in self._files:
            _check_readable(path)
        context = _context()
        try:
            context.load_cert_chain(certificate_file, key_file, password=_no_password)
            with open(certificate_file, "rb") as file:
                self.expires = expiration(file.read())
        except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            names = " and ".join(map(quoted, self._files))
            raise _unusable(f"{names} are not a certificate and its key ({reason})") from None
        level = logging.INFO if self.expires > self._clock() else logging.ERROR
        _log.log(level, "Certificate loaded; it is valid until %s", self.expires)
        return context


def expiration(pem: bytes) -> datetime:
    """Return the expiration of the first certificate in *pem* (aware, UTC).

    Raises:
        ValueError: There is no certificate.
    """
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without session resumption, each new connection uses the current certificate.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def _stamp(paths: Iterable[str]) -> list[tuple[int, ...]]:
    """Return the attributes of each file that change when it is written or replaced."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # missing
            found.append(os.stat(path))
    return [(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found]


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb"):  # OpenSSL's errors do not name the file
            pass
    except OSError as error:
        raise _unusable(f"{quoted(path)}: {error.strerror}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL asks for it on the terminal


def _unusable(why: str) -> ConfigError:
    return ConfigError(
        f"The webhook's certificate cannot be used: {why}.",
        fix="pass the paths of tls.crt and tls.key of a mounted secret of type kubernetes.io/tls, "
        "readable by this user, as --tls-cert-file and --tls-key-file.",
        error_id="config/webhook-certificate",
    )
