"""Samples as pictures for the screen: drawn by the task in a limited child, re-encoded, kept a short while.

What reaches the browser is never the user's file: pixels only, without metadata, as PNG or WebP.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import Json, Sample
from snowroll.base.task import find_task
from snowroll.prepare.decode import limited

LONGEST_PX = 2560  # of either side; a screen shows no more. A guess
LOSSLESS = 1 << 20  # pixels up to which nothing may be lost: a scratch is thinner than an artefact
_BYTES = 64 << 20  # kept at most; a queue ahead of ten photos takes about 20 MB


class Pictures:
    """Screen pictures by sample, prepared ahead: a batch costs one child, and waiting only for the first of it."""

    def __init__(self, read: Callable[[str], bytes], task: str, schema: Mapping[str, Json]) -> None:
        self._read, self._draw = read, partial(draw, task, dict(schema))
        self._kept: OrderedDict[str, Future[bytes]] = OrderedDict()
        self._turn = threading.Lock()
        self._crew = ThreadPoolExecutor(2, "pictures")

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Begin to draw those that are not at hand."""
        with self._turn:
            new = {s.id: (s, Future[bytes]()) for s in samples if s.id not in self._kept}
            self._kept.update((id, future) for id, (_, future) in new.items())
            self._shrink()
        if new:
            self._crew.submit(self._work, new)

    def get(self, sample: Sample) -> bytes:
        """The picture, encoded. Raises DataError or StoreError in plain words where there is none, RuntimeError where
        no child could be started.
        """
        self.prepare([sample])
        with self._turn:
            future = self._kept[sample.id]
            self._kept.move_to_end(sample.id)
        try:
            return future.result()
        except Exception:
            with self._turn:
                self._kept.pop(sample.id, None)  # asked again, it is tried again: disk or memory may be back
            raise

    def close(self) -> None:
        self._crew.shutdown(wait=False, cancel_futures=True)

    def _work(self, new: Mapping[str, tuple[Sample, Future[bytes]]]) -> None:
        waiting = {id: future for id, (_, future) in new.items()}

        def jobs() -> Iterator[tuple[str, bytes]]:
            for id, (sample, future) in new.items():
                try:
                    yield id, self._read(sample.where)
                except SnowrollError as fault:
                    waiting.pop(id)
                    future.set_exception(fault)

        try:
            for id, drawn in limited(self._draw, jobs(), workers=1):
                future = waiting.pop(id)
                if isinstance(drawn, SnowrollError):
                    future.set_exception(drawn)
                else:
                    future.set_result(drawn)
        except BaseException as fault:  # whoever waits for the rest must hear of it
            for future in waiting.values():
                future.set_exception(fault)

    def _shrink(self) -> None:
        """Let the pictures go that were not asked for longest."""
        done = [(id, len(f.result())) for id, f in self._kept.items() if f.done() and not f.exception()]
        over = sum(size for _, size in done) - _BYTES
        for id, size in done:
            if over <= 0:
                return
            del self._kept[id]
            over -= size


def draw(task: str, schema: dict[str, Json], raw: bytes) -> bytes:
    """One sample as the task shows it to people, as PNG (small) or WebP (large). Runs in a child."""
    import io

    drawer = find_task(task)
    image = drawer.draw(raw, None, None, schema)
    if not getattr(drawer, "in_pixels", False):  # else a person's answer is in the file's own pixels
        image.thumbnail((LONGEST_PX, LONGEST_PX))
    out = io.BytesIO()
    if image.width * image.height <= LOSSLESS:
        image.save(out, "PNG", compress_level=1)  # loopback is fast, waiting is not
    else:
        image.save(out, "WebP", quality=95, method=1)
    return out.getvalue()
