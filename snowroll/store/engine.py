"""All that is SQLite's own: how the catalog file is opened, how processes take turns, what its errors mean.

A server database would replace this file alone; everything else speaks SQLAlchemy Core.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from snowroll.base.errors import StoreError

BUSY_MS = 20_000  # how long SQLite itself waits for a stranger's lock; our own processes queue at the turnstile


def writing_engine(path: Path) -> Engine:
    """Connections that write: durable at every commit, deleted bytes overwritten, one writer at a time."""

    def prepare(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        _run(
            raw,
            f"PRAGMA busy_timeout={BUSY_MS}",
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",  # an acknowledged row survives a power cut, not only a killed process
            "PRAGMA foreign_keys=ON",
            "PRAGMA secure_delete=ON",
            "PRAGMA temp_store=MEMORY",  # nothing about production inputs in a temp folder
        )

    return _engine(f"file:{_quoted(path)}", prepare, "BEGIN IMMEDIATE")


def reading_engine(path: Path, frozen: bool) -> Engine:
    """Connections that only read. `frozen`: the folder cannot be written to, so no lock or log file may be made."""
    # immutable ignores the log, so a folder frozen after a crash is read through its log while that exists
    has_log = log_of(path).exists() and log_of(path).stat().st_size > 0
    mode = "mode=ro&immutable=1" if frozen and not has_log else "mode=ro"

    def prepare(raw: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        _run(raw, f"PRAGMA busy_timeout={BUSY_MS}", "PRAGMA query_only=ON", "PRAGMA temp_store=MEMORY")

    return _engine(f"file:{_quoted(path)}?{mode}", prepare, "BEGIN")


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def scrub(path: Path, patience_s: float = 20.0) -> bool:
    """Rewrite the file so that no deleted byte is left in it or in its log. False: a reader was in the way."""
    deadline = time.monotonic() + patience_s
    with Turnstile(path.parent):
        raw = sqlite3.connect(path, isolation_level=None)
        try:
            _run(raw, f"PRAGMA busy_timeout={BUSY_MS}", "PRAGMA secure_delete=ON", "PRAGMA temp_store=MEMORY")
            raw.execute("VACUUM")
            while raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
            return True
        except sqlite3.Error as fault:
            raise in_words(fault, path) from fault
        finally:
            raw.close()


def damage(path: Path, frozen: bool) -> list[str]:
    """What SQLite's own checks of the file find: torn pages, broken indexes, rows that point nowhere."""
    engine = reading_engine(path, frozen)
    try:
        with engine.connect() as conn:
            found = [str(row[0]) for row in conn.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
            lost = conn.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        return found + [f"a row of {table} names a {parent} that is not there" for table, _, parent, _ in lost]
    except SQLAlchemyError as fault:
        return [str(in_words(fault, path))]
    finally:
        engine.dispose()


class Turnstile:
    """Processes write in turns. SQLite's busy handler sleeps and retries, so one process can starve another
    (measured: 1 commit against 1,581). Here whoever wants to write waits at the gate first, then for the turn: who has
    just written finds the waiting one at the gate. The kernel frees both locks when a process is killed.
    """

    def __init__(self, folder: Path) -> None:
        """Raises StoreError where the locks cannot be opened."""
        self._folder, flags = folder, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self._gate = os.open(folder / "write.gate", flags, 0o666)  # less the umask: who may write may take turns
            self._turn = os.open(folder / "write.turn", flags, 0o666)
        except OSError as fault:
            raise self._in_words(fault) from None

    def __enter__(self) -> Turnstile:
        """Raises StoreError where the folder knows no locks."""
        try:
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            fcntl.flock(self._gate, fcntl.LOCK_UN)
        except OSError as fault:
            raise self._in_words(fault) from None
        return self

    def _in_words(self, fault: OSError) -> StoreError:
        told = f"its writers cannot take turns ({fault.strerror or fault})"
        return StoreError(told, where=self._folder, cure="see that you may write there, and that it knows file locks")

    def __exit__(self, kind: type | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._gate)
        os.close(self._turn)


def is_full(fault: BaseException) -> bool:
    """Whether SQLite ran out of room. A file-size limit shows as 'disk I/O error'."""
    return "disk is full" in str(fault) or "disk I/O error" in str(fault)


def in_words(fault: BaseException, path: Path) -> StoreError:
    """A database error as one line with a cure."""
    text = str(fault.orig if isinstance(fault, DBAPIError) else fault)
    if is_full(fault):
        return StoreError("the disk is full; what was acknowledged is safe", where=path, cure="free some space")
    if isinstance(fault, IntegrityError):
        cure = "add first what it names" if "FOREIGN KEY" in text else "store values of the right kind"
        return StoreError(f"refused by the catalog: {text}", where=path, cure=cure)
    if "locked" in text or "busy" in text:
        return StoreError("another program holds the catalog", where=path, cure="close it and repeat the command")
    if "readonly" in text:
        return StoreError("this project cannot be written to", where=path, cure="copy it to a writable place")
    if "malformed" in text or "not a database" in text:
        return StoreError("the catalog is damaged", where=path, cure="run `snowroll doctor`, restore a backup")
    return StoreError(f"the catalog failed: {text}", where=path, cure="run `snowroll doctor`")


def _engine(uri: str, prepare: Callable[[DBAPIConnection, ConnectionPoolEntry], None], begin: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # isolation_level None: Python's own guesses at BEGIN are off, SQLAlchemy's "begin" event says it
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool, pool_size=8, max_overflow=-1)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda conn: _begin(conn, begin))
    return engine


def _begin(conn: Connection, statement: str) -> None:
    conn.exec_driver_sql(statement)


def _run(raw: DBAPIConnection | sqlite3.Connection, *statements: str) -> None:
    cursor = raw.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _quoted(path: Path) -> str:
    # '?', '#' and '%' mean something in an SQLite URI
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
