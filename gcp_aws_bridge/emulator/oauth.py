"""Base class of Google's two OAuth 2.0 token endpoints."""

from __future__ import annotations

from typing import Any

from .faults import Fault
from .requestlog import Recorded
from .server import Reply
from .service import Service

__all__ = ["OAuthError", "OAuthService"]


class OAuthError(Exception):
    """An OAuth 2.0 error: code and description (RFC 6749, section 5.2)."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status


class OAuthService(Service):
    """A token endpoint on one port. A subclass implements `exchange`."""

    path = ""
    default_headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", "application/json; charset=UTF-8"),
    )

    def has(self, fault: Fault) -> bool:
        return fault.error is None

    def exchange(self, request: Recorded, remaining_s: float | None) -> dict[str, Any]:
        """Return the answer to a valid request.

        Args:
            request: The request.
            remaining_s: Lifetime of the token, set by a fault.

        Raises:
            OAuthError: The request is invalid.
        """
        raise NotImplementedError

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        if request.path != self.path or request.method != "POST":
            return Reply(404, b"", (("Content-Type", "text/html; charset=UTF-8"),))
        try:
            return Reply.json(self.exchange(request, fault.remaining_s if fault else None))
        except OAuthError as error:
            body = {"error": error.code, "error_description": error.description}
            return Reply.json(body, error.status)
