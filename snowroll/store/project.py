"""A project folder: the user's config, and what Snowroll keeps in `.snowroll/` and `runs/`.

parts/
  snowroll.toml
  .snowroll/  catalog.sqlite  blobs/  packs/  locks/  reserve
  runs/0007-train/
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, func, select

from snowroll.base import atomic
from snowroll.base.errors import StoreError, UsageError
from snowroll.base.nouns import Record
from snowroll.base.settings import FILE
from snowroll.store import changes, erase, invariants, tables
from snowroll.store.catalog import Catalog
from snowroll.store.engine import scrub
from snowroll.store.files import Blobs
from snowroll.store.journal import Entry
from snowroll.store.rows import Forgotten, RunFolder

RESERVE = 1 << 20  # bytes kept aside so that a full disk still lets us delete and checkpoint; a guess
IDLE_S = 86_400.0  # a blob may wait this long for the row that names it: longer than any verb takes
TIDY_S = 3_600.0  # how often a server looks for such blobs: it walks over all of them


class Project:
    """An open project. `with Project.open(root) as project:` closes it; a killed process needs no closing."""

    def __init__(self, root: Path, read_only: bool, clock: Callable[[], float] = time.time) -> None:
        self.root, self.read_only, self.clock = root, read_only, clock
        self.dot, self.runs, self.config = root / ".snowroll", root / "runs", root / FILE
        self.packs = self.dot / "packs"
        self.blobs = Blobs(self.dot / "blobs")
        self.frozen = read_only and not _is_writable(self.dot)
        self._tidied = -IDLE_S  # when idle blobs were last looked for
        self.catalog = Catalog(self.dot / "catalog.sqlite", read_only, self.frozen, clock)

    @staticmethod
    def create(root: Path, data: Path | None, settings_text: str, clock: Callable[[], float] = time.time) -> Project:
        """Make `root` a project and open it; finishes what a killed `create` began. The config is written last, so
        that a folder with a config is a project. `data`: the user's files, only looked at. Raises UsageError if one
        is there already.
        """
        if (root / FILE).exists():
            raise UsageError("this is a project already", where=root / FILE, cure="edit the file, or use flags")
        if data is not None and not data.exists():
            raise UsageError("there is no such folder", where=data, cure="give the folder that holds your data")
        Project.furnish(root)
        atomic.write_text(root / FILE, settings_text)
        return Project.open(root, clock=clock)

    @staticmethod
    def furnish(root: Path) -> None:
        """Make what Snowroll keeps of a project, empty, as far as it is not there: a copy of a project's config alone,
        such as a clone, has none of it.
        """
        try:
            for folder in (root / ".snowroll" / "blobs", root / ".snowroll" / "packs", root / "runs"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise StoreError(f"cannot be made a project ({fault.strerror})", where=root) from None
        Catalog.create(root / ".snowroll" / "catalog.sqlite")

    @staticmethod
    def open(root: Path, read_only: bool = False, clock: Callable[[], float] = time.time) -> Project:
        """The project at `root`; read-only where the folder cannot be written to.

        Opening for writing clears up after killed processes: temp files, unfinished erasures.
        """
        catalog = root / ".snowroll" / "catalog.sqlite"
        if not catalog.is_file():
            raise StoreError("this project has no catalog", where=catalog, cure=f"run `snowroll init {root}`")
        project = Project(root, read_only or not _is_writable(root / ".snowroll"), clock)
        if not project.read_only:
            project._clear_up()
        return project

    def close(self) -> None:
        self.catalog.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # locks and runs -------------------------------------------------------------------------------------------------

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold this project's `name` lock ("train", "roll"). Refused at once if another process holds it; the kernel
        frees it when the holder dies, however it dies.
        """
        path = self.dot / "locks" / name
        handle = _open_lock(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            told = f"another '{name}' runs in this project (process {holder})"
            raise StoreError(told, where=self.root, cure="wait for it to end, or stop it") from None
        _close_in_children().add(handle)
        try:
            os.pwrite(handle, f"{os.getpid():<31}\n".encode(), 0)
            yield
        finally:
            _close_in_children().discard(handle)
            os.close(handle)

    def new_run(self, kind: str) -> RunFolder:
        """A run with a number of its own and an empty folder, runs/0007-train."""

        def make(name: str) -> bool:
            folder = self.runs / name
            folder.mkdir(parents=True, exist_ok=True)
            # a killed `new_run` may have left an empty folder: it is taken over
            return not any(folder.iterdir()) and not list(self.runs.glob(f"{name[:5]}*/*"))

        number, name = self.catalog.write(lambda conn: changes.new_run(conn, kind, make, self.clock()))
        return RunFolder(number, self.runs / name)

    def run(self, number: int) -> RunFolder:
        """The folder of a run. Raises StoreError if there is no such run."""
        return RunFolder(number, self.run_folder(number))

    def run_folder(self, number: int) -> Path:
        run = self.catalog.run(number)
        if run is None:
            raise StoreError(f"there is no run {number}", where=self.root, cure=f"see `snowroll status {self.root}`")
        return self.runs / run.folder

    # production inputs ----------------------------------------------------------------------------------------------

    def capture(self, inputs: Sequence[tuple[Record, bytes]]) -> int:
        """Keep what production sent, each record with its input. Known record ids are passed over. Returns how many
        were new. A record's `content` must be the SHA-256 of its input.
        """
        for record, raw in inputs:
            if self.blobs.put(raw) != record.content:
                raise StoreError(f"record {record.id} does not hold the hash of its input", where=self.root)

        def ready() -> None:
            for record, raw in inputs:
                if not self.blobs.has(record.content):
                    self.blobs.put(raw)

        return self.catalog.add_records([(record, len(raw)) for record, raw in inputs], ready)

    def prune(self, now: float, max_bytes: int | None = None, max_age_s: float | None = None) -> list[str]:
        """Evict records, oldest first, until they are neither too old nor too many bytes. Returns their ids.

        Training data and open questions are not evicted, and do not count.
        """

        def job(conn: Connection) -> list[str]:
            ids = erase.oldest_beyond(conn, self.blobs, now, max_bytes, max_age_s)
            if ids:
                erase.evict(conn, ids, self.blobs, now)
            return ids

        evicted = self.catalog.write(job)
        if evicted:
            self.catalog.write(lambda conn: erase.delete_contents(conn, self.blobs))
        if now - self._tidied > TIDY_S or now < self._tidied:
            self._tidied = now
            self._drop_idle_blobs(now - IDLE_S)
        return evicted

    def forget(self, record: str) -> Forgotten:
        """Erase a record and all others of the same input: the input, rows, the samples and labels made of it, the
        pictures its runs show, caches, deleted pages.

        Said again it answers the same, and goes on where it was stopped; so does the next opening. Raises StoreError
        if there never was such a record, or if a long-running reader keeps old pages alive.
        """
        self.catalog.write(lambda conn: erase.forget_input(conn, record, self.blobs, self.clock()))
        erasure, owed = self.catalog.read(lambda conn: (erase.erasure_of(conn, record), erase.owed(conn)))
        if erasure is None:
            raise StoreError(f"there is no record '{record}'", where=self.root, cure="it may have grown too old")
        shown = self._pictures([one for one in owed if one == erasure])
        if not self._finish_erasing():
            cure = "stop `serve` and `label`, then repeat the command"
            raise StoreError("erased, but a reader keeps deleted pages alive", where=self.catalog.path, cure=cure)
        return Forgotten(tuple(erasure.body["ids"]), tuple(erasure.body["runs"]), len(shown))

    def disk(self) -> dict[str, int]:
        """Bytes by what they are kept for: runs, packs (a cache, safe to delete) and production's inputs."""
        inputs = self.catalog.read(lambda conn: conn.execute(select(func.sum(tables.records.c.bytes))).scalar())
        return {"runs": _bytes_under(self.runs), "packs": _bytes_under(self.packs), "inputs": inputs or 0}

    def _drop_idle_blobs(self, before: float) -> None:
        """Delete blobs that nothing names and nobody wrote lately: a capture was killed before its record was kept."""

        def job(conn: Connection) -> None:
            named = erase.named_blobs(conn)
            for sha in self.blobs.all():
                if sha not in named and self.blobs.path(sha).stat().st_mtime < before:
                    self.blobs.forget(sha)

        self.catalog.write(job)

    def check_invariants(self, deep: bool = False) -> list[str]:
        """A sentence for each thing that is not as it must be; empty if all is well. `deep` hashes every blob."""
        return invariants.broken(self, deep)

    def _finish_erasing(self) -> bool:
        """Contents; where something was forgotten also pictures, caches and pages, and the note that these are owed
        goes last. False: a reader holds old pages.
        """
        owed = self.catalog.read(erase.owed)
        self.catalog.write(lambda conn: erase.delete_contents(conn, self.blobs))
        if not owed:  # retention was stopped: its caches stay, for a run may be learning from them
            return True
        for path in self._pictures(owed):
            _delete(path)
        shutil.rmtree(self.packs, ignore_errors=True)  # decoded copies; made again when needed
        self.packs.mkdir(exist_ok=True)
        if not scrub(self.catalog.path):
            return False
        self.catalog.write(lambda conn: erase.done(conn, owed))
        return True

    def _pictures(self, erasures: Sequence[Entry]) -> list[Path]:
        """What may show the forgotten inputs in the folders of the runs that learned from them."""
        learned = {run for erasure in erasures for run in erasure.body["runs"]}
        return [path for run in sorted(learned) for path in erase.pictures(self.run_folder(run))]

    def _clear_up(self) -> None:
        atomic.sweep(self.dot)
        atomic.sweep(self.runs)
        reserve = self.dot / "reserve"
        if not reserve.exists():
            with suppress(StoreError):  # the disk is full already: reading and deleting still work
                atomic.publish(reserve, _reserve)
        if self.catalog.read(erase.is_pending):
            self._finish_erasing()


def _open_lock(path: Path) -> int:
    try:
        path.parent.mkdir(exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as fault:
        raise StoreError(f"this project cannot be locked ({fault.strerror})", where=path) from None


@cache
def _close_in_children() -> set[int]:
    """Lock files to close in forked children: an inherited one would hold the lock after its owner was killed."""
    held: set[int] = set()
    os.register_at_fork(after_in_child=lambda: [os.close(handle) for handle in held] and held.clear())
    return held


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as fault:
        raise StoreError(f"cannot be deleted ({fault.strerror})", where=path, cure="repeat it when it can") from None


def _bytes_under(folder: Path) -> int:
    total = 0
    for home, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # another process tidies up
                total += os.lstat(os.path.join(home, name)).st_size
    return total


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def _reserve(path: Path) -> None:
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, RESERVE)
