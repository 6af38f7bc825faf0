"""moto's S3, which accepts only requests signed with a key that the emulated STS has issued.

moto verifies signatures and session tokens with botocore's code, if that is switched on; it gets
the issued keys before each request.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import make_server

from gcp_aws_bridge.emulator import Emulator, Key

ACCOUNT = "123456789012"
_SIGNER = re.compile(r"AWS4-HMAC-SHA256 Credential=(\w+)/")


class S3:
    """The server, with the object `word` in the bucket `bucket`.

    Attributes:
        keys: The keys of STS whose requests were accepted, in order.
        owner: A client with a key that STS does not know.
    """

    def __init__(self, cloud: Emulator) -> None:
        self.keys: list[str] = []
        self._cloud = cloud
        self._signers: set[str] = set()
        self._lock = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        self._configure_moto("reset")  # moto's state is shared by the process
        self.owner = self._fill()
        self._configure_moto(
            "reset-auth", b"0"
        )  # from now on, requests must be signed by a known key

    def stop(self) -> None:
        self._configure_moto("reset-auth", b"inf")
        self._configure_moto("reset")
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def client(self, key: str, secret: str, token: str | None = None, *, of: str = "s3") -> Any:
        """Return a client of this server with these credentials."""
        return boto3.client(
            of,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        signer = _SIGNER.match(environ.get("HTTP_AUTHORIZATION", ""))
        if not signer:
            return self._moto(environ, start_response)
        with self._lock:  # otherwise a thread could drop the key that another one has added
            self._signers.add(signer[1])
            known = [self._cloud.key(each) for each in self._signers]
            now = self._cloud.clock()
            # A new list each time, since another thread may be reading the old one.
            sts_backends[ACCOUNT]["aws"].assumed_roles = [
                _as_moto_key(key)
                for key in known
                if key and key.expiration and now < key.expiration
            ]

        def start(status: str, *rest: Any) -> Any:
            if self._cloud.key(signer[1]) and not status.startswith(("400", "403")):
                self.keys.append(signer[1])
            return start_response(status, *rest)

        return self._moto(environ, start)

    def _fill(self) -> Any:
        """Create users, buckets and objects without authorization; return the owner's client."""
        iam = self.client("anybody", "anybody", of="iam")
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName="etl", AssumeRolePolicyDocument="{}")
        iam.put_role_policy(RoleName="etl", PolicyName="all", PolicyDocument=policy)
        iam.create_user(UserName="owner")
        iam.put_user_policy(UserName="owner", PolicyName="all", PolicyDocument=policy)
        key = iam.create_access_key(UserName="owner")["AccessKey"]
        owner = self.client(key["AccessKeyId"], key["SecretAccessKey"])
        for bucket in ("bucket", "tables"):
            owner.create_bucket(Bucket=bucket)
        owner.put_object(Bucket="bucket", Key="word", Body=b"hello")
        return owner

    def _configure_moto(self, what: str, body: bytes = b"") -> None:
        url, headers = f"{self.url}/moto-api/{what}", {"Content-Type": "text/plain"}
        urlopen(Request(url, body, headers, method="POST"), timeout=30).close()


def _as_moto_key(key: Key) -> SimpleNamespace:
    return SimpleNamespace(
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
        session_token=key.session_token,
        role_arn=key.caller.role_arn,
        session_name=key.caller.arn.rpartition("/")[2],
    )
