"""The label page's routes. A program labels through the same ones, with `Authorization: Bearer TOKEN`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import snowroll.base
from snowroll.base.errors import DataError, SnowrollError, StoreError
from snowroll.base.nouns import digest
from snowroll.base.parts import own
from snowroll.prepare.decode import limited
from snowroll.project.opened import Opened
from snowroll.web.asking import Answer, ClientId, counts, keep, next_questions, schema_of, take_back
from snowroll.web.door import LOOPBACK, Door, Refused, refusal
from snowroll.web.pictures import Pictures

HERE = Path(__file__).parent
STYLE = Path(snowroll.base.__file__).parent / "style.css"
# schema type -> the module that asks for such a target
WIDGETS = {"choice": "/static/choice.js", "mask": "/static/masks.js"}
MOST = 100  # questions or answers in one request
MOST_BYTES = 1 << 20  # of a request's body


class Undo(BaseModel):
    """The body of /api/undo."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    client_id: ClientId


def make_label_app(
    opened: Opened, token: str, person: str, now: Callable[[], float], hosts: frozenset[str] = LOOPBACK
) -> Starlette:
    """The page over this project's queue. Answers are stored as `person`'s; `now` gives UTC seconds."""
    desk = Desk(opened, person, now)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield
        desk.pictures.close()

    return Starlette(
        routes=[
            Route("/", desk.page),
            Route("/api/next", desk.next),
            Route("/api/picture/{sample}", desk.picture),
            Route("/api/sound/{sample}", desk.sound),
            Route("/api/text/{sample}", desk.text),
            Route("/api/state", desk.state),
            Route("/api/answers", desk.answers, methods=["POST"]),
            Route("/api/undo", desk.undo, methods=["POST"]),
            Route("/widget.js", desk.widget),
            Route("/favicon.ico", lambda _: Response(status_code=204)),
            Route("/static/style.css", lambda _: FileResponse(STYLE)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Door, token=token, hosts=hosts)],
        exception_handlers={SnowrollError: _in_words, HTTPException: _as_json},
        lifespan=life,
    )


class Desk:
    """What the routes share: the project, who answers, the pictures at hand."""

    def __init__(self, opened: Opened, person: str, now: Callable[[], float]) -> None:
        self.opened, self.person, self.now = opened, person, now
        self.schema = schema_of(opened)
        self.pictures = Pictures(opened.read, opened.task.name, self.schema)
        templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
        self.shell = templates.get_template("label.html")

    def page(self, request: Request) -> Response:
        """GET /: the shell; the modules fill it."""
        root = self.opened.root.resolve()
        html = self.shell.render(
            project=root.name,
            root=str(self.opened.root),
            key=digest(str(root), self.person),  # decisions kept in the browser belong to this project and person
            person=self.person,
            widget="/widget.js" if self.opened.task.widget else WIDGETS.get(str(self.schema.get("type")), ""),
            kind=self.schema.get("type"),
        )
        return HTMLResponse(html)

    def next(self, request: Request) -> Response:
        """GET /api/next?n=10: the next questions, the schema once, and how many wait in all."""
        n = _number(request.query_params.get("n", "10"))
        asked = next_questions(self.opened, n, self.person, self.schema)
        samples = self.opened.store.catalog.samples([question.sample for question in asked])
        self.pictures.prepare([samples[question.sample] for question in asked])
        left = self.opened.store.catalog.left_in_queue()
        return JSONResponse({"schema": self.schema, "items": [asdict(question) for question in asked], "left": left})

    def picture(self, request: Request) -> Response:
        """GET /api/picture/SAMPLE: its pixels, re-encoded."""
        id = request.path_params["sample"]
        found = self.opened.store.catalog.samples([id])
        if id not in found:
            raise Refused(404, "there is no such sample", "reload the page")
        try:
            raw = self.pictures.get(found[id])
        except StoreError as fault:
            raise Refused(404, fault.what, fault.cure) from None
        except DataError as fault:
            raise Refused(422, fault.what, fault.cure) from None
        return Response(raw, media_type="image/png" if raw.startswith(b"\x89PNG") else "image/webp")

    def sound(self, request: Request) -> Response:
        """GET /api/sound/SAMPLE: what is heard of it, re-encoded, where the task's samples are heard."""
        return Response(self._made(request, own(self.opened.task.sound), "sound"), media_type="audio/wav")

    def text(self, request: Request) -> Response:
        """GET /api/text/SAMPLE: what is read of it, where the task's samples are read."""
        told = self._made(request, own(self.opened.task.text), "text")
        return Response(told, media_type="text/plain; charset=utf-8")

    def _made(self, request: Request, make: Callable[[bytes], Any] | None, what: str) -> Any:
        """What the task makes of a sample's bytes, in a limited child."""
        id = request.path_params["sample"]
        found = self.opened.store.catalog.samples([id])
        if make is None or id not in found:
            raise Refused(404, f"there is no such {what}", "reload the page")
        try:
            job = (id, self.opened.read(found[id].where))
        except SnowrollError as fault:
            raise Refused(404, fault.what, fault.cure) from None
        ((_, made),) = limited(make, [job], workers=1)
        if isinstance(made, SnowrollError):
            raise Refused(422, made.what, made.cure)
        return made

    def state(self, request: Request) -> Response:
        """GET /api/state: the counts."""
        return JSONResponse({**counts(self.opened), "person": self.person})

    async def answers(self, request: Request) -> Response:
        """POST /api/answers: acknowledged only after the commit. 422 if any was refused; the others are saved."""
        told = _read(_ANSWERS, await _body(request))
        if len(told) > MOST:
            raise Refused(413, f"{len(told)} answers at once", f"send at most {MOST}")
        kept = await run_in_threadpool(keep, self.opened, told, self.schema, self.person, self.now())
        left = await run_in_threadpool(self.opened.store.catalog.left_in_queue)
        return JSONResponse({**asdict(kept), "left": left}, 422 if kept.refused else 200)

    async def undo(self, request: Request) -> Response:
        """POST /api/undo: the answer is taken back and its sample asked for again."""
        told = _read(_UNDO, await _body(request))
        sample = await run_in_threadpool(take_back, self.opened, told.client_id)
        if sample is None:
            raise Refused(404, "there is no such answer", "send the answer before taking it back")
        return JSONResponse({"undone": told.client_id, "sample": sample})

    def widget(self, request: Request) -> Response:
        """GET /widget.js: the task's own way to ask."""
        if self.opened.task.widget is None:
            raise Refused(404, "this task brings no widget of its own")
        return FileResponse(self.opened.task.widget, media_type="text/javascript")


_ANSWERS: TypeAdapter[list[Answer]] = TypeAdapter(list[Answer])
_UNDO: TypeAdapter[Undo] = TypeAdapter(Undo)


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise Refused(413, "the body is too large", "send fewer answers at once")
        parts.append(part)
    return b"".join(parts)


def _read(kind: TypeAdapter[Any], body: bytes) -> Any:
    try:
        return kind.validate_python(from_json(body, allow_inf_nan=False))  # validate_json lets NaN into a target
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(400, f"{where}: {first['msg']}" if where else first["msg"]) from None
    except ValueError as fault:
        raise Refused(400, f"not JSON: {fault}") from None


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MOST:
        raise Refused(400, f"n must be a number from 1 to {MOST}")
    return int(text)


def _in_words(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, SnowrollError)
    # a full disk or a busy catalog passes: the page keeps the decisions and tries again
    return refusal(request, fault, getattr(fault, "status", 503))


def _as_json(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    return JSONResponse({"error": fault.detail.lower(), "where": "", "cure": ""}, fault.status_code)
