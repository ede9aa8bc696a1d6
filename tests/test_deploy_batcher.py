"""The queue before the model: every accepted picture is answered once, by its own model, with its own answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError, SnowrollError
from snowroll.base.nouns import Prediction
from snowroll.deploy.batcher import Batcher, Full, Outcome, Request


@dataclass(eq=False)
class Doubler:
    """A real model of the smallest kind: bytes are a number, the answer is twice it plus the model's own offset."""

    offset: int = 0
    sizes: list[int] = field(default_factory=list)
    gate: threading.Event | None = None  # holds the body until set

    def prepare(self, raw: bytes) -> dict[str, np.ndarray]:
        if raw == b"bad":
            raise DataError("not a number")
        return {"prepared": np.array([[int(raw)]], dtype=np.int64)}

    def run(self, prepared: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.gate:
            assert self.gate.wait(10)
        numbers = prepared["prepared"]
        self.sizes.append(len(numbers))
        if (numbers == 666).any():
            raise RuntimeError("this number breaks the graph")
        return {"value": numbers * 2 + self.offset}

    def answer(self, outputs: Mapping[str, np.ndarray]) -> list[Prediction]:
        return [Prediction(int(row[0]), None, 0.0) for row in outputs["value"]]


class Waiter:
    """Collects one request's outcomes; fails the test if they come twice."""

    def __init__(self, model: Doubler, raws: Sequence[bytes], wanted: bool = True) -> None:
        self.ready = threading.Event()
        self.outcomes: list[Outcome] | None = []
        self.calls = 0
        self.wanted = wanted
        self.request = Request(model, raws, self.done, lambda: self.wanted)  # type: ignore[arg-type]

    def done(self, outcomes: list[Outcome] | None) -> None:
        self.calls += 1
        self.outcomes = outcomes
        self.ready.set()


def expected(raw: bytes, offset: int) -> object:
    return "error" if raw in (b"bad", b"666") else int(raw) * 2 + offset


def plain(outcome: Outcome) -> object:
    return "error" if isinstance(outcome, SnowrollError) else outcome.value


number = st.integers(0, 99).map(lambda n: str(n).encode())
picture = st.one_of(number, st.sampled_from([b"bad", b"666"]))
request = st.tuples(st.integers(0, 2), st.lists(picture, min_size=1, max_size=9))
requests = st.lists(request, min_size=1, max_size=12)


@given(plan=requests, threads=st.integers(1, 3), batch=st.integers(1, 6))
@settings(max_examples=60)
def test_each_picture_gets_its_own_answer_from_its_own_model(
    plan: list[tuple[int, list[bytes]]], threads: int, batch: int
) -> None:
    models = [Doubler(offset=1000 * n) for n in range(3)]
    batcher = Batcher(threads, batch, queue=1000)
    batcher.start()
    waiters = [Waiter(models[which], raws) for which, raws in plan]
    for waiter in waiters:
        batcher.submit(waiter.request)
    batcher.stop()  # finishes what was accepted
    for waiter, (which, raws) in zip(waiters, plan, strict=True):
        assert waiter.calls == 1
        assert waiter.outcomes is not None
        assert [plain(outcome) for outcome in waiter.outcomes] == [expected(raw, 1000 * which) for raw in raws]
    assert all(size <= batch for model in models for size in model.sizes)
    assert batcher.waiting == 0


def test_a_lone_picture_is_not_kept_waiting_for_others() -> None:
    model = Doubler()
    batcher = Batcher(2, 16, queue=10)
    batcher.start()
    waiter = Waiter(model, [b"4"])
    batcher.submit(waiter.request)
    assert waiter.ready.wait(5)
    assert model.sizes == [1]
    batcher.stop()


def test_what_arrives_while_the_body_runs_becomes_one_batch() -> None:
    model = Doubler(gate=threading.Event())
    batcher = Batcher(1, 16, queue=100)
    batcher.start()
    first = Waiter(model, [b"1"])
    batcher.submit(first.request)
    while batcher._ready or batcher._unread:  # until the body holds the first
        threading.Event().wait(0.001)
    others = [Waiter(model, [str(n).encode()]) for n in range(10)]
    for waiter in others:
        batcher.submit(waiter.request)
    assert model.gate is not None
    model.gate.set()
    batcher.stop()
    assert model.sizes == [1, 10]


def test_a_full_queue_refuses_whole_requests_and_recovers() -> None:
    model = Doubler(gate=threading.Event())
    batcher = Batcher(1, 4, queue=5)
    batcher.start()
    accepted = [Waiter(model, [b"1", b"2"]) for _ in range(2)]
    for waiter in accepted:
        batcher.submit(waiter.request)
    with pytest.raises(Full):
        batcher.submit(Waiter(model, [b"3", b"4"]).request)
    assert batcher.waiting == 4
    assert model.gate is not None
    model.gate.set()
    assert all(waiter.ready.wait(5) for waiter in accepted)
    late = Waiter(model, [b"5"] * 5)
    while batcher.waiting:
        threading.Event().wait(0.001)
    batcher.submit(late.request)
    assert late.ready.wait(5)
    batcher.stop()


def test_unwanted_work_is_dropped_and_frees_the_queue() -> None:
    model = Doubler(gate=threading.Event())
    batcher = Batcher(1, 1, queue=10)
    batcher.start()
    first = Waiter(model, [b"1"])
    batcher.submit(first.request)
    gone = Waiter(model, [b"2", b"3"])
    batcher.submit(gone.request)
    gone.wanted = False
    assert model.gate is not None
    model.gate.set()
    batcher.stop()
    assert first.calls == 1
    assert (gone.calls, gone.outcomes) == (1, None)
    assert model.sizes == [1]
    assert batcher.waiting == 0
