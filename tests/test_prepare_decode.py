"""Children that decode: what kills one costs one item, and nothing they say is trusted."""

import gc
import io
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import decode_jobs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.prepare import wire
from snowroll.prepare.decode import Guarded, limited


@pytest.mark.slow
def test_a_culprit_is_named_and_the_rest_go_on() -> None:
    deeds = [b"crash", b"killed", b"spin", b"memory", b"refuse", b"bug", b"print"]
    jobs = [(deed.decode(), deed) for deed in deeds] + [(str(i), bytes(i)) for i in range(60)]
    got = dict(limited(decode_jobs.obey, sorted(jobs), workers=2, memory_mb=700, seconds_each=0.7))
    assert len(got) == len(jobs)
    assert {key: got[key] for key in got if key.isdigit()} == {str(i): i for i in range(60)}
    assert got["print"] == 5
    told = {key: value.what for key, value in got.items() if isinstance(value, DataError)}
    assert set(told) == {"crash", "killed", "spin", "memory", "refuse", "bug"}
    assert "SIGSEGV" in told["crash"]
    assert "killed" in told["killed"]
    assert "more than 0.7 s" in told["spin"]
    assert "more than 700 MB" in told["memory"]
    assert told["refuse"] == "not a picture"
    assert "KeyError: 'oops'" in told["bug"]
    assert got["refuse"].where == "here"


@pytest.mark.slow
def test_a_decoder_that_hangs_without_using_the_processor_is_ended() -> None:
    got = dict(limited(decode_jobs.obey, [(1, b"hang"), (2, b"xx")], workers=1, seconds_each=0.05))
    assert "hung" in got[1].what
    assert got[2] == 2


def test_a_child_imports_neither_torch_nor_the_parents_main() -> None:
    assert dict(limited(decode_jobs.obey, [(0, b"modules")], workers=1)) == {0: ["decode_jobs"]}


def test_arrays_and_promised_dataclasses_come_back_and_others_do_not() -> None:
    ((_, seen),) = limited(decode_jobs.see, [(0, b"abc")], workers=1)
    assert (seen.size, seen.text, seen.pixels.tolist()) == (3, "abc", [[97, 98, 99]])
    ((_, lie),) = limited(decode_jobs.lie, [(0, b"abc")], workers=1)
    assert isinstance(lie, DataError)
    assert "not promised" in lie.what


def test_jobs_are_drawn_as_needed_and_an_early_end_leaves_nothing_behind() -> None:
    drawn: list[int] = []

    def jobs() -> Iterator[tuple[int, bytes]]:
        for i in range(100_000):
            drawn.append(i)
            yield i, b"x"

    before = threading.active_count()
    results = limited(decode_jobs.obey, jobs(), workers=2)
    assert next(results)[1] == 1
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(drawn) < 5_000


def test_an_error_of_the_reader_reaches_the_caller() -> None:
    def jobs() -> Iterator[tuple[int, bytes]]:
        yield 0, b"x"
        raise DataError("the disk is gone")

    with pytest.raises(DataError, match="disk is gone"):
        list(limited(decode_jobs.obey, jobs(), workers=1))


def test_a_function_that_no_child_can_import_is_our_mistake_and_says_so() -> None:
    with pytest.raises(TypeError, match="top of an importable file"):
        list(limited(lambda raw: raw, [(0, b"")], workers=1))
    missing = partial(decode_jobs.obey)
    missing.func.__qualname__, was = "absent", missing.func.__qualname__
    try:
        with pytest.raises(RuntimeError, match="absent"):
            list(limited(missing, [(0, b"")], workers=1))
    finally:
        missing.func.__qualname__ = was


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text(), st.binary(),
        st.lists(st.integers(0, 255), max_size=5).map(lambda v: np.array(v, np.uint8)),
        st.integers(0, 9).map(lambda n: np.zeros((n, 2), np.float32)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=8,
)  # fmt: skip


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


@pytest.mark.slow
@given(VALUES)
def test_a_message_says_what_it_was_given(value: object) -> None:
    file = io.BytesIO()
    wire.send(file, value)
    file.seek(0)
    assert same(value, wire.receive(file))


FORGED = [
    b'{"@": "array", "dtype": "|O", "shape": [1]}',
    b'{"@": "array", "dtype": "|u1", "shape": [-1]}',
    b'{"@": "array", "dtype": "|u1", "shape": [9999999999]}',
    b'{"@": "array", "dtype": "f8", "shape": ["x"]}',
    b'{"@": "bytes", "size": 1e9}',
    b'{"@": "made", "from": []}',
    b"nonsense",
    b"\xff",
]


@pytest.mark.parametrize("head", FORGED)
def test_a_forged_message_is_refused(head: bytes) -> None:
    with pytest.raises((ValueError, EOFError, TypeError)):
        wire.receive(io.BytesIO(len(head).to_bytes(4, "big") + head + b"x" * 50))


@pytest.mark.slow
def test_a_guarded_call_outlives_what_it_is_sent() -> None:
    call = Guarded(decode_jobs.obey, seconds_each=1)
    assert call(b"four") == 4
    for raw, words in ((b"crash", "SIGSEGV"), (b"spin", "more than 1 s"), (b"refuse", "not a picture")):
        with pytest.raises(DataError, match=words):
            call(raw)
        assert call(b"still here") == 10


def test_a_child_killed_from_outside_costs_no_answer() -> None:
    call = Guarded(decode_jobs.obey)
    pid = call(b"pid")
    os.kill(pid, signal.SIGKILL)
    assert call(b"pid") != pid


@pytest.mark.slow
def test_guarded_calls_from_many_threads_have_a_child_each_and_end_with_their_owner() -> None:
    call = Guarded(decode_jobs.obey)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, [b"x" * number for number in range(40)])) == list(range(40))
    pids = [child.pid for child in call.children]
    assert 1 <= len(pids) <= 4
    del call
    gc.collect()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
