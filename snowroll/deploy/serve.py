"""The HTTP server over one exported model: `make_app` for the routes, `run_server` for the process.

The caller passes in what it knows of projects and tasks as functions; this room imports neither.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.exceptions import HTTPException

from snowroll.base.device import cores
from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import Json, Prediction
from snowroll.deploy import batcher, problem
from snowroll.deploy.bodies import samples_in
from snowroll.deploy.capture import Answered, Capture, Seen
from snowroll.deploy.champion import Champion
from snowroll.deploy.limits import Limits
from snowroll.deploy.measures import Measures
from snowroll.deploy.page import PREDICT_BODIES, STREAM_BODY, docs_page
from snowroll.deploy.problem import Refused
from snowroll.deploy.session import Loaded, described
from snowroll.deploy.settings import ServeSettings
from snowroll.deploy.streams import Streams


class Service:
    """What the routes share: the champion, the queue before it, and what is done with the answers."""

    def __init__(
        self,
        current: Callable[[], str],
        load: Callable[[str], Loaded],
        settings: ServeSettings,
        on_record: Callable[[list[Seen]], None] | None,
        tidy: Callable[[], None],
        clean: Callable[[bytes], bytes] | None,
    ) -> None:
        self.settings, self.measures = settings, Measures()
        self.champion = Champion(current, load, settings.poll_s, self._candidate)
        threads = settings.threads or cores()
        self.batcher = batcher.Batcher(threads, settings.batch, settings.queue, self.measures.ran)
        share = settings.sample if on_record else 0.0
        most = 4 * settings.max_body
        self.capture = Capture(on_record or (lambda seen: None), share, most, self._kept, tidy, clean=clean)
        self.streams = Streams(settings.deadline_s, self._offer)
        self.measures.serves(self.champion.model.id)

    def _candidate(self, outcome: str, model: str) -> None:
        self.measures.swaps.labels(outcome).inc()
        self.measures.serves(self.champion.model.id)

    def _kept(self, outcome: str, count: int) -> None:
        self.measures.records.labels(outcome).inc(count)

    def start(self) -> None:
        for part in (self.batcher, self.capture, self.champion):
            part.start()

    def stop(self) -> None:
        for part in (self.champion, self.batcher, self.capture):
            part.stop()

    async def predict(self, request: Request) -> Response:
        """POST /v1/predict."""
        begun = time.perf_counter()
        status = 500
        try:
            response = await self._predict(request)
            status = response.status_code
        except Refused as fault:
            status = fault.status
            raise
        finally:
            self.measures.requests.labels(str(status)).inc()
            self.measures.seconds.observe(time.perf_counter() - begun)
        return response

    async def stream(self, request: Request) -> Response:
        """POST to a route of the task's own."""
        return await self.streams.answer(self.champion.model, request.url.path, request)

    def _offer(self, answered: Answered) -> None:
        if self.capture.wants(answered.id):
            self.capture.offer(answered)

    async def _predict(self, request: Request) -> Response:
        scope = request.scope
        model = self.champion.model  # once: everything below speaks of this one
        content_type = request.headers.get("content-type", "")
        items = await samples_in(content_type, scope["snowroll.body"], self.settings.max_items)
        raws = [item for item in items if isinstance(item, bytes)]
        outcomes = iter(await self._outcomes(model, raws, scope) if raws else [])
        source = "".join(filter(str.isprintable, request.headers.get("x-source", "")))[:64]
        with_scores = request.query_params.get("scores", "1") not in ("0", "false")
        told = [
            self._told(model, item, next(outcomes) if isinstance(item, bytes) else item, source, with_scores)
            for item in items
        ]
        return _response(told, model.id, scope["snowroll.request_id"])

    async def _outcomes(self, model: Loaded, raws: list[bytes], scope: Any) -> list[batcher.Outcome]:
        """Through the queue. Raises Refused: 429 when it is full, 503 when the deadline passes."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[batcher.Outcome] | None] = loop.create_future()
        connection = scope.get("state", {}).get("connection")  # of our protocol; another server has none

        def done(outcomes: list[batcher.Outcome] | None) -> None:
            loop.call_soon_threadsafe(lambda: answer.done() or answer.set_result(outcomes))

        def is_wanted() -> bool:
            return not answer.done() and not (connection is not None and connection.disconnected)

        try:
            self.batcher.submit(batcher.Request(model, raws, done, is_wanted))
            async with asyncio.timeout(self.settings.deadline_s):
                outcomes = await answer
        except batcher.Full:
            raise Refused(429, "too many samples are waiting", cure="try again", retry_s=1) from None
        except TimeoutError:
            raise Refused(503, "no answer within the deadline", cure="try again later", retry_s=5) from None
        if outcomes is None:
            raise Refused(503, "dropped: the client has gone", cure="stay for the answer")
        return outcomes

    def _told(
        self, model: Loaded, item: object, outcome: batcher.Outcome, source: str, with_scores: bool
    ) -> dict[str, Json]:
        """One entry of the answer; a copy of what was predicted goes to the capture."""
        if isinstance(outcome, SnowrollError):
            self.measures.items.inc()
            return outcome.as_json()
        id = secrets.token_hex(8)
        if isinstance(outcome.value, str) and outcome.value in model.labels:
            self.measures.predictions.labels(outcome.value).inc()
        if isinstance(item, bytes):
            said = (outcome.value, outcome.probability, outcome.doubt)
            self._offer(Answered(id, model.id, time.time(), *said, source, item))
        return _entry(id, outcome, model.labels if with_scores else ())


def _entry(id: str, outcome: Prediction, labels: Any) -> dict[str, Json]:
    told = {"id": id, "prediction": outcome.value, "probability": outcome.probability, "doubt": outcome.doubt}
    if outcome.interval:
        told["interval"] = list(outcome.interval)
    if labels and getattr(outcome.scores, "shape", None) == (len(labels),):
        told["scores"] = dict(zip(labels, outcome.scores.tolist(), strict=True))
    return told


def _response(told: list[dict[str, Json]], model: str, request_id: str) -> Response:
    """200 when anything could be answered; 422 with the first item's fault when nothing could."""
    if any("error" not in entry for entry in told):
        body = json.dumps({"predictions": told, "model": model}, ensure_ascii=False, allow_nan=False)
        return Response(body.encode(), media_type="application/json")
    first = SnowrollError(told[0]["error"], where=told[0]["where"], cure=told[0]["cure"])
    body = problem.body(422, first, request_id, predictions=told, model=model)
    return Response(body, status_code=422, media_type=problem.MEDIA.decode())


