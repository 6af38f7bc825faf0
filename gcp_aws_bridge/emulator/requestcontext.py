"""The request context: values of the condition keys of requests to AWS.

Written from the IAM user guide, "AWS global condition context keys" and "IAM and AWS STS condition
context keys". The "Availability" of a key there defines which requests have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from .accounts import Key
from .clock import iso
from .conditions import Context
from .requestlog import Recorded

__all__ = ["DEFAULT_REGION", "of_caller", "of_request", "of_service", "of_tags"]

DEFAULT_REGION = "us-east-1"
"""The region of requests without a regional host name or signature."""

_HOST = re.compile(r"sts\.([a-z]{2,}(?:-[a-z]+)+-\d)\.")


def of_request(request: Recorded, now: datetime, region: str | None) -> Context:
    """Return the keys that all requests have.

    Args:
        request: The request.
        now: The current time.
        region: Region in the signature; `None`: the request is not signed.
    """
    host = _HOST.match(request.headers.get("Host", ""))
    context = {
        **_of_time(now),
        "aws:requestedregion": (region or (host[1] if host else DEFAULT_REGION),),
        # The emulator uses plain HTTP on loopback; the endpoints of AWS use TLS.
        "aws:securetransport": ("true",),
        "aws:sourceip": (request.peer,),
        "aws:viaawsservice": ("false",),
        "aws:principalisawsservice": ("false",),
    }
    for key, header in (("aws:useragent", "User-Agent"), ("aws:referer", "Referer")):
        if (value := request.headers.get(header)) is not None:
            context[key] = (value,)
    return context


def of_caller(key: Key) -> Context:
    """Return the keys that identify the sender of a signed request."""
    caller = key.caller
    session = caller.session
    context = {
        "aws:principalaccount": (caller.account,),
        "aws:principalarn": (caller.role_arn or caller.arn,),
        "aws:principaltype": (caller.kind,),
        "aws:userid": (caller.user_id,),
        **{f"aws:principaltag/{name}".lower(): (text,) for name, text in session.tags.items()},
    }
    if caller.kind == "User":
        context["aws:username"] = (caller.arn.rpartition("/")[2],)
    if key.issued is not None:  # temporary credentials; no emulated user has an MFA device
        context["aws:tokenissuetime"] = (iso(key.issued),)
        context["aws:multifactorauthpresent"] = ("false",)
    if session.source_identity is not None:
        context["aws:sourceidentity"] = (session.source_identity,)
    if session.provider is not None:
        context["aws:federatedprovider"] = (session.provider,)
    return context


def of_service(service: str, account: str, now: datetime) -> Context:
    """Return the keys of a request by an AWS service for a resource in an account."""
    return {
        **_of_time(now),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (service,),
        "aws:securetransport": ("true",),
        "aws:sourceaccount": (account,),
        "aws:viaawsservice": ("false",),
    }


def of_tags(tags: Mapping[str, str]) -> Context:
    """Return the keys for the tags in a request."""
    if not tags:
        return {}
    values = {f"aws:requesttag/{name}".lower(): (value,) for name, value in tags.items()}
    return {**values, "aws:tagkeys": tuple(tags)}


def _of_time(now: datetime) -> dict[str, tuple[str, ...]]:
    return {"aws:currenttime": (iso(now),), "aws:epochtime": (str(int(now.timestamp())),)}
