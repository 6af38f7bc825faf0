"""The ASGI application that answers the API server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, NamedTuple

from gcp_aws_bridge._traceback import without_frames
from gcp_aws_bridge.exceptions import ConfigError
from gcp_aws_bridge.inject import Injection, Settings, inject
from gcp_aws_bridge.server.asgi import Answer, Message, Receive, Send, send_answer
from gcp_aws_bridge.server.bodies import TooLarge, body_of
from gcp_aws_bridge.webhook import review as reviews
from gcp_aws_bridge.webhook.accounts import Accounts
from gcp_aws_bridge.webhook.review import Malformed, Review

PATH = "/mutate"
# As controller-runtime, pkg/webhook/admission/http.go: the API server accepts objects of 3 MiB.
_LARGEST_BODY = 7 * 1024 * 1024
# Most reviews are smaller. Objects of JSON may take 20 times the memory of their text.
_SMALL_BODY = 64 * 1024
_LONGEST_NAME = 253  # Kubernetes, "Object Names and IDs"
_log = logging.getLogger("gcp_aws_bridge.access")
_errors = logging.getLogger("gcp_aws_bridge")


class Outcome(NamedTuple):
    """Result of a request.

    Attributes:
        answer: The HTTP answer.
        name: `patched`, `unchanged`, `denied`, or `error`, after which the `failurePolicy` decides.
        review: The review, if the request contains one.
        error_id: Id of the error for which the pod is denied.
        warnings: Number of warnings in the answer.
    """

    answer: Answer
    name: str
    review: Review | None = None
    error_id: str = ""
    warnings: int = 0


class Webhook:
    """ASGI application. Answers with an error until `settings` are set.

    Args:
        accounts: Annotations of service accounts.
        answered: Called after each answer with the name of its outcome and its duration in seconds.
        monotonic: The clock, in seconds.

    Attributes:
        settings: Settings of the cluster, once they are known.
    """

    settings: Settings | None = None

    def __init__(
        self,
        accounts: Accounts,
        answered: Callable[[str, float], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._answered = answered
        self._monotonic = monotonic
        self._large = asyncio.Lock()

    def waiting_for(self) -> list[str]:
        """Return what the webhook needs before it can answer."""
        return ["the API server"] if self.settings is None else []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, and log one line."""
        started_s = self._monotonic()
        try:
            outcome = await self._outcome(scope, receive)
        except ConnectionError:  # the client has disconnected
            return
        except asyncio.CancelledError:  # the server is stopping
            outcome = _error(500, "this webhook is stopping")
        except Exception as error:  # noqa: BLE001 - its text may quote the pod
            failure = without_frames(error)
            notes = "".join(f"\n{note}" for note in getattr(failure, "__notes__", ()))
            _errors.error("The review failed: %s%s", type(failure).__name__, notes)
            outcome = _error(
                500, f"{type(failure).__name__}; see the log of gcp-aws-bridge webhook"
            )
        await send_answer(outcome.answer, send)
        seconds = self._monotonic() - started_s
        self._answered(outcome.name, seconds)
        if _log.isEnabledFor(logging.INFO):
            _log.info("%s", json.dumps(_line(scope, outcome, seconds)))

    async def _outcome(self, scope: Message, receive: Receive) -> Outcome:
        headers = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if scope["path"] != PATH:
            return _error(404, f"the webhook is at {PATH}")
        if scope["method"] != "POST":
            return _error(405, "POST is the only method", (b"allow", b"POST"))
        if media_type != b"application/json":
            return _error(415, "the content type is not application/json")
        async with self._turn(headers):
            return await self._answer(receive)

    def _turn(self, headers: Mapping[bytes, bytes]) -> AbstractAsyncContextManager[None]:
        """Return a lock for a large request, since memory is enough for one."""
        length = headers.get(b"content-length", b"")
        is_small = length.isdigit() and int(length[:9]) <= _SMALL_BODY
        return nullcontext() if is_small else self._large

    async def _answer(self, receive: Receive) -> Outcome:
        try:
            body = await body_of(receive, _LARGEST_BODY)
        except TooLarge:
            return _error(413, f"the body has more than {_LARGEST_BODY} bytes")
        if self.settings is None:
            return _error(500, "this webhook has not reached the API server yet; see its log")
        try:
            review = reviews.read(body)
        except Malformed as error:
            return _error(400, str(error))
        return await self._reviewed(review, self.settings)

    async def _reviewed(self, review: Review, settings: Settings) -> Outcome:
        if review.pod is None:
            return Outcome(Answer(200, reviews.allowed(review)), "unchanged", review)
        try:
            made = await self._injection(review, review.pod, settings)
        except ConfigError as error:
            body = reviews.denied(review, 503 if error.retryable else 403, str(error))
            return Outcome(Answer(200, body), "denied", review, error.error_id)
        body = reviews.allowed(review, made.patch, made.warnings)
        name = "patched" if made.patch else "unchanged"
        return Outcome(Answer(200, body), name, review, warnings=len(made.warnings))

    async def _injection(
        self, review: Review, pod: Mapping[str, Any], settings: Settings
    ) -> Injection:
        account = (review.namespace, review.account)
        annotations = await self._accounts.annotations(*account)
        try:
            return inject(pod, annotations, settings)
        except ConfigError:  # the annotation may just have been corrected
            annotations = await self._accounts.annotations(*account, latest=True)
            return inject(pod, annotations, settings)


def _error(status: int, text: str, *headers: tuple[bytes, bytes]) -> Outcome:
    """Return an HTTP error. For status 500, kubectl shows *text* after `failed calling webhook`."""
    headers = (*headers, (b"connection", b"close"))  # the rest of the body is not read
    return Outcome(Answer(status, text.encode(), "text/plain; charset=utf-8", headers), "error")


def _line(scope: Message, outcome: Outcome, seconds: float) -> dict[str, Any]:
    line: dict[str, Any] = {}
    if (review := outcome.review) is not None:
        line = {"namespace": _short(review.namespace)}
        if review.pod is not None:
            line |= {"pod": _short(review.name), "account": _short(review.account)}
    else:
        line = {"method": scope["method"], "path": _short(scope["path"])}
    line |= {"status": outcome.answer.status, "outcome": outcome.name}
    if outcome.error_id:
        line["error"] = outcome.error_id
    if review is not None and review.dry_run:
        line["dry_run"] = True
    return {**line, "warnings": outcome.warnings, "ms": round(seconds * 1000, 1)}


def _short(text: str) -> str:
    return text[:_LONGEST_NAME]  # JSON escapes what is not printable
