"""AWS Signature Version 4 of one HTTP request, with botocore's signers.

botocore signs URLs that its own serializer has encoded. HTTP clients encode less: they send a `+`
or `:` in a query as it is, while AWS signs its encoded form. So `encoded_target` first rewrites
the URL in the encoding that AWS signs.

"Create a signed AWS API request" (IAM user guide) defines the canonical request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from gcp_aws_bridge._sts.credentials import AwsCredentials
from gcp_aws_bridge._tokens.wire_logs import wire_logs_silenced
from gcp_aws_bridge._traceback import without_inner_frames
from gcp_aws_bridge.exceptions import ConfigError, quoted

# "Each path segment must be URI-encoded twice (except for Amazon S3 which only gets URI-encoded
# once)." These are the signing names in botocore's endpoint rules with that exception.
_S3 = ("s3", "s3-object-lambda", "s3-outposts")
# "Payload signing isn't supported" (VPC Lattice user guide, "SIGv4 authenticated requests").
_NEVER_HASHED = ("vpc-lattice-svcs",)
_UNSIGNED = "UNSIGNED-PAYLOAD"
_HASH = "X-Amz-Content-SHA256"
# The headers of a signature. A request that has them is signed again.
SIGNATURE_HEADERS = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token", _HASH)
# "You must include the host header … and any x-amz-* headers"; the other two describe the body.
# Proxies may change all other headers, and AWS's load balancers change the tracing header.
_SIGNED = re.compile(r"(?!x-amzn-trace-id$)x-amz.*|content-type|content-md5", re.I)
_UNRESERVED = "-_.~"
_CHUNK = 1 << 20


class Scope(NamedTuple):
    """Service and region that a signature is valid for."""

    service: str
    region: str

    @classmethod
    def of(cls, service: str, region: str) -> Scope:
        """Check the names of a service and a region.

        Raises:
            ConfigError: One is malformed, or there are several regions.
        """
        for name, value in (("service", service), ("region", region)):
            if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", value):
                raise ConfigError(
                    f"{name} is {quoted(value)}; it is one name in lower case. Signatures for "
                    "several regions (SigV4a) are not supported.",
                    fix='bridge.signer(…, service="execute-api", region="eu-west-1", …): both as '
                    "in the signature, not in the host name.",
                    error_id="config/signer-scope",
                )
        return cls(service, region)

    @property
    def is_s3(self) -> bool:
        """Whether paths are encoded once, and bodies may stay unsigned over HTTPS."""
        return self.service in _S3


class Unsigned(NamedTuple):
    """The parts of a request that its signature covers.

    Attributes:
        url: Scheme and authority.
        target: Path and query in the form in which they are sent.
        headers: Result of `headers_to_sign`.
        body: Bytes or a seekable file. None: a stream that can be read only once.
    """

    method: str
    url: str
    target: str
    headers: list[tuple[str, str]]
    body: Any


def encoded_target(target: str, scope: Scope) -> str:
    """Return path and query in the encoding that AWS signs, with the same decoded values.

    Services differ in how they read other encodings: whether `+` in a query is a space, and whether
    `%2a` equals `%2A`.
    """
    path, mark, query = target.partition("?")
    path = re.sub("%[0-9a-fA-F]{2}", _encoded_octet, path) or "/"
    if scope.is_s3:
        path = quote(path, safe="/%" + _UNRESERVED)
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    encoded = (f"{_encoded(name)}{equals}{_encoded(value)}" for name, equals, value in pairs)
    return path + mark + "&".join(encoded)


def _encoded_octet(escape: re.Match[str]) -> str:
    character = chr(int(escape[0][1:], 16))
    # Not dots: `/%2E%2E/` would become a relative path.
    is_plain = character.isascii() and (character.isalnum() or character in "-_~")
    return character if is_plain else escape[0].upper()


def _encoded(part: str) -> str:
    return quote(unquote_to_bytes(part.replace("+", " ")), safe=_UNRESERVED)


def headers_to_sign(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers that a signature covers, and the given hash of the body.

    No others: a request that is signed again has the session token of its former signature, and
    crash reporters show local variables.

    Raises:
        ConfigError: One is not ASCII.
    """
    former = {name.lower() for name in SIGNATURE_HEADERS if name != _HASH}
    found = []
    for name, value in headers:
        if name.lower() == "host" or (_SIGNED.fullmatch(name) and name.lower() not in former):
            if not value.isascii():
                raise ConfigError(
                    f"The header {quoted(name)} is not ASCII, so clients encode it differently.",
                    fix="encode its value, for example with urllib.parse.quote.",
                    error_id="config/signed-header",
                )
            found.append((name, value))
    return found


@without_inner_frames
def sign(request: Unsigned, scope: Scope, credentials: AwsCredentials) -> dict[str, str]:
    """Return the headers of the signature.

    Raises:
        ConfigError: The body cannot be hashed.
    """
    path, mark, query = request.target.partition("?")
    signer = SigV4Auth
    if scope.is_s3:
        signer = S3SigV4Auth
        path = quote(unquote_to_bytes(path), safe="/" + _UNRESERVED)
    made = AWSRequest(request.method, f"{request.url}{path}{mark}{query}", data=request.body or b"")
    for name, value in request.headers:
        if name.lower() != _HASH.lower():
            made.headers[name] = value
    _set_hash(made, request, scope)
    keys = Credentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token
    )
    with wire_logs_silenced():
        signer(keys, scope.service, scope.region).add_auth(made)
    return {name: made.headers[name] for name in SIGNATURE_HEADERS}


def _set_hash(made: AWSRequest, request: Unsigned, scope: Scope) -> None:
    """Set the header with the hash of the body, which OpenSearch Serverless and others require."""
    given = dict((name.lower(), value) for name, value in request.headers).get(_HASH.lower(), "")
    is_https = request.url.startswith("https:")
    if scope.is_s3:
        if request.body is None:
            _require(is_https, request)
            made.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    elif scope.service in _NEVER_HASHED:
        made.headers[_HASH] = _UNSIGNED
    elif request.body is None:
        _require(re.fullmatch("[0-9a-f]{64}", given) is not None, request)
        made.headers[_HASH] = given
    else:
        made.headers[_HASH] = _hash_of(request.body)


def _require(can_be_signed: bool, request: Unsigned) -> None:
    if not can_be_signed:
        raise ConfigError(
            f"The body of a {request.method} request is a stream, which cannot be read twice: once "
            "to hash it for the signature, once to send it.",
            fix="pass bytes, or read the request before it is sent (httpx: request.read()), or set "
            "the header X-Amz-Content-SHA256 to the SHA-256 of the body in hexadecimal.",
            error_id="config/signed-body",
        )


def _hash_of(body: Any) -> str:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    position, digest = body.tell(), hashlib.sha256()
    while chunk := body.read(_CHUNK):
        digest.update(chunk)
    body.seek(position)
    return digest.hexdigest()
