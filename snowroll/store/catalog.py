"""The catalog: what the project knows. Every write appends its journal row in the same transaction.

Writes go through one thread with group commit and return after the commit; reads have connections of their own.
Client-made ids make every command safe to repeat.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, RowMapping, Select, func, select, union
from sqlalchemy.exc import SQLAlchemyError

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Artifact, Item, Json, Record, Sample, Version, canonical
from snowroll.store import changes, journal, tables
from snowroll.store.engine import in_words, reading_engine, writing_engine
from snowroll.store.files import Blobs
from snowroll.store.rows import FOR_TEST, Label, Move, Queued, Roll, Row, Run, RunFolder, Status, as_json, as_row, noun
from snowroll.store.writer import Writer

T = TypeVar("T")
Fill = Callable[[Connection, Sequence[Row], float], int]  # a change of the queue


class Catalog:
    """The database of one project."""

    def __init__(
        self, path: Path, read_only: bool = False, frozen: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        """`frozen`: the folder itself cannot be written to. Raises StoreError if the file cannot be opened."""
        self.path, self.clock = path, clock
        self._writer = None if read_only else Writer(path, path.with_name("reserve"))
        self._reading = reading_engine(path, frozen)
        self._check_schema()

    @staticmethod
    def create(path: Path) -> None:
        """Make the file with empty tables, or finish making it. Harmless where it exists."""
        engine = writing_engine(path)
        try:
            with engine.begin() as conn:
                tables.metadata.create_all(conn)
                about = tables.about
                if conn.execute(select(about.c.value).where(about.c.key == "schema")).first() is None:
                    conn.execute(about.insert(), {"key": "schema", "value": str(tables.SCHEMA)})
        except SQLAlchemyError as fault:
            raise in_words(fault, path) from fault
        finally:
            engine.dispose()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reading.dispose()

    def write(self, job: Callable[[Connection], T]) -> T:
        """What `job` returns, once its changes are durable. It runs in the writer's thread; keep it short."""
        if self._writer is None:
            raise StoreError("this project is open for reading only", where=self.path, cure="use a writable copy")
        return self._writer.do(job)

    def read(self, job: Callable[[Connection], T]) -> T:
        """What `job` returns, all its queries seeing the same moment."""
        try:
            with self._reading.connect() as conn:
                return job(conn)
        except SQLAlchemyError as fault:
            raise in_words(fault, self.path) from fault

    # samples --------------------------------------------------------------------------------------------------------

    def add_samples(self, samples: Iterable[Sample]) -> int:
        """Make these samples known; a known one takes the new target, group and split. Returns how many changed."""
        rows = [{**as_row(sample), "retired": None} for sample in samples]

        def job(conn: Connection) -> int:
            return sum(changes.put_samples(conn, chunk, self.clock()) for chunk in changes.chunks(rows))

        return self.write(job)

    def samples(self, ids: Iterable[str] | None = None) -> dict[str, Sample]:
        """Samples by id: the ones asked for, retired or not, or else all that are not retired."""
        table = tables.samples
        if ids is None:
            rows = self._rows(select(table).where(table.c.retired.is_(None)))
        else:
            rows = self.read(lambda conn: changes.by_key(conn, table.c.id, sorted(set(ids))))
        return {row["id"]: noun(Sample, row) for row in rows}

    def retired(self) -> dict[str, Sample]:
        """Samples that are offered no more, by id; none of those that were forgotten."""
        table = tables.samples
        return {row["id"]: noun(Sample, row) for row in self._rows(select(table).where(table.c.retired.is_not(None)))}

    def contents(self) -> set[str]:
        """Content hashes of every sample, retired or not, and of every record that is still kept."""
        both = union(select(tables.samples.c.content), select(tables.records.c.content))
        return self.read(lambda conn: set(conn.execute(both).scalars()))

    def retire_samples(self, ids: Iterable[str], why: str) -> None:
        """Offer these no more (file vanished, changed in place); versions that name them still find them."""
        wanted = sorted(set(ids))
        self.write(lambda conn: changes.retire_samples(conn, wanted, why, self.clock()))

    # labels ---------------------------------------------------------------------------------------------------------

    def labels(self) -> dict[str, Label]:
        """The latest label of each sample that was not taken back, by sample id."""
        query = select(tables.labels).where(tables.labels.c.undone == 0).order_by(tables.labels.c.seq)
        return {row["sample"]: noun(Label, row) for row in self._rows(query)}

    def undo_label(self, client_id: str) -> bool:
        """Take an answer back; its sample is asked for again. False if it was taken back already."""
        return self.write(lambda conn: changes.undo_label(conn, client_id, self.clock()))

    def fill_queue(self, asked: Iterable[Queued], about: Iterable[Sample] = ()) -> int:
        """Replace the unanswered part of the queue, but not what waits for the locked test set; answered samples are
        not asked again. Returns how many were added.

        `about`: samples to make known with their questions. A production input evicted meanwhile is not asked about.
        """
        return self._fill(changes.fill_queue, asked, about)

    def ask_for_test(self, asked: Iterable[Queued], about: Iterable[Sample]) -> int:
        """Add questions for the locked test set, `about` as `fill_queue` has it. Returns how many were added."""
        return self._fill(changes.ask_for_test, asked, about)

    def _fill(self, change: Fill, asked: Iterable[Queued], about: Iterable[Sample]) -> int:
        rows, told = [as_row(item) for item in asked], [{**as_row(sample), "retired": None} for sample in about]

        def job(conn: Connection) -> int:
            gone = changes.put_asked(conn, told, self.clock())
            return change(conn, [row for row in rows if row["sample"] not in gone], self.clock())

        return self.write(job)

    def ask(self, asked: Iterable[Queued]) -> int:
        """Add questions to those that wait. Returns how many were added."""
        rows = [as_row(item) for item in asked]
        return self.write(lambda conn: changes.ask(conn, rows, self.clock()))

    def withdraw(self, why: str) -> int:
        """Take the open questions of this reason back. Returns how many."""
        return self.write(lambda conn: changes.withdraw(conn, why, self.clock()))

    def next_queued(self, n: int, by: str = "", again_after_s: float = 300.0) -> list[Queued]:
        """The n most worthwhile samples to ask `by` for. What another person was shown just now is passed over."""
        rows = self.write(lambda conn: changes.serve_queue(conn, n, by, self.clock(), again_after_s))
        return [noun(Queued, row) for row in rows]

    def left_in_queue(self) -> int:
        query = select(func.count()).select_from(tables.queue).where(tables.queue.c.answered.is_(None))
        return self.read(lambda conn: conn.execute(query).scalar_one())

    def waiting(self) -> set[str]:
        """Samples that wait for a person."""
        table = tables.queue
        return {row["sample"] for row in self._rows(select(table.c.sample).where(table.c.answered.is_(None)))}

    def asked_for_test(self) -> set[str]:
        """Samples that wait for a person because models will be judged on them."""
        table = tables.queue
        waits = select(table.c.sample).where(table.c.answered.is_(None), table.c.why.startswith(FOR_TEST))
        return {row["sample"] for row in self._rows(waits)}

    # versions -------------------------------------------------------------------------------------------------------

    def add_version(self, version: Version, blobs: Blobs) -> None:
        """Keep a version: its manifest as a blob, its id here. Harmless if known."""
        blob = blobs.put(canonical(version).encode())
        row = {"id": version.id, "blob": blob, "parent": version.parent, "n": len(version.items)}

        def job(conn: Connection) -> None:
            if not blobs.has(blob):
                raise StoreError("its manifest vanished while it was written", where=blobs.path(blob), cure="repeat it")
            if not changes.by_key(conn, tables.versions.c.id, [version.id]):
                at = self.clock()
                conn.execute(tables.versions.insert(), {**row, "at": at, "redacted": 0})
                journal.append(conn, "version.added", row, at)

        self.write(job)

    def version(self, id: str, blobs: Blobs) -> Version | None:
        """A version from its manifest. Without inputs that were forgotten since. None if there is no such version."""
        rows = self._rows(select(tables.versions).where(tables.versions.c.id == id))
        return read_manifest(blobs, rows[0]) if rows else None

    # runs and artifacts ---------------------------------------------------------------------------------------------

    def start_run(self, run: RunFolder, plan: Json, version: Version | None) -> None:
        """The run goes ahead, with this plan (JSON or a dataclass) on this version."""
        row = {"plan": as_json(plan, "plan"), "version": version.id if version else None, "status": "running"}
        self._change_run(run, "run.started", row)

    def finish_run(self, run: RunFolder, status: Status, metric: Json, moves: Sequence[Move] = ()) -> None:
        """How the run ended. `metric`: a Metric or None. `moves`: pointers that move with it, all or none."""
        text = None if metric is None else as_json(metric, "metric")
        self._change_run(run, "run.finished", {"status": status, "metric": text, "ended": self.clock()}, moves)

    def run(self, number: int) -> Run | None:
        rows = self._rows(select(tables.runs).where(tables.runs.c.number == number))
        return noun(Run, rows[0]) if rows else None

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return [noun(Run, row) for row in self._rows(select(tables.runs).order_by(tables.runs.c.number))]

    def _change_run(self, run: RunFolder, kind: str, values: Row, moves: Sequence[Move] = ()) -> None:
        def job(conn: Connection) -> None:
            table = tables.runs
            if not conn.execute(table.update().where(table.c.number == run.number).values(**values)).rowcount:
                raise StoreError(f"there is no run {run.number}", where=self.path, cure="see `snowroll status`")
            journal.append(conn, kind, {"number": run.number, **values}, self.clock())
            for name, value, event in moves:
                changes.move_pointer(conn, name, value, event, self.clock())

        self.write(job)

    def add_artifact(self, artifact: Artifact) -> None:
        """Keep an artifact, whose bytes are a blob already. Harmless if known; a known one takes what changed."""
        row = as_row(artifact)

        def job(conn: Connection) -> None:
            table, at = tables.artifacts, self.clock()
            known = changes.by_key(conn, table.c.id, [artifact.id])
            if not known:
                conn.execute(table.insert(), {**row, "at": at})
                journal.append(conn, "artifact.added", row, at)
            elif any(known[0][key] != value for key, value in row.items()):
                conn.execute(table.update().where(table.c.id == artifact.id).values(**row))
                journal.append(conn, "artifact.changed", row, at)

        self.write(job)

    def artifacts(self, run: str | None = None) -> list[Artifact]:
        """Artifacts, of one run or of all, oldest first."""
        query = select(tables.artifacts).order_by(tables.artifacts.c.at)
        if run is not None:
            query = query.where(tables.artifacts.c.run == run)
        return [noun(Artifact, row) for row in self._rows(query)]

    # production records ---------------------------------------------------------------------------------------------

    def add_records(self, records: Sequence[tuple[Record, int]], ready: Callable[[], None] = lambda: None) -> int:
        """Keep records, each with the bytes of its input. Known ids are passed over. Returns how many were new.

        `ready` runs inside the transaction, so that no clean-up can come between an input and its record.
        """

        def job(conn: Connection) -> int:
            ready()
            return changes.put_records(conn, records, self.clock())

        return self.write(job)

    def records(
        self,
        since: float | None = None,
        artifact: str | None = None,
        source: str | None = None,
        last: int | None = None,
    ) -> list[Record]:
        """Records, oldest first: from a time on, of one artifact, of one source, the newest `last` of them."""
        table = tables.records
        query = select(table).order_by(table.c.at.desc(), table.c.id.desc())
        for column, value in ((table.c.artifact, artifact), (table.c.source, source)):
            query = query if value is None else query.where(column == value)
        if since is not None:
            query = query.where(table.c.at >= since)
        return [noun(Record, row) for row in self._rows(query.limit(last))][::-1]

    def record(self, id: str) -> Record | None:
        rows = self._rows(select(tables.records).where(tables.records.c.id == id))
        return noun(Record, rows[0]) if rows else None

    # pointers and rolls ---------------------------------------------------------------------------------------------

    def pointer(self, name: str) -> str | None:
        rows = self._rows(select(tables.pointers).where(tables.pointers.c.name == name))
        return rows[0]["value"] if rows else None

    def set_pointer(self, name: str, value: str, event: Json) -> None:
        """Move a pointer; `event` tells why and goes into the journal."""
        self.write(lambda conn: changes.move_pointer(conn, name, value, event, self.clock()))

    def pointer_history(self, name: str) -> list[str]:
        """Every value the pointer had, oldest first."""
        return [entry.body["value"] for entry in self.events("pointer.set") if entry.body["name"] == name]

    def story(self, name: str) -> Json | None:
        """Why the pointer stands where it stands: the event of its last move."""
        told = [entry.body["event"] for entry in self.events("pointer.set") if entry.body["name"] == name]
        return told[-1] if told else None

    def save_roll(self, number: int, stage: str, state: Json) -> None:
        """A stage of a roll is finished, and what the next stage needs. Resuming reads it back."""
        row = as_row(Roll(number, stage, state, self.clock()))

        def job(conn: Connection) -> None:
            table = tables.rolls
            if not conn.execute(table.update().where(table.c.number == number).values(**row)).rowcount:
                conn.execute(table.insert(), row)
            journal.append(conn, "roll.stage", {"number": number, "stage": stage}, row["at"])

        self.write(job)

    def rolls(self) -> list[Roll]:
        """All rolls, oldest first."""
        return [noun(Roll, row) for row in self._rows(select(tables.rolls).order_by(tables.rolls.c.number))]

    def note(self, kind: str, body: Json) -> int:
        """Write into the journal what changes no table. Ids only where production inputs are meant."""
        return self.write(lambda conn: journal.append(conn, kind, body, self.clock()))

    def events(self, kind: str | None = None) -> list[journal.Entry]:
        """The journal, oldest first; of one kind if it is given."""
        return self.read(lambda conn: list(journal.entries(conn, kind)))

    def _rows(self, query: Select) -> list[RowMapping]:
        return self.read(lambda conn: [row._mapping for row in conn.execute(query)])

    def _check_schema(self) -> None:
        rows = self._rows(select(tables.about).where(tables.about.c.key == "schema"))
        if not rows:
            raise StoreError("the catalog is empty", where=self.path, cure="run `snowroll init` again")
        if int(rows[0]["value"]) > tables.SCHEMA:
            raise StoreError("a newer Snowroll made this project", where=self.path, cure="upgrade Snowroll")


def read_manifest(blobs: Blobs, row: RowMapping) -> Version:
    """The version that a row of `versions` names. Raises StoreError if its manifest is not what was frozen."""
    body = json.loads(blobs.get(row["blob"]))
    items = tuple(Item(**item) for item in body["items"])
    version = Version(body["id"], items, body["schema"], body["parent"], body["left_out"])
    frozen = Version.freeze(items, version.schema, version.parent, version.left_out)
    if version.id != row["id"] or (not row["redacted"] and frozen.id != version.id):
        raise StoreError("this manifest is not the version it claims", where=blobs.path(row["blob"]))
    return version
