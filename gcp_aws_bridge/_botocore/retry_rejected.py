"""Retry after a service rejects credentials that are valid by the local clocks.

The role session may have been revoked, or this machine's clock may be wrong. The credentials are
replaced for all sessions that share them, and the request is sent once more.
"""

from __future__ import annotations

import inspect
import logging
import re
from typing import Any

from botocore.model import OperationModel
from botocore.session import Session

from gcp_aws_bridge._sts.botocore_internals import unwrapped
from gcp_aws_bridge.exceptions import ConfigError

_log = logging.getLogger("gcp_aws_bridge")

# IAM user guide and API reference, "Common errors": the key or its session token has expired or is
# not known. Errors about the signature, the time or permissions have other causes.
_REJECTED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidToken",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    }
)
# The error code in a body, in JSON or XML, and the sentence that API Gateway and OpenSearch send
# instead of a code.
_CODE_IN_BODY = r'"(?:__type|code|Code)"\s*:\s*"([^"]+)"|<Code>([^<]+)'
_IN_WORDS = r"security token included in the request is (?:expired|invalid)"
# Keys of a request's context, which botocore carries from its signing to its retries.
_SIGNED, _AGAIN = "gcp_aws_bridge.signed", "gcp_aws_bridge.again"
# AWS General Reference, "Signature Version 4": Authorization: … Credential=KEY/scope, …
_CREDENTIAL = r"Credential=([^/,\s]+)/"


def watch(session: Session) -> None:
    """Make new clients of *session* report rejected credentials."""
    # The signer handles the event of one service, which comes before the event of all services.
    session.register("request-created", _note_signature, unique_id="gcp-aws-bridge-signed")
    handler: Any = _check_answer  # `needs-retry` is the event whose handlers return a value
    session.register("needs-retry", handler, unique_id="gcp-aws-bridge-rejected")


def _note_signature(**event: Any) -> None:
    request = event["request"]
    signature = request.headers.get("Authorization")
    if signature is not None:
        request.context[_SIGNED] = signature


def _check_answer(**event: Any) -> int | None:
    """Return the seconds until botocore's next attempt, or None to let other handlers decide."""
    response, request_dict = event["response"], event["request_dict"]
    code = "" if response is None else response[1].get("Error", {}).get("Code")
    if code not in _REJECTED or code in _own_errors(event["operation"]):
        return None
    context = request_dict["context"]
    key = signing_key(context.get(_SIGNED, ""))
    if key is None:
        return None
    from gcp_aws_bridge._cache.sharing import registry

    if not registry.reject(key):
        return None
    if context.get(_AGAIN) or not _can_be_sent_again(request_dict.get("body")):
        return None
    context[_AGAIN] = True
    return 0


def is_rejection(error_type: str, body: str) -> bool:
    """Return whether an answer of an AWS service says that the access key is expired or unknown.

    Args:
        error_type: Header `x-amzn-ErrorType`.
        body: Body of the answer.
    """
    found = re.search(_CODE_IN_BODY, body)
    # The code may have a namespace in front of it, and a URL after it.
    words = re.findall(r"\w+", error_type or (found and (found[1] or found[2])) or "")
    return not _REJECTED.isdisjoint(words) or re.search(_IN_WORDS, body) is not None


def _own_errors(operation: OperationModel) -> set[str]:
    """Return codes that *operation* uses for its parameters, such as an expired task token."""
    shapes: list[Any] = operation.error_shapes
    modelled = {shape.error_code or shape.name for shape in shapes}
    return modelled - {"UnrecognizedClientException"}  # a model that lists it means the key


def signing_key(signature: str | bytes) -> str | None:
    """Return the id of the access key in an Authorization header, or None."""
    text = signature.decode("latin-1") if isinstance(signature, bytes) else signature
    found = re.search(_CREDENTIAL, text)
    return found[1] if found else None


def _can_be_sent_again(body: Any) -> bool:
    """Return whether botocore can rewind *body*. Otherwise a retry would hide the error."""
    try:
        stream = unwrapped(body)
    except ConfigError as error:
        # The caller gets the error of the service, which is more useful.
        _log.warning("a rejected request is not signed again: %s", error)
        return False
    if not hasattr(stream, "read"):
        return True
    if inspect.iscoroutinefunction(getattr(stream, "seek", None)):
        return False  # for example aiofiles: aiobotocore calls `seek` without awaiting it
    seekable = getattr(stream, "seekable", None)
    return bool(seekable()) if callable(seekable) else hasattr(stream, "seek")
