"""Forgetting production inputs: rows, blob, manifests, caches, deleted pages. Finished even if it is killed.

First one transaction takes the rows and notes which contents must go; then the contents go, and the note says only
that deleted pages are to be overwritten; when they are, the note goes. Whoever opens the project next finishes what is
still noted. The journal keeps ids, and salted hashes whose salts are gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, select

from snowroll.base.nouns import canonical
from snowroll.store import journal
from snowroll.store.catalog import read_manifest
from snowroll.store.changes import by_key, chunks
from snowroll.store.files import Blobs
from snowroll.store.tables import artifacts, erasures, labels, queue, records, runs, samples, versions

PAGES = "deleted pages"  # the note that no longer names a content


def take_rows(conn: Connection, ids: Sequence[str], blobs: Blobs, at: float) -> list[int]:
    """Delete the rows of these records and of the samples made from them. Returns the runs that learned from them."""
    contents = {row["content"] for row in by_key(conn, records.c.id, ids)}
    for chunk in chunks(ids):
        conn.execute(records.delete().where(records.c.id.in_(chunk)))
    # the same picture sent twice is two records of one content: it goes with the last of them
    contents -= {row["content"] for row in by_key(conn, records.c.content, sorted(contents))}
    gone = [row["id"] for row in by_key(conn, samples.c.where, [f"blob:{content}" for content in sorted(contents)])]
    touched = _redact_versions(conn, set(gone), blobs, at)
    for table, column in ((queue, queue.c.sample), (labels, labels.c.sample), (samples, samples.c.id)):
        for chunk in chunks(gone):
            conn.execute(table.delete().where(column.in_(chunk)))
    for content in sorted(contents):
        _note(conn, content)
    journal.append(conn, "records.erased", {"ids": list(ids), "samples": gone}, at)
    learned = select(runs.c.number).where(runs.c.version.in_(touched)).order_by(runs.c.number)
    return list(conn.execute(learned).scalars())


def finish(conn: Connection, blobs: Blobs) -> int:
    """Delete the noted contents that nothing names any more; `done` is still to be said. Returns how many."""
    noted = list(conn.execute(select(erasures.c.content)).scalars())
    named = named_blobs(conn)
    for content in noted:
        if content not in named and content != PAGES:
            blobs.forget(content)
    done(conn)
    _note(conn, PAGES)
    return len(noted)


def done(conn: Connection) -> None:
    """Nothing is owed any more."""
    conn.execute(erasures.delete())


def named_blobs(conn: Connection) -> set[str]:
    """Every blob that some row names."""
    columns = (records.c.content, versions.c.blob, artifacts.c.blob)
    named = {sha for column in columns for sha in conn.execute(select(column)).scalars()}
    contracts = map(json.loads, conn.execute(select(artifacts.c.contract)).scalars())
    named |= {contract["examples"] for contract in contracts if "examples" in contract}  # the server's self-test
    wheres = conn.execute(select(samples.c.where).where(samples.c.where.startswith("blob:"))).scalars()
    return named | {where.removeprefix("blob:") for where in wheres}


def is_pending(conn: Connection) -> bool:
    return conn.execute(select(erasures.c.content).limit(1)).first() is not None


def oldest_beyond(conn: Connection, now: float, max_bytes: int | None, max_age_s: float | None) -> list[str]:
    """Records to evict, oldest first: too old, or more than the quota holds. Inputs that became samples stay: they
    are training data now, and `forget` erases them.
    """
    total, oldest = conn.execute(select(func.coalesce(func.sum(records.c.bytes), 0), func.min(records.c.at))).one()
    if (max_bytes is None or total <= max_bytes) and (max_age_s is None or oldest is None or oldest >= now - max_age_s):
        return []
    query = select(records.c.id, records.c.at, records.c.bytes, records.c.content).order_by(records.c.at, records.c.id)
    kept = set(conn.execute(select(samples.c.content).where(samples.c.origin == "production")).scalars())
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


def _note(conn: Connection, content: str) -> None:
    if not by_key(conn, erasures.c.content, [content]):
        conn.execute(erasures.insert(), {"content": content})