def make_app(
    current: Callable[[], str],
    load: Callable[[str], Loaded],
    settings: ServeSettings,
    on_record: Callable[[list[Seen]], None] | None = None,
    tidy: Callable[[], None] = lambda: None,
    clean: Callable[[bytes], bytes] | None = None,
    kind: str = "image",
) -> FastAPI:
    """The app. Loads and self-tests the first model before it returns; raises when that fails.

    current: the champion's id, polled. load: a model from its id (`session.load`), with stored examples.
    on_record: given answered samples in small lists, on a thread of its own; it may be slow and may fail.
    tidy: called on the same thread at the start and every ten minutes.
    clean: takes out of a sample's bytes what must not be kept.
    kind: of the samples, for the examples of /docs.
    """
    service = Service(current, load, settings, on_record, tidy, clean)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPI(title="Snowroll", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(Limits, settings=settings)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_api_route(
        "/v1/predict", service.predict, methods=["POST"], openapi_extra=PREDICT_BODIES, summary="Answer samples"
    )

    for path in service.champion.model.streams:
        app.add_api_route(path, service.stream, methods=["POST"], openapi_extra=STREAM_BODY, summary="In pieces")

    @app.get("/v1/model", summary="The model that answers now")
    async def model() -> dict[str, Json]:
        return described(service.champion.model)

    @app.get("/healthz", summary="The process runs", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/readyz", summary="The queue has room", response_class=PlainTextResponse)
    async def readyz() -> Response:
        has_room = service.batcher.waiting < settings.queue
        return PlainTextResponse("ready" if has_room else "busy", 200 if has_room else 503)

    @app.get("/metrics", summary="For Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        service.measures.waiting.set(service.batcher.waiting)
        return Response(service.measures.text(), media_type="text/plain; version=0.0.4")

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse(
            docs_page(app.openapi(), kind, str(request.base_url).rstrip("/")),
            headers={"Content-Security-Policy": policy},
        )

    return app


async def _no_such_route(request: Request, fault: Exception) -> Response:
    """404 and 405 of the router, as the other errors are."""
    assert isinstance(fault, HTTPException)
    own = "".join(f", POST {path}" for path in request.app.state.service.champion.model.streams)
    known = f"POST /v1/predict{own}, GET /v1/model, /healthz, /readyz, /metrics, /docs"
    told = SnowrollError(str(fault.detail), where=request.url.path[:80], cure=f"use {known}")
    body = problem.body(fault.status_code, told, request.scope["snowroll.request_id"])
    return Response(body, fault.status_code, dict(fault.headers or {}), media_type=problem.MEDIA.decode())
