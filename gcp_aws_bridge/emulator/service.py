"""What both emulated clouds have in common: a port, a log of requests, faults, latency, outages.

A service answers in `respond()`, which its subclass writes; everything here happens around it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from .clock import Clock
from .faults import Fault
from .requestlog import Recorded, RequestLog
from .server import LOOPBACK, Arrival, Listener, Outcome, Reply, reserve

__all__ = ["Service"]


@dataclass(slots=True)
class _Injected:
    """A fault in the queue, how often it is still due, and for which requests."""

    fault: Fault
    times: int | None
    when: Callable[[Recorded], bool]


class Service:
    """One emulated service on one port.

    Attributes:
        requests: Everything that arrived, answered or not.
        latency_s: Real seconds that every answer is late by.
    """

    def __init__(self, clock: Clock, port: int = 0) -> None:
        self.requests: RequestLog = RequestLog()
        self.latency_s: float = 0.0
        self._clock = clock
        self._port = port
        self._lock = threading.Lock()
        self._faults: list[_Injected] = []
        self._listener: Listener | None = None

    def __repr__(self) -> str:
        state = "serving" if self._listener else "refusing connections"
        return f"<{type(self).__name__} port {self._port}, {state}, {len(self.requests)} requests>"

    @property
    def port(self) -> int:
        """The port; known once the service was started, and the same ever after."""
        return self._port

    @property
    def url(self) -> str:
        """The root of the service, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._port}"

    # What a subclass writes.

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        """Return the right answer, or the one that this service has for `fault`."""
        raise NotImplementedError

    def has(self, fault: Fault) -> bool:
        """Tell whether this fault can happen here."""
        return True

    def own_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that every answer of this service carries."""
        return ()

    # Faults.

    def inject(
        self,
        *faults: Fault,
        times: int | None = 1,
        when: Callable[[Recorded], bool] | None = None,
        action: str | None = None,
        path: str | None = None,
    ) -> None:
        """Queue faults: each request takes the first that is meant for it.

        Args:
            faults: In the order in which they shall happen.
            times: How many requests each spoils; `None`: all, until `clear_faults()`.
            when: Only requests for which this returns true.
            action: Only requests for this AWS action.
            path: Only requests whose path ends with this (such as "identity").

        Raises:
            ValueError: This service has no such fault.
        """
        for fault in faults:
            if not self.has(fault):
                raise ValueError(f"{type(self).__name__} has no fault {fault.label}.")

        def meant(request: Recorded) -> bool:
            return (
                (action is None or request.action == action)
                and (path is None or request.path.endswith(path))
                and (when is None or when(request))
            )

        with self._lock:
            self._faults += [_Injected(fault, times, meant) for fault in faults]

    def clear_faults(self) -> None:
        """Drop every fault that has not happened yet."""
        with self._lock:
            self._faults = []

    def _take_fault(self, request: Recorded) -> Fault | None:
        with self._lock:
            for injected in self._faults:
                if injected.when(request):
                    if injected.times is not None:
                        injected.times -= 1
                        if injected.times <= 0:
                            self._faults.remove(injected)
                    return injected.fault
        return None

    # Life.

    def start(self) -> None:
        """Listen; on the same port as before, if there was one."""
        if self._listener is None:
            self._serve(reserve(self._port))

    def stop(self) -> None:
        """Refuse connections and cut those there are. Does nothing when it is stopped.

        Raises:
            RuntimeError: Answering some request failed inside the emulator.
        """
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            self._raise_error(listener)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections inside the `with` block; then serve the same port again."""
        self.stop()
        reserved = reserve(self._port)
        try:
            yield
        finally:
            self._serve(reserved)

    def reset(self) -> None:
        """Forget requests, faults and latency, and hang up on whoever was kept waiting."""
        self.clear_faults()
        self.latency_s = 0.0
        if self._listener is not None:
            self._listener.release()
            self._raise_error(self._listener)
        self.requests.clear()

    def _serve(self, reserved: socket.socket) -> None:
        self._listener = Listener(self._exchange, reserved)
        self._port = self._listener.server_port

    @staticmethod
    def _raise_error(listener: Listener) -> None:
        error, listener.error = listener.error, None
        if error is not None:
            raise RuntimeError("The emulator failed while it answered a request.") from error

    # One request.

    def _exchange(self, arrival: Arrival) -> Outcome:
        request = self._record(arrival)
        fault = self._take_fault(request)
        listener = self._listener
        late_by = self.latency_s + (fault.seconds if fault and fault.wire == "whole" else 0.0)
        if late_by and (listener is None or listener.pause(late_by)):
            return Outcome(Reply(503), "hang")
        if fault is not None and fault.wire in ("reset", "hang"):
            return Outcome(Reply(503), fault.wire, fault.seconds)
        reply = self._reply(request, fault)
        request.status = reply.status
        if fault is None:
            return Outcome(reply)
        return Outcome(reply, fault.wire, fault.seconds)

    def _record(self, arrival: Arrival) -> Recorded:
        # A target such as `//host` or `http://[` is not a URL; then it is all path.
        try:
            split = urlsplit(arrival.target)
            path, query = split.path, split.query
        except ValueError:
            path, query = arrival.target, ""
        pairs = parse_qsl(query, keep_blank_values=True)
        media_type = arrival.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type == "application/x-www-form-urlencoded":
            pairs += parse_qsl(arrival.body.decode("utf-8", "replace"), keep_blank_values=True)
        request = Recorded(
            method=arrival.method,
            path=path,
            query=query,
            headers=arrival.headers,
            # Of a repeated parameter the first counts: `dict` keeps the last.
            params=dict(reversed(pairs)),
            at=self._clock(),
            body=arrival.body,
            peer=arrival.peer,
        )
        self.requests.append(request)
        return request

    def _reply(self, request: Recorded, fault: Fault | None) -> Reply:
        if fault is None:
            reply = self.respond(request, None)
        elif fault.stand_in is not None and fault.foreign:
            return fault.stand_in.with_header("Date", self._date(fault))
        elif fault.stand_in is not None:
            reply = fault.stand_in
        else:
            reply = self.respond(request, fault)
        named = {name.lower() for name, _ in reply.headers}
        own = tuple(pair for pair in self.own_headers() if pair[0].lower() not in named)
        reply = Reply(reply.status, reply.body, own + reply.headers)
        reply = reply.with_header("Date", self._date(fault))
        for name, value in fault.headers if fault else ():
            reply = reply.with_header(name, value)
        return reply

    def _date(self, fault: Fault | None) -> str:
        """Return the `Date` header: the clouds' clock, so that a pod can see its own is off."""
        now = self._clock() + timedelta(seconds=fault.date_skew_s if fault else 0.0)
        return formatdate(now.timestamp(), usegmt=True)
