"""Base class of all emulated services: a port, a request log, faults, latency and outages.

A subclass implements `respond()`, which returns the answer to one request.
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
from .loopback import IPV4, in_url, reserve
from .requestlog import Recorded, RequestLog
from .server import Arrival, Listener, Outcome, Reply

__all__ = ["Service"]


@dataclass(slots=True)
class _Injected:
    """A queued fault, how many requests it still affects, and a filter for requests."""

    fault: Fault
    times: int | None
    when: Callable[[Recorded], bool]


class Service:
    """One emulated service on one port.

    Attributes:
        requests: All requests that arrived, answered or not.
        latency_s: Delay of every answer, in real seconds.
        host: Address to listen on. `None` before the first start: the one that the machine has.
        default_headers: Headers of every answer that does not set them.
    """

    default_headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    def __init__(self, clock: Clock, port: int = 0) -> None:
        self.requests: RequestLog = RequestLog()
        self.latency_s: float = 0.0
        self._clock = clock
        self.host: str | None = None
        self._port = port
        self._lock = threading.Lock()
        self._faults: list[_Injected] = []
        self._listener: Listener | None = None
        self._state = threading.Lock()  # for the state that `forget` deletes
        self.forget()

    def __repr__(self) -> str:
        state = "serving" if self._listener else "refusing connections"
        return f"<{type(self).__name__} port {self._port}, {state}, {len(self.requests)} requests>"

    @property
    def port(self) -> int:
        """The port. It is known after the first start and does not change later."""
        return self._port

    @property
    def address(self) -> str:
        """The host and the port; an IPv6 address has brackets."""
        return f"{in_url(self.host or IPV4)}:{self._port}"

    @property
    def url(self) -> str:
        """The root URL of the service, without a trailing slash."""
        return f"http://{self.address}"

    # Overridden by subclasses.

    def respond(self, request: Recorded, fault: Fault | None) -> Reply:
        """Return the correct answer, or the answer of this service for `fault`."""
        raise NotImplementedError

    def has(self, fault: Fault) -> bool:
        """Return whether this service supports a fault."""
        return fault.error is None and fault.remaining_s is None

    def forget(self) -> None:
        """Delete the state of this service, such as issued tokens."""

    # Faults.

    def inject(
        self,
        *faults: Fault,
        times: int | None = 1,
        when: Callable[[Recorded], bool] | None = None,
        action: str | None = None,
        path: str | None = None,
    ) -> None:
        """Queue faults. Each request takes the first fault that applies to it.

        Args:
            faults: The faults, in the order in which they happen.
            times: Number of requests that each fault affects; `None`: all, until
                `clear_faults()`.
            when: Filter: only requests for which this returns true.
            action: Filter: only requests for this AWS action.
            path: Filter: only requests whose path ends with this, such as "identity".

        Raises:
            ValueError: This service does not support the fault.
        """
        for fault in faults:
            if not self.has(fault):
                raise ValueError(f"{type(self).__name__} has no fault {fault.label}.")

        def applies(request: Recorded) -> bool:
            return (
                (action is None or request.action == action)
                and (path is None or request.path.endswith(path))
                and (when is None or when(request))
            )

        with self._lock:
            self._faults += [_Injected(fault, times, applies) for fault in faults]

    def clear_faults(self) -> None:
        """Remove all queued faults."""
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

    # Start and stop.

    def start(self) -> None:
        """Listen, after a stop on the same port as before."""
        if self._listener is None:
            self._serve(reserve(self._port, self.host))

    def stop(self) -> None:
        """Refuse new connections and close the open ones. Does nothing if already stopped.

        Raises:
            RuntimeError: The emulator failed while it answered a request.
        """
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            self._raise_error(listener)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections inside the `with` block, then listen on the same port again."""
        self.stop()
        reserved = reserve(self._port, self.host)
        try:
            yield
        finally:
            self._serve(reserved)

    def reset(self) -> None:
        """Delete all state, requests, faults and latency; close connections that hang."""
        self.clear_faults()
        self.latency_s = 0.0
        if self._listener is not None:
            self._listener.release()
            self._raise_error(self._listener)
        self.requests.clear()
        self.forget()

    def _serve(self, reserved: socket.socket) -> None:
        self._listener = Listener(self._exchange, reserved)
        self.host, self._port = self._listener.server_name, self._listener.server_port

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
        # A target such as `http://[` is not a URL. Treat all of it as the path.
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
            # The first value of a repeated parameter counts; `dict` keeps the last.
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
        added = tuple(pair for pair in self.default_headers if pair[0].lower() not in named)
        reply = Reply(reply.status, reply.body, added + reply.headers)
        reply = reply.with_header("Date", self._date(fault))
        for name, value in fault.headers if fault else ():
            reply = reply.with_header(name, value)
        return reply

    def _date(self, fault: Fault | None) -> str:
        """Return the `Date` header, by the clouds' clock: clients compare it with their own."""
        now = self._clock() + timedelta(seconds=fault.date_skew_s if fault else 0.0)
        return formatdate(now.timestamp(), usegmt=True)
