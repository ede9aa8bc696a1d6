"""Routes of a task's own whose answers come in pieces: POST /v1/NAME, one JSON line a piece (NDJSON).

They pass the same door as `predict` (host, origin, token, size of the body). At most `AT_ONCE` are answered at a time,
none for longer than the deadline; who goes away is not written for any further.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from snowroll.base.errors import DataError, SnowrollError
from snowroll.base.nouns import Json, Prediction
from snowroll.deploy.capture import Answered
from snowroll.deploy.problem import Refused
from snowroll.deploy.session import Loaded

AT_ONCE = 4
MEDIA = "application/x-ndjson"
Keep = Callable[[Answered], None]


class _Pieces(StreamingResponse):
    """Lines as they come. `over` is called once when it ends, whether its reader stayed, went, or was gone before the
    first piece was asked for.
    """

    def __init__(self, lines: AsyncIterator[bytes], over: Callable[[], None]) -> None:
        super().__init__(lines, media_type=MEDIA)
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()


class Streams:
    """What the routes share: how many are being answered, for how long, and what becomes of the answers."""

    def __init__(self, deadline_s: float, keep: Keep, now: Callable[[], float] = time.monotonic) -> None:
        self._deadline_s, self._keep, self._now, self._busy = deadline_s, keep, now, 0

    async def answer(self, model: Loaded, path: str, request: Request) -> Response:
        """Raises Refused: 400 for a body that is no JSON object, 422 for what the task cannot use, 429 when busy."""
        try:
            asked = json.loads(request.scope["snowroll.body"])
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            raise Refused(400, "the body is no JSON object", cure='send {"prompt": "..."}')
        source = "".join(filter(str.isprintable, request.headers.get("x-source", "")))[:64]
        if self._busy >= AT_ONCE:
            raise Refused(429, f"{AT_ONCE} texts are being written already", cure="try again", retry_s=1)
        self._busy += 1
        try:
            raw, pieces = await asyncio.to_thread(model.streams[path], model, asked)
        except BaseException as fault:
            self._over()
            if isinstance(fault, SnowrollError):
                raise Refused(422, fault.what, where=fault.where, cure=fault.cure) from None
            raise
        return _Pieces(self._lines(model, raw, pieces, source), self._over)

    def _over(self) -> None:
        self._busy -= 1

    async def _lines(
        self, model: Loaded, raw: bytes, pieces: Iterator[Json | Prediction], source: str
    ) -> AsyncIterator[bytes]:
        """One line a piece; the last holds the whole answer, or says why there is none."""
        ends = self._now() + self._deadline_s
        try:
            while True:
                piece = await asyncio.to_thread(next, pieces, None)
                if piece is None:
                    return
                if isinstance(piece, Prediction):
                    yield _line(self._kept(model, raw, piece, source))
                    return
                yield _line(piece)
                if self._now() > ends:
                    fault = DataError("the deadline passed before the end", cure="ask for less, or go on from here")
                    yield _line(fault.as_json())
                    return
        except SnowrollError as fault:
            yield _line(fault.as_json())

    def _kept(self, model: Loaded, raw: bytes, said: Prediction, source: str) -> dict[str, Json]:
        id = secrets.token_hex(8)
        self._keep(Answered(id, model.id, time.time(), said.value, said.probability, said.doubt, source, raw))
        return {"id": id, "prediction": said.value, "probability": said.probability, "doubt": said.doubt}


def _line(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode() + b"\n"
