"""TLS to STS without botocore and urllib3, with their parameters and their trusted certificates.

The context is that of botocore's `create_urllib3_context` with urllib3 2; OpenSSL compares the name
in the certificate, where urllib3 does so itself. (With urllib3 1.26, botocore also selects ciphers;
here they are Python's.)
"""

from __future__ import annotations

import importlib.util
import os
import ssl


def context(trusted: str | None) -> ssl.SSLContext:
    """Return a context that trusts the certificates in a file.

    Args:
        trusted: The file. None: botocore's default.

    Raises:
        OSError: The file cannot be read, or has no certificates.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificates and names
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET  # Python has set OP_NO_SSLv3
    made.post_handshake_auth = True
    made.set_alpn_protocols(["http/1.1"])
    made.load_verify_locations(trusted or default_bundle())
    return made


def default_bundle() -> str:
    """Return the file that `botocore.httpsession.get_cert_path` returns, without importing it.

    It is the file of certifi, if that is installed, and otherwise botocore's own.
    """
    folder = _folder("certifi")
    if not folder:
        return os.path.join(_folder("botocore"), "cacert.pem")
    path = os.path.join(folder, "cacert.pem")
    return path if os.path.isfile(path) and _is_original(folder) else _as_certifi_says()


def _folder(package: str) -> str:
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    return next(iter(places), "") if places else ""


def _is_original(certifi: str) -> bool:
    """Return whether certifi uses its own file; Linux distributions replace it by the system's."""
    try:
        with open(os.path.join(certifi, "core.py"), encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return False
    return 'files("certifi").joinpath("cacert.pem")' in text and "/etc/" not in text


def _as_certifi_says() -> str:
    import certifi

    return str(certifi.where())
