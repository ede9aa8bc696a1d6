"""What production sent, handed to the caller for the next roll: off the request path, bounded, allowed to fail."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic

from snowroll.base.nouns import Record

log = logging.getLogger("snowroll.serve")
_MOST = 512  # answers waiting to be stored
_AT_ONCE = 64  # in one call of on_record: one transaction of the store
TIDY_S = 600.0  # between two calls of tidy: what is kept may outlive its days by this much


@dataclass(frozen=True, slots=True)
class Seen:
    """One answered sample, with its bytes. `record.content` is their SHA-256."""

    record: Record
    raw: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """What the request path hands over; hashing is left to the capturing thread."""

    id: str
    model: str
    at: float  # UTC seconds
    prediction: object
    probability: float | None
    doubt: float
    source: str
    raw: bytes


class Capture:
    """A bounded queue and one thread that empties it into `on_record`. When it is full, copies are dropped."""

    def __init__(
        self,
        on_record: Callable[[list[Seen]], None],
        share: float,
        most_bytes: int,
        told: Callable[[str, int], None] = lambda outcome, count: None,
        tidy: Callable[[], None] = lambda: None,
        tidy_s: float = TIDY_S,
        clean: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """share: of the samples, kept. most_bytes: waiting in memory. told: how many were kept, dropped or failed.

        clean: takes out of a sample's bytes what must not be kept; what it cannot read is not kept at all.
        tidy: called at the start and every tidy_s seconds, whether anything comes in or not.
        """
        self._on_record, self._share, self._most_bytes, self._told = on_record, share, most_bytes, told
        self._tidy, self._tidy_s, self._clean = tidy, tidy_s, clean
        self._queue: deque[Answered] = deque()
        self._bytes = 0
        self._change = Condition()
        self._open = True
        self._thread = Thread(target=self._drain, name="capture", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store what is waiting, then end."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join()

    def wants(self, id: str) -> bool:
        """Whether this answer is in the sample. Ids are random hex, so their first digits draw the lot."""
        return int(id[:8], 16) < self._share * 0x1_0000_0000

    def offer(self, answered: Answered) -> None:
        """Queue a copy, or drop it when too much is waiting. Never blocks for long and never raises."""
        with self._change:
            room = len(self._queue) < _MOST and self._bytes + len(answered.raw) <= self._most_bytes
            if room:
                self._queue.append(answered)
                self._bytes += len(answered.raw)
                self._change.notify()
        if not room:
            self._told("dropped", 1)

    def _drain(self) -> None:
        due, going = monotonic(), True
        while going:
            if monotonic() >= due:
                self._tidy_up()
                due = monotonic() + self._tidy_s
            some, going = self._next(due)
            if some:
                self._store(some)

    def _next(self, due: float) -> tuple[list[Answered], bool]:
        """What waits, at latest when tidying is due; and whether to go on afterwards."""
        with self._change:
            self._change.wait_for(lambda: self._queue or not self._open, max(0.0, due - monotonic()))
            some = [self._queue.popleft() for _ in range(min(_AT_ONCE, len(self._queue)))]
            return some, self._open or bool(some)

    def _store(self, some: list[Answered]) -> None:
        kept = [seen for one in some if (seen := self._cleaned(one))]
        try:
            self._on_record(kept)
            self._told("kept", len(kept))
        except Exception as fault:  # a full disk must not stop the answers
            log.warning("%d answers were not kept: %s", len(some), fault)
            self._told("failed", len(kept))
        with self._change:
            self._bytes -= sum(len(one.raw) for one in some)

    def _cleaned(self, one: Answered) -> Seen | None:
        if self._clean is None:
            return _seen(one, one.raw)
        try:
            return _seen(one, self._clean(one.raw))
        except Exception as fault:  # not even one of ours: what follows must be kept, and what is old erased
            log.warning("an answer was not kept: %s", fault)
            self._told("failed", 1)
            return None

    def _tidy_up(self) -> None:
        try:
            self._tidy()
        except Exception as fault:  # tried again when it is next due
            log.warning("what is too old or too much was not erased: %s", fault)


def _seen(one: Answered, raw: bytes) -> Seen:
    content = hashlib.sha256(raw).hexdigest()
    record = Record(one.id, one.model, one.at, content, one.prediction, one.probability, one.doubt, one.source)
    return Seen(record, raw)
