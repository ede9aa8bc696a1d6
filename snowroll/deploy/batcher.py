"""Samples in, predictions out, batched by need: no timer, no added wait for a lone client.

A few threads share one rule: while something waits unread, read and prepare it; when nothing is left to read, or a
full batch is ready, run the body on what is ready. A lone sample goes from bytes to answer on one thread without
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
    """The samples of one request and the one model that answers them all."""

    model: Loaded
    raws: Sequence[bytes]
    done: Callable[[list[Outcome] | None], None]  # called once, on a worker thread; None: dropped, as it was unwanted
    is_wanted: Callable[[], bool]  # False once the client is gone or the deadline has passed
    outcomes: list[Outcome | None] = field(default_factory=list)
    left: int = 0


@dataclass(eq=False, slots=True)
class _Sample:
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
        """queue: most samples waiting. ran: told the size and seconds of each run of the body."""
        self.batch, self.queue, self.ran = batch, queue, ran
        self._unread: deque[_Sample] = deque()
        self._ready: deque[_Sample] = deque()
        self._waiting = 0  # samples accepted and not yet answered or dropped
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
        """Queue every sample of a request, or none. Raises Full."""
        count = len(request.raws)
        request.outcomes, request.left = [None] * count, count
        with self._change:
            if self._waiting + count > self.queue or not self._open:
                raise Full
            self._waiting += count
            self._unread.extend(_Sample(request, row) for row in range(count))
            self._change.notify(min(count, len(self._threads)))

    def _work(self) -> None:
        while True:
            with self._change:
                while not (self._unread or self._ready):
                    if not self._open:
                        return
                    self._change.wait()
                full = len(self._ready) >= self.batch
                sample = self._unread.popleft() if self._unread and not full else None
                samples = [] if sample else self._take_ready()
            if sample:
                self._prepare(sample)
            else:
                self._predict(samples)

    def _take_ready(self) -> list[_Sample]:
        """Up to `batch` ready samples of one model, oldest first."""
        model = self._ready[0].request.model
        taken: list[_Sample] = []
        while self._ready and len(taken) < self.batch and self._ready[0].request.model is model:
            taken.append(self._ready.popleft())
        return taken

    def _prepare(self, sample: _Sample) -> None:
        request = sample.request
        if not request.is_wanted():
            self._finish([(sample, None)])
            return
        try:
            sample.prepared = request.model.prepare(request.raws[sample.row])
        except Exception as fault:
            self._finish([(sample, _in_words(fault))])
            return
        with self._change:
            self._ready.append(sample)  # this thread comes back for it; others need no waking

    def _predict(self, samples: list[_Sample]) -> None:
        wanted = [sample for sample in samples if sample.request.is_wanted()]
        self._finish([(sample, None) for sample in samples if sample not in wanted])
        if not wanted:
            return
        begun = time.perf_counter()
        answers = _answers(wanted)
        self.ran(len(wanted), time.perf_counter() - begun)
        self._finish(list(zip(wanted, answers, strict=True)))

    def _finish(self, outcomes: list[tuple[_Sample, Outcome | None]]) -> None:
        """Hand in outcomes (None: dropped) and answer the requests that are complete."""
        complete: list[Request] = []
        with self._change:
            self._waiting -= len(outcomes)
            for sample, outcome in outcomes:
                request = sample.request
                request.outcomes[sample.row] = outcome
                request.left -= 1
                if request.left == 0:
                    complete.append(request)
        for request in complete:
            known = [outcome for outcome in request.outcomes if outcome is not None]
            request.done(known if len(known) == len(request.raws) else None)


def _answers(samples: list[_Sample]) -> list[Outcome]:
    """One outcome a sample. A batch that fails is run again one by one, so that only the culprit's fails."""
    model = samples[0].request.model
    rows = [sample.prepared for sample in samples if sample.prepared is not None]
    try:
        outputs = model.run(together(rows))
        predictions = model.answer(outputs)
        assert len(predictions) == len(samples), "the task answers one prediction a row"
        return list(predictions)
    except Exception as fault:
        if len(samples) > 1:
            return [outcome for sample in samples for outcome in _answers([sample])]
        return [_in_words(fault)]


def _in_words(fault: Exception) -> SnowrollError:
    if isinstance(fault, SnowrollError):
        return fault
    if isinstance(fault, MemoryError):
        return DataError("this sample is too large for the memory left", cure="send a smaller one")
    return DataError(f"this sample could not be used ({type(fault).__name__})", cure="see /docs for what is taken")
