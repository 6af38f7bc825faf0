"""Faults that a service can be told to have, each a small frozen value.

    cloud.sts.inject(Fault.status(503), times=2)
    cloud.metadata.inject(Fault.html(), Fault.reset(), path="identity")

A fault either stands in for the right answer, edits it, or spoils its delivery. Faults that
stand in keep the headers that the service sends with every answer (`Metadata-Flavor`,
`x-amzn-RequestId`), except `html` and `redirect`: those come from something else that
listens there, such as a proxy's login page.
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
    """One way for an answer to go wrong. Make one with the constructors below.

    Attributes:
        label: Its name, for reprs.
        stand_in: Sent in place of the right answer.
        foreign: The stand-in does not carry the service's own headers.
        headers: Edits of the answer's headers; `None` removes one.
        date_skew_s: Seconds added to the `Date` header.
        wire: How the answer is delivered.
        seconds: The fault's duration: of the hang, of each step of a drip, of the delay.
        remaining_s: What a token from Google has left to live.
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
        """Answer 200 with another body; the content type is the right one unless given."""
        edits = () if content_type is None else (("Content-Type", content_type),)
        return Fault("body", Reply(200, _encoded(content)), headers=edits)

    @staticmethod
    def empty() -> Fault:
        """Answer 200 with no body."""
        return Fault("empty", Reply(200))

    @staticmethod
    def html(status: int = 200) -> Fault:
        """Answer with a login page, as a captive portal or a proxy does."""
        page = Reply(status, _LOGIN_PAGE, (("Content-Type", "text/html; charset=utf-8"),))
        return Fault("html", page, foreign=True)

    @staticmethod
    def redirect(to: str, status: int = 302) -> Fault:
        """Send the client elsewhere."""
        return Fault(f"redirect {status}", Reply(status, b"", (("Location", to),)), foreign=True)

    @staticmethod
    def oversized(size: int = 8 << 20) -> Fault:
        """Answer 200 with a body of `size` bytes, all of them the letter a."""
        return Fault(f"oversized {size}", Reply(200, b"a" * size))

    @staticmethod
    def aws_error(code: str, message: str = "", status: int = 400) -> Fault:
        """Refuse with an AWS error in the XML that STS uses. Only the STS service has it."""
        return Fault(f"aws_error {code}", error=(code, message, status))

    @staticmethod
    def content_type(value: str | None) -> Fault:
        """Give the right answer under another content type, or (for `None`) under none."""
        return Fault(f"content_type {value}", headers=(("Content-Type", value),))

    @staticmethod
    def flavor(value: str | None) -> Fault:
        """Give the right answer with another `Metadata-Flavor`, or (for `None`) without one."""
        return Fault(f"flavor {value}", headers=(("Metadata-Flavor", value),))

    @staticmethod
    def date(skew_s: float) -> Fault:
        """Give the right answer with a `Date` header that is off by so many seconds."""
        return Fault(f"date {skew_s:+g} s", date_skew_s=skew_s)

    @staticmethod
    def stale_token(remaining_s: float) -> Fault:
        """Give a token from the cache that lives only so long (below zero: it has expired).

        The metadata server has it, for `identity` and `token`: its cache stays as it is, so
        that asking again gets what would have been given without the fault. Google's STS and IAM
        Credentials have it, for every token that they give.
        """
        return Fault(f"stale_token {remaining_s:g} s", remaining_s=remaining_s)

    @staticmethod
    def reset() -> Fault:
        """Read the request, then reset the connection (TCP RST)."""
        return Fault("reset", wire="reset")

    @staticmethod
    def hang(seconds: float) -> Fault:
        """Read the request, say nothing for so long, then hang up."""
        return Fault(f"hang {seconds:g} s", wire="hang", seconds=seconds)

    @staticmethod
    def slow(seconds: float) -> Fault:
        """Give the right answer, so much later."""
        return Fault(f"slow {seconds:g} s", seconds=seconds)

    @staticmethod
    def drip(seconds: float) -> Fault:
        """Give the right answer byte by byte, with a pause of so many seconds after each."""
        return Fault(f"drip {seconds:g} s", wire="drip", seconds=seconds)

    @staticmethod
    def truncated() -> Fault:
        """Give the beginning of the right answer, then hang up; Content-Length promised more."""
        return Fault("truncated", wire="truncated")


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
