"""TLS in front of a server of plain HTTP on loopback, with an authority of its own."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def tls_front(port: int, folder: str) -> dict[str, str]:
    """Start the server in a thread, and return the variables for clients of STS.

    Args:
        port: Port of the server behind it.
        folder: For the certificate.
    """
    file = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, context, port), daemon=True).start()
    address = f"https://localhost:{listener.getsockname()[1]}"
    return {"AWS_ENDPOINT_URL_STS": address, "AWS_CA_BUNDLE": file}


def _accept(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_serve, args=(client, context, port), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, port: int) -> None:
    try:
        with (
            context.wrap_socket(client, server_side=True) as front,
            socket.create_connection(("127.0.0.1", port)) as back,
        ):
            threading.Thread(target=_copy, args=(back, front), daemon=True).start()
            _copy(front, back)
    except OSError:
        pass  # the client has closed the connection


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass


def _certificate(folder: str) -> str:
    """Write a certificate for localhost, which is its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = os.path.join(folder, "localhost.pem")
    form = serialization.Encoding.PEM
    private = key.private_bytes(
        form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(private + made.public_bytes(form))
    return file
