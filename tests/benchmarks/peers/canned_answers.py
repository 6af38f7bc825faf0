"""A server with a ready answer, which shows the cost of the load itself. Ends at SIGTERM."""

import json
import os
import signal
import socketserver
import sys
import threading

BODY = json.dumps(
    {
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "Token": "t" * 500,
        "Expiration": "2036-01-01T00:00:00Z",
    }
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while self.request.recv(65536):  # a request is one packet on loopback
            self.request.sendall(ANSWER)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with Server(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:{server.server_address[1]}/")
    print(f"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE={os.devnull}", flush=True)
    signal.pause()
