"""The changes that take more than one statement, each inside the transaction it is given, each journalled.

Writers take turns (`engine.Turnstile`), so "look, then insert what is missing" needs no dialect's upsert.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, RowMapping, or_, select

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Json, Record
from snowroll.store import journal
from snowroll.store.rows import FOR_CHECK, FOR_TEST, Label, Row, as_row, noun, seal
from snowroll.store.tables import labels, pointers, queue, records, runs, samples

T = TypeVar("T")

AT_ONCE = 500  # ids in one statement, rows told of in one journal row


def chunks(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), AT_ONCE):
        yield things[start : start + AT_ONCE]


def by_key(conn: Connection, key: Column, wanted: Sequence[Any]) -> list[RowMapping]:
    """The whole rows whose `key` is among the wanted."""
    found: list[RowMapping] = []
    for chunk in chunks(wanted):
        found += [row._mapping for row in conn.execute(select(key.table).where(key.in_(chunk)))]
    return found


def put_samples(conn: Connection, rows: Sequence[Row], at: float) -> int:
    """Insert new samples and bring known ones up to date. Returns how many changed.

    The journal names ids only: an id is the hash of place and content, so it vouches for both.
    """
    known = {row["id"]: dict(row) for row in by_key(conn, samples.c.id, [row["id"] for row in rows])}
    told = {row["id"]: row for row in rows}  # the last word counts if one id comes twice
    new = [row for key, row in told.items() if key not in known]
    changed = [row for key, row in told.items() if key in known and row != known[key]]
    if new:
        conn.execute(samples.insert(), new)
        journal.append(conn, "samples.added", {"ids": [row["id"] for row in new]}, at)
    for row in changed:
        conn.execute(samples.update().where(samples.c.id == row["id"]).values(**row))
    if changed:
        journal.append(conn, "samples.changed", {"ids": [row["id"] for row in changed]}, at)
    return len(new) + len(changed)


def put_asked(conn: Connection, rows: Sequence[Row], at: float) -> set[str]:
    """Put the samples, but for production inputs that no record holds any more. Returns the ids of those."""
    sent = {row["id"]: row["content"] for row in rows if row["origin"] == "production"}
    held = {row["content"] for row in by_key(conn, records.c.content, sorted(set(sent.values())))}
    gone = {id for id, content in sent.items() if content not in held}
    for chunk in chunks([row for row in rows if row["id"] not in gone]):
        put_samples(conn, chunk, at)
    return gone


def retire_samples(conn: Connection, ids: Sequence[str], why: str, at: float) -> None:
    for chunk in chunks(ids):
        conn.execute(samples.update().where(samples.c.id.in_(chunk)).values(retired=why))
        # it cannot be shown any more, so nobody may wait for its answer
        conn.execute(queue.delete().where(queue.c.sample.in_(chunk), queue.c.answered.is_(None)))
        journal.append(conn, "samples.retired", {"ids": list(chunk), "why": why}, at)


def put_label(conn: Connection, label: Label) -> bool:
    """Keep an answer once. An answer about a production input enters the journal as a salted hash."""
    row = as_row(label)
    known = by_key(conn, labels.c.client_id, [label.client_id])
    if known:
        if any(known[0][key] != value for key, value in row.items() if key not in ("at", "ms")):
            raise StoreError(
                f"the id '{label.client_id}' was used for another answer", cure="make a new id for a new answer"
            )
        return False
    origin = conn.execute(select(samples.c.origin).where(samples.c.id == label.sample)).scalar()
    if origin is None:
        raise StoreError(f"there is no sample '{label.sample}'", cure="index the folder again, or reload the page")
    salt = secrets.token_hex(16)
    seq = journal.append(conn, "label.added", label_fact(row, salt, private=origin == "production"), label.at)
    conn.execute(labels.insert(), {**row, "salt": salt, "seq": seq, "undone": 0})
    waits = (queue.c.sample == label.sample) & queue.c.answered.is_(None)
    conn.execute(queue.update().where(waits).values(answered=label.client_id))
    return True


def label_fact(row: Mapping[Any, Any], salt: str, private: bool) -> dict[str, Json]:
    """What the journal says of a label: all of it, or ids and a seal where the target may tell of a person."""
    if private:
        return {"client_id": row["client_id"], "sample": row["sample"], "seal": seal(salt, _shown(Label, row))}
    return {"client_id": row["client_id"], "sample": row["sample"], "label": _shown(Label, row)}


def undo_label(conn: Connection, client_id: str, at: float) -> bool:
    known = by_key(conn, labels.c.client_id, [client_id])
    if not known:
        raise StoreError(f"there is no label '{client_id}'", cure="send the label before taking it back")
    if known[0]["undone"]:
        return False
    conn.execute(labels.update().where(labels.c.client_id == client_id).values(undone=1))
    conn.execute(queue.update().where(queue.c.answered == client_id).values(answered=None, served=None))
    journal.append(conn, "label.undone", {"client_id": client_id}, at)
    return True


def fill_queue(conn: Connection, rows: Sequence[Row], at: float) -> int:
    # a question for the locked set stays: were it dropped unanswered, the set would no longer be the draw that was made
    # and what the data check asks about stays until it is answered or withdrawn
    is_kept = or_(queue.c.why.startswith(FOR_TEST), queue.c.why.startswith(FOR_CHECK))
    conn.execute(queue.delete().where(queue.c.answered.is_(None), ~is_kept))
    return ask(conn, rows, at)


def ask_for_test(conn: Connection, rows: Sequence[Row], at: float) -> int:
    """Add questions for the locked set. What waits already is asked for it from now on; all else stays."""
    for some in chunks([row["sample"] for row in rows]):
        conn.execute(queue.delete().where(queue.c.answered.is_(None), queue.c.sample.in_(some)))
    return ask(conn, rows, at)


def ask(conn: Connection, rows: Sequence[Row], at: float) -> int:
    """Add questions; what was answered, or waits already, is not asked again. Returns how many were added."""
    told = {row["sample"]: row for row in rows}
    kept = {row["sample"] for row in by_key(conn, queue.c.sample, list(told))}  # answered, or waiting for the test
    new = [{**row, "served": None, "served_to": None, "answered": None} for row in told.values()]
    new = [row for row in new if row["sample"] not in kept]
    if new:
        conn.execute(queue.insert(), new)
    journal.append(conn, "queue.filled", {"ids": [row["sample"] for row in new]}, at)
    return len(new)


def withdraw(conn: Connection, why: str, at: float) -> int:
    """Take the open questions of this reason back. Returns how many."""
    is_open = (queue.c.why == why, queue.c.answered.is_(None))
    ids = list(conn.execute(select(queue.c.sample).where(*is_open)).scalars())
    conn.execute(queue.delete().where(*is_open))
    journal.append(conn, "queue.withdrawn", {"ids": ids, "why": why}, at)
    return len(ids)


def serve_queue(conn: Connection, n: int, by: str, at: float, again_after_s: float) -> list[Any]:
    """Rows to ask for. A clock that went back frees what was served in its future."""
    free = or_(
        queue.c.served.is_(None), queue.c.served < at - again_after_s, queue.c.served > at, queue.c.served_to == by
    )
    query = select(queue).where(queue.c.answered.is_(None), free).order_by(queue.c.place, queue.c.sample).limit(n)
    found = [row._mapping for row in conn.execute(query)]
    ids = [row["sample"] for row in found]
    if ids:
        conn.execute(queue.update().where(queue.c.sample.in_(ids)).values(served=at, served_to=by))
        journal.append(conn, "queue.served", {"ids": ids, "by": by}, at)
    return found


def put_records(conn: Connection, told: Sequence[tuple[Record, int]], at: float) -> int:
    rows = {record.id: {**as_row(record), "bytes": size, "salt": secrets.token_hex(16)} for record, size in told}
    known = {row["id"] for row in by_key(conn, records.c.id, list(rows))}
    new = [row for key, row in rows.items() if key not in known]
    for chunk in chunks(new):
        conn.execute(records.insert(), list(chunk))
        seals = {row["id"]: seal(row["salt"], _shown(Record, row, leave="truth")) for row in chunk}
        journal.append(conn, "records.added", {"seals": seals}, at)
    return len(new)


def record_seal(row: Mapping[Any, Any]) -> str:
    """What the journal must say of a record's row; `truth` comes later and is not sealed."""
    return seal(row["salt"], _shown(Record, row, leave="truth"))


def new_run(conn: Connection, kind: str, make: Any, at: float) -> tuple[int, str]:
    """The next run number that neither a row nor a folder has; `make(name)` makes its folder, False if it is taken."""
    last = conn.execute(select(runs.c.number).order_by(runs.c.number.desc()).limit(1)).scalar() or 0
    number = last + 1
    while not make(f"{number:04d}-{kind}"):
        number += 1
    row = {"number": number, "folder": f"{number:04d}-{kind}", "kind": kind, "status": "new", "started": at}
    conn.execute(runs.insert(), row)
    journal.append(conn, "run.made", row, at)
    return number, row["folder"]


def move_pointer(conn: Connection, name: str, value: str, event: Json, at: float) -> None:
    if not conn.execute(pointers.update().where(pointers.c.name == name).values(value=value)).rowcount:
        conn.execute(pointers.insert(), {"name": name, "value": value})
    journal.append(conn, "pointer.set", {"name": name, "value": value, "event": event}, at)


def _shown(kind: type, row: Mapping[Any, Any], leave: str = "") -> dict[str, Json]:
    """A row's noun as stored, without the store's own columns."""
    return {key: value for key, value in as_row(noun(kind, row)).items() if key != leave}
