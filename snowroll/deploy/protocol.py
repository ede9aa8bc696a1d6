"""The HTTP protocol with an absolute receive deadline and a bound on open connections.

uvicorn has neither: half-sent requests stay open for good, and its `limit_concurrency` answers honest clients with 503
while they do. Here the clock starts at a request's first byte, and sending a little more does not wind it back.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from snowroll.base.errors import SnowrollError
from snowroll.deploy import problem

_HEAD = b"content-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
_MOST_HEAD = 64 * 1024  # bytes of request line and headers; the parser itself has no limit


def bounded_protocol(receive_s: float, connections: int) -> type[HttpToolsProtocol]:
    """uvicorn's protocol class with these two limits; `connections` counts all the class has open."""
    half_sent: dict[Bounded, None] = {}  # in the order in which their clocks started

    class Bounded(HttpToolsProtocol):
        """Knows when the request now arriving must be complete."""

        _clock: asyncio.TimerHandle | None = None
        _head = 0  # bytes received of a head that is not complete

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._start_clock()
            if len(self.connections) > connections:
                next(iter(half_sent)).refuse_late()  # the one that has kept us waiting longest

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_clock()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            self._start_clock()
            self._head += len(data)
            super().data_received(data)
            if self._head > _MOST_HEAD:
                self._refuse(431, "the request's headers are too long", "send fewer or shorter ones")

        def on_message_begin(self) -> None:
            self._start_clock()  # the second of two pipelined requests begins without new data
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            self._head = -(1 << 62)  # what follows is body, bounded elsewhere
            if self.cycle is not None:
                # lets the batcher drop work whose client has gone; the task that reads it has not started yet
                self.cycle.scope.setdefault("state", {})["connection"] = self.cycle

        def on_message_complete(self) -> None:
            self._stop_clock()
            self._head = 0
            super().on_message_complete()

        def _start_clock(self) -> None:
            if self._clock is None:
                self._clock = self.loop.call_later(receive_s, self.refuse_late)
                half_sent[self] = None

        def _stop_clock(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None
                half_sent.pop(self, None)

        def refuse_late(self) -> None:
            self._stop_clock()
            if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
                self._start_clock()  # an earlier request is being answered: that comes first
            else:
                self._refuse(408, "the request did not arrive in time", "send it faster, or in smaller parts")

        def _refuse(self, status: int, what: str, cure: str) -> None:
            """Answer, if this request has had no answer yet, and close."""
            if self.transport.is_closing():
                return
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                told = problem.body(status, SnowrollError(what, cure=cure), secrets.token_hex(8))
                self.transport.write(STATUS_LINE[status] + _HEAD % (problem.MEDIA, len(told)) + told)
            self.transport.close()

    return Bounded
