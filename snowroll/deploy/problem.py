"""Errors as RFC 9457 problem+json: what, where, what to do, and the request's id. Never a trace."""

from __future__ import annotations

import json
from http import HTTPStatus

from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import Json

MEDIA = b"application/problem+json"


class Refused(SnowrollError):
    """A request that gets an error status of its own."""

    def __init__(self, status: int, what: str, *, where: str = "", cure: str = "", retry_s: int | None = None) -> None:
        super().__init__(what, where=where, cure=cure)
        self.status, self.retry_s = status, retry_s

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        more = [] if self.retry_s is None else [(b"retry-after", str(self.retry_s).encode())]
        return [*more, (b"www-authenticate", b"Bearer")] if self.status == 401 else more


def body(status: int, fault: SnowrollError, request_id: str, **more: Json) -> bytes:
    """One line of JSON. `error`, `where` and `cure` say the same as on the command line."""
    title = HTTPStatus(status).phrase
    told = {"type": "about:blank", "title": title, "status": status, "detail": str(fault), **fault.as_json()}
    return json.dumps({**told, "request_id": request_id, **more}, ensure_ascii=False, allow_nan=False).encode()
