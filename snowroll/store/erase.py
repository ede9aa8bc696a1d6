"""Taking production inputs away: rows, samples, labels, manifests, blob. Finished even if it is killed.

First one transaction takes the rows and notes which contents must go; then the contents and their notes go. Whoever
opens the project next finishes what is still noted. Retention ends here. Forgetting notes its journal row as well: it
owes the pictures that the runs of that row show, the caches and the deleted pages, and its note goes when they are
gone. The journal keeps ids, and salted hashes whose salts are gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, func, select

from snowroll.base.nouns import canonical
from snowroll.store import journal
from snowroll.store.catalog import read_manifest
from snowroll.store.changes import by_key, chunks
from snowroll.store.files import Blobs
from snowroll.store.tables import artifacts, erasures, labels, queue, records, runs, samples, versions

ROW = "journal row "  # begins a note that names no content


def forget_input(conn: Connection, record: str, blobs: Blobs, at: float) -> None:
    """Take every record that holds the same input as this one, and note what is owed. Harmless if it is gone."""
    content = conn.execute(select(records.c.content).where(records.c.id == record)).scalar()
    if content is None:
        return
    ids = sorted(conn.execute(select(records.c.id).where(records.c.content == content)).scalars())
    samples, touched = _take_rows(conn, ids, blobs, at)
    learned = select(runs.c.number).where(runs.c.version.in_(touched)).order_by(runs.c.number)
    told = {"ids": ids, "samples": samples, "runs": list(conn.execute(learned).scalars())}
    _note(conn, f"{ROW}{journal.append(conn, 'records.erased', told, at)}")


def evict(conn: Connection, ids: Sequence[str], blobs: Blobs, at: float) -> None:
    """Take these records. An input that another record holds goes with the last of them."""
    samples, _ = _take_rows(conn, ids, blobs, at)
    journal.append(conn, "records.evicted", {"ids": list(ids), "samples": samples}, at)


def _take_rows(conn: Connection, ids: Sequence[str], blobs: Blobs, at: float) -> tuple[list[str], list[str]]:
    """Delete the rows of these records and of the samples made from them. Returns those samples, and the versions
    that held them.
    """
    contents = {row["content"] for row in by_key(conn, records.c.id, ids)}
    for chunk in chunks(ids):
        conn.execute(records.delete().where(records.c.id.in_(chunk)))
    contents -= {row["content"] for row in by_key(conn, records.c.content, sorted(contents))}
    gone = [row["id"] for row in by_key(conn, samples.c.where, [f"blob:{content}" for content in sorted(contents)])]
    touched = _redact_versions(conn, set(gone), blobs, at)
    for table, column in ((queue, queue.c.sample), (labels, labels.c.sample), (samples, samples.c.id)):
        for chunk in chunks(gone):
            conn.execute(table.delete().where(column.in_(chunk)))
    for content in sorted(contents):
        _note(conn, content)
    return gone, touched


def delete_contents(conn: Connection, blobs: Blobs) -> None:
    """Delete the noted contents that nothing names any more, and their notes."""
    named = named_blobs(conn)
    for content in _notes(conn):
        if content.startswith(ROW):
            continue
        if content not in named:
            blobs.forget(content)
        conn.execute(erasures.delete().where(erasures.c.content == content))


def owed(conn: Connection) -> list[journal.Entry]:
    """What was forgotten and may still be seen in pictures, caches or deleted pages."""
    rows = [int(note.removeprefix(ROW)) for note in _notes(conn) if note.startswith(ROW)]
    return [entry for entry in journal.entries(conn, "records.erased") if entry.seq in rows] if rows else []


def done(conn: Connection, entries: Sequence[journal.Entry]) -> None:
    """Of these nothing is left; what another process forgot meanwhile is its own to finish."""
    for entry in entries:
        conn.execute(erasures.delete().where(erasures.c.content == f"{ROW}{entry.seq}"))


def erasure_of(conn: Connection, record: str) -> journal.Entry | None:
    """The journal's last row that tells how this record was forgotten."""
    told = [entry for entry in journal.entries(conn, "records.erased") if record in entry.body["ids"]]
    return told[-1] if told else None


