"""Pictures in, predictions out, batched by need: no timer, no added wait for a lone client.

A few threads share one rule: while something waits unread, read and prepare it; when nothing is left to read, or a
full batch is ready, run the body on what is ready. A lone picture goes from bytes to answer on one thread without
stopping; under load, what arrives while the body runs becomes the next batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread

from snowroll.base.errors import DataError, SnowrollError
from snowroll.base.nouns import Prediction
from snowroll.deploy.session import Loaded, Prepared, together

Outcome = Prediction | SnowrollError


class Full(Exception):
    """The queue has no room for this request."""


@dataclass(eq=False, slots=True)
class Request:
    """The pictures of one request and the one model that answers them all."""

    model: Loaded
    raws: Sequence[bytes]
    done: Callable[[list[Outcome] | None], None]  # called once, on a worker thread; None: dropped, as it was unwanted
    is_wanted: Callable[[], bool]  # False once the client is gone or the deadline has passed
    outcomes: list[Outcome | None] = field(default_factory=list)
    left: int = 0


@dataclass(eq=False, slots=True)
class _Picture:
    request: Request
    row: int
    prepared: Prepared | None = None


class Batcher:
    """A bounded queue before a few worker threads. Start with `start`, stop with `stop`."""

    def __init__(
        self,
        threads: int,
        batch: int,
        queue: int,
        ran: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        """queue: most pictures waiting. ran: told the size and seconds of each run of the body."""
        self.batch, self.queue, self.ran = batch, queue, ran
        self._unread: deque[_Picture] = deque()
        self._ready: deque[_Picture] = deque()
        self._waiting = 0  # pictures accepted and not yet answered or dropped
        self._change = Condition()
        self._open = True
        self._threads = [Thread(target=self._work, name=f"predict-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what was accepted, then end the threads."""
        with self._change:
            self._open = False
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self) -> int:
        return self._waiting

    def submit(self, request: Request) -> None:
        """Queue every picture of a request, or none. Raises Full."""
        count = len(request.raws)
        request.outcomes, request.left = [None] * count, count
        with self._change:
            if self._waiting + count > self.queue or not self._open:
                raise Full
            self._waiting += count
            self._unread.extend(_Picture(request, row) for row in range(count))
            self._change.notify(min(count, len(self._threads)))

    def _work(self) -> None:
        while True:
            with self._change:
                while not (self._unread or self._ready):
                    if not self._open:
                        return
                    self._change.wait()
                full = len(self._ready) >= self.batch
                picture = self._unread.popleft() if self._unread and not full else None
                pictures = [] if picture else self._take_ready()
            if picture:
                self._prepare(picture)
            else:
                self._predict(pictures)

    def _take_ready(self) -> list[_Picture]:
        """Up to `batch` ready pictures of one model, oldest first."""
        model = self._ready[0].request.model
        taken: list[_Picture] = []
        while self._ready and len(taken) < self.batch and self._ready[0].request.model is model:
            taken.append(self._ready.popleft())
        return taken

    def _prepare(self, picture: _Picture) -> None:
        request = picture.request
        if not request.is_wanted():
            self._finish([(picture, None)])
            return
        try:
            picture.prepared = request.model.prepare(request.raws[picture.row])
        except Exception as fault:
            self._finish([(picture, _in_words(fault))])
            return
        with self._change:
            self._ready.append(picture)  # this thread comes back for it; others need no waking

    def _predict(self, pictures: list[_Picture]) -> None:
        wanted = [picture for picture in pictures if picture.request.is_wanted()]
        self._finish([(picture, None) for picture in pictures if picture not in wanted])
        if not wanted:
            return
        begun = time.perf_counter()
        answers = _answers(wanted)
        self.ran(len(wanted), time.perf_counter() - begun)
        self._finish(list(zip(wanted, answers, strict=True)))

    def _finish(self, outcomes: list[tuple[_Picture, Outcome | None]]) -> None:
        """Hand in outcomes (None: dropped) and answer the requests that are complete."""
        complete: list[Request] = []
        with self._change:
            self._waiting -= len(outcomes)
            for picture, outcome in outcomes:
                request = picture.request
                request.outcomes[picture.row] = outcome
                request.left -= 1
                if request.left == 0:
                    complete.append(request)
        for request in complete:
            known = [outcome for outcome in request.outcomes if outcome is not None]
            request.done(known if len(known) == len(request.raws) else None)


def _answers(pictures: list[_Picture]) -> list[Outcome]:
    """One outcome a picture. A batch that fails is run again one by one, so that only the culprit's fails."""
    model = pictures[0].request.model
    rows = [picture.prepared for picture in pictures if picture.prepared is not None]
    try:
        outputs = model.run(together(rows))
        predictions = model.answer(outputs)
        assert len(predictions) == len(pictures), "the task answers one prediction a row"
        return list(predictions)
    except Exception as fault:
        if len(pictures) > 1:
            return [outcome for picture in pictures for outcome in _answers([picture])]
        return [_in_words(fault)]


def _in_words(fault: Exception) -> SnowrollError:
    if isinstance(fault, SnowrollError):
        return fault
    if isinstance(fault, MemoryError):
        return DataError("this picture is too large for the memory left", cure="send a smaller one")
    return DataError(f"this picture could not be used ({type(fault).__name__})", cure="send it as PNG or JPEG")
