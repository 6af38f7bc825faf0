"""A service rejects credentials that are valid by the local clocks: replace them and retry once.

The role session may have been revoked, or the clock of this machine may be wrong. All sessions that
share the credentials get the new ones.
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
# not known. Errors about the signature, the time or the permissions are not the key's fault.
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
# Keys of a request's context, which botocore carries from its signing to its retries.
_SIGNED, _AGAIN = "gcp_aws_bridge.signed", "gcp_aws_bridge.again"
# AWS General Reference, "Signature Version 4": Authorization: … Credential=KEY/scope, …
_CREDENTIAL = r"Credential=([^/,\s]+)/"


def watch(session: Session) -> None:
    """Have clients that *session* makes from now on report rejected credentials."""
    # The signer listens to the service's own event, which comes before one for all services.
    session.register("request-created", _note_signature, unique_id="gcp-aws-bridge-signed")
    look: Any = _look_at_answer  # the one event whose listeners answer
    session.register("needs-retry", look, unique_id="gcp-aws-bridge-rejected")


def _note_signature(**event: Any) -> None:
    request = event["request"]
    signature = request.headers.get("Authorization")
    if signature is not None:
        request.context[_SIGNED] = signature


def _look_at_answer(**event: Any) -> int | None:
    """Return the seconds until botocore's next attempt, or None to leave the decision to others."""
    response, request_dict = event["response"], event["request_dict"]
    code = "" if response is None else response[1].get("Error", {}).get("Code")
    if code not in _REJECTED or code in _own_errors(event["operation"]):
        return None
    context = request_dict["context"]
    key = _signing_key(context.get(_SIGNED, ""))
    if key is None:
        return None
    from gcp_aws_bridge._cache.sharing import registry

    if not registry.reject(key):
        return None
    if context.get(_AGAIN) or not _can_be_sent_again(request_dict.get("body")):
        return None
    context[_AGAIN] = True
    return 0


def _own_errors(operation: OperationModel) -> set[str]:
    """Return codes that *operation* uses for its arguments, such as an expired task token."""
    shapes: list[Any] = operation.error_shapes
    modelled = {shape.error_code or shape.name for shape in shapes}
    return modelled - {"UnrecognizedClientException"}  # a model that lists it means the key


def _signing_key(signature: str | bytes) -> str | None:
    text = signature.decode("latin-1") if isinstance(signature, bytes) else signature
    found = re.search(_CREDENTIAL, text)
    return found[1] if found else None


def _can_be_sent_again(body: Any) -> bool:
    """Return whether botocore can rewind *body*; retrying another one would hide the error."""
    try:
        stream = unwrapped(body)
    except ConfigError as error:
        # The caller gets the service's error, which is more useful than this one.
        _log.warning("a rejected request is not signed again: %s", error)
        return False
    if not hasattr(stream, "read"):
        return True
    if inspect.iscoroutinefunction(getattr(stream, "seek", None)):
        return False  # aiofiles and similar: aiobotocore calls it without awaiting it
    seekable = getattr(stream, "seekable", None)
    return bool(seekable()) if callable(seekable) else hasattr(stream, "seek")
