"""Foreign bytes are parsed in mortal, limited children: a hostile file costs one item, never the run.

Each child is a fresh interpreter (no fork of a process that holds threads, torch or a database), imports numpy, PIL
and the module of the function it was given, may take so much memory, and so many seconds for each item. It is sent
bytes and never opens the user's files itself: that is done in one place (`disk.py`), which refuses links. That costs a
copy through a pipe; what is large on the way back (pixels for the pack) the child writes into the pack's memory map and
only says that it did.

When a child dies, a new one gets what was not answered, one by one; the item that this one dies of is tried once more,
alone: dying again makes it the culprit, named with the cause; all others go on.
"""

from __future__ import annotations

import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast

from snowroll.base.device import cores
from snowroll.base.errors import DataError
from snowroll.prepare import wire

K = TypeVar("K")
_CHUNK = 32  # items sent at once, so that a child need not wait for the engine after each; measured, flat from 16 on
_CHUNK_BYTES = 1 << 20
_TOGETHER = 8  # answers that a child hands over at once: whoever is woken for each of them does little else
_PATIENCE = 20  # wall seconds allowed for each CPU second: a busy machine is slow, a hanging decoder never ends
_START = "from snowroll.prepare.decode import serve; serve()"


def limited(
    fn: Callable[[bytes], Any],
    jobs: Iterable[tuple[K, bytes]],
    workers: int = 0,
    memory_mb: int = 2048,
    seconds_each: float = 30.0,
) -> Iterator[tuple[K, Any]]:
    """(key, fn(bytes)) for every job, in the order of completion; a DataError in the place of what failed.

    fn: a module-level function, a stateless object's method, or a partial of them (see `wire.spell_call`), returning
    JSON, arrays, dicts of arrays, or the dataclass its signature promises. workers: 0 for one a core. memory_mb: a
    child's address space. seconds_each: CPU seconds for one item. Jobs are drawn as they are needed.
    """
    call = wire.spell_call(fn)
    crew = _Crew(iter(jobs), lambda: _Child(call, wire.promise(fn), memory_mb, seconds_each), workers or cores())
    try:
        yield from crew.results()
    finally:
        crew.dismiss()


class Guarded:
    """`fn` for callers who wait for the answer, from any thread: one warm child for each of them at a time.

    The first child starts with the object, so that it is up when it is needed; all end with it. `limited` is for many
    jobs at once; this is a server's door: one request's bytes, one answer.
    """

    def __init__(self, fn: Callable[[Any], Any], memory_mb: int = 2048, seconds_each: float = 30.0) -> None:
        """See `limited`. fn: of bytes, or of JSON and bytes."""
        call, promised = wire.spell_call(fn), wire.promise(fn)
        self._hire = partial(_Child, call, promised, memory_mb, seconds_each)
        first = self._hire()
        self.children, self._starting = {first}, [first]  # started, not known to be up
        self._idle: list[_Child] = []
        weakref.finalize(self, _dismiss, self.children)

    def __call__(self, raw: Any) -> Any:
        """What `fn(raw)` returns. Raises DataError where it does, and for bytes that kill two children."""
        cause = ""
        for _ in range(2):
            child = self._take()
            try:
                child.ask([raw])
                found = child.answer()
            except (EOFError, OSError):
                cause = child.cause_of_death()
                self._let_go(child)
                continue
            self._idle.append(child)
            if isinstance(found, DataError):
                raise found
            return found
        raise DataError(cause, cure="send another file")

    def _take(self) -> _Child:
        with suppress(IndexError):
            return self._idle.pop()
        try:
            child = self._starting.pop()
        except IndexError:
            child = self._hire()
            self.children.add(child)
        child.wait_until_ready()
        return child

    def _let_go(self, child: _Child) -> None:
        child.kill()
        self.children.discard(child)


def _dismiss(children: set[_Child]) -> None:
    for child in list(children):
        child.kill()


class _Crew:
    """One thread for each child: takes a chunk of jobs, passes it on, hands back what the child answers."""

    def __init__(self, jobs: Iterator[tuple[Any, bytes]], hire: Callable[[], _Child], workers: int) -> None:
        self._jobs, self._hire, self._turn = jobs, hire, threading.Lock()
        self._answers: queue.Queue[Any] = queue.Queue(maxsize=4 * _CHUNK * workers)
        self._over = threading.Event()
        self._children: set[_Child] = set()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(workers)]

    def results(self) -> Iterator[tuple[Any, Any]]:
        for thread in self._threads:
            thread.start()
        working = len(self._threads)
        while working:
            answer = self._answers.get()
            if answer is None:
                working -= 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                yield answer

    def dismiss(self) -> None:
        self._over.set()
        for child in list(self._children):
            child.kill()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self) -> None:
        child: _Child | None = None
        try:
            while chunk := self._take():
                one_by_one = False
                while chunk and not self._over.is_set():
                    child = child or self._new_child()
                    given = chunk[:1] if one_by_one else chunk
                    answered = self._pass_on(child, given)
                    if answered < len(given):
                        self._let_go(child)
                        child = None
                        if one_by_one:
                            self._answer((given[0][0], self._retry(given[0][1])))
                            answered += 1
                        one_by_one = not one_by_one
                    chunk = chunk[answered:]
        except BaseException as fault:  # ours, or the reader's: shown where the results are read
            self._answer(fault)
        finally:
            if child:
                self._let_go(child)
            self._answer(None)

    def _take(self) -> list[tuple[Any, bytes]]:
        """The next jobs: a chunk of them, or one where it is large."""
        chunk: list[tuple[Any, bytes]] = []
        size = 0
        with self._turn:
            while len(chunk) < _CHUNK and size < _CHUNK_BYTES and not self._over.is_set():
                job = next(self._jobs, None)
                if job is None:
                    break
                chunk.append(job)
                size += len(job[1])
        return chunk

    def _pass_on(self, child: _Child, chunk: list[tuple[Any, bytes]]) -> int:
        """How many answers came before the child died: all, as a rule. It may have been further on than they tell."""
        try:
            child.ask([raw for _, raw in chunk])
            for number, (key, _) in enumerate(chunk):
                try:
                    result = child.answer()
                except (EOFError, OSError):
                    return number
                self._answer((key, result))
        except OSError:
            return 0
        return len(chunk)

    def _retry(self, raw: bytes) -> Any:
        child = self._new_child()
        try:
            child.ask([raw])
            return child.answer()
        except (EOFError, OSError):
            return DataError(child.cause_of_death(), cure="replace or remove the file")
        finally:
            self._let_go(child)

    def _new_child(self) -> _Child:
        child = self._hire()
        self._children.add(child)
        if self._over.is_set():
            child.kill()
        child.wait_until_ready()
        return child

    def _let_go(self, child: _Child) -> None:
        child.kill()
        self._children.discard(child)

    def _answer(self, answer: Any) -> None:
        while not self._over.is_set():
            with suppress(queue.Full):
                self._answers.put(answer, timeout=0.2)
                return


