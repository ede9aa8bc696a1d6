"""The facts told twice: once by the journal, once by the tables. Both must say the same, or somebody changed one.

`told_by_journal` derives every fact from the journal alone; a table that was lost is rebuilt from it, except what the
journal must not hold (contents and targets of production inputs, sealed by salted hashes) and what lies in files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, Table, select

from snowroll.base.nouns import Json
from snowroll.store import changes, tables
from snowroll.store.journal import Entry

Facts = dict[tuple[str, Any], Json]  # (table, key) -> what is so


def told_by_journal(entries: Iterable[Entry]) -> Facts:
    """The facts that hold after all these entries."""
    facts: Facts = {}
    for entry in entries:
        if entry.kind in _SAYS:
            _SAYS[entry.kind](facts, entry.body)
    return facts


def told_by_tables(conn: Connection) -> Facts:
    """The same facts, read from the tables."""
    facts: Facts = {}
    private = {row.id for row in conn.execute(select(tables.samples)) if row.origin == "production"}
    for row in _rows(conn, tables.samples):
        facts["sample", row["id"]] = row["retired"]
    for row in _rows(conn, tables.labels):
        fact = changes.label_fact(row, row["salt"], row["sample"] in private)
        facts["label", row["client_id"]] = {**fact, "undone": bool(row["undone"])}
    for row in _rows(conn, tables.records):
        facts["record", row["id"]] = changes.record_seal(row)
    for row in _rows(conn, tables.versions):
        facts["version", row["id"]] = {key: row[key] for key in ("blob", "parent", "n")}
    for row in _rows(conn, tables.runs):
        facts["run", row["number"]] = row
    for row in _rows(conn, tables.artifacts):
        facts["artifact", row["id"]] = {key: value for key, value in row.items() if key != "at"}
    for row in _rows(conn, tables.pointers):
        facts["pointer", row["name"]] = row["value"]
    for row in _rows(conn, tables.rolls):
        facts["roll", row["number"]] = row["stage"]
    return facts


def disagreements(journal: Facts, table: Facts) -> list[str]:
    """Each fact that one side tells otherwise than the other, in words."""
    found = []
    for kind, key in sorted(journal.keys() | table.keys(), key=str):
        if (kind, key) not in table:
            found.append(f"{kind} {key} is in the journal, not in its table")
        elif (kind, key) not in journal:
            found.append(f"{kind} {key} is in its table, not in the journal")
        elif journal[kind, key] != table[kind, key]:
            found.append(f"{kind} {key} is not what the journal says of it")
    return found


def _rows(conn: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in conn.execute(select(table)).mappings()]


def _samples_added(facts: Facts, body: Json) -> None:
    facts.update((("sample", key), None) for key in body["ids"])


def _samples_retired(facts: Facts, body: Json) -> None:
    facts.update((("sample", key), body["why"]) for key in body["ids"] if ("sample", key) in facts)


def _label_added(facts: Facts, body: Json) -> None:
    facts["label", body["client_id"]] = {**body, "undone": False}


def _label_undone(facts: Facts, body: Json) -> None:
    facts["label", body["client_id"]]["undone"] = True


def _records_added(facts: Facts, body: Json) -> None:
    facts.update((("record", key), seal) for key, seal in body["seals"].items())


def _records_erased(facts: Facts, body: Json) -> None:
    gone = set(body["samples"])
    labels = [key for key, fact in facts.items() if key[0] == "label" and fact["sample"] in gone]
    for key in [*labels, *(("record", id) for id in body["ids"]), *(("sample", id) for id in gone)]:
        facts.pop(key, None)


def _version_added(facts: Facts, body: Json) -> None:
    facts["version", body["id"]] = {key: body[key] for key in ("blob", "parent", "n")}


def _version_redacted(facts: Facts, body: Json) -> None:
    facts["version", body["id"]].update(blob=body["blob"], n=body["n"])


def _run_changed(facts: Facts, body: Json) -> None:
    blank = dict.fromkeys(column.name for column in tables.runs.columns)
    facts["run", body["number"]] = {**blank, **facts.get(("run", body["number"]), {}), **body}


def _artifact_added(facts: Facts, body: Json) -> None:
    facts["artifact", body["id"]] = body


def _pointer_set(facts: Facts, body: Json) -> None:
    facts["pointer", body["name"]] = body["value"]


def _roll_stage(facts: Facts, body: Json) -> None:
    facts["roll", body["number"]] = body["stage"]


_SAYS: dict[str, Callable[[Facts, Json], None]] = {
    "samples.added": _samples_added,
    "samples.changed": _samples_added,
    "samples.retired": _samples_retired,
    "label.added": _label_added,
    "label.undone": _label_undone,
    "records.added": _records_added,
    "records.erased": _records_erased,
    "records.evicted": _records_erased,
    "version.added": _version_added,
    "version.redacted": _version_redacted,
    "run.made": _run_changed,
    "run.started": _run_changed,
    "run.finished": _run_changed,
    "artifact.added": _artifact_added,
    "artifact.changed": _artifact_added,
    "pointer.set": _pointer_set,
    "roll.stage": _roll_stage,
}
