"""An append-only journal with a hash chain, written in the transaction of the change it tells of.

Row n holds SHA-256(hash of row n-1, canonical [n, kind, body, at]): a row changed, moved, added or taken out anywhere
before the end breaks the chain. Rows cut off the end are found by comparing with the tables (`replay.py`).
Bodies hold ids and salted hashes of production inputs, never their content, path or source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from snowroll.base.nouns import Json, canonical
from snowroll.store.rows import as_json
from snowroll.store.tables import journal

BEGINNING = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    seq: int
    kind: str  # "label.added", "pointer.set"
    body: Json
    at: float


def append(conn: Connection, kind: str, body: Json, at: float) -> int:
    """Add a row; returns its number. Numbers have no gaps, and order is theirs: the clock may go back."""
    last = conn.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)).first()
    seq, before = (last.seq + 1, last.hash) if last else (1, BEGINNING)
    text = as_json(body, kind)
    row = {"seq": seq, "kind": kind, "body": text, "at": at, "hash": _link(before, seq, kind, text, at)}
    conn.execute(journal.insert(), row)
    return seq


def verify(conn: Connection) -> int | None:
    """The number of the first row that is not what was written, or None if the chain holds."""
    before, expected = BEGINNING, 1
    for row in conn.execute(select(journal).order_by(journal.c.seq)):
        if row.seq != expected or row.hash != _link(before, row.seq, row.kind, row.body, row.at):
            return expected
        before, expected = row.hash, expected + 1
    return None


def entries(conn: Connection, kind: str | None = None) -> Iterator[Entry]:
    """What happened, oldest first; of one kind if it is given."""
    query = select(journal).order_by(journal.c.seq)
    if kind is not None:
        query = query.where(journal.c.kind == kind)
    for row in conn.execute(query):
        yield Entry(row.seq, row.kind, json.loads(row.body), row.at)


def _link(before: str, seq: int, kind: str, body: str, at: float) -> str:
    line = before + canonical([seq, kind, body, float(at)])
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()