class _Child:
    """One limited interpreter at the other end of two pipes."""

    def __init__(self, call: Any, promised: type | None, memory_mb: int, seconds_each: float) -> None:
        self._promised, self._memory_mb, self._seconds = promised, memory_mb, seconds_each
        self._forged = False
        # one thread each: BLAS pools would take address space and fight over the cores
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libtiff and libpng chatter; the child reports its own faults
            env={**os.environ, **quiet, "PYTHONPATH": paths},
            pipesize=_CHUNK_BYTES,
        )
        self._to = cast("BinaryIO", self._process.stdin)
        self._from = cast("BinaryIO", self._process.stdout)
        with suppress(OSError):
            wire.send(self._to, {"call": call, "memory_mb": memory_mb, "seconds_each": seconds_each})

    def wait_until_ready(self) -> None:
        """Raises RuntimeError where the function cannot even be imported: our mistake, not the file's."""
        try:
            trouble = wire.receive(self._from)
        except (EOFError, OSError):
            trouble = f"it ended with {self._process.wait()}"
        if trouble is not None:
            raise RuntimeError(f"a decoding child did not start: {trouble}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, items: list[Any]) -> None:
        wire.send(self._to, items)

    def answer(self) -> Any:
        """Raises EOFError or OSError where the child died, or says what it cannot say unless something took it over."""
        try:
            told = wire.receive(self._from, self._promised)
            return DataError(**told["error"]) if "error" in told else told["result"]
        except (ValueError, TypeError, LookupError, RecursionError) as fault:
            self._forged = True
            self._process.kill()
            raise EOFError from fault

    def cause_of_death(self) -> str:
        code = self._process.wait()
        if self._forged:
            return "decoding answered something that was not promised"
        if code == -signal.SIGPROF:
            return f"decoding took more than {self._seconds:g} s"
        if code == -signal.SIGALRM:
            return f"decoding hung for more than {self._seconds * _PATIENCE:g} s"
        if code == -signal.SIGKILL:
            return f"decoding was killed, most likely for want of memory (limit {self._memory_mb:,} MB)"
        return f"decoding crashed ({signal.Signals(-code).name if code < 0 else f'exit {code}'})"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._to, self._from):
            with suppress(OSError):  # what was still to be written has no reader any more
                pipe.close()


def serve() -> None:
    """The child's life: be limited, learn the function, answer chunk after chunk until the engine is gone."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", _CHUNK_BYTES)
    os.dup2(2, 1)  # nothing that a library prints may mix with the answers
    order = wire.receive(source)
    _limit(order["memory_mb"])
    try:
        fn = wire.read_call(order["call"])
        wire.send(sink, None)
    except Exception:
        wire.send(sink, traceback.format_exc())
        return
    with suppress(EOFError, BrokenPipeError):
        while True:
            for number, raw in enumerate(wire.receive(source), 1):
                # both kill: a loop inside a C decoder never returns to Python to be asked
                signal.setitimer(signal.ITIMER_PROF, order["seconds_each"])
                signal.setitimer(signal.ITIMER_REAL, order["seconds_each"] * _PATIENCE)
                answer = _try(fn, raw, order["memory_mb"])
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
                wire.send(sink, answer, flush=number % _TOGETHER == 0)
            sink.flush()


def _limit(memory_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # some systems do not limit address space
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))


def _try(fn: Callable[[bytes], Any], raw: bytes, memory_mb: int) -> dict[str, Any]:
    try:
        return {"result": fn(raw)}
    except DataError as fault:
        what, where, cure = fault.what, fault.where, fault.cure
    except MemoryError:
        what, where, cure = f"decoding needs more than {memory_mb:,} MB", "", "shrink it or remove the file"
    except Exception as fault:  # any library's idea of damaged input
        text = " ".join(str(fault).split())[:200]
        what, where, cure = f"cannot be read ({type(fault).__name__}: {text})", "", "replace or remove the file"
    return {"error": {"what": what, "where": where, "cure": cure}}
