"""Faults that can be injected into a service.

    cloud.sts.inject(Fault.status(503), times=2)
    cloud.metadata.inject(Fault.html(), Fault.reset(), path="identity")

A fault replaces the correct answer, changes it, or disturbs its delivery. Replaced answers have the
default headers of the service (`Metadata-Flavor`, `x-amzn-RequestId`), except `html` and
`redirect`, which simulate answers of another server, such as the login page of a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .server import Reply, Wire

__all__ = ["Fault"]

_LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>"
    b"<body><h1>Sign in to the network</h1></body></html>\n"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. Create one with the methods below.

    Attributes:
        label: Name of the fault, for reprs.
        stand_in: Answer that replaces the correct answer.
        foreign: Whether the replacement lacks the default headers of the service.
        headers: Headers to replace; `None` removes a header.
        date_skew_s: Seconds added to the `Date` header.
        wire: How the answer is delivered.
        seconds: Seconds of the hang, of each pause of a drip, or of the delay.
        remaining_s: Remaining lifetime of a token from Google, in seconds.
        error: Code, message and HTTP status of an AWS error.
    """

    label: str
    stand_in: Reply | None = None
    foreign: bool = False
    headers: tuple[tuple[str, str | None], ...] = ()
    date_skew_s: float = 0.0
    wire: Wire = "whole"
    seconds: float = 0.0
    remaining_s: float | None = None
    error: tuple[str, str, int] | None = None

    def __repr__(self) -> str:
        return f"<Fault {self.label}>"

    @staticmethod
    def status(
        code: int,
        body: bytes | str = b"",
        content_type: str = "text/plain; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer with this HTTP status, body and headers."""
        named = (("Content-Type", content_type), *(headers or {}).items())
        return Fault(f"status {code}", Reply(code, _encoded(body), named))

    @staticmethod
    def body(content: bytes | str, content_type: str | None = None) -> Fault:
        """Answer 200 with another body and, if set, another content type."""
        edits = () if content_type is None else (("Content-Type", content_type),)
        return Fault("body", Reply(200, _encoded(content)), headers=edits)

    @staticmethod
    def empty() -> Fault:
        """Answer 200 without a body."""
        return Fault("empty", Reply(200))

    @staticmethod
    def html(status: int = 200) -> Fault:
        """Answer with a login page, as a captive portal or a proxy does."""
        page = Reply(status, _LOGIN_PAGE, (("Content-Type", "text/html; charset=utf-8"),))
        return Fault("html", page, foreign=True)

    @staticmethod
    def redirect(to: str, status: int = 302) -> Fault:
        """Answer with a redirect."""
        return Fault(f"redirect {status}", Reply(status, b"", (("Location", to),)), foreign=True)

    @staticmethod
    def oversized(size: int = 8 << 20) -> Fault:
        """Answer 200 with a body of `size` bytes, all the letter a."""
        return Fault(f"oversized {size}", Reply(200, b"a" * size))

    @staticmethod
    def aws_error(code: str, message: str = "", status: int = 400) -> Fault:
        """Answer with an AWS error in the XML of STS. Only STS supports this fault."""
        return Fault(f"aws_error {code}", error=(code, message, status))

    @staticmethod
    def content_type(value: str | None) -> Fault:
        """Answer correctly with another content type, or (for `None`) without one."""
        return Fault(f"content_type {value}", headers=(("Content-Type", value),))

    @staticmethod
    def flavor(value: str | None) -> Fault:
        """Answer correctly with another `Metadata-Flavor`, or (for `None`) without one."""
        return Fault(f"flavor {value}", headers=(("Metadata-Flavor", value),))

    @staticmethod
    def date(skew_s: float) -> Fault:
        """Answer correctly with a `Date` header that is wrong by `skew_s` seconds."""
        return Fault(f"date {skew_s:+g} s", date_skew_s=skew_s)

    @staticmethod
    def stale_token(remaining_s: float) -> Fault:
        """Answer with a token that expires in `remaining_s` seconds (negative: has expired).

        The metadata server supports this fault for `identity` and `token`. Its cache does not
        change, so the next request gets the normal answer. Google's STS and IAM Credentials support
        it for all tokens.
        """
        return Fault(f"stale_token {remaining_s:g} s", remaining_s=remaining_s)

    @staticmethod
    def reset() -> Fault:
        """Read the request, then reset the connection (TCP RST)."""
        return Fault("reset", wire="reset")

    @staticmethod
    def hang(seconds: float) -> Fault:
        """Read the request, wait for `seconds` without an answer, then close the connection."""
        return Fault(f"hang {seconds:g} s", wire="hang", seconds=seconds)

    @staticmethod
    def slow(seconds: float) -> Fault:
        """Answer correctly after a delay of `seconds`."""
        return Fault(f"slow {seconds:g} s", seconds=seconds)

    @staticmethod
    def drip(seconds: float) -> Fault:
        """Answer correctly, byte by byte, with a pause of `seconds` after each byte."""
        return Fault(f"drip {seconds:g} s", wire="drip", seconds=seconds)

    @staticmethod
    def truncated() -> Fault:
        """Close the connection after the beginning of the answer, before its Content-Length."""
        return Fault("truncated", wire="truncated")


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