def pictures(run: Path) -> list[Path]:
    """The files in a run's folder that show pictures of its data, or quote it."""
    return [*run.rglob("report.html"), *run.rglob("report.json"), *run.glob("batches/*.png")]


def named_blobs(conn: Connection) -> set[str]:
    """Every blob that some row names."""
    columns = (records.c.content, versions.c.blob, artifacts.c.blob)
    named = {sha for column in columns for sha in conn.execute(select(column)).scalars()}
    contracts = map(json.loads, conn.execute(select(artifacts.c.contract)).scalars())
    # examples: the server's self-test; step_file: the network that remembers
    named |= {contract[name] for contract in contracts for name in ("examples", "step_file") if name in contract}
    wheres = conn.execute(select(samples.c.where).where(samples.c.where.startswith("blob:"))).scalars()
    return named | {where.removeprefix("blob:") for where in wheres}


def is_pending(conn: Connection) -> bool:
    return bool(_notes(conn))


def oldest_beyond(
    conn: Connection, blobs: Blobs, now: float, max_bytes: int | None, max_age_s: float | None
) -> list[str]:
    """Records to evict, oldest first: too old, or more than the quota holds. Inputs that became training data stay,
    and those that a person is asked about; `forget` erases them. A question that was dropped keeps nothing.
    """
    total, oldest = conn.execute(select(func.coalesce(func.sum(records.c.bytes), 0), func.min(records.c.at))).one()
    if (max_bytes is None or total <= max_bytes) and (max_age_s is None or oldest is None or oldest >= now - max_age_s):
        return []
    query = select(records.c.id, records.c.at, records.c.bytes, records.c.content).order_by(records.c.at, records.c.id)
    kept = _kept(conn, blobs)
    rows = [row for row in conn.execute(query) if row.content not in kept]
    total = sum(row.bytes for row in rows)
    evicted = []
    for row in rows:
        too_old = max_age_s is not None and row.at < now - max_age_s
        if not too_old and (max_bytes is None or total <= max_bytes):
            continue
        evicted.append(row.id)
        total -= row.bytes
    return evicted


def _kept(conn: Connection, blobs: Blobs) -> set[str]:
    """Production's contents that have an answer, an open question, or a place in a version."""
    answers = select(samples.c.id, samples.c.content, labels.c.undone).join(labels, labels.c.sample == samples.c.id)
    answered = conn.execute(answers.where(samples.c.origin == "production")).all()
    asked = select(samples.c.content).join(queue, queue.c.sample == samples.c.id).where(queue.c.answered.is_(None))
    kept = {row.content for row in answered if not row.undone} | set(conn.execute(asked).scalars())
    # whatever a version names was answered once: only where the answer was taken back must manifests be read
    doubtful = {row.id: row.content for row in answered if row.content not in kept}
    if doubtful:
        manifests = [read_manifest(blobs, row) for row in conn.execute(select(versions)).mappings().all()]
        named = {item.sample for version in manifests for item in version.items}
        named |= {sample for version in manifests for sample in version.left_out}
        kept |= {content for sample, content in doubtful.items() if sample in named}
    return kept


def _redact_versions(conn: Connection, gone: set[str], blobs: Blobs, at: float) -> list[str]:
    """Rewrite the manifests that hold a forgotten sample's target. Their ids stay, as names."""
    touched = []
    for row in conn.execute(select(versions)).mappings().all() if gone else ():
        version = read_manifest(blobs, row)
        items = tuple(item for item in version.items if item.sample not in gone)
        left_out = {key: why for key, why in version.left_out.items() if key not in gone}
        if len(items) == len(version.items) and len(left_out) == len(version.left_out):
            continue
        blob = blobs.put(canonical(replace(version, items=items, left_out=left_out)).encode())
        values = {"blob": blob, "n": len(items), "redacted": 1}
        conn.execute(versions.update().where(versions.c.id == row["id"]).values(**values))
        _note(conn, row["blob"])
        journal.append(conn, "version.redacted", {"id": row["id"], **values}, at)
        touched.append(row["id"])
    return touched


def _notes(conn: Connection) -> list[str]:
    return list(conn.execute(select(erasures.c.content)).scalars())


def _note(conn: Connection, content: str) -> None:
    if not by_key(conn, erasures.c.content, [content]):
        conn.execute(erasures.insert(), {"content": content})
