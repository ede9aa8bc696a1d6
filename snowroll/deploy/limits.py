"""What every request passes before any work is done: who asks, from where, how much. Plain ASGI, one page.

The whole body is received here, within bounds, so that nothing behind it waits for a client.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from snowroll.base.errors import SnowrollError
from snowroll.deploy import problem
from snowroll.deploy.problem import Refused
from snowroll.deploy.settings import ServeSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger("snowroll.serve")
_OPEN = {"/", "/healthz", "/readyz", "/docs", "/openapi.json"}  # say nothing about the model or its inputs
_HOSTS = re.compile(r"(localhost|127\.0\.0\.1|\[::1\]|testserver)(:\d+)?")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CLOSE = (b"connection", b"close")
_HELD = 16  # bodies of the largest size that may be in memory at once, over all requests


class _Gone(Exception):
    """The client closed the connection before its request was complete."""


class Limits:
    """ASGI middleware: 401, 403, 413 and 429 before the app is asked; any failure inside it becomes a plain 500."""

    def __init__(self, app: App, settings: ServeSettings) -> None:
        self.app, self.settings = app, settings
        self._held = 0  # bytes of request bodies in memory

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        answer = _Answer(send, request_id)
        held, complete = 0, False
        try:
            self._admit(scope, headers)
            body = await self._body(headers, receive)
            held, complete = len(body), True
            scope["snowroll.body"], scope["snowroll.request_id"] = body, request_id
            await self.app(scope, _replay(body, receive), answer.send)
        except Refused as fault:
            # what is still being sent will not be read
            await answer.refuse(fault.status, fault, fault.headers if complete else [*fault.headers, _CLOSE])
        except _Gone:
            log.debug("client gone")
        except Exception:
            log.exception("request %s failed", request_id)
            fault = SnowrollError("the server failed on this request", cure="tell its operator the request's id")
            await answer.refuse(500, fault, [])
        finally:
            self._held -= held

    def _admit(self, scope: Message, headers: dict[bytes, str]) -> None:
        host, origin = headers.get(b"host", ""), headers.get(b"origin", "")
        if self.settings.is_loopback and host and not _HOSTS.fullmatch(host):
            # a name that resolves to loopback in somebody's browser (DNS rebinding)
            raise Refused(403, "this host name is not served here", where=host[:80], cure="use 127.0.0.1")
        if origin and origin.partition("://")[2] != host:
            raise Refused(403, "requests from other web pages are refused", where=origin[:80])
        token = self.settings.token
        if token and scope["path"] not in _OPEN:
            given = headers.get(b"authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise Refused(401, "the token is missing or wrong", cure="send Authorization: Bearer TOKEN")
        length = headers.get(b"content-length", "0")
        if length.isdecimal() and int(length) > self.settings.max_body:
            self._too_large()

    async def _body(self, headers: dict[bytes, str], receive: Receive) -> bytes:
        """The whole body; counted while it arrives, for a length may be missing."""
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return b""
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                part = message.get("body", b"")
                size += len(part)
                self._held += len(part)
                parts.append(part)
                if size > self.settings.max_body:
                    self._too_large()
                if self._held > _HELD * self.settings.max_body:
                    raise Refused(429, "too much is being sent at once", cure="try again", retry_s=1)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        except BaseException:
            self._held -= size
            raise

    def _too_large(self) -> None:
        most = self.settings.max_body_mb
        raise Refused(413, f"the body is larger than {most:g} MB", cure="send less at a time")


class _Answer:
    """The response on its way out: gets the request's id, and knows whether it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id, self.begun = send, request_id, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message.get("headers", []), (b"x-request-id", self._request_id.encode())]
        await self._send(message)

    async def refuse(self, status: int, fault: SnowrollError, headers: list[tuple[bytes, bytes]]) -> None:
        if self.begun:
            return
        told = problem.body(status, fault, self._request_id)
        headers = [(b"content-type", problem.MEDIA), (b"content-length", str(len(told)).encode()), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": told})


def _replay(body: bytes, receive: Receive) -> Receive:
    """The received body as one message, then whatever the connection says."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
